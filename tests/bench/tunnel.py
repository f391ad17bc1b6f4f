#!/usr/bin/env python3
"""What the tunnel costs and carries, beside its peers.

    tests/bench/tunnel.sh                                   all rows, 7 rounds
    tests/bench/tunnel.sh --only bulk,requests --peers nginx,ssh --rounds 3
    tests/bench/tunnel.sh --quick                           3 short rounds

Client, both ends and backend share one machine, over its loopback. In each round every contender is
measured once, one after the other. What is printed is the median of the rounds; a ratio is the median
of the ratios of each round, so that a machine that is busy for a while does not decide it. Processor
time is user and system time of all processes of both ends.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile

import tunnel_peers
import tunnel_rows
from children import Children, HOST
from harness import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Row:
    """What is measured of every contender, and what is aimed at.

    ratios   {contender: least ratio of Umbra's value to its}; "best": to the best relay's
    cost     most processor time for a unit of work, both ends together
    value    least value of Umbra's
    added    most that Umbra's value is above that of no tunnel
    """

    def __init__(self, title, unit, measure, per="", ratios=None, cost=None, value=None, added=None):
        self.title, self.unit, self.measure, self.per = title, unit, measure, per
        self.ratios, self.cost, self.value, self.added = ratios or {}, cost, value, added


ONE_STREAM = {"direct": 0.28, "nginx": 1.25, "haproxy": 1.25, "stunnel": 1.3, "ssh": 1.2}
ROWS = {
    "bulk": Row("one stream, client sends", "Gb/s", tunnel_rows.bulk(), "s/GB", ONE_STREAM, cost=2.4),
    "bulk-down": Row("one stream, client receives", "Gb/s", tunnel_rows.bulk(down=True), "s/GB", ONE_STREAM, cost=2.4),
    "bulk8": Row("eight streams, client sends", "Gb/s", tunnel_rows.bulk(8), "s/GB", {"best": 1.2}, cost=2.4),
    "requests": Row("requests over 64 kept connections", "1/s", tunnel_rows.requests, "us", {"direct": 0.55}, cost=20),
    "latency": Row("median wait of one client", "us", tunnel_rows.latency, "us", added=90),
    "connections": Row("a new connection each request, 16 clients", "1/s", tunnel_rows.connections, "us", value=5000),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build" / "release", type=os.path.abspath,
                        help="build directory with bin/ and plugins.d/ (build/release)")  # fmt: skip
    parser.add_argument("--only", default=",".join(ROWS), help=f"any of {', '.join(ROWS)}")
    parser.add_argument("--peers", default=",".join(list(tunnel_peers.PEERS)[2:]),
                        help=f"beside Umbra and no tunnel: any of {', '.join(list(tunnel_peers.PEERS)[2:])}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of one measurement")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 second")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 1
    options.names, options.peers = options.only.split(","), list(filter(None, options.peers.split(",")))
    for what, given, known in (("row", options.names, ROWS), ("peer", options.peers, list(tunnel_peers.PEERS)[2:])):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"there is no {what} {unknown[0]}; there are {', '.join(known)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if not os.access(os.path.join(options.build, "bin", "umbra-gateway"), os.X_OK):
        parser.error(f"{options.build} holds no build; cmake --preset release && cmake --build --preset release")
    return options


class Backends:
    """What the tunnels lead to."""

    ANSWER = "x" * 100

    def __init__(self, directory):
        self.children = Children(directory)
        self.services = dict(zip(("bulk", "http"), tunnel_peers.free_ports(2)))
        bulk, http = self.services.values()
        self.children.start("iperf3", ["iperf3", "-4", "-s", "-B", HOST, "-p", bulk], [bulk])
        conf = directory / "backend.conf"
        conf.write_text(tunnel_peers.nginx_file("backend", (
            "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;\n"
            f"server {{ listen {HOST}:{http} backlog=4096; location / {{ return 200 {self.ANSWER}; }} }} }}")))  # fmt: skip
        self.children.start("backend", tunnel_peers.nginx_command(directory, conf), [http])

    def stop(self):
        self.children.stop()


def started(stack, options, directory, services):
    """The contenders, running; those that cannot take part are named."""
    found = []
    for name in ["direct", "umbra", *options.peers]:
        kind = tunnel_peers.PEERS[name]
        if missing := kind.missing():
            print(f"{name} takes no part: {', '.join(missing)} not found")
            continue
        peer = kind(directory, options.build, services)
        stack.callback(peer.stop)
        peer.start()
        for port in peer.encrypts:
            if (suite := tunnel_peers.suite_of(port)) != tunnel_peers.SUITE:
                raise Failure(f"{name} speaks {suite} instead of {tunnel_peers.SUITE}")
        found.append(peer)
    return found


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def verdict(what, value, limit, at_least):
    met = value >= limit if at_least else value <= limit
    aim = f"{'>=' if at_least else '<='} {limit:g}"
    return f"{what} {number(value)} ({aim}: {'met' if met else 'MISSED'})"


class Table:
    """The samples of a row, and what is said about them."""

    def __init__(self, name, row, peers):
        self.name, self.row, self.samples = name, row, {peer.name: [] for peer in peers}

    def values(self, name):
        return [sample.value for sample in self.samples[name]]

    def cost(self, name):
        costs = [sample.cost for sample in self.samples[name] if sample.cost is not None]
        return statistics.median(costs) if costs else None

    def ratio(self, name):
        return statistics.median(a / b for a, b in zip(self.values("umbra"), self.values(name)))

    def best(self):
        """The relay that does best, Umbra apart."""
        others = [name for name in self.samples if name not in ("direct", "umbra")]
        return max(others, key=lambda name: statistics.median(self.values(name)), default=None)

    def verdicts(self):
        row, found = self.row, []
        for name, limit in row.ratios.items():
            beside = self.best() if name == "best" else name
            if beside in self.samples:
                found.append(verdict(f"of {beside}", self.ratio(beside), limit, True))
        if row.cost is not None:
            found.append(verdict(f"{row.per}", self.cost("umbra"), row.cost, False))
        if row.value is not None:
            found.append(verdict(row.unit, statistics.median(self.values("umbra")), row.value, True))
        if row.added is not None:
            added = statistics.median(a - b for a, b in zip(self.values("umbra"), self.values("direct")))
            found.append(verdict(f"added {row.unit}", added, row.added, False))
        return found

    def show(self):
        row = self.row
        print(f"\n{self.name}: {row.title}\n  {'':<10} {row.unit:>9} {'min':>9} {'max':>9} {row.per:>9} {'umbra/it':>9}")
        for name in self.samples:
            values, cost = self.values(name), self.cost(name)
            ratio = "" if name == "umbra" else f"{self.ratio(name):.2f}"
            print(f"  {name:<10} {number(statistics.median(values)):>9} {number(min(values)):>9} {number(max(values)):>9} "
                  f"{'' if cost is None else number(cost):>9} {ratio:>9}")  # fmt: skip
        for text in self.verdicts():
            print(f"  {'aim':<10} {text}")
        sys.stdout.flush()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="ascii") as file:
        control = file.read().strip()
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, congestion control {control}; "
          f"{options.rounds} rounds of {options.seconds} s; {tunnel_peers.SUITE}, ssh {tunnel_peers.SSH_CIPHER}")  # fmt: skip
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="umbra-bench-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        tunnel_peers.make_certificate(directory)
        backends = Backends(directory)
        stack.callback(backends.stop)
        peers = started(stack, options, directory, backends.services)
        for name in options.names:
            table = Table(name, ROWS[name], peers)
            for _ in range(options.rounds):
                for peer in peers:
                    table.samples[peer.name].append(ROWS[name].measure(peer, options))
            table.show()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"tunnel.py: {failure}")
