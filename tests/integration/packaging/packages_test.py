#!/usr/bin/env python3
"""The three Debian packages, and what dpkg makes of them: packages_test.py BUILD WORK"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import unittest

import staging

BUILD, WORK = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
SKIPPED = 77
PACKAGES = {"runtime": "umbra", "gateway": "umbra-gateway", "sdk": "umbra-sdk-dev"}
SERVICES = ("umbra", "umbra-gateway")
# Debian packages whose libraries the programs may load; plain names, without versions.
DEPENDS = {
    "umbra": {"adduser", "init-system-helpers", "libc6", "libfmt9", "libgcc-s1", "libjemalloc2",
              "libsodium23", "libsqlite3-0", "libssl3", "libstdc++6", "libtomlplusplus3", "libzmq5"},
    "umbra-gateway": {"adduser", "init-system-helpers", "libc6", "libfmt9", "libgcc-s1", "libjemalloc2",
                      "libssl3", "libstdc++6", "libtomlplusplus3"},
    "umbra-sdk-dev": set(),
}  # fmt: skip

# Run as root in a mount namespace of its own, on an overlay that vanishes with it: everything that
# a user of the packages meets, in order. Nothing reaches the system that runs the test.
LIFE = r"""
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mkdir "$1/root/debs"
cp "$2"/*.deb "$1/root/debs"
exec chroot "$1/root" sh -euc '
    export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
    expect() { [ "$1" = "$2" ] || { echo "expected: $2; found: $1"; exit 1; }; }
    dpkg --purge umbra umbra-gateway umbra-sdk-dev >/dev/null 2>&1 || true
    dpkg --force-depends -i /debs/*.deb

    for name in umbra umbra-gateway; do
        expect "$(stat -c "%U:%G %a" /var/lib/$name)" "$name:$name 700"
        getent passwd $name | grep -q nologin
        $name --version
    done
    expect "$(umbra plugin list | wc -l)" 11
    [ ! -e /etc/umbra/umbra.toml ]

    # Edited, it survives an upgrade, as do data and their modes.
    echo mine > /etc/umbra/umbra.toml
    echo "# mine" >> /etc/umbra/shared.toml.example
    echo key > /var/lib/umbra/key
    chmod 600 /var/lib/umbra/key
    dpkg --force-depends --force-confold -i /debs/umbra_*.deb
    expect "$(cat /etc/umbra/umbra.toml)" mine
    expect "$(tail -n1 /etc/umbra/shared.toml.example)" "# mine"
    expect "$(stat -c "%U %a" /var/lib/umbra)" "umbra 700"
    expect "$(stat -c "%U %a" /var/lib/umbra/key)" "root 600"

    dpkg -r umbra
    expect "$(cat /var/lib/umbra/key)" key
    [ ! -e /usr/bin/umbra ]

    # What the service put into its directory must not lead a script of root out of it.
    mkdir /precious
    echo all > /precious/file
    ln -s /precious /var/lib/umbra/link
    dpkg -P umbra umbra-gateway umbra-sdk-dev
    expect "$(cat /precious/file)" all
    for left in /var/lib/umbra /var/lib/umbra-gateway /usr/lib/umbra /usr/include/umbra; do
        [ ! -e $left ] || { echo "a purge left $left"; exit 1; }
    done
    expect "$(cat /etc/umbra/umbra.toml)" mine
    echo LIVED
'
"""


def may_mount(directory):
    """Whether an overlay can be mounted here: needs root, and a kernel that lets it."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    attempt = (
        'mount -t tmpfs tmpfs "$1" && mkdir "$1/u" "$1/w" "$1/m" && mount -t overlay overlay'
        ' -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" "$1/m"'
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", attempt, "sh", directory], capture_output=True, check=False
    )
    return done.returncode == 0


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = staging.fresh(WORK / "packages")
        # As on a tidy machine; the modes below are the umask's otherwise.
        os.umask(0o022)
        config = BUILD / "CPackConfig.cmake"
        staging.run("cpack", "--config", config, "-G", "DEB", "-B", cls.directory, cwd=WORK)
        cls.debs = {}
        for deb in cls.directory.glob("*.deb"):
            cls.debs[staging.run("dpkg-deb", "-f", deb, "Package").strip()] = deb

    def field(self, package, name):
        return staging.run("dpkg-deb", "-f", self.debs[package], name).strip()

    def control(self, package):
        directory = staging.fresh(WORK / "control") / package
        staging.run("dpkg-deb", "-e", self.debs[package], directory)
        return directory

    def members(self, package):
        archive = WORK / f"{package}.tar"
        archive.write_bytes(
            subprocess.run(
                ["dpkg-deb", "--fsys-tarfile", self.debs[package]], capture_output=True, check=True
            ).stdout
        )
        with tarfile.open(archive) as opened:
            return {"/" + m.name.removeprefix("./"): m for m in opened if m.name != "."}

    def test_there_are_three_of_them(self):
        self.assertEqual(sorted(self.debs), sorted(PACKAGES.values()))
        for package, deb in self.debs.items():
            architecture = self.field(package, "Architecture")
            self.assertEqual(architecture == "all", package == "umbra-sdk-dev")
            version = self.field(package, "Version")
            self.assertEqual(deb.name, f"{package}_{version}_{architecture}.deb")

    def test_each_says_who_it_is(self):
        for package in self.debs:
            maintainer = self.field(package, "Maintainer")
            self.assertEqual(maintainer, "The Umbra developers <umbra@localhost.invalid>")
            summary, *about = self.field(package, "Description").splitlines()
            self.assertLess(len(summary), 80)
            self.assertGreater(len(about), 3)

    def test_dependencies_are_those_of_the_libraries(self):
        for package, expected in DEPENDS.items():
            text = self.field(package, "Depends")
            names = {re.match(r"[a-z0-9.+-]+", word.strip())[0] for word in text.split(",") if word}
            self.assertEqual(names, expected, package)

    def test_each_contains_what_its_component_installs(self):
        for component, package in PACKAGES.items():
            root = staging.stage(BUILD, WORK / "stage", [component])
            staged = {f"/{p.relative_to(root)}" for p in root.rglob("*") if p.is_file()}
            members = self.members(package)
            self.assertEqual({n for n, m in members.items() if m.isfile()}, staged)
            for name, member in members.items():
                self.assertEqual((member.uid, member.gid), (0, 0), name)
                self.assertFalse(member.mode & 0o022, f"{name}: others may write it")

    def test_everything_in_etc_is_a_conffile(self):
        for package in self.debs:
            listed = self.control(package) / "conffiles"
            listed = listed.read_text().splitlines() if listed.exists() else []
            in_etc = [n for n, m in self.members(package).items() if n.startswith("/etc/") and m.isfile()]
            self.assertEqual(sorted(listed), sorted(in_etc), package)

    def test_scripts_parse_and_may_be_run(self):
        for package in SERVICES:
            for name in ("postinst", "prerm", "postrm"):
                script = self.control(package) / name
                self.assertEqual(oct(script.stat().st_mode & 0o777), "0o755", script)
                staging.run("sh", "-n", script)

    def test_lintian_has_nothing_to_say(self):
        if not shutil.which("lintian"):
            self.skipTest("lintian is missing")
        said = staging.run("lintian", "--allow-root", "--fail-on=none", *self.debs.values())
        self.assertNotRegex(said, r"(?m)^[EW]: ")

    def test_installed_upgraded_removed_and_purged(self):
        scratch = staging.fresh(WORK / "life")
        if not shutil.which("adduser") or not may_mount(scratch):
            self.skipTest("needs adduser, root, and a kernel that mounts overlays")
        said = staging.run(
            *("unshare", "-m", "sh", "-c", LIFE, "sh", scratch, self.directory), cwd="/"
        )
        self.assertIn("LIVED", said)


if __name__ == "__main__":
    if missing := [tool for tool in ("dpkg-deb", "dpkg-shlibdeps", "cpack") if not shutil.which(tool)]:
        print(f"skipped: {missing[0]} is missing")
        sys.exit(SKIPPED)
    staging.fresh(WORK)
    unittest.main(argv=sys.argv[:1])
