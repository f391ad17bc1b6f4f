#!/usr/bin/env python3
"""What an installation consists of: installed_test.py BUILD WORK"""

import pathlib
import re
import shutil
import stat
import sys
import unittest

import staging

BUILD, WORK = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
RELEASE = "rel" in (BUILD / "CMakeCache.txt").read_text().lower().split("cmake_build_type:string=")[
    1
].split("\n")[0]

PLUGINS = (
    "transport-zeromq",
    "storage-file",
    "storage-sqlite",
    "storage-etcd",
    "probe-tcp",
    "probe-http",
    "probe-exec",
    "tunnel-gateway",
    "tunnel-ssh",
    "tunnel-exec",
)
PROGRAMS = {"runtime": ["usr/bin/umbra"], "gateway": ["usr/bin/umbra-gateway"], "sdk": []}
FILES = {
    "runtime": [
        "etc/umbra/pair-alpha.toml.example",
        "etc/umbra/pair-beta.toml.example",
        "etc/umbra/shared-gateways.toml.example",
        "etc/umbra/shared-mappings.toml.example",
        "etc/umbra/shared-ssh.toml.example",
        "etc/umbra/shared.toml.example",
        "usr/lib/systemd/system/umbra.service",
        "usr/share/doc/umbra/changelog.gz",
        "usr/share/doc/umbra/copyright",
        "usr/share/man/man1/umbra.1.gz",
        *(f"usr/lib/umbra/plugins/umbra-{plugin}.so" for plugin in PLUGINS),
    ],
    "gateway": [
        "etc/umbra-gateway/gateway-etcd.toml.example",
        "etc/umbra-gateway/gateway.toml.example",
        "usr/lib/systemd/system/umbra-gateway.service",
        "usr/share/doc/umbra-gateway/changelog.gz",
        "usr/share/doc/umbra-gateway/copyright",
        "usr/share/man/man1/umbra-gateway.1.gz",
    ],
    "sdk": ["usr/share/doc/umbra-sdk-dev/changelog.gz", "usr/share/doc/umbra-sdk-dev/copyright"],
}
# Headers and CMake files come and go with the SDK; they may be nowhere else.
SDK_FOLDERS = ("usr/include/umbra/sdk/", "usr/lib/cmake/umbra-sdk/")
# Where one of these is new, packages depend on more: say so here on purpose.
LIBRARIES = re.compile(
    r"(libc|libm|libstdc\+\+|libgcc_s|libssl|libjemalloc|libsodium|libsqlite3|libcrypto|libzmq|libfmt|libtomlplusplus"
    r"|ld-linux-[a-z0-9-]+)\.so\.\d+"
)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = {c: staging.stage(BUILD, WORK / c, [c]) for c in staging.COMPONENTS}

    def files(self, component):
        root = self.root[component]
        return {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}

    def elf_files(self):
        for component in ("runtime", "gateway"):
            for name, path in self.files(component).items():
                if path.read_bytes()[:4] == b"\x7fELF":
                    yield name, path

    def test_each_component_consists_of_these_files(self):
        for component in ("runtime", "gateway"):
            expected = sorted(FILES[component] + PROGRAMS[component])
            self.assertEqual(sorted(self.files(component)), expected)
        files = sorted(self.files("sdk"))
        self.assertEqual([f for f in files if not f.startswith(SDK_FOLDERS)], FILES["sdk"])
        for part in ("abi.h", "probe.hpp", "transport.hpp", "storage.hpp", "tunnel.hpp"):
            self.assertIn(f"usr/include/umbra/sdk/{part}", files)
        self.assertIn("usr/lib/cmake/umbra-sdk/umbra-sdkConfig.cmake", files)

    def test_only_programs_are_executable_and_only_the_owner_writes(self):
        for component, root in self.root.items():
            for path in root.rglob("*"):
                name = str(path.relative_to(root))
                runs = path.is_dir() or name in PROGRAMS[component]
                mode = stat.S_IMODE(path.stat().st_mode)
                self.assertEqual(oct(mode), oct(0o755 if runs else 0o644), name)

    def test_another_prefix_keeps_everything_below_it(self):
        prefix = staging.fresh(WORK / "prefix")
        staging.run("cmake", "--install", BUILD, "--prefix", prefix, "--component", "gateway")
        self.assertTrue((prefix / "etc/umbra-gateway/gateway.toml.example").is_file())
        self.assertTrue((prefix / "bin/umbra-gateway").is_file())

    def test_programs_and_plugins_are_hardened(self):
        found = list(self.elf_files())
        self.assertEqual(len(found), len(PLUGINS) + 2)
        for name, path in found:
            headers = staging.run("readelf", "-W", "-h", "-l", "-d", path)
            self.assertIn("GNU_RELRO", headers, name)
            self.assertIn("BIND_NOW", headers, f"{name}: not all of the relocations are read-only")
            self.assertRegex(headers, r"GNU_STACK.* RW ", f"{name}: an executable stack")
            self.assertNotRegex(headers, r"R(UN)?PATH", f"{name}: leads out of the installation")
            if not name.endswith(".so"):
                self.assertRegex(headers, r"FLAGS_1.* PIE", f"{name}: not position-independent")
            symbols = staging.run("readelf", "-W", "--dyn-syms", path)
            self.assertIn("__stack_chk_fail", symbols, f"{name}: no stack protector")
            if RELEASE:
                self.assertRegex(symbols, r"__\w+_chk", f"{name}: not fortified")

    def test_libraries_are_those_of_the_system(self):
        for name, path in self.elf_files():
            needed = re.findall(r"NEEDED.*\[(.+)\]", staging.run("readelf", "-W", "-d", path))
            for library in needed:
                self.assertTrue(LIBRARIES.fullmatch(library), f"{name} needs {library}")

    def test_nothing_names_the_tree_it_was_built_in(self):
        source = str(pathlib.Path(__file__).resolve().parents[3])
        for component in staging.COMPONENTS:
            for name, path in self.files(component).items():
                if name in PROGRAMS[component] or name.endswith((".so", ".gz")):
                    continue
                text = path.read_text()
                self.assertNotIn(source, text, name)
                self.assertNotIn(str(BUILD), text, name)

    def test_examples_have_no_mistakes(self):
        check = {
            "runtime": ("usr/bin/umbra", ["etc/umbra/shared.toml", "etc/umbra/shared-ssh.toml", "etc/umbra/pair-alpha.toml"]),
            "gateway": ("usr/bin/umbra-gateway", ["etc/umbra-gateway/gateway.toml"]),
        }
        for component, (program, files) in check.items():
            root = self.root[component]
            for file in files:
                # What the README says to do: copy it, and check it. Plugins are where they are here.
                text = (root / f"{file}.example").read_text()
                text = text.replace('"/usr/lib/umbra', f'"{root}/usr/lib/umbra')
                copy = WORK / pathlib.Path(file).name
                copy.write_text(text)
                staging.run(root / program, "check", copy)

    def test_units_are_valid_and_confined(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is missing")
        for component, unit in (("runtime", "umbra"), ("gateway", "umbra-gateway")):
            root = self.root[component]
            text = (root / f"usr/lib/systemd/system/{unit}.service").read_text()
            program = re.search(r"^ExecStart=(/\S+) run (\S+)$", text, re.M)
            self.assertEqual(program[1], f"/usr/bin/{unit}")
            self.assertIn(f"ConditionPathExists={program[2]}", text)
            self.assertRegex(text, r"(?m)^ExecReload=/\S+")
            copy = WORK / f"{unit}.service"
            copy.write_text(text.replace("=/usr/bin/", f"={root}/usr/bin/"))
            said = staging.run("systemd-analyze", "verify", "--man=no", copy)
            # It ends with 0 for a key that it does not know, and only says so.
            self.assertNotIn(copy.name, said)
            staging.run("systemd-analyze", "security", "--offline=true", "--threshold=20", copy)

    def test_a_stop_leaves_time_for_the_grace_period(self):
        unit = (self.root["runtime"] / "usr/lib/systemd/system/umbra.service").read_text()
        shared = (self.root["runtime"] / "etc/umbra/shared.toml.example").read_text()
        grace = int(re.search(r'grace_period = "(\d+)s"', shared)[1])
        self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)s", unit)[1]), grace + 10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
