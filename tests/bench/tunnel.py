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
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import tunnel_idle
import tunnel_peers
import tunnel_rows
from harness import Failure
from tunnel_places import DIRECT, LINE_MBIT, PEERS, ROUND_TRIP_MS, UMBRA, Backends, FarPlace, FreshPlace, Place, leave_out
from tunnel_table import Table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Row:
    """What is measured of the contenders, and what is aimed at.

    ratios  {contender: least ratio of Umbra's first column to its}; "best": to the best peer's
    most    {column: most of Umbra's}
    least   {column: least of Umbra's}
    added   {column: most that Umbra's is above that of no tunnel}
    place   where the contenders run
    who     "all", "tunnels": not the one without; "umbra": it alone
    rounds  most rounds that make sense
    bar     why it cannot be measured here, or None
    """

    def __init__(self, title, measure, ratios=None, most=None, least=None, added=None,
                 place=Place, who="all", rounds=1000, bar=None):  # fmt: skip
        self.title, self.measure = title, measure
        self.ratios, self.most, self.least, self.added = ratios or {}, most or {}, least or {}, added or {}
        self.place, self.who, self.rounds, self.bar = place, who, rounds, bar

    def names(self, options):
        first = [DIRECT, UMBRA] if self.who == "all" else [UMBRA]
        return first + ([] if self.who == "umbra" else options.peers)


def streams(count, who, **more):
    return Row(f"{count:,} streams on which nothing happens: user memory of each end", tunnel_rows.streams(count),
               most={"B/stream": 512}, place=FreshPlace, who=who, rounds=1, bar=tunnel_rows.too_many_files(count), **more)  # fmt: skip


ONE_STREAM = {"direct": 0.28, "nginx": 1.25, "haproxy": 1.25, "stunnel": 1.3, "ssh": 1.2}
BULK = {"ratios": ONE_STREAM, "most": {"s/GB": 2.4}}
ROWS = {
    "bulk": Row("one stream, client sends", tunnel_rows.bulk(), **BULK),
    "bulk-down": Row("one stream, client receives", tunnel_rows.bulk("-R"), **BULK),
    "bulk8": Row("eight streams, client sends", tunnel_rows.bulk("-P", 8), ratios={"best": 1.2}, most={"s/GB": 2.4}),
    "requests": Row("requests over 64 kept connections", tunnel_rows.wrk(64), ratios={"direct": 0.55}, most={"cpu us": 20}),
    "latency": Row("requests of one client", tunnel_rows.wrk(1), added={"p50 us": 90}),
    "connections": Row("a new connection for each request, 16 clients", tunnel_rows.wrk(16, "-H", "Connection: close"),
                       least={"1/s": 5000}),  # fmt: skip
    "echo": Row("64 bytes there and back, beside one bulk stream", tunnel_rows.echo, most={"p50 ms": 0.7, "p99 ms": 3}),
    "stalled": Row(f"{tunnel_rows.STALLED} readers that do not read: growth of both ends; another client, with them to without",
                   tunnel_rows.stalled, most={"MB": 4, "echo x": 1.5}, least={"bulk x": 0.8}, place=FreshPlace,
                   who="tunnels", rounds=3),  # fmt: skip
    "streams": streams(1000, "tunnels"),
    "streams-10k": streams(10_000, "umbra"),
    "streams-50k": streams(50_000, "umbra"),
    "far": Row(f"one stream over {ROUND_TRIP_MS} ms and {LINE_MBIT} Mb/s, from the third second on",
               tunnel_rows.bulk("-O", 2), ratios={"direct": 0.95}, place=FarPlace),  # fmt: skip
    "idle": None,
}  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build" / "release", type=os.path.abspath,
                        help="build directory with bin/ and plugins.d/ (build/release)")  # fmt: skip
    parser.add_argument("--only", default=",".join(ROWS), help=f"any of {', '.join(ROWS)}")
    parser.add_argument("--peers", default=",".join(PEERS),
                        help=f"beside Umbra and no tunnel: any of {', '.join(PEERS)}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of one measurement")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 second")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 1
    options.names, options.peers = options.only.split(","), list(filter(None, options.peers.split(",")))
    for what, given, known in (("row", options.names, ROWS), ("peer", options.peers, PEERS)):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"there is no {what} {unknown[0]}; there are {', '.join(known)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    for name in ("umbra", "umbra-gateway", "tunnel_client"):
        if not os.access(os.path.join(options.build, "bin", name), os.X_OK):
            parser.error(f"{options.build} has no {name}; cmake --preset release && cmake --build --preset release")
    return options


def measure(name, options, place):
    """Whether it could be measured."""
    row, who = ROWS[name], None
    if row.bar:
        print(f"\n{name}: left out: {row.bar}", flush=True)
        return True
    table = Table(name, row)
    try:
        with place.opened(row.names(options)) as contender:
            for _ in range(min(options.rounds, row.rounds)):
                for who in row.names(options):
                    with contender(who) as peer:
                        table.add(who, row.measure(peer, options))
    except Failure as failure:
        print(f"\n{name}: {row.title}\n  FAILED at {who}: {failure}", flush=True)
        return False
    table.show()
    return True


def measure_all(options, directory):
    """Whether all rows could be measured."""
    backends = Backends(options, directory)
    try:
        done = [leave_out(options, directory, backends.services)]
        done += [
            measure(name, options, ROWS[name].place(options, directory, backends.services))
            for name in options.names
            if ROWS[name]
        ]
    finally:
        backends.stop()
    return all(done)


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="ascii") as file:
        control = file.read().strip()
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, congestion control {control}; "
          f"{options.rounds} rounds of {options.seconds} s; {tunnel_peers.SUITE}, ssh {tunnel_peers.SSH_CIPHER}", flush=True)  # fmt: skip
    directory = pathlib.Path(tempfile.mkdtemp(prefix="umbra-bench-"))
    try:
        tunnel_peers.make_certificate(directory)
        done = not any(ROWS[name] for name in options.names) or measure_all(options, directory)
        if "idle" in options.names:
            tunnel_idle.measure(options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if done else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"tunnel.py: {failure}")
