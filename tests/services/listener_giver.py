#!/usr/bin/python3
"""Hands a listener of this host to whoever connects: listener_giver.py PATH. Says its port."""
import socket
import sys

listener = socket.create_server(("127.0.0.1", 0))
giver = socket.socket(socket.AF_UNIX)
giver.bind(sys.argv[1])
giver.listen()
print(listener.getsockname()[1], flush=True)
while True:
    taker, _ = giver.accept()
    socket.send_fds(taker, [b"x"], [listener.fileno()])
    taker.close()
