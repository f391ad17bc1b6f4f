"""What the checks of this folder share: the files of the tree, and C++ without its comments."""

import pathlib
import re

SKIPPED_FOLDERS = {"build", ".git", ".cache", "__pycache__"}
CPP = {".cpp", ".hpp", ".c", ".h"}
# A raw string, a string, a character (not the ' of 1'000), or a comment.
NOISE = re.compile(
    r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\''
    r"|//[^\n]*|/\*.*?\*/",
    re.S,
)


def files(root, *suffixes):
    """The files below `root`, sorted; all of them without `suffixes`."""
    for path in sorted(pathlib.Path(root).iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name not in SKIPPED_FOLDERS:
                yield from files(path, *suffixes)
        elif path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path


def code(text):
    """`text` with comments and the contents of strings blanked; lines keep their numbers."""
    return NOISE.sub(lambda match: "\n" * match[0].count("\n") or '""', text)


def verdict(problems):
    """Prints them; the exit status."""
    for problem in problems:
        print(problem)
    return 1 if problems else 0
