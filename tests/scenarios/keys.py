"""Keys change while requests run: the gateway's, seen from outside."""

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
