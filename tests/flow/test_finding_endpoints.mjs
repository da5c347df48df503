// HTTP+SSE: an endpoint that says whose it is by its path belongs to the session whose stream named
// it, and so does an event from which a stream can go on.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { BearerService } from '../services/mcp_bearer.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { EventStream, ask } from './lib/http.mjs';
import { call, post as postMcp } from './lib/mcp_http.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new BearerService(path.join(dir, 'service.sock'));
let gate;

before(async () => {
  await service.start();
  const kind = 'mcp-http';
  const mcp = (...paths) =>
    surface(service.socketPath, { dialect: 'mcp', routes: paths.map((one) => ({ path: one, kind })) });
  gate = await Gate.start(dir, {
    surfaces: { named: mcp('/sse', '/messages/{id}', '/mcp'), any: mcp('/{any...}') },
  });
});

beforeEach(() => {
  service.seen = [];
  service.says = undefined;
  service.endpoint = (number) => `/messages/S${number}`;
});
afterEach(hangUp);
after(() => stopAll(gate, service));

const say = (name, where, token, message, headers = {}) =>
  ask(gate, name, where, {
    method: 'POST',
    token,
    body: JSON.stringify(message),
    headers: { 'content-type': 'application/json', ...headers },
  });

// A stream of a session (a new one), and the endpoint that it was told.
async function open(name, token) {
  token ??= (await gate.session(name)).token;
  const stream = await EventStream.open(gate, name, '/sse', { token });
  await stream.has('endpoint');
  const endpoint = stream.events.find(({ event }) => event === 'endpoint').data;
  return { token, stream, endpoint, service: service.streams.get(endpoint) };
}

async function refused(name, where, token, message = call(1, 'ping'), headers = {}) {
  const mark = gate.mark();
  const count = service.seen.length;
  const answer = await say(name, where, token, message, headers);
  assert.equal(service.seen.length, count, `POST ${where} reached the service`);
  assert.equal(answer.status, 404, where);
  await gate.audited(mark, { event: 'denied', reason: 'mcp_session_unknown' });
}

// The stream ends instead of telling it.
async function untold(token, reason = 'upstream_protocol') {
  const mark = gate.mark();
  const stream = await EventStream.open(gate, 'named', '/sse', { token }).catch(() => undefined);
  await stream?.end();
  assert.doesNotMatch(stream?.text ?? '', /endpoint/);
  await gate.audited(mark, { event: 'closed', reason });
}

describe('finding 5: an endpoint with its id in the path', () => {
  for (const name of ['named', 'any']) {
    it(`finding 5: takes no other session's messages, however it is written (${name})`, async () => {
      const mine = await open(name);
      const others = await open(name);
      const variants = [
        mine.endpoint,
        `${mine.endpoint}?x=1`,
        `${mine.endpoint}?`,
        mine.endpoint.replace('S', '%53'),
        mine.endpoint.replace('messages', '%6dessages'),
        ...(name === 'any' ? [`${mine.endpoint}/`, mine.endpoint.replace('messages', 'Messages')] : []),
      ];
      for (const where of variants) await refused(name, where, others.token);
      await refused(name, mine.endpoint, others.token, { jsonrpc: '2.0', id: 9, result: {} });
      await refused(name, mine.endpoint, others.token, call(1, 'ping'), { 'mcp-session-id': mine.endpoint });
      // The service takes it exactly as it named it; the owner reaches it either way.
      assert.equal((await say(name, mine.endpoint, mine.token, call(2, 'ping'))).status, 202);
      await mine.stream.has('"id":2');
      assert.equal((await say(name, others.endpoint, others.token, call(3, 'ping'))).status, 202);
      await others.stream.has('"id":3');
    });

    it(`finding 5: takes its owner's answers (${name})`, async () => {
      const mine = await open(name);
      mine.service.write(`data: ${JSON.stringify(call('ask', 'sampling/createMessage', { messages: [] }))}\n\n`);
      await mine.stream.has('sampling/createMessage');
      const answer = { jsonrpc: '2.0', id: 'ask', result: { role: 'assistant' } };
      assert.equal((await say(name, mine.endpoint, mine.token, answer)).status, 202);
      assert.deepEqual(service.seen, [{ path: mine.endpoint, message: answer }]);
      // Once: nothing is outstanding any more.
      assert.equal((await say(name, mine.endpoint, mine.token, answer)).status, 403);
    });

    it(`finding 5: is nobody's that was not named to him (${name})`, async () => {
      const { token } = await open(name);
      await refused(name, '/messages/S999', token);
      await refused(name, '/messages/S999', (await gate.session(name)).token);
    });

    it(`finding 5: is over with its stream, for everybody (${name})`, async () => {
      const mine = await open(name);
      mine.stream.close();
      await gate.untilIdle(name);
      await refused(name, mine.endpoint, (await gate.session(name)).token);
      await refused(name, mine.endpoint, mine.token);
    });
  }

  it('finding 5: is bound when its query says more, too', async () => {
    service.endpoint = (number) => `/messages/S${number}?v=1`;
    const mine = await open('named');
    const others = await open('named');
    await refused('named', mine.endpoint, others.token);
    await refused('named', mine.endpoint.replace('?v=1', ''), others.token);
    await refused('named', mine.endpoint.replace('v=1', 'v=2'), others.token);
    await refused('named', mine.endpoint.replace('v=1', '%76=%31'), others.token);
    assert.equal((await say('named', mine.endpoint, mine.token, call(1, 'ping'))).status, 202);
    await mine.stream.has('"id":1');
  });

  it('finding 5: may be written as a whole URL, or encoded', async () => {
    for (const write of [(n, host) => `http://${host}/messages/S${n}`, (n) => `/messages/%53${n}`]) {
      service.endpoint = write;
      const stream = await EventStream.open(gate, 'named', '/sse', { token: (await gate.session('named')).token });
      await stream.has('event: endpoint');
      const { data } = stream.events.find(({ event }) => event === 'endpoint');
      assert.match(data, /^\/messages\//);
      await refused('named', data, (await gate.session('named')).token);
      await refused('named', data.replace('%53', 'S'), (await gate.session('named')).token);
    }
  });
});

describe('an endpoint', () => {
  it('that another session has already is not told', async () => {
    service.endpoint = () => '/messages/one';
    const mine = await open('named');
    await untold((await gate.session('named')).token, 'mcp_session_taken');
    service.endpoint = () => '/messages/%6fne';
    await untold((await gate.session('named')).token, 'mcp_session_taken');
    service.endpoint = () => '/messages/one';
    await refused('named', mine.endpoint, (await gate.session('named')).token);
    // The same session may read anew: it is the same to the service.
    const again = await open('named', mine.token);
    mine.stream.close();
    assert.equal((await say('named', again.endpoint, mine.token, call(1, 'ping'))).status, 202);
    await again.stream.has('"id":1');
  });

  it('on no route, or of another origin, is not told', async () => {
    const { token } = await gate.session('named');
    for (const where of ['/elsewhere/S1', 'http://evil.example/messages/S1', '//evil.example/messages/S1', '/messages/../mcp']) {
      service.endpoint = () => where;
      await untold(token);
    }
  });
});

describe('finding 5: an event to go on from', () => {
  it('finding 5: is of the session that was given it', async () => {
    const { token } = await gate.session('named');
    service.says = ['first', 'second'].map((data) => ({
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { level: 'info', data },
    }));
    const whole = await postMcp(gate, 'named', call(1, 'tools/call', { name: 'echo' }), { token });
    const id = /^id: (.+)$/m.exec(whole.body)[1];
    const from = (who) =>
      EventStream.open(gate, 'named', '/mcp', { token: who, headers: { accept: 'text/event-stream', 'last-event-id': id } });
    const mark = gate.mark();
    const others = await from((await gate.session('named')).token);
    assert.equal(others.status, 403);
    await gate.audited(mark, { event: 'denied', reason: 'handle_unknown' });
    const again = await from(token);
    assert.equal(again.status, 200);
    await again.has('second');
  });
});
