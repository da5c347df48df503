// Every way in which a limit ends a request without its answer, over every transport: time that
// has passed, room that others need, memory. What is marked as held before held before.
import { encodeFrame } from '../services/frames.mjs';
import { ID, MESSAGE_BYTES_MAX, TRANSPORTS, service, sockets, walkEndings } from './lib/endings.mjs';
import { until } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const MUCH = 12 * MIB; // more than what lies between the gate and a service can take
const WEBSOCKETS = ['WebSocket', 'CDP'];

const LIMITS = {
  usual: {},
  hurried: { response_timeout_ms: 2000 },
  stalled: { body_timeout_ms: 1000, message_timeout_ms: 1000, write_timeout_ms: 1000 },
  deaf: { write_timeout_ms: 1000, max_message_bytes: 16 * MIB },
  idle: { idle_timeout_ms: 2000 },
  pinging: { ping_interval_ms: 1000 },
  narrow: { max_connections: 2 },
  roomy: { max_answer_bytes: 3 * MIB },
};

// Says more than all that lies between it and a client that does not read can take.
function flood({ cdp }) {
  const x = 'x'.repeat(MESSAGE_BYTES_MAX / 2);
  const text = cdp
    ? JSON.stringify({ method: 'Runtime.consoleAPICalled', params: { x }, sessionId: 'S' })
    : JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: x } });
  for (let i = 0; i < 1024; i++) service.call.say(text);
}

const half = (bytes, { cdp }) => `{${cdp ? '' : '"jsonrpc":"2.0",'}"id":${ID},"result":{"x":"${'x'.repeat(bytes)}`;

// A frame of which the end is missing.
const begun = encodeFrame({ payload: 'x'.repeat(100), mask: true }).subarray(0, 50);

// Two other sessions come: one stays, and then there is no room unless somebody gives way.
async function comeInto({ at, name, transport }) {
  const [one, other] = [await at.session(name), await at.session(name)];
  const stays = await transport.stay(at, name, one.token);
  await until(() => transport.visit(at, name, other.token), 'room for another');
  stays.close();
}

const ENDINGS = {
  // On a WebSocket a service has all the time it wants, as on a stream once it has begun it.
  'an answer that takes too long': {
    limits: 'hurried',
    before: () => (service.holdsBack = true),
    act: () => {},
    reason: 'upstream_timeout',
    told: 'cancelled',
    only: ['JSON answer', 'GET stream', 'HTTP+SSE', 'connect over HTTP'],
  },
  'an answer that stops half-way': {
    limits: 'stalled',
    act: (place) => service.call.start(half(1000, place)),
    reason: 'upstream_timeout',
    // Whoever stops within a frame can be told nothing behind it but that this was the end.
    told: { WebSocket: 'end', 'connect over a WebSocket': 'end', else: 'cancelled' },
  },
  'an answer that is too big and stops half-way': {
    limits: 'stalled',
    act: (place) => service.call.start(half(3 * MESSAGE_BYTES_MAX, place)),
    reason: 'answer_too_big',
    told: { 'connect over a WebSocket': 'end', else: 'cancelled' },
    but: ['JSON answer'], // refused at once
  },
  // A POST's stream is one once it is answered, and a GET has nothing to be read.
  'a service that stops reading': {
    limits: 'deaf',
    before: () => (service.readsAtMost = MIB),
    asks: { bytes: MUCH },
    act: ({ say, cdp }) => {
      if (!service.call.rest) return; // over HTTP it has stopped within the request
      service.call.rest();
      const x = 'x'.repeat(MUCH);
      if (cdp) say(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { x } }));
      else say(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1, message: x } }));
    },
    reason: 'upstream_timeout',
    heard: (call) => call.wake(),
    told: { WebSocket: 'end', 'connect over a WebSocket': 'end', else: 'cancelled' },
    but: ['POST stream', 'GET stream'],
  },
  // Over HTTP it is no other request's end; `connect` sends only what is whole.
  'a message of the client that stops half-way': {
    limits: 'stalled',
    act: ({ write }) => write(begun),
    reason: 'message_timeout',
    told: 'cancelled',
    only: WEBSOCKETS,
  },
  'a message of the client that is too big': {
    act: ({ write }) => write(encodeFrame({ payload: 'x'.repeat(MESSAGE_BYTES_MAX + 1), mask: true })),
    reason: 'message_too_big',
    told: 'cancelled',
    only: WEBSOCKETS,
  },
  'a frame of the client that may not be': {
    act: ({ write }) => write(encodeFrame({ rsv: 4, payload: 'x', mask: true })),
    reason: 'client_protocol',
    told: 'cancelled',
    only: WEBSOCKETS,
  },
  'a message of the client that is binary': {
    act: ({ write }) => write(encodeFrame({ opcode: 2, payload: 'x', mask: true })),
    reason: 'binary_refused',
    told: 'cancelled',
    only: WEBSOCKETS,
  },
  'a connection that is idle for too long': {
    limits: 'idle',
    act: () => {},
    reason: 'idle_timeout',
    told: 'cancelled',
    only: [...WEBSOCKETS, 'connect over a WebSocket'],
  },
  'a client that does not answer pings': {
    limits: 'pinging',
    asks: { mute: true },
    act: () => {},
    reason: 'idle_timeout',
    told: 'cancelled',
    only: WEBSOCKETS, // `connect` does
  },
  // Who reads nothing is told nothing, but by `connect`, which hears that it was cut off. A JSON
  // answer is whole before its client is to take it: nothing waits any more.
  'a client that stops reading': {
    limits: 'stalled',
    act: async (place) => {
      const { call } = service;
      place.pause();
      flood(place);
      await call.left;
      place.resume?.();
    },
    reason: { 'connect over HTTP': 'connection_lost', 'connect over a WebSocket': 'connection_lost' },
    says: /connection was lost/,
    told: 'cancelled',
    but: ['JSON answer'],
  },
  // Only who keeps others waiting gives way: within a message, or not reading, and then it is not told.
  'a client that gives way': {
    limits: 'narrow',
    act: async (place) => {
      if (place.write) place.write(begun);
      else place.pause();
      if (!place.write) flood(place);
      await comeInto(place);
    },
    reason: { WebSocket: 'gave_way', CDP: 'gave_way' },
    told: 'cancelled',
    only: [...WEBSOCKETS, 'POST stream', 'GET stream', 'HTTP+SSE'],
  },
  // One answer alone fits, and so `connect`, which has one WebSocket, never keeps too much there.
  'a session that keeps too much': {
    limits: 'roomy',
    root: { worker_memory_bytes: 8 * MIB },
    another: true,
    act: async (place) => {
      const { call } = service;
      call.start(half(2.9 * MIB, place));
      await until(() => call.unsent() === 0, 'the first to be taken');
      await place.again();
      await until(() => service.call !== call, 'the service to be asked again');
      service.call.start(half(2 * MIB, place));
    },
    reason: 'quota_held',
    told: { WebSocket: 'end', else: 'cancelled' }, // what is kept is let go of at once
    but: ['connect over a WebSocket'],
  },
};

// Of these both heard before, or nothing ended so: what a session keeps was not counted.
const HELD = {
  'a client that stops reading': ['GET stream', 'HTTP+SSE', 'CDP'],
  'a client that gives way': ['GET stream', 'HTTP+SSE'],
  'a session that keeps too much': Object.keys(TRANSPORTS),
};

walkEndings(ENDINGS, LIMITS, HELD);
