"""Starts a pair with its gateway as real processes, and looks at it from outside."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import files
import network

NODES = ("alpha", "beta")
LINKS = 2
SCENARIOS = {}


class Failure(Exception):
    """What was expected did not happen."""


def scenario(function):
    """Registers a scenario under its name; it is called with the options of run.py."""
    SCENARIOS[function.__name__] = function
    return function


def expect(condition, text):
    if not condition:
        raise Failure(text)


def wait_for(condition, limit, text):
    """Polls until `condition()` gives something true and returns that. An OSError counts as not
    yet: a process that starts or stops does not answer.
    """
    end = time.monotonic() + limit
    error = None
    while True:
        try:
            if value := condition():
                return value
        except (OSError, KeyError, ValueError) as problem:
            error = problem
        if time.monotonic() >= end:
            raise Failure(f"not within {limit} s: {text}" + (f" ({error!r})" if error else ""))
        time.sleep(0.02)


def holds_for(condition, length, text):
    """Polls that `condition()` stays true for `length` seconds."""
    end = time.monotonic() + length
    while time.monotonic() < end:
        expect(condition(), text)
        time.sleep(0.02)


def without_proxies(environment):
    """Whoever runs this may sit behind a proxy that does not lead to this host."""
    return {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}


class Process:
    """One daemon with its log. Started and stopped by its own pid only."""

    def __init__(self, name, arguments, log):
        self.name, self.arguments, self.log = name, arguments, log
        self.environment = None  # More than this process has.
        self.child = None

    def start(self):
        expect(not self.alive(), f"{self.name} runs already")
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**without_proxies(os.environ), **(self.environment or {})},
            )  # fmt: skip
        return self

    def alive(self):
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        return self.child.pid

    def send(self, what):
        if self.alive():
            self.child.send_signal(what)

    def kill(self):
        self.send(signal.SIGKILL)
        if self.child is not None:
            self.child.wait(10)

    def freeze(self):
        self.send(signal.SIGSTOP)

    def thaw(self):
        self.send(signal.SIGCONT)

    def terminate(self, limit=30):
        """SIGTERM, and the exit status."""
        self.send(signal.SIGTERM)
        try:
            return self.child.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not stop within {limit} s of SIGTERM") from None

    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def log_text(self):
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""


class Pair:
    """A gateway, two instances and a backend in a temporary directory; use it with `with`.

    peer      lines added to [peer] of both instances, by the key
    gateway   lines added to [gateway]
    takeover  lines of [takeover] of the shared configuration
    storage   lines of [storage], by the instance; file where there is none
    proxied   the two instances reach each other through proxies: `pair.proxies`
    """

    def __init__(self, options, proxied=False, peer="", gateway="", takeover="", storage=None):
        self.options = options
        self.binaries = pathlib.Path(options.build) / "bin"
        self.plugins = pathlib.Path(options.build) / "plugins.d"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="umbra-"))
        self.backend = network.Backend()
        self.loops = []
        ports = iter(network.free_ports(6))
        self.agents_port, self.port = next(ports), next(ports)
        self.own = {n: {"publish": next(ports), "respond": next(ports)} for n in NODES}
        # What leads to an instance's endpoint, from the other one.
        self.proxies = (
            {n: {w: network.Proxy(p) for w, p in self.own[n].items()} for n in NODES}
            if proxied
            else {}
        )
        self.processes = {}
        self._write_gateway(gateway)
        self.peer = peer
        self.write_instances(storage or {})
        self._write_shared(takeover)

    # --- files

    def path(self, name):
        return self.directory / name

    def _add(self, name, program):
        arguments = [str(self.binaries / program), "run", str(self.path(f"{name}.toml"))]
        self.processes[name] = Process(name, arguments, self.path(f"{name}.log"))

    def _write_gateway(self, more):
        self._add("gateway", "umbra-gateway")
        self.path("gateway.toml").write_text(
            files.gateway_file(
                data_dir=self.path("gateway"),
                admin=self.path("gateway.sock"),
                agents=f"{network.HOST}:{self.agents_port}",
                clients=f"{network.HOST}:{self.port}",
                more=more,
            )
        )

    def write_instances(self, storage):
        """Again, for a storage that is known later."""
        for node, role in zip(NODES, ("master", "shadow")):
            self._write_instance(node, role, storage.get(node, ""))

    def _write_instance(self, node, role, storage):
        self._add(node, "umbra")
        other = NODES[1 - NODES.index(node)]
        own, theirs = self.own[node], dict(self.own[other])
        if self.proxies:
            theirs = {what: proxy.port for what, proxy in self.proxies[other].items()}
        own, theirs = (
            files.ends(*(f"{network.HOST}:{side[what]}" for what in ("publish", "respond")))
            for side in (own, theirs)
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
                storage=storage,
                peer=self.peer,
            )
        )

    def _write_shared(self, takeover):
        self.path("shared.toml").write_text(
            files.shared_file(
                agents=f"{network.HOST}:{self.agents_port}",
                backend=f"{network.HOST}:{self.backend.port}",
                links=LINKS,
                takeover=takeover,
            )
        )

    # --- from nothing to a pair in sync

    def __enter__(self):
        return self

    def up(self):
        """Starts all, enrols and pairs; returns when all is in sync and requests are served."""
        for name in ("gateway", *NODES):
            self.start(name)
        self.enrol("alpha")
        wait_for(lambda: self.active() == "alpha", 15, "alpha serves the tunnel")
        self.pair_up()
        self.enrol("beta")
        self.wait_settled("alpha", 20)
        return self

    def start(self, *names):
        for name in names:
            self.processes[name].start()
            wait_for(lambda: self.status(name), 15, f"{name} answers status")

    def enrol(self, node):
        # The tunnel of a shadow exists once the configuration has arrived.
        wait_for(lambda: self.status(node)["tunnels"], 15, f"{node} knows its tunnel")
        invitation = self.run("umbra-gateway", "invite", node, at="gateway").stdout.strip()
        self.run("umbra", "tunnel", "enrol", "main", invitation, at=node)

    def pair_up(self):
        invitation = self.run("umbra", "peer", "invite", at="alpha").stdout.strip()
        self.run("umbra", "peer", "join", invitation, at="beta")

    # --- acting

    def __getitem__(self, name):
        return self.processes[name]

    def tool(self, program, *arguments, at=None, limit=30):
        """Runs a command; `at` is the process it talks to."""
        command = [str(self.binaries / program), *arguments]
        if at is not None:
            command += ["--admin", f"unix:{self.path(at)}.sock"]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=limit, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, program, *arguments, at=None, status=0):
        """Runs a command that has to end with `status`."""
        done = self.tool(program, *arguments, at=at)
        expect(
            done.returncode == status,
            f"{program} {' '.join(arguments)} at {at}: exit status {done.returncode} instead of "
            f"{status}\n{done.stdout}{done.stderr}",
        )
        return done

    def set(self, node, *pairs, status=0):
        return self.run("umbra", "config", "set", *pairs, at=node, status=status)

    def value(self, node, key):
        done = self.tool("umbra", "config", "get", key, at=node)
        return done.stdout.strip() if done.returncode == 0 else None

    def request_loop(self, **options):
        self.loops.append(network.RequestLoop(self.port, **options))
        return self.loops[-1]

    def expect_served(self, limit=10.0):
        body = network.fetch(self.port, limit)
        expect(body == self.backend.BODY, f"another body: {body!r}")

    def each_proxy(self, act):
        """Calls `cut`, `half`, `refuse` or `heal` of every proxy between the two instances."""
        for ends in self.proxies.values():
            for proxy in ends.values():
                getattr(proxy, act)()

    # --- looking

    def ask(self, name, method, target, body=None, limit=5):
        """What the admin API answers. Raises OSError when nobody does."""
        connection = network.UnixConnection(str(self.path(f"{name}.sock")), limit)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, target, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"{name} broke off: {error!r}") from error
        finally:
            connection.close()
        expect(answer.status in (200, 202), f"{name}: {target}: {answer.status} {text!r}")
        return json.loads(text)

    def status(self, name):
        return self.ask(name, "GET", "/v1/status")

    def edit(self, node, key, value):
        """One edit through the API, as fast as it goes."""
        change = {"key": key, "value": value}
        return self.ask(node, "POST", "/v1/config/edit", {"changes": [change]}, limit=10)

    def register(self):
        """What the gateway says about the pair."""
        pairs = self.status("gateway")["pairs"]
        return pairs[0] if pairs else {"epoch": 0, "active": None, "holder": None, "in_sync": []}

    def active(self):
        """The instance to which the gateway sends new streams and that is there, or None."""
        register = self.register()
        there = {node["node"] for node in register.get("nodes", []) if node["connected"]}
        return register["active"] if register["active"] in there else None

    def alerts(self, node):
        return {alert["id"]: alert for alert in self.status(node)["alerts"]}

    def is_settled(self, master=None):
        """One master that serves, one shadow that is ready, equal revisions."""
        states = {node: self.status(node) for node in NODES}
        roles = {states[node]["role"]: node for node in NODES}
        if set(roles) != {"master", "shadow"} or (master and roles["master"] != master):
            return None
        lead, follow = states[roles["master"]], states[roles["shadow"]]
        register = self.register()
        settled = (
            lead["state"] == "active"
            and follow["state"] == "ready"
            and lead["peer"]["state"] == "ready"
            and lead["peer"]["rtt_us"] is not None  # The master reaches the shadow as well.
            and lead["peer"]["in_sync"]
            and lead["revision"] == follow["revision"]
            and register["active"] == roles["master"] == register["holder"]
            and register["epoch"] == lead["epoch"] == follow["epoch"]
            and set(register["in_sync"]) == set(NODES)
            and all(tunnel["state"] == "standby" for tunnel in follow["tunnels"])
            and all(t["links"] == LINKS for node in NODES for t in states[node]["tunnels"])
        )
        return roles["master"] if settled else None

    def wait_settled(self, master=None, limit=20):
        """Waits until all is as it should be, sees a request served, and returns the master."""
        who = f" with {master} as master" if master else ""
        found = wait_for(
            lambda: self.is_settled(master), limit, f"one master, one shadow, in sync{who}"
        )
        self.expect_served()
        return found

    # --- the end

    def report(self):
        """For a failure: what each process says of itself and the end of its log."""
        for name, process in self.processes.items():
            print(f"--- {name}: {'runs' if process.alive() else 'does not run'}")
            try:
                print(json.dumps(self.status(name)))
            except (OSError, ValueError, Failure) as error:
                print(f"no status: {error!r}")
            print("\n".join(process.log_text().splitlines()[-40:]), flush=True)

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.report()
        for loop in self.loops:
            loop.stopping.set()
        for process in self.processes.values():
            process.kill()
        for loop in self.loops:
            loop.stop()
        for ends in self.proxies.values():
            for proxy in ends.values():
                proxy.close()
        self.backend.close()
        if not self.options.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            print(f"kept: {self.directory}")
