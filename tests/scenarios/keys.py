"""Keys change while requests run: the gateway's, and an instance's own."""

import contextlib
import socket

from failpoints import lives
from harness import LINKS, NODES, Pair, expect, scenario, wait_for


def key(pair):
    return pair.status("gateway")["key"]


def links(pair):
    """(pin of the gateway, pin of the instance) of every link."""
    nodes = pair.register()["nodes"]
    return [(link["gateway_pin"], link["pin"]) for node in nodes for link in node["connections"]]


def renewed(pair, gateway_pin, old=0):
    """Every link is up and of this key, beside so many of another one that end."""
    pins = [pin for pin, _ in links(pair)]
    return pins.count(gateway_pin) == LINKS * len(NODES) == len(pins) - old


def node(pair, name):
    return next(one for one in pair.register()["nodes"] if one["node"] == name)


def uses_new_key(pair, name, before, old=0):
    """The gateway knows one key of the instance, another than `before`, and all links are of it, beside
    so many that end. @return its pin"""
    known = node(pair, name)
    pins = [link["pin"] for link in known["connections"]]
    new = known["pin"] != before and known["next_pin"] is None
    return known["pin"] if new and pins.count(known["pin"]) == LINKS == len(pins) - old else None


def announce(pair):
    """A next key that every instance has confirmed."""
    pair.run("umbra-gateway", "key", "rotate", at="gateway")
    wait_for(lambda: key(pair)["next"] and not key(pair)["unconfirmed"], 10, "all have confirmed it")
    return key(pair)["next"]


@contextlib.contextmanager
def open_stream(pair):
    """A stream that stays open; it is asked for a line when it began and when it ends."""
    with socket.create_connection(("127.0.0.1", pair.port), timeout=10) as client:
        lines = client.makefile("rwb", buffering=0)

        def carries(line):
            lines.write(line)
            expect(lines.readline() == line, "the open stream carries")

        lines.write(b"LINES\n")
        carries(b"before\n")
        yield carries
        carries(b"after\n")
        client.shutdown(socket.SHUT_RDWR)


@scenario
def gateway_changes_its_key(options):
    """Announced, confirmed, used, while requests run and a stream stays open: none is lost. Who has
    not confirmed is named, and nobody is left behind (T1)."""
    with Pair(options).up() as pair:
        first = key(pair)["pin"]
        loop = pair.request_loop(clients=8, path="/slow")
        wait_for(lambda: loop.answered() > 50, 10, "requests flow")
        with open_stream(pair) as carries:
            pair["beta"].kill()
            pair.run("umbra-gateway", "key", "rotate", at="gateway")
            text = pair.run("umbra-gateway", "status", at="gateway").stdout
            expect("not confirmed by" in text and "beta" in text, f"it is told who is missing: {text}")
            wait_for(
                lambda: [one["node"] for one in key(pair)["unconfirmed"]] == ["beta"], 10, "alpha confirms"
            )
            refused = pair.run("umbra-gateway", "key", "use", at="gateway", status=4).stderr
            expect("not confirmed by beta" in refused, f"beta is named: {refused}")
            expect(key(pair)["pin"] == first, "nothing has changed")
            pair.start("beta")
            wait_for(lambda: not key(pair)["unconfirmed"], 15, "beta confirms")
            second = key(pair)["next"]
            pair.run("umbra-gateway", "key", "use", at="gateway")
            wait_for(lambda: renewed(pair, second, old=1), 15, "links are renewed beside the stream's")
            carries(b"on the link of the old key\n")
        wait_for(lambda: renewed(pair, second), 10, "the last one, when its stream has ended")
        for node in NODES:
            pin_file = pair.path(node) / "tunnel" / "main" / "gateway.pin"
            expect(pin_file.read_text() == second + "\n", f"{node} believes the new key alone")
        third = announce(pair)
        pair.run("umbra-gateway", "key", "use", at="gateway")
        wait_for(lambda: renewed(pair, third), 15, "all links are of the third key")
        before = loop.answered()
        wait_for(lambda: loop.answered() > before + 50, 10, "requests flow")
        loop.stop()
        print(f"{len(loop.requests)} requests, longest wait {loop.outage() * 1000:.0f} ms")
        expect(not loop.failed(), f"failed: {loop.failed()}")
        fourth = announce(pair)
        pair["gateway"].terminate()  # What is announced is on the disk.
        pair.start("gateway")
        expect(key(pair) == {"pin": third, "next": fourth, "unconfirmed": []}, f"{key(pair)}")
        pair.wait_settled(limit=20)


@scenario
def gateway_killed_while_its_key_changes(options):
    """At every change of a file between the making of a key and its use: both instances connect
    again, and the change can be carried on."""
    with Pair(options).up() as pair:
        # Once, so that what only the first change writes is there and each life does the same.
        for step in ("rotate", "drop"):
            pair.tool("umbra-gateway", "key", step, at="gateway")
        pair["gateway"].kill()

        def live(point):
            if not point.until(pair.is_settled, 30, "the pair is settled"):
                return
            first = key(pair)["pin"]
            if not key(pair)["next"]:
                pair.tool("umbra-gateway", "key", "rotate", at="gateway")
            if point.until(lambda: not key(pair)["unconfirmed"], 10, "all have confirmed"):
                pair.tool("umbra-gateway", "key", "use", at="gateway")
                if point.until(lambda: renewed(pair, key(pair)["pin"]), 15, "links are renewed"):
                    expect(key(pair)["pin"] != first, "the key has changed")
                    pair["gateway"].terminate()

        def check():
            pair.wait_settled(limit=30)

        places = lives(pair, "gateway", live, check)
        for part in ("tls.next.key", "tls.crt", "enrolled.json"):
            expect(any(part in place for place in places), f"it was killed at {part}: {places}")


@scenario
def instance_changes_its_key(options):
    """Told, stored, used, by the master under load with an open stream, and by the shadow: no request
    is lost, and the old key lets nobody in (T1)."""
    with Pair(options).up() as pair:
        first = {name: node(pair, name)["pin"] for name in NODES}
        loop = pair.request_loop(clients=8, path="/slow")
        wait_for(lambda: loop.answered() > 50, 10, "requests flow")
        with open_stream(pair) as carries:
            pair.run("umbra", "tunnel", "key", "rotate", "main", at="alpha")
            wait_for(lambda: uses_new_key(pair, "alpha", first["alpha"], old=1), 15, "alpha's links are new")
            carries(b"on the link of the old key\n")
        second = wait_for(lambda: uses_new_key(pair, "alpha", first["alpha"]), 10, "also the last one")
        pair.run("umbra", "tunnel", "key", "rotate", "main", at="beta")
        wait_for(lambda: uses_new_key(pair, "beta", first["beta"]), 15, "beta's links are new")
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
        pair.run("umbra", "tunnel", "key", "rotate", "main", at="alpha")
        third = wait_for(lambda: uses_new_key(pair, "alpha", second), 15, "and once more")
        loop.stop()
        print(f"{len(loop.requests)} requests, longest wait {loop.outage() * 1000:.0f} ms")
        expect(not loop.failed(), f"failed: {loop.failed()}")
        unknown = pair.run("umbra", "tunnel", "key", "rotate", "mian", at="alpha", status=2).stderr
        expect('did you mean "main"' in unknown, f"{unknown}")
        pair["gateway"].terminate()
        failed = pair.run("umbra", "tunnel", "key", "rotate", "main", at="alpha", status=1).stderr
        expect("no link to the gateway" in failed, f"{failed}")
        pair.start("gateway")
        pair.wait_settled(limit=20)
        expect(node(pair, "alpha")["pin"] == third, "nothing was begun")


@scenario
def instance_killed_while_its_key_changes(options):
    """At every change of a file between the making of a key and its use: the gateway lets it in again,
    and the change goes on by itself."""
    with Pair(options).up() as pair:
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        pins = [node(pair, "alpha")["pin"]]

        def live(point):
            if not point.until(pair.is_settled, 30, "the pair is settled"):
                return
            pair.tool("umbra", "tunnel", "key", "rotate", "main", at="alpha")
            if point.until(lambda: uses_new_key(pair, "alpha", pins[-1]), 15, "links are renewed"):
                pair["alpha"].terminate()

        def check():
            pair.wait_settled(limit=30)
            wait_for(lambda: node(pair, "alpha")["next_pin"] is None, 15, "what was begun is over")
            wait_for(lambda: uses_new_key(pair, "alpha", None), 15, "links are of one key")
            pins.append(node(pair, "alpha")["pin"])

        places = lives(pair, "alpha", live, check, below="tunnel")
        for part in ("tls.next.key", "tls.crt"):
            expect(any(part in place for place in places), f"it was killed at {part}: {places}")
        expect(len(set(pins)) > 1, f"keys have changed: {pins}")
