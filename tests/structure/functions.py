#!/usr/bin/env python3
"""Functions of proxy/ to 60 lines and a cyclomatic complexity of 15, files to 500 lines.

    functions.py [--source ROOT]       prints what is larger; 1 where something is

pmccabe counts: each branch, loop, case, `&&`, `||` and `?` is one more way.
"""

import argparse
import os
import subprocess
import sys

from circles import read, source_files

MAX_COMPLEXITY = 15
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500


def functions(root):
    """(name, place, complexity, lines) of each function in the .c and .h files below root."""
    paths = [os.path.join(root, path) for path in sorted(source_files(root))]
    listing = subprocess.run(["pmccabe", *paths], check=True, capture_output=True, text=True)
    for row in listing.stdout.splitlines():
        _, complexity, statements, _, lines, place, name = row.split(maxsplit=6)
        # Now and then pmccabe takes a prototype for a function, one without statements.
        if int(statements) > 0:
            yield name, os.path.relpath(place.rstrip(":"), root), int(complexity), int(lines)


def too_large(root):
    for name, place, complexity, lines in functions(root):
        if complexity > MAX_COMPLEXITY:
            yield f"{place}: {name} has complexity {complexity}, at most {MAX_COMPLEXITY}"
        if lines > MAX_FUNCTION_LINES:
            yield f"{place}: {name} has {lines} lines, at most {MAX_FUNCTION_LINES}"
    for path in sorted(source_files(root)):
        lines = read(os.path.join(root, path)).count("\n")
        if lines > MAX_FILE_LINES:
            yield f"{path} has {lines} lines, at most {MAX_FILE_LINES}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", default=os.path.join(os.path.dirname(__file__), "../.."))
    found = list(too_large(os.path.join(parser.parse_args().source, "proxy")))
    print("\n".join(found) or "no function and no file is too large")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
