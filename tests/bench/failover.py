#!/usr/bin/env python3
"""What a client of the tunnel notices when something happens to the pair.

    tests/bench/failover.py --build build/release                    the rows that need no root
    tests/bench/failover.py --build build/release --measure killed,frozen --runs 100
    tests/bench/failover.py --build build/release --measure all      also cut links: needs namespaces

Outage: the longest time between two right answers, from the last one before the event on, of requests
at --rate a second, each on a connection of its own. Added: the 99th percentile of latency in the 0.3 s
after the event, less the one before it. The row "nothing" is what this machine adds by itself.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import measures

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from run import cannot, unshare  # noqa: E402

FAST = {"peer": 'profile = "fast"', "gateway": 'lease = "250ms"'}
LOSS = {"takeover": f'on_tunnel_loss = "{measures.ON_TUNNEL_LOSS:.0f}s"'}
# name: (what it does, on which pair, with which settings, what is aimed at)
ROWS = {
    "nothing": (measures.nothing, "local", {}, ""),
    "killed": (measures.killed, "local", {}, "p50 8, p99 25"),
    "frozen": (measures.frozen, "local", {}, "p99 800"),
    "frozen-fast": (measures.frozen, "local", FAST, "p99 400"),
    "switched": (measures.switched, "local", {}, "0 failed, added 20"),
    "upgraded": (measures.upgraded, "local", {}, "0 failed"),
    "cut": (measures.machine_cut, "hosts", {}, "p99 800"),
    "cut-fast": (measures.machine_cut, "hosts", FAST, "p99 400"),
    "tunnel-cut": (measures.tunnel_cut("cut"), "hosts", LOSS, "beyond: 50"),
    "tunnel-refused": (measures.tunnel_cut("refuse"), "hosts", LOSS, "beyond: 50"),
}
INSIDE = "UMBRA_BENCH_INSIDE"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=os.path.abspath, help="build directory with bin/ and plugins.d/")
    parser.add_argument("--measure", default=",".join(n for n, row in ROWS.items() if row[1] == "local"),
                        help=f"any of {', '.join(ROWS)}; or all")  # fmt: skip
    parser.add_argument("--runs", type=int, default=100, help="events of each row; upgraded does a quarter")
    parser.add_argument("--rate", type=float, default=1000, help="requests a second")
    parser.add_argument("--log-level", default="info", help="of the instances")
    options = parser.parse_args()
    options.names = list(ROWS) if options.measure == "all" else options.measure.split(",")
    if unknown := [name for name in options.names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(ROWS)}")
    options.keep = False
    return options


def show(name, runs):
    outages = [run.outage * 1000 for run in runs]
    added = [run.added * 1000 for run in runs]
    failed = [text for run in runs for text in run.failed]
    print(
        f"{name:<15} {len(runs):4} {min(outages):8.1f} {measures.median(outages):8.1f} "
        f"{measures.percentile(outages, 0.99):8.1f} {max(outages):8.1f} "
        f"{measures.percentile(added, 0.99):8.1f} {len(failed):7} {sum(r.count for r in runs):9}   {ROWS[name][3]}",
        flush=True,
    )
    for text in sorted(set(failed)):
        print(f"{'':<15} failed {failed.count(text)} times: {text}")


def measure(options, name):
    act, place, settings, _ = ROWS[name]
    if place == "local":
        with measures.Local(options, **settings).up() as pair:
            return act(pair, options)
    with measures.Hosts(options, os.environ[INSIDE], **settings).up() as pair:
        return act(pair, options)


def main():
    options = parse()
    if INSIDE in os.environ:
        show(options.names[0], measure(options, options.names[0]))
        return 0
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors; outage and added in ms")
    print(f"{'':<15} {'runs':>4} {'min':>8} {'p50':>8} {'p99':>8} {'max':>8} {'added':>8} {'failed':>7} {'requests':>9}   aim")
    for name in options.names:
        if ROWS[name][1] == "local":
            show(name, measure(options, name))
            continue
        if reason := cannot():
            print(f"{name:<15} left out: {reason}")
            return 1
        arguments = ["--build", options.build, "--measure", name, "--runs", str(options.runs), "--rate", str(options.rate)]
        # Made and removed out here: inside, the disks of the hosts are mounted below it.
        with tempfile.TemporaryDirectory(prefix="umbra-bench-") as directory:
            subprocess.run([*unshare(), sys.executable, "-B", __file__, *arguments],
                           env={**os.environ, INSIDE: directory}, check=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
