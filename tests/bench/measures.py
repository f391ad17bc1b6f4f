"""One measurement after the other of what a client notices; the table is in failover.py."""

import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "chaos")]

import network  # noqa: E402
from field import ADDRESS, BACKEND_PORT, CLIENT_PORT, NODES, Field, inside  # noqa: E402
from harness import Pair, wait_for  # noqa: E402

LOOPS = 4
AROUND = 0.3  # Seconds of requests before and after an event.
# Less than the three leases of the gateway (1.8 s) after which an instance gives up a silent link
# by itself.
ON_TUNNEL_LOSS = 1.0


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


class Load:
    """load.py, and what it has written so far."""

    def __init__(self, where, loops, pause, path="/1"):
        self.file = where.path("load.txt")
        self.file.unlink(missing_ok=True)
        prefix, address, port = where.entry
        line = [*prefix, sys.executable, "-B", HERE / "load.py", address, port, loops, pause, self.file, path]
        self.child = subprocess.Popen(list(map(str, line)), stdin=subprocess.DEVNULL)
        self.offset, self.requests = 0, []

    def look(self):
        try:
            with open(self.file, "rb") as file:
                file.seek(self.offset)
                text = file.read()
        except FileNotFoundError:
            return self.requests
        whole = text.rfind(b"\n") + 1
        self.offset += whole
        for line in text[:whole].decode().splitlines():
            start, end, wrong = line.split(" ", 2)
            self.requests.append((float(start), float(end), wrong))
        return self.requests

    def flow(self, seconds=AROUND):
        """Waits until requests have been answered for that long."""
        at = time.monotonic() + seconds
        wait_for(lambda: any(s > at and not wrong for s, _, wrong in self.look()[-400:]), 30, "requests flow")

    def stop(self):
        self.child.terminate()
        self.child.wait(30)
        return self.look()


class Local(Pair):
    """The pair of the scenarios on the loopback."""

    @property
    def entry(self):
        return [], network.HOST, self.port


class Hosts(Field):
    """The pair of the chaos runs: a network namespace for each, and links that can be cut."""

    entry = inside("client"), ADDRESS["gateway"], CLIENT_PORT

    def __init__(self, options, directory, peer="", gateway="", takeover=""):
        super().__init__(options, directory)
        for name, section, lines in (
            ("gateway.toml", "[admin]", gateway),
            *((f"{node}.toml", "[transport]", peer) for node in NODES),
        ):
            text = self.path(name).read_text()
            self.path(name).write_text(text.replace(section, f"{lines}\n{section}", 1))
        text = self.path("shared.toml").read_text()
        self.path("shared.toml").write_text(text.replace("[takeover]", f"[takeover]\n{takeover}", 1))
        for node in NODES:
            self.helper(node, "backend.py", node, BACKEND_PORT, "/dev/null")

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.report()
        self.stop()


class Run:
    """What one event did to the requests around it. Times in seconds."""

    def __init__(self, requests, event, base=0.0):
        ends = sorted(end for _, end, wrong in requests if not wrong)
        ends = ends[max(0, sum(1 for end in ends if end < event) - 1) :]
        self.outage = max(b - a for a, b in zip(ends, ends[1:])) - base
        self.failed = [wrong for _, _, wrong in requests if wrong]
        self.count = len(requests)
        before = [end - start for start, end, _ in requests if end < event]
        after = [end - start for start, end, _ in requests if event <= end and start < event + AROUND]
        self.added = percentile(after, 0.99) - percentile(before, 0.99) if before and after else 0.0


def around(where, options, event, base=0.0):
    """Requests at the rate asked for, an event, and requests again."""
    load = Load(where, LOOPS, LOOPS / options.rate)
    load.flow()
    at = time.monotonic()
    event()
    load.flow()
    return Run(load.stop(), at, base)


def nothing(where, options):
    return [around(where, options, lambda: None) for _ in range(options.runs)]


def repeated(where, options, break_it, mend, runs=None, base=0.0):
    """Breaks the master that is there, mends, and waits for the other to be the master."""
    found = []
    for _ in range(runs or options.runs):
        master = where.wait_settled()
        shadow = NODES[1 - NODES.index(master)]
        found.append(around(where, options, lambda: break_it(where, master, shadow), base))
        mend(where, master)
        where.wait_settled(shadow, 40)
        # Each event is measured for itself: what went before must not lengthen the next delay.
        for node in NODES:
            where.run("umbra", "resume", at=node)
    return found


def killed(where, options):
    return repeated(where, options, lambda w, m, s: w[m].kill(), lambda w, m: w.start(m))


def frozen(where, options):
    return repeated(where, options, lambda w, m, s: w[m].freeze(), lambda w, m: w[m].thaw())


def cut(*ends, how="cut"):
    """Cuts the links between the master and those of `ends`, both ways."""

    def break_it(where, master, shadow):
        for end in ends:
            far = shadow if end == "shadow" else end
            where.drop(far, master, how)
            where.drop(master, far, how)

    return break_it


def machine_cut(where, options):
    return repeated(where, options, cut("shadow", "gateway"), lambda w, m: w.heal())


def tunnel_cut(how):
    """The outage beyond on_tunnel_loss, which is what the operator has asked to wait."""

    def measure(where, options):
        act = cut("gateway", how=how)
        return repeated(where, options, act, lambda w, m: w.heal(), base=ON_TUNNEL_LOSS)

    return measure


def switched(where, options):
    """Planned switches under 200 request loops that ask 1000 times a second together."""
    found = []
    for _ in range(options.runs):
        master = where.wait_settled()
        load = Load(where, 200, 200 / options.rate)
        load.flow(1.0)
        at = time.monotonic()
        # Not by the program: its start takes time on the processors that are measured.
        where.ask(master, "POST", "/v1/switch", {"force": False}, limit=20)
        load.flow()
        found.append(Run(load.stop(), at))
        where.wait_settled(NODES[1 - NODES.index(master)])
    return found


def upgraded(where, options):
    """SIGTERM and start of each in turn while 200 loops ask, the shadow first."""
    found = []
    for _ in range(max(1, options.runs // 4)):
        master = where.wait_settled()
        load = Load(where, 200, 200 / options.rate)
        load.flow(1.0)
        at = time.monotonic()
        for node in (NODES[1 - NODES.index(master)], master):
            where[node].terminate()
            where.start(node)
            where.wait_settled()
        load.flow()
        found.append(Run(load.stop(), at))
    return found


def median(values):
    return statistics.median(values)
