// How fast one session, or one caller, may go: who sends ten times its rate waits and is then refused,
// with the true reason and by id, and the neighbour is served as before.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { after, afterEach, before, it } from 'node:test';

import { OPCODE, encodeFrame } from '../services/frames.mjs';
import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { cannotBecome, NOBODY, requestAs } from './lib/as_uid.mjs';
import { Client, Refused } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask, keepAlive } from './lib/http.mjs';
import { call, post } from './lib/mcp_http.mjs';
import { Raw, assertProblem, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const KIB = 1024;
const RATE = 20;
const PATIENCE = 5; // seconds of a rate that are waited for, beyond the first

const dir = scratchDir();
const spoken = new WebSocketService(path.join(dir, 'spoken.sock'));
const echo = new WebSocketService(path.join(dir, 'echo.sock'));
const web = new HttpService(path.join(dir, 'web.sock'));
const mcp = (limits) => surface(web.socketPath, { dialect: 'mcp', limits, routes: [{ path: '/mcp', kind: 'mcp-http' }] });
const plain = (limits) => surface(web.socketPath, {
  dialect: 'opaque',
  limits,
  routes: [{ path: '/{rest...}', kind: 'http', methods: ['GET', 'POST'] }],
});
let gate;
let asked = []; // what reached the HTTP service

before(async () => {
  await Promise.all([spoken.start(), echo.start(), web.start()]);
  const bytes = { max_message_bytes: 64 * KIB, bytes_per_second: 64 * KIB };
  gate = await Gate.start(dir, {
    workers: 2,
    surfaces: {
      messages: surface(spoken.socketPath, { dialect: 'mcp', limits: { messages_per_second: RATE } }),
      watched: surface(spoken.socketPath, { dialect: 'mcp', mode: 'observe', limits: { messages_per_second: RATE } }),
      bytes: opaqueSurface(echo.socketPath, { limits: bytes }),
      beats: opaqueSurface(echo.socketPath, { limits: { messages_per_second: RATE, message_timeout_ms: 1000 } }),
      requests: plain({ requests_per_second: RATE }),
      posted: mcp({ messages_per_second: RATE }),
      posts: mcp({ requests_per_second: RATE }),
      bodies: plain(bytes),
      connections: plain({ connections_per_second: RATE }),
      hurried: plain({ max_message_bytes: 10 * KIB, bytes_per_second: KIB, request_timeout_ms: 2000 }),
      free: plain({}),
      few: plain({ max_sessions: 3 }),
    },
  });
  web.routes['/mcp'] = async (exchange) => {
    await exchange.whole;
    const { id } = JSON.parse(exchange.text());
    asked.push(id);
    return exchange.json({ jsonrpc: '2.0', id, result: { tools: [] } });
  };
  web.routes['/page'] = (exchange) => {
    asked.push(exchange.query.get('n'));
    return exchange.respond(200, [], 'served');
  };
  web.routes['/put'] = async (exchange) => {
    await exchange.whole;
    return exchange.respond(200, [], exchange.sha256);
  };
});
afterEach(() => {
  hangUp();
  spoken.forget();
  echo.forget();
  asked = [];
});
after(() => stopAll(gate, spoken, echo, web));

const list = (id) => ({ jsonrpc: '2.0', id, method: 'tools/list' });

async function felt(name, row, count) {
  await until(async () => {
    const { surfaces } = await gate.doJson('status');
    return surfaces.find((one) => one.name === name).quotas?.[row]?.refused === count;
  }, `${count} refusals under ${row}`);
}

// Everything that is said is answered, in its order.
async function servedAsBefore(name, { token }) {
  const client = await Client.open(gate, name, '/ws', { token });
  const ids = Array.from({ length: RATE }, (_, i) => `neighbour ${i}`);
  for (const id of ids) client.sendJson(list(id));
  for (const id of ids) assert.deepEqual(await client.nextJson(), { jsonrpc: '2.0', id, result: { tools: [] } });
  await client.close();
}

it('whoever is made to wait for a body has no longer for the whole of it than others', async () => {
  const { token } = await gate.session('hurried');
  const port = gate.port('hurried');
  const raw = await Raw.connect(port);
  const length = [['Content-Length', String(100 * KIB)]];
  raw.send(requestText({ method: 'POST', path: '/put', host: `localhost:${port}`, token, upgrade: false, headers: length }));
  raw.send(Buffer.alloc(50 * KIB));
  assertProblem(await raw.response(), 400, 'request_timeout');
  raw.destroy();
});

for (const name of ['messages', 'watched']) {
  it(`a WebSocket at ten times its rate waits, is then refused by id, and its neighbour is not: ${name}`, async () => {
    const [greedy, other] = [await gate.session(name), await gate.session(name)];
    const heard = [];
    spoken.behave({
      message: (peer, data) => {
        const { id } = JSON.parse(data);
        if (Number.isInteger(id)) heard.push(id);
        peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [] } }));
      },
    });
    const mark = gate.mark();
    const client = await Client.open(gate, name, '/ws', { token: greedy.token });
    const count = 10 * RATE + PATIENCE * RATE;
    for (let id = 0; id < count; id++) client.sendJson(list(id));
    const served = [], refused = [];
    while (served.length + refused.length < count) {
      const { id, error } = await client.nextJson();
      (error ? refused : served).push(id);
      if (error) assert.equal(error.data.reason, 'rate_messages');
      if (refused.length === 1 && error) {
        assert.ok(id >= RATE, `${id} messages came first`);
        await servedAsBefore(name, other);
      }
    }
    assert.ok(refused.length > 0, 'some are refused');
    assert.deepEqual(heard, served, 'the service hears of those that were answered, in their order');
    assert.deepEqual([...served, ...refused].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
    await felt(name, 'messages', refused.length);
    await gate.audited(mark, { event: 'message_refused', surface: name, session: greedy.id, reason: 'rate_messages' });
    const lines = gate.auditLines().slice(mark).filter(({ session }) => session === other.id);
    assert.ok(lines.every(({ event }) => event !== 'message_refused'));
    // After a rest it is served again.
    await until(async () => {
      client.sendJson(list('again'));
      return (await client.nextJson()).result;
    }, 'to be served again');
    await client.close();
  });
}

it('bytes are counted, too; where a dialect has no words for it, the connection ends with the reason', async () => {
  const [greedy, other] = [await gate.session('bytes'), await gate.session('bytes')];
  const client = await Client.open(gate, 'bytes', '/ws', { token: greedy.token });
  for (let i = 0; i < 40; i++) client.send(Buffer.alloc(64 * KIB, i));
  assert.deepEqual(await client.end(), { code: 1013, reason: 'rate_bytes' });
  assert.ok(client.messages.length >= 1 && client.messages.length < 40);
  client.messages.forEach((data, i) => assert.deepEqual(data, Buffer.alloc(64 * KIB, i)));
  const neighbour = await Client.open(gate, 'bytes', '/ws', { token: other.token });
  neighbour.send('hello');
  assert.equal(await neighbour.next(), 'hello');
  await neighbour.close();
  await felt('bytes', 'bytes', 1);
});

it('pings are messages: each is answered, at the rate, and what comes behind them is refused', async () => {
  const { token } = await gate.session('beats');
  const client = await Client.open(gate, 'beats', '/ws', { token });
  const pings = Array.from({ length: (2 + PATIENCE) * RATE }, (_, i) => `ping ${i}`);
  for (const ping of pings) client.socket.ping(ping);
  for (let i = 0; i < 5 * RATE; i++) client.send(`${i}`);
  assert.deepEqual(await client.end(), { code: 1013, reason: 'rate_messages' });
  assert.deepEqual(client.pongs, pings);
  client.messages.forEach((text, i) => assert.equal(text, `${i}`));
});

it('who waits for his pings within a message has no less time for the message', async () => {
  const { token } = await gate.session('beats');
  const client = await Client.open(gate, 'beats', '/ws', { token });
  const pings = Array.from({ length: 4 * RATE }, (_, i) => `ping ${i}`);
  const said = Buffer.concat([
    encodeFrame({ fin: false, payload: 'one ', mask: true }),
    ...pings.map((payload) => encodeFrame({ opcode: OPCODE.ping, payload, mask: true })),
    encodeFrame({ opcode: OPCODE.continuation, payload: 'message', mask: true }),
  ]);
  client.socket._socket.write(said);
  assert.equal(await client.next(), 'one message');
  assert.deepEqual(client.pongs, pings);
});

it('a burst waits and loses nothing, and nobody waits with it', async () => {
  const [bursts, other] = [await gate.session('messages'), await gate.session('messages')];
  const heard = [];
  spoken.behave({
    message: (peer, data) => {
      const { id } = JSON.parse(data);
      heard.push(id);
      peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [] } }));
    },
  });
  const client = await Client.open(gate, 'messages', '/ws', { token: bursts.token });
  const neighbour = await Client.open(gate, 'messages', '/ws', { token: other.token });
  for (let id = 0; id < 3 * RATE; id++) client.sendJson(list(id));
  neighbour.sendJson(list('neighbour'));
  for (let id = 0; id < 3 * RATE; id++) {
    assert.deepEqual(await client.nextJson(), { jsonrpc: '2.0', id, result: { tools: [] } });
  }
  assert.equal((await neighbour.nextJson()).id, 'neighbour');
  assert.ok(heard.indexOf('neighbour') < heard.indexOf(3 * RATE - 1));
});

it('requests that follow each other on a connection wait, too, and all are served in their order', async () => {
  const { token } = await gate.session('requests');
  const agent = keepAlive();
  const mine = Array.from({ length: 3 * RATE }, (_, n) => ask(gate, 'requests', `/page?n=${n}`, { token, agent }));
  for (const { status } of await Promise.all(mine)) assert.equal(status, 200);
  assert.deepEqual(asked, Array.from({ length: 3 * RATE }, (_, n) => `${n}`));
});

// All at once, each on a connection of its own, which regains nothing.
async function flood(one) {
  return Promise.all(Array.from({ length: 10 * RATE }, (_, n) => one(n)));
}

it('requests over HTTP beyond the rate get 429 and Retry-After, and a neighbour gets none', async () => {
  const [greedy, other] = [await gate.session('requests'), await gate.session('requests')];
  const mark = gate.mark();
  const answers = await flood((n) => ask(gate, 'requests', `/page?n=${n}`, { token: greedy.token }));
  const refused = answers.filter(({ status }) => status !== 200);
  assert.ok(refused.length > 0 && answers.length - refused.length >= (1 + PATIENCE) * RATE);
  for (const { status, headers, json } of refused) {
    assert.deepEqual([status, headers['retry-after'], json.reason], [429, '1', 'rate_requests']);
    assert.equal(headers['content-type'], 'application/problem+json');
  }
  assert.equal(asked.length, answers.length - refused.length, 'no refused one reaches the service');
  for (let n = 0; n < RATE; n++) {
    assert.equal((await ask(gate, 'requests', `/page?n=${n}`, { token: other.token })).status, 200);
  }
  await gate.audited(mark, { event: 'denied', surface: 'requests', reason: 'rate_requests' });
  await felt('requests', 'requests', refused.length);
});

for (const [name, reason] of [['posted', 'rate_messages'], ['posts', 'rate_requests']]) {
  it(`MCP over HTTP gets 429 and, by its id, the dialect's own error: ${reason}`, async () => {
    const [greedy, other] = [await gate.session(name), await gate.session(name)];
    const answers = await flood((id) => post(gate, name, call(id, 'tools/list'), { token: greedy.token }));
    const refused = [];
    answers.forEach(({ status, headers, message }, id) => {
      assert.equal(message.id, id);
      if (status === 200) return assert.deepEqual(message.result, { tools: [] });
      assert.deepEqual([status, headers['retry-after'], message.error.data.reason], [429, '1', reason]);
      return refused.push(id);
    });
    assert.ok(refused.length > 0 && answers.length - refused.length >= (1 + PATIENCE) * RATE);
    assert.equal(asked.length, answers.length - refused.length);
    assert.ok(!asked.some((id) => refused.includes(id)));
    for (let id = 0; id < RATE; id++) {
      assert.equal((await post(gate, name, call(id, 'tools/list'), { token: other.token })).status, 200);
    }
    const [row] = reason.split('_').slice(1);
    await felt(name, row, refused.length);
  });
}

it('a body that is more than the rate waits and arrives whole', async () => {
  const { token } = await gate.session('bodies');
  const body = Buffer.alloc(200 * KIB, 'sidelock ');
  const sha256 = createHash('sha256').update(body).digest('hex');
  const answer = await ask(gate, 'bodies', '/put', { method: 'POST', token, body });
  assert.deepEqual([answer.status, answer.body], [200, sha256]);
});

it('a session whose bodies go on to be too much gets 429 for the next request', async () => {
  const [greedy, other] = [await gate.session('bodies'), await gate.session('bodies')];
  const body = Buffer.alloc(64 * KIB, 'sidelock ');
  const put = ({ token }) => ask(gate, 'bodies', '/put', { method: 'POST', token, body });
  const sha256 = createHash('sha256').update(body).digest('hex');
  let served = 0, answer;
  for (; (answer = await put(greedy)).status === 200 && served < 40; served++) assert.equal(answer.body, sha256);
  assert.deepEqual([answer.status, answer.headers['retry-after'], answer.json.reason], [429, '1', 'rate_bytes']);
  assert.ok(served >= 2);
  assert.equal((await put(other)).body, sha256);
});

it('a caller that connects too often is refused with 429, whatever it asks', async () => {
  const { token } = await gate.session('connections');
  const mark = gate.mark();
  const answers = await flood((n) => ask(gate, 'connections', `/page?n=${n}`, { token }));
  const refused = answers.filter(({ status }) => status !== 200);
  assert.ok(refused.length > 0 && answers.length - refused.length >= RATE);
  for (const { status, headers, json } of refused) {
    assert.deepEqual([status, headers['retry-after'], json.reason], [429, '1', 'rate_connections']);
  }
  assert.equal(asked.length, answers.length - refused.length);
  await gate.audited(mark, { event: 'denied', surface: 'connections', reason: 'rate_connections' });
  await felt('connections', 'new_connections', refused.length);
  await flood((n) => ask(gate, 'free', `/page?n=${n}`, {}).then(({ status }) => assert.equal(status, 401)));
});

it('and another caller is not', { skip: cannotBecome() }, async () => {
  const { token } = await gate.session('connections');
  await flood((n) => ask(gate, 'connections', `/page?n=${n}`, { token }));
  const port = gate.port('connections');
  const text = requestText({ host: `localhost:${port}`, token, upgrade: false, path: '/page?n=other' });
  assert.equal((await requestAs(NOBODY, port, text)).status, 200);
});

it('a WebSocket that is one connection too many is refused before its 101', async () => {
  const { token } = await gate.session('connections');
  const open = () => Client.open(gate, 'connections', '/ws', { token }).catch((error) => error);
  const ends = await flood(open);
  assert.ok(ends.some((end) => end instanceof Refused && end.status === 429 && end.reason === 'rate_connections'));
});

it('a surface has no more live sessions than it may, however many ask at once', async () => {
  const mark = gate.mark();
  const made = await Promise.all(Array.from({ length: 10 }, () => gate.cli('session', 'create', 'few', '--json')));
  const [first, ...rest] = made.filter(({ code }) => code === 0).map(({ stdout }) => JSON.parse(stdout));
  assert.equal(rest.length, 2);
  for (const { code, stderr } of made.filter(({ code: one }) => one !== 0)) {
    assert.notEqual(code, 0);
    assert.match(stderr, /surface few has as many live sessions as it may; revoke some with `sidelock session revoke`/);
  }
  await gate.audited(mark, { event: 'operation_failed', operation: 'session_created' });
  await felt('few', 'sessions', 7);
  await gate.session('free');
  await gate.revoke(first.id);
  await gate.session('few');
  assert.notEqual((await gate.cli('session', 'create', 'few')).code, 0);
  assert.equal((await ask(gate, 'few', '/page', { token: rest[0].token })).status, 200, 'who is in stays in');
  await gate.do('session', 'renew', rest[0].id);
});

it('nobody meets what is preset, and a reload changes rates for whoever is there', async () => {
  const { token } = await gate.session('free');
  const all = async () => (await flood((n) => ask(gate, 'free', `/page?n=${n}`, { token }))).map(({ status }) => status);
  assert.ok((await all()).every((status) => status === 200));
  const { free, ...rest } = gate.config.surfaces;
  gate.configure({ workers: 2, surfaces: { ...rest, free: { ...free, limits: { requests_per_second: 1 } } } });
  assert.deepEqual((await gate.doJson('reload')).changed, ['free']);
  const limited = await all();
  assert.ok(limited.includes(429));
  assert.ok(limited.filter((status) => status === 200).length >= 1 + PATIENCE);
  gate.configure({ workers: 2, surfaces: { ...rest, free } });
  assert.deepEqual((await gate.doJson('reload')).changed, ['free']);
  assert.ok((await all()).every((status) => status === 200));
});
