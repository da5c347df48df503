// Plain HTTP routes: what reaches the service, what comes back, and what happens
// when either side misbehaves.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { HttpService, RANGE_BODY } from '../services/http_service.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask, finish, hangUp, keepAlive, start } from './lib/http.mjs';
import { Raw, assertProblem, request, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const ANY = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const MAX_BODY_BYTES = 64 * 1024;

const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
let gate;
let workers;
const tokens = {};

function http(routes, more = {}) {
  return surface(service.socketPath, { dialect: 'opaque', routes, ...more });
}

const everywhere = { path: '/{any...}', kind: 'http', methods: ANY };

before(async () => {
  await service.start();
  const limits = {
    response_timeout_ms: 400,
    body_timeout_ms: 400,
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
  workers = gate.workers();
});

after(async () => {
  await stopAll(gate, service);
});

afterEach(() => {
  hangUp();
  assert.deepEqual(gate.workers(), workers, 'no worker died');
  service.release();
  service.hold();
  service.forget();
});

const get = (where, options = {}) => ask(gate, 'any', where, { token: tokens.any, ...options });

// What the service was sent, as /echo tells it.
async function echoed(name, options = {}) {
  const answer = await ask(gate, name, options.path ?? '/echo', { token: tokens[name], ...options });
  assert.equal(answer.status, 200, answer.body);
  const header = (wanted) => answer.json.headers.find(([key]) => key === wanted)?.[1];
  return { ...answer.json, header };
}

// A request that must be refused by the gate, recorded, and not reach the service.
async function refused(name, where, options, status, reason) {
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

describe('routes', () => {
  it('GET and HEAD unless the route names methods; 405 says which', async () => {
    assert.equal((await ask(gate, 'routes', '/echo', { token: tokens.routes })).status, 200);
    const answer = await refused('routes', '/echo', { method: 'POST', body: 'x' }, 405, 'method_refused');
    assert.deepEqual(answer.headers.allow.split(/, */).sort(), ['GET', 'HEAD']);
    const other = await refused('routes', '/sink', { method: 'GET' }, 405, 'method_refused');
    assert.equal(other.headers.allow, 'POST');
    await refused('routes', '/status/200', { method: 'PUT', body: '' }, 405, 'method_refused');
    await refused('any', '/echo', { method: 'TRACE' }, 405, 'method_refused');
  });

  it('a path without a route is 404, whatever the token may do elsewhere', async () => {
    await refused('routes', '/nowhere', {}, 404, 'route_unknown');
    await refused('routes', '/status/a/b', {}, 404, 'route_unknown');
    await refused('routes', '/status', {}, 404, 'route_unknown');
  });

  it('a name matches one segment, a name with dots what is left', async () => {
    const one = await ask(gate, 'routes', '/status/418', { token: tokens.routes });
    assert.equal(one.status, 418);
    assert.equal((await get('/status/299')).status, 299);
    for (const where of ['/', '/a', '/a/b/c', '/a/', '/%E2%82%AC/x']) {
      const answer = await get(where);
      assert.equal(answer.body, 'no such route', where); // the service's own answer
      assert.equal(service.last.target, where);
    }
  });

  it('no token, a wrong one and one of another surface: 401 with a challenge', async () => {
    for (const [token, reason] of [
      [undefined, 'credential_missing'],
      ['x.y.z', 'token_malformed'],
      [tokens.routes, 'token_wrong_surface'],
    ]) {
      const answer = await refused('any', '/echo', { token }, 401, reason);
      assert.match(answer.headers['www-authenticate'], /^Bearer\b/);
    }
  });

  it('a WebSocket’s path without an upgrade, and an upgrade on a plain path', async () => {
    await refused('routes', '/ws', {}, 426, 'upgrade_required');
    const { raw, response } = await request(gate, 'routes', { path: '/echo', token: tokens.routes });
    assertProblem(response, 400, 'upgrade_invalid');
    raw.destroy();
    assert.equal(service.connectionCount, 0);
  });

  it('a foreign Host or Origin is refused before anything else', async () => {
    await refused('any', '/echo', { headers: { host: 'evil.example' } }, 403, 'host_mismatch');
    await refused('any', '/echo', { headers: { origin: 'http://evil.example' } }, 403, 'origin_mismatch');
  });
});

describe('what the service is sent', () => {
  it('method, path, query and body as they were', async () => {
    const body = randomBytes(5000);
    const seen = await echoed('any', {
      method: 'PUT',
      path: '/echo?a=1&a=2&b=%20%2F+&c',
      body,
    });
    assert.equal(seen.method, 'PUT');
    assert.equal(seen.target, '/echo?a=1&a=2&b=%20%2F+&c');
    assert.equal(seen.bodyBytes, body.length);
    assert.equal(seen.sha256, createHash('sha256').update(body).digest('hex'));
  });

  it('of the query only what a route passes, where it says so', async () => {
    const answer = await ask(gate, 'routes', '/big?bytes=12&other=1', { token: tokens.routes });
    assert.equal(answer.bytes.length, 12);
    assert.equal(service.last.target, '/big?bytes=12');
    await refused('routes', '/big?bytes=x', {}, 400, 'query_invalid');
  });

  it('headers, but no credential, hop-by-hop or forged ones', async () => {
    const gone = {
      connection: 'keep-alive, x-hop',
      'x-hop': '1',
      'keep-alive': 'timeout=1',
      'proxy-authorization': 'Basic eA==',
      'proxy-connection': 'keep-alive',
      te: 'trailers',
      forwarded: 'for=1.2.3.4',
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-real-ip': '1.2.3.4',
      via: '1.1 evil',
      'x-original-url': '/admin',
      'x-rewrite-url': '/admin',
      'x-http-method-override': 'DELETE',
      'x-http-method': 'DELETE',
      'x-method-override': 'DELETE',
      x_forwarded_for: '1.2.3.4',
    };
    const kept = {
      accept: 'text/*, application/json;q=0.5',
      'accept-language': 'de',
      'content-type': 'text/x-odd; a=b',
      'x-custom': 'one two  three',
      'mcp-param-region': '=?base64?w7w=?=',
      'user-agent': 'flow/1',
      cookie: 'theme=dark; sidelock-any=forged; a=b',
      range: 'bytes=0-1',
      'if-none-match': '"x"',
    };
    const seen = await echoed('any', { headers: { ...gone, ...kept } });
    for (const name of [...Object.keys(gone), 'authorization']) {
      if (name !== 'connection') assert.equal(seen.header(name), undefined, name);
    }
    assert.doesNotMatch(seen.header('connection') ?? '', /x-hop/i);
    for (const [name, value] of Object.entries(kept)) {
      if (name !== 'cookie') assert.equal(seen.header(name), value, name);
    }
    assert.equal(seen.header('cookie'), 'theme=dark; a=b');
    assert.ok(!JSON.stringify(seen.headers).includes(tokens.any), 'no token');
  });

  it('a header that comes several times, each time', async () => {
    const seen = await echoed('any', { headers: { 'x-many': ['1', '2', '3'] } });
    const values = seen.headers.filter(([name]) => name === 'x-many').map(([, value]) => value);
    assert.equal(values.join(', '), '1, 2, 3');
  });

  it('Host and Origin as the route says', async () => {
    const headers = (name) => ({
      origin: `http://localhost:${gate.port(name)}`,
      referer: `http://localhost:${gate.port(name)}/page?x=1`,
    });
    const here = await echoed('here', { headers: headers('here') });
    assert.match(here.header('host'), /^localhost(:\d+)?$/);
    assert.equal(here.header('origin'), `http://${here.header('host')}`);
    assert.equal(here.header('referer'), undefined);
    const there = await echoed('there', { headers: headers('there') });
    assert.equal(there.header('host'), 'service.example:8080');
    assert.equal(there.header('origin'), 'http://service.example:8080');
    const open = await echoed('open', { headers: headers('open') });
    assert.equal(open.header('host'), `localhost:${gate.port('open')}`);
    assert.equal(open.header('origin'), headers('open').origin);
    assert.equal(open.header('referer'), headers('open').referer);
    for (const seen of [here, there, open]) {
      assert.equal(seen.headers.filter(([name]) => name === 'host').length, 1);
    }
  });

  it('a parameter as a bearer token, where the route moves it', async () => {
    const moved = await echoed('login', { path: '/echo?keep=1&token=secret-1' });
    assert.equal(moved.header('authorization'), 'Bearer secret-1');
    assert.equal(moved.target, '/echo?keep=1');
    for (const value of ['null', 'undefined', '']) {
      const none = await echoed('login', { path: `/echo?token=${value}` });
      assert.equal(none.header('authorization'), undefined);
      assert.doesNotMatch(none.target, /token/);
    }
  });
});

describe('bodies', () => {
  it('with a length and in chunks', async () => {
    const body = randomBytes(200_000);
    const wanted = createHash('sha256').update(body).digest('hex');
    const whole = await get('/sink', { method: 'POST', body });
    assert.deepEqual(whole.json, { bodyBytes: body.length, sha256: wanted });
    const chunked = await get('/sink', {
      method: 'POST',
      headers: { 'transfer-encoding': 'chunked' },
      send: (request) => {
        for (let at = 0; at < body.length; at += 7001) request.write(body.subarray(at, at + 7001));
        request.end();
      },
    });
    assert.deepEqual(chunked.json, { bodyBytes: body.length, sha256: wanted });
  });

  it('100 Continue is the gate’s own to say, once it has admitted', async () => {
    const body = 'x'.repeat(100);
    const expect = { expect: '100-continue', 'content-length': '100' };
    const answer = await get('/sink', {
      method: 'POST',
      headers: expect,
      send: (request) => request.on('continue', () => request.end(body)),
    });
    assert.equal(answer.json.bodyBytes, 100);
    assert.ok(answer.hints.some(({ statusCode }) => statusCode === 100));
    assert.equal(service.last.header('expect'), undefined);
    // One that is not admitted is told so before it sends anything.
    const denied = await ask(gate, 'any', '/sink', {
      method: 'POST',
      headers: expect,
      send: (request) => request.flushHeaders(),
    });
    assert.equal(denied.status, 401);
    assert.equal(denied.hints.length, 0);
  });

  it('too large: 413, declared or not', async () => {
    const body = Buffer.alloc(MAX_BODY_BYTES + 1);
    await refused('limited', '/sink', { method: 'POST', body }, 413, 'body_too_large');
    const exact = { token: tokens.limited, method: 'POST', body: body.subarray(1) };
    assert.equal((await ask(gate, 'limited', '/sink', exact)).json.bodyBytes, MAX_BODY_BYTES);
    const mark = gate.mark();
    const raw = await Raw.connect(gate.port('limited'));
    raw.send(
      requestText({
        method: 'POST',
        path: '/sink',
        host: `localhost:${gate.port('limited')}`,
        token: tokens.limited,
        upgrade: false,
        headers: [['Transfer-Encoding', 'chunked']],
        body: `10001\r\n${'x'.repeat(0x10001)}\r\n0\r\n\r\n`,
      }),
    );
    assert.equal((await raw.response()).status, 413);
    await raw.gone();
    await gate.audited(mark, { reason: 'body_too_large' });
    await until(() => service.last.aborted, 'the service to be told');
  });

  it('that stop coming are cut', async () => {
    const mark = gate.mark();
    const raw = await Raw.connect(gate.port('limited'));
    raw.send(
      requestText({
        method: 'POST',
        path: '/sink',
        host: `localhost:${gate.port('limited')}`,
        token: tokens.limited,
        upgrade: false,
        headers: [['Content-Length', '1000']],
        body: 'half of it',
      }),
    );
    await raw.gone();
    await gate.audited(mark, { surface: 'limited', reason: /timeout/ });
    await until(() => service.last?.aborted, 'the service to be told');
  });
});

describe('answers', () => {
  it('every status with its body', async () => {
    for (const status of [200, 201, 203, 206, 299, 400, 401, 403, 404, 409, 418, 451, 500, 503]) {
      const answer = await get(`/status/${status}`);
      assert.equal(answer.status, status);
      assert.equal(answer.body, `status ${status}`);
    }
  });

  it('204 and 304 have none, and the connection lives on', async () => {
    const agent = keepAlive();
    for (const [where, status, headers] of [
      ['/status/204', 204, {}],
      ['/range', 304, { 'if-none-match': '"range"' }],
      ['/status/304', 304, {}],
      ['/range', 200, {}],
    ]) {
      const answer = await get(where, { agent, headers });
      assert.equal(answer.status, status);
      assert.equal(answer.body, status === 200 ? RANGE_BODY : '');
    }
    agent.destroy();
  });

  it('HEAD has the length and no body', async () => {
    const agent = keepAlive();
    const head = await get('/big?bytes=1000000', { method: 'HEAD', agent });
    assert.equal(head.headers['content-length'], '1000000');
    assert.equal(head.bytes.length, 0);
    assert.equal((await get('/echo', { agent })).status, 200);
    agent.destroy();
  });

  it('ranges', async () => {
    const answer = await get('/range', { headers: { range: 'bytes=100-199' } });
    assert.equal(answer.status, 206);
    assert.equal(answer.headers['content-range'], 'bytes 100-199/1000');
    assert.equal(answer.body, RANGE_BODY.slice(100, 200));
  });

  it('in chunks, until the close, of HTTP/1.0', async () => {
    assert.equal((await get('/chunked')).body, 'first, second');
    const close = await get('/close');
    assert.equal(close.body, 'until the end');
    assert.ok(close.complete);
    const old = await get('/http10');
    assert.equal(old.body, 'an old answer');
    assert.ok(old.complete);
  });

  it('a client of HTTP/1.0 is refused', async () => {
    const { raw, response } = await request(gate, 'any', {
      path: '/echo',
      version: 'HTTP/1.0',
      token: tokens.any,
      upgrade: false,
    });
    assert.equal(response.status, 400);
    assert.equal(response.json.reason, 'http_version');
    raw.destroy();
    assert.equal(service.connectionCount, 0);
  });

  it('informational ones first', async () => {
    const answer = await get('/hints');
    assert.equal(answer.status, 200);
    assert.equal(answer.body, 'after the hints');
  });

  it('before the body was read', async () => {
    const answer = await get('/early', {
      method: 'POST',
      headers: { 'content-length': '1000000' },
      send: (request) => {
        request.on('error', () => {});
        request.write('the beginning');
      },
    });
    assert.equal(answer.status, 403);
    assert.equal(answer.body, 'not that');
  });

  it('headers, but for those of the hop', async () => {
    const { headers } = await get('/hop');
    assert.equal(headers['x-end'], 'yes');
    for (const name of ['x-hop', 'proxy-authenticate']) assert.equal(headers[name], undefined, name);
    assert.doesNotMatch(headers.connection ?? '', /x-hop/i);
    const cookies = (await get('/cookies')).headers['set-cookie'];
    assert.deepEqual(cookies, ['a=1; Path=/', 'b=2; HttpOnly']);
  });

  it('a redirect to the service’s own address leads to the gate', async () => {
    for (const name of ['here', 'there', 'open']) {
      const answer = await ask(gate, name, '/redirect', { token: tokens[name] });
      assert.equal(answer.status, 302);
      const url = new URL(answer.headers.location, `http://localhost:${gate.port(name)}`);
      assert.equal(url.host, `localhost:${gate.port(name)}`, name);
      assert.equal(url.pathname + url.search, '/echo?moved=1');
    }
  });

  it('URLs in a JSON answer, where the route says which', async () => {
    const here = `localhost:${gate.port('answers')}`;
    for (const query of ['', '?list']) {
      const { json } = await ask(gate, 'answers', `/json${query}`, { token: tokens.answers });
      const items = Array.isArray(json) ? json : [json];
      assert.equal(items.length, query ? 2 : 1);
      for (const item of items) {
        assert.equal(item.websocket_url, `ws://${here}/ws`);
        assert.match(item.note, /^http:\/\/localhost(:\d+)?\/x$/);
      }
      assert.equal(items[0].id, 'π');
    }
  });
});

describe('connections', () => {
  it('one of a client carries many requests, on few of the service', async () => {
    const agent = keepAlive();
    for (let i = 0; i < 50; i++) {
      const answer = await get(`/echo?${i}`, { agent, method: 'POST', body: `body ${i}` });
      assert.equal(answer.json.target, `/echo?${i}`);
    }
    // One link at most: an idle one of before serves as well.
    assert.ok(service.connectionCount <= 1);
    assert.equal(new Set(service.requests.map(({ connection }) => connection)).size, 1);
    assert.equal(await gate.connections('any'), 1);
    agent.destroy();
    await gate.untilIdle('any');
  });

  it('requests of two sessions on one connection are judged one by one', async () => {
    const agent = keepAlive();
    const other = await gate.session('any');
    assert.equal((await get('/echo', { agent })).status, 200);
    assert.equal((await get('/echo', { agent, token: other.token })).status, 200);
    await gate.revoke(other.id);
    assert.equal((await get('/echo', { agent, token: other.token })).status, 401);
    agent.destroy();
    assert.equal((await get('/echo')).status, 200);
  });

  it('pipelined requests are answered in order, or the connection ends', async () => {
    const raw = await Raw.connect(gate.port('any'));
    const one = (where) =>
      requestText({
        path: where,
        host: `localhost:${gate.port('any')}`,
        token: tokens.any,
        upgrade: false,
      });
    raw.send(one('/status/201') + one('/status/202') + one('/status/203'));
    assert.equal((await raw.response()).status, 201);
    assert.equal((await raw.response()).status, 202);
    assert.equal((await raw.response()).status, 203);
    raw.destroy();
    assert.deepEqual(service.requests.map(({ path: where }) => where), [
      '/status/201',
      '/status/202',
      '/status/203',
    ]);
  });

  it('a client that goes away aborts its request at the service', async () => {
    for (const where of ['/slow', '/sse', '/big?bytes=1000000000']) {
      service.forget();
      const response = start(gate, 'any', where, { token: tokens.any });
      response.catch(() => {});
      await until(() => service.last, `a request for ${where}`);
      hangUp();
      await until(() => service.last.aborted, `${where} to be aborted`);
    }
    await gate.untilIdle('any');
  });

  it('that the service has closed are not used again', async () => {
    assert.equal((await get('/echo')).status, 200);
    for (const socket of service.open) socket.destroy();
    for (let i = 0; i < 5; i++) assert.equal((await get('/echo')).status, 200);
  });
});

describe('a service that fails', () => {
  it('is absent: 502', async () => {
    const mark = gate.mark();
    const answer = await ask(gate, 'absent', '/echo', { token: tokens.absent });
    assert.equal(answer.status, 502);
    assert.match(answer.json.reason, /^upstream_/);
    await gate.audited(mark, { surface: 'absent', reason: answer.json.reason });
  });

  it('hangs up without an answer: 502', async () => {
    const answer = await get('/gone');
    assert.equal(answer.status, 502);
    assert.match(answer.json.reason, /^upstream_/);
  });

  it('does not answer: 504, and its connection ends', async () => {
    const mark = gate.mark();
    const answer = await ask(gate, 'limited', '/slow', { token: tokens.limited });
    assert.equal(answer.status, 504);
    assert.equal(answer.json.reason, 'upstream_timeout');
    await gate.audited(mark, { surface: 'limited', reason: 'upstream_timeout' });
    await until(() => service.last.aborted, 'the end of the link');
  });

  it('stops in the middle: the client can tell', async () => {
    for (const [name, where] of [
      ['any', '/truncated'],
      ['limited', '/stall'],
    ]) {
      const answer = await finish(await start(gate, name, where, { token: tokens[name] }));
      assert.equal(answer.body, 'only this much');
      assert.equal(answer.complete, false, where);
    }
  });
});
