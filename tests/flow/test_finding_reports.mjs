// One admitted client whose messages are all refused: its reports are bounded, it is read ever
// more slowly and then cut, and whoever else the worker serves does not notice.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask, keepAlive } from './lib/http.mjs';
import { pause, until } from './lib/wait.mjs';

const CONNECTIONS = 4;
const MESSAGES = 5000;
const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x'.repeat(1024) } };

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'service.sock'));
const pages = new HttpService(path.join(dir, 'pages.sock'));
let gate;

before(async () => {
  await service.start();
  await pages.start();
  const mcp = (more) => surface(service.socketPath, { dialect: 'mcp', allow: { verbs: [] }, ...more });
  gate = await Gate.start(dir, {
    surfaces: {
      noisy: mcp({}),
      posts: mcp({ routes: [{ path: '/mcp', kind: 'mcp-http' }] }),
      observed: mcp({ mode: 'observe' }),
      calm: opaqueSurface(service.socketPath),
      pages: surface(pages.socketPath, {
        dialect: 'opaque',
        routes: [{ path: '/echo', kind: 'http' }],
      }),
    },
  });
});
afterEach(() => hangUp());
after(() => stopAll(gate, service, pages));

// What the audit log and the counters say of a session's messages that were refused.
async function told(id, event) {
  const lines = gate.auditLines().filter((line) => line.session === id);
  const own = lines.filter((line) => line.event === event).length;
  const suppressed = lines
    .filter((line) => line.event === `${event}_suppressed`)
    .reduce((sum, line) => sum + line.count, 0);
  const { surfaces } = await gate.doJson('status');
  return { own, suppressed, counted: surfaces.find((row) => row.name === lines[0].surface).messages_refused };
}

it('finding 2: neither a flood of refused messages nor a slow broker ends the worker; the flood ends itself', async () => {
  const { token: calmToken } = await gate.session('calm');
  const { token: pagesToken } = await gate.session('pages');
  const noisy = await gate.session('noisy');
  const calm = await Client.open(gate, 'calm', '/ws', { token: calmToken });
  const agent = keepAlive();
  assert.equal((await ask(gate, 'pages', '/echo', { token: pagesToken, agent })).status, 200);
  const clients = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    clients.push(await Client.open(gate, 'noisy', '/ws', { token: noisy.token }));
  }

  // The broker takes nothing meanwhile: what the worker has to say must wait or be counted.
  process.kill(gate.broker, 'SIGSTOP');
  try {
    for (const client of clients) {
      for (let i = 0; i < MESSAGES; i++) client.sendJson({ ...CALL, id: i });
    }
    for (let round = 0; clients.some((client) => !client.closed) || round < 10; round++) {
      calm.send(`round ${round}`);
      assert.equal(await calm.next(), `round ${round}`, 'another surface is served');
      const answer = await ask(gate, 'pages', '/echo', { token: pagesToken, agent });
      assert.equal(answer.status, 200, 'a request is served');
      if (round > 100) await pause(100);
      assert.ok(round < 700, 'the noisy client is cut in the end');
    }
  } finally {
    process.kill(gate.broker, 'SIGCONT');
  }

  assert.deepEqual(gate.workers(), gate.firstWorkers, 'no worker died');
  for (const client of clients) {
    assert.deepEqual(client.closed, { code: 1008, reason: 'refusals_exceeded' });
  }
  let sums;
  await until(
    async () => {
      sums = await told(noisy.id, 'message_refused');
      return sums.suppressed > 0 && sums.own + sums.suppressed === sums.counted;
    },
    () => `a line or a count for every refused message: ${JSON.stringify(sums)}`,
    60_000, // what was counted is told of now and then
  );
  assert.ok(sums.own < 1000, `a session's lines are bounded: ${sums.own}`);
  assert.ok(sums.counted < (CONNECTIONS * MESSAGES) / 4, `not all was read: ${sums.counted}`);
  const closed = gate.auditLines().filter((line) => line.event === 'closed' && line.session === noisy.id);
  assert.deepEqual(closed.map((line) => line.reason), Array(CONNECTIONS).fill('refusals_exceeded'));
});

it('finding 2: in observe mode nothing is slowed down, and the lines of a session are bounded', async () => {
  const { id, token } = await gate.session('observed');
  const client = await Client.open(gate, 'observed', '/ws', { token });
  for (let i = 0; i < MESSAGES; i++) client.sendJson({ ...CALL, id: i });
  await until(() => client.messages.length === MESSAGES, 'every message, echoed');
  let sums;
  await until(
    async () => {
      sums = await told(id, 'message_observed');
      return sums.counted >= MESSAGES && sums.own + sums.suppressed === sums.counted;
    },
    () => `a line or a count for every message: ${JSON.stringify(sums)}`,
    60_000,
  );
  assert.ok(sums.own < 1000, `a session's lines are bounded: ${sums.own}`);
  assert.equal(client.closed, undefined);
});

it('finding 2: whoever POSTs what is refused is answered more slowly, and then told to go', async () => {
  const { id, token } = await gate.session('posts');
  const body = JSON.stringify(CALL);
  const headers = [
    ['Content-Type', 'application/json'],
    ['Accept', 'application/json, text/event-stream'],
    ['Content-Length', String(body.length)],
  ];
  const host = `localhost:${gate.port('posts')}`;
  const post = requestText({ method: 'POST', path: '/mcp', host, token, headers, body, upgrade: false });
  const raws = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const raw = await Raw.connect(gate.port('posts'));
    raw.send(post.repeat(500));
    raws.push(raw);
  }
  for (const raw of raws) {
    const answered = () => raw.pending.toString().split('HTTP/1.1 200 OK').slice(1);
    await until(() => raw.ended || answered().length === 500, 'an end', 60_000);
    const answers = answered();
    assert.ok(answers.length < 500, `not all is answered: ${answers.length}`);
    assert.match(answers.at(-1), /^Connection: close\r$/m);
    assert.equal(answers.filter((text) => /^Connection: close/m.test(text)).length, 1);
    raw.destroy();
  }
  let sums;
  await until(
    async () => {
      sums = await told(id, 'message_refused');
      return sums.suppressed > 0 && sums.own + sums.suppressed === sums.counted;
    },
    () => `a line or a count for every refused message: ${JSON.stringify(sums)}`,
    60_000,
  );
});
