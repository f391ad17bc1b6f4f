"""A pair whose only tunnel cannot fence: an SSH server, by the provider `ssh` and by `exec`."""

import getpass
import os
import pathlib
import shutil
import socket
import subprocess

import network
from harness import NODES, Pair, Process, expect, holds_for, scenario, wait_for

SSHD = "/usr/sbin/sshd"


class SshPair(Pair):
    """A pair without a gateway: its instances log in to a real sshd, and clients connect to a port
    of that. `provider` is ssh, or exec, which runs the same client as an existing command.
    """

    def __init__(self, options, provider="ssh", **more):
        self.provider = provider
        expect(shutil.which("ssh") and os.access(SSHD, os.X_OK), "openssh-client and -server are needed")
        super().__init__(options, peer='takeover_delay = "1s"', **more)

    def _write_gateway(self, more):
        """The SSH server instead, with keys of its own."""
        for name in ("host", "identity"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True
            )
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.path("sshd.conf").write_text(
            f"ListenAddress {network.HOST}:{self.agents_port}\n"
            f"HostKey {self.path('host')}\nAuthorizedKeysFile {self.path('identity.pub')}\n"
            "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nGatewayPorts clientspecified\n"
        )
        arguments = [SSHD, "-D", "-e", "-f", str(self.path("sshd.conf"))]
        self.processes["sshd"] = Process("sshd", arguments, self.path("sshd.log"))

    def host_key(self):
        return " ".join(self.path("host.pub").read_text().split()[:2])

    def _write_shared(self, takeover):
        backend = f"{network.HOST}:{self.backend.port}"
        self.path("known_hosts").write_text(f"[{network.HOST}]:{self.agents_port} {self.host_key()}\n")
        if self.provider == "ssh":
            tunnel = f"""options = {{ address = "{network.HOST}:{self.agents_port}", \
user = "{getpass.getuser()}", identity_file = "{self.path('identity')}", \
host_keys = ["{self.host_key()}"], reconnect_max = "500ms" }}"""
        else:
            words = [
                *("ssh", "-F", "none", "-N", "-v", "-o", "BatchMode=yes"),
                *("-o", "ExitOnForwardFailure=yes", "-o", f"UserKnownHostsFile={self.path('known_hosts')}"),
                *("-i", str(self.path("identity")), "-p", str(self.agents_port)),
                *("-R", f"{network.HOST}:{self.port}:{backend}", f"{getpass.getuser()}@{network.HOST}"),
            ]
            tunnel = f"""options = {{ command = {words!r}, \
ready_output = "remote forward success", restart_max = "500ms" }}"""
        self.path("shared.toml").write_text(f"""[tunnel.main]
plugin = "{self.provider}"
{tunnel}
[tunnel.main.mapping.crm]
virtual = "crm.cloud:{self.port}"
internal = "{backend}"
protocol = "tcp"
[probe.crm-backend]
plugin = "exec"
every = "2s"
options = {{ command = ["true"] }}
[takeover]
{takeover}
""".replace("\\\n", ""))

    def up(self):
        self.processes["sshd"].start()
        wait_for(
            lambda: socket.create_connection((network.HOST, self.agents_port), 1).close() or True,
            10,
            "sshd accepts",
        )
        self.start(*NODES)
        wait_for(lambda: self.tunnel("alpha")["state"] == "active", 15, "alpha serves the tunnel")
        self.pair_up()
        self.wait_settled("alpha")
        return self

    def tunnel(self, node):
        return self.status(node)["tunnels"][0]

    def is_settled(self, master=None):
        states = {node: self.status(node) for node in NODES}
        roles = {states[node]["role"]: node for node in NODES}
        if set(roles) != {"master", "shadow"} or (master and roles["master"] != master):
            return None
        lead, follow = states[roles["master"]], states[roles["shadow"]]
        settled = (
            lead["state"] == "active"
            and follow["state"] == "ready"
            and lead["peer"]["in_sync"]
            and lead["revision"] == follow["revision"]
            and lead["epoch"] == follow["epoch"]
            and lead["tunnels"][0]["state"] == "active"
            and lead["tunnels"][0]["epoch"] == lead["epoch"]
            and follow["tunnels"][0]["state"] == "standby"
        )
        return roles["master"] if settled else None


def taken_over(options, provider):
    with SshPair(options, provider).up() as pair:
        for node in NODES:
            tunnel = pair.tunnel(node)
            expect(tunnel["plugin"] == provider and tunnel["fences"] is False, f"cannot fence: {tunnel}")
        for master, shadow in (("alpha", "beta"), ("beta", "alpha")):
            loop = pair.request_loop()
            wait_for(lambda: loop.answered() > 20, 10, "requests flow")
            pair[master].kill()
            # Its client dies with it; else the server would keep the port for it.
            wait_for(lambda: pair.tunnel(shadow)["state"] == "active", 15, f"{shadow} serves")
            seen = loop.answered()
            wait_for(lambda: loop.answered() > seen + 20, 10, "requests flow again")
            loop.stop()
            print(f"outage {loop.outage() * 1000:.0f} ms")
            pair.start(master)
            pair.wait_settled(shadow)


@scenario
def ssh_master_killed(options):
    """kill -9 of the master: the server gets its port back, the shadow opens it and serves."""
    taken_over(options, "ssh")


@scenario
def exec_master_killed(options):
    """The same where the tunnel is a command that somebody had."""
    taken_over(options, "exec")


@scenario
def ssh_switch_keeps_open_streams(options):
    """A switch of roles: new streams go to the new master, one that is open lives on."""
    with SshPair(options).up() as pair:
        stream = socket.create_connection((network.HOST, pair.port), timeout=20)
        with stream, stream.makefile("rb") as lines:
            stream.sendall(b"LINES\nbefore\n")
            expect(lines.readline() == b"before\n", "the stream is open")
            # The master hears with the next message that beta's tunnel stands by.
            wait_for(
                lambda: pair.tool("umbra", "switch", at="alpha").returncode == 0, 10, "the roles switch"
            )
            pair.wait_settled("beta")
            stream.sendall(b"after\n")
            expect(lines.readline() == b"after\n", "the stream lives on")
            expect("earlier session" in pair.tunnel("alpha")["detail"], "and alpha says so")
        wait_for(lambda: not pair.tunnel("alpha")["detail"], 10, "the earlier session ends with it")


@scenario
def ssh_server_restarted(options):
    """The server is killed and comes back: nobody changes the role, requests flow again."""
    with SshPair(options, takeover='on_tunnel_loss = "60s"').up() as pair:
        listener = pair["sshd"].pid
        sessions = subprocess.run(
            ["pgrep", "-P", str(listener)], capture_output=True, text=True, check=True
        ).stdout.split()
        pair["sshd"].kill()
        for session in sessions:
            subprocess.run(["kill", "-9", session], check=True)
        for node in NODES:
            wait_for(
                lambda n=node: pair.tunnel(n)["state"] == "connecting"
                and "Connection refused" in pair.tunnel(n)["detail"],
                20,
                f"{node} tells why it does not serve",
            )
        holds_for(lambda: pair.status("beta")["role"] == "shadow", 2, "the roles stay")
        pair["sshd"].start()
        pair.wait_settled("alpha")


@scenario
def ssh_frozen_master(options):
    """A frozen instance's client goes on serving, so that nobody is refused; when it wakes up, the
    new master gets the port."""
    with SshPair(options).up() as pair:
        loop = pair.request_loop()
        pair["alpha"].freeze()
        wait_for(lambda: pair.status("beta")["role"] == "master", 15, "beta takes over")
        wait_for(
            lambda: "the server does not listen on" in pair.tunnel("beta")["detail"],
            10,
            "beta tells why it does not serve yet",
        )
        expect(pair.tunnel("beta")["state"] == "standby", f"it stands by: {pair.tunnel('beta')}")
        pair.expect_served()
        pair["alpha"].thaw()
        pair.wait_settled("beta")
        loop.stop()
        print(f"outage {loop.outage() * 1000:.0f} ms")
        expect(loop.outage() < 2, f"outage of {loop.outage():.3f} s")
