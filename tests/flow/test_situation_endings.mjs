// Every way in which a service, an operator or a client ends a request without its answer, over
// every transport. What limits end is in test_situation_endings_limits.mjs. What is marked as held
// before held before; everything else was silence, or somebody else's fault.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { describe, it } from 'node:test';

import { fullBacklog } from '../services/full_backlog.mjs';
import {
  ID, MESSAGE_BYTES_MAX, TRANSPORTS, gate, ofAnswer, ofStream, posting, service, session, walkEndings,
} from './lib/endings.mjs';
import { EventStream, start } from './lib/http.mjs';
import { call } from './lib/mcp_http.mjs';
import { until } from './lib/wait.mjs';

const result = (more) => `{${more.cdp ? '' : '"jsonrpc":"2.0",'}"id":${ID},"result":{"x":${more.value}}${more.behind ?? ''}}`;

const away = `${service.socketPath}.away`;

let full; // a listener in its place

// Nobody is at its socket any more, nor at the other end of what the gate has kept.
function goAway() {
  renameSync(service.socketPath, away);
  service.hangUp();
}

const ENDINGS = {
  'an answer that is refused': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: 1, behind: ',"extra":1' })),
    reason: 'message_key',
  },
  'an answer that is too big': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: `"${'x'.repeat(3 * MESSAGE_BYTES_MAX)}"` })),
    reason: 'answer_too_big',
    told: { 'JSON answer': 'cancelled' }, // it is still writing
  },
  'an answer that is not JSON': {
    act: ({ cdp }) => service.call.say(result({ cdp, value: 'NaN' })),
    reason: 'json_syntax',
  },
  'a service that goes away': { act: () => service.call.gone(), reason: /^upstream_(protocol|gone)$/ },
  // To be asked is what a WebSocket's service was once, when nothing waited yet; and until its head is
  // there an answer is none on a stream.
  'a service that has gone before it is asked': {
    asks: { meanwhile: goAway },
    unasked: true,
    act: () => {},
    undo: () => renameSync(away, service.socketPath),
    reason: 'upstream_unreachable',
    says: { 'connect over HTTP': /the service cannot be reached/ }, // it has tried for a while
    only: ['JSON answer', 'GET stream', 'HTTP+SSE', 'connect over HTTP'],
  },
  'a service that takes no more connections': {
    asks: {
      meanwhile: async () => {
        goAway();
        full = await fullBacklog(service.socketPath);
      },
    },
    unasked: true,
    act: () => {},
    undo: async () => {
      await full.stop();
      renameSync(away, service.socketPath);
    },
    reason: 'upstream_timeout',
    cause: 'connect',
    only: ['JSON answer', 'GET stream', 'HTTP+SSE', 'connect over HTTP'],
  },
  'an end without an answer': {
    act: () => service.call.end(),
    reason: 'answer_missing',
    // To go on from an event is the client's right; there the service may still answer.
    but: ['GET stream'],
  },
  // A WebSocket's frame that is cut off is a service that goes away.
  'an end within an event that is too big': {
    act: async () => {
      service.call.start('x'.repeat(3 * MESSAGE_BYTES_MAX));
      await until(() => service.call.unsent() === 0, 'the event to be taken');
      service.call.gone();
    },
    reason: 'upstream_protocol',
    cause: 'body_cut',
    only: ['POST stream', 'GET stream', 'HTTP+SSE', 'connect over HTTP'],
  },
  'an event that is an error': {
    act: () => service.call.error(),
    reason: 'answer_error',
    only: ['POST stream', 'connect over HTTP'],
  },
  'a session that is revoked': { act: ({ id }) => gate.revoke(id), reason: 'session_revoked', told: 'cancelled' },
  'a session that expires': {
    act: ({ sleep }) => sleep?.(),
    reason: 'session_expired',
    session: ['--ttl', '4s'],
    told: 'cancelled',
  },
  // `connect` makes its sessions without a record.
  'a parameter record that changes': {
    before: () => gate.putParams('record', { value: 'first' }),
    session: ['--params', 'record'],
    act: () => gate.putParams('record', { value: 'second' }),
    reason: 'params_changed',
    told: 'cancelled',
    but: ['connect over HTTP', 'connect over a WebSocket'],
  },
  'a parameter record that goes': {
    before: () => gate.putParams('record', { value: 'first' }),
    session: ['--params', 'record'],
    act: () => gate.do('params', 'rm', 'record'),
    reason: 'params_changed',
    told: 'cancelled',
    but: ['connect over HTTP', 'connect over a WebSocket'],
  },
  // store_restored is nowhere: a store is read when a gate starts, and nobody waits yet.
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

walkEndings(ENDINGS, { usual: {} }, HELD);

describe('a session with 200 calls that wait is revoked', () => {
  const COUNT = 100; // over each

  it('situation 1: each is told, and the service of each', async () => {
    const { id, token } = await gate.session('usual-http');
    const mcp = await session(gate, 'usual-http', '/json', token);
    const ask = (place, where) => posting(call(where + place, 'tools/call', { name: 'echo' }), token, mcp);
    const waiting = [];
    for (let i = 0; i < COUNT; i++) {
      const stream = EventStream.open(gate, 'usual-http', '/stream', ask(i, 1000));
      waiting.push([1000 + i, ofStream(await stream, 1000 + i)]);
      waiting.push([2000 + i, ofAnswer(start(gate, 'usual-http', '/json', ask(i, 2000)))]);
    }
    const asked = () => service.seen.filter(({ message }) => message.method === 'tools/call').length;
    await until(() => asked() === 2 * COUNT, () => `${asked()} calls at the service`);
    await gate.revoke(id);
    for (const [number, client] of waiting) {
      const { id: told, error } = await client.hear();
      assert.equal(told, number);
      assert.equal(error.data.reason, 'session_revoked');
    }
    const untold = () => waiting.filter(([number]) => !service.cancelled(number)).map(([number]) => number);
    await until(() => untold().length === 0, () => `the service to be told of ${untold()}`);
  });
});
