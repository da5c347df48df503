#!/usr/bin/env python3
"""What the Markdown pages name is there: links to files, tests, and sources of proxy/.

    pages.py [--source ROOT]       prints what leads nowhere; 1 where something does

A test is named as ctest knows it, `flow.attack`; a source by its path below proxy/, `vet/vet.c`.
SECURITY.md lists each member of the audit log's lines. And each room of proxy/ has a README.md, and a .c file without a header of its own begins with a
comment that says what it does and who calls it.
"""

import argparse
import glob
import os
import re
import sys

from circles import read, source_files

PASSED_OVER = {".git", "build", "node_modules"}
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
TEST = re.compile(r"`(flow|unit|fuzz|structure)\.([a-z_]+)`")
# A row of a table: a source, and what of it is called.
ROW = re.compile(r"^\| `([a-z_/]+\.[ch])` \| ([^|]+) \|", re.MULTILINE)
AUDIT_KEY = re.compile(r'\baudit_(?:text|bytes|number|flag)\(\s*[^,;"(]+,\s*"(\w+)"')
SOURCE = re.compile(r"`(?:proxy/)?([a-z_]+(?:/[a-z_]+)+\.[ch])`")


def pages(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - PASSED_OVER)
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".md"))


def is_test(root, kind, name):
    pattern = "structure/*.py" if kind == "structure" else f"{kind}/*_{name}.*"
    return kind == "structure" or bool(glob.glob(os.path.join(root, "tests", pattern)))


def dead_ends(root, page):
    text = read(page)
    for target in LINK.findall(text):
        if "://" not in target and not os.path.exists(os.path.join(os.path.dirname(page), target)):
            yield f"the link {target}"
    for kind, name in TEST.findall(text):
        if not is_test(root, kind, name):
            yield f"the test {kind}.{name}"
    for path in SOURCE.findall(text):
        bases = (os.path.join(root, "proxy"), root, os.path.dirname(page))
        if not any(os.path.exists(os.path.join(base, path)) for base in bases):
            yield f"the source {path}"
    for path, functions in ROW.findall(text):
        source = os.path.join(root, "proxy", path)
        for name in re.findall(r"`(\w+)`", functions):
            if os.path.exists(source) and not re.search(rf"\b{name}\(", read(source)):
                yield f"{name}() in {path}"


def unexplained(root):
    """Rooms and .c files that nothing says the purpose of."""
    proxy = os.path.join(root, "proxy")
    for room in sorted({os.path.dirname(path) for path in source_files(proxy)}):
        if not os.path.exists(os.path.join(proxy, room, "README.md")):
            yield f"proxy/{room} has no README.md"
    for path in sorted(source_files(proxy)):
        whole = os.path.join(proxy, path)
        if path.endswith(".c") and not os.path.exists(whole[:-1] + "h") and not read(whole).startswith("/*"):
            yield f"proxy/{path} has no header and does not begin with what it does and who calls it"


def unlisted(root):
    """Members of the audit log's lines that SECURITY.md does not list."""
    page = os.path.join(root, "SECURITY.md")
    listed = set(re.findall(r"`(\w+)`", read(page) if os.path.exists(page) else ""))
    proxy = os.path.join(root, "proxy")
    for path in sorted(source_files(proxy)):
        for name in AUDIT_KEY.findall(read(os.path.join(proxy, path))):
            if name not in listed:
                yield f"SECURITY.md does not say what `{name}` in the audit log is, which proxy/{path} writes"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", default=os.path.join(os.path.dirname(__file__), "../.."))
    root = os.path.abspath(parser.parse_args().source)
    found = [
        f"{os.path.relpath(page, root)}: {end} is not there" for page in pages(root) for end in dead_ends(root, page)
    ]
    found += unexplained(root)
    found += unlisted(root)
    print("\n".join(found) or "every page leads somewhere, every source says what it is")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
