// What the gate itself lacks: a broker that answers, a disk that takes its audit log. Whoever waits
// already is answered as ever, over every transport; whoever comes is told. He is before anything of
// what he sends is read, so that he is told by the status, and has no id yet; `connect` gives one.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { ID, TRANSPORTS, posting, service, startAnother, walkEndings } from './lib/endings.mjs';
import { ask } from './lib/http.mjs';
import { call } from './lib/mcp_http.mjs';
import { assertProblem, request } from './lib/raw.mjs';
import { smallDisk } from './lib/small_disk.mjs';
import { until, within } from './lib/wait.mjs';

const LIMITS = { usual: {}, hurried: { upstream_timeout_ms: 500 } };

let stopped; // the gate whose broker is

function stop(at) {
  stopped = at;
  process.kill(at.broker, 'SIGSTOP');
}

const goOn = () => process.kill(stopped.broker, 'SIGCONT');

// Over HTTP `connect` may keep the connection that it has, but not the service its own.
const ENDINGS = {
  'a broker that does not answer': {
    limits: 'hurried',
    another: true,
    before: ({ at }) => (stopped = at),
    asks: {
      meanwhile: () => {
        service.hangUp();
        stop(stopped);
      },
    },
    unasked: true,
    act: () => {},
    undo: goOn,
    reason: 'admission_timeout',
    says: /cannot be reached/,
    only: ['connect over HTTP'],
  },
};

walkEndings(ENDINGS, LIMITS);

let small;
after(() => small?.end());

const LACKS = {
  'a broker that answers': {
    start: () => startAnother({ limits: 'hurried' }),
    lose: stop,
    mend: goOn,
    reason: 'admission_timeout',
  },
  'a disk with room for its audit log': {
    start: () => {
      small?.end();
      small = smallDisk();
      return startAnother({ limits: 'hurried' }, small.disk);
    },
    lose: (at) => small.fill(at, () => ask(at, 'hurried-http', '/json')),
    mend: (at) => small.free(at),
    reason: 'audit_unavailable',
  },
};

// Each asks for an admission of its own.
const COMERS = {
  'JSON answer': (at, token) => ask(at, 'hurried-http', '/json', posting(call(ID, 'tools/call', { name: 'echo' }), token)),
  'GET stream': (at, token) => ask(at, 'hurried-http', '/sse', { token, headers: { accept: 'text/event-stream' } }),
};

const result = ({ cdp }) => `{${cdp ? '' : '"jsonrpc":"2.0",'}"id":${ID},"result":{}}`;

for (const [what, { start, lose, mend, reason }] of Object.entries(LACKS)) {
  describe(`without ${what}`, () => {
    let at;

    // What is mended again is the same gate's.
    async function without(act) {
      at = await start();
      const token = {};
      for (const kind of ['http', 'websocket', 'cdp']) token[kind] = (await at.session(`hurried-${kind}`)).token;
      try {
        await act(token);
      } finally {
        await mend(at);
        at.child.kill('SIGTERM'); // and its log does not lack what it lacks
        assert.deepEqual(await within(at.exited, 'the end of the gate'), { code: 0, signal: null });
      }
    }

    for (const [over, transport] of Object.entries(TRANSPORTS)) {
      const name = `hurried-${transport.kind}`;
      it(`whoever waits is answered: ${over}`, () =>
        without(async (token) => {
          const waiting = await transport.begin(at, name, transport.own ? [] : token[transport.kind]);
          await until(() => service.call, 'the service to be asked');
          await lose(at);
          service.call.say(result({ cdp: over === 'CDP' }));
          const { id, result: told } = await waiting.hear();
          assert.deepEqual([id, told], [ID, {}]);
          waiting.leave();
          await waiting.finish?.();
        }));
    }

    for (const [over, come] of Object.entries(COMERS)) {
      it(`situation 1: whoever comes is told: ${over}`, () =>
        without(async (token) => {
          await lose(at);
          const answer = await come(at, token.http);
          assert.deepEqual([answer.status, answer.json?.reason], [503, reason]);
        }));
    }

    for (const [kind, path] of [['websocket', '/ws'], ['cdp', '/devtools/page/1']]) {
      it(`situation 1: whoever comes is told: ${kind}`, () =>
        without(async (token) => {
          await lose(at);
          const { response } = await request(at, `hurried-${kind}`, { token: token[kind], path });
          assertProblem(response, 503, reason);
        }));
    }
  });
}
