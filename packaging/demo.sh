#!/usr/bin/env bash
# Umbra's main job on one machine, with real parts: a gateway, a master and a shadow as processes of
# their own, an internal system behind them, a client in front. The master is killed, the shadow
# serves on, the configuration is edited, the old master returns as the shadow.
#
#   packaging/demo.sh           installs what is missing, builds, runs; leaves the pair running
#                               until Ctrl-C
#   packaging/demo.sh --once    the same, but ends by itself: exit status 0 only if every step was
#                               observed
#   --build DIR                 use the programs of a build that is there, build nothing
set -euo pipefail
umask 022
top=$(cd "$(dirname "$0")/.." && pwd)
once=no
build=
while [ $# -gt 0 ]; do
    case "$1" in
        --once) once=yes ;;
        --build) build=$(cd "${2:?"--build needs a directory"}" && pwd); shift ;;
        -h | --help) sed -n '2,11p' "$0" | cut -c3-; exit 0 ;;
        *) echo "demo.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() {
    echo "demo.sh: $*" >&2
    for log in "$work"/*.log; do
        [ -s "$log" ] && { echo "--- last lines of $(basename "$log")" >&2; tail -n 15 "$log" >&2; }
    done
    exit 1
}

# --- programs ---------------------------------------------------------------------------------------
if [ -z "$build" ]; then
    say "Packages and build"
    "$top/packaging/install-build-tools.sh" --demo
    build=$top/build/demo
    cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DUMBRA_TESTS=OFF >/dev/null
    cmake --build "$build"
fi
umbra=$build/bin/umbra
gateway=$build/bin/umbra-gateway

# --- a place of our own, cleaned up at the end --------------------------------------------------------
work=$(mktemp -d "${TMPDIR:-/tmp}/umbra-demo.XXXXXX")
declare -A pid=()
finish() {
    status=$?
    trap - EXIT INT TERM
    for name in "${!pid[@]}"; do kill "${pid[$name]}" 2>/dev/null || true; done
    for name in "${!pid[@]}"; do
        for _ in $(seq 100); do kill -0 "${pid[$name]}" 2>/dev/null && sleep 0.05; done
    done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# $1 name, rest: command. Its stderr goes to a log of that name.
start() {
    local name=$1
    shift
    "$@" >>"$work/$name.log" 2>&1 &
    pid[$name]=$!
    disown  # The shell would announce the death of the master by itself.
}
# $1 seconds, $2 what, rest: a command that succeeds when it happened
wait_for() {
    local limit=$1 what=$2
    shift 2
    local end=$((SECONDS + limit))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || die "$what did not happen within $limit s"
        sleep 0.05
    done
}
field() { # $1 instance, $2 python expression over s, the parsed status
    "$umbra" status --json --admin "unix:$work/$1.sock" |
        python3 -c "import json,sys; s=json.load(sys.stdin); print($2)"
}
is() { [ "$(field "$1" "$2")" = "$3" ]; }
answers() { [ "$("$1" status --admin "unix:$work/$2.sock" 2>/dev/null | wc -l)" -gt 0 ]; }

read -r agents clients backend a_pub a_rep b_pub b_rep < <(python3 - <<'P'
import socket
sockets = [socket.socket() for _ in range(7)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
P
)

cat >"$work/gateway.toml" <<T
[gateway]
name = "cloud-1"
data_dir = "$work/gateway"
listen = "127.0.0.1:$agents"
[admin]
listen = "unix:$work/gateway.sock"
[listener.crm]
address = "127.0.0.1:$clients"
virtual = "crm.cloud:8080"
T
instance_file() { # name, role, own publish and respond, the peer's
    cat >"$work/$1.toml" <<T
[instance]
name = "$1"
role = "$2"
data_dir = "$work/$1"
[plugins]
path = ["$build/plugins.d"]
[peer]
enabled = true
[transport]
plugin = "zeromq"
options = { publish = "tcp://127.0.0.1:$3", respond = "tcp://127.0.0.1:$4" }
peer = { publish = "tcp://127.0.0.1:$5", respond = "tcp://127.0.0.1:$6" }
[storage]
plugin = "file"
[admin]
listen = "unix:$work/$1.sock"
[shared]
initial = "shared.toml"
T
}
instance_file alpha master "$a_pub" "$a_rep" "$b_pub" "$b_rep"
instance_file beta shadow "$b_pub" "$b_rep" "$a_pub" "$a_rep"
cat >"$work/shared.toml" <<T
[tunnel.main]
plugin = "gateway"
options = { address = "127.0.0.1:$agents", links = 2 }
[tunnel.main.mapping.crm]
virtual = "crm.cloud:8080"
internal = "127.0.0.1:$backend"
protocol = "tcp"
[probe.crm-backend]
plugin = "tcp"
every = "2s"
options = { address = "127.0.0.1:$backend" }
T
alpha="unix:$work/alpha.sock"
beta="unix:$work/beta.sock"

# --- start and meet -----------------------------------------------------------------------------------
say "Start: an internal system, a gateway, the master alpha, the shadow beta"
for file in alpha beta shared; do "$umbra" check --plugins "$build/plugins.d" "$work/$file.toml"; done
"$gateway" check "$work/gateway.toml"
start backend python3 "$top/packaging/demo/backend.py" "$backend"
start gateway "$gateway" run "$work/gateway.toml"
start alpha "$umbra" run "$work/alpha.toml"
start beta "$umbra" run "$work/beta.toml"
wait_for 20 "the start of the gateway" answers "$gateway" gateway
wait_for 20 "the start of alpha" answers "$umbra" alpha
wait_for 20 "the start of beta" answers "$umbra" beta

say "Exchange keys: the gateway invites alpha, alpha invites beta, the gateway invites beta"
"$umbra" tunnel enrol main "$("$gateway" invite alpha --admin "unix:$work/gateway.sock")" --admin "$alpha"
wait_for 20 "alpha becoming the active master" is alpha 's["role"]+" "+s["state"]' "master active"
"$umbra" peer join "$("$umbra" peer invite --admin "$alpha" 2>/dev/null)" --admin "$beta"
wait_for 20 "beta receiving the configuration" is beta 'len(s["tunnels"])' 1
"$umbra" tunnel enrol main "$("$gateway" invite beta --admin "unix:$work/gateway.sock")" --admin "$beta"
wait_for 20 "beta becoming ready" is beta 's["state"]+" "+s["tunnels"][0]["state"]' "ready standby"
wait_for 20 "alpha seeing beta in sync" is alpha 's["peer"]["in_sync"]' True

say "Status of the master"
"$umbra" status --admin "$alpha"
say "Status of the shadow"
"$umbra" status --admin "$beta"

say "A request through the tunnel, served by alpha"
python3 "$top/packaging/demo/client.py" once "$clients" | tee "$work/answer"
grep -q "hello from the internal system" "$work/answer" || die "the request was not answered"

# --- the master dies ------------------------------------------------------------------------------------
say "kill -9 of the master while a client asks all the time"
python3 "$top/packaging/demo/client.py" watch "$clients" "${pid[alpha]}" || die "beta did not take over"
unset 'pid[alpha]'
wait_for 10 "beta becoming the active master" is beta 's["role"]+" "+s["state"]' "master active"
"$umbra" status --admin "$beta"

say "Edit the configuration on the new master; the shadow is away, so it says where the edit is durable"
"$umbra" config set 'probe.crm-backend.every=5s' --admin "$beta" || die "the edit was refused"

say "The old master comes back: it asks first, becomes the shadow, and catches up"
start alpha "$umbra" run "$work/alpha.toml"
wait_for 20 "alpha returning as the shadow" is alpha 's["role"]+" "+s["state"]' "shadow ready"
[ "$("$umbra" config get probe.crm-backend.every --admin "$alpha" | tr -d '"')" = 5s ] || die "alpha lacks the edit"
[ "$(field alpha 's["revision"]')" = "$(field beta 's["revision"]')" ] || die "the revisions differ"
"$umbra" status --admin "$alpha"
if "$umbra" config set 'probe.crm-backend.every=9s' --admin "$alpha"; then
    die "the shadow accepted an edit"
else
    [ $? -eq 4 ] || die "an edit on the shadow must end with exit status 4"
fi

say "Every step was observed"
if [ "$once" = yes ]; then exit 0; fi
cat <<T
The pair runs on. In another terminal:
  curl http://127.0.0.1:$clients/
  $umbra status --watch --admin $beta
  $umbra switch --admin $beta
  $umbra config history --admin $beta
Ctrl-C ends everything and removes $work.
T
while kill -0 "${pid[gateway]}" 2>/dev/null; do sleep 0.5; done
