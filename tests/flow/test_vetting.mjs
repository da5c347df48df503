// Messages on a live connection, in both directions: what is not strict, not
// known or not allowed is refused, and nothing of it reaches the other side.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { until } from './lib/wait.mjs';

const REFUSED = -31403;

const dir = scratchDir();
// Answers every request with an empty result, and otherwise says nothing.
const service = new WebSocketService(path.join(dir, 'service.sock'));
let gate;
let token;
let client;
let link;

before(async () => {
  service.defaults.message = (peer, data) => {
    const { id, method } = JSON.parse(data.toString());
    if (method !== undefined && id !== undefined) {
      peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
    }
  };
  service.behave();
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      mcp: surface(service.socketPath, {
        dialect: 'mcp',
        allow: {
          verbs: ['tools/list', 'tools/call', 'resources/read'],
          targets: ['echo', 'search_*', 'file:///public/*'],
          server_verbs: ['roots/list', 'notifications/message'],
        },
      }),
    },
  });
  ({ token } = await gate.session('mcp'));
});

after(async () => {
  client?.terminate();
  await stopAll(gate, service);
});

beforeEach(async () => {
  client?.terminate();
  service.forget();
  service.behave();
  client = await Client.open(gate, 'mcp', '/ws', { token });
  link = await until(() => service.last?.upgraded && service.last, 'the link');
});

// The connection still carries a request and its answer.
async function alive() {
  const seen = link.messages.length;
  client.sendJson({ jsonrpc: '2.0', id: 'alive', method: 'tools/list' });
  assert.deepEqual(await client.nextJson(), { jsonrpc: '2.0', id: 'alive', result: {} });
  assert.equal(link.messages.length, seen + 1);
}

describe('what a client may say', () => {
  it('an allowed request passes byte for byte', async () => {
    const text = '{ "jsonrpc":"2.0" ,"id":1,"method":"tools/call",\n"params":{"name":"search_web","arguments":{"q":1e3,"z":0.1}}}';
    client.send(text);
    await client.next();
    assert.equal(link.messages[0].data.toString(), text);
  });

  it('a request refused gets an error with its own id, and nothing passes', async () => {
    for (const [id, method, params, reason] of [
      [1, 'tools/call', { name: 'shell' }, 'target_not_allowed'],
      ['two', 'tools/call', { name: 'ECHO' }, 'target_not_allowed'],
      [3, 'tools/call', { name: 'echo2' }, 'target_not_allowed'],
      [4, 'tools/call', {}, 'target_missing'],
      [5, 'resources/read', { uri: 'file:///etc/passwd' }, 'target_not_allowed'],
      [6, 'resources/list', {}, 'verb_not_allowed'],
      [7, 'shell/exec', {}, 'verb_unknown'],
      [-8, 'Tools/Call', { name: 'echo' }, 'verb_unknown'],
    ]) {
      const mark = gate.mark();
      client.sendJson({ jsonrpc: '2.0', id, method, params });
      const answer = await client.nextJson();
      assert.equal(answer.jsonrpc, '2.0');
      assert.equal(answer.id, id);
      assert.equal(typeof answer.error.message, 'string');
      assert.equal(answer.error.code, REFUSED);
      assert.equal('result' in answer, false);
      const line = await gate.audited(mark, { event: 'message_refused', reason });
      assert.equal(line.direction, 'c2s');
    }
    assert.deepEqual(link.messages, []);
    await alive();
  });

  it('a notification refused is dropped without an answer', async () => {
    const mark = gate.mark();
    client.sendJson({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    await gate.audited(mark, { event: 'message_refused', reason: 'verb_not_allowed' });
    await alive();
    assert.equal(link.messages.length, 1);
  });

  const smuggled = {
    'two methods': '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"shell"}}',
    'an escaped second method': '{"jsonrpc":"2.0","id":1,"method":"tools/list","\\u006dethod":"tools/call","params":{"name":"shell"}}',
    'two names': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"shell"}}',
    'an escaped second name': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","\\u006eame":"shell"}}',
    'Method beside method': '{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{"name":"shell"}}',
    'Name beside name': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"shell"}}',
    'params with a long s': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"param\u017f":{"name":"shell"}}',
    'a NUL in a key': '{"jsonrpc":"2.0","id":1,"method":"tools/list","method\\u0000":"tools/call","params":{"name":"shell"}}',
    'a NUL after a number': '{"jsonrpc":"2.0","id":1\0,"method":"tools/call","params":{"name":"shell"}}',
    'a byte order mark': '\ufeff{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    'a lone surrogate': '{"jsonrpc":"2.0","id":"\\ud800","method":"tools/list"}',
    'an id beyond 2^53': '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}',
    'an id with a fraction': '{"jsonrpc":"2.0","id":1.0,"method":"tools/list"}',
    'a null id': '{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
    'an object id': '{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
    'a method and a result': '{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}',
    'an unknown member': '{"jsonrpc":"2.0","id":1,"method":"tools/list","extra":1}',
    'a batch': '[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shell"}}]',
    'another version': '{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
    'no version': '{"id":1,"method":"tools/list"}',
    'a method that is no string': '{"jsonrpc":"2.0","id":1,"method":["tools/list"]}',
    'a name that is no string': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["echo"]}}',
    'params that are an array': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["shell"]}',
    'two values': '{"jsonrpc":"2.0","id":1,"method":"tools/list"}{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"shell"}}',
    'a trailing comma': '{"jsonrpc":"2.0","id":1,"method":"tools/list",}',
    'a comment': '{"jsonrpc":"2.0","id":1,/* */"method":"tools/list"}',
    'single quotes': "{'jsonrpc':'2.0','id':1,'method':'tools/list'}",
    'NaN': '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":NaN}}',
    'a number alone': '1',
    'nothing': '',
    'a response to nothing': '{"jsonrpc":"2.0","id":99,"result":{}}',
    'deep nesting': `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${'['.repeat(100)}${']'.repeat(100)}}`,
    'a raw line feed in a string': '{"jsonrpc":"2.0","id":1,"method":"tools\n/list"}',
  };
  for (const [name, text] of Object.entries(smuggled)) {
    it(`smuggling: ${name}`, async () => {
      const mark = gate.mark();
      client.send(text);
      const line = await gate.audited(mark, {
        event: /^(message_refused|closed)$/,
        reason: /^(json|message|batch|verb|target|response)_/,
      });
      if (line.reason.startsWith('json_')) {
        assert.equal((await client.end()).code, 1007, line.reason);
      } else if (!client.closed) {
        client.messages.length = 0;
      }
      // Whatever became of the connection, the service heard nothing.
      assert.deepEqual(link.messages.map(({ data }) => data.toString()), []);
    });
  }

  it('a second request with an id that is still outstanding', async () => {
    service.behave({ message: () => {} });
    client.sendJson({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    await until(() => link.messages.length === 1, 'the first');
    const mark = gate.mark();
    client.sendJson({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    await gate.audited(mark, { event: /^(message_refused|closed)$/, reason: 'request_id_reused' });
    assert.equal(link.messages.length, 1);
  });
});

describe('what a service may say', () => {
  it('an allowed request and notification pass, and the answer returns', async () => {
    link.send('{"jsonrpc":"2.0","id":"r1","method":"roots/list"}');
    assert.equal((await client.nextJson()).method, 'roots/list');
    client.sendJson({ jsonrpc: '2.0', id: 'r1', result: { roots: [] } });
    await until(() => link.messages.length === 1, 'the answer');
    link.send('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}');
    assert.equal((await client.nextJson()).method, 'notifications/message');
  });

  it('a request that is not allowed is answered by the gate, not shown to the client', async () => {
    const mark = gate.mark();
    link.send('{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{}}');
    await gate.audited(mark, { event: 'message_refused', direction: 's2c', reason: 'verb_not_allowed' });
    await until(() => link.messages.length === 1, 'the gate’s answer at the service');
    const answer = JSON.parse(link.messages[0].data.toString());
    assert.equal(answer.id, 5);
    assert.equal(answer.error.code, REFUSED);
    assert.deepEqual(client.messages, []);
    link.messages.length = 0;
    await alive();
  });

  it('a list shows only what the client may call, and is otherwise what was sent', async () => {
    const item = (name) => `{"name":"${name}", "n":1.0e2,"description":"ö \\u00e9 ]},{"}`;
    const list = (names, scope) =>
      `{ "id":"l","result":{"tools":[${names.map(item).join(', ')}],"nextCursor":"x","cacheScope": ${scope} },"jsonrpc":"2.0"}`;
    service.behave({ message: (peer) => peer.send(list(['echo', 'shell', 'search_web', 'ECHO'], '"public"')) });
    client.sendJson({ jsonrpc: '2.0', id: 'l', method: 'tools/list' });
    assert.equal(await client.next(), list(['echo', 'search_web'], '"private"'));
  });

  it('an answer may ask for what the service may ask, and for nothing else', async () => {
    const asking = (method) => ({
      resultType: 'input_required',
      inputRequests: { one: { method: 'roots/list' }, two: { method, params: {} } },
      requestState: 'ä',
    });
    let method = 'roots/list';
    service.behave({
      message: (peer, data) => {
        const { id } = JSON.parse(data.toString());
        peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: asking(method) }));
      },
    });
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo' } };
    client.sendJson(call);
    assert.deepEqual((await client.nextJson()).result, asking(method));
    method = 'sampling/createMessage';
    const mark = gate.mark();
    client.sendJson({ ...call, id: 2 });
    const { id, error } = await client.nextJson();
    assert.deepEqual([id, error.code, error.data.reason], [2, REFUSED, 'verb_not_allowed']);
    await gate.audited(mark, { event: 'message_refused', direction: 's2c', verb: 'tools/call' });
    assert.deepEqual(client.messages, []);
  });

  it('a response nobody asked for does not reach the client', async () => {
    const mark = gate.mark();
    link.send('{"jsonrpc":"2.0","id":12345,"result":{"forged":true}}');
    await gate.audited(mark, { direction: 's2c', reason: 'response_unexpected' });
    assert.deepEqual(client.messages, []);
  });

  it('a second response to the same request does not reach the client', async () => {
    service.behave({
      message: (peer, data) => {
        const { id } = JSON.parse(data.toString());
        peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: { n: 1 } }));
        peer.send(JSON.stringify({ jsonrpc: '2.0', id, result: { n: 2 } }));
      },
    });
    const mark = gate.mark();
    client.sendJson({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    assert.deepEqual((await client.nextJson()).result, { n: 1 });
    await gate.audited(mark, { direction: 's2c', reason: 'response_unexpected' });
    assert.deepEqual(client.messages, []);
  });

  it('a response whose id is of another type does not reach the client', async () => {
    service.behave({
      message: (peer, data) => {
        const { id } = JSON.parse(data.toString());
        peer.send(JSON.stringify({ jsonrpc: '2.0', id: String(id), result: {} }));
      },
    });
    const mark = gate.mark();
    client.sendJson({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    await gate.audited(mark, { direction: 's2c', reason: 'response_unexpected' });
    assert.deepEqual(client.messages, []);
  });

  for (const [name, text] of Object.entries({
    'not JSON': 'hello',
    'two ids': '{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
    'an unknown method': '{"jsonrpc":"2.0","method":"notifications/surprise"}',
  })) {
    it(`${name} does not reach the client`, async () => {
      const mark = gate.mark();
      link.send(text);
      await gate.audited(mark, {
        event: /^(message_refused|closed)$/,
        reason: /^(json|verb)_/,
      });
      assert.deepEqual(client.messages, []);
    });
  }
});

describe('sidelock vet', () => {
  it('gives the verdicts of the live path, without a service', async () => {
    const lines = [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}',
      '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"shell"}}',
      '{"jsonrpc":"2.0","id":3,"method":"tools/list","method":"x"}',
    ];
    const { stdout } = await gate.cli('vet', '--surface', 'mcp', { input: `${lines.join('\n')}\n` });
    const verdicts = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(
      verdicts.map(({ verdict, reason, verb, target }) => [verdict, reason, verb, target]),
      [
        ['allow', 'allowed', 'tools/call', 'echo'],
        ['deny', 'target_not_allowed', 'tools/call', 'shell'],
        ['deny', 'json_duplicate_key', verdicts[2].verb, verdicts[2].target],
      ],
    );
  });
});
