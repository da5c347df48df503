#!/usr/bin/env python3
"""Which files of proxy/ know each other in a circle, and which rooms use which.

    circles.py BUILD [--source ROOT]   prints arrows and circles; 1 where a circle is not excused

A unit is a .c file with the .h of the same path. A unit has an arrow to another
where it includes its header (read from the source) or where its object needs a
function or variable that the other's object alone defines (read with nm from the
objects that BUILD/compile_commands.json names). A call through a pointer that
somebody above has set is no arrow.

Two units may point at each other where proxy/README.md says why, in a list item
that begins "- `room/one` and `room/other`: ". A pair that stands there and is no
circle any more fails as well.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys

INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
EXCUSE = re.compile(r"^[-*] `([\w/]+)` and `([\w/]+)`: \S", re.MULTILINE)
OUTPUT = re.compile(r" -o (\S+)")


def unit_of(path):
    return os.path.splitext(path)[0]


def room_of(unit):
    return os.path.dirname(unit)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def source_files(root):
    """Paths of all .c and .h files, as includes name them."""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), root)


def include_arrows(root):
    files = set(source_files(root))
    for path in sorted(files):
        for included in INCLUDE.findall(read(os.path.join(root, path))):
            if included in files:
                yield unit_of(path), unit_of(included)


def objects(build, root):
    """Unit -> object file, of each .c file below root that the build compiles."""
    found = {}
    for entry in json.loads(read(os.path.join(build, "compile_commands.json"))):
        path = os.path.relpath(os.path.realpath(entry["file"]), os.path.realpath(root))
        output = os.path.join(entry["directory"], OUTPUT.search(entry["command"]).group(1))
        # The room's own object, not one that a test program has compiled for itself.
        if not path.startswith("..") and output.startswith(os.path.join(build, "proxy", "")):
            found[unit_of(path)] = output
    for path in source_files(root):
        if path.endswith(".c") and unit_of(path) not in found:
            sys.exit(f"proxy/{path} is in no library: configure anew")
    return found


def symbols(object_file):
    """What an object defines for others, and what it needs of them."""
    listing = subprocess.run(["nm", "-P", "-g", object_file], check=True, capture_output=True, text=True)
    defined, needed = set(), set()
    for line in listing.stdout.splitlines():
        name, kind = line.split()[:2]
        (needed if kind in "Uw" else defined).add(name)
    return defined, needed


def symbol_arrows(unit_objects):
    owners, needs = collections.defaultdict(set), {}
    for unit, object_file in sorted(unit_objects.items()):
        defined, needs[unit] = symbols(object_file)
        for name in defined:
            owners[name].add(unit)
    for unit, needed in needs.items():
        for name in needed:
            if len(owners[name]) == 1:
                yield unit, next(iter(owners[name]))


def graph_of(arrows):
    graph = collections.defaultdict(set)
    for source, target in arrows:
        if source != target:
            graph[source].add(target)
            graph.setdefault(target, set())
    return graph


def circles(graph):
    """The strongly connected components of more than one node (Tarjan 1972)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            members = stack[at:]
            del stack[at:]
            if len(members) > 1:
                found.append(sorted(members))

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found)


def check_units(graph, excused):
    failed = False
    for circle in circles(graph):
        if tuple(circle) in excused:
            print(f"circle with a reason in proxy/README.md: {circle[0]}, {circle[1]}")
            excused.remove(tuple(circle))
            continue
        failed = True
        print(f"circle of {len(circle)} files:")
        for unit in circle:
            print(f"  {unit} -> {' '.join(sorted(graph[unit] & set(circle)))}")
    for one, other in sorted(excused):
        print(f"proxy/README.md excuses {one} and {other}, which are no circle")
        failed = True
    return failed


def check_rooms(graph):
    """The arrows between libraries as they are; a circle of rooms is never excused."""
    rooms = graph_of((room_of(unit), room_of(target)) for unit in graph for target in graph[unit])
    for room in sorted(rooms):
        print(f"{room} -> {' '.join(sorted(rooms[room])) or '(nothing)'}")
    found = circles(rooms)
    for circle in found:
        print(f"circle of rooms: {' '.join(circle)}")
    return bool(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--source", default=os.path.join(os.path.dirname(__file__), "../.."))
    options = parser.parse_args()
    root = os.path.join(options.source, "proxy")
    excused = {tuple(sorted(pair)) for pair in EXCUSE.findall(read(os.path.join(root, "README.md")))}
    arrows = [*include_arrows(root), *symbol_arrows(objects(os.path.realpath(options.build), root))]
    graph = graph_of(arrows)
    failed = check_rooms(graph)
    failed = check_units(graph, excused) or failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
