#!/usr/bin/python3
"""A service that is launched, and does what a test tells it to: launched.py PORT [WORD...]

    undumpable         before it binds, nobody may look into it any more
    drop=UID           before it binds, it becomes that user, and so is not dumpable either

    GET /facts         its process id, environment, directory, user, and whether it is dumpable
    GET /read?PATH     what open(PATH) says: the bytes' count, or the error
    GET /say?TEXT      writes the text to its standard error, as it stands, and a line end
    GET /listen?PORT   listens there, too
    GET /stay          forks a process of a session of its own that takes no SIGTERM
    GET /receive?PATH  keeps what is handed over by the Unix socket there
    GET /exit?CODE     ends
    GET /fork?MOST     how many processes it can have besides itself, MOST at most; ends them
    GET /eat?MIB       uses so much memory for a moment
    GET /write?PATH=TEXT  what writing to that file says
    GET /groups        what it can do with control groups in namespaces of its own
"""
import ctypes
import http.server
import json
import os
import signal
import socket
import stat
import sys
import tempfile
from urllib.parse import unquote

held = []
PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4


def read(path):
    try:
        if os.path.isdir(path):
            return f"{len(os.listdir(path))} entries"
        if stat.S_ISSOCK(os.stat(path).st_mode):
            socket.socket(socket.AF_UNIX).connect(path)
            return "connected"
        with open(path, "rb") as file:
            return f"{len(file.read())} bytes"
    except OSError as error:
        return error.strerror


def stay():
    child = os.fork()
    if child > 0:
        return child
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def listen(port):
    held.append(socket.create_server(("0.0.0.0", int(port))))
    return port


def receive(path):
    with socket.socket(socket.AF_UNIX) as giver:
        giver.connect(path)
        held.extend(socket.recv_fds(giver, 1, 1)[1])
    return len(held)


def facts(_):
    return {"pid": os.getpid(), "env": dict(os.environ), "cwd": os.getcwd(), "uid": os.getuid(),
            "dumpable": ctypes.CDLL(None).prctl(PR_GET_DUMPABLE)}


def say(text):
    os.write(2, text.encode("latin1") + b"\n")
    return len(text)


def fork_until_refused(most):
    children = []
    try:
        while len(children) < most:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    except BlockingIOError:
        pass
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return len(children)


def eat(mib):
    block = bytearray(int(mib) << 20)
    for at in range(0, len(block), 4096):
        block[at] = 1
    return len(block)


def write(words):
    path, _, text = words.partition("=")
    try:
        with open(path, "w") as file:
            file.write(text)
        return "written"
    except OSError as error:
        return error.strerror


CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUSER = 0x20000, 0x2000000, 0x10000000


def find_groups():
    """Mounts the hierarchy as somebody who owns it; what is there, and whether he can make more."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid = os.getuid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        return {"error": os.strerror(ctypes.get_errno())}
    for name, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1")):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
        except OSError:
            pass
    if libc.unshare(CLONE_NEWNS | CLONE_NEWCGROUP) != 0:
        return {"error": os.strerror(ctypes.get_errno())}
    place = tempfile.mkdtemp()
    if libc.mount(b"none", place.encode(), b"cgroup2", 0, None) != 0:
        return {"error": os.strerror(ctypes.get_errno())}
    found = {"limits": sorted(name for name in os.listdir(place) if name.startswith(("memory.", "pids.")) and
                              not name.endswith("pressure"))}
    found["out"] = write(f"{place}/../cgroup.procs=0")
    try:
        os.mkdir(f"{place}/own")
        found["own"] = "made"
    except OSError as error:
        found["own"] = error.strerror
    return found


def apart(function):
    """In a process of its own, which is then somebody else."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, json.dumps(function()).encode())
        os._exit(0)
    os.close(writes)
    with open(reads) as answer:
        found = json.load(answer)
    os.waitpid(child, 0)
    return found


ROUTES = {"/facts": facts, "/fork": lambda most: fork_until_refused(int(most)), "/eat": eat, "/write": write,
          "/groups": lambda _: apart(find_groups), "/read": read, "/say": say, "/listen": listen, "/receive": receive, "/stay": lambda _: stay(),
          "/exit": lambda code: os._exit(int(code))}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        body = json.dumps(ROUTES[path](unquote(query, "latin1"))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


for word in sys.argv[2:]:
    if word == "undumpable":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    else:
        os.setresuid(*3 * [int(word.removeprefix("drop="))])
http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
