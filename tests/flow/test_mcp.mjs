// A real client and a real service: the MCP TypeScript SDK's WebSocket client,
// through the gate, to server-everything behind supergateway.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import WebSocket from 'ws';

import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { denied } from './lib/raw.mjs';
import { until, within } from './lib/wait.mjs';

const REFUSED = -31403;

const modules = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules');
const preload = createRequire(import.meta.url).resolve('../services/listen_on_socket.cjs');

const dir = scratchDir();
const socketPath = path.join(dir, 'everything.sock');
let supergateway;
let gate;

function accepts(socket) {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}

// supergateway only knows ports; the preload gives it a Unix socket instead.
async function startSupergateway() {
  const server = path.join(modules, '@modelcontextprotocol/server-everything/dist/index.js');
  const command = [process.execPath, server, 'stdio'].map((part) => `'${part}'`).join(' ');
  supergateway = spawn(
    process.execPath,
    [
      '--require', preload,
      path.join(modules, 'supergateway/dist/index.js'),
      '--stdio', command,
      '--outputTransport', 'ws',
      '--port', '1',
      '--messagePath', '/message',
    ],
    { env: { ...process.env, LISTEN_SOCKET: socketPath }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  supergateway.log = '';
  supergateway.stdout.on('data', (chunk) => (supergateway.log += chunk));
  supergateway.stderr.on('data', (chunk) => (supergateway.log += chunk));
  supergateway.done = new Promise((resolve) => supergateway.on('exit', resolve));
  await until(() => accepts(socketPath), () => `supergateway:\n${supergateway.log}`, 30_000);
}

function everything(more = {}) {
  return surface(socketPath, {
    dialect: 'mcp',
    allow: {
      verbs: ['tools/list', 'tools/call', 'prompts/list', 'prompts/get'],
      targets: ['echo', 'get-sum', 'simple-*'],
    },
    ...more,
  });
}

before(async () => {
  await startSupergateway();
  gate = await Gate.start(dir, {
    surfaces: {
      everything: everything(),
      observed: everything({ mode: 'observe' }),
      strict: everything({ on_refusal: 'close' }),
    },
  });
});

after(async () => {
  try {
    await stopAll(gate);
  } finally {
    supergateway?.kill('SIGTERM');
    if (supergateway) await within(supergateway.done, 'supergateway to end');
  }
});

// The SDK's client makes its socket with the global WebSocket, which takes a URL
// and a subprotocol only. This one adds a header or a ticket, as a program or
// a page would have to.
async function connect(name, { token, ticket }) {
  let socket;
  globalThis.WebSocket = class extends WebSocket {
    constructor(url, protocol) {
      const protocols = ticket ? [protocol, `sidelock.ticket.${ticket}`] : [protocol];
      super(url, protocols, token ? { headers: { authorization: `Bearer ${token}` } } : {});
      socket = this;
    }
  };
  const client = new McpClient({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
  const url = new URL(`ws://localhost:${gate.port(name)}/message`);
  await within(client.connect(new WebSocketClientTransport(url)), 'the SDK to connect');
  return Object.assign(client, { socket });
}

// A call that the gate must refuse with its own JSON-RPC error.
async function refused(call, reason) {
  await assert.rejects(call, (error) => {
    assert.equal(error.code, REFUSED, String(error));
    assert.match(String(error.message) + JSON.stringify(error.data ?? {}), new RegExp(reason));
    return true;
  });
}

async function useEcho(client) {
  const { content } = await client.callTool({ name: 'echo', arguments: { message: 'grüße 🦊' } });
  assert.deepEqual(content, [{ type: 'text', text: 'Echo: grüße 🦊' }]);
}

describe('the MCP SDK through the gate', () => {
  it('with a header: lists and calls tools, those it may call', async () => {
    const { token } = await gate.session('everything');
    const client = await connect('everything', { token });
    assert.equal(client.socket.protocol, 'mcp');
    assert.match(client.getServerVersion().name, /everything/);
    const { tools } = await client.listTools();
    const names = tools.map((tool) => tool.name);
    assert.deepEqual(names.sort(), ['echo', 'get-sum']);
    const { prompts } = await client.listPrompts();
    assert.deepEqual(prompts.map((prompt) => prompt.name), ['simple-prompt']);
    await useEcho(client);
    const sum = await client.callTool({ name: 'get-sum', arguments: { a: 17, b: 25 } });
    assert.match(sum.content[0].text, /\b42\b/);
    const prompt = await client.getPrompt({ name: 'simple-prompt' });
    assert.ok(prompt.messages.length > 0);
    await client.close();
  });

  it('with a ticket: the same', async () => {
    const { id } = await gate.session('everything');
    const client = await connect('everything', { ticket: await gate.ticket(id) });
    assert.equal(client.socket.protocol, 'mcp');
    await useEcho(client);
    await client.close();
  });

  it('without either: no connection', async () => {
    const mark = gate.mark();
    await assert.rejects(connect('everything', {}), /401/);
    await gate.audited(mark, { event: 'denied', reason: 'credential_missing' });
  });

  it('a tool outside allow.targets is refused, and the connection lives on', async () => {
    const { id, token } = await gate.session('everything');
    const client = await connect('everything', { token });
    const before = supergateway.log.length;
    const mark = gate.mark();
    await refused(client.callTool({ name: 'get-env', arguments: {} }), 'target_not_allowed');
    const line = await gate.audited(mark, { event: 'message_refused', reason: 'target_not_allowed' });
    assert.equal(line.verb, 'tools/call');
    assert.equal(line.target, 'get-env');
    assert.equal(line.session, id);
    assert.equal(line.direction, 'c2s');
    await useEcho(client);
    assert.equal(supergateway.log.slice(before).includes('get-env'), false, 'the service never saw it');
    await client.close();
  });

  it('a method outside allow.verbs is refused, and the connection lives on', async () => {
    const { token } = await gate.session('everything');
    const client = await connect('everything', { token });
    await refused(client.listResources(), 'verb_not_allowed');
    await refused(client.readResource({ uri: 'test://static/resource/1' }), 'verb_not_allowed');
    await useEcho(client);
    await client.close();
  });

  it('a session can be narrower than its surface, never wider', async () => {
    const narrow = await gate.session('everything', '--tool', 'get-*', '--allow', 'tools/call');
    const client = await connect('everything', { token: narrow.token });
    await refused(client.callTool({ name: 'echo', arguments: { message: 'x' } }), 'target_not_allowed');
    await refused(client.callTool({ name: 'get-env', arguments: {} }), 'target_not_allowed');
    await refused(client.listTools(), 'verb_not_allowed');
    const sum = await client.callTool({ name: 'get-sum', arguments: { a: 1, b: 2 } });
    assert.match(sum.content[0].text, /\b3\b/);
    await client.close();
  });

  it('in observe mode what would be refused passes, and is recorded', async () => {
    const { token } = await gate.session('observed');
    const client = await connect('observed', { token });
    const mark = gate.mark();
    const { content } = await client.callTool({ name: 'get-env', arguments: {} });
    assert.equal(content[0].type, 'text');
    const line = await gate.audited(mark, { target: 'get-env', reason: 'target_not_allowed' });
    assert.match(line.event, /^message_/);
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === 'get-env'));
    await client.close();
    await denied(gate, 'observed', { path: '/message' }, 401, 'credential_missing');
  });

  it('with on_refusal close, a refused call ends the connection with 1008', async () => {
    const { token } = await gate.session('strict');
    const client = await connect('strict', { token });
    await useEcho(client);
    const closed = new Promise((resolve) => {
      client.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    client.callTool({ name: 'get-env', arguments: {} }).catch(() => {});
    assert.deepEqual(await within(closed, 'the close'), { code: 1008, reason: 'target_not_allowed' });
  });

  it('two clients at once do not get each other’s answers', async () => {
    const { token } = await gate.session('everything');
    const clients = await Promise.all([
      connect('everything', { token }),
      connect('everything', { token }),
    ]);
    const calls = clients.flatMap((client, who) =>
      Array.from({ length: 20 }, (_, i) =>
        client
          .callTool({ name: 'echo', arguments: { message: `${who}.${i}` } })
          .then(({ content }) => assert.equal(content[0].text, `Echo: ${who}.${i}`)),
      ),
    );
    await within(Promise.all(calls), 'forty answers');
    await Promise.all(clients.map((client) => client.close()));
  });

  it('revocation ends the SDK’s connection', async () => {
    const { id, token } = await gate.session('everything');
    const client = await connect('everything', { token });
    const closed = new Promise((resolve) => (client.onclose = resolve));
    await gate.revoke(id);
    await within(closed, 'onclose');
    await assert.rejects(connect('everything', { token }), /401/);
  });

  it('a raw message that two parsers would read differently does not reach it', async () => {
    const { token } = await gate.session('everything');
    const client = await Client.open(gate, 'everything', '/message', { token, protocols: ['mcp'] });
    const before = supergateway.log.length;
    client.send(
      '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"get-env"}}',
    );
    assert.equal((await client.end()).code, 1007);
    const again = await connect('everything', { token });
    await useEcho(again);
    assert.equal(supergateway.log.slice(before).includes('get-env'), false);
    await again.close();
  });
});
