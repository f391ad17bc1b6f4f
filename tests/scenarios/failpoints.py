"""An instance and a gateway killed in the middle of every change of one of their own files: the role
and epoch, keys, the register, the roster. Each starts again, and nothing is lost or half done."""

import mmap
import os
import pathlib
import shutil
import struct

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

    def start(self, at, how):
        """Starts the process, which dies at that change."""
        under = str(self.pair.path(self.name)).encode()
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


def lives(pair, name, live, check, how=TORN):
    """Lets `name` live the life `live(point)` and die at its first change, its second, and so on,
    until a life has fewer. After each death it is started again and `check`ed."""
    point, places = Failpoint(pair, name), []
    for at in range(1, CHANGES_MAX):
        point.start(at, how)
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
            if point.until(lambda: pair.is_settled(), 30, "the pair is settled"):
                master = pair.is_settled()
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
