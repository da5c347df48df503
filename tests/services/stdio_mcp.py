"""An MCP server on standard input and output, of the era with sessions; or one that means harm.

python3 stdio_mcp.py MODE MARK: MARK is there to find the process by. Modes: serve; and exit, mute
(reads nothing), flood (says things without end), huge (a line of 64 MiB), garbage (lines that are
no messages before each answer), stray (answers nobody asked for).
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

mode = sys.argv[1]
lock = threading.Lock()
cancelled = set()


def say(message):
    with lock:
        sys.stdout.write(json.dumps(message) + '\n')
        sys.stdout.flush()


def answer(request, text):
    say({'jsonrpc': '2.0', 'id': request['id'], 'result': {'content': [{'type': 'text', 'text': text}]}})


def notify(method, params):
    say({'jsonrpc': '2.0', 'method': method, 'params': params})


def fork_away():
    """A grandchild in a session of its own, which ignores what asks it to end."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            while True:
                time.sleep(3600)
        os._exit(0)
    os.waitpid(child, 0)


def wait_for_cancel(request):
    while request['id'] not in cancelled:
        time.sleep(0.005)
    cancelled.discard(request['id'])


def call(request):
    params = request['params']
    arguments = params.get('arguments', {})
    name = params['name']
    if name == 'echo':
        notify('notifications/message', {'level': 'info', 'data': arguments['text']})
        answer(request, arguments['text'])
    elif name == 'environment':
        answer(request, json.dumps({'env': dict(os.environ), 'cwd': os.getcwd(), 'argv': sys.argv[1:]}))
    elif name == 'fork':
        fork_away()
        answer(request, 'forked')
    elif name == 'crash':
        os._exit(7)
    elif name == 'last_words':
        answer(request, 'goodbye')
        os._exit(0)
    elif name == 'deafen':
        os.close(0)
        answer(request, 'deaf')
        while True:
            time.sleep(3600)
    elif name == 'stderr':
        sys.stderr.write(arguments['text'] + '\n')
        sys.stderr.flush()
        answer(request, 'written')
    elif name == 'execute':
        try:
            answer(request, f'ran {subprocess.run([arguments["path"]]).returncode}')
        except OSError as error:
            answer(request, f'refused {error.errno}')
    elif name == 'large':
        answer(request, 'x' * arguments['bytes'])
    elif name == 'wait':
        notify('notifications/progress', {'progressToken': params.get('_meta', {}).get('progressToken', 0), 'progress': 1})
        threading.Thread(target=wait_for_cancel, args=(request,), daemon=True).start()
    elif name == 'cancelled':
        answer(request, json.dumps(sorted(cancelled)))
    else:
        say({'jsonrpc': '2.0', 'id': request['id'], 'error': {'code': -32601, 'message': 'of the service'}})


def take(message):
    method = message.get('method')
    if method == 'initialize':
        if mode == 'garbage':
            sys.stdout.write('Listening on stdio!\n{"half":\n[1,2]\n\n"text"\n\xff\n')
        if mode == 'stray':
            say({'jsonrpc': '2.0', 'id': 4711, 'result': {'secret': 'of nobody'}})
        say({'jsonrpc': '2.0', 'id': message['id'],
             'result': {'protocolVersion': message['params']['protocolVersion'], 'capabilities': {'tools': {}, 'logging': {}},
                        'serverInfo': {'name': 'stdio_mcp', 'version': '1'}}})
    elif method == 'tools/list':
        names = ['echo', 'environment', 'fork', 'crash', 'last_words', 'stderr', 'large', 'wait', 'cancelled', 'secret_tool']
        say({'jsonrpc': '2.0', 'id': message['id'],
             'result': {'tools': [{'name': name, 'inputSchema': {'type': 'object'}} for name in names]}})
    elif method == 'tools/call':
        call(message)
    elif method == 'notifications/cancelled':
        cancelled.add(message['params']['requestId'])
    elif 'id' in message and method is not None:
        say({'jsonrpc': '2.0', 'id': message['id'], 'result': {}})


def harm():
    if mode == 'exit':
        sys.exit(3)
    if mode == 'mute':
        while True:
            time.sleep(3600)
    if mode == 'huge':
        while True:
            sys.stdout.write('x' * (1 << 20))
    while mode == 'flood':
        notify('notifications/message', {'level': 'info', 'data': 'x' * 1000})


harm()
for line in sys.stdin:
    take(json.loads(line))
