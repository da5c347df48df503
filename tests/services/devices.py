#!/usr/bin/python3
"""Says what is in reach beside its own files: devices.py TERMINAL. Of the control groups, of somebody else's terminal, and of
the objects of System V and POSIX that outlive their makers."""
import ctypes
import json
import os
import pty
import sys

KEY, CREATE, NAME = 0x51DE10C5, 0o1000, b"/sidelock-queue"
libc = ctypes.CDLL(None, use_errno=True)


def told(action):
    try:
        action()
        return "done"
    except OSError as error:
        return os.strerror(error.errno)


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def grouped(directory):
    os.mkdir(f"{directory}/sidelock-test")
    os.rmdir(f"{directory}/sidelock-test")


groups = [path for path, _, _ in os.walk("/sys/fs/cgroup")][:40]
results = {
    "groups": sorted({told(lambda: grouped(path)) for path in groups}),
    "terminal": told(lambda: os.close(os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY))),
    "own terminal": told(lambda: os.ttyname(pty.openpty()[1])),
    "memory": told(lambda: call(libc.shmget, KEY, 64, CREATE | 0o600)),
    "queue": told(lambda: call(libc.mq_open, NAME, os.O_CREAT | os.O_RDWR, 0o600, None)),
}
print("reached: " + json.dumps(results), file=sys.stderr)
