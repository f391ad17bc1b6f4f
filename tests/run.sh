#!/usr/bin/env bash
# Installs what is missing, builds Umbra and runs its tests.
#
#   ./tests/run.sh            everything
#   ./tests/run.sh --quick    unit, lint and simulation tests only: the inner loop
#   ./tests/run.sh --preset asan|tsan    the same tests in a sanitizer build
#   ./tests/run.sh -R REGEX   only tests whose name matches, as ctest takes it
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release
quick=()
pass=()
while [ $# -gt 0 ]; do
    case "$1" in
        --quick) quick=(-L 'unit|lint|simulation') ;;
        --preset) preset=${2:?"--preset needs a name: release, dev, asan or tsan"}; shift ;;
        -h | --help) sed -n '2,8p' "$0" | cut -c3-; exit 0 ;;
        -R | -E | -L) pass+=("$1" "${2:?"$1 needs an argument"}"); shift ;;
        *) echo "tests/run.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done

./packaging/install-build-tools.sh --tests
cmake --preset "$preset" >/dev/null
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
