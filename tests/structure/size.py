#!/usr/bin/env python3
"""How large proxy/ is, beside what it was before the rooms were drawn anew.

    size.py [--source ROOT] [--check]  prints both; with --check 1 where it is not smaller

Counted are the .c and .h files: whole lines as `wc -l` counts them, and lines that
hold more than blanks and comments.
"""

import argparse
import os
import re
import statistics
import sys

from circles import read, source_files
from functions import functions

# The tree of commit fe97c6c, counted by this script.
BEFORE = {"lines": 41982, "code lines": 33895, "files": 308, "median file": 100, "longest function": 57}
# At least so much smaller in both counts of lines.
WANTED = 3000

# A comment, or a string or character in which no comment begins.
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.DOTALL)


def code_lines(text):
    without = COMMENT.sub(lambda match: match.group(1) or " ", text)
    return sum(1 for line in without.splitlines() if line.strip())


def size_of(root):
    texts = [read(os.path.join(root, path)) for path in source_files(root)]
    lines = [text.count("\n") for text in texts]
    return {
        "lines": sum(lines),
        "code lines": sum(code_lines(text) for text in texts),
        "files": len(texts),
        "median file": statistics.median(lines),
        "longest function": max(length for _, _, _, length in functions(root)),
    }


def complaints(now):
    for name in ("lines", "code lines"):
        if now[name] > BEFORE[name] - WANTED:
            yield f"{name}: {now[name]}, at most {BEFORE[name] - WANTED} wanted"
    for name in ("median file", "longest function"):
        if now[name] > BEFORE[name]:
            yield f"{name}: {now[name]}, at most {BEFORE[name]} wanted"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", default=os.path.join(os.path.dirname(__file__), "../.."))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    now = size_of(os.path.join(options.source, "proxy"))
    print(f"{'':18}{'before':>8}{'now':>8}{'change':>8}")
    for name, before in BEFORE.items():
        print(f"{name:18}{before:>8g}{now[name]:>8g}{now[name] - before:>+8g}")
    found = list(complaints(now))
    print("\n".join(found))
    return 1 if found and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
