"""The rows of tunnel.py: what one measurement of one contender is. Each gives its columns by name."""

import contextlib
import json
import pathlib
import re
import resource
import subprocess
import time

from children import HOST, cpu, own_memory
from harness import Failure, wait_for

GB, MB = 1e9, 1 << 20
STALLED = 8
SPARE_FILES = 200  # Of a process, beside one for each stream.


def each(cost, work):
    """What a unit of work cost, or nothing where there is no relay."""
    return cost / work if cost and work else None


def told(arguments, limit):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode != 0 and "server is busy" not in done.stdout:
        raise Failure(f"{' '.join(map(str, arguments))}: exit status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def loaded(peer, arguments, limit):
    """What the load program printed, and the processor seconds that both ends took meanwhile."""
    before = cpu(peer.pids())
    text = told(arguments, limit)
    return text, cpu(peer.pids()) - before


def iperf(peer, seconds, *more):
    return ["iperf3", "-4", "-c", HOST, "-p", peer.entries["bulk"], "-t", seconds, "-J", *more]


def arrived(text):
    """Gb/s and bytes that the receiver got."""
    said = json.loads(text)
    if "sum_received" not in said["end"]:
        raise Failure(f"iperf3: {said.get('error', 'nothing arrived')}")
    end = said["end"]["sum_received"]
    return end["bits_per_second"] / 1e9, end["bytes"]


def transfer(peer, seconds, *more):
    """Gb/s, bytes and the processor time of both ends. Its server takes one client at a time, and
    hears of the end of the one before only when that has come over the line."""
    done = []

    def tried():
        text, cost = loaded(peer, iperf(peer, seconds, *more), seconds + 30)
        if "server is busy" not in text:
            done.append((*arrived(text), cost))
        return done

    wait_for(tried, 20, "iperf3 takes another client")
    return done[0]


def bulk(*more):
    """Gb/s that arrive, and processor seconds of both ends for a gigabyte."""

    def measure(peer, options):
        rate, size, cost = transfer(peer, options.seconds, *more)
        return {"Gb/s": rate, "s/GB": each(cost, size / GB)}

    return measure


MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6}


def wrk(connections, *more):
    """Requests a second, how long they wait, and what each cost."""

    def measure(peer, options):
        line = ["wrk", "-t1", f"-c{connections}", f"-d{options.seconds}s", "--latency", *more]
        text, cost = loaded(peer, [*line, f"http://{HOST}:{peer.entries['http']}/"], options.seconds + 30)
        count = int(re.search(r"(\d+) requests in", text)[1])
        if "Socket errors" in text or "Non-2xx" in text or not count:
            raise Failure(f"{peer.name}: not every request was answered:\n{text}")
        waits = {part: float(value) * MICROSECONDS[unit]
                 for part, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", text)}  # fmt: skip
        return {
            "1/s": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            "p50 us": waits["50"],
            "p99 us": waits["99"],
            "cpu us": each(cost * 1e6, count),
        }

    return measure


def program(options, name):
    return pathlib.Path(options.build) / "bin" / name


def echo_waits(peer, options, seconds):
    """p50 and p99 in milliseconds of a message there and back."""
    text = told([program(options, "tunnel_client"), "echo", seconds, peer.entries["echo"]], seconds + 30)
    p50, p99, _ = map(float, text.split())
    return p50 / 1e3, p99 / 1e3


def echo(peer, options):
    """A message there and back beside one stream that carries all it can."""
    with subprocess.Popen(list(map(str, iperf(peer, options.seconds + 1))), stdout=subprocess.PIPE, text=True) as load:
        try:
            time.sleep(0.5)  # Until the stream is at speed; what is before would flatter.
            p50, p99 = echo_waits(peer, options, options.seconds)
            text, _ = load.communicate(timeout=30)
        finally:
            load.kill()
    return {"p50 ms": p50, "p99 ms": p99, "Gb/s": arrived(text)[0]}


@contextlib.contextmanager
def held(options, what, count, ports):
    """Clients that keep their connections while the block runs."""
    line = [program(options, "tunnel_client"), what, count, *ports]
    with subprocess.Popen(list(map(str, line)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as clients:  # fmt: skip
        try:
            if clients.stdout.readline() != "held\n":
                raise Failure(f"{what} {count}: {clients.stderr.read().strip()}")
            yield
        finally:
            clients.stdin.close()
            try:
                clients.wait(20)
            finally:
                clients.kill()


def memory(peer):
    """Of each end, when it no longer changes."""
    last, since = [], time.monotonic()

    def settled():
        nonlocal last, since
        now = [own_memory(end) for end in peer.ends()]
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 0.5

    wait_for(settled, 20, f"the memory of {peer.name} stays the same")
    return last


def stalled(peer, options):
    """Readers that do not read: how much both ends grow, and what another client notices."""
    seconds = min(options.seconds, 2)
    echo_waits(peer, options, 0.2)
    before = memory(peer)
    with held(options, "stall", STALLED, [peer.entries["source"]]):
        after = memory(peer)
        beside = echo_waits(peer, options, seconds)[0], transfer(peer, seconds)[0]
    alone = echo_waits(peer, options, seconds)[0], transfer(peer, seconds)[0]
    return {"MB": (sum(after) - sum(before)) / MB, "echo x": beside[0] / alone[0], "bulk x": beside[1] / alone[1]}


def streams(count):
    """Bytes of user memory that a stream takes on which nothing happens, at each end."""

    def measure(peer, options):
        ports = [port for name, port in peer.entries.items() if name.startswith("echo")]
        echo_waits(peer, options, 0.2)
        before = memory(peer)
        with held(options, "hold", count, ports):
            after = memory(peer)
        cloud, inner = ((b - a) / count for a, b in zip(before, after))
        return {"B/stream": max(cloud, inner), "cloud": cloud, "inner": inner}

    return measure


def too_many_files(count):
    """Why so many streams cannot be, or nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = count + SPARE_FILES
    if hard >= need:
        return None
    try:  # Root may, unless a container forbids it; the children inherit it.
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, need))
    except (ValueError, OSError):
        return f"needs {need:,} open files a process, and the hard limit is {hard:,}"
    return None
