// Sessions that went well, with their bytes changed: whatever comes of them, the worker lives, and who comes next is served.
//
// MUTATED_SESSIONS=N has so many of them (500,000 against a build with sanitizers take a quarter of an hour), MUTATED_SEED=N others.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { after, before, it } from 'node:test';

import { OPCODE, closePayload, encodeFrame } from '../services/frames.mjs';
import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { requestText } from './lib/raw.mjs';
import { within } from './lib/wait.mjs';

const SESSIONS = Number(process.env.MUTATED_SESSIONS ?? 2000);
const AT_ONCE = 32;
const FRESH = 256; // so many share a token: a change may put it where it is a leak

// xorshift32: the same sessions for the same seed.
let state = Number(process.env.MUTATED_SEED ?? 1) || 1;
function below(most) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % most;
}

const dir = scratchDir();
const websocket = new WebSocketService(path.join(dir, 'websocket.sock'));
const web = new HttpService(path.join(dir, 'web.sock'));
let gate;

before(async () => {
  await Promise.all([websocket.start(), web.start()]);
  websocket.keepMessages = false;
  gate = await Gate.start(dir, {
    surfaces: {
      spoken: surface(websocket.socketPath, { dialect: 'mcp', routes: [{ path: '/ws', kind: 'websocket' }] }),
      opaque: opaqueSurface(websocket.socketPath),
      tools: surface(web.socketPath, { dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http' }] }),
      pages: surface(web.socketPath, { dialect: 'opaque', routes: [{ path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] }] }),
    },
  });
});

after(() => stopAll(gate, websocket, web));

const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { a: ['é', 1e3, null] } } });
const frame = (payload, more) => encodeFrame({ payload, mask: Buffer.from([1, 2, 3, 4]), ...more });
const json = [['Content-Type', 'application/json'], ['Accept', 'application/json, text/event-stream']];

// What a client says to each surface, in pieces.
function spoken(name, token) {
  const host = `localhost:${gate.port(name)}`;
  const post = (target, headers, body) => requestText({ method: 'POST', path: target, host, token, upgrade: false, headers, body });
  const upgrade = requestText({ host, token });
  switch (name) {
    case 'spoken':
      return [upgrade, frame(call), frame(call.slice(0, 20), { fin: false }), frame('x', { opcode: OPCODE.ping }),
        frame(call.slice(20), { opcode: OPCODE.continuation }), frame(`[${call}]`), frame(closePayload(1000), { opcode: OPCODE.close })];
    case 'opaque':
      return [upgrade, frame(Buffer.alloc(300, 1), { opcode: OPCODE.binary }), frame('y'), frame(closePayload(1000), { opcode: OPCODE.close })];
    case 'tools':
      return [post('/mcp', [...json, ['Content-Length', Buffer.byteLength(call)]], call),
        post('/mcp', [...json, ['Transfer-Encoding', 'chunked']], `${Buffer.byteLength(call).toString(16)}\r\n${call}\r\n0\r\nA: b\r\n\r\n`)];
    default:
      return [requestText({ path: '/a/b%20c?d=e', host, token, upgrade: false }), post('/echo', [['Content-Length', 5]], 'hello'),
        requestText({ path: '/echo', host, token, upgrade: false, headers: [['Expect', '100-continue'], ['Cookie', 'a=b']] })];
  }
}

// Up to eight changes: a byte, some less, some more, some twice.
function mutate(bytes) {
  let out = bytes;
  for (let i = below(9); i > 0 && out.length > 0; i--) {
    const at = below(out.length);
    const [head, tail, span] = [out.subarray(0, at), out.subarray(at), below(40)];
    const changes = [
      () => [head, Buffer.from([below(256)]), tail.subarray(1)],
      () => [head, Buffer.from([tail[0] ^ (1 << below(8))]), tail.subarray(1)],
      () => [head, tail.subarray(span)],
      () => [head, Buffer.from(Array.from({ length: span }, () => below(256))), tail],
      () => [head, tail.subarray(0, span), tail],
    ];
    out = Buffer.concat(changes[below(changes.length)]());
  }
  return out;
}

// Says it, half-closes, and waits until the gate has closed.
function play(port, bytes) {
  const cut = below(bytes.length + 1);
  const over = new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.resume();
    socket.write(bytes.subarray(0, cut), () => socket.end(bytes.subarray(cut)));
  });
  return within(over, () => `the end of ${JSON.stringify(bytes.toString('latin1'))}`, 120_000);
}

it('sessions whose bytes are changed end, and no worker with them', async () => {
  const names = Object.keys(gate.config.surfaces);
  const tokens = {};
  for (let done = 0; done < SESSIONS; done += AT_ONCE) {
    if (done % FRESH === 0) for (const name of names) tokens[name] = (await gate.session(name)).token;
    const sessions = Array.from({ length: AT_ONCE }, () => {
      const name = names[below(names.length)];
      return play(gate.port(name), mutate(Buffer.concat(spoken(name, tokens[name]).map((piece) => Buffer.from(piece)))));
    });
    await Promise.all(sessions);
  }
  const { token } = await gate.session('pages');
  assert.equal((await ask(gate, 'pages', '/echo', { token })).status, 200);
  assert.equal((await gate.doJson('status')).workers.restarts, 0);
  assert.deepEqual(gate.workers(), gate.firstWorkers);
});
