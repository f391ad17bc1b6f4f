#!/usr/bin/env python3
"""Fails for a library of decisions whose object code reaches outside: pure_symbols.py NM LIBRARY...

What layering.py looks for in the source may come in through a header or a macro; here it is seen.
"""

import re
import subprocess
import sys

import tree

# The C library and the kernel behind it, as undefined symbols.
OUTSIDE = re.compile(
    r"\s[Uw] ((?:clock_gettime|gettimeofday|time|clock|nanosleep|clock_nanosleep|usleep|sleep"
    r"|rand|srand|random|getrandom|getentropy|arc4random"
    r"|socket|connect|bind|listen|accept4?|send(?:to|msg)?|recv(?:from|msg)?|poll|epoll_\w+"
    r"|open(?:at)?(?:64)?|fopen(?:64)?|read|write|rename|unlink|fsync|mmap(?:64)?"
    r"|pthread_\w+|fork|exec\w+|system|getenv|getpid|dlopen|printf|puts|syslog"
    r"|std::chrono::_V2::\w+::now\(\)|std::random_device\S*|std::thread\S*|std::cout|std::cerr"
    r"|std::basic_[io]?f?stream\S*|std::condition_variable\S*)(?:@\S*)?)$",
    re.M,
)
# The sanitizers and the counting of shared_ptr ask whether there are threads; that decides nothing.
HARMLESS = {"__pthread_key_create"}


def main(nm, libraries):
    problems = []
    for library in libraries:
        listed = subprocess.run(
            [nm, "-uC", library], capture_output=True, text=True, check=True
        ).stdout
        if "std::" not in listed:
            problems.append(f"{library}: nm shows no symbols: nothing was checked")
        problems += [
            f"{library}: needs {symbol}: decisions get it as a fact, or give it as a wish"
            for symbol in sorted({found[1] for found in OUTSIDE.finditer(listed)} - HARMLESS)
        ]
    return tree.verdict(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
