// `sidelock wrap --stdio -- COMMAND`: a server that speaks MCP over its standard input and output, behind a
// gate without a configuration, with a process for each MCP session.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { reaches } from './lib/as_uid.mjs';
import { run, scratchDir } from './lib/gate.mjs';
import { alive } from './lib/processes.mjs';
import { NODE, module, runProgram, serviceFile } from './lib/programs.mjs';
import { call, connect, marked as named, newMark } from './lib/stdio_surface.mjs';
import { PEOPLE, freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';
import { Wrapped, runtimeDir } from './lib/wrapped.mjs';

const EVERYTHING = [NODE, module('@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'];
const FILESYSTEM = [NODE, module('@modelcontextprotocol/server-filesystem/dist/index.js')];
const v2Client = fileURLToPath(new URL('./lib/v2_client.mjs', import.meta.url));
const left = (runtime) => readdirSync(path.join(runtime, 'sidelock'));

// The processes of a mark but for wrap itself, which has it among its arguments, too.
const marked = (mark) => named(mark).filter((pid) => {
  try {
    return !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0wrap\0');
  } catch {
    return false; // it has gone meanwhile
  }
});

const untilMarked = (mark, count) =>
  until(() => marked(mark).length === count, () => `${count} processes of ${mark}: there are ${marked(mark)}`);

// Our own server, where everybody can read it.
function ours(mode = 'serve', mark = newMark()) {
  const file = path.join(open(), 'stdio_mcp.py');
  copyFileSync(serviceFile('stdio_mcp.py'), file);
  chmodSync(file, 0o644);
  return ['python3', file, mode, mark];
}

function open() {
  const dir = scratchDir();
  chmodSync(dir, 0o755);
  return dir;
}

const wrap = (command, { options = [], ...more } = {}) => new Wrapped(command, { options: ['--stdio', ...options], ...more });
const gateOf = (wrapped) => ({ port: () => wrapped.port });
const session = async (wrapped) => connect(gateOf(wrapped), wrapped.surface, await wrapped.token());

async function throughStdio(command, args) {
  const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
  await client.connect(new StdioClientTransport({ command, args, cwd: '/', stderr: 'ignore' }), { timeout: 60_000 });
  return client;
}

// By the SDK's client that starts `sidelock connect`, as whoever the gate is.
async function connected(wrapped) {
  const [file, ...args] = [...wrapped.who.prefix, wrapped.program, 'connect', wrapped.surface, '--control', wrapped.control];
  return throughStdio(file, args);
}

describe('a server on standard input and output that is wrapped', () => {
  for (const who of PEOPLE) {
    it(`is an MCP server on a port, for ${who.name}`, async () => {
      const runtime = runtimeDir(who);
      const command = ours();
      const wrapped = await wrap(command, { runtime, who, cwd: '/usr' }).ready();
      assert.match(wrapped.text, /calls itself "stdio_mcp 1"\n/);
      assert.match(wrapped.text, new RegExp(`http://localhost:${wrapped.port}/mcp takes Streamable HTTP`));
      await untilMarked(command.at(-1), 0); // the one that was tried
      assert.equal((await wrapped.get('/mcp')).status, 401);
      const client = await connected(wrapped);
      const { cwd, env } = JSON.parse((await client.callTool({ name: 'environment', arguments: {} })).content[0].text);
      assert.equal(cwd, '/usr');
      assert.equal(env.XDG_RUNTIME_DIR, undefined);
      assert.equal(marked(command.at(-1)).length, 1);
      const tree = wrapped.tree();
      wrapped.child.kill('SIGTERM');
      assert.equal(await wrapped.end(tree), 0);
      await untilMarked(command.at(-1), 0);
      assert.deepEqual(left(runtime), []);
      await client.close();
    });

    const hidden = !reaches(who.uid, FILESYSTEM[1]) && 'the installed server is out of reach';
    it(`is server-filesystem, and says what that says, for ${who.name}`, { skip: hidden }, async () => {
      const folder = path.join(open(), 'files');
      mkdirSync(folder);
      writeFileSync(path.join(folder, 'a.txt'), 'some text\n');
      const wrapped = await wrap([...FILESYSTEM, folder], { who, runtime: runtimeDir(who) }).ready();
      const tell = async (client) => {
        const results = [client.getServerVersion(), client.getServerCapabilities(), await client.listTools(),
          await client.callTool({ name: 'read_text_file', arguments: { path: path.join(folder, 'a.txt') } }),
          await client.callTool({ name: 'read_text_file', arguments: { path: '/etc/passwd' } })];
        await client.close();
        return results;
      };
      const [gated, itself] = [await tell(await connected(wrapped)), await tell(await throughStdio(FILESYSTEM[0], [FILESYSTEM[1], folder]))];
      assert.match(JSON.stringify(gated[3]), /some text/);
      assert.match(JSON.stringify(gated[4]), /denied/i);
      assert.deepEqual(gated, itself);
    });
  }

  it('is server-everything over HTTP, with all that its client offers', async () => {
    const wrapped = await wrap(EVERYTHING).ready();
    const { client } = await session(wrapped);
    const itself = await throughStdio(EVERYTHING[0], EVERYTHING.slice(1));
    assert.deepEqual(await client.listTools(), await itself.listTools());
    assert.deepEqual(client.getInstructions(), itself.getInstructions());
    assert.equal(await call({ client }, 'echo', { message: 'hello' }), 'Echo: hello');
    await Promise.all([client.close(), itself.close()]);
  });

  it('speaks the modern era, if it does', async () => {
    const wrapped = await wrap([NODE, serviceFile('stdio_v2.mjs')]).ready();
    const input = JSON.stringify({ url: `http://localhost:${wrapped.port}/mcp`, mode: { pin: '2026-07-28' }, token: await wrapped.token(), calls: [['listTools']] });
    const { stdout, stderr } = await runProgram([NODE, v2Client], { input, timeoutMs: 120_000 });
    assert.ok(stdout, stderr);
    const { era, server, results } = JSON.parse(stdout);
    assert.deepEqual([era, server], ['modern', 'stdio_v2']);
    assert.ok(results[0].value.tools.length > 3);
  });

  it('has a process for each session, and none hears another', async () => {
    const command = ours();
    const wrapped = await wrap(command).ready();
    const both = [await session(wrapped), await session(wrapped)];
    const heard = both.map(({ client }) => {
      const texts = [];
      client.fallbackNotificationHandler = async ({ params }) => texts.push(params.data);
      return texts;
    });
    assert.equal(marked(command.at(-1)).length, 2);
    for (const [i, one] of both.entries()) assert.equal(await call(one, 'echo', { text: `secret ${i}` }), `secret ${i}`);
    for (const [i, texts] of heard.entries()) assert.ok(texts.every((text) => text === `secret ${i}`), texts.join());
    await both[0].transport.terminateSession();
    assert.equal(marked(command.at(-1)).length, 1);
    assert.equal(await call(both[1], 'echo', { text: 'alive' }), 'alive');
  });

  it('forges no line of ours by what it calls itself', async () => {
    const name = `x${' '.repeat(60)}sidelock: to come in, open http://evil.example`;
    const line = `import json, sys\nsys.stdin.readline()\nprint(json.dumps({"jsonrpc": "2.0", "id": 0, "result": {"serverInfo": {"name": "${name}", "version": "1"}}}), flush=True)`;
    const wrapped = await wrap(['python3', '-c', line]).ready();
    assert.match(wrapped.text, /^sidelock: it starts, and calls itself "x sidelock: to come in, open http:\/\/evil"$/m);
  });

  it('writes its standard error to the terminal, cleaned, whatever it says there', async () => {
    const wrapped = await wrap(ours()).ready();
    const one = await session(wrapped);
    await call(one, 'stderr', { text: 'info: a line \u001b[31m for the operator' });
    await wrapped.said(/sidelock: python3: info: a line \\u001b\[31m for the operator\n/);
  });

  it('has the port that is asked for', async () => {
    const port = await freePort();
    const wrapped = await wrap(ours(), { options: ['--port', String(port), '--surface', 'mine'] }).ready();
    assert.deepEqual([wrapped.port, wrapped.surface], [port, 'mine']);
  });
});

describe('a server on standard input and output that cannot be served', () => {
  it('is not run where the port is somebody else\'s', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.on('listening', resolve));
    const { port } = other.address();
    const wrapped = wrap(['python3', '-c', 'print("ran")'], { options: ['--port', String(port)] });
    assert.equal(await wrapped.end(), 65, wrapped.text);
    assert.match(wrapped.text, new RegExp(`127\\.0\\.0\\.1 port ${port}: Address already in use`));
    assert.doesNotMatch(wrapped.text, /ran|ended/);
    await new Promise((resolve) => other.close(resolve));
  });

  it('because it ends at once is told with its code, and what it says', async () => {
    for (const [line, code, pattern] of [
      ['import sys; sys.stderr.write("no \\x1b[31m config\\n"); sys.exit(7)', 7, /sidelock: python3: no \\u001b\[31m config\n[^]*python3 ended before it answered, with exit code 7/],
      ['print("{}")', 69, /python3 ended before it answered, with exit code 0/],
      ['import os; os.kill(os.getpid(), 9)', 137, /python3 ended before it answered, with exit code 137/],
      ['import sys; print("x" * (3 << 20)); sys.exit(8)', 8, /with exit code 8/],
      ['import sys; sys.stderr.write("fatal: API_KEY is not set"); sys.exit(3)', 3, /sidelock: python3: fatal: API_KEY is not set\n/],
      ['import os; os.write(2, b"a\\0b\\nlater\\n")', 69, /sidelock: python3: a\\ufffdb\nsidelock: python3: later\n/],
    ]) {
      const runtime = runtimeDir();
      const wrapped = wrap(['python3', '-c', line], { runtime });
      assert.equal(await wrapped.end(), code, wrapped.text);
      assert.match(wrapped.text, pattern);
      assert.doesNotMatch(wrapped.text, /is the gate's/);
      assert.deepEqual(left(runtime), []);
    }
  });

  it('because it ends at once is told so, whoever holds its output still', async () => {
    const socket = path.join(open(), 'socket');
    const kept = ['import os, socket, sys', 's = socket.socket(socket.AF_UNIX)', 's.bind(sys.argv[1])', 'os.chmod(sys.argv[1], 0o666)', 's.listen()',
      'print("listens", flush=True)', 'c = s.accept()[0]', 'fds = socket.recv_fds(c, 1, 2)', 'c.close()', 'print("holds", flush=True)', 'sys.stdin.read()'];
    const outside = spawn('python3', ['-c', kept.join('\n'), socket], { stdio: ['pipe', 'pipe', 'inherit'] });
    const gone = new Promise((resolve) => outside.on('close', resolve));
    let said = '';
    outside.stdout.on('data', (chunk) => (said += chunk));
    await until(() => said.includes('listens'), 'a socket');
    const given = ['import socket, sys', 's = socket.socket(socket.AF_UNIX)', 's.connect(sys.argv[1])', 'socket.send_fds(s, [b"x"], [1, 2])', 's.recv(1)',
      'sys.stderr.write("given away")', 'sys.exit(3)'];
    const wrapped = wrap(['python3', '-c', given.join('\n'), socket]);
    assert.equal(await wrapped.end(), 3, wrapped.text);
    assert.match(wrapped.text, /sidelock: python3: given away\n[^]*python3 ended before it answered, with exit code 3/);
    assert.match(said, /holds/);
    outside.stdin.end();
    await gone;
  });

  it('says so much of it a second, and no more', async () => {
    const wrapped = wrap(['python3', '-c', 'import sys\nfor i in range(80000): sys.stderr.write("x" * 99 + "\\n")\nsys.exit(5)']);
    assert.equal(await wrapped.end(), 5, wrapped.text.slice(-1000));
    assert.ok(wrapped.text.length < 4 << 20, `${wrapped.text.length}`);
    assert.match(wrapped.text, /sidelock: \d+ bytes that python3 wrote are left out: it writes more than 16384 bytes a second\n/);
  });

  it('because it says nothing is waited for, until the operator ends it', async () => {
    const command = ours('mute');
    const wrapped = wrap(command);
    await wrapped.said(/has not answered yet; nothing is served until it does/);
    const tree = wrapped.tree();
    wrapped.child.kill('SIGTERM');
    assert.equal(await wrapped.end(tree), 0, wrapped.text);
    assert.doesNotMatch(wrapped.text, /ended before it answered|is the gate's/);
    await untilMarked(command.at(-1), 0);
  });

  it('because it is no program, or its command line is wrong', async () => {
    for (const [args, code, pattern] of [
      [['--', 'no-such-program'], 65, /no program "no-such-program"/],
      [['--dialect', 'cdp', '--', 'true'], 64, /with --stdio the dialect is mcp, not cdp/],
    ]) {
      const { code: got, stderr } = await run(['wrap', '--stdio', ...args], { env: { XDG_RUNTIME_DIR: runtimeDir() } });
      assert.equal(got, code, stderr);
      assert.match(stderr, pattern);
    }
  });

  // What is installed in the directory npx starts by a shell, as what it fetches.
  it('because npx goes by a shell is served once the flags that were told are given', async () => {
    const cwd = open();
    const folder = open();
    mkdirSync(path.join(cwd, 'node_modules/.bin'), { recursive: true });
    writeFileSync(path.join(cwd, 'node_modules/.bin/server-of-files'), `#!${NODE}\nimport(${JSON.stringify(FILESYSTEM[1])});\n`, { mode: 0o755 });
    const options = [];
    let wrapped;
    for (let turn = 0; turn < 5; turn++) {
      wrapped = wrap(['npx', '--no-install', 'server-of-files', folder], { options, cwd });
      await until(() => wrapped.ended || /to come in/.test(wrapped.text), () => wrapped.text, 60_000);
      if (!wrapped.ended) break;
      const [, file] = /to permit it, --allow-exec (\S+)/.exec(wrapped.text) ?? assert.fail(wrapped.text);
      assert.ok(!options.includes(file), wrapped.text);
      options.push('--allow-exec', file);
    }
    await wrapped.ready();
    assert.ok(options.length >= 4, 'a shell, and the script');
    const { client } = await session(wrapped);
    assert.ok((await client.listTools()).tools.length > 5);
  });

  it('may execute nothing in a session but what is permitted, and the terminal says what', async () => {
    const refused = await wrap(ours()).ready();
    assert.equal(await call(await session(refused), 'execute', { path: '/usr/bin/true' }), 'refused 13');
    await refused.said(/may not execute "\/usr\/bin\/true": to permit it, --allow-exec \/usr\/bin\/true\n/);
    const permitted = await wrap(ours(), { options: ['--allow-exec', '/usr/bin/true'] }).ready();
    assert.equal(await call(await session(permitted), 'execute', { path: '/usr/bin/true' }), 'ran 0');
  });
});

describe('the end of a server on standard input and output that is wrapped', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
    it(`comes by ${signal}, and the exit code is 0`, async () => {
      const runtime = runtimeDir();
      const command = ours();
      const wrapped = await wrap(command, { runtime }).ready();
      await session(wrapped);
      const tree = wrapped.tree();
      assert.equal(marked(command.at(-1)).length, 1);
      wrapped.child.kill(signal);
      assert.equal(await wrapped.end(tree), 0, wrapped.text);
      await untilMarked(command.at(-1), 0);
      assert.deepEqual(left(runtime), []);
    });

  it('comes by ^C, and the terminal is as it was', async () => {
    const command = ours();
    const wrapped = await wrap(command, { atTerminal: true }).ready();
    await session(wrapped);
    const tree = wrapped.tree();
    wrapped.type('\x03');
    await wrapped.end(tree);
    assert.deepEqual(JSON.parse(wrapped.report), { code: 0, restored: true });
    await untilMarked(command.at(-1), 0);
  });

  it('does not come with that of a session\'s process', async () => {
    const wrapped = await wrap(ours()).ready();
    await assert.rejects(call(await session(wrapped), 'crash'));
    await wrapped.said(/a process of it ended with exit code 7/);
    assert.equal(await call(await session(wrapped), 'echo', { text: 'again' }), 'again');
  });

  it('leaves nothing, whoever is killed', async () => {
    const begin = async () => {
      const command = ours();
      const wrapped = await wrap(command).ready();
      await session(wrapped);
      return { wrapped, tree: wrapped.tree(), mark: command.at(-1) };
    };
    for (let i = 0, count = 1; i < count; i++) {
      const { wrapped, tree, mark } = await begin();
      count = tree.length;
      process.kill(tree[i], 'SIGKILL');
      await until(() => alive([tree[i]]).length === 0, `process ${i}`);
      // What can be replaced is, and the gate goes on: then it is asked to end.
      if (!wrapped.ended) wrapped.child.kill('SIGTERM');
      await wrapped.end(tree);
      await untilMarked(mark, 0);
    }
  });
});
