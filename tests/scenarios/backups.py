"""A disk is lost and comes back as it was some time ago."""

import shutil

from harness import Pair, expect, holds_for, scenario, wait_for


def offline(pair, node, *arguments, status=0):
    """A command about an instance by its file."""
    passphrase = pair.path("passphrase")
    passphrase.touch(mode=0o600)
    passphrase.write_text("correct horse battery\n")
    more = () if arguments[0] == "storage" else ("--passphrase-file", str(passphrase))
    config = ("--config", str(pair.path(f"{node}.toml")))
    return pair.run("umbra", *arguments, *config, *more, status=status)


def back_up(pair, node):
    file = pair.path(f"{node}.backup")
    offline(pair, node, "backup", str(file))
    return file


def lose_disk(pair, node):
    pair[node].kill()
    shutil.rmtree(pair.path(node))


def restore(pair, node, file):
    done = offline(pair, node, "restore", str(file))
    expect("starts as shadow" in done.stdout, f"it is told what it is: {done.stdout}")


def killed_and_saved(pair):
    """A backup of alpha as it is when it is killed as the master."""
    pair.set("alpha", 'probe.crm-backend.every="3s"')
    expect(pair.active() == "alpha", "alpha is master")
    pair["alpha"].kill()
    return back_up(pair, "alpha")


@scenario
def backup_of_a_former_master(options):
    """The pair moves on after the backup: the roles are switched twice, edits are made. Restored,
    the former master joins as the shadow and loses nothing of that."""
    with Pair(options).up() as pair:
        file = killed_and_saved(pair)
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        pair.set("beta", 'probe.crm-backend.every="4s"')
        pair.run("umbra", "switch", at="beta")
        pair.wait_settled("alpha", 30)
        pair.set("alpha", 'probe.crm-backend.every="5s"')

        lose_disk(pair, "alpha")
        wait_for(lambda: pair.active() == "beta", 10, "beta serves")
        pair.set("beta", 'takeover.grace_period="11s"')
        restore(pair, "alpha", file)
        requests = pair.request_loop()
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        for node in ("alpha", "beta"):
            expect(pair.value(node, "probe.crm-backend.every") == "5s", f"{node}: the edit before")
            expect(pair.value(node, "takeover.grace_period") == "11s", f"{node}: the edit since")
        divergent = pair.run("umbra", "config", "divergence", "list", at="alpha").stdout
        expect("no divergent edits" in divergent, f"alpha only had less: {divergent}")
        requests.stop()
        expect(not requests.failed(), f"somebody noticed: {requests.failed()}")

        # A full member again: it takes the role when it is its turn.
        pair["beta"].kill()
        wait_for(lambda: pair.active() == "alpha", 10, "alpha takes over")
        pair.expect_served()
        pair.start("beta")
        pair.wait_settled("alpha", 30)


@scenario
def backup_restored_alone(options):
    """Nobody else is there: what is restored was master when it was saved and does not serve,
    without a gateway and with one, until an operator says so."""
    with Pair(options).up() as pair:
        file = killed_and_saved(pair)
        for name in ("alpha", "beta", "gateway"):
            pair[name].kill()
        shutil.rmtree(pair.path("alpha"))
        restore(pair, "alpha", file)
        pair.start("alpha")

        def stays_shadow():
            return pair.status("alpha")["role"] == "shadow"

        holds_for(stays_shadow, 2, "alpha does not serve without a gateway")
        pair.start("gateway")
        wait_for(
            lambda: pair.status("alpha")["tunnels"][0]["state"] == "standby", 15, "alpha stands by"
        )
        holds_for(
            lambda: stays_shadow() and pair.active() is None, 3, "alpha does not serve by itself"
        )
        refused = pair.run("umbra", "switch", "--force", at="alpha", status=4).stderr
        expect("another data directory" in refused, f"the register knows better: {refused}")
        pair.run("umbra-gateway", "admit", "alpha", at="gateway")
        holds_for(lambda: pair.active() is None, 1, "admitted it does not serve by itself either")
        pair.run("umbra", "switch", "--force", at="alpha")
        wait_for(lambda: pair.active() == "alpha", 10, "alpha serves")
        pair.expect_served()
        expect(pair.value("alpha", "probe.crm-backend.every") == "3s", "with what was saved")
        pair.start("beta")
        pair.wait_settled("alpha", 30)


@scenario
def backup_needs_a_stop(options):
    """A running instance is not saved and not replaced."""
    with Pair(options).up() as pair:
        refused = offline(pair, "beta", "backup", str(pair.path("x")), status=4)
        expect("stop it first" in refused.stderr, refused.stderr)
        expect(not pair.path("x").exists(), "nothing is written")
        pair["beta"].kill()
        file = back_up(pair, "beta")
        pair.start("beta")
        refused = offline(pair, "beta", "restore", str(file), status=4)
        expect("is not empty" in refused.stderr, refused.stderr)
        pair.wait_settled("alpha")


@scenario
def storage_migrated(options):
    """An instance moves to another storage while the other one serves, and back again."""
    with Pair(options).up() as pair:
        config = pair.path("alpha.toml")
        text = config.read_text()
        pair.set("alpha", 'probe.crm-backend.every="3s"')
        migrate = ("alpha", "storage", "migrate", "--from")
        refused = offline(pair, *migrate, "file", "--to", "sqlite", status=4)
        expect("stop it first" in refused.stderr, refused.stderr)
        expect(pair["alpha"].terminate() == 0, "alpha stops")
        done = offline(pair, *migrate, "file", "--to", "sqlite")
        expect("in place of line" in done.stdout, done.stdout)
        config.write_text(text.replace('plugin = "file"', 'plugin = "sqlite"'))
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        pair.set("beta", 'probe.crm-backend.every="4s"')
        expect(pair["alpha"].terminate() == 0, "alpha stops")
        refused = offline(pair, *migrate, "sqlite", "--to", "file", status=4)
        expect("is not empty" in refused.stderr, refused.stderr)
        (pair.path("alpha") / "storage" / "config.log").unlink()
        offline(pair, *migrate, "sqlite", "--to", "file")
        config.write_text(text)
        pair.start("alpha")
        pair.wait_settled("beta", 30)
        expect(pair.value("alpha", "probe.crm-backend.every") == "4s", "with every edit")
