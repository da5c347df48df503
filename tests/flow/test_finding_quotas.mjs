// Tables that all clients share: one session fills its own share of each, and no more.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, afterEach, before, it } from 'node:test';

import { AutogenStudio, PREPARED_ROUTE } from '../services/autogen_studio.mjs';
import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client, Refused } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask } from './lib/http.mjs';
import { call, messages, post } from './lib/mcp_http.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const echo = new WebSocketService(path.join(dir, 'echo.sock'));
const quiet = new WebSocketService(path.join(dir, 'quiet.sock'));
const mcp = new HttpService(path.join(dir, 'mcp.sock'));
const studio = new AutogenStudio(path.join(dir, 'studio.sock'), 'new');
const silent = { path: path.join(dir, 'silent.sock'), sockets: new Set(), asked: new Set() };
let gate;

// Opens an MCP session for every `initialize`, and answers whatever else is said in one; a client
// that only reads is asked 1,024 times whether it is there.
let opened = 0;
const pings = Array.from({ length: 1024 }, (_, id) => `data: ${JSON.stringify(call(id, 'ping'))}\n\n`);
mcp.routes['/mcp'] = async (exchange) => {
  if (exchange.method === 'GET') {
    return exchange.respond(200, [['Content-Type', 'text/event-stream']], pings.join(''));
  }
  await exchange.whole;
  if (exchange.method === 'DELETE') return exchange.respond(204, []);
  if (exchange.header('mcp-session-id')) return exchange.json({ jsonrpc: '2.0', id: 1, result: {} });
  const result = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    serverInfo: { name: 'mcp', version: '1' },
  };
  return exchange.json({ jsonrpc: '2.0', id: 0, result }, [['Mcp-Session-Id', `mcp-${opened++}`]]);
};

before(async () => {
  await Promise.all([echo.start(), quiet.start(), mcp.start(), studio.start()]);
  silent.server = net.createServer((socket) => {
    silent.sockets.add(socket);
    socket.on('data', () => silent.asked.add(socket));
    socket.on('error', () => {});
  });
  await new Promise((resolve) => silent.server.listen(silent.path, resolve));
  const prepared = (socketPath, limits = {}) =>
    surface(socketPath, { dialect: 'autogen-studio', routes: [PREPARED_ROUTE], limits });
  gate = await Gate.start(dir, {
    executables: ['/bin/true'],
    surfaces: {
      ws: opaqueSurface(echo.socketPath),
      quiet: surface(quiet.socketPath, { dialect: 'mcp' }),
      mcp: surface(mcp.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/mcp', kind: 'mcp-http' }],
      }),
      quick: prepared(studio.socketPath),
      slow: prepared(silent.path, { upstream_timeout_ms: 60_000 }),
    },
  });
  const command = { type: 'StdioServerParams', command: '/bin/true', args: [] };
  await gate.putParams('everything', command);
});
afterEach(() => hangUp());
after(async () => {
  for (const socket of silent.sockets) socket.destroy();
  silent.server.close();
  await stopAll(gate, echo, quiet, mcp, studio);
});

async function quotas(name) {
  const { surfaces } = await gate.doJson('status');
  return surfaces.find((row) => row.name === name).quotas;
}

async function metrics() {
  const response = await new Promise((resolve, reject) => {
    http.get({ socketPath: gate.controlSocket, path: '/v1/metrics' }, resolve).on('error', reject);
  });
  return (await response.setEncoding('utf8').toArray()).join('');
}

it('finding 9: a session that asks for tickets without end loses its own oldest', async () => {
  const greedy = await gate.session('ws');
  const other = await gate.session('ws');
  const give = (token) => ask(gate, 'ws', '/.sidelock/ticket', { method: 'POST', token, body: '' });
  const first = (await give(greedy.token)).json.ticket;
  let last;
  for (let i = 1; i < 1100; i++) {
    const answer = await give(greedy.token);
    if (answer.status === 200) last = answer.json.ticket;
  }
  const answer = await give(other.token);
  assert.equal(answer.status, 200, `another session gets a ticket: ${answer.body}`);
  await (await Client.open(gate, 'ws', '/ws', { ticket: answer.json.ticket })).close();
  await (await Client.open(gate, 'ws', '/ws', { ticket: last })).close();
  await assert.rejects(
    Client.open(gate, 'ws', '/ws', { ticket: first }),
    (error) => error instanceof Refused && error.reason === 'ticket_invalid',
  );
  assert.deepEqual(await quotas('ws'), { tickets: { refused: 0, gave_way: 1100 - 32 } });
  assert.match(
    await metrics(),
    /^sidelock_quota_gave_way_total\{surface="ws",quota="tickets",per="session"\} 1068$/m,
  );
});

async function beginMcp(token) {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const answer = await post(gate, 'mcp', call(0, 'initialize', params), { token });
  assert.equal(answer.status, 200, answer.body);
  return answer.headers['mcp-session-id'];
}

it('finding 9: a session that opens MCP sessions without end loses its own oldest', async () => {
  const [modest, greedy, late] = await Promise.all(
    ['modest', 'greedy', 'late'].map(async () => (await gate.session('mcp')).token),
  );
  const alive = async (token, session) =>
    (await post(gate, 'mcp', call(1, 'tools/list'), { token, session })).status;
  const mine = await beginMcp(modest);
  const first = await beginMcp(greedy);
  let last;
  for (let i = 1; i < 1023; i++) last = await beginMcp(greedy);
  const theirs = await beginMcp(late);
  assert.equal(await alive(modest, mine), 200, 'what was opened before is still there');
  assert.equal(await alive(late, theirs), 200);
  assert.equal(await alive(greedy, last), 200);
  assert.equal(await alive(greedy, first), 404);
  const { mcp_sessions: felt } = await until(
    async () => (await quotas('mcp')).mcp_sessions && quotas('mcp'),
    'the worker to tell what it counted',
  );
  assert.ok(felt.gave_way > 0 && felt.refused === 0);
});

it('finding 9: a session whose questions wait leaves room for others, on its surface and on others', async () => {
  const greedy = await gate.session('slow', '--params', 'everything');
  const fellow = await gate.session('slow', '--params', 'everything');
  const other = await gate.session('quick', '--params', 'everything');
  const head = (token) =>
    requestText({ host: `localhost:${gate.port('slow')}`, token, path: '/api/mcp/ws/any' });
  const ask = async (token) => {
    const raw = await Raw.connect(gate.port('slow'));
    raw.send(head(token));
    return raw;
  };
  const raws = [];
  for (let i = 0; i < 70; i++) raws.push(await ask(greedy.token));
  const answered = () => raws.filter(({ pending }) => pending.includes('\r\n\r\n'));
  await until(() => silent.asked.size + answered().length === 70, 'each to be carried on, or answered');
  const reached = silent.asked.size;
  assert.ok(reached > 0 && reached < 70, `${reached} were carried on`);
  const client = await Client.open(gate, 'quick', '/api/mcp/ws/any', { token: other.token });
  await client.close();
  await ask(fellow.token);
  await until(() => silent.asked.size === reached + 1, 'another session to be heard');
  const refused = answered();
  assert.equal(refused.length, 70 - reached);
  for (const raw of refused) assert.equal((await raw.response()).json.reason, 'quota_questions');
  assert.deepEqual(await quotas('slow'), { questions: { refused: 70 - reached, gave_way: 0 } });
});

it('finding 9: a session that asks on many connections without an answer is refused, and no other', async () => {
  const [greedy, other] = await Promise.all([gate.session('quiet'), gate.session('quiet')]);
  const open = ({ token }) => Client.open(gate, 'quiet', '/ws', { token });
  const list = (id) => ({ jsonrpc: '2.0', id, method: 'tools/list' });
  let asked = 0; // beside them it hears which ones nobody waits for any more
  const heard = (count) => until(() => asked === count, `${count} requests`);
  quiet.keepMessages = false;
  quiet.behave({ message: (peer, data) => (asked += data.includes('tools/list')) });
  const clients = [];
  for (let i = 0; i < 9; i++) clients.push(await open(greedy));
  const last = clients.at(-1);
  for (const client of clients.slice(0, 8)) {
    for (let id = 0; id < 1024; id++) client.sendJson(list(id));
  }
  await heard(8192);
  last.sendJson(list('more'));
  await until(() => last.messages.length > 0 || asked > 8192, 'a verdict');
  assert.equal(asked, 8192, 'the service does not hear one more');
  const { id, error } = await last.nextJson();
  assert.deepEqual([id, error.data.reason], ['more', 'outstanding_limit']);
  (await open(other)).sendJson(list(0));
  await heard(8193);
  // An answer on one connection is room on another.
  quiet.peers[0].send(JSON.stringify({ jsonrpc: '2.0', id: 7, result: { tools: [] } }));
  assert.equal((await clients[0].nextJson()).id, 7);
  last.sendJson(list('more'));
  await heard(8194);
  // So is the end of a connection.
  clients[1].terminate();
  await until(() => quiet.peers[1].ended, 'the end of its link');
  last.sendJson(list('still more'));
  await heard(8195);
  const felt = await until(
    async () => (await quotas('quiet')).outstanding,
    'the worker to tell what it counted',
  );
  assert.deepEqual(felt, { refused: 1, gave_way: 0 });
});

it('finding 9: a session that answers nothing in many MCP sessions is refused, and no other', async () => {
  const [greedy, other] = await Promise.all(
    ['greedy', 'other'].map(async () => (await gate.session('mcp')).token),
  );
  const list = (token, session) => post(gate, 'mcp', call(1, 'tools/list'), { token, session });
  const sessions = [];
  for (let i = 0; i < 9; i++) sessions.push(await beginMcp(greedy));
  const headers = (session) => ({ accept: 'text/event-stream', 'mcp-session-id': session });
  for (const session of sessions.slice(0, 8)) {
    const answer = await ask(gate, 'mcp', '/mcp', { token: greedy, headers: headers(session) });
    assert.equal(messages(answer).length, 1024, answer.body.slice(-200));
  }
  const refused = await list(greedy, sessions[8]);
  assert.equal(refused.message.error?.data.reason, 'outstanding_limit', refused.body);
  assert.deepEqual((await list(other, await beginMcp(other))).message.result, {});
  const end = { method: 'DELETE', token: greedy, headers: headers(sessions[0]) };
  assert.equal((await ask(gate, 'mcp', '/mcp', end)).status, 204);
  assert.deepEqual((await list(greedy, sessions[8])).message.result, {});
});
