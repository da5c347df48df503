// What a reviewer of the relay asked: connections that are used in odd ways, by
// clients that pipeline and services that answer early, late or too much.
import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { acceptKey } from '../services/frames.mjs';
import { HttpService } from '../services/http_service.mjs';
import { Gate, scratchDir, surface } from './lib/gate.mjs';
import { EventStream, ask, keepAlive } from './lib/http.mjs';
import { call } from './lib/mcp_http.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { sameWorkers } from './lib/same_workers.mjs';
import { pause, settled, until } from './lib/wait.mjs';

const READ_BYTES = 64 * 1024; // what the gate reads of a service at once

const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
let gate;
const tokens = {};

const routes = [{ path: '/{any...}', kind: 'http', methods: ['GET', 'POST', 'PUT'] }];

before(async () => {
  await service.start();
  const http = (more = {}) => surface(service.socketPath, { dialect: 'opaque', routes, ...more });
  const mcp = (more = {}) =>
    surface(service.socketPath, {
      dialect: 'mcp',
      routes: [{ path: '/mcp', kind: 'mcp-http' }],
      allow: { verbs: ['tools/list'] },
      ...more,
    });
  gate = await Gate.start(dir, {
    surfaces: {
      http: http(),
      both: http({
        routes: [
          { path: '/echo', kind: 'http' },
          { path: '/ws', kind: 'websocket' },
        ],
      }),
      small: http({ limits: { max_connections: 4, max_connections_per_caller: 4 } }),
      quick: http({ limits: { response_timeout_ms: 2000 } }),
      mcp: mcp(),
      brief: mcp({ limits: { message_timeout_ms: 1000 } }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) {
    tokens[name] = (await gate.session(name)).token;
  }
});

sameWorkers(() => gate, service);

// A connection to a surface, and the text of a request to it.
async function connect(name) {
  const raw = await Raw.connect(gate.port(name));
  const text = (options) =>
    requestText({ host: `localhost:${gate.port(name)}`, token: tokens[name], upgrade: false, ...options });
  return { raw, text };
}

function post(text, message) {
  const body = JSON.stringify(message);
  return text({
    method: 'POST',
    path: '/mcp',
    headers: [
      ['Content-Type', 'application/json'],
      ['Accept', 'application/json, text/event-stream'],
      ['Content-Length', Buffer.byteLength(body)],
    ],
    body,
  });
}

// Answers each message with an empty list of tools.
async function tools(exchange) {
  await exchange.whole;
  return exchange.json({ jsonrpc: '2.0', id: exchange.service.requests.indexOf(exchange) + 1, result: { tools: [] } });
}

describe('several requests in one packet', () => {
  it('each message is vetted and answered, in their order', async () => {
    service.routes['/mcp'] = tools;
    const { raw, text } = await connect('mcp');
    raw.send([1, 2, 3].map((id) => post(text, call(id, 'tools/list'))).join(''));
    for (const id of [1, 2, 3]) assert.equal((await raw.response()).json.id, id);
    assert.equal(service.requests.length, 3);
  });

  it('as many refusals as fit', async () => {
    const { raw, text } = await connect('mcp');
    const ids = Array.from({ length: 200 }, (_, i) => i + 1);
    raw.send(ids.map((id) => post(text, call(id, 'tools/call', { name: 'x' }))).join(''));
    for (const id of ids) assert.equal((await raw.response()).json.id, id);
    assert.equal(service.requests.length, 0);
  });

  it('a body in chunks ends where it ends', async () => {
    const { raw, text } = await connect('http');
    const chunked = { method: 'POST', path: '/echo', headers: [['Transfer-Encoding', 'chunked']] };
    raw.send(`${text({ ...chunked, body: '3\r\nabc\r\n0\r\n\r\n' })}${text({ path: '/echo?2' })}`);
    assert.equal((await raw.response()).json.bodyBytes, 3);
    assert.equal((await raw.response()).json.target, '/echo?2');
    raw.send(text({ ...chunked, body: '3\r\nab' }));
    await until(() => service.requests.length === 3, 'the request');
    raw.send(`c\r\n0\r\n\r\n${text({ path: '/echo?4' })}`);
    assert.equal((await raw.response()).json.bodyBytes, 3);
    assert.equal((await raw.response()).json.target, '/echo?4');
  });
});

describe('what the service does', () => {
  it('a stream that answers a message may last longer than a message may take', async () => {
    let stream;
    service.routes['/mcp'] = async (exchange) => {
      await exchange.whole;
      await exchange.head(200, [['Content-Type', 'text/event-stream']]);
      await exchange.write(': begun\n\n');
      stream = exchange;
    };
    const events = await EventStream.open(gate, 'brief', '/mcp', {
      method: 'POST',
      token: tokens.brief,
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify(call(1, 'tools/list')),
    });
    await events.has(':');
    await pause(2500); // the limit is 1000
    const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [] } });
    stream.socket.write(`data: ${answer}\n\n`);
    await events.has('"result"');
    stream.close();
    await events.end();
  });

  it('a large answer before the body was read arrives whole', async () => {
    const size = 150_000;
    service.routes['/refuse'] = async (exchange) => {
      const { socket } = exchange;
      socket.pause();
      await exchange.head(413, [['Content-Length', size], ['Connection', 'close']]);
      socket.write(Buffer.alloc(size, 'r'), () => socket.destroy());
    };
    for (let i = 0; i < 10; i++) {
      const { raw, text } = await connect('http');
      const headers = [['Content-Length', 50_000_000]];
      raw.send(text({ method: 'PUT', path: '/refuse', headers, body: 'x'.repeat(200_000) }));
      const response = await raw.response();
      assert.equal(response.status, 413);
      assert.equal(response.body.length, size);
    }
  });

  it('bytes after an answer are no answer to the next request', async () => {
    const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
    service.routes['/poison'] = async (exchange) => {
      const head = (length) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;
      const length = READ_BYTES - head(60_000).length;
      exchange.socket.write(head(length) + 'x'.repeat(length) + poison);
      exchange.end();
    };
    const { raw, text } = await connect('http');
    raw.send(text({ path: '/poison' }) + text({ path: '/echo?mine' }));
    assert.equal((await raw.response()).status, 200);
    assert.equal((await raw.response()).json.target, '/echo?mine');
  });

  it('to HEAD a failure has no body, and a browser is shown a page', async () => {
    const { raw, text } = await connect('http');
    raw.send(text({ method: 'HEAD', path: '/gone' }));
    await raw.gone();
    const [head, body] = raw.pending.toString().split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 502 /);
    assert.equal(body, '');
    const headers = { 'sec-fetch-mode': 'navigate', accept: 'text/html' };
    const page = await ask(gate, 'http', '/gone', { token: tokens.http, headers });
    assert.equal(page.status, 502);
    assert.match(page.headers['content-type'], /^text\/html/);
  });

  it('refusals do not pile up for a client that does not read its stream', async () => {
    const event = (data, type = 'message') => `event: ${type}\ndata: ${data}\n\n`;
    const params = { level: 'info', data: 'x'.repeat(16_000) };
    const note = event(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params }));
    let written = 0;
    service.routes['/mcp'] = async (exchange) => {
      await exchange.head(200, [['Content-Type', 'text/event-stream']]);
      await exchange.write(event('/mcp?sessionId=1', 'endpoint'));
      for (; written < 4000 && !exchange.socket.destroyed; written++) await exchange.write(note);
    };
    const stream = await Raw.connect(gate.port('mcp'), { paused: true });
    const { raw, text } = await connect('mcp');
    stream.send(text({ path: '/mcp', headers: [['Accept', 'text/event-stream']] }));
    await until(() => written > 0, 'the stream to begin');
    // Long enough that a loaded machine's pauses are not taken for it.
    assert.ok((await settled(() => written, 2000)) < 4000, 'the stream has stalled');
    const say = (options) => text({ ...options, path: '/mcp?sessionId=1' });
    // Told on the stream, until it is full or the client is cut for being refused so often.
    let told = 0;
    for (let status = 202; status === 202; told += status === 202) {
      raw.send(post(say, call(told, 'tools/call', { name: 'x' })));
      status = (await raw.response().catch(() => ({}))).status;
    }
    assert.ok(told > 0 && told < 700, `${told} refusals were told`);
    stream.destroy();
  });

  it('the wait for its answer begins when it has the request', async () => {
    const answer = await ask(gate, 'quick', '/sink', {
      method: 'POST',
      token: tokens.quick,
      headers: { 'content-length': '10' },
      send: async (request) => {
        for (let i = 0; i < 10; i++) {
          request.write('x');
          await pause(300); // 3000 in all, and the limit is 2000
        }
        request.end();
      },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.json.bodyBytes, 10);
  });
});

describe('what the audit log says', () => {
  it('of a connection used by two sessions, to each what it did', async () => {
    const agent = keepAlive();
    const mark = gate.mark();
    const other = await gate.session('http');
    const get = (token) => ask(gate, 'http', '/echo', { token, agent });
    for (let i = 0; i < 3; i++) await get(tokens.http);
    for (let i = 0; i < 2; i++) await get(other.token);
    agent.destroy();
    const line = await gate.audited(mark, { event: 'closed', session: other.id });
    assert.equal(line.requests, 2);
    // Connections of the tests before, to other surfaces, may end late.
    const closed = gate
      .auditLines()
      .slice(mark)
      .filter(({ event, surface }) => event === 'closed' && surface === 'http');
    assert.deepEqual(closed.map(({ requests }) => requests), [3, 2]);
  });

  it('of one that became a WebSocket, its end once', async () => {
    service.routes['/ws'] = (exchange) =>
      exchange.head(101, [
        ['Upgrade', 'websocket'],
        ['Connection', 'Upgrade'],
        ['Sec-WebSocket-Accept', acceptKey(exchange.header('sec-websocket-key'))],
      ]);
    const { raw, text } = await connect('both');
    const mark = gate.mark();
    raw.send(text({ path: '/echo' }));
    assert.equal((await raw.response()).status, 200);
    raw.send(text({ path: '/ws', upgrade: true }));
    assert.equal((await raw.response()).status, 101);
    raw.destroy();
    await gate.untilIdle('both');
    await gate.audited(mark, { event: 'closed', surface: 'both', reason: 'client_closed', messages_c2s: 0 });
    const { raw: next, text: again } = await connect('both');
    next.send(again({ path: '/nowhere' }));
    await gate.audited(mark, { event: 'denied', surface: 'both' }); // written after all of before
    const closed = gate.auditLines().slice(mark).filter(({ event }) => event === 'closed');
    assert.deepEqual(closed.map(({ requests }) => requests), [1, undefined]);
  });
});

describe('what is cut while it is under way', () => {
  // A request of each kind that is not answered yet, of one session.
  async function pending(token) {
    const held = await connect('mcp');
    held.raw.send(post((options) => held.text({ ...options, token }), call(1, 'tools/list')).slice(0, -5));
    const asked = await connect('mcp');
    service.routes['/mcp'] = () => {};
    asked.raw.send(post((options) => asked.text({ ...options, token }), call(1, 'tools/list')));
    await until(() => service.requests.length === 1, 'the service to be asked');
    return [held.raw, asked.raw];
  }

  it('by a revoked session: the client is told, the service has its links back', async () => {
    const session = await gate.session('mcp');
    const connections = await pending(session.token);
    await until(async () => (await gate.connections('mcp')) === 2, 'two connections');
    await gate.revoke(session.id);
    const [held, asked] = connections;
    const denied = await held.response();
    assert.deepEqual([denied.status, denied.json.reason], [401, 'session_revoked']);
    const { json } = await asked.response(); // in MCP's words, for the service has heard of it
    assert.deepEqual([json.id, json.error.data.reason], [1, 'session_revoked']);
    for (const raw of connections) await raw.gone();
    await gate.untilIdle('mcp');
    await until(() => service.requests[0].aborted, 'the service to be told');
  });

  it('by its session’s end, also between two requests', async () => {
    const mark = gate.mark();
    const { id, token } = await gate.session('http', '--ttl', '4s');
    const { raw, text } = await connect('http');
    raw.send(text({ path: '/echo', token }));
    assert.equal((await raw.response()).status, 200);
    await raw.gone();
    await gate.audited(mark, { event: 'closed', session: id, reason: 'session_expired', requests: 1 });
    assert.equal(await gate.connections('http'), 0);
  });

  it('by a client that leaves before its link is there', async () => {
    for (let i = 0; i < 50; i++) {
      const { raw, text } = await connect('http');
      raw.send(text({ path: `/slow?${i}` }));
      if (i % 2) await until(() => service.requests.length > 0, 'a request');
      raw.destroy();
    }
    await gate.untilIdle('http');
    service.release();
    await until(() => service.open.size <= 64, 'links to be closed');
    const { raw, text } = await connect('http');
    raw.send(text({ path: '/echo' }));
    assert.equal((await raw.response()).status, 200);
  });

  it('by the end of the gate', async () => {
    const other = scratchDir();
    const own = await Gate.start(other, { surfaces: { http: gate.config.surfaces.http } });
    const { token } = await own.session('http');
    const stream = await EventStream.open(own, 'http', '/sse', { token });
    await stream.has('hello');
    const say = (options) => requestText({ host: `localhost:${own.port('http')}`, token, upgrade: false, ...options });
    const [idle, half, slow, silent] = await Promise.all([1, 2, 3, 4].map(() => Raw.connect(own.port('http'))));
    idle.send(say({ path: '/echo' }));
    assert.equal((await idle.response()).status, 200);
    const seen = service.requests.length;
    half.send(say({ method: 'POST', path: '/sink', headers: [['Content-Length', 10]], body: 'half' }));
    slow.send(say({ path: '/slow' }));
    await until(() => service.requests.length === seen + 2, 'both requests');
    await own.stop();
    assert.equal((await slow.response()).status, 503);
    for (const raw of [idle, half, silent]) await raw.gone();
    await stream.end();
  });
});

describe('room', () => {
  it('idle connections of those with a token give way to others with one, and to nobody else', async () => {
    const { raw, text } = await connect('small');
    const asks = async (one) => {
      one.send(text({ path: '/echo' }));
      assert.equal((await one.response()).status, 200);
    };
    await asks(raw);
    for (let i = 0; i < 6; i++) await Raw.connect(gate.port('small'));
    await asks(raw);
    const others = [];
    for (let i = 0; i < 4; i++) {
      assert.ok(!raw.ended);
      others.push((await connect('small')).raw);
      await asks(others[i]);
    }
    await raw.gone();
    for (const one of others) assert.ok(!one.ended);
  });
});
