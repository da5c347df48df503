// An answer beyond the limit ends nothing but itself: whoever waits for it is told, by its id, and
// the connection or stream on which it came goes on. What is within the default limits passes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { OPCODE } from '../services/frames.mjs';
import { Client } from './lib/client.mjs';
import { endingServices } from './lib/ending_services.mjs';
import { Gate, surface } from './lib/gate.mjs';
import { EventStream, finish, start } from './lib/http.mjs';
import { call, messages } from './lib/mcp_http.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = 65536;

let gate;
const { sockets, http } = endingServices(async (dir) => {
  // An older program has one limit for messages both ways.
  const begin = (limits) => {
    const routes = ['/json', '/stream', '/later', '/sse', '/messages'].map((one) => ({ path: one, kind: 'mcp-http' }));
    const socket = (more, limit) =>
      surface(sockets.socketPath, { limits: { ...limits, ...limit }, ...more });
    const mcp = { dialect: 'mcp', routes: [{ path: '/ws', kind: 'websocket' }] };
    const surfaces = {
      mcp: socket(mcp),
      hurried: socket(mcp, { message_timeout_ms: 1500 }),
      strict: socket({ ...mcp, on_refusal: 'close' }),
      cdp: socket({ dialect: 'cdp', routes: [{ path: '/ws', kind: 'websocket' }] }),
      rpc: socket({ dialect: 'json-rpc', routes: [{ path: '/ws', kind: 'websocket' }] }),
      opaque: socket({ dialect: 'opaque', routes: [{ path: '/ws', kind: 'websocket' }] }),
    };
    for (const [name, limit] of [['http', {}], ['http_hurried', { message_timeout_ms: 1500 }]])
      surfaces[name] = surface(http.socketPath, { dialect: 'mcp', routes, limits: { ...limits, ...limit } });
    return Gate.start(dir, { surfaces });
  };
  const limits = { max_message_bytes: LIMIT };
  gate = await begin({ ...limits, max_answer_bytes: LIMIT }).catch(() => begin(limits));
  return gate;
});

const BIG = `"${'x'.repeat(3 * LIMIT)}"`;

// A message with something in it that is too big.
const big = (message) => JSON.stringify(message).replace('"BIG"', BIG);

const DIALECTS = {
  mcp: { base: { jsonrpc: '2.0' }, method: 'tools/call', event: 'notifications/message' },
  rpc: { base: { jsonrpc: '2.0' }, method: 'sum', event: 'told' },
  cdp: { base: {}, method: 'Runtime.evaluate', event: 'Runtime.consoleAPICalled' },
};

const request = (name, id) => ({ ...DIALECTS[name].base, id, method: DIALECTS[name].method, params: { name: 'echo' } });

async function open(name) {
  const { token } = await gate.session(name);
  return Client.open(gate, name, '/ws', { token });
}

// In so many frames.
function send(peer, text, frames) {
  const step = Math.ceil(text.length / frames);
  for (let i = 0; i < frames; i++) {
    peer.sendFrame({
      opcode: i === 0 ? OPCODE.text : OPCODE.continuation,
      payload: text.slice(i * step, (i + 1) * step),
      fin: i === frames - 1,
    });
  }
}

async function isTold(client, id) {
  const message = await client.nextJson();
  const { error } = message;
  assert.ok(error, JSON.stringify(message).slice(0, 200));
  assert.deepEqual([message.id, error.data.reason ?? error.data], [id, 'answer_too_big']);
  assert.match(error.message, /answer refused by Sidelock/);
}

describe('over a WebSocket', () => {
  for (const [name, { base, event }] of Object.entries(DIALECTS)) {
    it(`situation 3: whoever waits is told, and the next answer arrives: ${name}`, async () => {
      const client = await open(name);
      const mark = gate.mark();
      // The id before what is too big and behind it, in one frame and in several.
      for (const text of [big({ ...base, id: 1, result: { x: 'BIG' } }), big({ ...base, result: { x: 'BIG' }, id: 1 })]) {
        for (const frames of [1, 5]) {
          sockets.behave({ message: (peer) => send(peer, text, frames) });
          client.sendJson(request(name, 1));
          await isTold(client, 1);
        }
      }
      await gate.audited(mark, { surface: name, direction: 's2c', verb: DIALECTS[name].method, reason: 'answer_too_big' });
      // An event is let go of.
      const answer = { ...base, id: 2, result: {} };
      sockets.behave({
        message: (peer) => {
          peer.send(big({ ...base, method: event, params: { x: 'BIG' } }));
          peer.send(JSON.stringify(answer));
        },
      });
      client.sendJson(request(name, 2));
      assert.deepEqual(await client.nextJson(), answer);
      await client.close();
    });
  }

  it('situation 3: a request of the service that is too big is refused to the service', async () => {
    const client = await open('mcp');
    await until(() => sockets.last?.upgraded, 'the link');
    const { last } = sockets;
    const heard = [];
    sockets.behave({ message: (_, data) => heard.push(JSON.parse(data.toString())) });
    last.send(big({ jsonrpc: '2.0', id: 'r', method: 'roots/list', params: { x: 'BIG' } }));
    await until(() => heard.length > 0, 'an answer');
    assert.deepEqual([heard[0].id, heard[0].error.data.reason], ['r', 'answer_too_big']);
    await client.close();
  });

  const endless = (peer) => peer.sendFrame({ payload: big({ jsonrpc: '2.0', id: 1, result: { x: 'BIG' } }), fin: false });
  const nobodys = (peer) => peer.send(big([{ jsonrpc: '2.0', id: 1, result: { x: 'BIG' } }]));
  for (const [what, name, act] of [
    ['one that never ends', 'hurried', endless],
    ["one that is nobody's", 'mcp', nobodys],
    ['one where refusals close', 'strict', nobodys],
  ]) {
    it(`${what} ends the connection, and whoever waits is told why`, async () => {
      const client = await open(name);
      sockets.behave({ message: act });
      client.sendJson(request('mcp', 1));
      const { id, error } = await client.nextJson();
      assert.deepEqual([id, error.data.reason], [1, 'answer_too_big']);
      assert.deepEqual(await client.end(), { code: 1009, reason: 'answer_too_big' });
    });
  }

  it('a message that nobody looks into ends the connection', async () => {
    const client = await open('opaque');
    sockets.behave({ message: (peer) => peer.send(BIG) });
    client.send('x');
    assert.deepEqual(await client.end(), { code: 1009, reason: 'answer_too_big' });
  });
});

describe('over HTTP', () => {
  const posting = (message, token, session) => ({
    method: 'POST',
    token,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {}),
    },
    body: JSON.stringify(message),
  });
  const echo = (id) => call(id, 'tools/call', { name: 'echo' });
  const answer = (id, x = 1) => ({ jsonrpc: '2.0', id, result: { x } });
  const event = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'BIG' } };

  async function session(name, where, token) {
    const opened = await finish(await start(gate, name, where, posting(call(0, 'initialize', {
      protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' },
    }), token)));
    return opened.headers['mcp-session-id'];
  }

  async function asked() {
    await until(() => http.call, 'the service to be asked');
    const waits = http.call;
    http.call = undefined;
    return waits;
  }

  // What a stream says of a request.
  async function hears(stream, id) {
    const found = () => messages({ body: stream.text.slice(0, stream.text.lastIndexOf('\n\n') + 2) }).find((one) => one.id === id);
    await until(() => found() || stream.closed, () => `an answer to ${id} in ${stream.text.slice(0, 500)}`);
    assert.ok(found(), `the stream has ended: ${stream.text.slice(0, 500)}`);
    return found();
  }

  function isTooBig({ error }) {
    assert.equal(error?.data?.reason, 'answer_too_big');
    assert.match(error.message, /answer refused by Sidelock/);
  }

  it('an answer as JSON: and the next one arrives', async () => {
    const { token } = await gate.session('http');
    const mcp = await session('http', '/json', token);
    const first = start(gate, 'http', '/json', posting(echo(1), token, mcp));
    (await asked()).say(big(answer(1, 'BIG')));
    isTooBig((await finish(await first)).json);
    const second = start(gate, 'http', '/json', posting(echo(2), token, mcp));
    (await asked()).say(JSON.stringify(answer(2)));
    assert.deepEqual((await finish(await second)).json, answer(2));
  });

  it("situation 3: a POST's stream goes on behind an event that is too big, to its answer", async () => {
    const { token } = await gate.session('http');
    const mcp = await session('http', '/stream', token);
    const stream = await EventStream.open(gate, 'http', '/stream', posting(echo(1), token, mcp));
    const waits = await asked();
    waits.say(big(event));
    waits.say(JSON.stringify(answer(1)));
    assert.deepEqual(await hears(stream, 1), answer(1));
  });

  it("situation 3: a GET's stream goes on behind an answer that is too big", async () => {
    const { token } = await gate.session('http');
    const mcp = await session('http', '/later', token);
    const ids = [1, 2];
    for (const id of ids) await finish(await start(gate, 'http', '/later', posting(echo(id), token, mcp)));
    const headers = { 'mcp-session-id': mcp, 'last-event-id': 'event-1', accept: 'text/event-stream' };
    const stream = await EventStream.open(gate, 'http', '/later', { token, headers });
    const waits = await asked();
    waits.say(big(answer(1, 'BIG')));
    isTooBig(await hears(stream, 1));
    waits.say(JSON.stringify(answer(2)));
    assert.deepEqual(await hears(stream, 2), answer(2));
  });

  it('situation 3: HTTP+SSE goes on behind an answer that is too big', async () => {
    const { token } = await gate.session('http');
    const stream = await EventStream.open(gate, 'http', '/sse', { token });
    await stream.has('endpoint');
    const endpoint = stream.events.find(({ event: type }) => type === 'endpoint').data;
    stream.text = '';
    for (const [id, x, check] of [
      [1, 'BIG', isTooBig],
      [2, 1, (message) => assert.deepEqual(message, answer(2))],
    ]) {
      const accepted = await finish(await start(gate, 'http', endpoint, posting(echo(id), token)));
      assert.equal(accepted.status, 202);
      (await asked()).say(big(answer(id, x)));
      check(await hears(stream, id));
    }
  });

  it('an event whose stream ends in the middle of it: whoever waits is told, and so is the audit log', async () => {
    const { token } = await gate.session('http');
    for (const text of [big(answer(1, 'BIG')), big({ jsonrpc: '2.0', result: 'BIG', id: 1 })]) {
      const mcp = await session('http', '/stream', token);
      const mark = gate.mark();
      const stream = await EventStream.open(gate, 'http', '/stream', posting(echo(1), token, mcp));
      const waits = await asked();
      waits.start(text.slice(0, 2 * LIMIT));
      waits.end();
      isTooBig(await hears(stream, 1));
      await stream.end();
      await gate.audited(mark, { surface: 'http', reason: 'answer_too_big' });
    }
  });

  it('an event that never ends, ends its stream, and whoever waits is told why', async () => {
    const { token } = await gate.session('http_hurried');
    const mcp = await session('http_hurried', '/stream', token);
    const stream = await EventStream.open(gate, 'http_hurried', '/stream', posting(echo(1), token, mcp));
    (await asked()).start(big(answer(1, 'BIG')));
    isTooBig(await hears(stream, 1));
    await stream.end();
  });
});
