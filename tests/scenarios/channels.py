"""Service channels: a port at the master that leads to a service at the gateway's side."""

import contextlib
import json
import shutil
import signal
import socket

import network
from harness import Pair, Process, expect, holds_for, scenario, wait_for

TARGET = "db.cloud:5432"


class Channel:
    """A service in the cloud, and the port of the pair that leads to it."""

    def __init__(self, pair):
        self.pair = pair
        self.service = network.Backend()
        self.port = network.free_ports(1)[0]

    def __enter__(self):
        with open(self.pair.path("gateway.toml"), "a", encoding="utf-8") as file:
            file.write(
                f'[channel.db]\ntarget = "{TARGET}"\naddress = "{network.HOST}:{self.service.port}"\n'
            )
        self.pair["gateway"].send(signal.SIGHUP)
        self.pair.set(
            self.pair.active(),
            f"tunnel.main.channel.db.listen={network.HOST}:{self.port}",
            f"tunnel.main.channel.db.target={TARGET}",
        )
        wait_for(self.works, 5, "the channel leads to the service")
        return self

    def __exit__(self, *_):
        self.stop_service()

    def stop_service(self):
        if self.service:
            self.service.close()
        self.service = None

    def connect(self):
        return socket.create_connection((network.HOST, self.port), 5)

    def works(self):
        with contextlib.closing(self.lines()) as lines:
            return lines.echoes("hello")

    def lines(self):
        return Lines(self.connect())

    def at_gateway(self):
        return self.pair.status("gateway")["channels"][0]


class Lines:
    """A stream that stays open."""

    def __init__(self, client):
        self.client = client
        self.file = client.makefile("rwb", buffering=0)
        self.begun = False

    def echoes(self, word):
        self.file.write((b"" if self.begun else b"LINES\n") + word.encode() + b"\n")
        self.begun = True
        return self.file.readline() == word.encode() + b"\n"

    def is_cut(self):
        try:
            return self.file.read(1) == b""
        except OSError:
            return True

    def close(self):
        self.file.close()
        self.client.close()


@scenario
def channel_follows_the_master(options):
    """T4, P16: a channel works on the master, on the new one after a kill, and after a switch of
    roles, where open streams live on beside the new ones for the grace period."""
    with Pair(options).up() as pair, Channel(pair) as channel:
        before = channel.lines()
        expect(before.echoes("before"), "the stream carries")
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        expect(before.is_cut(), "who was served by the dead master notices")
        wait_for(channel.works, 10, "the channel works on beta")
        pair["alpha"].start()
        pair.wait_settled("beta")
        stays = channel.lines()
        expect(stays.echoes("before the switch"), "the stream carries")
        pair.run("umbra", "switch", at="beta")
        wait_for(lambda: pair.active() == "alpha", 10, "alpha serves")
        wait_for(channel.works, 10, "the channel works on alpha")
        expect(stays.echoes("after the switch"), "the open stream lives on")
        stays.close()
        refused = channel.at_gateway()["refused"]
        expect(not refused, f"nobody was refused: {refused}")


@scenario
def stale_master_cannot_call_out(options):
    """T4, B1, B10: a master that is frozen while the other takes over, and that wakes up with its
    port open, brings nobody to the service: the gateway refuses its epoch."""
    with Pair(options).up() as pair, Channel(pair) as channel:
        old = channel.lines()
        expect(old.echoes("before"), "the stream carries")
        pair["alpha"].freeze()
        try:
            wait_for(lambda: pair.active() == "beta", 10, "beta serves")
            # Beta cannot have the port while the frozen process holds it, and says so.
            wait_for(
                lambda: "cannot listen" in pair.status("beta")["tunnels"][0]["detail"],
                5,
                "beta tells that the port is taken",
            )
            pair.expect_served()
            served = channel.at_gateway()["served"]
            # The kernel accepts for the frozen process.
            late = [channel.lines() for _ in range(5)]
            for one in late:
                one.file.write(b"LINES\nfrom the past\n")
        finally:
            pair["alpha"].thaw()
        expect(all(one.is_cut() for one in late), "who came by the stale master is cut off")
        expect(old.is_cut(), "so is who was there before")
        wait_for(channel.works, 15, "the channel works on beta")
        now = channel.at_gateway()["served"]
        expect(now == served + 1, f"only beta's user reached the service: {served}, {now}")
        wait_for(lambda: not pair.status("beta")["tunnels"][0]["detail"], 5, "nothing to tell")


@scenario
def channel_is_denied_by_default(options):
    """T4, T8: what the gateway's file does not name is reset, counted and told; the rest goes on."""
    with Pair(options).up() as pair, Channel(pair) as channel:
        other = network.free_ports(1)[0]
        pair.set(
            "alpha",
            f"tunnel.main.channel.no.listen={network.HOST}:{other}",
            f"tunnel.main.channel.no.target={network.HOST}:{channel.service.port}",
        )
        client = wait_for(
            lambda: socket.create_connection((network.HOST, other), 5), 5, "the port opens"
        )
        with client:
            try:
                expect(client.recv(1) == b"", "nothing comes")
            except ConnectionResetError:
                pass
        wait_for(
            lambda: pair.status("gateway")["counters"]["channel_refused"] == 1, 5, "it is counted"
        )
        expect("no [channel] of gateway.toml" in pair["gateway"].log_text(), "and told")
        holds_for(channel.works, 0.5, "the other channel goes on")


@scenario
def tunnel_check_before_a_switch(options):
    """Both instances try what the tunnel leads to: the shadow the internal systems, the master the
    channel as well. A system that is away fails the command, and says which."""
    with Pair(options).up() as pair, Channel(pair) as channel:

        def check(node, *more):
            done = pair.tool("umbra", "tunnel", "check", *more, "--json", at=node)
            found = json.loads(done.stdout)["checks"]
            return done.returncode, {(c["kind"], c["name"]): c["outcome"] for c in found}

        good = {("mapping", "crm"): "ok", ("channel", "db"): "ok"}
        expect(check("alpha") == (0, good), f"on the master: {check('alpha')}")
        shadow = {**good, ("channel", "db"): "skipped"}
        wait_for(lambda: check("beta", "main") == (0, shadow), 5, "on the shadow")
        channel.stop_service()
        bad = {**good, ("channel", "db"): "failed"}
        wait_for(lambda: check("alpha") == (1, bad), 5, "the service is away")
        pair.set("alpha", f"tunnel.main.mapping.crm.internal={network.HOST}:1")
        wait_for(lambda: check("beta")[1][("mapping", "crm")] == "failed", 5, "the shadow sees it")
        table = pair.run("umbra", "tunnel", "check", at="beta", status=1).stdout
        expect("Connection refused" in table, f"why is told:\n{table}")
        pair.run("umbra", "tunnel", "check", "nain", at="alpha", status=2)


@scenario
def takeover_through_a_proxy(options):
    """P16, T6: both instances reach the gateway through an HTTP proxy that wants a login, take over
    through it, say so when it is away, and come back with it."""
    program = shutil.which("tinyproxy")
    expect(program, "tinyproxy is not installed: packaging/install-build-tools.sh --tests")
    port = network.free_ports(1)[0]
    with Pair(options).up() as pair:
        pair.path("proxy.conf").write_text(
            f"Port {port}\nListen {network.HOST}\nTimeout 600\nMaxClients 100\n"
            "BasicAuth joe geheim\n"
        )
        pair.path("password").write_text("geheim\n")
        proxy = Process(
            "proxy", [program, "-d", "-c", str(pair.path("proxy.conf"))], pair.path("proxy.log")
        )
        pair.processes["proxy"] = proxy.start()
        pair.set(
            "alpha",
            f"tunnel.main.options.proxy={network.HOST}:{port}",
            "tunnel.main.options.proxy_user=joe",
            f"tunnel.main.options.proxy_password_file={pair.path('password')}",
        )
        pair.wait_settled("alpha", 30)
        wait_for(
            lambda: proxy.log_text().count(f"CONNECT {network.HOST}:{pair.agents_port}") >= 4,
            10,
            "the links of both go through the proxy",
        )
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta takes over through the proxy")
        pair.expect_served()
        pair["alpha"].start()
        pair.wait_settled("beta", 30)
        proxy.terminate()
        wait_for(
            lambda: "the proxy: cannot reach" in pair.status("beta")["tunnels"][0]["detail"],
            10,
            "the detail names the proxy",
        )
        proxy.start()
        pair.wait_settled(limit=30)
