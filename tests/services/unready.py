#!/usr/bin/python3
"""A service that answers /health as a file says at that moment, and anything else with "here": unready.py PORT FILE

The file holds a word: a status; or hang_up, silent, garbage, flood (a good answer without end), move (it closes its
listener and listens on the next port, where all is well); blink, at its start: it listens now and then, and takes nobody. FILE.heard has the first request for /health, as it came.
"""
import os
import pathlib
import socket
import sys
import threading
import time

port, file = int(sys.argv[1]), pathlib.Path(sys.argv[2])
heard = pathlib.Path(f"{file}.heard")
listeners = []


def say(connection, status, text):
    connection.sendall(f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())


def move():
    listeners[-1].shutdown(socket.SHUT_RDWR)
    listeners.pop().close()
    file.write_text("200")
    threading.Thread(target=serve, args=(port + 1,)).start()


def answer(connection):
    with connection:
        request = connection.recv(65536)
        if not request.startswith(b"GET /health"):
            say(connection, 200, "here")
            return
        if not heard.exists():
            heard.write_bytes(request)
        word = file.read_text()
        if word == "silent":
            time.sleep(3600)
        elif word == "garbage":
            connection.sendall(b"SSH-2.0-Whatever_1.0\r\n" * 10)
        elif word == "flood":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)
        elif word == "move":
            move()
        elif word != "hang_up":
            say(connection, int(word), "a body")


def guarded(connection):
    try:
        answer(connection)
    except OSError:
        pass


def serve(number):
    listeners.append(socket.create_server(("127.0.0.1", number)))
    mine = listeners[-1]
    try:
        while True:
            threading.Thread(target=guarded, args=(mine.accept()[0],), daemon=True).start()
    except OSError:
        pass


def blink():
    while True:
        with socket.create_server(("127.0.0.1", port)):
            time.sleep(0.12)
        time.sleep(0.3)


blink() if file.read_text() == "blink" else serve(port)
threading.Event().wait(3600)
os._exit(0)
