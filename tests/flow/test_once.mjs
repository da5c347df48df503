// What is good once: a single-use session's request, and a ticket's upgrade.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask, keepAlive } from './lib/http.mjs';
import { startMcpV2 } from './lib/programs.mjs';
import { Raw, assertProblem, request, requestText } from './lib/raw.mjs';

const TRUE = '/usr/bin/true';
const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
const socket = new WebSocketService(path.join(dir, 'echo.sock'));
let mcp;
let gate;

before(async () => {
  await service.start();
  await socket.start();
  mcp = await startMcpV2(path.join(dir, 'mcp.sock'));
  const any = { path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] };
  const stored = { inject: { p: { from: '', encoding: 'json' } } };
  gate = await Gate.start(dir, {
    executables: [TRUE],
    surfaces: {
      plain: surface(service.socketPath, { dialect: 'opaque', routes: [any] }),
      stored: surface(service.socketPath, { dialect: 'opaque', routes: [{ ...any, query: stored }] }),
      both: surface(socket.socketPath, {
        dialect: 'opaque', routes: [{ path: '/ws', kind: 'websocket' }, { path: '/{any...}', kind: 'http' }],
      }),
      mcp: surface(path.join(dir, 'mcp.sock'), { dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http' }] }),
    },
  });
  await gate.putParams('record', { command: TRUE });
});

after(() => stopAll(gate, service, socket, mcp));

describe('--once', () => {
  for (const [name, ...params] of [['plain'], ['stored', '--params', 'record']]) {
    it(`finding 22: is one request of a connection that is kept (${name})`, async () => {
      const { token } = await gate.session(name, '--once', ...params);
      const agent = keepAlive();
      const before = service.requests.length;
      assert.equal((await ask(gate, name, '/echo', { token, agent })).status, 200);
      for (const connection of [agent, agent, keepAlive()]) {
        const answer = await ask(gate, name, '/echo', { token, agent: connection });
        assert.equal(service.requests.length, before + 1, 'one request reached the service');
        assert.equal(answer.json.reason, 'session_used');
      }
    });

    it(`finding 22: is one of two that come together (${name})`, async () => {
      const { token } = await gate.session(name, '--once', ...params);
      const before = service.requests.length;
      const raw = await Raw.connect(gate.port(name));
      const one = (method, body) =>
        requestText({
          host: `localhost:${gate.port(name)}`, path: '/echo', method, token, upgrade: false, body,
          headers: body ? [['Content-Length', String(body.length)]] : [],
        });
      raw.send(one('POST', 'first') + one('POST', 'second') + one('GET'));
      assert.equal((await raw.response()).status, 200);
      const refused = await raw.response();
      assert.equal(service.requests.length, before + 1, 'one request reached the service');
      assertProblem(refused, 401, 'session_used');
      await raw.gone();
      raw.destroy();
    });
  }

  it('finding 22: of MCP over HTTP it is one POST', async () => {
    const { token } = await gate.session('mcp', '--once');
    const agent = keepAlive();
    const say = (message, headers = {}) =>
      ask(gate, 'mcp', '/mcp', {
        method: 'POST', token, agent, body: JSON.stringify({ jsonrpc: '2.0', ...message }),
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      });
    const client = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const opened = await say({ id: 1, method: 'initialize', params: client });
    assert.equal(opened.status, 200, opened.body);
    const answer = await say({ id: 2, method: 'tools/list' }, {
      'mcp-session-id': opened.headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25',
    });
    assert.equal(answer.status, 401, answer.body);
    assert.equal(answer.json.reason, 'session_used');
  });

  it('finding 22: is a request or an upgrade, not one of each', async () => {
    const { token } = await gate.session('both', '--once');
    socket.behave({ request: (peer) => (peer.header('upgrade') ? peer.accept() : peer.respond('200 OK', '{}')) });
    const agent = keepAlive();
    assert.equal((await ask(gate, 'both', '/page', { token, agent })).status, 200);
    assert.equal((await ask(gate, 'both', '/page', { token, agent })).json?.reason, 'session_used');
    const { raw, response } = await request(gate, 'both', { token });
    assertProblem(response, 401, 'session_used');
    raw.destroy();
    socket.behave();
  });
});

describe('a ticket', () => {
  const offer = (ticket) => [['Sec-WebSocket-Protocol', `sidelock.ticket.${ticket}`]];

  it('finding 22: is for an upgrade, and not for plain HTTP', async () => {
    for (const name of ['plain', 'both']) {
      const { id } = await gate.session(name);
      const ticket = await gate.ticket(id);
      const { raw, response } = await request(gate, name, { path: '/echo', upgrade: false, headers: offer(ticket) });
      assertProblem(response, 401, 'credential_missing');
      raw.destroy();
      if (name === 'both') await (await Client.open(gate, name, '/ws', { ticket })).close();
    }
  });

  it('finding 22: nothing of an upgrade goes to the service with a plain request', async () => {
    const { token } = await gate.session('plain');
    const { raw, response } = await request(gate, 'plain', {
      path: '/echo',
      upgrade: false,
      token,
      headers: [
        ['Sec-WebSocket-Key', 'a'], ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Extensions', 'x'], ['SEC-WEBSOCKET-X', 'x'],
      ],
    });
    assert.equal(response.status, 200);
    const names = response.json.headers.map(([header]) => header.toLowerCase());
    assert.deepEqual(names.filter((header) => header.startsWith('sec-websocket-')), []);
    raw.destroy();
  });
});
