"""Edits of the shared configuration: on both, or told otherwise; never lost, never overwritten."""

import json
import statistics
import threading
import time

from harness import Pair, expect, scenario, wait_for

PROVISIONAL = 5  # Exit status.
EVERY = "probe.crm-backend.every"
GRACE = "takeover.grace_period"


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
    """Neither the shadow nor the gateway can be reached: the answer says so, exit 5, and the edit
    is there when both are back."""
    with Pair(options).up() as pair:
        pair["gateway"].kill()
        pair["beta"].kill()
        told = pair.set("alpha", f'{EVERY}="3s"', status=PROVISIONAL)
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
        told = pair.set("alpha", f'{EVERY}="7s"', status=PROVISIONAL)
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


def diverge(pair, master, shadow, left, right):
    """A partition in which both sides edit: `left` on the master, never acknowledged, `right` on
    the shadow, which an operator made master. Returns when the two have met again."""
    pair.each_proxy("cut")
    pair["gateway"].kill()
    told = pair.set(master, *left, status=PROVISIONAL)
    expect("neither the shadow nor the gateway" in told.stderr, f"provisional: {told.stderr}")
    pair[master].freeze()
    pair.start("gateway")
    wait_for(
        lambda: pair.tool("umbra", "switch", "--force", at=shadow).returncode == 0
        or pair.active() == shadow,
        15,
        f"{shadow} takes over by order",
    )
    wait_for(lambda: pair.active() == shadow, 15, f"{shadow} serves")
    pair.set(shadow, *right)
    pair.each_proxy("heal")
    pair[master].thaw()
    wait_for(lambda: pair.is_settled(shadow), 20, f"{master} follows {shadow}")
    wait_for(
        lambda: all(one["state"] != "saved" for one in divergences(pair, master)),
        10,
        "what was saved was offered to the master",
    )


def divergences(pair, node):
    told = pair.run("umbra", "config", "divergence", "list", "--json", at=node).stdout
    return json.loads(told)["divergences"]


def last_edit(pair, node):
    told = pair.run("umbra", "config", "history", "--json", "--max", "1", at=node).stdout
    return json.loads(told)["history"][0]


@scenario
def divergence_merged(options):
    """Different keys on both sides of a partition: both are in force, by an edit that says so."""
    with Pair(options, proxied=True).up() as pair:
        diverge(pair, "alpha", "beta", [f'{EVERY}="7s"'], [f'{GRACE}="45s"'])
        wait_for(lambda: pair.is_settled("beta"), 10, "in sync")
        for node in ("alpha", "beta"):
            expect(pair.value(node, EVERY) == "7s", f"alpha's edit on {node}")
            expect(pair.value(node, GRACE) == "45s", f"beta's edit on {node}")
        (one,) = divergences(pair, "alpha")
        expect(one["state"] == "merged" and one["conflicts"] == 0, f"merged: {one}")
        edit = last_edit(pair, "beta")
        expect(edit["revision"] == one["merged_as"], f"the last edit: {edit}")
        expect("merge of divergence " + one["id"] + " of alpha" in edit["message"], f"{edit}")
        expect("divergence" not in pair.alerts("alpha"), "nothing waits for a decision")
        expect(divergences(pair, "beta") == [], "beta gave up nothing")
        pair.expect_served()


@scenario
def divergence_decided(options):
    """The same key on both sides: the master's value stays, an alert asks for a decision, and both
    decisions hold."""
    with Pair(options, proxied=True).up() as pair:
        diverge(pair, "alpha", "beta", [f'{EVERY}="7s"', f'{GRACE}="40s"'], [f'{EVERY}="8s"'])
        wait_for(lambda: pair.is_settled("beta"), 10, "in sync")
        expect(pair.value("beta", EVERY) == "8s", "the master's value stays")
        expect(pair.value("beta", GRACE) == "40s", "what only alpha changed is merged")
        alert = pair.alerts("alpha").get("divergence")
        expect(alert and alert["severity"] == "error", f"an alert: {alert}")
        (one,) = divergences(pair, "alpha")
        expect(one["state"] == "conflicts" and one["conflicts"] == 1, f"one conflict: {one}")
        shown = pair.run("umbra", "config", "divergence", "show", at="alpha").stdout
        row = next(line for line in shown.splitlines() if line.startswith(EVERY))
        expect(row.split() == [EVERY, '"2s"', '"8s"', '"7s"', "conflict"], f"three ways: {shown}")
        # A restart forgets nothing; what it cannot read it does not pass over.
        pair["alpha"].kill()
        (file,) = (pair.path("alpha") / "divergence").iterdir()
        kept = file.read_text()
        file.write_text(kept.replace('"saved":"\\"7s\\""', '"saved":"\\"6s\\""'))
        pair.start("alpha")
        expect(str(file) in pair.alerts("alpha")["divergence-damaged"]["text"], "an alert names it")
        (damaged,) = divergences(pair, "alpha")
        expect((damaged["id"], damaged["state"]) == (one["id"], "damaged"), f"listed: {damaged}")
        told = pair.run("umbra", "config", "divergence", "merge", one["id"], at="alpha", status=1)
        expect("move it away" in told.stderr, f"what to do: {told.stderr}")
        pair["alpha"].kill()
        file.write_text(kept)
        pair.start("alpha")
        wait_for(lambda: pair.is_settled("beta"), 20, "alpha is back")
        expect("divergence" in pair.alerts("alpha"), "the alert is back too")
        told = pair.run("umbra", "config", "divergence", "merge", "--author", "ann", at="alpha")
        expect("merged as revision" in told.stdout, f"{told.stdout}")
        expect(pair.value("beta", EVERY) == "7s", "alpha's value is in force on the master")
        wait_for(lambda: pair.value("alpha", EVERY) == "7s", 5, "and on alpha")
        expect(last_edit(pair, "beta")["author"] == "ann", "the history names who decided")
        wait_for(lambda: "divergence" not in pair.alerts("alpha"), 5, "the alert is cleared")
        pair.run("umbra", "config", "divergence", "merge", one["id"], at="alpha", status=4)
        # The other decision, on the other side.
        diverge(pair, "beta", "alpha", [f'{EVERY}="3s"'], [f'{EVERY}="4s"'])
        expect("divergence" in pair.alerts("beta"), "an alert")
        pair.run("umbra", "config", "divergence", "drop", at="beta")
        wait_for(lambda: "divergence" not in pair.alerts("beta"), 5, "the alert is cleared")
        expect([d["state"] for d in divergences(pair, "beta")] == ["dropped"], "listed as dropped")
        expect(pair.value("beta", EVERY) == pair.value("alpha", EVERY) == "4s", "nothing changed")
        pair.run("umbra", "config", "divergence", "drop", at="beta", status=2)


@scenario
def divergence_restriction_wins(options):
    """One side suspends a mapping, the other says that it is active: it is suspended until the
    operator decides."""
    active = "tunnel.main.mapping.crm.active"
    with Pair(options, proxied=True).up() as pair:
        pair.expect_served()
        diverge(pair, "alpha", "beta", [f"{active}=false"], [f"{active}=true"])
        wait_for(lambda: pair.is_settled("beta"), 10, "in sync")
        expect(pair.value("beta", active) == "false", "the restriction is in force on the master")
        (one,) = divergences(pair, "alpha")
        (key,) = one["keys"]
        expect(key["outcome"] == "restricted" and key["master"] == "true", f"and marked: {key}")
        expect("divergence" in pair.alerts("alpha"), "an alert asks for a decision")
        try:
            pair.expect_served(2)
            served = True
        except OSError:
            served = False
        expect(not served, "nobody gets through")
        pair.run("umbra", "config", "divergence", "drop", one["id"], at="alpha")
        pair.set("beta", f"{active}=true")
        pair.expect_served()


@scenario
def edit_history(options):
    """What was, what changed, back again; and editors that do not overwrite each other."""
    with Pair(options).up() as pair:
        pair.set("alpha", f'{EVERY}="3s"')
        first = pair.status("alpha")["revision"]
        pair.set("alpha", f'{EVERY}="4s"', f'{GRACE}="45s"')
        second = pair.status("alpha")["revision"]

        told = pair.run("umbra", "config", "diff", at="alpha").stdout.splitlines()
        expect(f'- {EVERY} = "3s"' in told and f'+ {EVERY} = "4s"' in told, f"the last edit: {told}")
        told = pair.run("umbra", "config", "diff", second, first, "--json", at="beta").stdout
        changes = {one["key"]: one for one in json.loads(told)["changes"]}
        expect(changes[GRACE]["to"] is None and changes[EVERY]["to"] == '"3s"', f"back: {changes}")
        shared = str(pair.path("shared.toml"))
        told = pair.run("umbra", "config", "diff", shared, at="alpha").stdout
        expect(f'+ {EVERY} = "2s"' in told, f"what applying a file would change: {told}")
        pair.run("umbra", "config", "diff", "9.9", at="alpha", status=2)

        told = pair.run(
            "umbra", "config", "set", f'{EVERY}="5s"', "--if-revision", first, at="alpha", status=4
        )
        expect(f"at revision {second}" in told.stderr, f"names the current one: {told.stderr}")
        rollback = ("umbra", "config", "rollback", first)
        pair.run(*rollback, "--if-revision", first, at="alpha", status=4)
        pair.run(*rollback, "--dry-run", at="alpha")
        expect(pair.status("alpha")["revision"] == second, "not applied")
        told = pair.run(*rollback, at="beta", status=4)
        expect("alpha" in told.stderr, f"the shadow does not edit: {told.stderr}")
        pair.run(*rollback, "--if-revision", second, "-m", "too slow", at="alpha")
        expect(pair.value("beta", EVERY) == "3s" and pair.value("beta", GRACE) is None, "as it was")
        edit = last_edit(pair, "beta")
        expect(edit["message"] == f"rollback to {first}: too slow", f"a new edit: {edit}")

        # The same operation again is no second edit, on the new master as well.
        again = ("umbra", "config", "set", f'{EVERY}="6s"', "--op-id", "op-1")
        pair.run(*again, at="alpha")
        pair.set("alpha", f'{EVERY}="7s"')
        before = revision(pair, "alpha")[1]
        pair.run(*again, at="alpha")
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
        told = pair.run(*again, at="beta")
        expect("applied before" in told.stdout, f"says so: {told.stdout}")
        told = pair.run(*again[:3], f'{EVERY}="8s"', *again[4:], at="beta", status=4)
        expect("another edit" in told.stderr, f"another one is not taken for it: {told.stderr}")
        expect(revision(pair, "beta")[1] == before, "no revision more")
        expect(pair.value("beta", EVERY) == "7s", "nothing undone")


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
