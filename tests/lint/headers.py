#!/usr/bin/env python3
"""Fails for a public header that does not compile alone: headers.py ROOT WORK CXX

Each include/ folder is on the path, nothing else: a public header that needs a private one, or one
that was included before it by luck, is found. WORK remembers what was good, by the dependencies.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

import tree

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")


def include_folders(root):
    for top in ("sdk", "runtime", "plugins"):
        yield from (path for path in sorted((root / top).rglob("include")) if path.is_dir())


def is_fresh(stamp, dependencies):
    """Whether nothing that the header includes has changed since it was found good."""
    try:
        written = stamp.stat().st_mtime_ns
        # A rule of make: "target: file file \\", continued over lines.
        names = dependencies.read_text().split(":", 1)[1].replace("\\\n", " ").split()
        return all(os.stat(name).st_mtime_ns < written for name in names)
    except (OSError, IndexError):
        return False


def compile_alone(command, work, include, path):
    """What the compiler says first, or None."""
    name = str(path.relative_to(include))
    is_c = path.suffix == ".h"
    source = work / (re.sub(r"\W", "_", name) + (".c" if is_c else ".cpp"))
    text = f"#include <{name}>\n#include <{name}>\n"  # twice: it guards itself
    stamp, dependencies = source.with_suffix(".good"), source.with_suffix(".d")
    arguments = " ".join(map(str, command))
    if stamp.is_file() and stamp.read_text() == arguments and is_fresh(stamp, dependencies):
        return None
    source.write_text(text)
    language = ("-x", "c", "-std=c11") if is_c else ("-x", "c++", "-std=c++20")
    done = subprocess.run(
        [*command, *WARNINGS, *language, "-fsyntax-only", "-MD", "-MF", dependencies, source],
        capture_output=True, text=True, check=False, cwd=work,
    )  # fmt: skip
    if done.returncode == 0:
        stamp.write_text(arguments)
        return None
    stamp.unlink(missing_ok=True)
    first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
    return f"{path}: does not compile alone: {first}"


def main(root, work, compiler):
    work.mkdir(parents=True, exist_ok=True)
    folders = list(include_folders(root))
    command = [*compiler, *(f"-I{folder}" for folder in folders)]
    jobs = [(folder, path) for folder in folders for path in tree.files(folder, *tree.CPP)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda job: compile_alone(command, work, *job), jobs)
        return tree.verdict([problem for problem in found if problem])


if __name__ == "__main__":
    ROOT, WORK = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    sys.exit(main(ROOT, WORK, [sys.argv[3]]))
