# Does what it is asked for: GET /run?PROGRAM+ARGUMENT, /write?FILE, /move?FROM+TO, /make?DIRECTORY, /temporary,
# /connect?PORT, /unix?PATH, /listen?PORT. It answers "done ..." or why not.
import http.server
import os
import socket
import subprocess
import sys
import tempfile
import urllib.parse

kept = []


def run(*words):
    return subprocess.run(words, capture_output=True, check=True).stdout.decode()


def write(path):
    with open(path, 'a') as file:
        file.write('x')


def move(source, target):
    with open(source, 'w') as file:
        file.write('x')
    os.rename(source, target)


def make(directory):
    os.makedirs(directory)
    write(os.path.join(directory, 'file'))


def temporary():
    with tempfile.TemporaryDirectory() as directory:
        write(os.path.join(directory, 'file'))
    with tempfile.NamedTemporaryFile() as file:
        file.write(b'x')


def connect(port):
    socket.create_connection(('127.0.0.1', int(port))).close()


def unix(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)


def listen(port):
    kept.append(socket.create_server(('127.0.0.1', int(port))))


WAYS = {each.__name__: each for each in (run, write, move, make, temporary, connect, unix, listen)}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name, _, query = self.path[1:].partition('?')
        words = [urllib.parse.unquote(word, errors='surrogateescape') for word in query.split('+') if word]
        try:
            said = f'done {WAYS[name](*words) or ""}'
        except (OSError, subprocess.CalledProcessError) as error:
            said = f'{type(error).__name__}: {error}'
        except KeyError:
            said = 'it is there'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.encode(errors='replace'))

    def log_message(self, *_):
        pass


http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
