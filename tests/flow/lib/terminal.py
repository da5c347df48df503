#!/usr/bin/python3
"""Runs a program at a terminal of its own: terminal.py COMMAND ARGUMENT...

Standard input is typed there, standard output is what is shown. Lines on descriptor 3: "size ROWS COLUMNS"; "deaf", from
when on nothing is read of what is shown.
At the end a line of JSON on descriptor 4: the program's exit code, and whether the terminal is left as it was.
"""
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def resize(master, rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


master, slave = pty.openpty()
resize(master, 24, 80)
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.closerange(3, 64)
    os.execvp(sys.argv[1], sys.argv[1:])

commands = b""
watched = [0, 3, master]
while True:
    readable, _, _ = select.select(watched, [], [], 0.02)
    if 0 in readable:
        typed = os.read(0, 4096)
        if typed:
            os.write(master, typed)
        else:
            watched.remove(0)
    if 3 in readable:
        got = os.read(3, 4096)
        if not got:
            watched.remove(3)
        commands += got
        while b"\n" in commands:
            line, _, commands = commands.partition(b"\n")
            word, *numbers = line.split()
            if word == b"deaf":
                watched.remove(master)
            if word == b"size":
                resize(master, *map(int, numbers))
    if master in readable:
        os.write(1, os.read(master, 65536))
        continue
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
while select.select([master], [], [], 0)[0]:
    os.write(1, os.read(master, 65536))
after = termios.tcgetattr(slave)
os.write(4, json.dumps({"code": os.waitstatus_to_exitcode(status), "restored": before == after}).encode() + b"\n")
