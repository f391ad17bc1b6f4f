"""One run inside its namespaces: workload, faults one after the other, the history to judge."""

import datetime
import random
import re
import subprocess
import time

import faults
from field import NODES, Failure, Field, wait_for
from workload import Workload

CALM = 2.0  # Seconds of traffic before the first fault; what the traffic floor looks at.
# Until all has to be settled again after the end of a fault. Generous: a busy machine is no bug,
# and how long it took is reported.
RECOVERY = 45.0
RATE = 150.0  # Requests a second.
GRANT = re.compile(r"^(\S+Z) .*\] pair \S+: epoch (\d+) granted to (\S+)$", re.M)


class Campaign:
    def __init__(self, options, directory, seed, traced):
        self.options, self.directory, self.traced = options, directory, traced
        self.random = random.Random(seed)
        self.must_die, self.tracers, self.number = [], [], 0
        self.field = Field(options, directory)
        self.records = directory / "history"
        self.records.mkdir()
        self.workload = Workload(self.field, self.records, RATE)
        self.history = self.workload.history

    # --- the parts of a fault

    def trace(self, name, what):
        self.tracers.append(self.field.trace(name, what))

    def act(self, fault, master, shadow):
        try:
            fault.act(self, master, shadow)
        except (Failure, OSError, subprocess.SubprocessError) as error:
            # In a pair the first may have taken away what the second needs.
            self.history.write(time.monotonic(), "note", text=f"{fault.name}: {error}"[:300])

    def mend(self):
        """Heals all, in any order."""
        steps = [self.field.heal, self.wake, self.untrace, self.revive]
        steps += [lambda host=host: self.field.empty(host) for host in ("gateway", *NODES)]
        self.random.shuffle(steps)
        for step in steps:
            step()
        self.wake()  # A tracer that is ended while it holds a thread may leave it stopped.
        self.revive()

    def wake(self):
        for process in self.field.processes.values():
            process.thaw()

    def untrace(self):
        for tracer in self.tracers:
            self.field.untrace(tracer)
        self.tracers.clear()

    def revive(self):
        """Starts what is dead, as a service manager does."""
        for name in self.random.sample(("gateway", *NODES), 3):
            process = self.field[name]
            if not process.alive():
                status = process.child.returncode
                self.history.write(time.monotonic(), "exit", node=name, status=status)
                process.start()

    def settled(self, since):
        """The master when all is as it should be, and what began after `since` was answered."""
        for process in self.field.processes.values():
            if not process.alive():
                time.sleep(0.3)  # Not in a tight loop when it ends again at once.
                self.revive()
        master = self.field.is_settled()
        return master if master and self.workload.flows(since) else None

    def wait_settled(self, since):
        return wait_for(lambda: self.settled(since), RECOVERY, "all is settled again")

    def wait_equal(self):
        """Both instances hold the same revision, while nobody edits."""
        wait_for(self.field.is_settled, RECOVERY, "both have the same revision")

    # --- one fault, and all of them

    def inject(self, chosen, master):
        shadow = NODES[1 - NODES.index(master)]
        self.number += 1
        self.must_die.clear()
        name = " + ".join(fault.name for fault in chosen)
        begin = time.monotonic()
        hold = 0.0
        for fault in chosen:
            self.act(fault, master, shadow)
            hold = max(hold, self.random.uniform(*fault.hold))
            if fault is not chosen[-1]:
                time.sleep(self.random.uniform(0.0, 0.6))
        deadly = list(self.must_die) if len(chosen) == 1 else []
        survivors = self.wait_dead(deadly)
        time.sleep(hold)
        self.mend()
        healed, settled, why = time.monotonic(), None, ""
        try:
            self.wait_settled(healed)
            settled = time.monotonic()
            self.workload.record_entries(self.wait_equal)
        except Failure as failure:
            why = str(failure)
            self.field.report()  # At once: what is wrong is still to be seen.
        self.history.write(begin, "fault", number=self.number, name=name, healed=healed,
                           settled=settled, why=why, survivors=survivors, master=master,
                           steady=len(chosen) == 1 and chosen[0].steady)  # fmt: skip
        took = f"settled after {settled - healed:5.2f} s" if settled else "NEVER SETTLED"
        print(f"{self.number:5} {name:<48} {healed - begin:5.2f} s, {took}", flush=True)
        return settled is not None and not why

    def wait_dead(self, names):
        """Those of `names` that go on although they may not."""
        try:
            wait_for(lambda: not any(self.field[n].alive() for n in names), 10, "it stops")
        except Failure:
            pass
        return [name for name in names if self.field[name].alive()]

    def run(self):
        """True when it came to its end; the checker judges in either case."""
        self.field.up()
        began = time.monotonic()
        self.workload.start()
        wait_for(lambda: self.workload.flows(began), 20, "requests and edits flow")
        calm = time.monotonic()
        time.sleep(CALM)
        start = time.monotonic()
        self.history.write(start, "start", calm=calm)
        good = True
        for chosen in self.plan():
            if self.over(start):
                break
            good = self.inject(chosen, wait_for(self.field.is_settled, RECOVERY, "a master"))
            if not good:
                break
        if good:
            self.workload.record_entries(self.wait_equal, final=True)
        self.workload.stop()
        self.record_grants()
        return good

    def plan(self):
        if self.options.only:
            chosen = [faults.FAULTS[name] for name in self.options.only.split("+")]
            while True:
                yield chosen
        yield from faults.schedule(self.random, self.traced)

    def over(self, start):
        if self.options.minutes is not None:
            return time.monotonic() - start > self.options.minutes * 60
        return self.number >= self.options.faults

    def record_grants(self):
        """From the gateway's log, whose wall clock is told against the monotonic one."""
        offset = time.monotonic() - time.time()
        for stamp, epoch, node in GRANT.findall(self.field["gateway"].log_text()):
            wall = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
            self.history.write(wall + offset, "grant", epoch=int(epoch), node=node)

    def close(self, keep):
        self.untrace()
        self.field.stop()
        self.history.close()
        if keep:
            self.field.keep()
