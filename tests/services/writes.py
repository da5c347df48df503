#!/usr/bin/python3
"""Tries to change what lies in two directories, one after the other, and says of each way what became of it:
writes.py INSIDE OUTSIDE. Each holds `file`, `other` and `script`, the caller's own. Then what else a service writes to."""
import ctypes
import json
import os
import socket
import sys
import tempfile

NEWUSER, NEWNS = 0x10000000, 0x00020000
REMOUNT, BIND = 32, 4096
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def told(action):
    try:
        action()
        return "done"
    except OSError as error:
        return os.strerror(error.errno)


def put(path, text="x", mode="w"):
    with open(path, mode) as file:
        file.write(text)


def bind(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)


def in_a_child(action):
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        raise OSError(status, "in a child")


def in_namespaces_of_its_own(action):
    call("unshare", NEWUSER | NEWNS)  # with all capabilities in there; nobody is mapped
    action()


def remounted(directory):
    def go():
        for path in (directory, "/"):
            libc.mount(None, path.encode(), None, REMOUNT | BIND, None)
        put(f"{directory}/script", mode="a")
    in_a_child(lambda: in_namespaces_of_its_own(go))


def unmounted(directory):
    def go():
        for path in (directory, "/tmp", "/"):
            libc.umount2(path.encode(), 2)
        put(f"{directory}/script", mode="a")
    in_a_child(lambda: in_namespaces_of_its_own(go))


def ways(directory):
    file, other = f"{directory}/file", f"{directory}/other"
    return {
        "write": lambda: put(file, mode="r+"),
        "append": lambda: put(file, mode="a"),
        "make": lambda: put(f"{directory}/made"),
        "cut off": lambda: os.truncate(file, 1),
        "mode": lambda: os.chmod(file, 0o600),
        "owner": lambda: os.chown(file, os.getuid(), os.getgid()),
        "times": lambda: os.utime(file),
        "directory": lambda: os.mkdir(f"{directory}/new"),
        "link": lambda: os.link(file, f"{directory}/linked"),
        "symbolic link": lambda: os.symlink("/", f"{directory}/symbolic"),
        "pipe": lambda: os.mkfifo(f"{directory}/pipe"),
        "socket": lambda: bind(f"{directory}/socket"),
        "rename": lambda: os.rename(file, f"{directory}/renamed"),
        "remove": lambda: os.remove(other),
        "by its root": lambda: put(f"/proc/self/root{directory}/rooted"),
        "by the keeper's root": lambda: put(f"/proc/1/root{directory}/kept"),
        "remounted": lambda: remounted(directory),
        "unmounted": lambda: unmounted(directory),
    }


def temporary():
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")


def moved(inside):
    os.mkdir(f"{inside}/deep")
    put(f"{inside}/deep/a")
    os.rename(f"{inside}/deep/a", f"{inside}/a")


result = {}
for name, directory in (("inside", sys.argv[1]), ("outside", sys.argv[2])):
    result[name] = {way: told(action) for way, action in ways(directory).items()}
result["else"] = {
    "to another directory": told(lambda: moved(sys.argv[1])),
    "out of it": told(lambda: os.rename(f"{sys.argv[1]}/made", f"{sys.argv[2]}/moved")),
    "temporary": told(temporary),
    "memory": told(lambda: put("/dev/shm/sidelock-test")),
    "nothing": told(lambda: put("/dev/null")),
    "itself": told(lambda: put("/proc/self/comm")),
}
result["entries"] = sorted(os.listdir("/tmp"))
print("wrote: " + json.dumps(result), file=sys.stderr, flush=True)
