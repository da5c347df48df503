// Every way in which a request ends without its answer, over every transport: whoever waits is told,
// by the request's id and with the true reason, and the service where its work is in vain. What is
// marked as held before held before; everything else was silence, or somebody else's fault.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { EndingService } from '../services/mcp_endings.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { EventStream, finish, start } from './lib/http.mjs';
import { call, initialize, messages } from './lib/mcp_http.mjs';
import { Connected } from './lib/stdio.mjs';
import { until, within } from './lib/wait.mjs';

const ID = 7;
const MESSAGE_BYTES_MAX = 65536;

const dir = scratchDir();
const service = new EndingService(path.join(dir, 'http.sock'));
const sockets = new WebSocketService(path.join(dir, 'ws.sock'));
let gate;

const route = (kind, ...paths) => paths.map((one) => ({ path: one, kind }));

// An older program has one limit for messages both ways.
async function startGate(where) {
  const limits = { max_message_bytes: MESSAGE_BYTES_MAX };
  return startWith(where, { ...limits, max_answer_bytes: MESSAGE_BYTES_MAX }).catch(() => startWith(where, limits));
}

async function startWith(where, limits) {
  const http = (paths, more = {}) =>
    surface(service.socketPath, { dialect: 'mcp', routes: route('mcp-http', ...paths), limits, ...more });
  const socket = (more) => surface(sockets.socketPath, { limits, ...more });
  return Gate.start(where, {
    surfaces: {
      http: http(['/json', '/stream', '/later', '/sse', '/messages']),
      hurried: http(['/json'], { limits: { response_timeout_ms: 2000 } }),
      stdio: http(['/stream']),
      idle: socket({ dialect: 'mcp', routes: route('websocket', '/ws'), limits: { idle_timeout_ms: 2000 } }),
      websocket: socket({ dialect: 'mcp', routes: route('websocket', '/ws') }),
      cdp: socket({ dialect: 'cdp', routes: route('websocket', '/devtools/page/{id}') }),
    },
  });
}

before(async () => {
  await service.start();
  await sockets.start();
  gate = await startGate(dir);
});
afterEach(() => {
  hangUp();
  service.forget();
  sockets.forget();
});
after(() => stopAll(gate, service, sockets));

// ---- Transports: each makes a call that waits ----

const CALL = call(ID, 'tools/call', { name: 'echo' });

const postHeaders = (session) => ({
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  ...(session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {}),
});

const posting = (message, token, session) => ({
  method: 'POST',
  token,
  headers: postHeaders(session),
  body: JSON.stringify(message),
});

// What the client waits for: {hear(): the error that it is told, leave()}.
const ofStream = (stream) => ({
  hear: async () => {
    const found = () => messages({ body: stream.text }).find((one) => one.id === ID);
    await until(() => found() || stream.closed, () => `an answer in ${stream.text}`);
    assert.ok(found(), `the stream has ended: ${stream.text}`);
    return found();
  },
  cut: async () => {
    await stream.end();
    assert.doesNotMatch(stream.text, /"id":/);
  },
  leave: () => stream.close(),
});

async function session(at, name, where, token) {
  const opened = await finish(await start(at, name, where, posting(call(0, 'initialize', {
    protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' },
  }), token)));
  assert.equal(opened.status, 200, opened.body);
  return opened.headers['mcp-session-id'];
}

// On a WebSocket the service speaks on the peer that the call came on.
function answerPeers() {
  sockets.behave({
    message: (peer, data) => {
      const message = JSON.parse(data.toString());
      const { id, method, params } = message;
      service.seen.push({ message });
      if (method === 'initialize') {
        const initialized = { ...params, capabilities: {}, serverInfo: params.clientInfo };
        peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: initialized }));
      }
      if (id !== ID) return;
      service.call = {
        say: (text) => peer.send(text),
        end: () => peer.sendClose(1000),
        gone: () => peer.reset(),
        left: new Promise((resolve) => peer.socket.on('close', resolve)),
      };
    },
  });
}

async function peerCall(at, name, where, token, message) {
  answerPeers();
  const client = await Client.open(at, name, where, { token });
  client.sendJson(message);
  return {
    hear: async () => JSON.parse(await client.next()),
    cut: async () => {
      await client.end();
      assert.deepEqual(client.messages, []);
    },
    leave: () => client.terminate(),
  };
}

// `sidelock connect`, for clients that know only stdio: it has a session of its own.
async function connectedCall(at, name, options) {
  answerPeers();
  const mark = at.mark();
  const connected = Connected.to(at, name, ...options);
  const { session: id } = await at.audited(mark, { event: 'session_created' });
  await connected.initialize();
  connected.say(CALL);
  return {
    id,
    hear: () => connected.answer(ID),
    leave: () => connected.child.kill(),
    // It renews its session, but not while the machine sleeps.
    sleep: async () => {
      connected.child.kill('SIGSTOP');
      await service.call.left;
      connected.child.kill('SIGCONT');
    },
    finish: () => connected.finish(),
  };
}

const TRANSPORTS = {
  'JSON answer': {
    surface: 'http',
    cancels: true,
    begin: async (at, name, token) => {
      const mcp = await session(at, name, '/json', token);
      const response = start(at, name, '/json', posting(CALL, token, mcp));
      response.catch(() => {});
      return {
        hear: async () => {
          const answer = await finish(await response);
          assert.match(answer.headers['content-type'], /json/, `${answer.status} ${answer.body}`);
          return answer.json;
        },
        cut: () => assert.rejects(response, { code: 'ECONNRESET' }),
        leave: hangUp,
      };
    },
  },
  'POST stream': {
    surface: 'http',
    cancels: true,
    begin: async (at, name, token) => {
      const mcp = await session(at, name, '/stream', token);
      return ofStream(await EventStream.open(at, name, '/stream', posting(CALL, token, mcp)));
    },
  },
  'GET stream': {
    surface: 'http',
    begin: async (at, name, token) => {
      const mcp = await session(at, name, '/later', token);
      const first = await finish(await start(at, name, '/later', posting(CALL, token, mcp)));
      assert.match(first.body, /event-7/);
      const headers = { 'mcp-session-id': mcp, 'last-event-id': 'event-7', accept: 'text/event-stream' };
      return ofStream(await EventStream.open(at, name, '/later', { token, headers }));
    },
  },
  'HTTP+SSE': {
    surface: 'http',
    begin: async (at, name, token) => {
      const stream = await EventStream.open(at, name, '/sse', { token });
      await stream.has('endpoint');
      const endpoint = stream.events.find(({ event }) => event === 'endpoint').data;
      stream.text = '';
      const accepted = await finish(await start(at, name, endpoint, posting(CALL, token)));
      assert.equal(accepted.status, 202);
      return ofStream(stream);
    },
  },
  WebSocket: {
    surface: 'websocket',
    cancels: true,
    closed: 'upstream_closed',
    begin: (at, name, token) => peerCall(at, name, '/ws', token, CALL),
  },
  CDP: {
    surface: 'cdp',
    closed: 'upstream_closed',
    begin: (at, name, token) =>
      peerCall(at, name, '/devtools/page/1', token, { id: ID, sessionId: 'S', method: 'Runtime.evaluate', params: {} }),
    check: (message) => {
      assert.equal(typeof message.error.data, 'string');
      assert.equal(message.sessionId, 'S');
      assert.equal(message.jsonrpc, undefined);
    },
  },
  'connect over HTTP': { surface: 'stdio', cancels: true, own: true, begin: connectedCall },
  'connect over a WebSocket': {
    surface: 'websocket',
    cancels: true,
    own: true,
    closed: 'upstream_closed',
    begin: connectedCall,
  },
};

// ---- Endings: what happens, and the reason that is told ----

const result = (more) => `{${more.cdp ? '' : '"jsonrpc":"2.0",'}"id":${ID},"result":{"x":${more.value}}${more.behind ?? ''}}`;

// `told`: how the service hears that its work is in vain, where it may still do some. What it has
// ended itself, with an answer or without, is not cancelled, not even when the client leaves then.
const ENDINGS = {
  'an answer that is refused': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: 1, behind: ',"extra":1' })),
    reason: 'message_key',
  },
  'an answer that is too big': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: `"${'x'.repeat(3 * MESSAGE_BYTES_MAX)}"` })),
    reason: 'answer_too_big',
    toldOver: { 'JSON answer': 'cancelled' }, // it is still writing
  },
  'an answer that is not JSON': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: 'NaN' })),
    reason: 'json_syntax',
  },
  'a service that goes away': { act: () => service.call.gone(), reason: /^upstream_(protocol|gone)$/ },
  'an end without an answer': {
    act: () => service.call.end(),
    reason: 'answer_missing',
    // To go on from an event is the client's right; there the service may still answer.
    but: ['GET stream'],
  },
  'an event that is an error': {
    act: () => service.call.error(),
    reason: 'answer_error',
    only: ['POST stream', 'connect over HTTP'],
  },
  'an answer that takes too long': {
    act: () => {},
    surface: 'hurried',
    reason: 'upstream_timeout',
    told: 'cancelled',
    only: ['JSON answer', 'connect over HTTP'],
  },
  'a session that is revoked': { act: ({ id }) => gate.revoke(id), reason: 'session_revoked', told: 'cancelled' },
  'a session that expires': {
    act: ({ sleep }) => sleep?.(),
    reason: 'session_expired',
    ttl: '4s',
    told: 'cancelled',
  },
  'a surface that is killed': {
    act: ({ name }) => gate.do('kill', name),
    undo: ({ name }) => gate.do('arm', name),
    reason: 'surface_killed',
    told: 'cancelled',
  },
  'a surface that a reload removes': {
    act: async ({ at, name }) => {
      const { [name]: _, ...surfaces } = at.config.surfaces;
      at.configure({ surfaces });
      await at.do('reload');
    },
    another: true,
    reason: 'surface_changed',
    told: 'cancelled',
  },
  'a connection that is idle for too long': {
    act: () => {},
    surface: 'idle',
    reason: 'idle_timeout',
    told: 'cancelled',
    only: ['WebSocket', 'connect over a WebSocket'],
  },
  // Only `connect` is left to tell of it with the id; to the others it is the end of the connection.
  'a worker that dies': {
    act: ({ at }) => at.workers().forEach((pid) => process.kill(pid, 'SIGKILL')),
    another: true,
    reason: 'connection_lost',
    says: /connection was lost/,
    cuts: true,
    told: 'end',
  },
  'the end of the gate': { act: ({ at }) => at.stop(), another: true, reason: 'shutting_down', told: 'cancelled' },
  'a client that goes away': {
    act: ({ leave }) => leave(),
    told: 'cancelled',
  },
};

// Of these both heard before.
const HELD = {
  'an answer that is refused': Object.keys(TRANSPORTS).filter((over) => over !== 'CDP'),
  'a worker that dies': Object.keys(TRANSPORTS).filter((over) => !TRANSPORTS[over].own),
  'a client that goes away': ['GET stream', 'HTTP+SSE', 'CDP'],
};

function checkError(message, reason, transport, says = /Sidelock/) {
  const { id, error } = message;
  assert.equal(id, ID);
  const told = typeof error.data === 'string' ? error.data : error.data?.reason;
  if (reason instanceof RegExp) assert.match(told, reason);
  else assert.equal(told, reason, JSON.stringify(message));
  assert.match(error.message, says);
  transport.check?.(message);
}

// The service hears of it by a cancellation, or by the end of what it speaks on.
async function checkTold(told, transport, { left }) {
  await within(left, 'the end of what the service speaks on');
  if (told === 'cancelled' && transport.cancels)
    await until(() => service.cancelled(ID), () => `a cancellation: ${JSON.stringify(service.seen)}`);
}

async function walk(ending, over, transport, at) {
  const name = ending.surface ?? transport.surface;
  const options = ending.ttl ? ['--ttl', ending.ttl] : [];
  const opened = transport.own ? {} : await at.session(name, ...options);
  const waiting = await transport.begin(at, name, opened.token ?? options);
  const place = { ...opened, ...waiting, at, name, cdp: over === 'CDP' };
  const reason = (ending.reason === 'answer_missing' && transport.closed) || ending.reason;
  const told = ending.toldOver?.[over] ?? ending.told;
  try {
    await until(() => service.call, 'the service to be asked');
    const { call: waits } = service;
    await ending.act(place);
    if (ending.cuts && !transport.own) await waiting.cut();
    else if (reason) checkError(await waiting.hear(), reason, transport, ending.says);
    if (told) await checkTold(told, transport, waits);
  } finally {
    await ending.undo?.(place);
    waiting.leave();
    await waiting.finish?.();
  }
  if (ending.another) return;
  await at.untilIdle(name);
  if (!told) assert.ok(!service.cancelled(ID), 'what is over is not cancelled');
}

for (const [what, ending] of Object.entries(ENDINGS)) {
  describe(what, () => {
    for (const [over, transport] of Object.entries(TRANSPORTS)) {
      if (ending.but?.includes(over) || !(ending.only?.includes(over) ?? true)) continue;
      const name = `${what}: ${over}`;
      it(HELD[what]?.includes(over) ? name : `situation 1: ${name}`, async () => {
        const at = ending.another ? await startGate(scratchDir()) : gate;
        try {
          await walk(ending, over, transport, at);
        } finally {
          if (at !== gate) await at.stop();
        }
      });
    }
  });
}
