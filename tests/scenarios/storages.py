"""The pair on each of its storages, on two different ones, and on a log that was damaged."""

import json
import shutil
import socket
import subprocess
import threading

import network
from harness import NODES, Pair, Process, expect, scenario, wait_for

EVERY = "probe.crm-backend.every"
SQLITE = 'plugin = "sqlite"'


class Etcd:
    """A real etcd with one member, in the directory of a pair."""

    def __init__(self, directory):
        program = shutil.which("etcd")
        expect(program, "etcd is needed: install etcd-server and etcd-client")
        client, peer = (f"http://{network.HOST}:{port}" for port in network.free_ports(2))
        self.url = client
        arguments = [
            program,
            "--name=test",
            f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=test={peer}",
        ]
        self.process = Process("etcd", arguments, directory / "etcd.log")
        self.start()

    def start(self):
        self.process.start()
        host, port = self.url.removeprefix("http://").split(":")
        wait_for(lambda: socket.create_connection((host, port), 1).close() or True, 30, "etcd accepts")

    def storage(self, more=""):
        options = ", ".join(filter(None, (f'endpoints = ["{self.url}"]', more)))
        return f'plugin = "etcd"\noptions = {{ {options} }}'

    def keys(self, node):
        command = ["etcdctl", "--endpoints", self.url, "get", f"/umbra/{node}/", "--prefix", "--keys-only"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.split()


def history(pair, node):
    done = pair.run("umbra", "config", "history", "--json", "--max", "1000", at=node)
    return json.loads(done.stdout)["history"]


def expect_equal(pair):
    """Both hold the same edits, in the same order, and the same configuration."""
    expect(history(pair, "alpha") == history(pair, "beta"), "both have the same history")
    shown = {pair.run("umbra", "config", "show", at=node).stdout for node in NODES}
    expect(len(shown) == 1, f"both have the same configuration: {shown}")


def edit_some(pair, node, first):
    for number in range(first, first + 5):
        pair.edit(node, EVERY, f'"{number}s"')
    pair.set(node, f'{EVERY}="{first + 5}s"', 'takeover.grace_period="20s"')
    return f"{first + 5}s"


def live_through(pair):
    """Edits, each master killed in turn, both killed: what was acknowledged is there each time."""
    for master, shadow, first in (("alpha", "beta", 10), ("beta", "alpha", 30)):
        value = edit_some(pair, master, first)
        pair[master].kill()
        wait_for(lambda: pair.active() == shadow, 15, f"{shadow} serves")
        expect(pair.value(shadow, EVERY) == value, f"{shadow} has the last edit")
        value = edit_some(pair, shadow, first + 10)
        pair.start(master)
        pair.wait_settled(shadow, 30)
        expect(pair.value(master, EVERY) == value, f"{master} has caught up")
        expect_equal(pair)
    before = history(pair, "alpha")
    for node in NODES:
        pair[node].kill()
    pair.start(*NODES)
    pair.wait_settled(limit=30)
    expect(history(pair, "alpha") == before, "nothing is lost when both are killed")
    expect_equal(pair)


@scenario
def pair_on_sqlite(options):
    with Pair(options, storage=dict.fromkeys(NODES, SQLITE)).up() as pair:
        live_through(pair)
        for node in NODES:
            expect((pair.path(node) / "storage" / "config.db").exists(), f"{node} is on sqlite")


@scenario
def pair_on_etcd(options):
    """Both on one cluster, each below its own name; and the cluster restarts below them."""
    with Pair(options) as pair:
        etcd = Etcd(pair.directory)
        pair.processes["etcd"] = etcd.process  # Ends with the others.
        pair.write_instances({node: etcd.storage() for node in NODES})
        pair.up()
        live_through(pair)
        for node in NODES:
            expect(f"/umbra/{node}/head" in etcd.keys(node), f"{node} is in etcd: {etcd.keys(node)}")
        etcd.process.kill()
        etcd.start()
        pair.set(pair.wait_settled(), f'{EVERY}="3s"')
        pair.wait_settled()
        expect_equal(pair)


@scenario
def master_loses_its_storage(options):
    """The etcd below the master stands still. The shadow has the edit that waits for it, so it
    stays in the in-sync set and takes over when the master gives up, with the edit."""
    with Pair(options) as pair:
        etcd = Etcd(pair.directory)
        pair.processes["etcd"] = etcd.process
        pair.write_instances({"alpha": etcd.storage('patience = "3s"')})
        pair.up()
        etcd.process.freeze()
        edit = ("umbra", "config", "set", f"{EVERY}=7s")
        asking = threading.Thread(target=lambda: pair.tool(*edit, at="alpha"))
        asking.start()
        wait_for(lambda: pair.value("beta", EVERY) == "7s", 5, "beta has the edit")
        wait_for(lambda: not pair["alpha"].alive(), 20, "alpha cannot tell what is stored, and ends")
        asking.join(10)
        wait_for(lambda: pair.active() == "beta", 5, "beta serves")
        pair.expect_served()
        expect(pair.value("beta", EVERY) == "7s", "with the edit")
        expect("shadow-away" not in pair["alpha"].log_text(), "beta was never away")
        etcd.process.thaw()
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        expect_equal(pair)


@scenario
def pair_on_two_storages(options):
    """What is replicated does not depend on what it is stored in."""
    with Pair(options, storage={"beta": SQLITE}).up() as pair:
        live_through(pair)
        kinds = [sorted(p.name for p in (pair.path(n) / "storage").iterdir()) for n in NODES]
        expect("config.db" not in kinds[0] and "config.db" in kinds[1], f"one of each: {kinds}")


def flip_bit(path):
    """In the middle of what a file holds, which tells nobody."""
    data = bytearray(path.read_bytes())
    data[len(data.rstrip(b"\0")) // 2] ^= 0x10  # Behind it may be room for more.
    path.write_bytes(data)


def refused_start(pair, node):
    """The log of a start that has to fail: exit status 1, and no second try by itself."""
    seen = len(pair[node].log_text())
    pair[node].start()
    status = pair[node].child.wait(15)
    told = pair[node].log_text()[seen:]
    expect(status == 1, f"{node} ends with {status}, not 1: {told}")
    return told


@scenario
def damaged_log_is_refused(options):
    """A flipped bit in the middle of the log, of the shadow and of a former master: the instance
    does not start, says where and what to do; when that is done it fetches all from its peer."""
    with Pair(options).up() as pair:
        edit_some(pair, "alpha", 10)
        for node, other in (("beta", "alpha"), ("alpha", "beta")):
            pair.wait_settled("alpha")
            pair[node].kill()
            wait_for(lambda: pair.active() == other, 15, f"{other} serves")
            edit_some(pair, other, 30)
            (log,) = (path for path in (pair.path(node) / "storage").glob("*.log"))
            flip_bit(log)
            damaged = log.read_bytes()
            told = refused_start(pair, node)
            for word in ("umbra: ", str(log), "offset", "move", "peer"):
                expect(word in told, f"says {word!r}: {told}")
            expect(refused_start(pair, node), "and again")
            expect(log.read_bytes() == damaged, "nothing is written to it")
            pair.expect_served()
            log.rename(log.with_suffix(".damaged"))  # As it says: nothing but this file.
            pair.start(node)
            pair.wait_settled(other, 30)
            expect_equal(pair)


@scenario
def lost_log_makes_no_master(options):
    """A master whose log was moved away, as the message about a damaged one says, while nobody else
    is there: it does not serve with nothing, and drops nothing when the other comes back."""
    with Pair(options).up() as pair:
        edit_some(pair, "alpha", 10)
        pair.wait_settled("alpha")
        for node in ("beta", "alpha"):
            pair[node].kill()
        (log,) = (pair.path("alpha") / "storage").glob("*.log")
        log.rename(log.with_suffix(".lost"))
        pair.start("alpha")
        for _ in range(2):  # It does not forget.
            told = pair.status("alpha")
            expect((told["role"], told["revision"]) == ("shadow", "0.0"), f"no master: {told}")
            expect("storage-lost" in [a["id"] for a in told["alerts"]], f"says so: {told}")
            pair["alpha"].kill()
            pair.start("alpha")
        pair.start("beta")
        wait_for(lambda: pair.active() == "beta", 15, "beta serves")
        pair.wait_settled("beta", 30)
        expect_equal(pair)
        expect(pair.status("alpha")["alerts"] == [], "nothing is wrong any more")
        pair.expect_served()


@scenario
def changed_storage_makes_no_master(options):
    """[storage] of a master was changed without a migration: it has nothing there."""
    with Pair(options).up() as pair:
        edit_some(pair, "alpha", 10)
        pair.wait_settled("alpha")
        for node in ("beta", "alpha"):
            pair[node].kill()
        file = pair.path("alpha.toml")
        old = file.read_text()
        expect(old.count('plugin = "file"') == 1, old)
        file.write_text(old.replace('plugin = "file"', 'plugin = "sqlite"'))
        pair.start("alpha")
        told = pair.status("alpha")
        expect(told["role"] == "shadow", f"no master: {told}")
        (alert,) = (a for a in told["alerts"] if a["id"] == "storage-lost")
        expect("umbra storage migrate" in alert["text"], f"says what to do: {alert}")
        pair.start("beta")
        wait_for(lambda: pair.active() == "beta", 15, "beta serves")
        pair.wait_settled("beta", 30)
        expect_equal(pair)


@scenario
def damaged_database_is_refused(options):
    """The same for sqlite."""
    with Pair(options, storage=dict.fromkeys(NODES, SQLITE)).up() as pair:
        edit_some(pair, "alpha", 10)
        expect(pair["beta"].terminate() == 0, "beta ends with 0")
        database = pair.path("beta") / "storage" / "config.db"
        data = database.read_bytes()
        at = data.index(b"grace_period")  # Inside of an entry.
        database.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        told = refused_start(pair, "beta")
        for word in ("umbra: ", str(database), "move", "peer"):
            expect(word in told, f"says {word!r}: {told}")
        database.parent.rename(database.parent.with_name("storage.damaged"))
        pair.start("beta")
        pair.wait_settled("alpha", 30)
        expect_equal(pair)
