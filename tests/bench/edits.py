#!/usr/bin/env python3
"""What editors of the shared configuration notice, beside what the disk and others do.

    tests/bench/edits.py --build build/release                  all rows
    tests/bench/edits.py --build build/release --measure edits,applied --seconds 10

An edit is acknowledged when it is durable on both instances. Beside it, in the same run and on the same
disk: one thread that appends 256 bytes and calls fdatasync, and 64 clients of etcd with a put of 256 bytes
in flight each, with one member and with three (etcd_load.go, built here from Debian's packages). A shadow
joins a master with 100,000 edits behind it, beside a replica of Redis that gets as many keys.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import measures

HERE = pathlib.Path(__file__).resolve().parent

ROWS = ("disk", "edits", "applied", "large", "join", "redis", "etcd", "etcd3")
EDITORS = (1, 16, 64)
GO = "/usr/lib/go-1.19/bin/go"
GO_PATH = pathlib.Path("/usr/share/gocode")  # Where Debian has the sources of Go packages.
APPENDED = b"a" * 256
HISTORY = 100_000  # Edits before the shadow joins; an entry of them has 256 bytes.
MESSAGE = 100
MAPPINGS = 4000


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=os.path.abspath, help="build directory with bin/ and plugins.d/")
    parser.add_argument("--measure", default=",".join(ROWS), help=f"any of {', '.join(ROWS)}")
    parser.add_argument("--seconds", type=float, default=10, help="of each row")
    parser.add_argument("--log-level", default="warn", help="of the instances")
    options = parser.parse_args()
    options.names = options.measure.split(",")
    if unknown := [name for name in options.names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(ROWS)}")
    options.keep, options.rate = False, 1000
    return options


def show(name, per_second, more="", beside=None):
    ratio = f"{per_second / beside:6.2f} of the disk" if beside else ""
    print(f"{name:<12} {per_second:9.0f} a second   {more:<36} {ratio}", flush=True)


def disk(seconds):
    """Durable appends a second of one thread, where the instances keep their logs."""
    with tempfile.TemporaryFile(prefix="umbra-bench-") as file:
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            os.write(file.fileno(), APPENDED)
            os.fdatasync(file.fileno())
            count += 1
        return count / seconds


def edits(pair, master, options, beside, row="edits"):
    program = pathlib.Path(options.build) / "bin" / "edit_load"
    for editors in EDITORS:
        line = [program, pair.path(f"{master}.sock"), editors, options.seconds]
        done = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=True)
        rate, p50, p99, others = map(float, done.stdout.split())
        if others:
            raise SystemExit(f"{others:.0f} edits were not acknowledged: {done.stderr}")
        show(f"{row} {editors}", rate, f"p50 {p50 / 1000:.2f} ms, p99 {p99 / 1000:.2f} ms", beside)


def large(pair, master, options, beside):
    """The same edits of a configuration with many mappings, which they do not touch."""
    shown = pair.run("umbra", "config", "show", at=master).stdout
    file = pair.path("large.toml")
    file.write_text(
        shown
        + "".join(
            f'[tunnel.main.mapping.m{i}]\nvirtual = "m{i}.cloud:80"\ninternal = "127.0.0.1:1"\n' for i in range(MAPPINGS)
        )
    )
    pair.run("umbra", "config", "apply", str(file), at=master)
    edits(pair, master, options, beside, "large")


def applied(pair, master, options):
    """From the answer of the master until the shadow has the edit in force."""
    shadow = measures.NODES[1 - measures.NODES.index(master)]
    waits, end, value = [], time.monotonic() + options.seconds, 0
    while time.monotonic() < end:
        value += 1
        revision = pair.edit(master, "takeover.grace_period", f'"{20000 + value % 10000}ms"')["revision"]
        at = time.monotonic()
        while pair.status(shadow)["revision"] != revision:
            if time.monotonic() - at > 5:
                raise SystemExit(f"{shadow} did not apply {revision}")
        waits.append(time.monotonic() - at)
    asked = time.monotonic()
    pair.status(shadow)
    asking = time.monotonic() - asked
    print(
        f"{'applied':<12} p50 {measures.median(waits) * 1000:.2f} ms, p99 {measures.percentile(waits, 0.99) * 1000:.2f} ms"
        f"   of which the question takes {asking * 1000:.2f} ms",
        flush=True,
    )


def resident(process):
    """Its largest resident memory so far, in MB."""
    with open(f"/proc/{process.child.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) / 1024


def until_alive(process, look):
    began = time.monotonic()
    process.start()
    while not look():
        if time.monotonic() - began > 30:
            raise SystemExit(f"{process.name} did not come up")
    return time.monotonic() - began


def join(options):
    """A shadow with an empty disk joins a master with a long history; the master starts again."""
    load = pathlib.Path(options.build) / "bin" / "edit_load"
    with measures.Local(options) as pair:
        pair.start("gateway", "alpha")
        pair.enrol("alpha")
        measures.wait_for(lambda: pair.active() == "alpha", 15, "alpha serves the tunnel")
        while int(pair.status("alpha")["revision"].split(".")[1]) < HISTORY:
            subprocess.run([load, pair.path("alpha.sock"), "64", "1", str(MESSAGE)], check=True, capture_output=True)
        made = int(pair.status("alpha")["revision"].split(".")[1])
        pair.start("beta")
        began = time.monotonic()
        pair.pair_up()
        paired = time.monotonic() - began
        measures.wait_for(lambda: pair.status("beta")["revision"] == pair.status("alpha")["revision"], 30, "beta has all")
        took = time.monotonic() - began
        pair.enrol("beta")
        pair.wait_settled("alpha", 20)
        print(
            f"{'join':<12} {made} edits: {took * 1000:.0f} ms, of which the commands to pair {paired * 1000:.0f} ms;"
            f" at most {resident(pair['alpha']):.0f} and {resident(pair['beta']):.0f} MB",
            flush=True,
        )
        pair["beta"].kill()

        def answers():
            try:
                return pair.status("beta")
            except OSError:
                return None

        print(f"{'start':<12} {until_alive(pair['beta'], answers) * 1000:.0f} ms until it answers", flush=True)


def redis():
    """The same amount of data, from one process to another that keeps nothing on disk."""
    if shutil.which("redis-server") is None:
        print(f"{'redis':<12} left out: needs the package redis-server")
        return
    master, replica = measures.network.free_ports(2)
    line = ["redis-server", "--save", "", "--appendonly", "no", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"]

    def ask(port, *words):
        done = subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=False)
        return done.stdout

    with tempfile.TemporaryDirectory(prefix="umbra-bench-") as directory:
        children = [
            subprocess.Popen([*line, "--port", str(port), "--dir", directory], stdout=subprocess.DEVNULL)
            for port in (master, replica)
        ]
        try:
            for port in (master, replica):
                measures.wait_for(lambda port=port: "PONG" in ask(port, "PING"), 10, "redis answers")
            ask(master, "EVAL", f"for i=1,{HISTORY} do redis.call('SET','k'..i,string.rep('v',256)) end", "0")
            began = time.monotonic()
            ask(replica, "REPLICAOF", measures.network.HOST, str(master))
            measures.wait_for(lambda: f"keys={HISTORY}," in ask(replica, "INFO", "keyspace"), 30, "the replica has all")
            print(f"{'redis':<12} {HISTORY} keys of 256 bytes: {(time.monotonic() - began) * 1000:.0f} ms", flush=True)
        finally:
            for child in children:
                child.terminate()
                child.wait(30)


class Etcd:
    """Members of a cluster on the loopback."""

    def __init__(self, count):
        self.directory = tempfile.mkdtemp(prefix="umbra-bench-")
        ports = measures.network.free_ports(2 * count)
        clients, peers = ports[:count], ports[count:]
        url = "http://{}:{}".format
        host = measures.network.HOST
        cluster = ",".join(f"m{i}={url(host, port)}" for i, port in enumerate(peers))
        self.endpoints = ",".join(url(host, port) for port in clients)
        self.children = [
            subprocess.Popen(
                ["etcd", "--name", f"m{i}", "--data-dir", f"{self.directory}/m{i}", "--log-level", "error",
                 "--listen-client-urls", url(host, clients[i]), "--advertise-client-urls", url(host, clients[i]),
                 "--listen-peer-urls", url(host, peers[i]), "--initial-advertise-peer-urls", url(host, peers[i]),
                 "--initial-cluster", cluster],
                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for i in range(count)
        ]  # fmt: skip

    def ctl(self, *arguments, limit):
        return subprocess.run(
            ["etcdctl", "--endpoints", self.endpoints, *arguments], timeout=limit,
            capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"})  # fmt: skip

    def __enter__(self):
        measures.wait_for(lambda: self.ctl("endpoint", "health", limit=10).returncode == 0, 30, "etcd is healthy")
        return self

    def __exit__(self, *error):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(30)
        shutil.rmtree(self.directory)


def etcd_load(build):
    """The program, built when it is first wanted; None where the packages for that are missing."""
    source, program = HERE / "etcd_load.go", pathlib.Path(build) / "bin" / "etcd_load"
    go = shutil.which("go") or shutil.which(GO)
    if go is None or not (GO_PATH / "src/go.etcd.io/etcd/clientv3").is_dir():
        return None
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        kept = {"GO111MODULE": "off", "GOENV": "off", "GOFLAGS": "", "GOPATH": str(GO_PATH)}
        cache = {"GOCACHE": str(pathlib.Path(build) / "go-cache")}
        subprocess.run([go, "build", "-o", program, source], check=True, env={**os.environ, **kept, **cache})
    return program


def etcd(name, members, beside, options):
    program = etcd_load(options.build) if shutil.which("etcd") and shutil.which("etcdctl") else None
    if program is None:
        print(f"{name:<12} left out: needs the packages etcd-server, etcd-client and golang-etcd-server-dev")
        return
    with Etcd(members) as cluster:
        line = [program, cluster.endpoints, EDITORS[-1], options.seconds]
        told = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=True, timeout=60 + options.seconds)
    rate, p50, p99 = map(float, told.stdout.split())
    more = f"{members} member{'s' * (members > 1)}, p50 {p50 / 1000:.2f} ms, p99 {p99 / 1000:.2f} ms"
    show(name, rate, more, beside)


def main():
    options = parse()
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    beside = None
    if "disk" in options.names:
        beside = disk(options.seconds)
        show("disk", beside, "256 bytes and fdatasync, one thread")
    if {"edits", "applied", "large"} & set(options.names):
        with measures.Local(options).up() as pair:
            master = pair.wait_settled()
            if "edits" in options.names:
                edits(pair, master, options, beside)
            if "applied" in options.names:
                applied(pair, master, options)
            if "large" in options.names:
                large(pair, master, options, beside)
    if "join" in options.names:
        join(options)
    if "redis" in options.names:
        redis()
    for name, members in (("etcd", 1), ("etcd3", 3)):
        if name in options.names:
            etcd(name, members, beside, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
