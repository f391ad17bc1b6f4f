#!/usr/bin/env python3
"""Fails where the tree is not kept: house.py ROOT

A README in every room, short files, no unfinished business, nothing that leads back to the machine
somebody wrote it on, scripts that parse.
"""

import pathlib
import re
import subprocess
import sys

import tree

LINES_MAX = 600
SOURCES = {".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".cmake"}
# A room is a folder with a part of its own. What it is divided into (src, include, fixtures) is told
# by the README of the room.
ROOMS = ("runtime", "plugins", "sdk", "configs", "packaging", "tests")
# Put together here so that this file is not its own finding.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|HA" r"CK|XX" r"X)\b")
ADDRESS = re.compile(r"[\w.+-]+@(?!localhost\.invalid)[\w-]+\.[a-z]{2,}\b", re.I)
HOME = re.compile(r"(?<![\w.])/(home|Users)/\w+")
TEXT_WITH_ADDRESSES = {"LICENSE"}


def rooms(root):
    """The folders that need a README."""
    yield from (root / room for room in ROOMS if (root / room).is_dir())
    for path in tree.files(root):
        if path.name == "CMakeLists.txt" and path.parent != root:
            # A project of its own below tests is a fixture.
            if path.relative_to(root).parts[0] != "tests":
                yield path.parent
    yield from (p for p in sorted((root / "tests").glob("*")) if p.is_dir() and p.name not in tree.SKIPPED_FOLDERS)


def read(path):
    """The text, or None of a file that is none."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


def words(where, text, root):
    # The tree's own path, as a word: a root such as /umbra is in every include line.
    tree_path = re.compile(r"(?<![\w.>/])" + re.escape(str(root)) + r"(?![\w-])")
    for number, line in enumerate(text.splitlines(), 1):
        if found := UNFINISHED.search(line):
            yield f"{where}:{number}: unfinished: {found[0]}; finish it, or open an issue"
        if where.name not in TEXT_WITH_ADDRESSES and (found := ADDRESS.search(line)):
            yield f"{where}:{number}: an address: {found[0]}; use one that cannot exist"
        if tree_path.search(line) or HOME.search(line):
            yield f"{where}:{number}: a path of the machine it was written on"


def script(path, where, text):
    """Shell and Python are only looked at when they run, which may be in a release."""
    first = text.split("\n", 1)[0]
    shell = re.match(r"#!.*\b(ba|da)?sh\b", first)
    if shell or path.suffix == ".sh":
        program = "bash" if "bash" in first or path.suffix == ".sh" else "sh"
        done = subprocess.run([program, "-n", path], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            yield f"{where}:1: does not parse: {done.stderr.strip()}"
    if path.suffix == ".py":
        try:
            compile(text, str(where), "exec")
        except SyntaxError as error:
            yield f"{where}:{error.lineno}: does not parse: {error.msg}"


def check(root):
    problems = []
    for room in sorted(set(rooms(root))):
        readme = room / "README.md"
        where = room.relative_to(root)
        if not readme.is_file():
            problems.append(f"{where}/README.md: missing; what is the room for, what may come in?")
        elif not readme.read_text().startswith("# "):
            problems.append(f"{where}/README.md:1: begins with a heading")
    for path in tree.files(root):
        where, text = path.relative_to(root), read(path)
        if text is None:
            continue
        problems += words(where, text, root)
        problems += script(path, where, text)
        count = text.count("\n")
        if path.suffix in SOURCES and count > LINES_MAX:
            problems.append(f"{where}:1: {count} lines, more than {LINES_MAX}: a second idea moved in?")
        if text and path.suffix in SOURCES and not text.endswith("\n"):
            problems.append(f"{where}:{count + 1}: no newline at the end")
    return problems


if __name__ == "__main__":
    sys.exit(tree.verdict(check(pathlib.Path(sys.argv[1]).resolve())))
