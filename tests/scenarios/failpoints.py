"""An instance and a gateway killed in the middle of every change of one of their own files: the role
and epoch, keys, the register, the roster. Each starts again, and nothing is lost or half done."""

import mmap
import os
import pathlib
import shutil
import struct

from edits import GRACE, PROVISIONAL, divergences
from harness import NODES, Failure, Pair, expect, scenario, wait_for

PAGE = 1024  # tests/integration/failpoint/page.hpp
KILL, TORN = 1, 2
CHANGES_MAX = 500
EVERY = "probe.crm-backend.every"


class Failpoint:
    """What happens at the n-th change of a file of one process."""

    def __init__(self, pair, name):
        self.pair, self.name = pair, name
        library = pathlib.Path(pair.options.build) / "tests" / "libumbra_failpoint.so"
        page = pair.path(f"{name}.page")
        page.write_bytes(bytes(PAGE))
        with open(page, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), PAGE)
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.environment = {"LD_PRELOAD": str(library), "UMBRA_FAILPOINT": str(page), "ASAN_OPTIONS": asan}

    def start(self, at, how, below=""):
        """Starts the process, which dies at that change of what is `below` in its directory."""
        under = str(self.pair.path(self.name) / below).encode()
        self.page[:] = struct.pack("<QIIQQ480x512s", at, how, 0, 0, 0, under)
        process = self.pair[self.name]
        process.environment = self.environment
        process.start()
        process.environment = None

    @property
    def struck(self):
        return struct.unpack_from("<Q", self.page, 24)[0] != 0

    @property
    def where(self):
        call, path = (self.page[a:b].rstrip(b"\0").decode() for a, b in ((32, 64), (64, 512)))
        return f"{call} of {path}"

    def dead(self):
        return not self.pair[self.name].alive()

    def until(self, condition, limit, text):
        """Waits for it, or for the end of the process. @return whether that lives."""
        wait_for(lambda: self.dead() or condition(), limit, text)
        return not self.dead()


def lives(pair, name, live, check, how=TORN, below="", before=lambda: None):
    """Lets `name` live the life `live(point)` and die at its first change of what is `below` in its
    directory, its second, and so on, until a life has fewer. Each life is prepared by `before`; after
    each death the process is started again and `check`ed."""
    point, places = Failpoint(pair, name), []
    for at in range(1, CHANGES_MAX):
        before()
        point.start(at, how, below)
        try:
            live(point)
        except (OSError, Failure):
            if not point.dead() and not point.struck:
                raise
        if not point.struck:
            break
        wait_for(point.dead, 10, f"{name} is killed at change {at}")
        places.append(point.where)
        try:
            pair.start(name)
            check()
        except Failure as failure:
            raise Failure(f"after a kill in the middle of change {at}, {point.where}: {failure}") from None
        pair[name].kill()
    pair[name].kill()
    print(f"{name} was killed {len(places)} times: " + ", ".join(sorted({p.rsplit('/', 1)[-1] for p in places})))
    return places


@scenario
def first_start_killed_everywhere(options):
    """The very first start of a master, with its import of the shared configuration."""
    with Pair(options) as pair:

        def live(point):
            if point.until(lambda: pair.status("alpha")["revision"] == "0.1", 15, "alpha has imported"):
                pair.run("umbra", "peer", "invite", at="alpha")
                pair["alpha"].terminate()

        def check():
            expect(pair.status("alpha")["revision"] == "0.1", "the configuration is imported, once")
            expect(pair.value("alpha", EVERY) == "2s", "and whole")
            pair["alpha"].kill()
            pair.start("alpha")
            shutil.rmtree(pair.path("alpha"))

        places = lives(pair, "alpha", live, check)
        for part in ("state.json", "config.log", "curve.key"):
            expect(any(part in place for place in places), f"it was killed at {part}: {places}")


@scenario
def master_killed_everywhere(options):
    """A master that starts, claims its epoch, takes edits, is paused, and stops."""
    with Pair(options) as pair:
        pair.start("gateway", "alpha")
        pair.enrol("alpha")
        wait_for(lambda: pair.active() == "alpha", 15, "alpha serves")
        pair["alpha"].kill()
        acknowledged, tried = 2, 2

        def live(point):
            nonlocal acknowledged, tried
            if not point.until(lambda: pair.status("alpha")["state"] == "active", 20, "alpha is active"):
                return
            for _ in range(2):
                tried += 1
                pair.edit("alpha", EVERY, f'"{tried}s"')
                acknowledged = tried
            pair.run("umbra", "pause", at="alpha")
            pair.run("umbra", "resume", at="alpha")
            pair["alpha"].terminate()

        def check():
            nonlocal acknowledged, tried
            wait_for(lambda: pair.active() == "alpha", 20, "alpha serves again")
            kept = int(pair.value("alpha", EVERY).rstrip("s"))
            expect(acknowledged <= kept <= tried, f"acknowledged {acknowledged}, kept {kept}")
            acknowledged = tried = kept

        places = lives(pair, "alpha", live, check)
        for part in ("state.json", "config.log"):
            expect(any(part in place for place in places), f"it was killed at {part}: {places}")


@scenario
def shadow_killed_everywhere(options):
    """A shadow that starts, catches up, takes over, takes an edit, and hands the role back."""
    with Pair(options).up() as pair:
        number = 10
        pair["beta"].kill()

        def live(point):
            nonlocal number
            number += 1
            wait_for(lambda: pair.status("alpha")["state"] == "active", 20, "alpha is active")
            pair.edit("alpha", EVERY, f'"{number}s"')
            if not point.until(lambda: pair.is_settled("alpha"), 20, "in sync"):
                return
            pair.tool("umbra", "switch", at="alpha")
            if point.until(lambda: pair.is_settled("beta"), 20, "beta is master"):
                pair.edit("beta", EVERY, f'"{number}s"')
                pair.run("umbra", "switch", at="beta")
                wait_for(lambda: pair.is_settled("alpha"), 20, "alpha is master again")
                pair["beta"].terminate()

        def check():
            master = pair.wait_settled(limit=30)
            for node in NODES:
                expect(pair.value(node, EVERY) == f"{number}s", f"{node} has the edit")
            if master == "beta":
                pair.run("umbra", "switch", at="beta")
                pair.wait_settled("alpha", 30)

        places = lives(pair, "beta", live, check)
        expect(any("state.json" in place for place in places), f"it was killed at its state: {places}")


@scenario
def gateway_killed_everywhere(options):
    """A gateway that starts, hears of the pair, grants an epoch, and enrols."""
    with Pair(options).up() as pair:
        pair["gateway"].kill()
        epochs = [pair.status(node)["epoch"] for node in NODES]

        def live(point):
            master = None

            def settled():
                nonlocal master
                master = pair.is_settled()
                return master

            if point.until(settled, 30, "the pair is settled"):
                pair.tool("umbra", "switch", at=master)
                other = NODES[1 - NODES.index(master)]
                if point.until(lambda: pair.is_settled(other), 30, "the roles are switched"):
                    pair.run("umbra-gateway", "invite", "alpha", at="gateway")
                    pair["gateway"].terminate()

        def check():
            pair.wait_settled(limit=30)
            epochs.append(pair.register()["epoch"])
            expect(epochs[-1] >= max(epochs), f"no epoch is granted twice: {epochs}")

        places = lives(pair, "gateway", live, check)
        for part in ("register", "enrolled.json"):
            expect(any(part in place for place in places), f"it was killed at the {part}: {places}")


@scenario
def joining_killed_everywhere(options):
    """A fresh shadow that joins. What half of it is there afterwards, the same invitation or a new one
    after a reset completes it."""
    with Pair(options) as pair:
        pair.start("gateway", "alpha")
        pair.enrol("alpha")
        wait_for(lambda: pair.active() == "alpha", 15, "alpha serves")
        invitation = ""

        def before():
            nonlocal invitation
            shutil.rmtree(pair.path("beta"), ignore_errors=True)
            wait_for(
                lambda: pair.status("alpha")["peer"]["state"] == "initial"
                or pair.tool("umbra", "peer", "reset", at="alpha").returncode == 0,
                15,
                "alpha has no peer",
            )
            invitation = pair.run("umbra", "peer", "invite", at="alpha").stdout.strip()

        def follows():
            return pair.status("beta")["revision"] == pair.status("alpha")["revision"]

        def live(point):
            if point.until(lambda: pair.status("beta")["state"], 15, "beta answers"):
                pair.run("umbra", "peer", "join", invitation, at="beta")
                if point.until(follows, 15, "beta follows"):
                    pair["beta"].terminate()

        def check():
            if pair.status("beta")["state"] == "initial":
                joined = pair.tool("umbra", "peer", "join", invitation, at="beta")
                if joined.returncode != 0:
                    expect("reset" in joined.stderr or "invit" in joined.stderr, f"says what to do: {joined.stderr}")
                    pair.tool("umbra", "peer", "reset", at="beta")
                    pair.run("umbra", "peer", "reset", at="alpha")
                    again = pair.run("umbra", "peer", "invite", at="alpha").stdout.strip()
                    pair.run("umbra", "peer", "join", again, at="beta")
            wait_for(follows, 20, "beta follows")

        places = lives(pair, "beta", live, check, before=before)
        for part in ("state.json", "curve.key", "config.log"):
            expect(any(part in place for place in places), f"it was killed at {part}: {places}")


@scenario
def divergence_killed_everywhere(options):
    """A former master with edits that nobody else has, killed at every change of what it saves of
    them: they are merged or wait for a decision, and nothing is merged twice."""
    with Pair(options, proxied=True).up() as pair:
        number = 10

        def before():
            """Alpha has an edit of its own of each of two keys, and beta serves with another one."""
            nonlocal number
            number += 1
            pair["alpha"].kill()
            pair.start("alpha")
            if pair.wait_settled(limit=30) == "beta":
                pair.run("umbra", "switch", at="beta")
                pair.wait_settled("alpha", 30)
            pair.each_proxy("cut")
            pair["gateway"].kill()
            both = [f'{EVERY}="{number}s"', f'{GRACE}="{number}s"']
            pair.set("alpha", *both, status=PROVISIONAL)
            pair["alpha"].kill()
            pair.each_proxy("heal")
            pair.start("gateway")
            wait_for(lambda: pair.active() == "beta", 20, "beta serves")
            pair.set("beta", f'{EVERY}="{number + 100}s"')

        def decided():
            return pair.is_settled("beta") and any(
                one["state"] == "conflicts" and one["conflicts"] == 1 for one in divergences(pair, "alpha")
            )

        def live(point):
            if point.until(decided, 30, "alpha's edits are merged as far as they can be"):
                pair.run("umbra", "config", "divergence", "merge", "--author", "ann", at="alpha")
                pair["alpha"].terminate()

        def check():
            def resolved():
                if not pair.is_settled("beta"):
                    return False
                left = [one for one in divergences(pair, "alpha") if one["state"] != "merged"]
                if any(one["state"] == "conflicts" for one in left):
                    pair.tool("umbra", "config", "divergence", "merge", at="alpha")
                return not left

            wait_for(resolved, 30, "every edit is merged, by itself or by hand")
            for node in NODES:
                for key in (EVERY, GRACE):
                    expect(pair.value(node, key) == f"{number}s", f"{node} has {key} of alpha: {pair.value(node, key)}")

        places = lives(pair, "alpha", live, check, below="divergence", before=before)
        expect(len(places) >= 3, f"it was killed while it saved, merged and settled: {places}")
