#!/usr/bin/env python3
"""Runs scenarios: run.py NAME... --build DIR, or run.py --list."""

import argparse
import os
import pathlib
import subprocess
import sys
import time
import traceback

import backups
import channels
import edits
import failpoints
import gateways
import keys
import mappings
import operation
import reload
import restarts
import serving
import storages
import strangers
import takeovers
import unfenced
from harness import SCENARIOS, Failure

MODULES = (
    serving, mappings, channels, takeovers, restarts, edits, storages, failpoints, backups, operation, reload,
    strangers, unfenced,
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description="Scenarios on real processes.")
    parser.add_argument("names", nargs="*", help="scenarios; none: all")
    parser.add_argument("--build", type=os.path.abspath, help="build directory with bin/ and plugins.d/")
    parser.add_argument("--log-level", default="info", help="of the instances")
    parser.add_argument("--keep", action="store_true", help="keep the files and logs")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--check-names", action="store_true", help="is names.txt up to date?")
    options = parser.parse_args()
    if options.check_names:
        names = pathlib.Path(__file__).with_name("names.txt").read_text().split()
        wrong = set(names) ^ set(SCENARIOS)
        print(f"names.txt differs from the scenarios: {sorted(wrong)}" if wrong else "equal")
        return 1 if wrong else 0
    if options.list:
        print("\n".join(SCENARIOS))
        return 0
    if unknown := [name for name in options.names if name not in SCENARIOS]:
        parser.error(f"no scenario is called {unknown[0]}; see --list")
    if not options.build:
        parser.error("--build is needed")
    failed = []
    for name in options.names or SCENARIOS:
        start = time.monotonic()
        try:
            SCENARIOS[name](options)
            verdict = "passed"
        except (Failure, OSError, subprocess.TimeoutExpired) as failure:
            if not isinstance(failure, Failure):
                traceback.print_exc(file=sys.stdout)
            print(f"{name}: {failure}", flush=True)
            verdict = "FAILED"
            failed.append(name)
        print(f"{name}: {verdict} in {time.monotonic() - start:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
