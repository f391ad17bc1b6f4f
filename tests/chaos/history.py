"""The history of a run: JSON lines, each with `t`, seconds on the monotonic clock of the machine.

| what | fields beside `t` |
| --- | --- |
| request | `n`, `end`, `node` that answered or null, `error` |
| served | `n`, `node`: a backend was asked |
| grant | `epoch`, `node`, as the gateway logged it |
| edit | `op`, `end`, `at` (the instance), `outcome` acknowledged, provisional, refused or unknown, `revision` |
| sample | `node`, `role`, `state`, `epoch`, `tunnel`; or of the gateway: `epoch`, `holder`, `active` |
| stall | `length`: the sampler itself was not run for so long |
| entries | `node`, `entries` [[revision, op]] oldest first, read when all had settled; `look` counts these times, `final` is the last |
| fault | `number`, `name`, `healed`, `settled` or null, `steady`: no change of role is allowed |
| start | the first fault comes now |
"""

import json
import threading


class Writer:
    """One file; lines may be written from any thread."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115
        self.lock = threading.Lock()

    def write(self, t, what, **fields):
        line = json.dumps({"t": round(t, 6), "what": what, **fields}) + "\n"
        with self.lock:
            if not self.file.closed:
                self.file.write(line)

    def close(self):
        with self.lock:
            self.file.close()


def load(directory):
    """All lines of all files, by time. A torn last line (a killed writer) is left out."""
    found = []
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_text().split("\n")[:-1]:
            found.append(json.loads(line))
    return sorted(found, key=lambda entry: entry["t"])
