// Workers that are killed at random under load, on every kind of route, with services that take
// their time: each answer carries the mark of its session, nobody receives what is another's,
// and no session is allowed more than it was. SIDELOCK_REPLACEMENTS says how many.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask } from './lib/http.mjs';
import { REFUSED, call, post } from './lib/mcp_http.mjs';
import { pause, until } from './lib/wait.mjs';

const REPLACEMENTS = Number(process.env.SIDELOCK_REPLACEMENTS ?? 60);
const SESSIONS = 4; // of each surface; every second one may list and nothing else
const CLIENTS = 4; // at once, of each kind
const SLOWEST_MS = 150;

const dir = scratchDir();
const markOf = (target) => /[?&]mark=([a-z0-9-]+)/.exec(target)?.[1];
const soon = (what) => setTimeout(what, Math.random() * SLOWEST_MS);

// What the broker stored for a session is all that the service goes by.
const service = new WebSocketService(path.join(dir, 'service.sock'), {
  request: (peer, request) => {
    const mark = markOf(request.target);
    if (request.target === '/prepare') {
      const { mark: prepared } = JSON.parse(request.body.toString()).params;
      soon(() => peer.respond('200 OK', JSON.stringify({ path: `${prepared}--${peer.service.connectionCount}` })));
    } else if (peer.header('upgrade')) {
      peer.mark = mark ?? /^\/prepared\/([a-z0-9-]+)--\d+$/.exec(request.target)?.[1];
      soon(() => peer.accept());
    } else if (request.method === 'GET') {
      soon(() => peer.respond('200 OK', JSON.stringify({ mark, nonce: request.target.split('?')[0].slice(7) })));
    } else {
      const { id, method } = JSON.parse(request.body.toString());
      const result = method === 'tools/list' ? { tools: [] } : { content: [{ type: 'text', text: mark }] };
      soon(() => peer.respond('200 OK', JSON.stringify({ jsonrpc: '2.0', id, result })));
    }
  },
  message: (peer, data) => soon(() => peer.ended || peer.send(JSON.stringify({ mark: peer.mark, nonce: data.toString() }))),
});

const marked = { query: { inject: { mark: { from: '/mark', encoding: 'text' } } } };
const opaque = (routes) => surface(service.socketPath, { dialect: 'opaque', routes });
const surfaces = {
  ws: opaque([{ path: '/ws', kind: 'websocket', ...marked }]),
  prepared: opaque([
    {
      path: '/ws',
      kind: 'websocket',
      prepare: { path: '/prepare', member: 'params', from: '', answer: 'path', then: '/prepared/{answer}' },
    },
  ]),
  http: opaque([{ path: '/plain/{nonce}', kind: 'http', methods: ['GET'], ...marked }]),
  mcp: surface(service.socketPath, {
    dialect: 'mcp',
    routes: [{ path: '/mcp', kind: 'mcp-http', ...marked }],
    allow: { verbs: ['tools/list', 'tools/call'], targets: ['whoami'] },
  }),
};

let gate;
const sessions = {};
const seen = { answered: 0, broken: 0, refused: 0, wrong: [] };

before(async () => {
  await service.start();
  service.keepMessages = false;
  gate = await Gate.start(dir, { workers: 2, surfaces });
  for (const name of Object.keys(surfaces)) {
    sessions[name] = [];
    for (let i = 0; i < SESSIONS; i++) {
      const mark = `${name}-${i}`;
      await gate.putParams(mark, { mark });
      const limits = name === 'mcp' && i % 2 === 1 ? ['--allow', 'tools/list'] : [];
      const { id, token } = await gate.session(name, '--params', mark, '--ttl', '1h', ...limits);
      sessions[name].push({ id, token, mark, mayCall: limits.length === 0 });
    }
  }
});

after(async () => {
  hangUp();
  await stopAll(gate, service);
});

function take(answer, { mark }, nonce) {
  if (answer.mark === mark && answer.nonce === nonce) seen.answered++;
  else seen.wrong.push({ expected: { mark, nonce }, answer });
}

async function overWebSocket(name, session, nonce) {
  const client = await Client.open(gate, name, '/ws', { token: session.token });
  try {
    for (let i = 0; i < 3; i++) {
      client.send(`${nonce}-${i}`);
      take(await client.nextJson(), session, `${nonce}-${i}`);
    }
  } finally {
    client.terminate();
  }
}

const kinds = {
  ws: (session, nonce) => overWebSocket('ws', session, nonce),
  prepared: (session, nonce) => overWebSocket('prepared', session, nonce),
  http: async (session, nonce) => {
    const { status, json } = await ask(gate, 'http', `/plain/${nonce}`, { token: session.token });
    if (status !== 200) throw new Error(`${status}`);
    take(json, session, nonce);
  },
  mcp: async (session, nonce) => {
    const { status, message } = await post(gate, 'mcp', call(nonce, 'tools/call', { name: 'whoami', arguments: {} }), session);
    if (message?.error?.code === REFUSED && !session.mayCall) {
      seen.refused++;
      return;
    }
    if (status !== 200) throw new Error(`${status}`);
    const mark = message?.result?.content?.[0]?.text;
    take({ mark: session.mayCall ? mark : `a verb gained: ${mark}`, nonce: message?.id }, session, nonce);
  },
};

// What is cut off by a worker's end is asked again, as somebody else perhaps.
async function load(name, done) {
  for (let i = 0; !done.now; i++) {
    const session = sessions[name][Math.floor(Math.random() * SESSIONS)];
    try {
      await kinds[name](session, `${name}${i}x${Math.floor(Math.random() * 2 ** 32)}`);
    } catch {
      seen.broken++;
      await pause(5);
    }
  }
}

describe('workers that are replaced', () => {
  it(`${REPLACEMENTS} times under load: every answer is its asker’s`, async (t) => {
    const done = { now: false };
    const loads = Object.keys(kinds).flatMap((name) =>
      Array.from({ length: CLIENTS }, () => load(name, done)),
    );
    for (let i = 0; i < REPLACEMENTS; i++) {
      const workers = await until(() => gate.workers().length > 0 && gate.workers(), 'a worker');
      const pid = workers[Math.floor(Math.random() * workers.length)];
      await pause(Math.random() * 2 * SLOWEST_MS); // a random moment of what is under way
      process.kill(pid, 'SIGKILL');
      await until(() => !gate.workers().includes(pid), 'its end');
      if (seen.wrong.length > 0) break;
    }
    // And then all is well again.
    const { answered, refused } = seen;
    await until(() => seen.answered > answered + 50 && seen.refused > refused, 'answers after the last', 30_000);
    done.now = true;
    await Promise.all(loads);
    t.diagnostic(`${seen.answered} answers, ${seen.refused} refusals, ${seen.broken} cut off, ${REPLACEMENTS} workers replaced`);
    assert.deepEqual(seen.wrong, []);
    assert.ok(seen.broken > 0, 'something was under way when a worker ended');
    const lines = gate.auditLines();
    assert.equal(lines.filter((line) => line.event === 'worker_exited' && line.signal === 9).length, REPLACEMENTS);
    assert.equal(lines.filter((line) => line.event === 'worker_refused').length, 0);
    const surfaceOf = new Map(Object.entries(sessions).flatMap(([name, list]) => list.map(({ id }) => [id, name])));
    for (const line of lines.filter(({ event }) => event === 'admitted' || event === 'closed')) {
      assert.equal(surfaceOf.get(line.session), line.surface);
    }
    const ids = lines.filter(({ event }) => event === 'admitted').map((line) => line.connection);
    assert.equal(new Set(ids).size, ids.length, 'a connection’s number came twice');
    hangUp();
    await gate.untilIdle();
  });
});
