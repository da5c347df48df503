// What a worker keeps for its clients is bounded, whoever of them sends half of what it
// announced or takes nothing of what it asked for: those with most give way, and are told.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { OPCODE, encodeFrame } from '../services/frames.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SANITIZED, opaqueSurface, residentBytes, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { open as connections, hangUp } from './lib/hang_up.mjs';
import { ask } from './lib/http.mjs';
import { Raw, open, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const MIB = 1024 * 1024;
// All that is kept, holes in the heap and what connections cost beside it.
const BOUND = (SANITIZED ? 700 : 300) * MIB;
const WHOLE = 4 * MIB;
const HALF = WHOLE - 64; // of what is announced, all but a little

const dir = scratchDir();
const sockets = new WebSocketService(path.join(dir, 'ws.sock'));
const http = new HttpService(path.join(dir, 'http.sock'));
const greedy = {};
const good = {};
let gate;
let worker;
let greeter;

before(async () => {
  await sockets.start();
  await http.start();
  sockets.keepMessages = false;
  const limits = { message_timeout_ms: 600_000, body_timeout_ms: 600_000, write_timeout_ms: 600_000 };
  gate = await Gate.start(dir, {
    surfaces: {
      socket: opaqueSurface(sockets.socketPath, { limits }),
      mcp: surface(http.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/mcp', kind: 'mcp-http' }],
        limits,
      }),
      idle: opaqueSurface(sockets.socketPath, {
        limits: { message_timeout_ms: 600_000, body_timeout_ms: 500 },
      }),
      plain: surface(http.socketPath, {
        dialect: 'opaque',
        routes: [{ path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] }],
      }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) {
    greedy[name] = await gate.session(name);
    good[name] = await gate.session(name);
  }
  [worker] = gate.workers();
  greeter = await Client.open(gate, 'socket', '/ws', { token: good.socket.token });
  connections.delete(greeter); // it stays from test to test
});

afterEach(async () => {
  hangUp();
  sockets.behave();
  assert.deepEqual(gate.workers(), [worker], 'no worker died');
});

after(() => stopAll(gate, sockets, http));

// Waits until every client has said all it could, and returns the worker's greatest size meanwhile.
async function peakUntilSaid(clients) {
  let peak = 0;
  await until(
    () => {
      peak = Math.max(peak, residentBytes(worker));
      return clients.every(({ socket, ended }) => ended || socket.writableLength === 0);
    },
    'all clients to be done',
    60_000,
  );
  return peak;
}

// Whether a client has been told nothing: what it sent is still kept.
function isKept({ ended, pending, frames }) {
  return !ended && pending.length === 0 && frames.every(({ opcode }) => opcode !== OPCODE.close);
}

// The good session: its WebSocket was open all the time, and it asks for more.
async function serves() {
  const text = 'x'.repeat(MIB);
  greeter.send(text);
  assert.equal(await greeter.next(), text);
  assert.equal((await ask(gate, 'plain', '/echo', { token: good.plain.token })).status, 200);
}

describe('half of what was announced', () => {
  it('finding 11: 300 WebSocket messages of 4 MiB cost no gigabyte', async (t) => {
    const mark = gate.mark();
    const frame = encodeFrame({ payload: Buffer.alloc(WHOLE, 'x'), mask: true }).subarray(0, HALF);
    const clients = [];
    for (let i = 0; i < 300; i++) {
      clients.push(await open(gate, 'socket', { token: greedy.socket.token }));
      clients[i].send(frame);
    }
    const peak = await peakUntilSaid(clients);
    t.diagnostic(`${(peak / MIB).toFixed(0)} MiB`);
    assert.ok(peak < BOUND, `${(peak / MIB).toFixed(0)} MiB`);
    await serves();
    // The oldest went first, and was told.
    const { code, reason } = await clients[0].closeFrame();
    assert.deepEqual({ code, reason }, { code: 1013, reason: 'quota_held' });
    await gate.audited(mark, { event: 'closed', reason: 'quota_held', session: greedy.socket.id });
    assert.ok(clients.filter(isKept).length >= 10, 'most of half the budget is still there');
  });

  it('is shared among sessions: those with most give way, the others keep theirs', async () => {
    const frame = encodeFrame({ payload: Buffer.alloc(WHOLE, 'x'), mask: true }).subarray(0, HALF);
    const clients = [];
    for (let i = 0; i < 4; i++) {
      const { token } = await gate.session('socket');
      for (let j = 0; j < 18; j++) {
        const client = await open(gate, 'socket', { token });
        client.send(frame);
        clients.push(Object.assign(client, { session: i }));
      }
    }
    await peakUntilSaid(clients);
    await serves();
    const kept = [0, 1, 2, 3].map((i) => clients.filter((one) => one.session === i && isKept(one)).length);
    assert.ok(Math.min(...kept) >= 9 && Math.max(...kept) <= 13, `${kept}`);
  });

  it('finding 11: a message that does not go on, or in drips, is cut: message_timeout', async () => {
    const frame = encodeFrame({ payload: Buffer.alloc(WHOLE, 'x'), mask: true });
    const silent = await open(gate, 'idle', { token: greedy.idle.token });
    const dripping = await open(gate, 'idle', { token: greedy.idle.token });
    let sent = 100;
    silent.send(frame.subarray(0, sent));
    dripping.send(frame.subarray(0, sent));
    const drip = setInterval(() => dripping.send(frame.subarray(sent, ++sent)), 50);
    try {
      for (const one of [silent, dripping]) {
        const { code, reason } = await one.closeFrame();
        assert.deepEqual({ code, reason }, { code: 1008, reason: 'message_timeout' });
      }
    } finally {
      clearInterval(drip);
    }
  });

  it('finding 11: 200 bodies of 4 MiB that are held do not, either', async (t) => {
    const mark = gate.mark();
    const text = requestText({
      method: 'POST',
      path: '/mcp',
      host: `localhost:${gate.port('mcp')}`,
      token: greedy.mcp.token,
      upgrade: false,
      headers: [
        ['Content-Type', 'application/json'],
        ['Accept', 'application/json, text/event-stream'],
        ['Content-Length', WHOLE],
      ],
    });
    const half = Buffer.alloc(HALF, ' ');
    const clients = [];
    for (let i = 0; i < 200; i++) {
      clients.push(await Raw.connect(gate.port('mcp')));
      clients[i].send(text);
      clients[i].send(half);
    }
    const peak = await peakUntilSaid(clients);
    t.diagnostic(`${(peak / MIB).toFixed(0)} MiB`);
    assert.ok(peak < BOUND, `${(peak / MIB).toFixed(0)} MiB`);
    await serves();
    const response = await clients[0].response();
    assert.equal(response.status, 503);
    assert.equal(response.json.reason, 'quota_held');
    assert.equal(response.header('retry-after'), '1');
    await gate.audited(mark, { event: 'denied', reason: 'quota_held', session: greedy.mcp.id });
    assert.ok(clients.filter(isKept).length >= 10, 'most of half the budget is still there');
  });
});

it('behind all that stands a limit of the kernel', { skip: SANITIZED }, () => {
  const [, bytes] = /^Max address space +(\d+) /m.exec(readFileSync(`/proc/${worker}/limits`, 'utf8'));
  assert.ok(Number(bytes) > 256 * MIB && Number(bytes) < 4096 * MIB, bytes);
});

describe('what is not taken', () => {
  it('finding 11: 100 answers of 4 MiB to clients that do not read are not all kept', async (t) => {
    const answer = Buffer.alloc(WHOLE, 'x');
    sockets.behave({
      message: (peer, data) => peer.send(data.toString() === 'much' ? answer : data, OPCODE.binary),
    });
    const clients = [];
    let peak = 0;
    for (let i = 0; i < 100; i++) {
      clients.push(await open(gate, 'socket', { token: greedy.socket.token }));
      clients[i].socket.pause();
      clients[i].sendFrame({ payload: 'much' });
      peak = Math.max(peak, residentBytes(worker));
    }
    await until(() => {
      peak = Math.max(peak, residentBytes(worker));
      return [...sockets.open].every(({ socket }) => socket.destroyed || socket.writableLength === 0);
    }, 'the service to be done');
    t.diagnostic(`${(peak / MIB).toFixed(0)} MiB`);
    assert.ok(peak < BOUND, `${(peak / MIB).toFixed(0)} MiB`);
    sockets.behave();
    await serves();
  });
});
