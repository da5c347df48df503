#!/usr/bin/python3
"""A small control plane with the hole that Sidelock closes, for contrib/quickstart:

    control_plane.py [--ready-fd N] SOCKET|PORT

It serves /api/mcp/ws/{sid}?server_params=BASE64 on a Unix socket, or on a port of 127.0.0.1, decodes the query and starts
what it says, as AutoGen Studio did. Nobody is asked for a credential. The process is the tool
server: `call_tool`, whatever the tool, writes the arguments to it as one line and answers with the
line that comes back. With `cat` as the command every tool is an echo.

On standard output: a line for each request and each process started. Run it on a socket in a directory
that nobody else can enter, or let Sidelock start it, behind which its port is nobody else's.
"""
import argparse
import asyncio
import base64
import json
import os
import socket
from asyncio.subprocess import PIPE

from aiohttp import web

TOOL_WAIT_S = 5


def say(*words):
    print(*words, flush=True)


def compact(value):
    return json.dumps(value, separators=(",", ":"))


async def start_tool(query):
    """The hole: what the URL says is started, with the rights of whoever runs this."""
    params = json.loads(base64.b64decode(query["server_params"]))
    tool = await asyncio.create_subprocess_exec(params["command"], *params["args"], stdin=PIPE, stdout=PIPE)
    say("launched", compact(params))
    return tool


async def use_tool(tool, arguments):
    tool.stdin.write(compact(arguments).encode() + b"\n")
    line = await asyncio.wait_for(tool.stdout.readline(), TOOL_WAIT_S)
    if not line:
        raise EOFError("the tool has ended")
    return {"content": [{"type": "text", "text": line.decode().rstrip("\n")}]}


async def answer(tool, message):
    operation = message.get("operation")
    try:
        if operation == "list_tools":
            data = {"tools": [{"name": "echo"}, {"name": "shell"}]}
        elif operation == "call_tool":
            data = await use_tool(tool, message["arguments"])
        else:
            return {"type": "error", "error": "no such message"}
    except (KeyError, OSError, EOFError, asyncio.TimeoutError):
        return {"type": "operation_error", "operation": operation, "error": "the tool failed"}
    return {"type": "operation_result", "operation": operation, "data": data}


async def converse(client, sid, tool):
    await client.send_json({"type": "initialized", "session_id": sid, "capabilities": {}}, dumps=compact)
    async for message in client:
        await client.send_json(await answer(tool, message.json()), dumps=compact)


async def serve(request):
    say("asked", request.path_qs)
    client = web.WebSocketResponse()
    await client.prepare(request)
    try:
        tool = await start_tool(request.query)
    except (KeyError, TypeError, ValueError, OSError):
        await client.send_json({"type": "error", "error": "server_params cannot be launched"}, dumps=compact)
        await client.close(code=1008)
        return client
    try:
        await converse(client, request.match_info["sid"], tool)
    finally:
        if tool.returncode is None:
            tool.kill()
        await tool.wait()
    return client


def main():
    parser = argparse.ArgumentParser(description="a control plane that starts what a URL says")
    parser.add_argument("--ready-fd", type=int, help="where a line is written when it listens")
    parser.add_argument("address", metavar="SOCKET|PORT")
    options = parser.parse_args()

    os.umask(0o077)
    if options.address.isdigit():
        listener = socket.create_server(("127.0.0.1", int(options.address)))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(options.address)
        listener.listen()
    if options.ready_fd is not None:
        os.write(options.ready_fd, b"ready\n")
        os.close(options.ready_fd)

    app = web.Application()
    app.add_routes([web.get("/api/mcp/ws/{sid}", serve)])
    web.run_app(app, sock=listener, print=None, access_log=None, shutdown_timeout=1)


main()
