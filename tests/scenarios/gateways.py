"""Two gateways: one register of record that the other follows, or one register in etcd for both."""

import time

import files
import network
from harness import LINKS, NODES, Pair, expect, holds_for, scenario, wait_for
from storages import Etcd

HOLD = 2.0


class TwoGateways(Pair):
    """A pair with a tunnel to a second gateway, "backup", beside "main"."""

    def __init__(self, options):
        super().__init__(options, takeover='register = "main"')
        self.backup_agents, self.backup_port = network.free_ports(2)
        self._add("backup", "umbra-gateway")
        text = files.gateway_file(
            data_dir=self.path("backup"),
            admin=self.path("backup.sock"),
            agents=f"{network.HOST}:{self.backup_agents}",
            clients=f"{network.HOST}:{self.backup_port}",
        )
        self.path("backup.toml").write_text(text.replace('"cloud-1"', '"cloud-2"'))
        with open(self.path("shared.toml"), "a", encoding="ascii") as shared:
            shared.write(f"""[tunnel.backup]
plugin = "gateway"
options = {{ address = "{network.HOST}:{self.backup_agents}", links = {LINKS} }}
[tunnel.backup.mapping.crm]
virtual = "{files.VIRTUAL}"
internal = "{network.HOST}:{self.backend.port}"
protocol = "tcp"
""")

    def up(self):
        self.start("backup")
        super_up = super().up()
        wait_for(lambda: self.at_backup()["active"] == "alpha", 20, "alpha serves both gateways")
        return super_up

    def enrol(self, node):
        super().enrol(node)
        invitation = self.run("umbra-gateway", "invite", node, at="backup").stdout.strip()
        self.run("umbra", "tunnel", "enrol", "backup", invitation, at=node)

    def at_backup(self):
        return self.status("backup")["pairs"][0]

    def expect_backup_served(self, node, limit=20):
        wait_for(lambda: self.at_backup()["active"] == node, limit, f"{node} serves the backup")
        body = network.fetch(self.backup_port, 10)
        expect(body == self.backend.BODY, f"another body: {body!r}")

    def tunnel(self, node, name):
        return next(t for t in self.status(node)["tunnels"] if t["name"] == name)


def on_etcd(options):
    """Two gateways on one etcd, which ends with the pair."""
    pair = TwoGateways(options)
    etcd = Etcd(pair.directory)
    pair.processes["etcd"] = etcd.process
    register = (
        f'register = {{ store = "etcd", endpoints = ["{etcd.url}"], hold = "{int(HOLD * 1000)}ms" }}'
    )
    for name in ("gateway", "backup"):
        path = pair.path(f"{name}.toml")
        path.write_text(path.read_text().replace("[gateway]\n", f"[gateway]\n{register}\n"))
    return pair, etcd


@scenario
def gateways_share_a_register(options):
    """Either gateway may die, and then the master; whichever is left grants (B15)."""
    pair, etcd = on_etcd(options)
    with pair:
        pair.up()
        pair.expect_backup_served("alpha")
        for name in ("gateway", "backup"):
            wait_for(lambda: pair.status(name)["register"]["watched"], 5, f"{name} watches etcd")
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
        pair.expect_backup_served("beta")
        start = time.monotonic()
        pair["beta"].kill()
        wait_for(lambda: pair.active() == "alpha", 15, "alpha takes over")
        print(f"takeover with both gateways: {time.monotonic() - start:.3f} s")
        pair.expect_backup_served("alpha")
        pair.start("beta")
        pair.wait_settled("alpha", 30)

        # The register of record is out of reach, and the other gateway has the same one.
        pair["gateway"].kill()
        pair.expect_backup_served("alpha")
        wait_for(lambda: pair.tunnel("beta", "main")["state"] != "standby", 10, "beta lost main")
        pair["alpha"].kill()
        pair.expect_backup_served("beta", 30)
        epoch = pair.at_backup()["epoch"]
        pair.start("gateway")
        wait_for(lambda: pair.active() == "beta", 20, "beta serves main again")
        expect(pair.register()["epoch"] == epoch, "without another epoch")
        pair.expect_served()
        pair.start("alpha")
        pair.wait_settled("beta", 30)


@scenario
def gateways_lose_etcd(options):
    """Without etcd nothing is granted; routing ends after `hold`, and comes back with it."""
    pair, etcd = on_etcd(options)
    with pair:
        pair.up()
        epoch = pair.register()["epoch"]
        etcd.process.kill()
        pair.expect_served()
        wait_for(lambda: not pair.status("backup")["register"]["reachable"], 10, "it is noticed")
        done = pair.tool("umbra", "switch", "--force", at="beta")
        expect(done.returncode != 0, f"nothing is granted: {done.stdout}")
        expect("cannot ask the register" in done.stderr, f"and it is said why: {done.stderr}")
        for name in ("gateway", "backup"):
            wait_for(
                lambda n=name: pair.status(n)["pairs"][0]["suspended"], HOLD + 10, f"{name} stops routing"
            )
        etcd.start()
        pair.expect_served(30)
        pair.expect_backup_served("alpha")
        expect(pair.register()["epoch"] == epoch, "the same epoch is served again")
        pair.wait_settled("alpha", 30)


@scenario
def gateway_follows_the_register_of_record(options):
    """Two gateways with a register each: one grants, the other follows, also after it was away."""
    with TwoGateways(options).up() as pair:
        pair.expect_backup_served("alpha")
        pair.run("umbra", "switch", at="alpha")
        pair.wait_settled("beta")
        pair.expect_backup_served("beta")

        # A tunnel that is down keeps nobody from taking over by the other (P9).
        pair["backup"].kill()
        pair["beta"].kill()
        wait_for(lambda: pair.active() == "alpha", 15, "alpha takes over by main alone")
        pair.start("backup")
        pair.expect_backup_served("alpha")
        expect(pair.at_backup()["epoch"] == pair.register()["epoch"], "it follows, epochs later")
        pair.start("beta")
        pair.wait_settled("alpha", 30)

        # Without the register of record nobody takes over by himself.
        pair["gateway"].kill()
        pair.expect_backup_served("alpha")
        wait_for(lambda: pair.tunnel("beta", "main")["state"] != "standby", 10, "beta lost main")
        pair["alpha"].kill()
        holds_for(lambda: pair.status("beta")["role"] == "shadow", 5, "beta stays the shadow")
        pair.run("umbra", "switch", "--force", at="beta")
        pair.expect_backup_served("beta")
        pair.start("gateway")
        wait_for(lambda: pair.active() == "beta", 20, "the register of record is told")
        pair.expect_served()
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        expect({n: pair.status(n)["role"] for n in NODES} == {"alpha": "shadow", "beta": "master"}, "roles")
