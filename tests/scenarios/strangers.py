"""Who knocks without a key: refused, counted, logged at a bounded rate, forgotten."""

import os
import socket
import ssl
import time

import network
from harness import NODES, Pair, Process, expect, scenario, wait_for

CONNECTIONS = 300
LEFT_OPEN = 40  # Of the idle ones, while the next kind knocks.
# What bounded buffers may take the first time, and nothing of it may come again.
FIRST_GROWTH_MAX = 32 * 2**20
GROWTH_MAX = 4 * 2**20
LINES_A_SECOND = 3  # Of a log, about strangers, besides a few at the beginning.

# What ZMTP 3.0 begins with: signature, version, mechanism NULL, a client; then READY.
ZMTP_NULL = (
    b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
    + b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
)  # fmt: skip
# The same with CURVE and a HELLO of the right size whose box nobody can open.
ZMTP_CURVE = (
    b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"CURVE".ljust(20, b"\0") + b"\0" + bytes(31)
    + b"\x04\xc8\x05HELLO\x01\x00" + bytes(72) + b"\x55" * 120
)  # fmt: skip
GARBAGE = bytes(range(256)) * 16
LONG_FRAME = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"\xff" * 4000


def knock(port, first, end_of_it=None, limit=5):
    """One connection: says something, reads what comes until the end, gives what came."""
    came = b""
    try:
        with socket.create_connection((network.HOST, port), timeout=limit) as client:
            client.sendall(first)
            if end_of_it is not None:
                client.shutdown(end_of_it)
            while len(came) < 65536 and (chunk := client.recv(4096)):
                came += chunk
    except OSError:
        pass  # Reset, refused for being too many, or silent until the limit.
    return came


def knock_with_tls(port, identity):
    """A TLS client with no certificate or with one that nobody enrolled."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        context.load_cert_chain(*identity)
    came = b""
    try:
        with socket.create_connection((network.HOST, port), timeout=5) as client:
            with context.wrap_socket(client) as secure:
                secure.sendall(GARBAGE)
                while len(came) < 65536 and (chunk := secure.recv(4096)):
                    came += chunk
    except OSError:
        pass
    return came


def foreign_identity(pair):
    """Key and certificate of another gateway, as good as any stranger's."""
    file = pair.path("foreign.toml")
    text = pair.path("gateway.toml").read_text()
    for name in ("gateway", "gateway.sock"):
        text = text.replace(f'{pair.path(name)}"', f'{pair.path("foreign-" + name)}"')
    for port in (pair.agents_port, pair.port):
        text = text.replace(f':{port}"', ':0"')
    file.write_text(text)
    program = str(pair.binaries / "umbra-gateway")
    foreign = Process("foreign", [program, "run", str(file)], pair.path("foreign.log")).start()
    pair.processes["foreign"] = foreign
    at = pair.path("foreign-gateway")
    wait_for((at / "tls.crt").exists, 10, "another gateway has made its identity")
    foreign.terminate()
    del pair.processes["foreign"]
    return at / "tls.crt", at / "tls.key"


class Steady:
    """Growth and talkativeness of a process while strangers knock at it."""

    def __init__(self, process):
        self.process = process
        self.limit = FIRST_GROWTH_MAX
        self.begin()

    def begin(self):
        self.rss, self.start = self.process.rss(), time.monotonic()
        self.lines = len(self.process.log_text().splitlines())

    def expect_steady(self):
        """Ends a round; the next one may take less."""
        name, grown = self.process.name, self.process.rss() - self.rss
        took = time.monotonic() - self.start
        lines = self.process.log_text().splitlines()[self.lines :]
        print(f"{name}: {grown / 2**20:.1f} MB more, {len(lines)} log lines in {took:.1f} s")
        # A sanitizer keeps freed memory back, so that growth says nothing there.
        if "UMBRA_SANITIZE" not in os.environ:
            expect(grown < self.limit, f"{name} grew by {grown / 2**20:.1f} MB")
        expect(
            len(lines) < 20 + LINES_A_SECOND * took,
            f"{name} logged {len(lines)} lines in {took:.1f} s, for example {lines[-3:]}",
        )
        self.limit = GROWTH_MAX
        self.begin()


def idle(port, count):
    """Connections that say nothing, and stay."""
    clients = []
    for _ in range(count):
        client = socket.socket()
        client.settimeout(2)
        try:
            client.connect((network.HOST, port))
            clients.append(client)
        except OSError:
            client.close()
    return clients


def greet_rudely(port, held):
    """A few hundred of each kind; what stays idle is held while the others knock."""
    held += idle(port, CONNECTIONS)
    for number in range(CONNECTIONS):
        for first in (GARBAGE, ZMTP_NULL, ZMTP_CURVE, LONG_FRAME):
            with_end = socket.SHUT_WR if number % 2 else socket.SHUT_RDWR
            came = knock(port, first, with_end, limit=1)
            expect(b"umbra-secret" not in came and len(came) < 4096, f"it talks: {came[:80]!r}")
        if number < CONNECTIONS - LEFT_OPEN and held:
            held.pop().close()


@scenario
def strangers_at_instance(options):
    """At both ports of both instances."""
    with Pair(options).up() as pair:
        steady = [Steady(pair[node]) for node in NODES]
        before = {node: pair.status(node)["strangers"] for node in NODES}
        for number in (1, 2):
            held = []
            try:
                for node in NODES:
                    for port in pair.own[node].values():
                        greet_rudely(port, held)
                pair.set("alpha", f'probe.crm-backend.every="{2 + number}s"')
                pair.wait_settled("alpha")
                for node in NODES:
                    wait_for(
                        lambda: pair.status(node)["strangers"]
                        >= before[node] + number * CONNECTIONS,
                        10,
                        f"{node} counts its strangers",
                    )
            finally:
                for client in held:
                    client.close()
            for each in steady:
                each.expect_steady()
        for node in NODES:
            print(f"{node}: {pair.status(node)['strangers'] - before[node]} strangers counted")
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "the pair works as before")
        pair.expect_served()


@scenario
def strangers_at_gateway(options):
    """At the port for instances: garbage, silence, TLS without a key, TLS with a foreign key."""
    with Pair(options).up() as pair:
        identity = foreign_identity(pair)
        steady = Steady(pair["gateway"])
        counted = pair.status("gateway")["counters"]
        loop = pair.request_loop(pause=0.02)
        for _ in range(2):
            held = []
            try:
                greet_rudely(pair.agents_port, held)
                for number in range(CONNECTIONS):
                    came = knock_with_tls(pair.agents_port, identity if number % 2 else None)
                    expect(len(came) < 4096, f"it talks: {came[:80]!r}")
            finally:
                for client in held:
                    client.close()
            steady.expect_steady()
        now = pair.status("gateway")["counters"]
        more = {key: now[key] - counted[key] for key in now if now[key] != counted[key]}
        print(more)
        strange = sum(
            more.get(key, 0) for key in ("strangers", "handshakes_failed", "pending_dropped")
        )
        expect(strange > CONNECTIONS, f"counted: {more}")
        loop.stop()
        expect(not loop.failed(), f"clients are served meanwhile: {loop.failed()}")
        # Both instances still get in, while strangers sit at the door.
        held = idle(pair.agents_port, CONNECTIONS)
        try:
            pair["alpha"].kill()
            pair.start("alpha")
            pair.wait_settled(limit=30)
        finally:
            for client in held:
                client.close()


@scenario
def strangers_at_listener(options):
    """Clients of the public port that say nothing, or anything: they reach the backend, bounded,
    and others are served."""
    with Pair(options).up() as pair:
        steady = [Steady(process) for process in pair.processes.values()]
        for _ in range(2):
            held = idle(pair.port, CONNECTIONS)
            try:
                for _ in range(CONNECTIONS):
                    knock(pair.port, GARBAGE, socket.SHUT_WR, limit=1)
                pair.expect_served()
            finally:
                for client in held:
                    client.close()
            wait_for(lambda: pair.register()["streams"] == 0, 10, "no stream is left")
            for each in steady:
                each.expect_steady()
        pair.wait_settled("alpha")
