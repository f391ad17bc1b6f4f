#!/usr/bin/env python3
"""Every member of the classes under test has to be considered by the normal form.

Usage: fields.py ROOT

A time or a number that `normal_form.cpp` does not know would keep its old meaning while the rest of
the object is moved to the present; so would an epoch that `names.cpp` does not know. A member that
`frozen.cpp` leaves out would make two states one. What needs nothing is listed here, so that a new
member is a question to a person and not an accident.
"""

import pathlib
import re
import sys

# Members whose values mean the same at any time and under any numbering.
PLAIN = set(
    """settings_ policy_ persistent_ raised_at_start_ log_ durable_ out_ pong_ paired_ pairing_known_
    peer_node_ peer_version_ peer_plugins_ stopping_ tunnels_known_ serving_ arbitrated_ waking_
    forced_ draining_ fenced_ in_sync_ snapshot_bytes_ snapshot_position_ reported_ snapshot_in_
    snapshot_in_position_ snapshot_in_total_ in_sync_with_master_ was_in_sync_ check_interval_ rtt_
    slowest_ members_ reports_ waiting_ rebuilding_ holder_gone_told_ hash_ base_ base_document_
    entries_ document_ operations_ marks_ judge_ wall_ms_
    drift_ granted_by_ elsewhere_ store_ unreachable_ lost_""".split()
)
HEADERS = (
    "runtime/core/include/umbra/core/node.hpp",
    "runtime/core/include/umbra/core/peer_watch.hpp",
    "runtime/core/include/umbra/core/damping.hpp",
    "runtime/core/include/umbra/core/log.hpp",
    "plugins/tunnel/gateway/protocol/include/umbra/gateway/register.hpp",
)
# Settings never change; what is left is a function, or empty between steps.
NOT_FROZEN = {"settings_", "out_", "judge_", "hash_"}
# Of a fact, which lasts no longer than a step.
NOT_NAMED = {"epoch_known"}
EPOCHS = re.compile(r"^\s+Epoch (\w+)(?: = 0)?;", re.MULTILINE)
# Members of the structs inside those classes that are a time.
INNER_TIME = re.compile(r"^\s+(?:std::optional<)?Instant>? (\w+)\s*(?:\{\})?;", re.MULTILINE)
MEMBER = re.compile(r"^    [\w:<>, ]+[\w>] (?:\w+_, )*(\w+_)(?:\{\}| =\n?.*|\{.*\})?;", re.MULTILINE)


def main():
    root = pathlib.Path(sys.argv[1])
    room = root / "tests/exploration"
    known = (room / "normal_form.cpp").read_text()
    named = (room / "names.cpp").read_text()
    frozen = (room / "frozen.cpp").read_text()
    unnamed = []
    unfrozen = []
    missing = []
    seen = 0
    for header in HEADERS:
        text = (root / header).read_text()
        for name in MEMBER.findall(text):
            seen += 1
            if name not in PLAIN and not re.search(rf"\b{name}\b", known):
                missing.append(f"{header}: {name}")
            parties = "/core/" in header
            if parties and name not in NOT_FROZEN and not re.search(rf"\b{name}\b", frozen):
                unfrozen.append(f"{header}: {name}")
        for name in EPOCHS.findall(text):
            seen += 1
            if name not in NOT_NAMED and not re.search(rf"\b{name}\b", named):
                unnamed.append(f"{header}: {name}")
        for name in INNER_TIME.findall(text):
            seen += 1
            if not re.search(rf"\b{name}\b", known):
                missing.append(f"{header}: {name}")
    for line in missing:
        print(f"{line} is not in tests/exploration/normal_form.cpp; normalise it there, or list it "
              "in fields.py when its value means the same at any time")
    for line in unnamed:
        print(f"{line} is not in tests/exploration/names.cpp; an epoch needs a name there")
    for line in unfrozen:
        print(f"{line} is not in tests/exploration/frozen.cpp; add it there")
    if seen < 60:
        print(f"only {seen} members were found; the patterns of fields.py do not fit the headers")
        return 1
    return 1 if missing or unnamed or unfrozen else 0


if __name__ == "__main__":
    sys.exit(main())
