"""What a pair and its gateway take while nobody asks for anything."""

import time
import types

from children import precise_cpu
from harness import NODES, Pair
from tunnel_table import verdict

SECONDS = 20
PERCENT_MAX, MB_MAX = 0.2, 15


def measure(options):
    more = types.SimpleNamespace(build=options.build, log_level="info", keep=False)
    with Pair(more).up() as pair:
        names = ("gateway", *NODES)
        time.sleep(2)  # The last of what starting asked for.
        before = {name: precise_cpu(pair[name].pid) for name in names}
        began = time.monotonic()
        time.sleep(SECONDS)
        took = time.monotonic() - began
        print(f"\nidle: a pair in sync and its gateway, over {SECONDS} s")
        for name in names:
            percent = 100 * (precise_cpu(pair[name].pid) - before[name]) / took
            memory = pair[name].rss() / (1 << 20)
            aims = verdict("% of a core", percent, PERCENT_MAX, False), verdict("MB resident", memory, MB_MAX, False)
            print(f"  {name:<9} {', '.join(aims)}", flush=True)
