// `sidelock wrap -- COMMAND`: one server behind a gate on its own port, without a configuration.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Client } from './lib/client.mjs';
import { run } from './lib/gate.mjs';
import { alive, launcherOf, starterOf } from './lib/processes.mjs';
import { PEOPLE, freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';
import { Wrapped, runtimeDir, service } from './lib/wrapped.mjs';

const files = (port, ...more) => ['python3', '-um', 'http.server', port, ...more];
const python = (...lines) => ['python3', '-uc', lines.join('\n')];
// One that listens, and does what `lines` say then.
const listening = (port, ...lines) =>
  python('import os, signal, socket, sys, time', `held = socket.create_server(("127.0.0.1", ${port}))`, ...lines);
const WAIT = 'while True: signal.pause()';

const left = (runtime) => readdirSync(path.join(runtime, 'sidelock'));

describe('a server that is wrapped', () => {
  for (const who of PEOPLE) {
    it(`is behind the gate on its own port, at both addresses, for ${who.name}`, async () => {
      const port = await freePort();
      const runtime = runtimeDir(who);
      const wrapped = await new Wrapped(files(port), { runtime, who, cwd: '/usr/share/doc' }).ready();
      assert.equal(wrapped.port, port);
      const token = await wrapped.token();
      for (const host of ['127.0.0.1', '::1']) {
        assert.equal((await wrapped.get('/', { host })).status, 401);
        const { status, text } = await wrapped.get('/', { host, token });
        assert.equal(status, 200);
        assert.match(text, /Directory listing/);
      }
      assert.match(wrapped.text, /dialect opaque/);
      const tree = wrapped.tree();
      wrapped.child.kill('SIGTERM');
      assert.equal(await wrapped.end(tree), 143, 'it takes no SIGTERM of its own');
      assert.deepEqual(left(runtime), []);
    });
  }

  // With a runtime directory all of that is hidden; without one root's gates are below /run.
  const elsewhere = (process.getuid() !== 0 && 'needs root') || (existsSync('/run/user/0') && 'root has a runtime directory here');
  it('finds no gate below /run, where root has it without a runtime directory', { skip: elsewhere }, async () => {
    const wrapped = await new Wrapped([...files(await freePort()), '--directory', '/run/sidelock-wrap'], { runtime: '' }).ready();
    assert.ok(wrapped.control.startsWith('/run/sidelock-wrap/') && existsSync(wrapped.control), wrapped.control);
    const { status, text } = await wrapped.get('/', { token: await wrapped.token() });
    assert.equal(status, 200);
    assert.match(text, /Directory listing/);
    assert.doesNotMatch(text, /<li>/);
  });

  it('may take any port: the gate has the one that it got', async () => {
    const wrapped = await new Wrapped(files(0)).ready();
    await wrapped.said(new RegExp(`port ${wrapped.port} `));
    assert.equal((await wrapped.get('/', { token: await wrapped.token() })).status, 200);
  });

  it('is Node', async () => {
    const port = await freePort();
    const wrapped = await new Wrapped(['node', service('websocket_service.mjs'), port]).ready();
    assert.equal((await wrapped.get()).status, 401);
    assert.equal(wrapped.surface, 'node');
  });

  it('reads nothing of what an upgrade asks for but a token and a session_id that are such', async () => {
    const lines = ['const log = (ask, link) => (console.log(ask.url), link.destroy());', `require('node:http').createServer().on('upgrade', log).listen(${await freePort()})`];
    const wrapped = await new Wrapped(['node', '-e', lines.join('\n')], { options: ['--surface', 'one'] }).ready();
    const token = await wrapped.token();
    const command = Buffer.from('{"type": "StdioServerParams", "command": "calc.exe"}').toString('base64url');
    for (const query of [`server_params=${command}&token=a-B_9`, `session_id=0c-1&session=${command}`, `token=${command}`, 'session_id=%7B%7D', 'session_id=--no-sandbox'])
      await Client.open(wrapped.gate, 'one', `/api/mcp/ws/1?${query}`, { token }).catch(() => {});
    await Client.open(wrapped.gate, 'one', '/last', { token }).catch(() => {});
    await wrapped.said(/^\/last$/m);
    assert.deepEqual(wrapped.stdout.trim().split('\n'), ['/api/mcp/ws/1?token=a-B_9', '/api/mcp/ws/1?session_id=0c-1', '/last']);
  });

  it('has others of its name beside it', async () => {
    const runtime = runtimeDir();
    const both = [];
    for (let i = 0; i < 2; i++) both.push(await new Wrapped(files(await freePort()), { runtime }).ready());
    assert.deepEqual(left(runtime).sort(), ['python3', 'python3-2']);
    for (const one of both) assert.equal((await one.get('/', { token: await one.token() })).status, 200);
    assert.equal((await both[0].get('/', { token: await both[1].token() })).status, 401, 'each gate has its own sessions');
  });

  it('has what this directory and a small environment give, and what --env adds', async () => {
    const env = { SECRET: 'not for it', GIVEN: ' a "value" ' };
    const options = ['--env', 'GIVEN', '--env', 'OTHER=1', '--surface', 'mine'];
    const wrapped = await new Wrapped(['python3', service('launched.py'), await freePort()], { env, options, cwd: '/usr' }).ready();
    const { text } = await wrapped.get('/facts', { token: await wrapped.token() });
    const facts = JSON.parse(text);
    assert.equal(facts.cwd, '/usr');
    assert.equal(facts.env.GIVEN, ' a "value" ');
    assert.equal(facts.env.OTHER, '1');
    assert.equal(facts.env.SECRET, undefined);
    assert.equal(facts.env.XDG_RUNTIME_DIR, undefined);
  });

  it('starts nothing but what --allow-exec names, and is told which', async () => {
    const lines = ['import subprocess', 'try: print("ran", subprocess.run(["/usr/bin/true"]).returncode)', 'except OSError as error: print("refused", error.errno)'];
    const refused = new Wrapped(python(...lines));
    assert.equal(await refused.end(), 0);
    assert.equal(refused.stdout, 'refused 13\n');
    assert.match(refused.text, /may not execute "\/usr\/bin\/true": to permit it, --allow-exec \/usr\/bin\/true\n/);
    const permitted = new Wrapped(python(...lines), { options: ['--allow-exec', '/usr/bin/true'] });
    assert.equal(await permitted.end(), 0);
    assert.equal(permitted.stdout, 'ran 0\n');
  });

  it('finds nothing of its gate', async () => {
    const wrapped = await new Wrapped(['python3', service('launched.py'), await freePort()]).ready();
    const token = await wrapped.token();
    for (const file of [wrapped.control, path.join(path.dirname(wrapped.control), 'sidelock.json')])
      assert.notEqual((await wrapped.get(`/read?${file}`, { token })).text, '"connected"');
    assert.match((await wrapped.get(`/read?${wrapped.runtime}`, { token })).text, /^"0 entries"|denied|No such/);
  });
});

describe('a port that is not as expected', () => {
  it('that somebody else has is said, and the service ended', async () => {
    const port = await freePort();
    const other = net.createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => other.on('listening', resolve));
    for (const options of [[], ['--port', port]]) {
      const wrapped = new Wrapped(files(port), { options });
      const code = await wrapped.end();
      assert.notEqual(code, 0);
      assert.match(wrapped.text, new RegExp(`127\\.0\\.0\\.1:${port}|port ${port}`));
      assert.doesNotMatch(wrapped.text, /is the gate's/);
    }
    await new Promise((resolve) => other.close(resolve));
  });

  it('of several, the one that is named is served', async () => {
    const [first, second] = [await freePort(), await freePort()];
    const wrapped = await new Wrapped(
      listening(first, `other = socket.create_server(("127.0.0.1", ${second}))`, WAIT), { options: ['--port', String(second)] }).ready();
    assert.equal(wrapped.port, second);
  });

  it('where it does not listen is waited for, and said', async () => {
    const [here, there] = [await freePort(), await freePort()];
    const wrapped = new Wrapped(files(here), { options: ['--port', String(there)] });
    await wrapped.said(new RegExp(`listens on ${here}/tcp, not on ${there}/tcp`));
    wrapped.child.kill('SIGTERM');
    await wrapped.end();
    assert.doesNotMatch(wrapped.text, /is the gate's/);
  });

  it('that never comes is said; it ends as the service does', async () => {
    const wrapped = new Wrapped(python('import sys', 'sys.stdin.read()', 'sys.exit(5)'), { input: undefined });
    assert.equal(await wrapped.end(), 5);
    const waiting = new Wrapped(python('import time', 'time.sleep(1000)'));
    await waiting.said(/listens on no port yet/);
  });
});

describe('the end of a server that is wrapped', () => {
  for (const [how, lines, code] of [
    ['by itself', ['sys.exit(7)'], 7],
    ['by a signal', ['os.kill(os.getpid(), signal.SIGKILL)'], 137],
    ['well', ['sys.exit(0)'], 0],
  ])
    it(`${how} is the end of its gate`, async () => {
      const early = new Wrapped(python('import os, signal, sys', ...lines));
      assert.equal(await early.end(), code, early.text);
      const runtime = runtimeDir();
      const late = await new Wrapped(listening(0, 'sys.stdin.readline()', ...lines), { runtime, atTerminal: true }).ready();
      const tree = late.tree();
      late.type('now\n');
      await late.end(tree);
      assert.equal(JSON.parse(late.report).code, code, late.text);
      assert.deepEqual(left(runtime), []);
    });

  it('is that of all of it, whoever is killed', async () => {
    const count = (await new Wrapped(files(await freePort())).ready()).tree().length;
    for (let i = 0; i < count; i++) {
      const wrapped = await new Wrapped(files(await freePort())).ready();
      const tree = wrapped.tree();
      process.kill(tree[i], 'SIGKILL');
      const name = i === 0 ? 'wrap itself' : `process ${i}`;
      // A worker is replaced, and everything goes on: then it is asked to end.
      await until(() => alive([tree[i]]).length === 0, name);
      if (!wrapped.ended) wrapped.child.kill('SIGTERM');
      await wrapped.end(tree);
    }
  });

  it('is that of a launcher that is killed while somebody is in the middle of a request: nothing runs twice', async () => {
    const port = await freePort();
    const wrapped = await new Wrapped(python('import http.server', 'print("be" + "gan")',
      `http.server.test(http.server.SimpleHTTPRequestHandler, port=${port}, bind="127.0.0.1")`)).ready();
    const tree = wrapped.tree();
    const client = net.connect(port, '127.0.0.1');
    await new Promise((resolve) => client.on('connect', resolve));
    client.on('error', () => {});
    client.write(`POST / HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${await wrapped.token()}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n1`);
    process.kill(launcherOf({ pid: tree.find((pid) => starterOf({ pid })) }), 'SIGKILL');
    await wrapped.end(tree);
    client.destroy();
    assert.equal(wrapped.text.match(/began/g).length, 1, wrapped.text);
  });

  it('of what is no program is an error that says so', async () => {
    for (const [command, pattern] of [['no-such-program', /no program "no-such-program"/], ['/etc/passwd', /no program/]]) {
      const runtime = runtimeDir();
      const { code, stderr } = await run(['wrap', '--', command], { env: { XDG_RUNTIME_DIR: runtime } });
      assert.equal(code, 65, stderr);
      assert.match(stderr, pattern);
      assert.deepEqual(left(runtime), []);
    }
  });

  it('comes at once where the command line is wrong', async () => {
    for (const [args, code, pattern] of [
      [['--dialect', 'none', '--', 'true'], 64, /no dialect none; name one of .*mcp/],
      [['--port', '0', '--', 'true'], 64, /--port takes a port/],
      [['--port', '70000', '--', 'true'], 64, /--port takes a port/],
      [['true'], 64, /one argument too many/],
      [['--'], 64, /after `--` comes the command/],
      [[], 64, /after `--` comes the command/],
      [['--env', '1=2', '--', 'true'], 64, /--env takes/],
      [['--env', 'NOWHERE_SET', '--', 'true'], 65, /no such variable/],
      [['--env', 'A=1\n2', '--', 'true'], 65, /several lines/],
      [['--surface', 'a/b', '--', 'true'], 65, /not the name of a surface/],
    ]) {
      const { code: got, stderr } = await run(['wrap', ...args], { env: { XDG_RUNTIME_DIR: runtimeDir() } });
      assert.equal(got, code, stderr);
      assert.match(stderr, pattern);
    }
    const open = await run(['wrap', '--', 'true'], { env: { XDG_RUNTIME_DIR: '/tmp' } });
    assert.equal(open.code, 73);
    assert.match(open.stderr, /closed to others/);
  });
});

describe('the terminal of a server that is wrapped', () => {
  const shell = (...lines) =>
    listening(0, 'import fcntl, termios, struct',
      'def size(*_): print("size", *struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[:2])',
      'signal.signal(signal.SIGWINCH, size)', 'size()', ...lines);
  // What is typed is said; what is at a path, and whether a character can be pushed there.
  const ECHO = [
    'for line in map(str.strip, sys.stdin):',
    '  print("heard", line)',
    '  if line.startswith("/dev/"):',
    '    try: there = os.open(line, os.O_RDWR | os.O_NOCTTY)',
    '    except OSError as error:',
    '      print("found", "errno", error.errno)',
    '      continue',
    '    print("found", "terminal" if os.isatty(there) else "nothing")',
    '    try: print("pushed", fcntl.ioctl(there, termios.TIOCSTI, b"x"))',
    '    except OSError as error: print("refused", error.errno)',
  ];

  it('is one of its own, with what is typed, ^C and the window of the operator\'s', async () => {
    const wrapped = await new Wrapped(shell('try: name = os.ttyname(0)', 'except OSError: name = "/dev/tty"', 'print("at", name, os.isatty(1), os.isatty(2))', ...ECHO), { atTerminal: true }).ready();
    await wrapped.said(/size 24 80/);
    const [, inner] = await wrapped.said(/at (\S+) True True/);
    const outer = readlinkSync(`/proc/${wrapped.tree()[1]}/fd/0`);
    assert.equal(inner, existsSync('/dev/console') ? '/dev/console' : '/dev/tty');
    wrapped.type(`${outer}\n`);
    await wrapped.said(/found errno 2\r?\n/);
    wrapped.type('hello\n');
    await wrapped.said(/heard hello/);
    wrapped.resize(50, 132);
    await wrapped.said(/size 50 132/);
    wrapped.type(`${inner}\n`);
    await wrapped.said(/found terminal/);
    const tree = wrapped.tree();
    wrapped.type('\x03');
    await wrapped.end(tree);
    assert.match(wrapped.text, /KeyboardInterrupt/);
    assert.deepEqual(JSON.parse(wrapped.report), { code: 130, restored: true });
  });

  it('is ended by a second ^C, if it does not hear the first', async () => {
    const wrapped = await new Wrapped(shell('signal.signal(signal.SIGINT, lambda *_: print("not", "me"))', 'print("deaf")', 'while True: time.sleep(1000)'), { atTerminal: true }).ready();
    await wrapped.said(/deaf/);
    const tree = wrapped.tree();
    wrapped.type('\x03');
    await wrapped.said(/not me/);
    wrapped.type('\x03');
    await wrapped.end(tree);
    assert.equal(JSON.parse(wrapped.report).restored, true);
  });

  it('may take nothing any more: wrap hears all the same that it is to end', async () => {
    const wrapped = await new Wrapped(shell('sys.stdin.readline()', 'while True: print("x" * 1000)'), { atTerminal: true }).ready();
    const tree = wrapped.tree();
    const switches = (pid) => /^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1];
    wrapped.deafen();
    wrapped.type('now\n');
    let before;
    await until(() => {
      const last = before;
      before = switches(tree.at(-1));
      return before === last;
    }, 'the service to wait for its terminal');
    process.kill(tree[1], 'SIGTERM');
    await wrapped.end(tree);
    assert.equal(JSON.parse(wrapped.report).restored, true);
  });

  it('may take ^C as any other character', async () => {
    const wrapped = await new Wrapped(shell('import tty', 'tty.setraw(0)', 'print("raw")', 'print("got", ord(os.read(0, 1)))', 'time.sleep(1000)'), { atTerminal: true }).ready();
    await wrapped.said(/raw/);
    wrapped.type('\x03');
    await wrapped.said(/got 3/);
  });

  it('is not between what is none: pipes are its own', async () => {
    const wrapped = new Wrapped(python('import sys', 'print(sys.stdin.read().upper(), end="")', 'print(sys.stdout.isatty())'), { input: 'through\n' });
    assert.equal(await wrapped.end(), 0);
    assert.equal(wrapped.stdout, 'THROUGH\nFalse\n');
  });
});
