"""The field of a chaos run: a pair with its gateway, each in a network namespace of its own.

Everything lives in a mount, process and network namespace that `run.py` has made, so the names here
are nobody else's and all of it is gone when that namespace ends, however it ends.

    sw (bridge) -- gateway 10.77.0.1 -- alpha 10.77.0.2 -- beta 10.77.0.3 -- client 10.77.0.4

A backend runs inside each instance's namespace on its loopback, so its answer says who served.
"""

import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

import files  # noqa: E402
from harness import LINKS, NODES, Failure, Pair, Process, expect, wait_for  # noqa: E402

HOSTS = ("gateway", *NODES, "client")
ADDRESS = {host: f"10.77.0.{number}" for number, host in enumerate(HOSTS, 1)}
AGENTS_PORT, CLIENT_PORT, PUBLISH, RESPOND, BACKEND_PORT = 7443, 9000, 7401, 7402, 8000
DISK = "24m"  # Size of each data_dir; small, so that filling it is quick.
HERE = pathlib.Path(__file__).resolve().parent

# What a cut does with a packet that arrives. Resets pass a refusal: otherwise those that the other
# side sends for a refusal in both directions would be swallowed here. `silent` lets a connection be made and swallows what
# is said on it: packets without data are at most 60 bytes, a SYN with its options included.
DROPS = {
    "cut": "drop",
    "refuse": "tcp flags & rst == 0x0 reject with tcp reset",
    "loss": "numgen random mod 100 < 30 drop",
    "silent": "ip length > 60 drop",
}


def command(*arguments, text=None):
    """Runs a tool of the system that has to succeed."""
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def inside(host):
    """What stands before a command that runs in the namespace of `host`; it keeps the pid."""
    return ["nsenter", f"--net=/run/netns/{host}"]


def make_network():
    """Four hosts on one bridge. Packets are looked at where they arrive."""
    pathlib.Path("/run/netns").mkdir(exist_ok=True)
    command("mount", "-t", "tmpfs", "chaos", "/run/netns")
    command("ip", "link", "add", "bridge", "type", "bridge")
    command("ip", "link", "set", "bridge", "up")
    for host in HOSTS:
        command("ip", "netns", "add", host)
        far = ["name", "eth0", "netns", host]
        command("ip", "link", "add", f"to-{host}", "type", "veth", "peer", *far)
        command("ip", "link", "set", f"to-{host}", "master", "bridge", "up")
        for line in (f"addr add {ADDRESS[host]}/24 dev eth0", "link set eth0 up", "link set lo up"):
            command(*inside(host), "ip", *line.split())


class Field(Pair):
    """The pair of the scenarios on four hosts. `pair.drops` says what arrives where."""

    def __init__(self, options, directory):
        # Not the constructor of Pair: addresses and disks are others, the questions are the same.
        self.options = options
        self.binaries = pathlib.Path(options.build) / "bin"
        self.plugins = pathlib.Path(options.build) / "plugins.d"
        self.directory = pathlib.Path(directory)
        self.loops, self.proxies, self.processes, self.helpers = [], {}, {}, []
        self.drops = {}  # {(receiver, sender): name in DROPS}
        make_network()
        for host in ("gateway", *NODES):
            self.path(host).mkdir(mode=0o700)
            command("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "data", self.path(host))
        self._write()

    def _add(self, name, program):
        run = [*inside(name), str(self.binaries / program), "run", str(self.path(f"{name}.toml"))]
        self.processes[name] = Process(name, run, self.path(f"{name}.log"))

    def _write(self):
        agents = f"{ADDRESS['gateway']}:{AGENTS_PORT}"
        self._add("gateway", "umbra-gateway")
        self.path("gateway.toml").write_text(
            files.gateway_file(
                data_dir=self.path("gateway"),
                admin=self.path("gateway.sock"),
                agents=agents,
                clients=f"{ADDRESS['gateway']}:{CLIENT_PORT}",
            )
        )
        for node, role in zip(NODES, ("master", "shadow")):
            self._add(node, "umbra")
            own, theirs = (
                files.ends(f"{ADDRESS[host]}:{PUBLISH}", f"{ADDRESS[host]}:{RESPOND}")
                for host in (node, NODES[1 - NODES.index(node)])
            )
            self.path(f"{node}.toml").write_text(
                files.instance_file(
                    name=node,
                    role=role,
                    data_dir=self.path(node),
                    plugins=self.plugins,
                    own=own,
                    theirs=theirs,
                    admin=self.path(f"{node}.sock"),
                    log_level=self.options.log_level,
                )
            )
        backend = f"127.0.0.1:{BACKEND_PORT}"
        self.path("shared.toml").write_text(
            files.shared_file(agents=agents, backend=backend, links=LINKS)
        )

    def helper(self, host, script, *arguments):
        """Starts one of the scripts beside this file on a host."""
        line = [*inside(host), sys.executable, "-B", str(HERE / script), *map(str, arguments)]
        log = open(self.path(f"{script}-{host}.err"), "wb")  # noqa: SIM115 (it is the child's)
        self.helpers.append(subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=log))
        log.close()
        return self.helpers[-1]

    def expect_served(self, limit=10.0):
        """The client of the run asks all the time; the settling of the run looks at its answers."""

    # --- faults of the network

    def drop(self, receiver, sender, how="cut"):
        self.drops[receiver, sender] = how
        self._filter(receiver)

    def heal(self):
        hosts = {receiver for receiver, _ in self.drops}
        self.drops.clear()
        for host in hosts:
            self._filter(host)

    def _filter(self, host):
        lines = ["flush ruleset"]
        rules = [
            f"ip saddr {ADDRESS[sender]} {DROPS[how]}"
            for (receiver, sender), how in self.drops.items()
            if receiver == host
        ]
        if rules:
            lines += ["table inet chaos {", "chain arriving {"]
            lines += ["type filter hook input priority 0", *rules, "}", "}"]
        command(*inside(host), "nft", "-f", "-", text="\n".join(lines) + "\n")

    # --- faults of the disk

    def fill(self, host):
        """Fills the disk of `host` to the last byte."""
        with open(self.path(host) / "ballast", "wb", buffering=0) as file:
            try:
                for size in (1 << 20, 1 << 12, 1):
                    chunk = b"x" * size
                    try:
                        while file.write(chunk) == size:
                            pass
                    except OSError:
                        continue
            finally:
                file.flush()

    def empty(self, host):
        (self.path(host) / "ballast").unlink(missing_ok=True)

    def trace(self, name, what):
        """Attaches strace to a process, with an injection into its syncs. Returns when it works."""
        log = self.path(f"strace-{name}.err")
        log.write_bytes(b"")
        with open(log, "wb") as errors:
            tracer = subprocess.Popen(
                ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
                 "-e", f"inject=fsync,fdatasync:{what}", "-p", str(self[name].pid)],
                stdin=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip
        wait_for(
            lambda: tracer.poll() is not None or b"attached" in log.read_bytes(),
            10,
            f"strace attaches to {name}",
        )
        expect(tracer.poll() is None, f"strace: {log.read_text(errors='replace')}")
        return tracer

    @staticmethod
    def untrace(tracer):
        """Detaches; what was traced goes on."""
        tracer.terminate()
        tracer.wait(10)

    # --- the end

    def report(self):
        """What the scenarios print, and for each thread what it waits for."""
        super().report()
        for name, process in self.processes.items():
            for task in sorted(pathlib.Path(f"/proc/{process.pid}/task").glob("*") if process.alive() else []):
                try:
                    status = (task / "status").read_text().split("\n")
                    told = [line for line in status if line.startswith(("Name", "State", "TracerPid"))]
                    print(f"{name} thread {task.name}:", *told, (task / "wchan").read_text(), flush=True)
                except OSError:
                    continue  # It has just ended.

    def stop(self):
        for helper in self.helpers:
            helper.terminate()
        for helper in self.helpers:
            try:
                helper.wait(30)  # The client waits for the answers that are under way.
            except subprocess.TimeoutExpired:
                helper.kill()
                helper.wait()
        for process in self.processes.values():
            process.thaw()
            process.kill()

    def keep(self):
        """Copies the data directories out of their disks, which vanish with the namespace."""
        for host in ("gateway", *NODES):
            shutil.copytree(self.path(host), self.path(f"{host}.data"), dirs_exist_ok=True)
