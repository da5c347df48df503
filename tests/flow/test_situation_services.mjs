// Services that answer as no specification says, or as few do: what works without the gate works
// through it, and what cannot is told by the request's id and with the true reason. Clients are the
// real ones: the TypeScript SDK in both versions.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { OddService, initialized, json, result } from '../services/mcp_odd.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client as Socket } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { call, modern, post } from './lib/mcp_http.mjs';
import { NODE, runProgram } from './lib/programs.mjs';
import { until, within } from './lib/wait.mjs';

const dir = scratchDir();
const service = new OddService(path.join(dir, 'odd.sock'));
const sockets = new WebSocketService(path.join(dir, 'ws.sock'));
const v2Client = fileURLToPath(new URL('./lib/v2_client.mjs', import.meta.url));
const ECHO = { name: 'echo', arguments: {} };
let gate;

before(async () => {
  await service.start();
  await sockets.start();
  const routes = [{ path: '/mcp', kind: 'mcp-http' }];
  gate = await Gate.start(dir, {
    surfaces: {
      odd: surface(service.socketPath, { dialect: 'mcp', routes }),
      limited: surface(service.socketPath, { dialect: 'mcp', routes, allow: { targets: ['echo'] } }),
      socket: surface(sockets.socketPath, { dialect: 'mcp', routes: [{ path: '/ws', kind: 'websocket' }] }),
      narrow: surface(sockets.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/ws', kind: 'websocket' }],
        allow: { targets: ['echo'] },
      }),
    },
  });
});
afterEach(() => {
  hangUp();
  service.behave();
  sockets.behave();
});
after(() => stopAll(gate, service, sockets));

const url = (name) => `http://localhost:${gate.port(name)}/mcp`;

// The first version's client, connected; closed after `use`.
async function v1(use, { token, name = 'odd', capabilities = {} } = {}) {
  token ??= (await gate.session(name)).token;
  const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  try {
    await within(client.connect(new StreamableHTTPClientTransport(new URL(url(name)), { requestInit })), 'a handshake');
    return await use(client);
  } finally {
    await client.close();
  }
}

async function v2(calls, mode = 'auto') {
  const { token } = await gate.session('odd');
  const job = { url: url('odd'), mode, token, calls };
  const { stdout, stderr } = await runProgram([NODE, v2Client], { input: JSON.stringify(job) });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

const called = async (client) => {
  const { content } = await within(client.callTool(ECHO), 'an answer');
  assert.equal(content[0].text, 'done');
};

const failed = async (client) => {
  const error = await within(client.callTool(ECHO).then(assert.fail, (reason) => reason), 'an error');
  return error.data;
};

describe('a request that is cancelled', () => {
  it('situation 4: waits no more, however many there are', async () => {
    const { token } = await gate.session('socket');
    const client = await Socket.open(gate, 'socket', '/ws', { token });
    sockets.behave({
      message: (peer, data) => {
        const { id, params } = JSON.parse(data.toString());
        if (params.name === 'echo') peer.send(JSON.stringify(result(id, {})));
      },
    });
    for (let id = 1; id <= 1100; id++) {
      client.sendJson(call(id, 'tools/call', { name: 'slow' }));
      client.sendJson({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    }
    client.sendJson(call('last', 'tools/call', { name: 'echo' }));
    assert.deepEqual(await client.nextJson(), result('last', {}));
  });

  it('its answer that was under way is no fault of the service', async () => {
    const { token } = await gate.session('socket');
    const client = await Socket.open(gate, 'socket', '/ws', { token });
    const mark = gate.mark();
    sockets.behave({
      message: (peer, data) => {
        const { id, method } = JSON.parse(data.toString());
        if (method === 'notifications/cancelled') peer.send(JSON.stringify(result(1, {})));
        else if (id === 2) peer.send(JSON.stringify(result(2, {})));
      },
    });
    client.sendJson(call(1, 'tools/call', { name: 'slow' }));
    client.sendJson({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    assert.deepEqual(await client.nextJson(), result(1, {}));
    client.sendJson(call(2, 'ping'));
    assert.deepEqual(await client.nextJson(), result(2, {}));
    assert.deepEqual(gate.auditLines().slice(mark).filter(({ event }) => event === 'message_refused'), []);
  });
});

describe('the id of a request that is cancelled', () => {
  it('is not good for a list as long as the answer may come: the list would pass as that answer', async () => {
    const { token } = await gate.session('narrow');
    const client = await Socket.open(gate, 'narrow', '/ws', { token });
    const both = { tools: [{ name: 'echo' }, { name: 'hidden' }] };
    sockets.behave({
      message: (peer, data) => {
        const { id, method } = JSON.parse(data.toString());
        // First what was cancelled, then the list.
        if (method === 'tools/list') for (const answer of [{}, both]) peer.send(JSON.stringify(result(id, answer)));
        else if (method === 'ping') peer.send(JSON.stringify(result(id, {})));
      },
    });
    client.sendJson(call(1, 'tools/call', { name: 'echo' }));
    client.sendJson({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    client.sendJson(call(1, 'tools/list'));
    client.sendJson(call(2, 'ping'));
    assert.equal((await client.nextJson()).error?.data.reason, 'request_id_reused');
    assert.deepEqual(await client.nextJson(), result(2, {}));
    // The same verb's are vetted alike.
    client.sendJson(call(1, 'tools/call', { name: 'echo' }));
    client.sendJson(call(3, 'ping'));
    assert.deepEqual(await client.nextJson(), result(3, {}));
  });
});

describe('a service without MCP sessions', () => {
  it('situation 4: asks on the stream of a POST, and has its answer by another', async () => {
    let call_;
    service.behave({
      'tools/call': (message, response) => {
        call_ = { message, response };
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`data: ${JSON.stringify(call(1, 'roots/list'))}\n\n`);
      },
      answer: (message, response) => {
        response.writeHead(202).end();
        const text = message.result.roots[0].uri;
        const value = result(call_.message.id, { content: [{ type: 'text', text }] });
        call_.response.end(`data: ${JSON.stringify(value)}\n\n`);
      },
    });
    await v1(
      async (client) => {
        client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///here' }] }));
        for (let i = 0; i < 3; i++) { // its ids are the same each time
          const { content } = await within(client.callTool(ECHO), 'an answer');
          assert.equal(content[0].text, 'file:///here');
        }
      },
      { capabilities: { roots: {} } },
    );
  });

  it('what it asks of one session is not answered by another', async () => {
    const [mine, others] = [await gate.session('odd'), await gate.session('odd')];
    service.behave({
      'tools/call': (message, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`data: ${JSON.stringify(call('asked', 'roots/list'))}\n\n`);
        service.end = () => response.end(`data: ${JSON.stringify(result(message.id, {}))}\n\n`);
      },
      answer: (message, response) => response.writeHead(202).end(),
    });
    const pending = post(gate, 'odd', call(1, 'tools/call', { name: 'echo' }), { token: mine.token });
    await until(() => service.end, 'the service to ask');
    const answer = result('asked', { roots: [] });
    const refused = await post(gate, 'odd', answer, { token: others.token });
    assert.equal(refused.status, 403);
    const accepted = await until(async () => {
      const one = await post(gate, 'odd', answer, { token: mine.token });
      return one.status === 202 && one;
    }, 'the question to have passed');
    assert.equal(accepted.status, 202);
    assert.equal((await post(gate, 'odd', answer, { token: mine.token })).status, 403); // asked once
    service.end();
    assert.equal((await pending).status, 200);
  });
});

describe('a service that has but one session id', () => {
  const constant = () =>
    service.behave({
      initialize: (message, response) =>
        json(response, initialized(message), { headers: { 'mcp-session-id': 'the-one' } }),
    });

  it('situation 4: its owner begins anew', async () => {
    constant();
    const { token } = await gate.session('odd');
    for (let i = 0; i < 3; i++) await v1(called, { token });
    await gate.do('session', 'revoke', '--all', '--surface', 'odd');
    await v1(called); // and what belongs to nobody any more is another's
    await gate.do('session', 'revoke', '--all', '--surface', 'odd');
  });

  it('situation 4: anybody else is told that it is taken', async () => {
    constant();
    const [mine, others] = [await gate.session('odd'), await gate.session('odd')];
    const opens = call(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } });
    assert.equal((await post(gate, 'odd', opens, { token: mine.token })).headers['mcp-session-id'], 'the-one');
    const { message } = await post(gate, 'odd', opens, { token: others.token });
    assert.equal(message.id, 0);
    assert.equal(message.error.data.reason, 'mcp_session_taken');
    assert.equal((await post(gate, 'odd', call(1, 'tools/call', ECHO), { token: mine.token, session: 'the-one' })).status, 200);
  });

  it('situation 5: a session id that is said twice is one', async () => {
    service.behave({
      initialize: (message, response) => {
        response.setHeader('content-type', 'application/json');
        response.setHeader('mcp-session-id', ['twice', 'twice']);
        response.end(JSON.stringify(initialized(message)));
      },
    });
    await v1(called);
    assert.equal(service.seen.at(-1).headers['mcp-session-id'], 'twice');
  });
});

describe('an answer to a notification', () => {
  for (const status of [200, 202]) {
    for (const value of [{}, null, { ok: true }]) {
      const what = `${status} with ${JSON.stringify(value)}`;
      it(`situation 5: ${what} is fine, to both versions of the SDK`, async () => {
        service.behave({ 'notifications/initialized': (message, response) => json(response, value, { status }) });
        await v1(called);
        const told = await v2([['callTool', ECHO]], 'legacy');
        assert.equal(told.error, undefined, JSON.stringify(told));
        assert.equal(told.results[0].value.content[0].text, 'done');
      });
    }
  }
});

describe('an error of the service', () => {
  it('situation 5: passes with its status, so that a client of both eras goes back to the older', async () => {
    service.behave({ 'server/discover': (message, response) => json(response, [], { status: 400 }) });
    const told = await v2([['callTool', ECHO]]);
    assert.equal(told.error, undefined, JSON.stringify(told));
    assert.equal(told.era, 'legacy');
    assert.equal(told.results[0].value.content[0].text, 'done');
  });

  it('situation 5: whose body may not pass keeps the status, and says so', async () => {
    const { token } = await gate.session('odd');
    service.behave({ 'tools/call': (message, response) => json(response, { result: '<script>' }, { status: 418 }) });
    const answer = await modern(gate, 'odd', call(1, 'tools/call', ECHO), { token });
    assert.equal(answer.status, 418);
    assert.match(answer.body, /Sidelock kept back.*message_shape/);
    assert.doesNotMatch(answer.body, /script/);
  });
});

describe('an answer without an answer', () => {
  const stream = (response, text) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);
  const cases = {
    'JSON that calls itself a stream': [
      (message, response) => stream(response, JSON.stringify(result(message.id, {}))),
      { reason: 'answer_missing', cause: 'no_events' },
    ],
    'a stream that ends': [(message, response) => stream(response, ': here\n\n'), { reason: 'answer_missing' }],
    'an event that is an error': [
      (message, response) => stream(response, 'event: error\ndata: {"message":"no"}\n\n'),
      { reason: 'answer_error' },
    ],
    'a stream of something else': [
      (message, response) => stream(response, `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: {} })}\n\n`),
      { reason: 'answer_missing' },
    ],
    'nothing at all': [(message, response) => json(response.setHeader('x-empty', '1'), undefined), { reason: 'answer_missing' }],
    '202 alone': [(message, response) => response.writeHead(202).end(), { reason: 'answer_missing' }],
    'a page': [
      (message, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      { reason: 'upstream_protocol', cause: 'content_type' },
    ],
    'half an answer': [
      (message, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
        response.write('{');
        response.socket.end();
      },
      { reason: 'upstream_protocol', cause: 'body_cut' },
    ],
  };
  for (const [what, [act, data]] of Object.entries(cases)) {
    it(`situation 5: ${what} is told as such`, async () => {
      service.behave({ 'tools/call': act });
      await v1(async (client) => assert.deepEqual(await failed(client), data));
    });
  }
});

it('situation 5: signs of life are passed on as such, and noted once', async () => {
  const COUNT = 500;
  service.behave({
    'tools/call': (message, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let i = 0; i < COUNT; i++) response.write('event: keepalive\ndata: {}\n\n');
      response.end(`data: ${JSON.stringify(result(message.id, {}))}\n\n`);
    },
  });
  const { id, token } = await gate.session('odd');
  const mark = gate.mark();
  const answer = await post(gate, 'odd', call(1, 'tools/call', ECHO), { token });
  assert.equal(answer.body.split('\n').filter((line) => line === ':').length, COUNT);
  assert.doesNotMatch(answer.body, /keepalive/);
  assert.equal(answer.message.id, 1);
  await gate.revoke(id);
  await gate.audited(mark, { event: 'closed', session: id });
  const noted = gate.auditLines().slice(mark).filter(({ event }) => /^message/.test(event));
  assert.equal(noted.length, 1, JSON.stringify(noted));
});

it('situation 5: a list that was cut is for its client alone', async () => {
  const tools = ['echo', 'shell'].map((name) => ({ name, inputSchema: { type: 'object' } }));
  service.behave({
    'tools/list': (message, response) => json(response, result(message.id, { tools, cacheScope: 'public', ttlMs: 1 })),
  });
  await v1(
    async (client) => {
      const list = await within(client.listTools(), 'a list');
      assert.deepEqual(list.tools.map(({ name }) => name), ['echo']);
      assert.equal(list.cacheScope, 'private');
    },
    { name: 'limited' },
  );
  await v1(async (client) => assert.equal((await within(client.listTools(), 'a list')).cacheScope, 'public'));
});
