#!/usr/bin/env python3
"""Breaks a pair of real processes again and again, and judges what was recorded meanwhile.

    tests/chaos/run.py --build build/release [--faults 44 | --minutes M] [--seed S] [--keep]
    tests/chaos/run.py --build build/release --only cut_peer+kill_master --faults 5

Needs network namespaces (as root, or where users may make their own), nft and strace. Exit status: 0
nothing was violated, 1 something was, 77 namespaces are not permitted here (ctest: skipped).
"""

import argparse
import ctypes
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
INSIDE = "UMBRA_CHAOS_DIRECTORY"
TOOLS = ("ip", "nft", "nsenter", "strace", "unshare")


def parse():
    parser = argparse.ArgumentParser(description="Chaos on real processes in network namespaces.")
    parser.add_argument("--build", required=True, type=os.path.abspath, help="build directory with bin/ and plugins.d/")
    parser.add_argument("--faults", type=int, default=44, help="how many, unless --minutes is given")
    parser.add_argument("--minutes", type=float, help="go on until this time is over")
    parser.add_argument("--seed", type=int, help="of the order and the lengths of the faults")
    parser.add_argument("--only", help="this fault, or these joined with +, again and again")
    parser.add_argument("--keep", action="store_true", help="keep the files of a run that is good, too")
    parser.add_argument("--log-level", default="info", help="of the instances")
    options = parser.parse_args()
    for program in ("umbra", "umbra-gateway"):
        if not os.path.exists(f"{options.build}/bin/{program}"):
            parser.error(f"there is no bin/{program} in {options.build}; build it first")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    return options


def unshare():
    """The command that begins namespaces of our own. Processes in them end with it."""
    mapped = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *mapped, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def cannot():
    """Why there can be no run here, or None."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"{', '.join(missing)} not found; packaging/install-build-tools.sh --tests installs it"
    probe = (
        "mkdir -p /run/netns && mount -t tmpfs probe /run/netns && ip netns add probe &&"
        " ip link add probe0 type veth peer name probe1 netns probe &&"
        " echo 'table inet probe { chain c { type filter hook input priority 0; tcp dport 1 drop; }; }'"
        " | nft -f -"
    )
    done = subprocess.run([*unshare(), "sh", "-c", probe], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"namespaces are not permitted: {done.stderr.strip()}"


def may_trace():
    """May we attach to a process that is not our child? Containers often forbid it."""
    sleeper = subprocess.Popen(["sleep", "20"])
    tracer = subprocess.Popen(
        ["strace", "-o", "/dev/null", "-p", str(sleeper.pid)], stderr=subprocess.PIPE
    )
    attached = b"attached" in tracer.stderr.readline()
    tracer.terminate()
    sleeper.terminate()
    tracer.wait()
    sleeper.wait()
    return attached


def inner(options, directory):
    """In the namespaces: the run and its verdict."""
    import checker
    from campaign import Campaign, Failure
    from history import load

    traced = may_trace()
    if not traced:
        print("chaos: strace may not attach here: faults of fsync are LEFT OUT", flush=True)
    campaign = Campaign(options, directory, options.seed, traced)
    problems = []
    try:
        if not campaign.run():
            problems.append("the run ended at a fault from which there was no recovery")
    except (Failure, OSError, subprocess.SubprocessError) as error:
        campaign.field.report()
        problems.append(f"the run broke off: {error!r}")
    finally:
        campaign.close(options.keep or bool(problems))
    events = load(campaign.records)
    print(checker.figures(events))
    verdict = checker.check(events)
    for problem in problems + verdict:
        print(f"VIOLATION {problem}", flush=True)
    return 1 if problems or verdict else 0


def remove(directory):
    """Processes of namespaces that have just ended may still write for a moment."""
    for _ in range(100):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.05)


def outer(options):
    """Makes the namespaces and the directory, and removes both whatever happens."""
    if reason := cannot():
        print(f"chaos: SKIPPED: {reason}", flush=True)
        return SKIPPED
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"umbra-chaos-{os.getpid()}-"))
    print(f"chaos: seed {options.seed}", flush=True)
    again = [sys.executable, "-B", *sys.argv, "--seed", str(options.seed)]
    libc = ctypes.CDLL(None)
    child = subprocess.Popen(
        [*unshare(), *again],
        env={**os.environ, INSIDE: str(directory)},
        # Should this process be killed, the namespaces go with it.
        preexec_fn=lambda: libc.prctl(1, signal.SIGKILL),
    )

    def stop(number, frame):
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        status = child.wait()
    except SystemExit:
        child.kill()
        child.wait()
        remove(directory)
        raise
    if status != 0 or options.keep:
        print(f"kept: {directory}; seed {options.seed}", flush=True)
    else:
        remove(directory)
    return 0 if status == 0 else 1


def main():
    options = parse()
    if INSIDE in os.environ:
        return inner(options, pathlib.Path(os.environ[INSIDE]))
    return outer(options)


if __name__ == "__main__":
    sys.exit(main())
