#!/usr/bin/env python3
"""What a client notices when the master is killed, and when the roles are switched.

    tests/bench/failover.py --build build/release [--runs 20] [--rate 1000]

Starts a gateway, a pair and a backend on this machine (as tests/scenarios does), and sends requests
through the tunnel at about that many a second, each on a connection of its own. Every run kills the
master with SIGKILL; the old one then returns as the shadow. Outage: the longest time between two
right answers, from the last one before the kill on. The row "nothing" is the same measure while
nothing happens: what this machine adds by itself.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

from harness import NODES, Pair, wait_for  # noqa: E402

CLIENTS = 4
AFTER = 0.3  # Seconds of requests before and after the event.


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def flow(loop, seconds):
    """Waits until requests have been answered for that long."""
    end = time.monotonic() + seconds
    wait_for(
        lambda: any(start > end and wrong is None for start, _, wrong in loop.requests[-CLIENTS:]),
        30,
        "requests flow",
    )


def measure(pair, rate, event):
    """One run: outage in seconds, what failed, and the requests of the run."""
    loop = pair.request_loop(pause=CLIENTS / rate, clients=CLIENTS, limit=15)
    flow(loop, AFTER)
    at = time.monotonic()
    event()
    flow(loop, AFTER)
    loop.stop()
    pair.loops.remove(loop)
    ends = sorted(end for _, end, wrong in loop.requests if wrong is None)
    ends = ends[max(0, sum(1 for end in ends if end < at) - 1) :]
    return max(b - a for a, b in zip(ends, ends[1:])), loop.failed(), len(loop.requests)


def show(name, runs):
    outages = [outage * 1000 for outage, _, _ in runs]
    failed = sum(len(failed) for _, failed, _ in runs)
    requests = sum(count for _, _, count in runs)
    print(
        f"{name:<16} {min(outages):8.1f} {statistics.median(outages):8.1f} "
        f"{percentile(outages, 0.99):8.1f} {max(outages):8.1f}   {failed:6} {requests:9}",
        flush=True,
    )
    for text in sorted({text.split(" after ")[0] for _, failed, _ in runs for text in failed}):
        print(f"{'':<16} failed: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=os.path.abspath, help="build directory with bin/ and plugins.d/")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1000, help="requests a second")
    options = parser.parse_args()
    options.keep, options.log_level = False, "info"
    nothing, killed, switched = [], [], []
    with Pair(options).up() as pair:
        for number in range(options.runs):
            nothing.append(measure(pair, options.rate, lambda: None))
            master, shadow = NODES if number % 2 == 0 else reversed(NODES)
            killed.append(measure(pair, options.rate, pair[master].kill))
            pair.start(master)
            pair.wait_settled(shadow)
        for _ in range(options.runs):
            master = pair.wait_settled()
            switched.append(
                measure(pair, options.rate, lambda: pair.run("umbra", "switch", at=master))
            )
    print(f"{'outage in ms':<16} {'min':>8} {'median':>8} {'p99':>8} {'max':>8}   failed  requests")
    show("nothing", nothing)
    show("kill -9", killed)
    show("switch", switched)
    return 0


if __name__ == "__main__":
    sys.exit(main())
