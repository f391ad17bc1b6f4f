#!/usr/bin/env bash
# Installs the Debian packages that a build needs, where they are missing, and says which.
#
#   packaging/install-build-tools.sh [--tests] [--demo]
set -euo pipefail

packages=(g++ cmake ninja-build ccache pkg-config libboost1.81-dev libzmq3-dev cppzmq-dev
    libtomlplusplus-dev libfmt-dev libssl-dev libcli11-dev libsqlite3-dev libsodium-dev
    libjemalloc-dev)
for option in "$@"; do
    case "$option" in
        # openssh-server, openssh-client: the tunnel provider ssh is tested against a real server.
        # nftables, strace, iproute2: tests/chaos cuts links and breaks fsync in its own namespaces.
        # golang: the other end of a link is the yamux that Debian ships for Go.
        # tinyproxy-bin: links of an instance through a real HTTP proxy.
        --tests) packages+=(python3 libgtest-dev libgmock-dev libbenchmark-dev clang-format curl openssl util-linux
            dpkg-dev file binutils iproute2 mount nftables strace etcd-server etcd-client openssh-server openssh-client
            golang-1.19-go golang-github-hashicorp-yamux-dev tinyproxy-bin) ;;
        --demo) packages+=(python3 curl) ;;
        *) echo "install-build-tools.sh: unknown argument '$option'" >&2; exit 2 ;;
    esac
done

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install-build-tools.sh: this is not a Debian system; install by hand: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-build-tools.sh: run this as root, or install sudo: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get update -q
# The tests start etcd and sshd by themselves, with files of their own. The services that their packages
# would start on this machine stay off, unless it has a rule of its own for that.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
