// What a message names: every element of a list, in both directions; what asks the client wherever
// it stands; and task ids, which belong to the session that was given them.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { BearerService } from '../services/mcp_bearer.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { call, modern, post } from './lib/mcp_http.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const sockets = new WebSocketService(path.join(dir, 'ws.sock'));
const service = new BearerService(path.join(dir, 'http.sock'));
const server_verbs = [
  'roots/list',
  'notifications/message',
  'notifications/resources/updated',
  'notifications/tasks',
  'notifications/tasks/status',
];
const allow = {
  verbs: [
    'tools/call',
    'subscriptions/listen',
    'tasks/list',
    'tasks/get',
    'tasks/result',
    'tasks/cancel',
    'tasks/update',
  ],
  targets: ['slow', 'echo', 'file:///public/*'],
  server_verbs,
};
const asks = { k: { method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } } };
const routes = [{ path: '/mcp', kind: 'mcp-http' }];
let gate;

before(async () => {
  sockets.defaults.message = (peer, data) => {
    const message = JSON.parse(data.toString());
    const answer = service.answer(message);
    service.seen.push({ path: 'ws', message });
    if (answer) peer.send(JSON.stringify(answer));
  };
  sockets.behave();
  await sockets.start();
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      ws: surface(sockets.socketPath, { dialect: 'mcp', allow }),
      http: surface(service.socketPath, { dialect: 'mcp', allow, routes }),
      'ws-any': surface(sockets.socketPath, { dialect: 'mcp' }),
      'http-any': surface(service.socketPath, { dialect: 'mcp', routes }),
    },
  });
});

beforeEach(() => {
  service.seen = [];
  service.says = undefined;
});
afterEach(hangUp);
after(() => stopAll(gate, sockets, service));

// A session: say(message) gives what answers it, over WebSocket or HTTP.
async function speaker(name, token) {
  if (name.startsWith('http')) {
    return {
      say: async (message) => (await post(gate, name, message, { token })).message,
      again: () => speaker(name, token),
    };
  }
  const client = await Client.open(gate, name, '/ws', { token });
  const link = await until(() => sockets.last?.upgraded && sockets.last, 'the link');
  return {
    client,
    link,
    say: async (message) => {
      client.sendJson(message);
      return client.nextJson();
    },
    again: async () => {
      await client.close();
      return speaker(name, token);
    },
  };
}

const open = async (name) => speaker(name, (await gate.session(name)).token);

const listen = (id, notifications) => call(id, 'subscriptions/listen', { notifications });
const reason = (answer) => answer.error?.data?.reason;

describe('finding 6: lists of targets', () => {
  for (const name of ['ws', 'http']) {
    it(`finding 6: every URI of a subscription is a target (${name})`, async () => {
      const { say } = await open(name);
      for (const uris of [
        ['file:///etc/passwd'],
        ['file:///public/a', 'file:///etc/passwd'],
        ['file:///public/%2e%2e/etc/passwd'],
      ]) {
        const mark = gate.mark();
        const answer = await say(listen(1, { resourceSubscriptions: uris }));
        assert.match(reason(answer) ?? 'passed', /^target_/, JSON.stringify(uris));
        await gate.audited(mark, {
          event: 'message_refused',
          verb: 'subscriptions/listen',
          target: uris.at(-1),
        });
      }
      assert.deepEqual(service.seen, []);
      assert.ok((await say(listen(2, { resourceSubscriptions: ['file:///public/a'] }))).result);
      assert.deepEqual(service.methods, ['subscriptions/listen']);
    });
  }

  it('finding 6: over HTTP in the modern era too', async () => {
    const { token } = await gate.session('http');
    const refused = await modern(gate, 'http', listen(1, { resourceSubscriptions: ['file:///etc/a'] }), { token });
    assert.deepEqual(service.seen, []);
    assert.equal(reason(refused.message), 'target_not_allowed');
  });

  it('finding 6: a list that is none, or holds what is no URI, does not pass', async () => {
    const { say } = await open('ws');
    for (const odd of ['file:///public/a', { 0: 'file:///public/a' }, [['file:///public/a']], [null]]) {
      const answer = await say(listen(1, { resourceSubscriptions: odd }));
      assert.equal(reason(answer) ?? 'passed', 'target_missing', JSON.stringify(odd));
    }
    const many = Array(1025).fill('file:///public/a');
    assert.equal(reason(await say(listen(2, { resourceSubscriptions: many }))) ?? 'passed', 'target_limit');
    assert.deepEqual(service.seen, []);
  });

  it('finding 6: what the service tells of a resource is a target too', async () => {
    const { client, link } = await open('ws');
    const updated = (uri) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
    const mark = gate.mark();
    link.send(JSON.stringify(updated('file:///etc/passwd')));
    link.send(JSON.stringify(updated('file:///public/a')));
    assert.equal((await client.nextJson()).params.uri, 'file:///public/a');
    await gate.audited(mark, { direction: 's2c', reason: 'target_not_allowed', target: 'file:///etc/passwd' });
  });
});

describe('finding 7: what asks the client', () => {
  const said = (method, params) => ({ jsonrpc: '2.0', method, params: { taskId: 't', ...params } });
  const hidden = [
    { inputRequests: asks },
    { result: { inputRequests: asks } },
    { task: { inputRequests: asks } },
    { inputRequests: [asks.k] },
  ];

  for (const method of ['notifications/tasks', 'notifications/tasks/status']) {
    it(`finding 7: in ${method} it may only what the service may (WebSocket)`, async () => {
      const { client, link } = await open('ws');
      for (const params of hidden) {
        const mark = gate.mark();
        link.send(JSON.stringify(said(method, params)));
        link.send(JSON.stringify(said(method, { inputRequests: { k: { method: 'roots/list' } } })));
        const { inputRequests } = (await client.nextJson()).params;
        assert.deepEqual(inputRequests, { k: { method: 'roots/list' } }, JSON.stringify(params));
        await gate.audited(mark, { direction: 's2c', verb: method });
      }
    });

    it(`finding 7: in ${method} it may only what the service may (HTTP)`, async () => {
      const { token } = await gate.session('http');
      for (const params of hidden) {
        service.says = [said(method, params), said(method, { status: 'working' })];
        const { messages } = await post(gate, 'http', call(1, 'tools/call', { name: 'echo' }), { token });
        assert.deepEqual(
          messages.map(({ method: told, id }) => told ?? id),
          [method, 1],
          JSON.stringify(params),
        );
        assert.equal(messages[0].params.status, 'working');
      }
    });
  }

  it('finding 7: nor by an error', async () => {
    const { say } = await open('ws');
    const data = { elicitations: [{ mode: 'url', elicitationId: 'e', url: 'https://a.example', message: 'open this' }] };
    const error = { code: -32042, message: 'open this first', data };
    sockets.behave({
      message: (peer, text) =>
        peer.send(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(text.toString()).id, error })),
    });
    const answer = await say(call(1, 'tools/call', { name: 'echo' }));
    sockets.behave();
    assert.equal(reason(answer), 'verb_not_allowed');
  });
});

describe('finding 7: a task', () => {
  const about = ['tasks/cancel', 'tasks/get', 'tasks/result', 'tasks/update'];

  for (const name of ['ws-any', 'http-any', 'ws', 'http']) {
    it(`finding 7: is of the session that was given it, whatever the globs say (${name})`, async () => {
      const mine = await open(name);
      const { taskId } = (await mine.say(call(1, 'tools/call', { name: 'slow' }))).result;
      const others = await open(name);
      service.seen = [];
      for (const method of about) {
        const mark = gate.mark();
        const answer = await others.say(call(2, method, { taskId }));
        assert.equal(service.tasks.get(taskId), 'working', `${method} reached the service`);
        assert.equal(reason(answer), 'handle_unknown', method);
        await gate.audited(mark, { event: 'message_refused', verb: method, reason: 'handle_unknown' });
      }
      assert.deepEqual(service.seen, []);
      for (const method of about) {
        assert.equal((await mine.say(call(3, method, { taskId }))).result?.taskId, taskId, method);
      }
      assert.equal(service.tasks.get(taskId), 'cancelled');
    });

    it(`finding 7: others are not listed (${name})`, async () => {
      const mine = await open(name);
      const others = await open(name);
      const { taskId } = (await mine.say(call(1, 'tools/call', { name: 'slow' }))).result;
      assert.deepEqual((await others.say(call(1, 'tasks/list'))).result.tasks, []);
      assert.deepEqual((await mine.say(call(2, 'tasks/list'))).result.tasks, [{ taskId, status: 'working' }]);
    });

    it(`finding 7: cannot be watched by others, nor spoken in the name of (${name})`, async () => {
      const mine = await open(name);
      const { taskId } = (await mine.say(call(1, 'tools/call', { name: 'slow' }))).result;
      const others = await open(name);
      const related = { 'io.modelcontextprotocol/related-task': { taskId } };
      service.seen = [];
      for (const message of [
        listen(2, { taskIds: [taskId] }),
        call(3, 'tools/call', { name: 'echo', _meta: related }),
      ]) {
        assert.equal(reason(await others.say(message)) ?? 'passed', 'handle_unknown', message.method);
        assert.deepEqual(service.seen, []);
      }
      assert.ok((await mine.say(listen(4, { taskIds: [taskId] }))).result);
      assert.ok((await mine.say(call(5, 'tools/call', { name: 'echo', _meta: related }))).result);
    });

    it(`finding 7: outlives the connection, and not the session (${name})`, async () => {
      const session = await gate.session(name);
      const first = await speaker(name, session.token);
      const { taskId } = (await first.say(call(1, 'tools/call', { name: 'slow' }))).result;
      const second = await first.again();
      assert.equal((await second.say(call(2, 'tasks/get', { taskId }))).result?.taskId, taskId);
      await gate.revoke(session.id);
      const third = await open(name);
      assert.equal(reason(await third.say(call(3, 'tasks/get', { taskId }))), 'handle_unknown');
    });
  }

  // The session goes on, and what it was given was given by another.
  it('is not of the surface that has changed since', async () => {
    const { surfaces } = gate.config;
    const [changed, same] = await Promise.all(['http-any', 'http'].map(open));
    const given = async ({ say }) => (await say(call(1, 'tools/call', { name: 'slow' }))).result.taskId;
    const [before, kept] = [await given(changed), await given(same)];
    gate.configure({ surfaces: { ...surfaces, 'http-any': { ...surfaces['http-any'], limits: { max_connections: 99 } } } });
    await gate.do('reload');
    assert.equal(reason(await changed.say(call(2, 'tasks/get', { taskId: before }))), 'handle_unknown');
    assert.equal((await same.say(call(2, 'tasks/get', { taskId: kept }))).result?.taskId, kept);
  });
});
