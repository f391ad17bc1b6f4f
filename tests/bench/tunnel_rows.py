"""The rows of tunnel.py that load all contenders in turn: what one measurement of one contender is."""

import json
import re
import subprocess
import time

from children import HOST, cpu
from harness import Failure

GB = 1e9


class Sample:
    """One measurement: `value` in the unit of its row, and processor seconds for each `per` of work."""

    def __init__(self, value, cost=0.0, work=0.0):
        self.value = value
        self.cost = cost / work if cost and work else None


def told(arguments, limit):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, arguments))}: exit status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def loaded(peer, arguments, limit):
    """What the load program printed, and the processor seconds that both ends took meanwhile."""
    before = cpu(peer.pids())
    text = told(arguments, limit)
    return text, cpu(peer.pids()) - before


def bulk(streams=1, down=False):
    """Gb/s that arrive, and processor seconds of both ends for a gigabyte."""

    def measure(peer, options):
        line = ["iperf3", "-4", "-c", HOST, "-p", peer.entries["bulk"], "-t", options.seconds, "-P", streams, "-J"]
        text, cost = loaded(peer, line + ["-R"] * down, options.seconds + 30)
        arrived = json.loads(text)["end"]["sum_received"]
        return Sample(arrived["bits_per_second"] / 1e9, cost, arrived["bytes"] / GB)

    return measure


MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6}


def wrk(peer, options, connections, *more):
    """Requests a second, the median wait in microseconds, and what a request cost in microseconds."""
    line = ["wrk", "-t1", f"-c{connections}", f"-d{options.seconds}s", "--latency", *more]
    text, cost = loaded(peer, [*line, f"http://{HOST}:{peer.entries['http']}/"], options.seconds + 30)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    count = int(re.search(r"(\d+) requests in", text)[1])
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
    wrong = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)|Non-2xx", text)
    if wrong or not count:
        raise Failure(f"{peer.name}: not every request was answered:\n{text}")
    return rate, float(value) * MICROSECONDS[unit], cost * 1e6, count


def requests(peer, options):
    rate, _, cost, count = wrk(peer, options, 64)
    return Sample(rate, cost, count)


def latency(peer, options):
    _, wait, cost, count = wrk(peer, options, 1)
    return Sample(wait, cost, count)


def connections(peer, options):
    rate, _, cost, count = wrk(peer, options, 16, "-H", "Connection: close")
    return Sample(rate, cost, count)
