#!/usr/bin/env python3
"""Fails for C++ that clang-format would change: format.py ROOT

The remedy is: clang-format -i FILE
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

import tree

SKIPPED = 77
# Versions differ in taste; this is the one of Debian 12, which .clang-format was written for.
VERSION = "14"


def differs(root, path):
    """The first place where clang-format would change the file, or None."""
    done = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", path],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    if done.returncode == 0:
        return None
    place = re.search(r":(\d+):\d+: error", done.stderr)
    line = place[1] if place else "1"
    return f"{path.relative_to(root)}:{line}: not as clang-format has it"


def main(root):
    program = shutil.which("clang-format")
    if program is None:
        print("skipped: clang-format is missing")
        return SKIPPED
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"version (\d+)", said)[1]
    if version != VERSION:
        print(f"skipped: clang-format is version {version}, not {VERSION}")
        return SKIPPED
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: differs(root, path), list(tree.files(root, *tree.CPP)))
        return tree.verdict([problem for problem in found if problem])


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
