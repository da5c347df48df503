#!/usr/bin/env python3
"""What Python makes of the messages that tests/flow/mutate.c accepts, compared with what the gate made of them.

Blocks on standard input as that program writes them; prints how many agreed, or the first that does not.
"""
import json
import struct
import sys

TARGETS = {
    "tools/call": [["name"]], "prompts/get": [["name"]], "resources/read": [["uri"]],
    "completion/complete": [["ref", "name"], ["ref", "uri"]],
}


def unique(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def reading_of(message):
    """The same members as the gate's reading, from what json.loads() returned."""
    params = message.get("params")
    method = message.get("method")
    targets = []
    for keys in TARGETS.get(method, []) if "id" in message else []:
        value = params
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        targets += [value] if value is not None else []
    return {
        "id": message.get("id"),
        "verb": method,
        "target": None if not targets else targets[0] if len(targets) == 1 else targets,
        "keys": sorted(list(message) + ["params/" + key for key in params] if isinstance(params, dict) else message),
    }


def gates(reading):
    text = reading["id"]
    return {
        "id": None if text is None else text[1:-1] if text.startswith('"') else int(text),
        "verb": reading["verb"],
        "target": reading["target"],
        "keys": sorted(reading["keys"]),
    }


def blocks(stream):
    while True:
        (length,) = struct.unpack("<I", stream.read(4))
        if length == 0xFFFFFFFF:
            return
        yield stream.read(length)


def main():
    count = 0
    stream = blocks(sys.stdin.buffer)
    for text in stream:
        said = gates(json.loads(next(stream)))
        try:
            heard = reading_of(json.loads(text.decode(), object_pairs_hook=unique))
        except ValueError as error:
            heard = str(error)
        if heard != said:
            print(f"{text!r}\n the gate: {said}\n   Python: {heard}")
            return 1
        count += 1
    print(count)
    return 0


sys.exit(main())
