// The transports over which a client waits for an answer, and the walk over them: each of the ways
// in which a request can end without one is taken over each, and whoever waits must be told, by the
// request's id and with the true reason, and the service where its work is in vain.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { encodeFrame } from '../../services/frames.mjs';
import { Client } from './client.mjs';
import { endingServices } from './ending_services.mjs';
import { Gate, scratchDir, surface } from './gate.mjs';
import { hangUp } from './hang_up.mjs';
import { EventStream, finish, start } from './http.mjs';
import { call, messages } from './mcp_http.mjs';
import { Connected } from './stdio.mjs';
import { until, within } from './wait.mjs';

export const ID = 7;
export const MESSAGE_BYTES_MAX = 65536;

let limitsOf;
export let gate;
export const { http: service, sockets } = endingServices(async (dir) => (gate = await startGate(dir)));

// ---- The gate: for each set of limits a surface of each kind, `SET-KIND` ----

const route = (kind, ...paths) => paths.map((one) => ({ path: one, kind }));

const http = (paths) => ({ at: service, dialect: 'mcp', routes: route('mcp-http', ...paths) });

const KINDS = {
  http: () => http(['/json', '/stream', '/later', '/sse', '/messages']),
  stdio: () => http(['/stream']),
  websocket: () => ({ at: sockets, dialect: 'mcp', routes: route('websocket', '/ws') }),
  cdp: () => ({ at: sockets, dialect: 'cdp', routes: route('websocket', '/devtools/page/{id}') }),
};

// An older program has one limit for messages both ways.
async function startGate(where, { root = {}, sets = limitsOf } = {}) {
  return startWith(where, root, sets, (limits) => limits).catch(() =>
    startWith(where, root, sets, ({ max_answer_bytes: _, ...limits }) => limits),
  );
}

export const startAnother = ({ limits = 'usual', root }, where = scratchDir()) =>
  startGate(where, { root, sets: { [limits]: limitsOf[limits] } });

async function startWith(where, root, sets, limits) {
  const surfaces = {};
  const usual = { max_message_bytes: MESSAGE_BYTES_MAX, max_answer_bytes: MESSAGE_BYTES_MAX };
  for (const [set, more] of Object.entries(sets)) {
    for (const [kind, make] of Object.entries(KINDS)) {
      const { at, ...rest } = make();
      const { on_refusal, ...own } = more;
      surfaces[`${set}-${kind}`] = surface(at.socketPath, {
        ...rest,
        ...(on_refusal ? { on_refusal } : {}),
        limits: limits({ ...usual, ...own }),
      });
    }
  }
  return Gate.start(where, { ...root, surfaces });
}

// ---- Transports: each makes a call that waits ----

const CALL = call(ID, 'tools/call', { name: 'echo' });
const EVALUATE = { id: ID, sessionId: 'S', method: 'Runtime.evaluate', params: {} };

// As long as a test wants it.
const lengthened = (message, bytes = 0) =>
  bytes === 0 ? message : { ...message, params: { ...message.params, arguments: { x: 'x'.repeat(bytes) } } };

const postHeaders = (session) => ({
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  ...(session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {}),
});

export const posting = (message, token, session) => ({
  method: 'POST',
  token,
  headers: postHeaders(session),
  body: JSON.stringify(message),
});

const INITIALIZE = call(0, 'initialize', {
  protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' },
});

export async function session(at, name, where, token) {
  const opened = await finish(await start(at, name, where, posting(INITIALIZE, token)));
  assert.equal(opened.status, 200, opened.body);
  return opened.headers['mcp-session-id'];
}

// What the client waits for: {hear(): the error that it is told, leave(), ...}.
export const ofStream = (stream, id = ID) => ({
  hear: async () => {
    const found = () => messages({ body: stream.text }).find((one) => one.id === id);
    await until(() => found() || stream.closed, () => `an answer in ${stream.text}`);
    assert.ok(found(), `the stream has ended: ${stream.text}`);
    return found();
  },
  cut: async () => {
    await stream.end();
    assert.doesNotMatch(stream.text, /"id":/);
  },
  leave: () => stream.close(),
  pause: () => stream.response.pause(),
});

export const ofAnswer = (response) => {
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
};

// Another session's clients: one that stays, one that may find no room.
const stay = (at, name, token) => EventStream.open(at, name, '/sse', { token });
const visit = async (at, name, token) =>
  (await finish(await start(at, name, '/json', posting(INITIALIZE, token)))).status === 200;

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
        start: (text) => peer.socket.write(encodeFrame({ payload: text }).subarray(0, -1)),
        unsent: () => peer.socket.writableLength,
        rest: () => peer.socket.pause(),
        wake: () => peer.socket.resume(),
        end: () => peer.sendClose(1000),
        gone: () => peer.reset(),
        left: new Promise((resolve) => peer.socket.on('close', resolve)),
      };
    },
  });
}

const ofPeer = (where, message, more) => {
  const begin = async (at, name, token, options = {}) => {
    answerPeers();
    const client = await Client.open(at, name, where, { token, ws: { autoPong: !options.mute } });
    client.sendJson(message);
    const hear = async () => {
      const error = JSON.parse(await client.next());
      return error.id === ID ? error : hear();
    };
    return {
      hear,
      cut: async () => {
        await client.end();
        assert.deepEqual(client.messages, []);
      },
      leave: () => client.terminate(),
      pause: () => client.socket.pause(),
      say: (text) => client.send(text),
      write: (bytes) => client.socket._socket.write(bytes),
    };
  };
  const open = (at, name, token) => Client.open(at, name, where, { token });
  const visitor = (...whom) => open(...whom).then((client) => client.close(), () => false);
  return { closed: 'upstream_closed', begin, stay: open, visit: visitor, ...more };
};

const HOLD_MS = 30_000; // so long `connect` waits for a gate to come back

// `sidelock connect`, for clients that know only stdio: it has a session of its own.
async function connectedCall(at, name, options, more = {}) {
  answerPeers();
  const mark = at.mark();
  const connected = Connected.to(at, name, ...options);
  const { session: id } = await at.audited(mark, { event: 'session_created' });
  await connected.initialize();
  await until(
    () => service.seen.some(({ message }) => message.method === 'notifications/initialized'),
    'connect to be through with its beginning',
  );
  await more.meanwhile?.();
  connected.say(lengthened(CALL, more.bytes));
  return {
    id,
    hear: () => connected.answer(ID, 2 * HOLD_MS),
    leave: () => connected.child.kill(),
    pause: () => connected.child.stdout.pause(),
    resume: () => connected.child.stdout.resume(),
    say: (text) => connected.say(text),
    again: () => connected.say({ ...CALL, id: ID + 1 }),
    // It renews its session, but not while the machine sleeps.
    sleep: async () => {
      connected.child.kill('SIGSTOP');
      await service.call.left;
      connected.child.kill('SIGCONT');
    },
    finish: () => connected.finish(),
  };
}

export const TRANSPORTS = {
  'JSON answer': {
    kind: 'http',
    cancels: true,
    stay,
    visit,
    begin: async (at, name, token, { meanwhile, bytes } = {}) => {
      const mcp = await session(at, name, '/json', token);
      await meanwhile?.();
      return ofAnswer(start(at, name, '/json', posting(lengthened(CALL, bytes), token, mcp)));
    },
  },
  'POST stream': {
    kind: 'http',
    cancels: true,
    stay,
    visit,
    begin: async (at, name, token) => {
      const mcp = await session(at, name, '/stream', token);
      return ofStream(await EventStream.open(at, name, '/stream', posting(CALL, token, mcp)));
    },
  },
  'GET stream': {
    kind: 'http',
    stay,
    visit,
    begin: async (at, name, token, { meanwhile } = {}) => {
      const mcp = await session(at, name, '/later', token);
      const first = await finish(await start(at, name, '/later', posting(CALL, token, mcp)));
      assert.match(first.body, /event-7/);
      await meanwhile?.();
      const headers = { 'mcp-session-id': mcp, 'last-event-id': 'event-7', accept: 'text/event-stream' };
      return ofStream(await EventStream.open(at, name, '/later', { token, headers }));
    },
  },
  'HTTP+SSE': {
    kind: 'http',
    stay,
    visit,
    begin: async (at, name, token, { meanwhile, bytes } = {}) => {
      const stream = await EventStream.open(at, name, '/sse', { token });
      await stream.has('endpoint');
      const endpoint = stream.events.find(({ event }) => event === 'endpoint').data;
      stream.text = '';
      await meanwhile?.();
      const accepted = await finish(await start(at, name, endpoint, posting(lengthened(CALL, bytes), token)));
      assert.equal(accepted.status, 202);
      return ofStream(stream);
    },
  },
  WebSocket: ofPeer('/ws', CALL, { kind: 'websocket', cancels: true }),
  CDP: ofPeer('/devtools/page/1', EVALUATE, {
    kind: 'cdp',
    check: (message) => {
      assert.equal(typeof message.error.data, 'string');
      assert.equal(message.sessionId, 'S');
      assert.equal(message.jsonrpc, undefined);
    },
  }),
  'connect over HTTP': { kind: 'stdio', cancels: true, own: true, begin: connectedCall },
  'connect over a WebSocket': {
    kind: 'websocket',
    cancels: true,
    own: true,
    closed: 'upstream_closed',
    begin: connectedCall,
  },
};

// ---- The walk ----

function checkError(message, reason, transport, { says = /Sidelock/, cause }) {
  const { id, error } = message;
  assert.equal(id, ID);
  const told = typeof error.data === 'string' ? error.data : error.data?.reason;
  if (reason instanceof RegExp) assert.match(told, reason);
  else assert.equal(told, reason, JSON.stringify(message));
  assert.match(error.message, says);
  if (cause) assert.equal(error.data.cause, cause);
  transport.check?.(message);
}

// The service hears of it by a cancellation, or by the end of what it speaks on.
async function checkTold(told, transport, { left }) {
  await within(left, 'the end of what the service speaks on');
  if (told === 'cancelled' && transport.cancels)
    await until(() => service.cancelled(ID), () => `a cancellation: ${JSON.stringify(service.seen)}`);
}

// What differs over one transport.
const over = (value, name) => (value?.constructor === Object ? (value[name] ?? value.else) : value);

async function checkEnd(ending, name, transport, place, waits) {
  const reason = (ending.reason === 'answer_missing' && transport.closed) || over(ending.reason, name);
  const told = over(ending.told, name);
  if (ending.cuts && !transport.own) await place.cut();
  else if (reason) checkError(await place.hear(), reason, transport, { ...ending, says: over(ending.says, name) });
  ending.heard?.(waits);
  if (told) await checkTold(told, transport, waits);
  return told;
}

async function walk(ending, transportName, at) {
  const transport = TRANSPORTS[transportName];
  const name = `${ending.limits ?? 'usual'}-${transport.kind}`;
  const options = ending.session ?? [];
  const opened = transport.own ? {} : await at.session(name, ...options);
  const asked = transport.own ? options : opened.token;
  const waiting = await transport.begin(at, name, asked, ending.asks);
  const again = () => transport.begin(at, name, opened.token);
  const place = { again, ...opened, ...waiting, at, name, transport, cdp: transportName === 'CDP' };
  let told;
  try {
    if (!ending.unasked) await until(() => service.call, 'the service to be asked');
    const { call: waits } = service;
    await ending.act(place);
    told = await checkEnd(ending, transportName, transport, place, waits);
  } finally {
    await ending.undo?.(place);
    waiting.leave();
    await waiting.finish?.();
  }
  if (ending.another) return;
  await at.untilIdle(name);
  if (!told) assert.ok(!service.cancelled(ID), 'what is over is not cancelled');
}

/*
 * Walks over all of them. `limits`: the sets that the endings name; `held`: of which ending what was
 * said over which transports even when all the rest was silence, or somebody else's fault.
 *
 * An ending: act(place), what happens; only, but: the transports that have it, if not all; reason:
 * what whoever waits is told, with what cause, says: in what words (over one transport, or else);
 * heard(call): what happens then; told: how the service hears that its work is in vain, where it may still do some:
 * `cancelled`, or by the `end` of what it speaks on; cuts: only `connect` is left to tell of it. What a service has ended itself, with
 * an answer or without, is not cancelled, not even when the client leaves then.
 */
export function walkEndings(endings, limits, held = {}) {
  limitsOf = limits;
  for (const [what, ending] of Object.entries(endings)) {
    describe(what, () => {
      for (const over of Object.keys(TRANSPORTS)) {
        if (ending.but?.includes(over) || !(ending.only?.includes(over) ?? true)) continue;
        const name = `${what}: ${over}`;
        it(held[what]?.includes(over) ? name : `situation 1: ${name}`, async () => {
          const at = ending.another ? await startAnother(ending) : gate;
          try {
            await ending.before?.({ at });
            await walk(ending, over, at);
          } finally {
            if (at !== gate) await at.stop();
          }
        });
      }
    });
  }
}
