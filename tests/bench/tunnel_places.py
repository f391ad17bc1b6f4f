"""Where tunnel.py measures: the backends, and the contenders in front of them."""

import contextlib
import time

import tunnel_peers
from children import HOST, Children
from harness import Failure
from tunnel_reverse import Chisel, Frp, Rathole
from tunnel_rows import program

DIRECT, UMBRA = "direct", "umbra"
KINDS = (tunnel_peers.Peer, tunnel_peers.Umbra, tunnel_peers.Nginx, tunnel_peers.Haproxy, tunnel_peers.Stunnel,
         tunnel_peers.Ssh, Frp, Chisel, Rathole)  # fmt: skip
CONTENDERS = {kind.name: kind for kind in KINDS}
PEERS = [name for name in CONTENDERS if name not in (DIRECT, UMBRA)]
ECHOES = 3  # A port of the backend takes at most 28,000 connections from one address.
ROUND_TRIP_MS, LINE_MBIT = 50, 1000


class Backends:
    """What the tunnels lead to."""

    ANSWER = "x" * 100

    def __init__(self, options, directory):
        self.children = Children(directory)
        echoes = ["echo", *(f"echo{n}" for n in range(2, ECHOES + 1))]
        names = ["bulk", "http", "source", *echoes]
        self.services = dict(zip(names, tunnel_peers.free_ports(len(names))))
        bulk, http, *others = self.services.values()
        self.children.start("iperf3", ["iperf3", "-4", "-s", "-B", HOST, "-p", bulk], [bulk])
        self.children.start("tunnel_backend", [program(options, "tunnel_backend"), *others], others)
        conf = directory / "backend.conf"
        conf.write_text(tunnel_peers.nginx_file("backend", (
            "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;\n"
            f"server {{ listen {HOST}:{http} backlog=4096; location / {{ return 200 {self.ANSWER}; }} }} }}")))  # fmt: skip
        self.children.start("backend", tunnel_peers.nginx_command(directory, conf), [http])

    def stop(self):
        self.children.stop()


@contextlib.contextmanager
def contender(name, options, directory, services, line=tunnel_peers.straight, **more):
    """One of them, running while the block does. What is not encrypted as it should be is a failure."""
    peer = CONTENDERS[name](directory, options.build, services, line, **more)
    try:
        peer.start()
        for port in peer.encrypts:
            if (suite := tunnel_peers.suite_of(port)) != tunnel_peers.SUITE:
                raise Failure(f"{name} speaks {suite} instead of {tunnel_peers.SUITE}")
        yield peer
    finally:
        peer.stop()


@contextlib.contextmanager
def long_line(options, directory):
    """Gives the way over a line of ROUND_TRIP_MS to a port."""
    children = Children(directory)

    def line(target):
        (port,) = tunnel_peers.free_ports(1)
        words = [program(options, "delay_relay"), port, target, ROUND_TRIP_MS / 2, LINE_MBIT]
        children.start(f"delay-{port}", words, [port])
        return port

    try:
        yield line
    finally:
        children.stop()


def leave_out(options, directory, services):
    """Starts each peer once, and names and leaves out who can take no part. Whether nobody failed."""
    fine = True
    for name in list(options.peers):
        if missing := CONTENDERS[name].missing():
            reason = f"{', '.join(missing)} not found"
        else:
            try:
                with contender(name, options, directory, services):
                    continue
            except Failure as failure:
                reason, fine = str(failure), False
        print(f"{name} takes no part: {reason}", flush=True)
        options.peers.remove(name)
    return fine


class Place:
    """All contenders side by side, for rows that load one after the other."""

    def __init__(self, options, directory, services):
        self.options, self.directory, self.services = options, directory, services

    @contextlib.contextmanager
    def opened(self, names):
        with contextlib.ExitStack() as stack:
            peers = {name: self.enter(stack, name) for name in names}
            yield lambda name: contextlib.nullcontext(peers[name])

    def enter(self, stack, name):
        return stack.enter_context(contender(name, self.options, self.directory, self.services))


class FarPlace(Place):
    """The same with the long line between both ends, and in front of the backend where there is no tunnel."""

    def enter(self, stack, name):
        line = stack.enter_context(long_line(self.options, self.directory))
        services = {"bulk": self.services["bulk"]}
        return stack.enter_context(contender(name, self.options, self.directory, services, line))


class FreshPlace(Place):
    """One contender at a time, which has done nothing yet: for rows about memory."""

    START = 4  # Seconds, after which Umbra's ends have given back what only their start needed.

    @contextlib.contextmanager
    def opened(self, names):
        yield self.fresh

    @contextlib.contextmanager
    def fresh(self, name):
        with contender(name, self.options, self.directory, self.services) as peer:
            time.sleep(self.START)
            yield peer
