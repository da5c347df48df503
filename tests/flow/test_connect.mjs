// `sidelock connect`: an MCP client that knows only stdio, through the gate, to
// real servers behind a WebSocket route.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { freePort } from '../services/listening.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SIDELOCK, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { module, serviceFile, startService } from './lib/programs.mjs';
import { Connected } from './lib/stdio.mjs';
import { until } from './lib/wait.mjs';

const LOST = -31404;
const INVALID = -32600;
const PARSE = -32700;

const dir = scratchDir();
const socketPath = path.join(dir, 'everything.sock');
let service;
let gate;

// supergateway only knows ports; the preload gives it a Unix socket instead.
function startSupergateway() {
  const server = module('@modelcontextprotocol/server-everything/dist/index.js');
  const command = [process.execPath, server, 'stdio'].map((part) => `'${part}'`).join(' ');
  return startService(
    [
      process.execPath,
      '--require', serviceFile('listen_on_socket.cjs'),
      module('supergateway/dist/index.js'),
      '--stdio', command,
      '--outputTransport', 'ws',
      '--port', '1',
      '--messagePath', '/message',
    ],
    { path: socketPath },
    { env: { LISTEN_SOCKET: socketPath } },
  );
}

before(async () => {
  service = await startSupergateway();
  const port = await freePort();
  const certs = path.join(dir, 'state', 'certs');
  gate = new Gate(dir, {
    surfaces: {
      secure: surface(socketPath, {
        dialect: 'mcp',
        tls: {
          certificate: path.join(certs, 'server.pem'),
          key: path.join(certs, 'server.key'),
          client_ca: path.join(certs, 'ca.pem'),
        },
        allow: { verbs: ['tools/list'] },
      }),
      everything: surface(socketPath, {
        dialect: 'mcp',
        listen: [`localhost:${port}`],
        allow: { verbs: ['tools/list', 'tools/call'], targets: ['echo', 'get-sum'] },
      }),
    },
  });
  await gate.do('certs', 'init');
  await gate.do('certs', 'init', '--client', 'me');
  await gate.launch();
});

beforeEach(() => gate.do('session', 'revoke', '--all'));

after(() => stopAll(gate, service));

function sessions() {
  return gate.doJson('session', 'list').then(({ sessions: list }) => list);
}

async function activeSessions() {
  return (await sessions()).filter(({ state }) => state === 'active');
}

const echo = (message) => ['tools/call', { name: 'echo', arguments: { message } }];

async function useEcho(connected, id, message = 'grüße 🦊') {
  const answer = await connected.ask(id, ...echo(message));
  assert.deepEqual(answer.result?.content, [{ type: 'text', text: `Echo: ${message}` }], JSON.stringify(answer));
}

describe('sidelock connect over a WebSocket', () => {
  it('serves the SDK’s stdio client, and leaves nothing behind', async () => {
    const transport = new StdioClientTransport({
      command: SIDELOCK,
      args: ['connect', 'everything', '--path', '/message', '--websocket', '--control', gate.controlSocket],
      stderr: 'pipe',
    });
    const client = new McpClient({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
    await client.connect(transport);
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === 'echo'));
    const { content } = await client.callTool({ name: 'get-sum', arguments: { a: 17, b: 25 } });
    assert.match(content[0].text, /\b42\b/);
    await assert.rejects(client.callTool({ name: 'get-env', arguments: {} }), { code: -31403 });
    assert.equal((await activeSessions()).length, 1);
    await client.close();
    await until(async () => (await activeSessions()).length === 0, 'its session to be revoked');
    await gate.untilIdle('everything');
  });

  it('narrows its session as it is told', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket', '--tool', 'get-*', '--allow', 'tools/call');
    await connected.initialize();
    const refused = await connected.ask(1, ...echo('x'));
    assert.equal(refused.error.code, -31403);
    const sum = await connected.ask(2, 'tools/call', { name: 'get-sum', arguments: { a: 1, b: 2 } });
    assert.match(sum.result.content[0].text, /\b3\b/);
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });

  it('keeps its token out of its command line, environment and log', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    await connected.initialize();
    const shown = ['cmdline', 'environ'].map((name) =>
      readFileSync(`/proc/${connected.child.pid}/${name}`, 'latin1'),
    );
    const looksLikeToken = /eyJ[A-Za-z0-9_-]{10,}\./;
    for (const text of [...shown, connected.stderr]) assert.doesNotMatch(text, looksLikeToken);
    assert.match((await gate.session('everything')).token, looksLikeToken);
    await connected.finish();
    assert.doesNotMatch(connected.stderr, looksLikeToken);
  });

  it('renews its session while a connection stays', async () => {
    const mark = gate.mark();
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket', '--ttl', '6s');
    await connected.initialize();
    const { session, expires_at: before } = await gate.audited(mark, { event: 'session_created' });
    // Three renewals are more than the first session would have lived.
    await until(
      () => gate.auditLines().slice(mark).filter(({ event }) => event === 'session_renewed').length >= 3,
      'three renewals',
    );
    await until(() => Date.now() / 1000 > before, 'the end of the first term');
    await useEcho(connected, 1);
    const active = await activeSessions();
    assert.deepEqual(active.map(({ id }) => id), [session]);
    assert.equal(active[0].live_connections, 1);
    assert.equal(
      gate.auditLines().slice(mark).filter(({ event }) => event === 'admitted').length,
      1,
      'the connection was never made anew',
    );
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
    assert.deepEqual(await activeSessions(), []);
  });

  it('answers what is no message, and goes on', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    await connected.initialize();
    const faults = [
      ['{"jsonrpc":"2.0","id":1', PARSE, null],
      ['not json', PARSE, null],
      ['{"jsonrpc":"2.0","id":2,"id":2,"method":"ping"}', PARSE, null],
      ['[]', INVALID, null],
      ['{"jsonrpc":"2.0","id":3}', INVALID, 3],
      ['{"jsonrpc":"2.0","id":"four","method":"ping","result":{}}', INVALID, 'four'],
      [`{"jsonrpc":"2.0","id":"${'x'.repeat(300)}","method":"ping"}`, INVALID, null],
      ['{"jsonrpc":"2.0","id":5,"method":"\u0000"}', PARSE, null],
      [`{"a":"${'x'.repeat(5 * 1024 * 1024)}"}`, INVALID, null],
    ];
    for (const [line, code, id] of faults) {
      connected.say(line);
      const { error } = await connected.hear((l) => l.id === id && l.error, `an error for ${line.slice(0, 60)}`);
      assert.equal(error.code, code, line.slice(0, 60));
    }
    connected.say('');
    connected.say(' ');
    await connected.hear((l) => l.error?.code === PARSE);
    await useEcho(connected, 6);
    // With its id in use, a second request is refused, and the first one is answered.
    connected.say({ jsonrpc: '2.0', id: 7, method: 'tools/list' });
    connected.say({ jsonrpc: '2.0', id: 7, method: 'tools/list' });
    assert.ok((await connected.answer(7)).result.tools);
    assert.equal((await connected.answer(null)).error.code, INVALID);
    await connected.finish();
  });

  it('reads its input from a file, and answers what is due before it ends', async () => {
    const lines = [
      { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'f', version: '1' } } },
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 2, method: 'tools/list' },
    ].map((line) => JSON.stringify(line));
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    connected.child.stdin.end(lines.join('\n')); // no line end after the last
    assert.deepEqual(await connected.end(), { code: 0, signal: null });
    assert.deepEqual(connected.lines.filter((l) => l.id).map((l) => l.id), [1, 2]);
  });

  it('ends on SIGTERM as it does at the end of its input', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    await connected.initialize();
    connected.child.kill('SIGTERM');
    assert.deepEqual(await connected.end(), { code: 0, signal: null });
    assert.deepEqual(await activeSessions(), []);
  });

  it('ends when its session is revoked by somebody else', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    await connected.initialize();
    const [{ id }] = await activeSessions();
    await gate.revoke(id);
    assert.equal((await connected.end()).code, 77);
    assert.match(connected.stderr, /session_revoked/);
  });

  it('comes back with the gate, and the service does not lose the client', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    await connected.initialize();
    await useEcho(connected, 1);
    await gate.crash();
    connected.say({ jsonrpc: '2.0', id: 2, method: 'tools/list' }); // waits for the gate
    await gate.launch();
    assert.ok((await connected.answer(2)).result.tools);
    await useEcho(connected, 3);
    assert.equal(connected.lines.filter((l) => 'id' in l).length, 0, 'the client sees no replay');
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });

  it('a request in flight when the gate goes away gets an error', async () => {
    const connected = Connected.to(gate, 'everything', '--path', '/message', '--websocket');
    await connected.initialize();
    const { child } = service;
    child.kill('SIGSTOP'); // so that the answer does not come first
    try {
      connected.say({ jsonrpc: '2.0', id: 99, method: 'tools/list' });
      await until(
        async () => (await gate.doJson('status')).surfaces.find(({ name }) => name === 'everything').messages_forwarded >= 3,
        'the request to be on its way',
      );
      await gate.crash();
      const { error } = await connected.answer(99);
      assert.equal(error.code, LOST);
    } finally {
      child.kill('SIGCONT');
    }
    await gate.launch();
    await useEcho(connected, 1);
    await connected.finish();
  });

  it('without a running gate it says so', async () => {
    const connected = new Connected(['everything', '--control', path.join(dir, 'nowhere.sock')]);
    assert.equal((await connected.end()).code, 69);
    assert.match(connected.stderr, /not running/);
  });

  it('refuses what it cannot use', async () => {
    for (const args of [['nowhere'], ['everything', '--path', '/other'], ['everything', '--params', 'none']]) {
      const connected = Connected.to(gate, ...args);
      assert.notEqual((await connected.end()).code, 0);
      assert.match(connected.stderr, /^sidelock: /);
    }
    assert.deepEqual(await activeSessions(), []);
  });
});

describe('sidelock connect over TLS', () => {
  it('speaks to the gate whose certificate the control socket names', async () => {
    const certs = path.join(dir, 'state', 'certs');
    for (const more of [[], ['--cert', path.join(certs, 'client-me.pem'), '--key', path.join(certs, 'client-me.key')]]) {
      const connected = Connected.to(gate, 'secure', '--path', '/message', '--websocket', ...more);
      await connected.initialize();
      assert.ok((await connected.ask(1, 'tools/list')).result.tools);
      assert.deepEqual(await connected.finish(), { code: 0, signal: null });
    }
  });

  it('of a surface that does not exist says so', async () => {
    const connected = Connected.to(gate, 'nope');
    assert.equal((await connected.end()).code, 65);
    assert.match(connected.stderr, /no surface nope/);
  });

  it('says when its own certificate cannot be used', async () => {
    const connected = Connected.to(gate, 'secure', '--cert', '/dev/null', '--key', '/dev/null', '--websocket', '--path', '/message');
    assert.equal((await connected.end()).code, 78);
    const alone = Connected.to(gate, 'secure', '--cert', '/dev/null');
    assert.equal((await alone.end()).code, 64);
  });
});

describe('sidelock session renew', () => {
  it('prints a new token; the one before it is good no longer', async () => {
    const { id, token } = await gate.session('everything', '--ttl', '1m');
    const renewed = (await gate.do('session', 'renew', id, '--ttl', '2m')).trim();
    assert.notEqual(renewed, token);
    const open = (bearer) => Client.open(gate, 'everything', '/message', { token: bearer, protocols: ['mcp'] });
    await assert.rejects(open(token), { reason: 'session_unknown' });
    await (await open(renewed)).close();
    await gate.revoke(id);
    const { code, stderr } = await gate.cli('session', 'renew', id);
    assert.equal(code, 65);
    assert.match(stderr, /revoked/);
  });
});
