#!/usr/bin/env python3
"""Fails when a folder includes what the table does not allow: layering.py ROOT

The compiler cannot hold this: on Debian a forbidden #include <boost/...> compiles whatever CMake says.
"""

import pathlib
import re
import sys

import tree

C = r"[a-z_0-9]+\.h|(sys|netinet|arpa)/[a-z_0-9]+\.h"  # the system's C headers
ASIO, BEAST, JSON = r"boost/(asio|system)[/.].*", r"boost/beast[/.].*", r"boost/json[/.].*"
SSL, FMT = r"openssl/.*", r"fmt/.*"

# folder: (folders whose public headers it may include, other headers, is it pure, why)
TABLE = {
    "sdk": ([], r"std(int|def)\.h", False, "an author has a compiler and nothing else"),
    "runtime/core": (["sdk"], None, True, "decisions: a fact in, wishes out; simulated from seeds"),
    "runtime/base": (["sdk"], [C, ASIO, BEAST, JSON, FMT, r"jemalloc/.*"], False, "knows no other room"),
    "runtime/config": (
        ["sdk", "runtime/core"], [C, r"toml\+\+/.*"], False, "text to values; the gateway reads with it"),
    "runtime/host": (
        ["sdk", "runtime/base", "runtime/config"], [C, r"boost/dll[/.].*", JSON], False,
        "of config the catalogue only, which the registry implements"),
    "runtime/seal": (
        ["sdk"], [C, r"sodium\.h"], False, "bytes and a passphrase to bytes; knows no file"),
    "runtime/instance": (
        ["sdk", "runtime/base", "runtime/core", "runtime/config", "runtime/host", "runtime/seal"],
        [C, ASIO, JSON, SSL], False, "the shell around the core; knows neither HTTP nor commands"),
    "runtime/admin": (
        ["sdk", "runtime/base", "runtime/config", "runtime/instance"], [C, JSON, FMT], False,
        "sees the instance through control.hpp, never the core"),
    "runtime/cli": (
        ["sdk", "runtime/base", "runtime/config", "runtime/host", "runtime/instance",
         "runtime/admin", "runtime/seal"], [C, JSON, FMT, r"CLI/.*"], False,
        "of instance what runs one or works on one that does not run; a running one is asked over "
        "HTTP; of seal the passphrase"),
    "plugins/transport/zeromq": (["sdk"], [C, r"zmq\.h(pp)?"], False, "the public SDK is enough"),
    "plugins/storage/file": (["sdk", "plugins/storage/queue"], [C], False, "the public SDK is enough"),
    "plugins/storage/queue": (["sdk"], [C], False, "what the storages share; no plugin"),
    "plugins/storage/sqlite": (
        ["sdk", "plugins/storage/queue"], [C, r"sqlite3\.h"], False, "the public SDK is enough"),
    "plugins/etcd": (
        ["sdk"], [C, ASIO, BEAST, JSON, SSL], False,
        "a client of etcd: knows neither logs nor registers; no plugin"),
    "plugins/storage/etcd": (
        ["sdk", "plugins/storage/queue", "plugins/etcd"], [C, JSON, SSL], False,
        "the public SDK is enough"),
    "plugins/probe/tcp": (["sdk"], [C], False, "the public SDK is enough"),
    "plugins/process": (
        ["sdk"], [C, ASIO], False, "what the plugins that run programs share; no plugin"),
    "plugins/probe/threaded": (
        ["sdk", "plugins/process"], [C, ASIO], False, "what http and exec share; no plugin"),
    "plugins/probe/http": (
        ["sdk", "plugins/process", "plugins/probe/threaded"], [C, ASIO, BEAST, SSL], False,
        "the public SDK is enough; of process only words"),
    "plugins/probe/exec": (
        ["sdk", "plugins/process", "plugins/probe/threaded"], [C, ASIO], False,
        "the public SDK is enough"),
    "plugins/tunnel/supervised": (
        ["sdk", "plugins/process"], [ASIO], False, "what ssh and exec share; no plugin"),
    "plugins/tunnel/exec": (
        ["sdk", "plugins/process", "plugins/tunnel/supervised"], [C, ASIO], False,
        "the public SDK is enough"),
    "plugins/tunnel/ssh": (
        ["sdk", "plugins/process", "plugins/tunnel/supervised"], [C, ASIO], False,
        "the public SDK is enough"),
    "plugins/tunnel/gateway/protocol": (
        ["sdk"], None, True, "frames and the register of epochs: tested without time or network"),
    "plugins/tunnel/gateway/link": (
        ["sdk", "plugins/tunnel/gateway/protocol"], [C, ASIO, SSL], False, "one TLS connection"),
    "plugins/tunnel/gateway/agent": (
        ["sdk", "plugins/tunnel/gateway/protocol", "plugins/tunnel/gateway/link"],
        [C, ASIO, SSL], False, "a plugin like any other: the runtime stays out of it"),
    "plugins/tunnel/gateway/server": (
        ["sdk", "plugins/tunnel/gateway/protocol", "plugins/tunnel/gateway/link", "plugins/etcd",
         "runtime/base", "runtime/config"], [C, ASIO, JSON, SSL, FMT, r"CLI/.*"], False,
        "a program of its own: shares log, HTTP and file reading with the runtime, no decisions"),
}  # fmt: skip
# Single headers where a folder as a whole would be too much.
ONLY = {
    ("runtime/core", "sdk"): {"result.hpp", "time.hpp", "tunnel.hpp"},  # value types
    ("plugins/tunnel/gateway/protocol", "sdk"): {"result.hpp", "time.hpp", "tunnel.hpp"},
    ("runtime/host", "runtime/config"): {"catalog.hpp"},
    ("runtime/admin", "runtime/instance"): {"control.hpp"},
    ("runtime/cli", "runtime/instance"): {"control.hpp", "offline.hpp", "run.hpp"},
    ("runtime/cli", "runtime/seal"): {"secret.hpp", "seal.hpp"},
}
STD = re.compile(r"[a-z_]+")
# A pure folder gets time as an argument and has no way out; what iterates in an order that changes
# from run to run would make two runs of one seed differ.
IMPURE_HEADERS = re.compile(
    r"thread|mutex|shared_mutex|condition_variable|atomic|future|semaphore|latch|barrier|random"
    r"|[io]?f?stream|iostream|cstdio|print|ctime|filesystem|csignal|unordered_(map|set)"
)
IMPURE = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|file_clock)\b|\bnow\s*\(\s*\)"
    # Precompiled headers bring these without an #include.
    r"|\bstd::(this_thread|j?thread|mutex|atomic|random_device|mt19937(_64)?|cout|cerr|clog"
    r"|filesystem|[io]?fstream)\b"
    r"|\b(std::|::)?(time|clock|clock_gettime|gettimeofday|rand|srand|getenv|printf|fprintf|fopen|puts"
    r"|socket|getpid|usleep|nanosleep)\s*\(|\bunordered_(map|set)\b|\bthread_local\b"
)
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')


def public_headers(root):
    """Name as it is included: (folder, name of the file)."""
    found = {}
    for folder in TABLE:
        include = root / folder / "include"
        for path in tree.files(include, *tree.CPP) if include.is_dir() else ():
            found[str(path.relative_to(include))] = (folder, path.name)
    return found


def angle(folder, name, headers):
    """What is wrong with <name> in `folder`, or None."""
    may, other, pure, why = TABLE[folder]
    if name in headers:
        owner, file = headers[name]
        only = ONLY.get((folder, owner))
        if owner == folder or (owner in may and (only is None or file in only)):
            return None
        of = f"of {owner} " + (f"only {', '.join(sorted(only))}" if only and owner in may else "nothing")
        return f"{folder} may include {of}: {why}"
    if name.startswith("umbra/"):
        return f"no folder of the table has the public header <{name}>"
    if STD.fullmatch(name):
        if pure and IMPURE_HEADERS.fullmatch(name):
            return f"{folder} is pure, <{name}> reaches outside: {why}"
        return None
    if any(re.fullmatch(pattern, name) for pattern in ([other] if isinstance(other, str) else other or [])):
        return None
    return f"{folder} may not include <{name}>: {why}"


def quoted(root, folder, path, name):
    """Quotes are for headers of the same folder that nobody else may see."""
    for base in (path.parent, root / folder / "src"):
        target = (base / name).resolve()
        if target.is_file() and target.is_relative_to(root / folder):
            return None
    return f'"{name}" is not a header of {folder}; those of other folders are included with <>'


def check(root):
    problems = []
    headers = public_headers(root)
    for path in tree.files(root, *tree.CPP):
        where = path.relative_to(root)
        if where.parts[0] not in ("sdk", "runtime", "plugins"):
            continue
        folder = next((f for f in TABLE if where.is_relative_to(f)), None)
        if folder is None:
            problems.append(f"{where}:1: no row of the table in tests/lint/layering.py has this folder")
            continue
        text = path.read_text()
        # Includes are read from the text, because their names are strings.
        for number, line in enumerate(text.splitlines(), 1):
            if found := INCLUDE.match(line):
                wrong = (
                    angle(folder, found[1], headers)
                    if found[1]
                    else quoted(root, folder, path, found[2])
                )
                if wrong:
                    problems.append(f"{where}:{number}: {wrong}")
        if TABLE[folder][2]:
            for number, line in enumerate(tree.code(text).splitlines(), 1):
                if (found := IMPURE.search(line)) and not INCLUDE.match(line):
                    problems.append(f"{where}:{number}: {folder} is pure, `{found[0].strip()}` is not")
    return problems


if __name__ == "__main__":
    sys.exit(tree.verdict(check(pathlib.Path(sys.argv[1]).resolve())))
