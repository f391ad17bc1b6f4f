"""Edits of the shared configuration: on both, or told otherwise; never lost, never overwritten."""

import json
import statistics
import threading
import time

from harness import Pair, expect, scenario, wait_for

EVERY = "probe.crm-backend.every"


def revision(pair, node):
    epoch, number = pair.status(node)["revision"].split(".")
    return int(epoch), int(number)


@scenario
def edit_on_shadow_refused(options):
    with Pair(options).up() as pair:
        told = pair.set("beta", f'{EVERY}="3s"', status=4)
        expect("alpha" in told.stderr, f"names the master: {told.stderr}")
        expect(told.stderr.startswith("umbra: "), f"one sentence: {told.stderr}")
        expect(revision(pair, "alpha") == revision(pair, "beta") == (0, 1), "nothing changed")
        for command in (("unset", EVERY), ("apply", str(pair.path("shared.toml")))):
            told = pair.run("umbra", "config", *command, at="beta", status=4)
            expect("alpha" in told.stderr, f"names the master: {told.stderr}")


@scenario
def edit_reaches_shadow(options):
    """Acknowledged means: it is on the shadow. Measured, and several edits at a time."""
    with Pair(options).up() as pair:
        took = []
        for number in range(3, 23):
            start = time.monotonic()
            pair.edit("alpha", EVERY, f'"{number}s"')
            took.append(time.monotonic() - start)
            expect(revision(pair, "beta") == revision(pair, "alpha"), "the shadow has it at once")
        print(
            f"acknowledged after median {statistics.median(took) * 1000:.1f} ms, "
            f"longest {max(took) * 1000:.1f} ms"
        )
        expect(pair.value("beta", EVERY) == "22s", "the shadow shows it")
        before = revision(pair, "alpha")[1]
        results = []

        def edit(text):
            results.append(pair.tool("umbra", "config", "set", text, at="alpha").returncode)

        threads = [threading.Thread(target=edit, args=(f'{EVERY}="{n}s"',)) for n in range(30, 40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(results == [0] * 10, f"ten editors at a time: {results}")
        expect(revision(pair, "beta")[1] == before + 10, "ten revisions more on the shadow")
        history = pair.run("umbra", "config", "history", "--json", at="beta").stdout
        expect(len(json.loads(history)["history"]) >= 30, f"the shadow has the history: {history}")


@scenario
def edit_is_applied(options):
    """A mapping that is added and removed on the running pair; open streams are left alone."""
    with Pair(options).up() as pair:
        pair.expect_served()
        pair.run("umbra", "config", "unset", "tunnel.main.mapping.crm", at="alpha")
        denied = pair.status("gateway")["counters"]["denied"]
        try:
            pair.expect_served()
            served = True
        except OSError:
            served = False
        expect(not served, "what is not listed is denied")
        wait_for(
            lambda: pair.status("gateway")["counters"]["denied"] > denied, 5, "and counted there"
        )
        pair.run("umbra", "config", "apply", str(pair.path("shared.toml")), at="alpha")
        pair.expect_served()
        # The configuration that the shadow got is the one it serves with.
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        pair.expect_served()


@scenario
def edit_bad_refused(options):
    """Values that the plugins' schemas refuse never become a revision."""
    with Pair(options).up() as pair:
        for edit, named in (
            (f'{EVERY}="soon"', EVERY),
            ("tunnel.main.plugin=gatewayy", "gateway"),
            ("tunnel.main.options.links=-1", "links"),
            ("tunnel.main.nonsense=1", "nonsense"),
        ):
            told = pair.set("alpha", edit, status=2)
            expect(named in told.stderr, f"{edit}: {told.stderr}")
        expect(revision(pair, "alpha") == (0, 1), "nothing changed")
        pair.expect_served()


def kill_while_editing(pair, victim):
    """Edits at `victim` as fast as it goes, kills it, and gives the last acknowledged number."""
    acknowledged = 0
    stop = threading.Event()

    def edit():
        nonlocal acknowledged
        number = 10
        while not stop.is_set():
            try:
                pair.edit(victim, EVERY, f'"{number}s"')
            except OSError:
                return
            acknowledged = number
            number += 1

    editor = threading.Thread(target=edit)
    editor.start()
    wait_for(lambda: acknowledged > 15, 10, "edits are acknowledged")
    pair[victim].kill()
    stop.set()
    editor.join(10)
    return acknowledged


@scenario
def edit_survives_kill(options):
    """kill -9 in the middle of a row of edits: what was acknowledged is on the new master, and the
    old one has the same when it is back. At most the one under way may be there as well."""
    with Pair(options).up() as pair:
        for master, shadow in (("alpha", "beta"), ("beta", "alpha"), ("alpha", "beta")):
            last = kill_while_editing(pair, master)
            wait_for(lambda: pair.active() == shadow, 10, f"{shadow} serves")
            kept = int(pair.value(shadow, EVERY).rstrip("s"))
            expect(last <= kept <= last + 1, f"acknowledged up to {last}, kept {kept}")
            pair.set(shadow, f'{EVERY}="9s"')
            pair.start(master)
            pair.wait_settled(shadow)
            expect(pair.value(master, EVERY) == "9s", f"{master} caught up")


@scenario
def edit_survives_kill_of_both(options):
    with Pair(options).up() as pair:
        last = kill_while_editing(pair, "alpha")
        pair["beta"].kill()
        pair.start("alpha", "beta")
        master = pair.wait_settled()
        kept = int(pair.value(master, EVERY).rstrip("s"))
        expect(last <= kept <= last + 1, f"acknowledged up to {last}, kept {kept}")


@scenario
def edit_alone(options):
    """The shadow is away: acknowledged alone, with an alert, once the gateway has confirmed that
    the shadow may not take over without it; the shadow catches up when it returns."""
    with Pair(options).up() as pair:
        pair["beta"].kill()
        start = time.monotonic()
        told = pair.set("alpha", f'{EVERY}="3s"')
        print(f"acknowledged after {time.monotonic() - start:.2f} s")
        expect("shadow is away" in told.stdout + told.stderr, f"{told.stdout}{told.stderr}")
        expect(pair.register()["in_sync"] == ["alpha"], "the gateway has confirmed")
        expect("shadow-away" in pair.alerts("alpha"), f"an alert: {pair.alerts('alpha')}")
        # Without alpha, beta has not what was acknowledged, so it must not serve.
        pair["alpha"].kill()
        pair.start("beta")
        wait_for(lambda: "not-eligible" in pair.alerts("beta"), 10, "beta says why it waits")
        expect(pair.active() is None, "beta does not serve")
        pair.start("alpha")
        pair.wait_settled("alpha")
        wait_for(lambda: "shadow-away" not in pair.alerts("alpha"), 5, "the alert is cleared")
        expect(pair.value("beta", EVERY) == "3s", "beta caught up")


@scenario
def edit_provisional(options):
    """Neither the shadow nor the gateway can be reached: the answer says so, exit 0, and the edit
    is there when both are back."""
    with Pair(options).up() as pair:
        pair["gateway"].kill()
        pair["beta"].kill()
        told = pair.set("alpha", f'{EVERY}="3s"')
        expect("neither the shadow nor the gateway" in told.stdout + told.stderr, f"{told}")
        pair.start("gateway", "beta")
        pair.wait_settled("alpha")
        expect(pair.value("beta", EVERY) == "3s", "beta has it")


@scenario
def edit_divergent_saved(options):
    """An edit that was never acknowledged, on a master that is then replaced: it is kept under
    divergence/ before it is cut (B9)."""
    with Pair(options, proxied=True).up() as pair:
        # Alone in the dark: the edit stays provisional, and the shadow may take over without it.
        pair.each_proxy("cut")
        pair["gateway"].kill()
        told = pair.set("alpha", f'{EVERY}="7s"')
        expect("neither the shadow nor the gateway" in told.stdout + told.stderr, f"{told}")
        pair["alpha"].kill()
        pair.each_proxy("heal")
        pair.start("gateway")
        wait_for(lambda: pair.active() == "beta", 15, "beta serves")
        pair.set("beta", f'{EVERY}="8s"')
        pair.start("alpha")
        pair.wait_settled("beta")
        expect(pair.value("alpha", EVERY) == "8s", "alpha follows")
        saved = list(pair.path("alpha").glob("divergence/*"))
        expect(saved, "the cut edit is saved under divergence/")
        texts = b"".join(file.read_bytes() for file in saved if file.is_file())
        expect(b"7s" in texts, f"and can be read there: {texts[:200]!r}")
        alerts = pair.alerts("alpha")
        expect("divergence" in alerts, f"an alert tells the operator: {alerts}")


@scenario
def shadow_far_behind(options):
    """A shadow that missed hundreds of edits, some of them large, catches up."""
    with Pair(options).up() as pair:
        pair["beta"].kill()
        pair.set("alpha", f'{EVERY}="3s"')
        for number in range(300):
            pair.edit("alpha", EVERY, f'"{3 + number}s"')
        start = time.monotonic()
        pair.start("beta")
        pair.wait_settled("alpha")
        print(f"300 edits caught up {time.monotonic() - start:.2f} s after the start")
        expect(pair.value("beta", EVERY) == "302s", "beta has the last")
