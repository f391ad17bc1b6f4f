"""Every process killed and started in every order: one master, one shadow, equal revisions."""

import itertools

import network
from harness import NODES, Pair, expect, scenario, wait_for

ALL = ("gateway", *NODES)


def settle(pair, number):
    """The pair is whole again, has the edit of before, and takes another one."""
    master = pair.wait_settled(limit=30)
    for node in NODES:
        value = pair.value(node, "probe.crm-backend.every")
        expect(value == f"{number}s", f"{node} has the edit before the kill: {value}")
    pair.set(master, f'probe.crm-backend.every="{number + 1}s"')


def restart_all(options, kills):
    """Kills all three in this order and starts them in each of the six orders. In every other
    round the survivors of a kill are given the time to react to it.
    """
    with Pair(options).up() as pair:
        number = 3
        pair.set("alpha", f'probe.crm-backend.every="{number}s"')
        for patient, starts in zip(itertools.cycle((False, True)), itertools.permutations(ALL)):
            print(f"kill {kills}, start {starts}, {'patient' if patient else 'at once'}")
            for name in kills:
                pair[name].kill()
                left = [node for node in NODES if pair[node].alive()]
                if patient and left and pair["gateway"].alive():
                    wait_for(lambda: pair.active() == left[0], 10, f"{left[0]} serves alone")
            if patient:
                pair.start(*starts)
            else:
                for name in starts:
                    pair[name].start()
            settle(pair, number)
            number += 1


def register_all():
    for kills in itertools.permutations(ALL):

        def run(options, kills=kills):
            restart_all(options, kills)

        run.__name__ = "restart_all_killed_" + "_".join(kills)
        scenario(run)


register_all()


@scenario
def restart_one_by_one(options):
    """In each order, one after the other: killed and started again at once, then with the others
    given the time to react."""
    with Pair(options).up() as pair:
        number = 3
        pair.set("alpha", f'probe.crm-backend.every="{number}s"')
        for patient in (False, True):
            for order in itertools.permutations(ALL):
                for name in order:
                    pair[name].kill()
                    other = [node for node in NODES if node != name]
                    if patient and name in NODES:
                        wait_for(lambda: pair.active() == other[0], 10, f"{other[0]} serves")
                    pair[name].start()
                    if patient:
                        pair.wait_settled(limit=30)
                settle(pair, number)
                number += 1


@scenario
def restart_with_only_the_shadow_back(options):
    """All down at once and the master stays away: the shadow was in sync, so it serves when the
    gateway grants it (B12); the master comes back as the shadow."""
    with Pair(options).up() as pair:
        pair.set("alpha", 'probe.crm-backend.every="3s"')
        for name in ALL:
            pair[name].kill()
        pair.start("beta", "gateway")
        wait_for(lambda: pair.active() == "beta", 15, "beta serves")
        pair.expect_served()
        expect(pair.value("beta", "probe.crm-backend.every") == "3s", "with the last edit")
        pair.start("alpha")
        pair.wait_settled("beta")


@scenario
def restart_without_gateway(options):
    """Both instances come back while the gateway is away: nobody claims to serve; when it returns
    the last master does."""
    with Pair(options).up() as pair:
        for name in ALL:
            pair[name].kill()
        pair.start("alpha", "beta")
        wait_for(lambda: "no-gateway" in pair.alerts("alpha"), 5, "alpha says what it waits for")
        expect(pair.status("alpha")["state"] == "starting", "alpha does not serve")
        expect(pair.status("beta")["role"] == "shadow", "beta does not serve")
        pair.start("gateway")
        pair.wait_settled("alpha")
        expect("no-gateway" not in pair.alerts("alpha"), "the alert is cleared")


@scenario
def initial_configuration_corrected(options):
    """A wrong address of the gateway in the very first configuration: nobody becomes master, so no
    command can correct it. The file can, until there was a master; after that it counts no more."""
    with Pair(options) as pair:
        file = pair.path("shared.toml")
        right = file.read_text()
        address = f"{network.HOST}:{pair.agents_port}"
        expect(right.count(address) == 1, right)
        file.write_text(right.replace(address, f"{network.HOST}:1"))
        pair.start("gateway", "alpha")
        told = pair.run("umbra", "config", "unset", "probe", at="alpha", status=4).stderr
        for words in ("the gateway of tunnel main was not reached", "[shared] initial", "restart"):
            expect(words in told, f"says {words!r}: {told}")
        pair["alpha"].kill()
        pair.start("alpha")
        expect(pair.status("alpha")["revision"] == "0.1", "nothing new, nothing imported")
        pair["alpha"].kill()
        file.write_text(right)
        pair.start("alpha")
        pair.enrol("alpha")
        wait_for(lambda: pair.active() == "alpha", 15, "alpha serves the tunnel")
        expect(pair.status("alpha")["revision"] == "0.2", "imported once more")
        pair.expect_served()

        pair["alpha"].kill()
        file.write_text(right.replace(address, f"{network.HOST}:1"))
        pair.start("alpha")
        wait_for(lambda: pair.active() == "alpha", 15, "alpha serves again, with what it has")
        expect(pair.status("alpha")["revision"] == "0.2", "imported no more")


@scenario
def large_initial_configuration(options):
    """Larger than one edit may be: it is imported, read again at a restart, and the shadow gets it."""
    with Pair(options) as pair:
        file = pair.path("shared.toml")
        backends = ", ".join(f'"10.0.0.{i}:8080"' for i in range(60))
        with file.open("a") as text:
            for i in range(1000):
                text.write(
                    f'[tunnel.main.mapping.m{i}]\nvirtual = "m{i}.cloud:80"\n'
                    f'internal = [{backends}]\nprotocol = "tcp"\n'
                )
        expect(file.stat().st_size > 1024 * 1024, "more than the largest entry")
        pair.up()
        expect(pair.status("beta")["peer"]["in_sync"], "beta has all of it")
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 15, "beta takes over")
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        pair.expect_served()


@scenario
def gateway_moved_meanwhile(options):
    """Both instances start again, and the gateway has another address: nobody becomes master, so
    no edit is possible. A repair is; it becomes an edit, and no other is lost."""
    with Pair(options).up() as pair:
        pair.set("alpha", 'probe.crm-backend.every="3s"')
        pair.wait_settled("alpha")
        for node in ("beta", "alpha", "gateway"):
            pair[node].kill()
        old, (new,) = pair.agents_port, network.free_ports(1)
        file = pair.path("gateway.toml")
        file.write_text(file.read_text().replace(f":{old}", f":{new}"))
        pair.start("gateway", "alpha", "beta")
        told = pair.run("umbra", "config", "set", "probe.crm-backend.every=4s", at="alpha", status=4)
        expect("umbra config repair" in told.stderr, f"says what to do: {told.stderr}")
        repair = ("umbra", "config", "repair", "--config", str(pair.path("alpha.toml")),
                  f"tunnel.main.options.address={network.HOST}:{new}")  # fmt: skip
        pair.run(*repair, status=4)
        pair["alpha"].kill()
        pair.run(*repair)
        pair.start("alpha")
        wait_for(lambda: pair.active() == "alpha", 15, "alpha serves at the new address")
        pair.wait_settled("alpha", 30)
        for node in NODES:
            expect(pair.value(node, "probe.crm-backend.every") == "3s", f"{node} has the edit before")
            address = pair.value(node, "tunnel.main.options.address")
            expect(address == f"{network.HOST}:{new}", f"{node} has the repair: {address}")
        expect(not (pair.path("alpha") / "repair.json").exists(), "it is an edit now")
        told = pair.run("umbra", "config", "history", "--max", "1", at="beta").stdout
        expect("repair of alpha" in told, f"and the history says so: {told}")
        pair.expect_served()
        pair["alpha"].kill()
        wait_for(lambda: pair.active() == "beta", 10, "beta reaches it too")


@scenario
def repair_of_a_shadow_is_forgotten(options):
    """Another instance is master, so its configuration works: that counts."""
    with Pair(options).up() as pair:
        pair["beta"].kill()
        repair = ("umbra", "config", "repair", "--config", str(pair.path("beta.toml")))
        pair.run(*repair, "takeover.grace_period=44s")
        pair.start("beta")
        pair.wait_settled("alpha", 30)
        wait_for(lambda: "repair" not in pair.alerts("beta"), 5, "it is forgotten")
        expect(not (pair.path("beta") / "repair.json").exists(), "also on disk")
        expect(pair.value("beta", "takeover.grace_period") is None, "and was no edit")
