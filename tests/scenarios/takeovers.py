"""Cuts, freezes and pauses: when a takeover has to happen and when not."""

import json
import socket
import time

from harness import NODES, Pair, expect, holds_for, scenario, wait_for


def roles(pair):
    return {node: pair.status(node)["role"] for node in NODES}


def cut_changes_nothing(options, how):
    """The cut that `how` makes between the instances, with both links to the gateway intact."""
    with Pair(options, proxied=True).up() as pair:
        epoch = pair.register()["epoch"]
        loop = pair.request_loop(pause=0.02)
        pair.each_proxy(how)
        wait_for(lambda: pair.status("beta")["alerts"], 10, "the shadow raises an alert")
        print(f"{how}: beta alerts {sorted(pair.alerts('beta'))}")
        # Several takeover delays (500 ms by default).
        holds_for(
            lambda: pair.active() == "alpha" and roles(pair)["beta"] == "shadow",
            4,
            "alpha stays the master while both reach the gateway",
        )
        expect(pair.register()["epoch"] == epoch, "no epoch was granted")
        cut = pair.alerts("beta").get("peer-link-cut")
        expect(cut and "alpha" in cut["text"], f"the alert names the cut: {pair.alerts('beta')}")
        # Edits go on: acknowledged once the gateway has confirmed that beta is left out.
        start = time.monotonic()
        done = pair.set("alpha", 'probe.crm-backend.every="3s"')
        print(f"{how}: edit took {time.monotonic() - start:.2f} s: {done.stdout}{done.stderr}")
        expect("shadow-away" in pair.alerts("alpha"), "the master says that it edits alone")
        expect(pair.register()["in_sync"] == ["alpha"], "the gateway knows who is in sync")
        pair.each_proxy("heal")
        pair.wait_settled("alpha", 30)
        for node, alert in (("beta", "peer-link-cut"), ("alpha", "shadow-away")):
            wait_for(lambda: alert not in pair.alerts(node), 10, f"{node} clears {alert}")
        expect(pair.value("beta", "probe.crm-backend.every") == "3s", "beta has the edit")
        loop.stop()
        expect(not loop.failed(), f"failed: {loop.failed()}")
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta takes over after all that")
        pair.expect_served()


@scenario
def peer_link_cut(options):
    """Nothing gets through between the instances any more (B2)."""
    cut_changes_nothing(options, "cut")


@scenario
def peer_link_refused(options):
    """A firewall that answers with resets: the shadow takes the master's process for gone, and the
    gateway knows better."""
    cut_changes_nothing(options, "refuse")


@scenario
def peer_link_half_open(options):
    """What the dialling side says arrives, and no answer comes back."""
    cut_changes_nothing(options, "half")


@scenario
def short_cut(options):
    """A cut shorter than the takeover delay: a log line and a counter, no alert, no claim (P8)."""
    with Pair(options, proxied=True, peer='takeover_delay = "5s"').up() as pair:
        before = pair.status("beta")["suspicions"]
        refused = pair.status("gateway")["counters"]["claims_refused"]
        pair.each_proxy("cut")
        wait_for(lambda: pair.status("beta")["state"] == "lost", 4, "beta notices")
        pair.each_proxy("heal")
        pair.wait_settled("alpha")
        wait_for(lambda: pair.status("beta")["suspicions"] > before, 5, "the counter counts")
        expect(not pair.alerts("beta"), f"no alert: {pair.alerts('beta')}")
        now = pair.status("gateway")["counters"]["claims_refused"]
        expect(now == refused, "nothing was claimed")


@scenario
def frozen_master(options):
    """SIGSTOP of the master until the shadow took over, then SIGCONT: it serves nothing, steps
    down and becomes the shadow (B10)."""
    with Pair(options).up() as pair:
        pair.backend.pids = lambda: {node: pair[node].pid for node in NODES}
        with socket.create_connection(("127.0.0.1", pair.port), timeout=10) as stream:
            stream.sendall(b"LINES\nbefore\n")
            expect(stream.recv(100) == b"before\n", "a stream is open through alpha")
            loop = pair.request_loop(pause=0.02, limit=30)
            wait_for(lambda: loop.answered() > 10, 10, "requests flow")
            start = time.monotonic()
            pair["alpha"].freeze()
            wait_for(lambda: pair.active() == "beta", 10, "beta took over")
            print(f"taken over {time.monotonic() - start:.2f} s after the freeze")
            before = loop.answered()
            wait_for(lambda: loop.answered() > before + 5, 10, "beta answers")
            woken = time.monotonic()
            pair["alpha"].thaw()
            served = len(pair.backend.served_by)
            wait_for(lambda: pair.status("alpha")["role"] == "shadow", 10, "alpha steps down")
            print(f"shadow {time.monotonic() - woken:.3f} s after it woke up")
            try:
                rest = stream.recv(100)
            except ConnectionResetError:
                rest = b""
            expect(rest == b"", f"the stream of the old epoch is cut, not {rest!r}")
        holds_for(lambda: pair.active() == "beta", 2, "beta stays the one that serves")
        pair.wait_settled("beta")
        loop.stop()
        after = {name for _, name in pair.backend.served_by[served:]}
        expect(after == {"beta"}, f"only beta reached the backend after the wake-up: {after}")
        print(f"{len(loop.failed())} failed: {loop.failed()}")
        # What was inside the frozen process when it was fenced.
        expect(len(loop.failed()) <= 1, "requests failed that were not inside alpha")


@scenario
def frozen_shadow(options):
    """A shadow that sleeps and wakes up changes nothing."""
    with Pair(options).up() as pair:
        epoch = pair.register()["epoch"]
        pair["beta"].freeze()
        # Durable alone once the gateway has confirmed, or told to be provisional until then.
        told = pair.tool("umbra", "config", "set", 'probe.crm-backend.every="3s"', at="alpha")
        expect(told.returncode in (0, 5), f"the edit is accepted: {told}")
        wait_for(lambda: pair.register()["in_sync"] == ["alpha"], 5, "beta is left out")
        pair["beta"].thaw()
        pair.wait_settled("alpha")
        expect(pair.register()["epoch"] == epoch, "no epoch was granted")
        expect(pair.value("beta", "probe.crm-backend.every") == "3s", "beta caught up")


@scenario
def short_freeze(options):
    """The master sleeps for less than the takeover takes: it goes on as the master."""
    with Pair(options, peer='takeover_delay = "20s"', gateway='lease = "20s"').up() as pair:
        epoch = pair.register()["epoch"]
        pair["alpha"].freeze()
        wait_for(lambda: pair.status("beta")["state"] == "lost", 10, "beta notices")
        pair["alpha"].thaw()
        pair.wait_settled("alpha")
        expect(pair.register()["epoch"] == epoch, "no epoch was granted")


@scenario
def pause_prevents_takeover(options):
    """Maintenance: paused on the shadow nothing takes over, and status says so (B11)."""
    with Pair(options).up() as pair:
        pair.run("umbra", "pause", at="beta")
        wait_for(lambda: pair.status("beta")["paused"], 5, "status shows the pause")
        pair["alpha"].kill()
        wait_for(lambda: pair.active() is None, 5, "nobody serves")
        holds_for(lambda: pair.status("beta")["role"] == "shadow", 3, "beta keeps to the pause")
        pair.run("umbra", "resume", at="beta")
        wait_for(lambda: pair.active() == "beta", 5, "beta takes over when it may")
        pair.start("alpha")
        pair.wait_settled("beta")
        pair.run("umbra", "pause", "--for", "1s", at="alpha")
        expect(pair.status("alpha")["paused"], "paused for a second")
        wait_for(lambda: not pair.status("alpha")["paused"], 5, "the pause ends by itself")


@scenario
def pause_holds_for_both(options):
    """A pause that was ordered on the master keeps the shadow from its place, also after restarts."""
    with Pair(options).up() as pair:
        pair.run("umbra", "pause", at="alpha")
        wait_for(lambda: pair.status("beta")["paused"], 5, "the shadow knows of the pause")
        pair["beta"].kill()
        pair.start("beta")
        wait_for(lambda: pair.status("beta")["state"] == "ready", 10, "beta follows again")
        expect(pair.status("beta")["paused"], "the pause outlives a restart")
        pair["alpha"].kill()
        holds_for(lambda: pair.status("beta")["role"] == "shadow", 2, "beta keeps to the pause")
        pair.start("alpha")
        pair.wait_settled("alpha")
        pair.run("umbra", "resume", at="beta")
        wait_for(lambda: not pair.status("alpha")["paused"], 5, "the master knows of its end")


@scenario
def role_set_offline(options):
    """The role of an instance that is not running is repaired; of one that runs, it is refused."""
    with Pair(options).up() as pair:
        data = str(pair.path("alpha"))
        order = ("umbra", "role", "set", "shadow", "--data-dir", data)
        pair.run(*order, status=4)
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 5, "beta serves")
        pair["beta"].kill()
        wait_for(lambda: pair.active() is None, 5, "nobody serves")
        pair.run(*order)
        pair.start("alpha")
        wait_for(lambda: pair.status("alpha")["role"] == "shadow", 5, "alpha starts as shadow")
        holds_for(lambda: pair.active() is None, 2, "it takes no role by itself")
        pair.start("beta")
        pair.wait_settled("beta")


@scenario
def decisions_are_explained(options):
    """`umbra explain` says why the role changed, and why it did not, with the numbers."""
    with Pair(options, proxied=True).up() as pair:
        pair.each_proxy("cut")
        wait_for(lambda: "peer-link-cut" in pair.alerts("beta"), 10, "beta sees the cut")
        pair.each_proxy("heal")
        pair.wait_settled("alpha")
        told = json.loads(pair.run("umbra", "explain", "--json", at="beta").stdout)["decisions"]
        kept = [d["text"] for d in told if d["kind"] == "unchanged"]
        expect(
            any("silent for" in t and "was heard" in t and "no takeover" in t for t in kept),
            f"why nothing happened: {kept}",
        )
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 5, "beta serves")
        text = pair.run("umbra", "explain", at="beta").stdout
        last = [line for line in text.splitlines() if " changed " in line][-1]
        expect("master of epoch" in last and "alpha" in last, f"why beta took over: {last}")


@scenario
def gateway_restarted(options):
    """The gateway is killed and comes back: nobody changes the role, streams come back."""
    with Pair(options).up() as pair:
        for stop in ("kill", "terminate"):
            getattr(pair["gateway"], stop)()
            wait_for(
                lambda: all(
                    t["state"] in ("down", "connecting")
                    for node in NODES
                    for t in pair.status(node)["tunnels"]
                ),
                10,
                "both see that it is gone",
            )
            holds_for(lambda: roles(pair)["beta"] == "shadow", 2, "the roles stay")
            edited = pair.set("alpha", f'probe.crm-backend.every="{len(stop)}s"')
            expect("away" not in edited.stderr, "an edit is durable on both without the gateway")
            pair.start("gateway")
            start = time.monotonic()
            pair.wait_settled("alpha")
            print(f"served {time.monotonic() - start:.2f} s after the gateway's return")


@scenario
def idle_pair_is_calm(options):
    """While nothing happens nobody is thought gone, and the logs stay silent, whoever serves."""
    with Pair(options).up() as pair:
        for master in ("alpha", "beta"):
            quiet = [(process, process.log_text()) for process in pair.processes.values()]
            holds_for(
                lambda: pair.register()["holder_alive"] and pair.active() == master,
                3,
                f"the gateway hears {master}",
            )
            for process, before in quiet:
                more = process.log_text()[len(before) :]
                # What was refused while they met is told up to a second later.
                noise = [
                    line
                    for line in more.splitlines()
                    if " info " not in line and "without a permitted key" not in line
                ]
                expect(not noise, f"{process.name} complains while all is well: {noise[:3]}")
            if master == "alpha":
                pair.run("umbra", "switch", at="alpha")
                pair.wait_settled("beta")
