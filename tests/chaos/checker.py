"""Judges the history of a chaos run (see history.py). Pure functions: events in, sentences out.

Who may serve is told by the grants in the order of the gateway. A request belongs to the time between
its start and its answer, so it may be answered by whoever was granted in that time: clocks of two
processes are the same here, and a grant is logged when its answer leaves.
"""

import bisect
import collections
import statistics

FLOOR = 50.0  # Answers a second before the first fault; a run with fewer says nothing.
SLACK = 0.05  # Seconds between a grant and its line in the log, on a busy machine.
# A stream that was opened before a change of role reaches the backend this late at most. What a
# fenced process says later than this is what fencing is there for.
LATE = 2.0
STALL = 0.3  # A machine that was away for so long may have kept the holder from being heard.


def of(events, what):
    return [event for event in events if event["what"] == what]


def place(event):
    return f"at {event['t']:.3f}"


def intervals(events):
    """[(epoch, node, from, to)] in the order of the gateway."""
    grants = sorted(of(events, "grant"), key=lambda g: (g["t"], g["epoch"]))
    ends = [grant["t"] for grant in grants[1:]] + [float("inf")]
    return [(g["epoch"], g["node"], g["t"], end) for g, end in zip(grants, ends)]


class Granted:
    """When each instance held a grant. A long run has a million questions, so each is a search."""

    def __init__(self, events):
        self.starts, self.ends = collections.defaultdict(list), collections.defaultdict(list)
        for _, node, start, end in intervals(events):
            self.starts[node].append(start - SLACK)
            self.ends[node].append(end + SLACK)

    def had(self, node, start, end):
        """Was it granted at any time between the two?"""
        last = bisect.bisect_right(self.starts[node], end) - 1
        return last >= 0 and self.ends[node][last] >= start


def check_traffic(events):
    """A run without enough traffic before its first fault is void."""
    starts = of(events, "start")
    if not starts:
        return ["void: it never came to the first fault"]
    calm, start = starts[0]["calm"], starts[0]["t"]
    answered = sum(1 for r in of(events, "request") if r["node"] and calm <= r["t"] < start)
    found = []
    if answered < FLOOR * (start - calm):
        found.append(f"void: {answered} answers in the {start - calm:.1f} s before the first fault")
    if not any(e["outcome"] == "acknowledged" and e["t"] < start for e in of(events, "edit")):
        found.append("void: no edit was acknowledged before the first fault")
    if not of(events, "fault"):
        found.append("void: there was no fault")
    return found


def check_grants(events):
    """Epochs grow, and none is granted twice."""
    found, last = [], 0
    for grant in of(events, "grant"):
        if grant["epoch"] <= last:
            found.append(
                f"grants: epoch {grant['epoch']} was granted to {grant['node']} {place(grant)} "
                f"after {last}"
            )
        last = max(last, grant["epoch"])
    if not of(events, "grant"):
        found.append("grants: there was none")
    return found


def check_active(events):
    """Only the holder of an epoch is routed to, and nobody answers for an epoch that is over."""
    found, had = [], Granted(events).had
    asked = {request["n"]: request["t"] for request in of(events, "request")}
    for request in of(events, "request"):
        if request["node"] and not had(request["node"], request["t"], request["end"]):
            found.append(
                f"active: request {request['n']} {place(request)} was answered by "
                f"{request['node']}, which was not granted then"
            )
    for served in of(events, "served"):
        start = asked.get(served["n"], served["t"])
        if not had(served["node"], start, served["t"]):
            found.append(
                f"active: {served['node']} served request {served['n']} {place(served)} without a "
                "grant"
            )
        elif not had(served["node"], served["t"] - LATE, served["t"]):
            found.append(
                f"active: {served['node']} served request {served['n']} {place(served)}, long "
                "after it was fenced"
            )
    for sample in of(events, "sample"):
        if sample["node"] == "gateway" and sample.get("active") and sample["active"] != sample["holder"]:
            found.append(
                f"active: the gateway routes to {sample['active']} while {sample['holder']} holds "
                f"epoch {sample['epoch']} {place(sample)}"
            )
    return found


def check_claims(events):
    """What instances and the gateway say of themselves agrees with the grants."""
    found, spans = [], intervals(events)
    holders = {epoch: node for epoch, node, _, _ in spans}
    since = {epoch: start for epoch, _, start, _ in spans}
    last = collections.Counter()
    for sample in of(events, "sample"):
        node, epoch = sample["node"], sample.get("epoch")
        if epoch is None:
            continue
        if epoch < last[node]:
            found.append(
                f"claims: {node} went back from epoch {last[node]} to {epoch} {place(sample)}"
            )
        last[node] = max(last[node], epoch)
        if node == "gateway":
            if epoch and sample["holder"] != holders.get(epoch, sample["holder"]):
                found.append(
                    f"claims: the gateway names {sample['holder']} for epoch {epoch} "
                    f"{place(sample)}, granted to {holders[epoch]}"
                )
        elif sample["role"] == "master" and sample["tunnel"] == "active":
            if holders.get(epoch) != node:
                found.append(
                    f"claims: {node} calls itself active in epoch {epoch} {place(sample)}, which "
                    f"was granted to {holders.get(epoch)}"
                )
            elif sample.get("end", sample["t"]) < since[epoch] - SLACK:
                found.append(
                    f"claims: {node} calls itself active in epoch {epoch} {place(sample)}, before "
                    "it was granted"
                )
    return found


def check_answers(events):
    """No request reaches a backend twice, and who answered was asked."""
    found, served = [], collections.defaultdict(list)
    for event in of(events, "served"):
        served[event["n"]].append(event["node"])
    for number, nodes in served.items():
        if len(nodes) > 1:
            found.append(
                f"answers: request {number} was served {len(nodes)} times: {', '.join(nodes)}"
            )
    seen = set()
    for request in of(events, "request"):
        if request["n"] in seen:
            found.append(f"answers: request {request['n']} has two answers")
        seen.add(request["n"])
        if request["node"] and request["node"] not in served[request["n"]]:
            found.append(
                f"answers: request {request['n']} was answered by {request['node']}, which was "
                "not asked"
            )
    return found


class Op:
    """All tries of one edit together."""

    def __init__(self, tries):
        self.tries = tries
        self.name = tries[0]["op"]
        self.start = min(t["t"] for t in tries)
        sure = [t for t in tries if t["outcome"] == "acknowledged"]
        self.end = min((t["end"] for t in sure), default=None)
        self.revision = sure[0]["revision"] if sure else None
        self.revisions = {t["revision"] for t in sure}
        self.refused = all(t["outcome"] == "refused" for t in tries)


def ops(events):
    tries = collections.defaultdict(list)
    for edit in of(events, "edit"):
        tries[edit["op"]].append(edit)
    return [Op(some) for some in tries.values()]


def number(revision):
    epoch, sequence = revision.split(".")
    return int(epoch), int(sequence)


def check_entries(events):
    """The history of the configuration: the same on both, nothing twice, nothing rewritten."""
    found, before = [], {}
    reads = of(events, "entries")
    for one, other in zip(reads, reads[1:]):
        if one["look"] == other["look"] and one["entries"] != other["entries"]:
            differ = sorted({tuple(e) for e in one["entries"]} ^ {tuple(e) for e in other["entries"]}, key=str)[:3]
            found.append(
                f"entries: {one['node']} and {other['node']} differ {place(one)}: {differ}"
            )
    if not any(read.get("final") for read in reads):
        found.append("entries: the final history of the configuration was not read")
    for read in reads:
        names = [op for _, op in read["entries"] if op]
        for op, count in collections.Counter(names).items():
            if count > 1:
                found.append(
                    f"entries: {op} is {count} times in the history of {read['node']} "
                    f"{place(read)}"
                )
        order = [number(revision) for revision, _ in read["entries"]]
        if order != sorted(set(order)):
            found.append(f"entries: the history of {read['node']} {place(read)} is not in order")
        # What was there when all had settled stays for ever, on both.
        now = dict(map(tuple, read["entries"]))
        first = order[0] if order else (0, 0)
        for revision, op in before.items():
            if number(revision) >= first and now.get(revision, "nothing") != op:
                found.append(
                    f"entries: revision {revision} was {op} and is {now.get(revision, 'nothing')} "
                    f"on {read['node']} {place(read)}"
                )
        if before and order and order[0] > number(next(reversed(before))):
            found.append(
                f"entries: the history of {read['node']} {place(read)} has a hole before "
                f"{read['entries'][0][0]}"
            )
        before = now
    return found


def check_edits(events):
    """Acknowledged edits survive, refused ones never were, and the order is that of real time."""
    found, reads = [], of(events, "entries")
    everything = {op: revision for read in reads for revision, op in read["entries"] if op}
    looks = {}  # {node: ([time], [set of what is there])}
    for read in reads:
        times, contents = looks.setdefault(read["node"], ([], []))
        times.append(read["t"])
        contents.append({tuple(entry) for entry in read["entries"]})
    acknowledged = []
    for op in ops(events):
        if op.refused and op.name in everything:
            found.append(f"edits: {op.name} was refused and is revision {everything[op.name]}")
        if op.end is None:
            continue
        acknowledged.append(op)
        if len(op.revisions) > 1:
            found.append(
                f"edits: {op.name} was acknowledged as {' and '.join(sorted(op.revisions))}"
            )
        for node, (times, contents) in looks.items():
            first = bisect.bisect_left(times, op.end)  # check_entries watches what comes after it.
            if first == len(times):
                found.append(
                    f"edits: {op.name} was acknowledged at {op.end:.3f} and nobody looked at "
                    f"{node} afterwards"
                )
            elif (op.revision, op.name) not in contents[first]:
                found.append(
                    f"edits: {op.name} was acknowledged as {op.revision} by {op.tries[0]['at']} "
                    f"at {op.end:.3f} and is lost on {node} at {times[first]:.3f}"
                )
    # Walk by invocation; the highest revision acknowledged before it has to be lower.
    by_end = sorted(acknowledged, key=lambda op: op.end)
    at, high = 0, (0, 0)
    for op in sorted(acknowledged, key=lambda op: op.start):
        while at < len(by_end) and by_end[at].end < op.start:
            high = max(high, number(by_end[at].revision))
            at += 1
        if number(op.revision) <= high:
            found.append(
                f"edits: {op.name} is {op.revision}, but {high[0]}.{high[1]} was acknowledged "
                "before it was asked for"
            )
    return found


def check_steady(events):
    """Faults that leave the holder and its link alone change no role (B2)."""
    found = []
    stalls, grants = of(events, "stall"), of(events, "grant")
    for fault in of(events, "fault"):
        if not fault["steady"]:
            continue
        end = fault["settled"] or fault["healed"]
        if any(s["length"] >= STALL and fault["t"] <= s["t"] <= end + s["length"] for s in stalls):
            continue  # Nobody was heard while the machine was away.
        for grant in grants:
            if fault["t"] <= grant["t"] <= end:
                found.append(
                    f"steady: {fault['name']} (fault {fault['number']}) led to epoch "
                    f"{grant['epoch']} for {grant['node']} {place(grant)}"
                )
    return found


def check_recovery(events, bound=45.0):
    """After every fault all settles, and a process that may not go on does not."""
    found = []
    for fault in of(events, "fault"):
        label = f"{fault['name']} (fault {fault['number']} {place(fault)})"
        if fault["settled"] is None:
            found.append(f"recovery: none after {label}: {fault.get('why', '')}")
        elif fault["settled"] - fault["healed"] > bound:
            found.append(f"recovery: {fault['settled'] - fault['healed']:.1f} s after {label}")
        elif fault.get("why"):
            found.append(f"recovery: not complete after {label}: {fault['why']}")
        for name in fault.get("survivors", []):
            found.append(f"recovery: {name} went on after its sync had failed: {label}")
    return found


CHECKS = (check_traffic, check_grants, check_active, check_claims, check_answers, check_entries,
          check_edits, check_steady, check_recovery)  # fmt: skip
SHOWN = 20  # Violations of one check; one cause often has hundreds.


def check(events):
    """Every violation, as a sentence that begins with the name of the check."""
    found = []
    for one in CHECKS:
        some = one(events)
        found += some[:SHOWN]
        if len(some) > SHOWN:
            found.append(f"{some[0].split(':')[0]}: and {len(some) - SHOWN} more")
    return found


def answered(events):
    return sorted(r["end"] for r in of(events, "request") if r["node"])


def outage(ends, fault):
    """The longest time without an answer from the beginning of a fault until all had settled."""
    end = fault["settled"] or fault["healed"]
    first = bisect.bisect_right(ends, fault["t"])
    within = [ends[first - 1] if first else fault["t"], *ends[first : bisect.bisect_right(ends, end)]]
    return max((b - a for a, b in zip(within, within[1:])), default=end - fault["t"])


def figures(events):
    """A table of the outages, by the kind of fault."""
    requests, edits = of(events, "request"), of(events, "edit")
    outcomes = collections.Counter(edit["outcome"] for edit in edits)
    failed = sum(1 for r in requests if not r["node"])
    lines = [
        f"{len(of(events, 'fault'))} faults, {len(of(events, 'grant'))} grants, "
        f"{len(requests)} requests ({failed} failed), edits: "
        + ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
        f"{'fault':<48} {'times':>5} {'outage median':>14} {'max s':>7} {'recovery max s':>15}",
    ]
    kinds, ends = collections.defaultdict(list), answered(events)
    for fault in of(events, "fault"):
        kinds[fault["name"]].append((outage(ends, fault), (fault["settled"] or float("inf")) - fault["healed"]))
    for name, some in sorted(kinds.items()):
        out = [o for o, _ in some]
        lines.append(f"{name:<48} {len(some):5} {statistics.median(out):14.3f} {max(out):7.3f} {max(r for _, r in some):15.2f}")
    return "\n".join(lines)
