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
"""
import ctypes
import http.server
import json
import os
import signal
import socket
import stat
import sys
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


ROUTES = {"/facts": facts, "/read": read, "/say": say, "/listen": listen, "/receive": receive, "/stay": lambda _: stay(),
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
