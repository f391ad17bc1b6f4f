#!/usr/bin/env bash
# Installs what is missing, builds Umbra and runs its tests.
#
#   ./tests/run.sh            everything
#   ./tests/run.sh --quick    unit, lint and simulation tests only: the inner loop
#   ./tests/run.sh --preset asan|tsan    the same tests in a sanitizer build
#   ./tests/run.sh -R REGEX   only tests whose name matches, as ctest takes it
#   ./tests/run.sh --soak 2h  the simulation alone, with seeds that nobody chose, on one core until
#                             the time is up (90s, 45m, 2h)
#   ./tests/run.sh --explore  the exploration alone, with 2 crashes, 2 cuts, an edit and a switch,
#                             until no state is left: six minutes of one core, 3.2 GB
set -euo pipefail
cd "$(dirname "$0")/.."

# 2h -> 7200
seconds_of() {
    case "$1" in
        *[!0-9]*[!0-9] | "" | [!0-9]*) return 1 ;;
        *h) echo $((${1%h} * 3600)) ;;
        *m) echo $((${1%m} * 60)) ;;
        *s) echo "${1%s}" ;;
        *) return 1 ;;
    esac
}

preset=release
soak=
explore=
quick=()
pass=()
while [ $# -gt 0 ]; do
    case "$1" in
        --quick) quick=(-L 'unit|lint|simulation') ;;
        --preset) preset=${2:?"--preset needs a name: release, dev, asan or tsan"}; shift ;;
        --soak)
            soak=$(seconds_of "${2-}") || {
                echo "tests/run.sh: --soak needs a time such as 90s, 45m or 2h" >&2
                exit 2
            }
            shift
            ;;
        --explore) explore=yes ;;
        -h | --help) sed -n '2,11p' "$0" | cut -c3-; exit 0 ;;
        -R | -E | -L) pass+=("$1" "${2:?"$1 needs an argument"}"); shift ;;
        *) echo "tests/run.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done

./packaging/install-build-tools.sh --tests
cmake --preset "$preset" >/dev/null
if [ -n "$soak" ]; then
    cmake --build --preset "$preset" --target umbra_simulation
    exec "build/$preset/bin/umbra_simulation" --seconds "$soak"
fi
if [ -n "$explore" ]; then
    cmake --build --preset "$preset" --target umbra_exploration
    # What these bounds mean, and what is not covered: tests/exploration/README.md.
    exec "build/$preset/bin/umbra_exploration" --crashes 2 --cuts 2 --edits 1 --switches 1 \
        --turns 0 --amid 0 --states-max 400000000
fi
cmake --build --preset "$preset"

sanitizer=()
case "$preset" in
    # The runtime of a sanitizer cannot follow addresses that are randomised too widely.
    asan | tsan) sanitizer=(setarch "$(uname -m)" -R) ;;
esac
# The leak checker misreads thread-local storage of libraries that were loaded while running.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:intercept_tls_get_addr=0}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$PWD/tests/tsan.supp:history_size=4}
run=("${sanitizer[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --timeout 600)
"${run[@]}" -j "$(nproc)" "${quick[@]}" "${pass[@]}" && exit 0
# Tests with real processes wait for conditions up to a limit. On a machine that was busy with other
# tests that limit can pass, so what failed gets one more chance, alone. A real fault fails again.
echo
echo "Some tests failed while others ran beside them; each of these runs once more, alone:"
exec "${run[@]}" --rerun-failed
