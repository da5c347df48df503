#!/usr/bin/env python3
"""That each check of the structure can fail: on small trees with one fault each."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

# Three rooms and no circle: `use` knows `one`, `one` knows `two`.
CLEAN = {
    "README.md": "# A house\n",
    "low/two.h": "int two(void);\n",
    "low/two.c": '#include "low/two.h"\nint two(void) { return 2; }\n',
    "low/one.h": '#include "low/two.h"\nint one(void);\n',
    "low/one.c": '#include "low/one.h"\nint one(void) { return two() - 1; }\n',
    "high/use.c": '#include "low/one.h"\nint use(void);\nint use(void) { return one(); }\n',
}
PAIR = "- `low/one` and `low/two`: they count each other.\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)

    def write(self, files):
        for path, text in files.items():
            path = os.path.join(self.root, "proxy", path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def compile(self):
        """Objects and the list of them, as CMake leaves them in a build folder."""
        entries = []
        for folder, _, names in os.walk(os.path.join(self.root, "proxy")):
            for name in sorted(name for name in names if name.endswith(".c")):
                source = os.path.join(folder, name)
                output = f"proxy/{len(entries)}.o"
                command = f"cc -I{self.root}/proxy -o {output} -c {source}"
                entries.append({"directory": self.build, "command": command, "file": source})
        os.makedirs(os.path.join(self.build, "proxy"))
        with open(os.path.join(self.build, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump(entries, file)
        for entry in entries:
            subprocess.run(entry["command"].split(), cwd=self.build, check=True)

    @property
    def build(self):
        return os.path.join(self.root, "build")

    def run_script(self, *arguments):
        command = [sys.executable, os.path.join(HERE, arguments[0]), *arguments[1:], "--source", self.root]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout


class Circles(Tree):
    def circles(self, changes):
        self.write({**CLEAN, **changes})
        self.compile()
        return self.run_script("circles.py", self.build)

    def test_no_circle(self):
        self.assertEqual(self.circles({}), (0, "high -> low\nlow -> (nothing)\n"))

    def test_include(self):
        status, text = self.circles({"low/two.c": '#include "low/one.h"\n' + CLEAN["low/two.c"]})
        self.assertEqual(status, 1)
        self.assertIn("circle of 2 files:\n  low/one -> low/two\n  low/two -> low/one\n", text)

    def test_call_without_an_include(self):
        status, text = self.circles(
            {"low/two.c": CLEAN["low/two.c"] + "int one(void);\nint more(void);\nint more(void) { return one(); }\n"}
        )
        self.assertEqual(status, 1)
        self.assertIn("low/two -> low/one\n", text)

    def test_variable(self):
        status, _ = self.circles(
            {
                "low/one.c": CLEAN["low/one.c"] + "int count;\n",
                "low/two.c": "extern int count;\nint two(void);\nint two(void) { return count; }\n",
            }
        )
        self.assertEqual(status, 1)

    def test_pointer_from_above_is_no_arrow(self):
        status, _ = self.circles({"low/two.c": "int two(void);\nint (*ask)(void);\nint two(void) { return ask(); }\n"})
        self.assertEqual(status, 0)

    def test_circle_of_rooms_without_one_of_files(self):
        status, text = self.circles(
            {
                "high/base.h": "int base(void);\n",
                "high/base.c": "int base(void);\nint base(void) { return 0; }\n",
                "low/two.c": '#include "high/base.h"\n' + CLEAN["low/two.c"],
            }
        )
        self.assertEqual((status, "circle of rooms: high low\n" in text), (1, True))

    def test_pair_with_a_reason(self):
        change = {"low/two.c": '#include "low/one.h"\n' + CLEAN["low/two.c"], "README.md": PAIR}
        self.assertEqual(self.circles(change)[0], 0)

    def test_reason_without_a_circle(self):
        status, text = self.circles({"README.md": PAIR})
        self.assertEqual((status, "which are no circle" in text), (1, True))

    def test_pair_does_not_excuse_three(self):
        change = {
            "low/two.c": '#include "low/three.h"\n' + CLEAN["low/two.c"],
            "low/three.h": '#include "low/one.h"\n',
            "README.md": PAIR,
        }
        self.assertEqual(self.circles(change)[0], 1)


class Functions(Tree):
    def functions(self, text):
        self.write({"low/one.c": text})
        return self.run_script("functions.py")[0]

    def test_complexity(self):
        branches = "if (n == 1 && n != 2) return 1;\n"
        self.assertEqual(self.functions("int f(int n)\n{\n" + 7 * branches + "return 0;\n}\n"), 0)
        self.assertEqual(self.functions("int f(int n)\n{\n" + 8 * branches + "return 0;\n}\n"), 1)

    def test_length(self):
        self.assertEqual(self.functions("void f(void)\n{\n" + 57 * "g();\n" + "}\n"), 0)
        self.assertEqual(self.functions("void f(void)\n{\n" + 58 * "g();\n" + "}\n"), 1)

    def test_file(self):
        self.assertEqual(self.functions(500 * "int a;\n"), 0)
        self.assertEqual(self.functions(501 * "int a;\n"), 1)


class Pages(Tree):
    def pages(self, text, source="/* Two; one.c calls it. */\n", room=True):
        self.write({"../README.md": text, "low/one.h": "", "low/one.c": "", "low/two.c": source})
        self.write({"../tests/flow/test_there.mjs": "", "low/README.md": "Begin with `here/one.c`.", "low/here/one.c": "/**/"})
        self.write({"low/here/README.md": ""} if room else {})
        return self.run_script("pages.py")[0]

    def test_links(self):
        self.assertEqual(self.pages("[a](proxy/low/one.h) [b](https://example.org/x) [c](#part) [d](README.md#part)"), 0)
        self.assertEqual(self.pages("[a](proxy/low/three.h)"), 1)

    def test_tests(self):
        self.assertEqual(self.pages("`flow.there` and `flow.*`"), 0)
        self.assertEqual(self.pages("`flow.gone`"), 1)

    def test_sources(self):
        self.assertEqual(self.pages("`low/one.c`, `proxy/low/one.h`, `tests/flow/*`"), 0)
        self.assertEqual(self.pages("`low/three.c`"), 1)

    def test_functions_of_a_source(self):
        self.assertEqual(self.pages("| `low/two.c` | `two` -> `more` | counts |", source="/* */ int two(void); int more();"), 0)
        self.assertEqual(self.pages("| `low/two.c` | `two`, `three` | counts |", source="/* */ int two(void);"), 1)

    def test_room_without_a_page(self):
        self.assertEqual(self.pages("", room=False), 1)

    def test_source_that_says_nothing(self):
        self.assertEqual(self.pages("", source="int two;\n"), 1)

    def test_member_of_the_audit_log(self):
        self.assertEqual(self.pages("", source='/* */ void two(void) { audit_text(log(1), "colour", "red"); }'), 0)
        self.assertEqual(self.pages("", source='/* */ void two(void) { audit_text(log, "colour", "red"); }'), 1)


if __name__ == "__main__":
    unittest.main()
