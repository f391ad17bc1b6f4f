"""Processes of a benchmark: started with a log, watched, ended by their own pid, and what they cost."""

import os
import pathlib
import re
import signal
import subprocess

import measures
from harness import Failure, wait_for

HOST = measures.network.HOST
TICK = 1 / os.sysconf("SC_CLK_TCK")
LISTENING = "0A"


def listens(port):
    """Whether somebody listens on it. Looked up, not tried: some servers count a connection."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == LISTENING for row in rows)


def parents():
    """{pid: its parent} of all processes."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            found[int(entry)] = int(text.rpartition(")")[2].split()[1])
    return found


def family(pids):
    """They and all that descend from them."""
    known, of = set(pids), parents()
    while more := {pid for pid, parent in of.items() if parent in known} - known:
        known |= more
    return known


def cpu(pids):
    """Processor time so far, in seconds, of these processes and of their children that ended."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        total += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return total * TICK


def precise_cpu(pid):
    """The same in nanosecond steps, for a process whose threads stay."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        total += int(pathlib.Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return total / 1e9


def own_memory(pids):
    """Resident memory that is no file's, in bytes."""
    texts = (pathlib.Path(f"/proc/{pid}/status").read_text() for pid in pids)
    return sum(int(re.search(r"RssAnon:\s+(\d+) kB", text)[1]) << 10 for text in texts)


class Children:
    """Starts processes in a directory and ends them all. Should this process be killed, so are they."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.running = []

    def start(self, name, arguments, ports=(), env=None):
        """Starts one and waits until it listens on `ports`."""
        log = self.directory / f"{name}.log"
        line = ["setpriv", "--pdeathsig", "KILL", *map(str, arguments)]
        with open(log, "ab") as file:
            child = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                     env={**os.environ, **(env or {})}, cwd=self.directory)  # fmt: skip
        self.running.append(child)

        def ready():
            if child.poll() is not None:
                end = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
                raise Failure(f"{name} ended with status {child.returncode}:\n{end}")
            return all(listens(port) for port in ports)

        wait_for(ready, 15, f"{name} listens; see {log}")
        return child

    def stop(self):
        for child in reversed(self.running):
            if child.poll() is None:
                # Their own children first: a killed parent leaves them with the ports.
                for pid in sorted(family([child.pid]) - {child.pid}, reverse=True):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                child.kill()
            child.wait(10)
        self.running = []
