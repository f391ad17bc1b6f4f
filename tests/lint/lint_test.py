#!/usr/bin/env python3
"""Breaks each rule once: lint_test.py CXX AR"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import headers
import house
import layering
import pure_symbols
import tree

CXX, AR = sys.argv[1:3]


class Lint(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="umbra-lint-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name).resolve()

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def layering_says(self, folder, text):
        self.put("sdk/include/umbra/sdk/result.hpp", "")
        self.put("sdk/include/umbra/sdk/abi.h", "")
        self.put("runtime/instance/include/umbra/instance/run.hpp", "")
        self.put("plugins/tunnel/gateway/link/include/umbra/gateway/link.hpp", "")
        self.put(f"{folder}/src/own.hpp", "")
        self.put(f"{folder}/src/file.cpp", text)
        return layering.check(self.root)

    def test_what_is_allowed_is_allowed(self):
        text = "#include \"own.hpp\"\n#include <umbra/sdk/result.hpp>\n#include <vector>\n"
        text += "// std::thread\nconst char* text = \"std::mutex\";\n"
        self.assertEqual(self.layering_says("runtime/core", text), [])

    def test_arrows_go_one_way(self):
        for folder, include in (
            ("runtime/core", "<umbra/instance/run.hpp>"),
            ("runtime/core", "<umbra/sdk/abi.h>"),
            ("runtime/core", "<boost/asio.hpp>"),
            ("runtime/core", "<unistd.h>"),
            ("runtime/core", "<thread>"),
            ("runtime/core", "<unordered_map>"),
            ("runtime/core", '"../../instance/include/umbra/instance/run.hpp"'),
            ("plugins/probe/tcp", "<umbra/instance/run.hpp>"),
            ("plugins/tunnel/gateway/protocol", "<umbra/gateway/link.hpp>"),
            ("runtime/config", "<umbra/gateway/missing.hpp>"),
            ("sdk", "<unistd.h>"),
        ):
            problems = self.layering_says(folder, f"#include {include}\n")
            self.assertEqual(len(problems), 1, f"{include} in {folder}: {problems}")
            self.assertIn(f"{folder}/src/file.cpp:1:", problems[0])
            (self.root / folder / "src/file.cpp").unlink()

    def test_decisions_are_pure(self):
        for line in (
            "auto t = std::chrono::steady_clock::now();",
            "auto t = Clock::now();",
            "auto t = std::time(nullptr);",
            "std::thread worker;",
            "std::mt19937 random;",
            "std::printf(text);",
            "std::unordered_map<int, int> map;",
            "bool there = std::filesystem::exists(path);",
        ):
            problems = self.layering_says("runtime/core", line + "\n")
            self.assertEqual(len(problems), 1, f"{line}: {problems}")
        (self.root / "runtime/core/src/file.cpp").unlink()
        self.assertEqual(self.layering_says("runtime/base", "std::thread worker;\n"), [])

    def test_a_new_folder_needs_a_row(self):
        problems = self.layering_says("runtime/more", "int x;\n")
        self.assertTrue(any("no row" in problem for problem in problems))

    def test_comments_and_strings_are_not_code(self):
        text = "int a = 1'000; /* now()\n */ char c = '\"'; // x\nauto s = \"now()\";\nnow();\n"
        self.assertEqual([n for n, l in enumerate(tree.code(text).split("\n"), 1) if "now" in l], [4])

    def test_object_code_of_decisions_is_pure(self):
        clean = "#include <stdexcept>\nvoid f() { throw std::logic_error(\"x\"); }\n"
        for text, expected in (
            (clean, 0),
            (clean + "#include <chrono>\nauto g() { return std::chrono::steady_clock::now(); }\n", 1),
            (clean + "#include <ctime>\nauto g() { return std::time(nullptr); }\n", 1),
            ("", 1),
        ):
            source = self.put("x.cpp", text)
            library = self.root / "x.a"
            library.unlink(missing_ok=True)
            subprocess.run([CXX, "-c", source, "-o", source.with_suffix(".o")], check=True)
            subprocess.run([AR, "rc", library, source.with_suffix(".o")], check=True)
            self.assertEqual(pure_symbols.main("nm", [str(library)]), expected, text)

    def test_headers_compile_alone(self):
        work = self.root / "work"
        header = self.put("sdk/include/umbra/good.hpp", "#pragma once\n#include <string>\nstd::string f();\n")
        self.assertEqual(headers.main(self.root, work, [CXX]), 0)
        header.write_text("#pragma once\nstd::string f();\n")
        self.assertEqual(headers.main(self.root, work, [CXX]), 1)
        header.write_text("struct Twice {};\n")
        self.assertEqual(headers.main(self.root, work, [CXX]), 1)

    def house_says(self, name, text):
        for room in house.ROOMS:
            self.put(f"{room}/README.md", "# room\n")
        path = self.put(name, text)
        problems = house.check(self.root)
        path.unlink()
        return problems

    def test_the_house_is_kept(self):
        self.assertEqual(self.house_says("sdk/a.hpp", "int a;\n" * house.LINES_MAX), [])
        for name, text in (
            ("sdk/a.hpp", "int a;\n" * (house.LINES_MAX + 1)),
            ("sdk/a.hpp", "int a;"),
            ("sdk/a.hpp", "// TO" "DO: more\n"),
            ("sdk/a.md", "ask some" "body@" "example.com\n"),
            ("sdk/a.md", "see /ho" "me/me/umbra\n"),
            ("sdk/a.md", f"see {self.root}\n"),
            ("packaging/a.sh", "#!/bin/bash\nif then\n"),
            ("packaging/postinst", "#!/bin/sh\nif then\n"),
            ("packaging/a.py", "def f(:\n"),
            ("runtime/base/CMakeLists.txt", "\n"),
            ("sdk/README.md", "no heading\n"),
        ):
            problems = self.house_says(name, text)
            self.assertEqual(len(problems), 1, f"{name}: {text[:40]}: {problems}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
