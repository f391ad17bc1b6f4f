"""The faults, and in which order they come.

A fault is what breaks something; mending is the same for all (`run.py`): links, disks and traces are
healed, what sleeps is woken, what is dead is started. `steady` promises that the roles do not change
while the fault lasts and until all is settled again: needless takeovers are a violation (B2).
"""

import dataclasses
import signal
from typing import Callable

from field import NODES

FAULTS = {}


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    act: Callable  # (run, master, shadow)
    hold: tuple  # Seconds: from, to.
    steady: bool = False
    traced: bool = False  # Needs strace.


def fault(hold=(0.3, 1.5), **more):
    def register(act):
        FAULTS[act.__name__] = Fault(act.__name__, act, hold, **more)
        return act

    return register


# --- processes


@fault()
def kill_master(run, master, shadow):
    run.field[master].kill()


@fault(steady=True)
def kill_shadow(run, master, shadow):
    run.field[shadow].kill()


@fault()
def kill_both(run, master, shadow):
    for node in run.random.sample(NODES, 2):
        run.field[node].kill()


@fault(steady=True)
def kill_gateway(run, master, shadow):
    run.field["gateway"].kill()


@fault()
def kill_all(run, master, shadow):
    for name in run.random.sample(("gateway", *NODES), 3):
        run.field[name].kill()


@fault()
def stop_master(run, master, shadow):
    run.field[master].terminate()


@fault(steady=True)
def stop_shadow(run, master, shadow):
    run.field[shadow].terminate()


@fault(steady=True)
def stop_gateway(run, master, shadow):
    run.field["gateway"].terminate()


@fault(hold=(0.2, 5.0))
def freeze_master(run, master, shadow):
    run.field[master].freeze()


@fault(hold=(0.2, 5.0), steady=True)
def freeze_shadow(run, master, shadow):
    run.field[shadow].freeze()


@fault(hold=(0.2, 5.0), steady=True)
def freeze_gateway(run, master, shadow):
    run.field["gateway"].freeze()


@fault(hold=(0.2, 3.0))
def freeze_both(run, master, shadow):
    for node in NODES:
        run.field[node].freeze()


@fault(hold=(0.1, 0.3))
def switch_roles(run, master, shadow):
    # Beside another fault it may be refused, and then says so.
    run.field.tool("umbra", "switch", at=master)


# --- links. `between` cuts both directions, `from` lets nothing of the one arrive at the other.


def between(run, one, other, how="cut"):
    run.field.drop(one, other, how)
    run.field.drop(other, one, how)


def links(steady, one, other, label):
    """The faults of one link; `one` and `other` choose from (master, shadow)."""

    def add(name, act):
        FAULTS[name] = Fault(name, act, (0.3, 2.5), steady)

    add(f"cut_{label}", lambda run, *pair: between(run, one(*pair), other(*pair)))
    add(f"cut_{label}_there", lambda run, *pair: run.field.drop(other(*pair), one(*pair)))
    add(f"cut_{label}_back", lambda run, *pair: run.field.drop(one(*pair), other(*pair)))
    add(f"refuse_{label}", lambda run, *pair: between(run, one(*pair), other(*pair), "refuse"))
    add(f"silent_{label}", lambda run, *pair: between(run, one(*pair), other(*pair), "silent"))


def the_master(master, shadow):
    return master


def the_shadow(master, shadow):
    return shadow


def the_gateway(master, shadow):
    return "gateway"


links(True, the_master, the_shadow, "peer")
links(False, the_master, the_gateway, "master_gateway")
links(True, the_shadow, the_gateway, "shadow_gateway")


@fault(hold=(0.5, 2.5))
def isolate_master(run, master, shadow):
    between(run, master, shadow)
    between(run, master, "gateway")


@fault(hold=(0.5, 2.5), steady=True)
def isolate_shadow(run, master, shadow):
    between(run, shadow, master)
    between(run, shadow, "gateway")


@fault(hold=(0.5, 2.5), steady=True)
def isolate_gateway(run, master, shadow):
    between(run, master, "gateway")
    between(run, shadow, "gateway")


@fault(hold=(0.5, 2.5))
def cut_everything(run, master, shadow):
    for one, other in ((master, shadow), (master, "gateway"), (shadow, "gateway")):
        between(run, one, other)


@fault(hold=(1.0, 3.0))
def loss_everywhere(run, master, shadow):
    for one, other in ((master, shadow), (master, "gateway"), (shadow, "gateway")):
        between(run, one, other, "loss")


# --- disks. Full for long enough that the last block is used up by edits.


@fault(hold=(2.0, 4.0))
def full_master(run, master, shadow):
    run.field.fill(master)


@fault(hold=(2.0, 4.0), steady=True)
def full_shadow(run, master, shadow):
    run.field.fill(shadow)


@fault(hold=(0.5, 2.0))
def full_gateway(run, master, shadow):
    run.field.fill("gateway")
    run.field[shadow].kill()  # Its register has to change: the shadow leaves the in-sync set.


def fsync_error(run, name):
    """A process that was told that its sync failed stops; it may not go on."""
    run.trace(name, "error=EIO:when=1")
    run.must_die.append(name)


@fault(hold=(0.5, 1.0), traced=True)
def fsync_error_master(run, master, shadow):
    fsync_error(run, master)


@fault(hold=(0.5, 1.0), traced=True, steady=True)
def fsync_error_shadow(run, master, shadow):
    fsync_error(run, shadow)


@fault(hold=(0.5, 1.0), traced=True)
def fsync_error_gateway(run, master, shadow):
    fsync_error(run, "gateway")
    run.field[master].kill()  # A claim is what it has to write down.


@fault(hold=(1.0, 2.5), traced=True)
def fsync_slow_master(run, master, shadow):
    run.trace(master, "delay_enter=300000")


@fault(hold=(1.0, 2.5), traced=True)
def fsync_slow_shadow(run, master, shadow):
    run.trace(shadow, "delay_enter=300000")


@fault(hold=(1.0, 2.0), traced=True)
def fsync_slow_gateway(run, master, shadow):
    run.trace("gateway", "delay_enter=300000")
    run.field[master].send(signal.SIGKILL)


def schedule(random, traced):
    """Endless: every fault once by itself and as many pairs, shuffled, and again. A pair is two
    faults a moment apart, which is where the interesting orders are."""
    usable = [f for f in FAULTS.values() if traced or not f.traced]
    while True:
        # The pairs come where single faults have been, so that the first half of a short run has
        # both kinds.
        singles = random.sample(usable, len(usable))
        pairs = random.sample(usable, len(usable))
        for number, single in enumerate(singles):
            yield [single]
            if number % 4 == 3:
                yield [pairs.pop(), random.choice(usable)]
