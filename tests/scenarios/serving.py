"""Requests through the tunnel, and changes of role that lose none."""

import socket
import time

from harness import Pair, expect, scenario, wait_for


@scenario
def request_through_tunnel(options):
    with Pair(options).up() as pair:
        before = pair.backend.count
        for _ in range(20):
            pair.expect_served()
        expect(pair.backend.count == before + 20, "the backend saw every request")


@scenario
def master_killed(options):
    """kill -9: the shadow serves, the old master returns as the shadow and catches up. Twice, so
    that each was killed as a master that had taken over."""
    with Pair(options).up() as pair:
        for master, shadow in (("alpha", "beta"), ("beta", "alpha")):
            loop = pair.request_loop()
            wait_for(lambda: loop.answered() > 20, 10, "requests flow")
            epoch = pair.register()["epoch"]
            pair[master].kill()
            wait_for(lambda: pair.active() == shadow, 10, f"{shadow} serves")
            seen = loop.answered()
            wait_for(lambda: loop.answered() > seen + 20, 10, "requests flow again")
            loop.stop()
            print(f"outage {loop.outage() * 1000:.0f} ms, {len(loop.failed())} failed")
            # What was inside the killed process is lost; one client has one request there.
            expect(len(loop.failed()) <= 1, f"failed: {loop.failed()}")
            expect(loop.outage() < 2, f"outage of {loop.outage():.3f} s")
            expect(pair.register()["epoch"] > epoch, "the epoch grew")
            pair.set(shadow, f'probe.crm-backend.every="{7 + len(pair.loops)}s"')
            pair.start(master)
            pair.wait_settled(shadow)
            value = pair.value(master, "probe.crm-backend.every")
            expect(value == pair.value(shadow, "probe.crm-backend.every"), f"caught up: {value}")


@scenario
def takeover_under_load(options):
    """kill -9 of the master while 200 clients open a new connection for each request: nobody is
    refused; a request that was inside the killed process is reset, every other one is answered."""
    with Pair(options).up() as pair:
        loop = pair.request_loop(clients=200, pause=0.2, limit=30)
        wait_for(lambda: loop.answered() > 1000, 30, "requests flow")
        pair["alpha"].kill()
        killed = time.monotonic()
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        seen = loop.answered()
        wait_for(lambda: loop.answered() > seen + 1000, 30, "requests flow again")
        loop.stop()
        failed = [request for request in loop.requests if request[2]]
        counters = pair.status("gateway")["counters"]
        print(
            f"{len(loop.requests)} requests, outage {loop.outage() * 1000:.0f} ms, "
            f"{counters['parked']} waited, {len(failed)} of those in flight were reset"
        )
        expect(all(start < killed for start, _, _ in failed), "only what was in flight fails")
        expect(
            all("ConnectionResetError" in wrong for _, _, wrong in failed),
            f"and is reset: {loop.failed()}",
        )
        expect(len(failed) <= 200, f"each client has one request in flight: {len(failed)}")
        expect(counters["park_full"] == counters["park_timeouts"] == 0, f"{counters}")


@scenario
def both_killed(options):
    """The new master dies too: nobody serves, clients wait; the first that returns serves them."""
    with Pair(options).up() as pair:
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        pair["beta"].kill()
        wait_for(lambda: pair.active() is None, 10, "nobody serves")
        loop = pair.request_loop(limit=30)
        wait_for(lambda: pair.status("gateway")["parked"] == 1, 5, "the client is parked")
        pair.start("beta")
        wait_for(lambda: loop.answered() > 0, 10, "the parked client is served")
        loop.stop()
        expect(not loop.failed(), f"failed: {loop.failed()}")
        pair.start("alpha")
        pair.wait_settled("beta")


@scenario
def switch_under_load(options):
    with Pair(options).up() as pair:
        loop = pair.request_loop(clients=4, path="/slow")
        for master in ("beta", "alpha", "beta", "alpha"):
            before = loop.answered()
            wait_for(lambda: loop.answered() > before + 20, 10, "requests flow")
            old = "alpha" if master == "beta" else "beta"
            pair.run("umbra", "switch", at=old)
            pair.wait_settled(master)
        loop.stop()
        print(f"{len(loop.requests)} requests, longest wait {loop.outage() * 1000:.0f} ms")
        expect(not loop.failed(), f"failed: {loop.failed()}")


@scenario
def switch_keeps_open_streams(options):
    """A stream that is open at a switch goes on within the grace period (P16)."""
    with Pair(options, takeover='grace_period = "3s"').up() as pair:
        with socket.create_connection(("127.0.0.1", pair.port), timeout=10) as client:
            lines = client.makefile("rwb", buffering=0)
            lines.write(b"LINES\nbefore\n")
            expect(lines.readline() == b"before\n", "the stream carries")
            pair.run("umbra", "switch", at="alpha")
            wait_for(lambda: pair.active() == "beta", 5, "beta serves")
            pair.expect_served()
            lines.write(b"after\n")
            expect(lines.readline() == b"after\n", "the open stream carries after the switch")
            switched = time.monotonic()
            try:
                rest = lines.read()
            except ConnectionResetError:
                rest = b""
            took = time.monotonic() - switched
            expect(not rest and 1 < took < 6, f"closed after the grace period, not {took:.1f} s")
        pair.wait_settled("beta")


@scenario
def sigterm_switches_first(options):
    with Pair(options).up() as pair:
        loop = pair.request_loop(clients=4, path="/slow")
        for master, shadow in (("alpha", "beta"), ("beta", "alpha")):
            before = loop.answered()
            wait_for(lambda: loop.answered() > before + 20, 10, "requests flow")
            status = pair[master].terminate()
            expect(status == 0, f"{master} ends with {status}")
            expect(pair.active() == shadow, f"{shadow} serves when {master} has ended")
            before = loop.answered()
            wait_for(lambda: loop.answered() > before + 20, 10, "requests flow again")
            pair.start(master)
            pair.wait_settled(shadow)
        loop.stop()
        print(f"{len(loop.requests)} requests, longest wait {loop.outage() * 1000:.0f} ms")
        expect(not loop.failed(), f"failed: {loop.failed()}")


@scenario
def sigterm_without_shadow(options):
    """Nobody to switch to: it stops all the same, and soon."""
    with Pair(options).up() as pair:
        pair["beta"].kill()
        start = time.monotonic()
        expect(pair["alpha"].terminate() == 0, "alpha ends with 0")
        took = time.monotonic() - start
        expect(took < 5, f"it took {took:.1f} s")
        expect(not pair.path("alpha.sock").exists(), "the admin socket is gone")


@scenario
def switch_refused(options):
    """Without a connected shadow, and on the shadow: exit 4 and the reason."""
    with Pair(options).up() as pair:
        on_shadow = pair.run("umbra", "switch", at="beta", status=4)
        expect("alpha" in on_shadow.stderr, f"names the master: {on_shadow.stderr}")
        pair["beta"].kill()

        def refused():
            done = pair.tool("umbra", "switch", at="alpha")
            return done if done.returncode == 4 and "no shadow" in done.stderr else None

        told = wait_for(refused, 10, "switch is refused for want of a shadow")
        expect(told.stderr.startswith("umbra: "), f"one sentence: {told.stderr}")
        expect(pair.active() == "alpha", "alpha serves on")
        pair.expect_served()
        pair.start("beta")
        pair.wait_settled("alpha")


@scenario
def switch_forced(options):
    """On the master: shadow at once, and the other may have it. On the shadow: takes over."""
    with Pair(options).up() as pair:
        pair.run("umbra", "switch", "--force", at="alpha")
        expect(pair.status("alpha")["role"] == "shadow", "alpha is shadow at once")
        pair.wait_settled("beta")
        pair.run("umbra", "switch", "--force", at="alpha")
        pair.wait_settled("alpha")
        # Nobody there who could take it: nobody serves until the other is back.
        pair["beta"].kill()
        pair.run("umbra", "switch", "--force", at="alpha")
        wait_for(lambda: pair.active() is None, 5, "nobody serves")
        pair.start("beta")
        pair.wait_settled("beta")


@scenario
def rolling_restart(options):
    """Both instances restarted one after the other with SIGTERM, as for an upgrade: no request is
    lost (B7)."""
    with Pair(options).up() as pair:
        loop = pair.request_loop(clients=4, path="/slow")
        wait_for(lambda: loop.answered() > 20, 10, "requests flow")
        for node in ("beta", "alpha"):
            expect(pair[node].terminate() == 0, f"{node} ends with 0")
            pair.start(node)
            pair.wait_settled()
        loop.stop()
        expect(not loop.failed(), f"failed: {loop.failed()}")


@scenario
def switch_after_pairing(options):
    """As soon as the shadow says that it is ready, and the master that it is in sync, a switch is
    possible: seen from an operator they are connected, in both directions."""
    with Pair(options) as pair:
        pair.start("gateway", "alpha", "beta")
        pair.enrol("alpha")
        pair.pair_up()
        pair.enrol("beta")

        def ready():
            lead, follow = pair.status("alpha"), pair.status("beta")
            return (
                lead["peer"]["in_sync"]
                and lead["peer"]["state"] == follow["state"] == "ready"
                and follow["tunnels"][0]["state"] == "standby"
            )

        wait_for(ready, 10, "both call the shadow ready")
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
