#!/usr/bin/env bash
# What the tunnel costs and carries, beside its peers in the same run; the rows are in README.md.
#
#   tests/bench/tunnel.sh                          all rows, 7 rounds
#   tests/bench/tunnel.sh --only bulk,requests     some of them
#   tests/bench/tunnel.sh --quick                  3 short rounds
#
# Installs the Debian packages it needs where they are missing, without letting one of their
# services start. frp, chisel and rathole take part when their programs are on the PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(python3 iperf3 wrk nginx-light libnginx-mod-stream stunnel4 haproxy openssh-server openssl util-linux)
missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "tunnel.sh: install these as root first, without starting their services: ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
    # A package's installation asks this file whether it may start its service; 101 is no.
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e "$policy" ]; then
        made=$policy
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
    trap - EXIT
    if [ -n "$made" ]; then rm -f "$made"; fi
fi
exec python3 -B tests/bench/tunnel.py "$@"
