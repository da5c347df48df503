// MCP over HTTP on the wire: what the gate vets, refuses and carries, said by hand.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { EventStream, ask } from './lib/http.mjs';
import { MODERN, REFUSED, call, initialize, modern, post } from './lib/mcp_http.mjs';
import { startMcpV2 } from './lib/programs.mjs';

const VERSION = '2025-11-25';

const dir = scratchDir();
const socketPath = path.join(dir, 'v2.sock');
const odd = new HttpService(path.join(dir, 'odd.sock'));
const tokens = {};
let server;
let gate;
let workers;

const allow = {
  verbs: ['tools/list', 'tools/call', 'prompts/list', 'resources/list', 'resources/read', 'subscriptions/listen'],
  targets: ['echo', 'test_*', 'test://static-*'],
};

function mcp(socket, more = {}) {
  const routes = [{ path: '/mcp', kind: 'mcp-http' }];
  return surface(socket, { dialect: 'mcp', routes, allow, ...more });
}

before(async () => {
  server = await startMcpV2(socketPath);
  await odd.start();
  gate = await Gate.start(dir, {
    surfaces: {
      mcp: mcp(socketPath, { limits: { max_message_bytes: 64 * 1024 } }),
      observed: mcp(socketPath, { mode: 'observe' }),
      odd: mcp(odd.socketPath, { limits: { max_message_bytes: 64 * 1024, max_answer_bytes: 64 * 1024 } }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) {
    tokens[name] = (await gate.session(name)).token;
  }
  workers = gate.workers();
});

after(async () => {
  await stopAll(gate, server, odd);
});

afterEach(() => {
  hangUp();
  assert.deepEqual(gate.workers(), workers, 'no worker died');
  odd.forget();
});

const echo = (id, message = 'x') => call(id, 'tools/call', { name: 'echo', arguments: { message } });
const textOf = (answer) => answer.message.result.content[0].text;

// An MCP session of its own: (message, options) => answer.
async function opened(name = 'mcp', token = tokens[name]) {
  const session = await initialize(gate, name, token);
  const say = (message, options = {}) =>
    post(gate, name, message, { token, session, version: VERSION, ...options });
  return Object.assign(say, { session });
}

function stream(say, headers = {}, token = tokens.mcp) {
  return EventStream.open(gate, 'mcp', '/mcp', {
    token,
    headers: {
      accept: 'text/event-stream',
      'mcp-session-id': say.session,
      'mcp-protocol-version': VERSION,
      ...headers,
    },
  });
}

describe('the older revisions', () => {
  it('call, list and are accepted', async () => {
    const say = await opened();
    const answer = await say(echo(7, 'grüße'));
    assert.equal(answer.status, 200);
    assert.equal(answer.message.id, 7);
    assert.equal(textOf(answer), 'grüße');
    const cancelled = { requestId: 7, reason: 'too late' };
    const note = { jsonrpc: '2.0', method: 'notifications/cancelled', params: cancelled };
    assert.equal((await say(note)).status, 202);
    const mark = gate.mark();
    const other = { jsonrpc: '2.0', method: 'notifications/roots/list_changed' };
    assert.equal((await say(other)).status, 403, 'a notification that is not on the list');
    await gate.audited(mark, { event: 'message_refused', reason: 'verb_not_allowed' });
  });

  it('lists hold what the session may use', async () => {
    const say = await opened();
    const names = (list, key = 'name') => list.map((one) => one[key]);
    const tools = names((await say(call(1, 'tools/list'))).message.result.tools);
    assert.ok(tools.includes('echo') && tools.includes('test_simple_text'));
    assert.ok(!tools.includes('json_schema_2020_12_tool'));
    const uris = names((await say(call(2, 'resources/list'))).message.result.resources, 'uri');
    assert.deepEqual(uris.sort(), ['test://static-binary', 'test://static-text']);
    const narrow = await gate.session('mcp', '--tool', 'echo', '--tool', 'test_simple_*');
    const less = await opened('mcp', narrow.token);
    const few = names((await less(call(1, 'tools/list'))).message.result.tools);
    assert.deepEqual(few.sort(), ['echo', 'test_simple_text']);
    const prompts = names((await less(call(2, 'prompts/list'))).message.result.prompts);
    assert.deepEqual(prompts, ['test_simple_prompt']);
  });

  it('a refusal is a JSON-RPC error with the id, in an answer that clients read', async () => {
    const say = await opened();
    for (const [message, reason] of [
      [call(11, 'tools/call', { name: 'json_schema_2020_12_tool', arguments: {} }), 'target_not_allowed'],
      [call('twelve', 'logging/setLevel', { level: 'debug' }), 'verb_not_allowed'],
      [call(13, 'resources/read', { uri: 'file:///etc/passwd' }), 'target_not_allowed'],
      [call(14, 'no/such/method'), 'verb_unknown'],
    ]) {
      const mark = gate.mark();
      const answer = await say(message);
      assert.equal(answer.status, 200, answer.body);
      assert.equal(answer.message.id, message.id);
      assert.equal(answer.message.error.code, reason === 'verb_unknown' ? answer.message.error.code : REFUSED);
      assert.equal(answer.message.result, undefined);
      await gate.audited(mark, { event: 'message_refused', reason, direction: 'c2s' });
    }
    assert.equal(textOf(await say(echo(15, 'still here'))), 'still here');
  });

  it('observe mode records and lets pass', async () => {
    const say = await opened('observed');
    const mark = gate.mark();
    const answer = await say(
      call(1, 'tools/call', { name: 'json_schema_2020_12_tool', arguments: { phone: '1' } }),
    );
    assert.ok(answer.message.result, answer.body);
    await gate.audited(mark, { reason: 'target_not_allowed', target: 'json_schema_2020_12_tool' });
  });

  it('GET is a stream, DELETE ends the session, and what has ended is 404', async () => {
    const say = await opened();
    const events = await stream(say);
    assert.equal(events.status, 200);
    assert.match(events.headers['content-type'], /^text\/event-stream/);
    const headers = { 'mcp-session-id': say.session, 'mcp-protocol-version': VERSION, accept: '*/*' };
    const gone = await ask(gate, 'mcp', '/mcp', { method: 'DELETE', token: tokens.mcp, headers });
    assert.equal(gone.status, 200);
    await events.end();
    assert.equal((await say(echo(1))).status, 404);
  });

  it('a stream that was cut is resumed with Last-Event-ID', async () => {
    const say = await opened();
    // The tool closes its stream; what is left of it is asked for again.
    const first = await say(call(5, 'tools/call', { name: 'test_reconnection', arguments: {} }));
    const ids = [...first.body.matchAll(/^id: ?(.+)$/gm)].map(([, id]) => id.trim());
    assert.ok(ids.length > 0, `a priming event: ${first.body}`);
    const rest = await stream(say, { 'last-event-id': ids.at(-1) });
    await rest.has('closed and resumed');
    assert.equal(JSON.parse(rest.events.find(({ data }) => data).data).id, 5);
  });

  it('another session’s Mcp-Session-Id is 404, with every method', async () => {
    const say = await opened();
    const other = (await gate.session('mcp')).token;
    const mark = gate.mark();
    const headers = { 'mcp-session-id': say.session, 'mcp-protocol-version': VERSION };
    const answers = [
      await say(echo(1), { token: other }),
      await ask(gate, 'mcp', '/mcp', {
        token: other,
        headers: { ...headers, accept: 'text/event-stream' },
      }),
      await ask(gate, 'mcp', '/mcp', { method: 'DELETE', token: other, headers }),
      await say(echo(1), { session: 'made-up' }),
    ];
    for (const answer of answers) assert.equal(answer.status, 404, answer.body);
    await gate.audited(mark, { reason: 'mcp_session_unknown' });
    assert.equal(textOf(await say(echo(2, 'mine'))), 'mine');
  });

  it('an answer that nobody asked for is refused', async () => {
    const say = await opened();
    const mark = gate.mark();
    const answer = await say({ jsonrpc: '2.0', id: 99, result: {} });
    assert.ok(answer.status >= 400, `${answer.status}`);
    await gate.audited(mark, { reason: 'response_unexpected' });
  });
});

describe('2026-07-28', () => {
  const say = (message, options = {}) =>
    modern(gate, 'mcp', message, { token: tokens.mcp, ...options });

  it('calls and lists, filtered', async () => {
    assert.equal(textOf(await say(echo(1, 'new'))), 'new');
    const tools = (await say(call(2, 'tools/list'))).message.result.tools.map(({ name }) => name);
    assert.ok(tools.includes('echo') && !tools.includes('json_schema_2020_12_tool'));
  });

  it('an unknown method is 404 with -32601 and the id, as a server says it', async () => {
    const mark = gate.mark();
    const answer = await say(call('n1', 'no/such/method'));
    assert.equal(answer.status, 404);
    assert.equal(answer.message.error.code, -32601);
    assert.equal(answer.message.id, 'n1');
    await gate.audited(mark, { reason: 'verb_unknown' });
  });

  it('a tool that may not be used is refused with the id', async () => {
    const answer = await say(
      call(4, 'tools/call', { name: 'json_schema_2020_12_tool', arguments: {} }),
    );
    assert.equal(answer.message.error.code, REFUSED, answer.body);
    assert.equal(answer.message.id, 4);
  });

  it('headers that say something else than the body: 400 with -32020', async () => {
    for (const headers of [
      { 'mcp-method': 'tools/list' },
      { 'mcp-name': 'test_simple_text' },
      { 'mcp-protocol-version': VERSION },
    ]) {
      const answer = await say(echo(8), { headers });
      assert.equal(answer.status, 400, JSON.stringify(headers));
      assert.equal(answer.message.error.code, -32020);
      assert.equal(answer.message.id, 8);
    }
    const encoded = { 'mcp-name': `=?base64?${Buffer.from('echo').toString('base64')}?=` };
    assert.equal(textOf(await say(echo(9, 'same'), { headers: encoded })), 'same');
  });

  it('what changes is told at once, and a client that goes ends its subscription', async () => {
    const body = JSON.stringify({
      ...call(20, 'subscriptions/listen'),
      params: {
        notifications: { toolsListChanged: true },
        _meta: {
          'io.modelcontextprotocol/protocolVersion': MODERN,
          'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1.0.0' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    });
    const events = await EventStream.open(gate, 'mcp', '/mcp', {
      method: 'POST',
      token: tokens.mcp,
      body,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'subscriptions/listen',
      },
    });
    await events.has('notifications/subscriptions/acknowledged');
    const trigger = { name: 'test_trigger_tool_change', arguments: {} };
    assert.equal((await say(call(21, 'tools/call', trigger))).status, 200);
    await events.has('notifications/tools/list_changed');
    events.close();
    await gate.untilIdle('mcp');
  });
});

describe('a body that cannot be vetted', () => {
  // Refused with this status; nothing of it reaches the service.
  async function refused(body, status, reason, headers = {}) {
    const mark = gate.mark();
    const answer = await post(gate, 'odd', body, { token: tokens.odd, headers });
    assert.equal(answer.status, status, `${body.slice(0, 60)}: ${answer.body}`);
    await gate.audited(mark, { reason });
    assert.equal(odd.requests.length, 0);
  }

  const list = JSON.stringify(call(1, 'tools/list'));

  it('is not application/json in UTF-8, or encoded: 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16']) {
      await refused(list, 415, 'content_type', { 'content-type': type });
    }
    await refused(list, 415, 'content_encoding', { 'content-encoding': 'gzip' });
  });

  it('is too large: 413', async () => {
    await refused(JSON.stringify(echo(1, 'x'.repeat(64 * 1024))), 413, 'message_too_big');
  });

  it('is not strict JSON, or not one message: 400', async () => {
    await refused('{"jsonrpc":"2.0","id":1,"method":"tools/list"', 400, 'json_syntax');
    await refused(
      '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}',
      400,
      'json_duplicate_key',
    );
    await refused(`[${list}]`, 400, 'batch_refused');
    await refused('{}', 400, 'message_shape');
  });
});

describe('a service that answers oddly', () => {
  const say = (message) => post(gate, 'odd', message, { token: tokens.odd });

  // Lets the service answer every POST with these bytes of this type.
  function answerWith(type, ...parts) {
    odd.routes['/mcp'] = async (exchange) => {
      await exchange.whole;
      await exchange.head(200, [
        ['Content-Type', type],
        ['Connection', 'close'],
      ]);
      for (const part of parts) {
        await exchange.write(part);
        await new Promise((resolve) => setImmediate(resolve));
      }
      exchange.close();
    };
  }

  const result = (id) => JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [{ name: 'echo' }] } });

  it('events with any line end, split anywhere, are read as they are meant', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const text = `: hello${end}id: 1${end}data:${end}${end}event: message${end}data: ${result(3)}${end}${end}`;
      for (const size of [1, 7, text.length]) {
        const parts = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g'));
        answerWith('text/event-stream', ...parts);
        const answer = await say(call(3, 'tools/list'));
        assert.equal(answer.status, 200);
        assert.deepEqual(answer.message, JSON.parse(result(3)), JSON.stringify(end));
      }
    }
  });

  it('data of several lines is one message', async () => {
    const [head, tail] = result(4).split(',"result"');
    answerWith('text/event-stream', `data: ${head}\ndata: ,"result"${tail}\n\n`);
    assert.deepEqual((await say(call(4, 'tools/list'))).message, JSON.parse(result(4)));
  });

  it('what was not asked for, or is no message, does not reach the client', async () => {
    for (const bad of [
      result(999),
      '{"jsonrpc":"2.0","id":5,"result":{},"result":{}}',
      'not json',
      JSON.stringify(call(1, 'no/such/request')),
    ]) {
      answerWith('text/event-stream', `data: ${bad}\n\ndata: ${result(5)}\n\n`);
      const mark = gate.mark();
      const answer = await say(call(5, 'tools/list')).catch((error) => ({ body: String(error) }));
      assert.ok(!answer.body.includes(bad), bad);
      await gate.audited(mark, { surface: 'odd', direction: 's2c' });
      answerWith('application/json', bad);
      const plain = await say(call(5, 'tools/list')).catch((error) => ({ body: String(error) }));
      assert.ok(!plain.body.includes(bad), bad);
    }
  });

  it('a line without end is cut, not kept', async () => {
    answerWith('text/event-stream', 'data: ', ...Array(40).fill('x'.repeat(4096)));
    const mark = gate.mark();
    const answer = await say(call(6, 'tools/list')).catch((error) => ({ body: String(error) }));
    assert.ok(answer.body.length < 64 * 1024);
    await gate.audited(mark, { surface: 'odd', event: 'closed', reason: 'answer_too_big' });
  });

  it('HTML where a message should be is not passed on', async () => {
    answerWith('text/html', '<script>alert(1)</script>');
    const answer = await say(call(7, 'tools/list'));
    assert.deepEqual([answer.message.id, answer.message.error.data.cause], [7, 'content_type'], answer.body);
    assert.doesNotMatch(answer.body, /script/);
  });
});
