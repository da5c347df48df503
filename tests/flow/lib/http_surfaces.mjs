// What the tests of plain HTTP share: a gate with a surface for each kind of route,
// one service behind all of them, and after every test the proof that the same
// worker is still there.
import assert from 'node:assert/strict';
import path from 'node:path';
import { before } from 'node:test';

import { HttpService } from '../../services/http_service.mjs';
import { Gate, scratchDir, surface } from './gate.mjs';
import { ask } from './http.mjs';
import { sameWorkers } from './same_workers.mjs';

const ANY = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
export const MAX_BODY_BYTES = 64 * 1024;

const dir = scratchDir();
export const service = new HttpService(path.join(dir, 'http.sock'));
export let gate;
export const tokens = {};

function http(routes, more = {}) {
  return surface(service.socketPath, { dialect: 'opaque', routes, ...more });
}

const everywhere = { path: '/{any...}', kind: 'http', methods: ANY };

before(async () => {
  await service.start();
  const limits = {
    response_timeout_ms: 2000,
    body_timeout_ms: 2000,
    max_body_bytes: MAX_BODY_BYTES,
  };
  gate = await Gate.start(dir, {
    surfaces: {
      any: http([everywhere]),
      routes: http([
        { path: '/echo', kind: 'http' },
        { path: '/sink', kind: 'http', methods: ['POST'] },
        { path: '/status/{code}', kind: 'http', methods: ['GET', 'DELETE'] },
        { path: '/ws', kind: 'websocket' },
        { path: '/big', kind: 'http', query: { pass: { bytes: '[0-9]{1,6}' } } },
      ]),
      limited: http([everywhere], { limits }),
      here: http([{ ...everywhere, host: 'localhost' }]),
      there: http([{ ...everywhere, host: { fixed: 'service.example:8080' } }]),
      open: http([{ ...everywhere, host: 'public' }]),
      named: http([{ ...everywhere, headers: ['Remote-User'] }]),
      login: http([{ ...everywhere, query: { pass: { keep: '.*' }, bearer: 'token' } }]),
      answers: http([
        {
          path: '/json',
          kind: 'http',
          host: 'localhost',
          answer: { urls: ['websocket_url'], strip_query: true },
        },
      ]),
      absent: { ...http([everywhere]), upstream: { socket: path.join(dir, 'absent.sock') } },
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) {
    tokens[name] = (await gate.session(name)).token;
  }
});

sameWorkers(() => gate, service);

export const get = (where, options = {}) => ask(gate, 'any', where, { token: tokens.any, ...options });

// What the service was sent, as /echo tells it.
export async function echoed(name, options = {}) {
  const answer = await ask(gate, name, options.path ?? '/echo', { token: tokens[name], ...options });
  assert.equal(answer.status, 200, answer.body);
  const header = (wanted) => answer.json.headers.find(([key]) => key === wanted)?.[1];
  return { ...answer.json, header };
}

// A request that must be refused by the gate, recorded, and not reach the service.
export async function refused(name, where, options, status, reason) {
  const mark = gate.mark();
  const before = service.requests.length;
  const answer = await ask(gate, name, where, { token: tokens[name], ...options });
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.equal(answer.json.reason, reason);
  await gate.audited(mark, { event: 'denied', reason });
  assert.equal(service.requests.length, before, 'nothing reached the service');
  return answer;
}
