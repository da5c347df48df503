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
import { until } from './lib/wait.mjs';

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
      hurried: http(['/json'], { limits: { response_timeout_ms: 200 } }),
      stdio: http(['/stream']),
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
  leave: () => stream.close(),
});

async function session(at, where, token) {
  const opened = await finish(await start(at, 'http', where, posting(call(0, 'initialize', {
    protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' },
  }), token)));
  assert.equal(opened.status, 200, opened.body);
  return opened.headers['mcp-session-id'];
}

async function peerCall(at, name, where, token, message) {
  const client = await Client.open(at, name, where, { token });
  await until(() => sockets.peers.length > 0, 'the service to be linked');
  const peer = sockets.peers.at(-1);
  let told = false;
  sockets.behave({
    message: (_, data) => {
      const heard = JSON.parse(data.toString());
      told ||= heard.method === 'notifications/cancelled' && heard.params.requestId === ID;
      if (heard.id === ID) service.call = waits;
    },
  });
  const waits = {
    say: (text) => peer.send(text),
    end: () => peer.sendClose(1000),
    gone: () => peer.reset(),
    left: new Promise((resolve) => peer.socket.on('close', resolve)),
    cancelled: () => told,
  };
  client.sendJson(message);
  return {
    hear: async () => JSON.parse(await client.next()),
    leave: () => client.terminate(),
  };
}

const TRANSPORTS = {
  'JSON answer': {
    surface: 'http',
    cancels: true,
    begin: async (at, token, name = 'http') => {
      const mcp = name === 'http' ? await session(at, '/json', token) : undefined;
      const response = start(at, name, '/json', posting(CALL, token, mcp));
      response.catch(() => {});
      return {
        hear: async () => {
          const answer = await finish(await response);
          assert.match(answer.headers['content-type'], /json/, `${answer.status} ${answer.body}`);
          return answer.json;
        },
        leave: hangUp,
      };
    },
  },
  'POST stream': {
    surface: 'http',
    cancels: true,
    begin: async (at, token) => {
      const mcp = await session(at, '/stream', token);
      return ofStream(await EventStream.open(at, 'http', '/stream', posting(CALL, token, mcp)));
    },
  },
  'GET stream': {
    surface: 'http',
    begin: async (at, token) => {
      const mcp = await session(at, '/later', token);
      const first = await finish(await start(at, 'http', '/later', posting(CALL, token, mcp)));
      assert.match(first.body, /event-7/);
      const headers = { 'mcp-session-id': mcp, 'last-event-id': 'event-7', accept: 'text/event-stream' };
      return ofStream(await EventStream.open(at, 'http', '/later', { token, headers }));
    },
  },
  'HTTP+SSE': {
    surface: 'http',
    begin: async (at, token) => {
      const stream = await EventStream.open(at, 'http', '/sse', { token });
      await stream.has('endpoint');
      const endpoint = stream.events.find(({ event }) => event === 'endpoint').data;
      stream.text = '';
      const accepted = await finish(await start(at, 'http', endpoint, posting(CALL, token)));
      assert.equal(accepted.status, 202);
      return ofStream(stream);
    },
  },
  WebSocket: {
    surface: 'websocket',
    cancels: true,
    closed: 'upstream_closed',
    begin: (at, token) => peerCall(at, 'websocket', '/ws', token, CALL),
  },
  CDP: {
    surface: 'cdp',
    closed: 'upstream_closed',
    begin: (at, token) =>
      peerCall(at, 'cdp', '/devtools/page/1', token, { id: ID, sessionId: 'S', method: 'Runtime.evaluate', params: {} }),
    check: (message) => {
      assert.equal(typeof message.error.data, 'string');
      assert.equal(message.sessionId, 'S');
      assert.equal(message.jsonrpc, undefined);
    },
  },
};

// ---- Endings: what happens, and the reason that is told ----

const result = (more) => `{${more.cdp ? '' : '"jsonrpc":"2.0",'}"id":${ID},"result":{"x":${more.value}}${more.behind ?? ''}}`;

const ENDINGS = {
  'an answer that is refused': { act: ({ cdp }) => service.call.say(result({ cdp, value: 1, behind: ',"extra":1' })), reason: 'message_key' },
  'an answer that is too big': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: `"${'x'.repeat(3 * MESSAGE_BYTES_MAX)}"` })),
    reason: 'answer_too_big',
  },
  'an answer that is not JSON': { act: ({ cdp }) => service.call.say(result({ cdp, value: 'NaN' })), reason: 'json_syntax' },
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
    but: ['JSON answer', 'GET stream', 'HTTP+SSE', 'WebSocket', 'CDP'],
  },
  'a session that is revoked': { act: ({ id }) => gate.revoke(id), reason: 'session_revoked', cancels: true },
  'a session that expires': { act: () => {}, reason: 'session_expired', ttl: '4s', cancels: true },
  'a surface that is killed': {
    act: ({ name }) => gate.do('kill', name),
    undo: ({ name }) => gate.do('arm', name),
    reason: 'surface_killed',
    cancels: true,
  },
};

// Of these the client heard before.
const HELD = new Set([
  'an answer that is refused: JSON answer',
  'an answer that is refused: POST stream',
  'an answer that is refused: GET stream',
  'an answer that is refused: HTTP+SSE',
  'an answer that is refused: WebSocket',
]);

function checkError(message, reason, transport) {
  const { id, error } = message;
  assert.equal(id, ID);
  const told = typeof error.data === 'string' ? error.data : error.data.reason;
  if (reason instanceof RegExp) assert.match(told, reason);
  else assert.equal(told, reason);
  assert.match(error.message, /Sidelock/);
  transport.check?.(message);
}

// The service hears of it by a cancellation, or by the end of what it speaks on.
async function checkTold(transport, waits) {
  await waits.left;
  if (transport.cancels) {
    await until(() => service.cancelled(ID) || waits.cancelled?.(), () => `a cancellation: ${JSON.stringify(service.seen)}`);
  }
}

for (const [what, ending] of Object.entries(ENDINGS)) {
  describe(what, () => {
    for (const [over, transport] of Object.entries(TRANSPORTS)) {
      if (ending.but?.includes(over)) continue;
      const name = `${what}: ${over}`;
      it(HELD.has(name) ? name : `situation 1: ${name}`, async () => {
        const options = ending.ttl ? ['--ttl', ending.ttl] : [];
        const { id, token } = await gate.session(transport.surface, ...options);
        const place = { id, name: transport.surface, cdp: over === 'CDP' };
        const waiting = await transport.begin(gate, token);
        await until(() => service.call, 'the service to be asked');
        const waits = service.call;
        try {
          await ending.act(place);
          const reason = (what === 'an end without an answer' && transport.closed) || ending.reason;
          checkError(await waiting.hear(), reason, transport);
          if (ending.cancels) await checkTold(transport, waits);
        } finally {
          await ending.undo?.(place);
        }
      });
    }
  });
}

describe('a client that goes away', () => {
  for (const [over, transport] of Object.entries(TRANSPORTS)) {
    const name = `${over}: the service is told`;
    it(transport.cancels ? `situation 1: ${name}` : name, async () => {
      const { token } = await gate.session(transport.surface);
      const waiting = await transport.begin(gate, token);
      await until(() => service.call, 'the service to be asked');
      const waits = service.call;
      waiting.leave();
      if (over === 'GET stream') return; // it may come back
      await checkTold(transport, waits);
      await gate.untilIdle(transport.surface);
    });
  }
});

it('situation 1: an answer that takes too long', async () => {
  const { token } = await gate.session('hurried');
  const waiting = await TRANSPORTS['JSON answer'].begin(gate, token, 'hurried');
  checkError(await waiting.hear(), 'upstream_timeout', {});
  await until(() => service.cancelled(ID), 'a cancellation');
});

it('situation 1: the end of the gate', async () => {
  const other = await startGate(scratchDir());
  const waiting = [];
  try {
    for (const [, transport] of Object.entries(TRANSPORTS)) {
      service.forget();
      const { token } = await other.session(transport.surface);
      waiting.push([transport, await transport.begin(other, token)]);
      await until(() => service.call, 'the service to be asked');
    }
  } finally {
    await other.stop();
  }
  for (const [transport, one] of waiting) checkError(await one.hear(), 'shutting_down', transport);
});

// ---- Clients that know only stdio ----

describe('sidelock connect', () => {
  const stdio = async (name, act, check) => {
    const connected = Connected.to(gate, name);
    if (name === 'websocket') {
      sockets.behave({
        message: (peer, data) => {
          const { id, method, params } = JSON.parse(data.toString());
          const value = { protocolVersion: params?.protocolVersion, capabilities: {}, serverInfo: { name: 'ends', version: '1' } };
          if (method === 'initialize') peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: value }));
          if (id === ID)
            service.call = { say: (text) => peer.send(text), end: () => peer.sendClose(1000), gone: () => peer.reset() };
        },
      });
    }
    await connected.initialize();
    connected.say(CALL);
    await until(() => service.call, 'the service to be asked');
    await act();
    await check(await connected.answer(ID));
    await connected.finish();
  };
  const say = (value, behind) => () => service.call.say(result({ value, behind }));
  for (const name of ['stdio', 'websocket']) {
    for (const [what, act, reason] of [
      ['an answer that is not JSON', say('NaN'), 'json_syntax'],
      ['an answer that is too big', say(`"${'x'.repeat(3 * MESSAGE_BYTES_MAX)}"`), 'answer_too_big'],
      ['a service that goes away', () => service.call.gone(), /^upstream_(protocol|gone)$/],
      ['an end without an answer', () => service.call.end(), name === 'stdio' ? 'answer_missing' : 'upstream_closed'],
    ]) {
      it(`situation 1: ${what}, through ${name === 'stdio' ? 'HTTP' : 'a WebSocket'}`, () =>
        stdio(name, act, (message) => checkError(message, reason, {})));
    }
    it(`situation 1: a worker that dies, through ${name === 'stdio' ? 'HTTP' : 'a WebSocket'}`, async () => {
      const workers = () => gate.workers();
      await stdio(
        name,
        () => workers().forEach((pid) => process.kill(pid, 'SIGKILL')),
        (message) => {
          assert.equal(message.id, ID);
          assert.equal(message.error.data?.reason, 'connection_lost', JSON.stringify(message));
        },
      );
    });
  }
});
