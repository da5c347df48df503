#!/usr/bin/python3
"""A WebSocket client for a terminal and for scripts:

    ws_talk.py [--protocol NAME] [--header 'Name: value'] [--token-file FILE] [--until TEXT] TARGET

TARGET is ws://HOST:PORT/PATH or unix:SOCKET:/PATH. Each line of standard input is sent as a text
message, each message that arrives is printed as a line. The connection is closed at the end of
input or, with --until, when a message that contains TEXT has arrived.

--token-file sends what the file holds as a bearer token. A token on the command line could be read
by every process on the machine:

    ws_talk.py --token-file <(sidelock session create SURFACE) TARGET

Exits with 0 after a normal close, with 1 if the upgrade was refused or the peer ended the
connection.
"""
import argparse
import asyncio
import os
import sys

import aiohttp
from yarl import URL


def read_options():
    parser = argparse.ArgumentParser(description="a WebSocket client for a terminal and for scripts")
    parser.add_argument("--protocol", action="append", default=[], help="a subprotocol to offer")
    parser.add_argument("--header", action="append", default=[], help="'Name: value'")
    parser.add_argument("--token-file", help="holds the bearer token")
    parser.add_argument("--until", help="end when a message contains this")
    parser.add_argument("target", help="ws://HOST:PORT/PATH or unix:SOCKET:/PATH")
    return parser.parse_args()


def address_of(target, headers):
    """The URL to ask for and the connector that leads there."""
    if target.startswith("unix:"):
        _, path, rest = target.split(":", 2)
        return URL("ws://localhost" + rest, encoded=True), aiohttp.UnixConnector(path)
    url = URL(target, encoded=True)
    if url.host == "localhost":  # whatever a resolver says
        headers["Host"] = f"localhost:{url.port}"
        url = url.with_host("127.0.0.1")
    return url, aiohttp.TCPConnector()


def headers_of(options):
    headers = dict(header.split(": ", 1) for header in options.header)
    if options.token_file:
        with open(options.token_file, encoding="ascii") as file:
            headers["Authorization"] = "Bearer " + file.readline().strip()
    return headers


async def send_lines(socket, until):
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip():
            await socket.send_str(line.rstrip("\n"))
    if until is None:
        await socket.close()


async def print_messages(socket, until):
    """Until the connection ends; the exit status."""
    while True:
        message = await socket.receive()
        if message.type == aiohttp.WSMsgType.CLOSE:
            print("closed:", message.data, message.extra, file=sys.stderr)
            return 0 if message.data == 1000 else 1
        if message.type != aiohttp.WSMsgType.TEXT:
            return 0 if socket.close_code == 1000 else 1
        print(message.data, flush=True)
        if until is not None and until in message.data:
            await socket.close()


async def talk(options):
    headers = headers_of(options)
    url, connector = address_of(options.target, headers)
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.ws_connect(url, headers=headers, protocols=options.protocol) as socket:
            sending = asyncio.create_task(send_lines(socket, options.until))
            status = await print_messages(socket, options.until)
            sending.cancel()
            return status


def main():
    try:
        status = asyncio.new_event_loop().run_until_complete(talk(read_options()))
    except aiohttp.WSServerHandshakeError as refusal:
        print(f"ws_talk.py: refused with HTTP {refusal.status}", file=sys.stderr)
        status = 1
    except (OSError, ValueError, aiohttp.ClientError) as error:
        print(f"ws_talk.py: {error}", file=sys.stderr)
        status = 1
    sys.stdout.flush()
    os._exit(status)  # a thread may still wait for input


main()
