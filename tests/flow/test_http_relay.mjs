// Plain HTTP routes: who may ask for what, and what reaches the service.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';

import { ask } from './lib/http.mjs';
import { MAX_BODY_BYTES, echoed, gate, get, refused, service, tokens } from './lib/http_surfaces.mjs';
import { Raw, assertProblem, request, requestText } from './lib/raw.mjs';
import { vectors } from './lib/vectors.mjs';
import { until } from './lib/wait.mjs';

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

  it('finding 17: nothing that a service might believe of a proxy', async () => {
    const names = vectors('http/names.txt', 2).map(({ fields: [kind, name] }) => ({ kind, name }));
    const arrived = [];
    for (let i = 0; i < names.length; i += 20) {
      const some = names.slice(i, i + 20);
      const seen = await echoed('any', { headers: Object.fromEntries(some.map(({ name }) => [name, 'evil'])) });
      for (const { kind, name } of some) {
        const there = seen.header(name.toLowerCase()) === 'evil';
        if (there !== (kind === 'passes')) arrived.push(`${name} ${there ? 'arrives' : 'does not arrive'}`);
      }
    }
    assert.ok(names.length > 200);
    assert.deepEqual(arrived, []);
  });

  it('finding 17: unless the route names the header', async () => {
    const seen = await echoed('named', { headers: { 'Remote-User': 'a', 'X-Remote-User': 'b', Remote_User: 'c' } });
    assert.equal(seen.header('remote-user'), 'a');
    assert.equal(seen.header('x-remote-user'), undefined);
    assert.equal(seen.header('remote_user'), undefined);
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

// A POST to the surface with limits, written as it stands here.
async function sendToSink(framing, body) {
  const raw = await Raw.connect(gate.port('limited'));
  const host = `localhost:${gate.port('limited')}`;
  const request = { method: 'POST', path: '/sink', host, token: tokens.limited, upgrade: false };
  raw.send(requestText({ ...request, headers: [framing], body }));
  return raw;
}

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
    const chunks = `10001\r\n${'x'.repeat(0x10001)}\r\n0\r\n\r\n`;
    const raw = await sendToSink(['Transfer-Encoding', 'chunked'], chunks);
    assert.equal((await raw.response()).status, 413);
    await raw.gone();
    await gate.audited(mark, { reason: 'body_too_large' });
    await until(() => service.last.aborted, 'the service to be told');
  });

  it('that stop coming are cut', async () => {
    const mark = gate.mark();
    const raw = await sendToSink(['Content-Length', '1000'], 'half of it');
    await raw.gone();
    await gate.audited(mark, { surface: 'limited', reason: /timeout/ });
    await until(() => service.last?.aborted, 'the service to be told');
  });
});
