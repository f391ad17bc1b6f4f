"""What an operator meets: plugins, files, invitations, refusals, status."""

import json
import os
import pathlib
import re
import shutil
import socket
import threading
import time

import network
from harness import NODES, Pair, expect, holds_for, scenario, wait_for

STATUS = {
    "": "instance version role state epoch revision paused uptime_s peer tunnels probes alerts",
    "peer": "instance state revision in_sync last_seen_ms rtt_us",
    "tunnels": "name plugin state epoch fences links streams detail",
    "probes": "name healthy latency_us detail",
    "alerts": "id severity since text",
}


class Stopwatch:
    """Asks for the status of an instance all the time, on a thread, and keeps how long it took."""

    def __init__(self, pair, *nodes):
        self.pair, self.nodes = pair, nodes
        self.took = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            for node in self.nodes:
                start = time.monotonic()
                try:
                    self.pair.status(node)
                except OSError:
                    continue  # It does not run just now.
                self.took.append(time.monotonic() - start)
            time.sleep(0.005)

    def expect_quick(self):
        """The machine may be busy with other things for a moment; the instance may not."""
        self.stopping.set()
        self.thread.join(10)
        took = sorted(self.took)
        print(f"{len(took)} times status: median {took[len(took) // 2] * 1000:.1f} ms, "
              f"longest {took[-1] * 1000:.1f} ms")  # fmt: skip
        expect(len(took) > 20, "status was asked often enough")
        expect(took[len(took) * 95 // 100] < 0.1, "95 of 100 within 100 ms")


@scenario
def status_has_its_fields(options):
    """The fields that scripts rely on, on both instances, in each state that passes by."""
    with Pair(options).up() as pair:
        pair["beta"].kill()
        pair.set("alpha", 'probe.crm-backend.every="3s"')  # An alert, to look at one.
        for node in NODES:
            if not pair[node].alive():
                pair.start(node)
            told = json.loads(pair.run("umbra", "status", "--json", at=node).stdout)
            for where, names in STATUS.items():
                parts = told if where == "" else told[where]
                for part in parts if isinstance(parts, list) else [parts]:
                    missing = set(names.split()) - set(part)
                    expect(not missing, f"{node}: {where} lacks {missing}: {part}")
            expect(told["tunnels"] and told["probes"], f"{node} shows both: {told}")
        expect(pair.status("alpha")["role"] == "master", "role of a master")
        expect(re.fullmatch(r"\d+\.\d+", pair.status("alpha")["revision"]), "form of a revision")
        pair.wait_settled("alpha")
        text = pair.run("umbra", "status", at="alpha").stdout
        for word in ("alpha", "master", "beta", "ready", "main", "active", "crm-backend"):
            expect(word in text, f"the table shows {word}: {text}")
        status = pair.run("umbra-gateway", "status", "--json", at="gateway").stdout
        expect(json.loads(status)["pairs"][0]["active"] == "alpha", "the gateway shows who serves")
        gone = pair.tool("umbra", "status", "--admin", f"unix:{pair.path('nobody.sock')}")
        expect(gone.returncode == 3, f"exit 3 when nobody is there: {gone}")


@scenario
def status_is_quick(options):
    """While edits rain, while roles switch, and during a takeover."""
    with Pair(options).up() as pair:
        watch = Stopwatch(pair, *NODES)
        loop = pair.request_loop(clients=2)
        for number in range(100):
            pair.edit("alpha", "probe.crm-backend.every", f'"{3 + number}s"')
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
        pair["beta"].kill()
        wait_for(lambda: pair.active() == "alpha", 10, "alpha serves")
        pair.start("beta")
        pair.wait_settled("alpha")
        loop.stop()
        watch.expect_quick()


def bad_plugins(pair):
    """Files that are no plugins of this host, by name, and a word that their refusal has."""
    good = pair.plugins / "umbra-probe-tcp.so"
    made = pair.path("plugins")
    made.mkdir(mode=0o755)
    for file in pair.plugins.glob("*.so"):
        shutil.copy(file, made / file.name)
    text = made / "umbra-probe-text.so"
    text.write_text("not a shared object\n")
    empty = made / "umbra-probe-empty.so"
    empty.touch()
    cut = made / "umbra-probe-cut.so"
    cut.write_bytes(good.read_bytes()[:1000])
    architecture = made / "umbra-probe-sparc.so"
    image = bytearray(good.read_bytes())
    image[18:20] = (2).to_bytes(2, "little")  # e_machine of the ELF header
    architecture.write_bytes(image)
    foreign = made / "umbra-probe-foreign.so"
    shutil.copy(next(pathlib.Path("/").glob("lib/*/libc.so.6")).resolve(), foreign)
    kind = made / "umbra-storage-tcp.so"
    shutil.copy(good, kind)
    writable = made / "umbra-probe-writable.so"
    shutil.copy(good, writable)
    writable.chmod(0o666)
    (made / "umbra-probe-folder.so").mkdir()
    (made / "umbra-probe-dangling.so").symlink_to(made / "nothing")
    os.mkfifo(made / "umbra-probe-pipe.so")
    good_ones = {file.name for file in pair.plugins.iterdir()}
    return made, sorted(file.name for file in made.iterdir() if file.name not in good_ones)


@scenario
def bad_plugins_refused(options):
    """Each in one sentence that names the file, in the list and in the log; the instance runs on
    the good ones and answers."""
    with Pair(options) as pair:
        made, names = bad_plugins(pair)
        for node in NODES:
            file = pair.path(f"{node}.toml")
            file.write_text(file.read_text().replace(str(pair.plugins), str(made)))
        pair.up()
        watch = Stopwatch(pair, *NODES)
        listed = pair.run("umbra", "plugin", "list", "--plugins", str(made), "--json").stdout
        refused = {
            pathlib.Path(plugin["file"]).name: plugin["refusal"]
            for plugin in json.loads(listed)["plugins"]
            if not plugin["usable"]
        }
        for name in names:
            told = refused.get(name, "")
            print(f"{name}: {told}")
            expect(name in told and "\n" not in told, f"{name} is refused by its name: {told!r}")
            inspected = pair.tool("umbra", "plugin", "inspect", str(made / name))
            expect(inspected.returncode == 1, f"inspect ends with 1: {inspected}")
            expect(name in inspected.stderr, f"{inspected.stderr}")
        expect(set(refused) == set(names), f"and no other is: {refused}")
        # Named in an edit while the pair runs: refused, nothing changes.
        told = pair.set("alpha", "probe.crm-backend.plugin=text", status=2)
        expect("umbra-probe-text.so" in told.stderr or '"text"' in told.stderr, told.stderr)
        pair.expect_served()
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        pair.expect_served()
        watch.expect_quick()


@scenario
def check_finds_all_mistakes(options):
    """Exit 2, and every mistake with file, line and column at once."""
    with Pair(options) as pair:
        bad = pair.path("bad.toml")
        good = pair.path("alpha.toml").read_text()
        text = (
            good.replace('role = "master"', 'role = "leader"')
            .replace('plugin = "file"', 'plugin = "fiel"')
            .replace("enabled = true", 'enabled = "yes"\ncheck_interval = "1 fortnight"')
            .replace("[log]", '[log]\ncolour = "blue"')
        )
        bad.write_text(text)
        told = pair.run("umbra", "check", str(bad), status=2)
        output = told.stdout + told.stderr
        print(output)
        mistakes = ("leader", "fiel", "enabled", "fortnight", "colour")
        for word in mistakes:
            number = next(n for n, line in enumerate(text.splitlines(), 1) if word in line)
            found = re.search(rf"bad\.toml:{number}:\d+: error: .*", output)
            expect(found, f"the mistake of line {number} ({word}) is told:\n{output}")
        expect('"file"' in output, "the nearest known name is told")
        ran = pair.run("umbra", "run", str(bad), status=2)
        expect("leader" in ran.stderr and not pair.path("alpha").exists(), "run makes nothing")
        pair.run("umbra", "check", str(pair.path("alpha.toml")))
        pair.run("umbra", "check", str(pair.path("shared.toml")))
        for name, content in (
            ("unclosed.toml", "[instance\nname = 1"),
            ("deep.toml", "a = " + "[" * 20000),
            ("wide.toml", ".".join("a" * 130000) + " = 1"),
            ("binary.toml", "\x00\x01"),
        ):
            pair.path(name).write_text(content)
            told = pair.run("umbra", "check", str(pair.path(name)), status=2)
            expect(f"{name}:" in told.stdout + told.stderr, f"{name}: {told}")
        told = pair.run("umbra", "check", str(pair.path("missing.toml")), status=2)
        expect("missing.toml" in told.stderr, told.stderr)
        gateway = pair.path("bad-gateway.toml")
        good = pair.path("gateway.toml").read_text()
        gateway.write_text(
            good.replace("name =", "nmae =")
            .replace("virtual =", "vitrual =")
            .replace("unix:", "ux:")
        )
        told = pair.run("umbra-gateway", "check", str(gateway), status=2)
        for word in ("nmae", "vitrual", "ux:"):
            expect(word in told.stdout + told.stderr, f"{word}: {told}")


@scenario
def data_directory_is_held(options):
    """A second process on the same data directory is refused and hurts nobody."""
    with Pair(options).up() as pair:
        for program, name in (("umbra", "alpha"), ("umbra-gateway", "gateway")):
            told = pair.run(program, "run", str(pair.path(f"{name}.toml")), status=1)
            expect(str(pair.path(name)) in told.stderr, f"names the directory: {told.stderr}")
            expect(len(told.stderr.splitlines()) < 4, f"one sentence: {told.stderr}")
        pair.expect_served()
        pair.wait_settled("alpha")
        # A directory belongs to its instance, also when nobody runs on it.
        pair["beta"].kill()
        other = pair.path("other.toml")
        other.write_text(pair.path("beta.toml").read_text().replace('"beta"', '"gamma"', 1))
        told = pair.run("umbra", "run", str(other), status=1)
        expect("beta" in told.stderr and "gamma" in told.stderr, f"says whose it is: {told.stderr}")


@scenario
def port_taken(options):
    """A listening port that somebody else has: a sentence with the endpoint, exit 1."""
    with Pair(options) as pair:
        taken = [("alpha", pair.own["alpha"]["publish"]), ("alpha", pair.own["alpha"]["respond"])]
        taken += [("gateway", pair.agents_port), ("gateway", pair.port)]
        for name, port in taken:
            with socket.socket() as holder:
                holder.bind((network.HOST, port))
                holder.listen()
                program = "umbra-gateway" if name == "gateway" else "umbra"
                told = pair.run(program, "run", str(pair.path(f"{name}.toml")), status=1)
            last = told.stderr.splitlines()[-1]
            print(last)
            expect(last.startswith(f"{program}: ") and str(port) in last, f"says which: {last}")
        pair.up()


@scenario
def invitations(options):
    """Wrong, used and foreign invitations of gateway and peer; what reset allows."""
    with Pair(options) as pair:
        pair.start("gateway", *NODES)
        wait_for(lambda: pair.status("alpha")["tunnels"], 10, "alpha knows its tunnel")
        enrol = ("tunnel", "enrol", "main")
        pair.run("umbra", *enrol, "nonsense", at="alpha", status=2)
        good = pair.run("umbra-gateway", "invite", "alpha", at="gateway").stdout.strip()
        broken = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]
        done = pair.tool("umbra", *enrol, broken, at="alpha")
        expect(done.returncode in (1, 2), f"a broken one is refused: {done}")
        pair.run("umbra", *enrol, good, at="alpha")
        wait_for(lambda: pair.active() == "alpha", 10, "alpha serves")

        invite = pair.run("umbra", "peer", "invite", at="beta", status=4)
        expect("master" in invite.stderr, f"a shadow does not invite: {invite.stderr}")
        pair.run("umbra", "peer", "join", "nonsense", at="beta", status=2)
        own = pair.run("umbra", "peer", "invite", at="alpha").stdout.strip()
        pair.run("umbra", "peer", "join", own, at="alpha", status=4)
        pair.run("umbra", "peer", "join", own, at="beta")
        wait_for(lambda: pair.status("beta")["tunnels"], 10, "beta knows its tunnel")
        used = pair.tool("umbra", *enrol, good, at="beta")
        expect(used.returncode == 1, f"a used one is refused: {used}")
        print(used.stderr.strip())
        pair.enrol("beta")
        pair.wait_settled("alpha")

        again = pair.run("umbra", "peer", "invite", at="alpha", status=4)
        expect("reset" in again.stderr, f"says what to do: {again.stderr}")
        for node in NODES:
            told = pair.run("umbra", "peer", "reset", at=node, status=4)
            expect("disconnect" in told.stderr, f"not while connected: {told.stderr}")
        pair.run("umbra", "peer", "disconnect", at="beta")
        wait_for(lambda: pair.status("beta")["state"] == "disconnected", 5, "disconnected")
        pair.run("umbra", "peer", "connect", at="beta")
        pair.wait_settled("alpha")

        pair.run("umbra", "peer", "disconnect", at="beta")
        wait_for(lambda: pair.status("beta")["state"] == "disconnected", 5, "disconnected")
        pair.run("umbra", "peer", "reset", at="beta")
        used = pair.tool("umbra", "peer", "join", own, at="beta")
        expect(used.returncode in (1, 4), f"a used invitation is refused: {used}")
        print(used.stderr.strip())
        pair["beta"].kill()  # So that nobody is connected to alpha.
        wait_for(
            lambda: pair.tool("umbra", "peer", "reset", at="alpha").returncode == 0, 10, "reset"
        )
        pair.expect_served()
        pair.start("beta")
        pair.pair_up()
        pair.run("umbra", "peer", "connect", at="beta")
        pair.wait_settled("alpha")


@scenario
def permitted_shadow_only(options):
    """[peer] permitted: another name is declined, with the reason on both sides (P2)."""
    with Pair(options) as pair:
        file = pair.path("alpha.toml")
        file.write_text(file.read_text().replace("[transport]", 'permitted = "gamma"\n[transport]'))
        pair.start("gateway", *NODES)
        pair.enrol("alpha")
        wait_for(lambda: pair.active() == "alpha", 10, "alpha serves")
        invitation = pair.run("umbra", "peer", "invite", at="alpha").stdout.strip()
        told = pair.run("umbra", "peer", "join", invitation, at="beta", status=4)
        expect("gamma" in told.stderr and "beta" in told.stderr, f"{told.stderr}")
        expect("gamma" in pair["alpha"].log_text(), "alpha logs it too")
        file.write_text(file.read_text().replace('"gamma"', '"beta"'))
        expect(pair["alpha"].terminate() == 0, "alpha stops")
        pair.start("alpha")
        wait_for(lambda: pair.active() == "alpha", 10, "alpha serves")
        pair.pair_up()
        pair.enrol("beta")
        pair.wait_settled("alpha")


@scenario
def high_availability_disabled(options):
    """Without it no shadow may connect; it can be switched on and off while running (P2)."""
    with Pair(options).up() as pair:
        pair.run("umbra", "peer", "disable", at="alpha")
        wait_for(lambda: pair.status("beta")["state"] != "ready", 10, "beta is sent away")
        reason = wait_for(lambda: pair.alerts("beta").get("declined"), 10, "beta says why")["text"]
        expect("umbra peer enable" in reason, f"with the remedy: {reason}")
        # Sent away or not, it does not take what it may not have while alpha is there.
        holds_for(lambda: pair.status("beta")["role"] == "shadow", 2, "beta stays the shadow")
        pair.expect_served()
        pair.run("umbra", "peer", "enable", at="alpha")
        pair.wait_settled("alpha")
        wait_for(lambda: "declined" not in pair.alerts("beta"), 5, "the alert is cleared")


@scenario
def link_commands(options):
    """connect, disconnect, reset and check of the link between the two (P7, P14)."""
    with Pair(options).up() as pair:
        checked = pair.run("umbra", "peer", "check", at="beta").stdout
        expect("round trip p50" in checked and "lost 0" in checked, f"measured: {checked}")
        refused = pair.run("umbra", "peer", "disconnect", at="alpha", status=4)
        expect("shadow" in refused.stderr, f"says where it belongs: {refused.stderr}")
        refused = pair.run("umbra", "peer", "reset", at="beta", status=4)
        expect("disconnect" in refused.stderr, f"says what comes first: {refused.stderr}")
        pair.run("umbra", "peer", "disconnect", at="beta")
        wait_for(lambda: pair.status("beta")["state"] == "disconnected", 5, "beta is disconnected")
        # The master drops it with the next edit; without that it would not be acknowledged.
        done = pair.set("alpha", 'probe.crm-backend.every="3s"')
        expect("away" in done.stderr, f"durable on one only: {done.stdout}{done.stderr}")
        pair["beta"].kill()
        pair.start("beta")
        wait_for(lambda: pair.status("beta")["state"] == "disconnected", 5, "also after a restart")
        pair["alpha"].freeze()
        holds_for(lambda: pair.status("beta")["role"] == "shadow", 2, "it takes nothing over")
        pair["alpha"].thaw()
        pair.run("umbra", "peer", "connect", at="beta")
        pair.wait_settled("alpha")
        expect(pair.value("beta", "probe.crm-backend.every") == "3s", "beta caught up")
        pair.run("umbra", "peer", "disconnect", at="beta")
        wait_for(lambda: pair.status("beta")["state"] == "disconnected", 5, "beta is disconnected")
        pair.run("umbra", "peer", "reset", at="beta")
        wait_for(lambda: pair.status("beta")["state"] == "initial", 5, "beta knows nobody")
        wait_for(
            lambda: pair.tool("umbra", "peer", "reset", at="alpha").returncode == 0,
            10,
            "the master forgets it once it is not connected any more",
        )
        pair.pair_up()
        pair.wait_settled("alpha")
