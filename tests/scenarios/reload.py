"""The instance file, read again while the instance runs."""

import json
import os
import signal
import socket
import threading


import network
from harness import NODES, Pair, expect, holds_for, scenario, wait_for


def rewrite(pair, name, *changes):
    """Replaces texts of a file, each of which has to be there."""
    path = pair.path(f"{name}.toml")
    text = path.read_text()
    for old, new in changes:
        expect(old in text, f"{path} has no {old!r}")
        text = text.replace(old, new)
    path.write_text(text)


def reload(pair, node, status=0):
    return pair.run("umbra", "reload", "--json", at=node, status=status)


def keys(answer, part):
    return {change["key"]: (change["from"], change["to"]) for change in json.loads(answer.stdout)[part]}


@scenario
def reload_applies_what_it_can(options):
    """The log at once, the timers at a restart, and the second reload knows what the first did.
    Nothing of it touches the pair."""
    usual = f'level = "{options.log_level}"'
    with Pair(options).up() as pair:
        epoch = pair.register()["epoch"]
        loop = pair.request_loop()
        profile = ("enabled = true", 'enabled = true\nprofile = "patient"')
        rewrite(pair, "alpha", (usual, usual + '\nformat = "json"'), profile)
        answer = reload(pair, "alpha")
        expect(keys(answer, "live") == {"log.format": ('"text"', '"json"')}, answer.stdout)
        waits = keys(answer, "restart")
        expect(waits["peer.profile"] == ('"balanced"', '"patient"'), answer.stdout)
        expect(waits["peer.check_interval"] == ('"100ms"', '"1s"'), answer.stdout)
        expect(all(one["reason"] for one in json.loads(answer.stdout)["restart"]), answer.stdout)
        wait_for(lambda: '\n{"time":' in pair["alpha"].log_text(), 10, "the log is JSON")
        alert = pair.alerts("alpha").get("restart-needed")
        expect(alert and "peer.profile" in alert["text"], f"an alert says it: {alert}")

        again = reload(pair, "alpha")
        expect(not keys(again, "live") and keys(again, "restart") == waits, again.stdout)
        told = pair.run("umbra", "reload", at="alpha").stdout
        expect("needs a restart: peer.profile" in told, told)
        expect(pair["alpha"].log_text().count("reload of ") == 3, "each is in the log")
        rewrite(pair, "alpha", profile[::-1], (usual, 'level = "error"'))
        told = pair.run("umbra", "reload", at="alpha").stdout
        expect("1 change applied\n" in told, told)
        expect("restart-needed" not in pair.alerts("alpha"), "the alert is gone")
        expect("nothing has changed" in pair.run("umbra", "reload", at="alpha").stdout, "as it is")
        expect(pair["alpha"].log_text().count("reload of ") == 3, "errors only")
        loop.stop()
        expect(not loop.failed(), f"failed: {loop.failed()}")
        expect(pair.register()["epoch"] == epoch, "no role changed")
        pair.wait_settled("alpha")


@scenario
def reload_refuses_mistakes(options):
    """Every mistake is told, nothing is applied, the instance runs on; so on SIGHUP."""
    with Pair(options).up() as pair:
        right = pair.path("alpha.toml").read_text()
        rewrite(
            pair,
            "alpha",
            (f'level = "{options.log_level}"', 'level = "debug"\nformt = "json"'),
            ("enabled = true", 'enabled = true\ncheck_interval = "soon"'),
        )
        refused = reload(pair, "alpha", status=2)
        expect(refused.stderr.startswith("umbra: "), refused.stderr)
        for word in ("2 mistakes", "unchanged", "formt", "check_interval", "alpha.toml:"):
            expect(word in refused.stderr, f"says {word}: {refused.stderr}")
        checked = pair.run("umbra", "check", str(pair.path("alpha.toml")), status=2).stderr
        expect("2 mistakes" in checked, f"as many as `umbra check` finds: {checked}")
        expect("reload-failed" in pair.alerts("alpha"), "an alert says it")
        pair["alpha"].send(signal.SIGHUP)
        wait_for(lambda: pair["alpha"].log_text().count("runs on unchanged") >= 3, 10, "SIGHUP says it")
        expect(" debug " not in pair["alpha"].log_text(), "nothing was applied")
        pair.expect_served()

        pair.path("alpha.toml").write_text(right)
        pair["alpha"].send(signal.SIGHUP)
        wait_for(lambda: not pair.alerts("alpha"), 10, "the alert is gone with the mistakes")
        pair.path("alpha.toml").unlink()
        gone = reload(pair, "alpha", status=2)
        expect("alpha.toml" in gone.stderr, gone.stderr)
        pair.wait_settled("alpha")


@scenario
def reload_redirects_to_the_peer(options):
    """The shadow's endpoints are others now: the master follows without a restart; the shadow,
    whose own they are, says that it has to be restarted."""
    with Pair(options).up() as pair:
        publish, respond = network.free_ports(2)
        old = [f":{pair.own['beta'][what]}" for what in ("publish", "respond")]
        moved = list(zip(old, (f":{publish}", f":{respond}")))
        rewrite(pair, "beta", *moved)
        waits = keys(reload(pair, "beta"), "restart")
        expect(set(waits) == {"transport.options.publish", "transport.options.respond"}, waits)
        pair.wait_settled("alpha")
        rewrite(pair, "alpha", *moved)
        live = keys(reload(pair, "alpha"), "live")
        expect(set(live) == {"transport.peer.publish", "transport.peer.respond"}, live)
        expect(pair["beta"].terminate() == 0, "beta ends with 0")
        pair.start("beta")
        pair.wait_settled("alpha")
        # As the shadow alpha lives on these endpoints.
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
        told = pair["alpha"].log_text()
        expect(f"connected to tcp://{network.HOST}:{respond}" in told, told)


@scenario
def reload_switches_high_availability(options):
    """[peer] enabled, off and on again, at once; and a restart finds what the file says."""
    with Pair(options).up() as pair:
        rewrite(pair, "alpha", ("enabled = true", "enabled = false"))
        expect(keys(reload(pair, "alpha"), "live") == {"peer.enabled": ("true", "false")}, "off")
        wait_for(lambda: not pair.status("alpha")["peer"]["in_sync"], 10, "the shadow is let go")
        pair.expect_served()
        rewrite(pair, "alpha", ("enabled = false", "enabled = true"))
        expect(keys(reload(pair, "alpha"), "live") == {"peer.enabled": ("false", "true")}, "on")
        pair.wait_settled("alpha")


@scenario
def reload_changes_live_options(options):
    """What a plugin declares live: of the storage by the instance file, of a probe by an edit. The
    write-ahead log of sqlite grows to so many pages, so it tells when another number counts."""
    with Pair(options, storage=dict.fromkeys(NODES, 'plugin = "sqlite"')).up() as pair:
        log = pair.path("alpha") / "storage" / "config.db-wal"

        def edit(first, count):
            for number in range(first, first + count):
                pair.edit("alpha", "probe.crm-backend.every", f'"{number}s"')

        edit(10, 10)
        before = log.stat().st_size
        expect(before > 50_000, f"by default it is not emptied that soon: {before}")
        storage = 'plugin = "sqlite"'
        more = storage + "\noptions = { checkpoint_pages = 1, busy_timeout = \"6s\" }"
        rewrite(pair, "alpha", (storage, more))
        answer = reload(pair, "alpha")
        expect(keys(answer, "live") == {"storage.options.checkpoint_pages": ("1000", "1")}, answer.stdout)
        expect(set(keys(answer, "restart")) == {"storage.options.busy_timeout"}, answer.stdout)
        edit(30, 10)
        expect(log.stat().st_size <= before, "it is emptied after each commit, and used again")
        again = reload(pair, "alpha")
        expect(not keys(again, "live") and len(keys(again, "restart")) == 1, again.stdout)

        seen = pair["alpha"].log_text().count("crm-backend: healthy")
        pair.set("alpha", 'probe.crm-backend.options.timeout="1s"')
        pair.set("alpha", 'probe.crm-backend.options.timeout="3s"')
        holds_for(
            lambda: pair["alpha"].log_text().count("crm-backend: healthy") == seen,
            0.5,
            "the probe is not made anew",
        )
        pair.wait_settled("alpha")


@scenario
def reload_many_at_a_time(options):
    """Reloads by command and by signal, with edits between them: each is answered, none is lost,
    and a stop in the middle of them ends the process all the same."""
    with Pair(options).up() as pair:
        results = []
        right = pair.path("alpha.toml").read_text()

        def ask(stop):
            while not stop.is_set():
                results.append(pair.tool("umbra", "reload", "--json", at="alpha"))

        stop = threading.Event()
        askers = [threading.Thread(target=ask, args=(stop,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            for number in range(10, 30):
                form = "json" if number % 2 else "text"
                pair.path("new.toml").write_text(right.replace("[log]", f'[log]\nformat = "{form}"'))
                os.replace(pair.path("new.toml"), pair.path("alpha.toml"))
                pair["alpha"].send(signal.SIGHUP)
                pair.edit("alpha", "probe.crm-backend.every", f'"{number}s"')
            wait_for(lambda: len(results) > 20, 10, "reloads are answered")
            expect(pair["alpha"].terminate() == 0, "alpha stops in the middle of them")
        finally:
            stop.set()
            for asker in askers:
                asker.join(30)
        wrong = [done for done in results if done.returncode not in (0, 1, 3)]
        expect(not wrong, f"done, stopping or gone: {wrong[:1]}")
        done = [json.loads(one.stdout) for one in results if one.returncode == 0]
        expect(any(one["live"] for one in done), "some of them applied a change")
        pair.start("alpha")
        pair.wait_settled("beta")
        expect(pair.value("alpha", "probe.crm-backend.every") == "29s", "no edit is lost")


@scenario
def reload_is_told_to_the_service_manager(options):
    """Type=notify: RELOADING=1, then READY=1, by the signal and whatever the file is like."""
    with Pair(options) as pair:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(pair.path("notify.sock")))
            manager.settimeout(10)
            os.environ["NOTIFY_SOCKET"] = str(pair.path("notify.sock"))
            try:
                pair.start("alpha")
            finally:
                del os.environ["NOTIFY_SOCKET"]
            expect(manager.recv(4096) == b"READY=1", "ready at the start")
            for text in (pair.path("alpha.toml").read_text(), "[instance"):
                pair.path("alpha.toml").write_text(text)
                pair["alpha"].send(signal.SIGHUP)
                told = manager.recv(4096).splitlines()
                expect(told[0] == b"RELOADING=1" and told[1].startswith(b"MONOTONIC_USEC="), f"{told}")
                expect(manager.recv(4096) == b"READY=1", "ready again")


@scenario
def reload_of_the_gateway(options):
    """SIGHUP: listeners come, change and go, parking changes; a long download through another
    listener goes on. A mistake or a port that is taken changes nothing."""
    with Pair(options).up() as pair:
        file = pair.path("gateway.toml")
        right = file.read_text()
        erp, other = network.free_ports(2)
        log = pair["gateway"].log_text

        def listens(port):
            try:
                return network.fetch(port) == pair.backend.BODY
            except ConnectionRefusedError:
                return False

        def hangup(text, told):
            seen = log().count(told)
            file.write_text(text)
            pair["gateway"].send(signal.SIGHUP)
            wait_for(lambda: log().count(told) > seen, 10, f"the gateway says {told!r}")

        def listener(port, virtual="crm.cloud:8080"):
            return f'[listener.erp]\naddress = "{network.HOST}:{port}"\nvirtual = "{virtual}"\n'

        download = network.Download(pair.port)
        download.read(16)
        expect(not listens(erp), "nobody listens there yet")
        hangup(right + listener(erp), "applied: listener.erp.address: none ->")
        expect(listens(erp), "the new listener serves")
        hangup(right + listener(other), "applied: listener.erp.address")
        expect(listens(other) and not listens(erp), "it has moved")
        hangup(right + listener(other, "none.cloud:1"), "applied: listener.erp.virtual")
        denied = pair.status("gateway")["counters"]["denied"]
        try:
            network.fetch(other)
        except OSError:
            pass
        counters = pair.status("gateway")["counters"]
        expect(counters["denied"] == denied + 1, "it asks for another virtual host")

        unchanged = "runs on unchanged"
        hangup(right.replace("listen =", "lisen =", 1), unchanged)
        expect("lisen" in log(), "the mistake is told")
        taken = listener(pair.backend.port)
        hangup(right + taken + 'pair = "two"\n', unchanged)
        names = [one["name"] for one in pair.status("gateway")["listeners"]]
        expect(names == ["crm", "erp"], f"as before: {names}")
        expect("none.cloud" in json.dumps(pair.status("gateway")["listeners"]), "as before")

        lease = right.replace("[admin]", 'lease = "2s"\npark = { clients = 0 }\n[admin]', 1)
        hangup(lease, "needs a restart: gateway.lease: 600ms -> 2s")
        expect("applied: gateway.park.clients: 1024 -> 0" in log(), log())
        expect(not listens(other), "what is not in the file any more is closed")
        download.finish()
        pair.wait_settled("alpha")
