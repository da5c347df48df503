// Plain HTTP routes: what comes back, how connections are used, and what happens
// when either side fails.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RANGE_BODY } from '../services/http_service.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask, finish, keepAlive, start } from './lib/http.mjs';
import { gate, get, service, tokens } from './lib/http_surfaces.mjs';
import { Raw, request, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

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
    // What the rewritten answer's length would be, nobody knows before it is there.
    const head = await ask(gate, 'answers', '/json', { token: tokens.answers, method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], undefined);
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

  // What was permitted once on a connection is permitted to the same Host, Origin and token alone.
  it('a later request that differs is judged anew', async () => {
    const port = gate.port('any');
    const made = await gate.session('any');
    for (const [what, where, change, status, reason] of [
      ['nothing', '/echo', {}, 200],
      ['another host of its own', '/echo', { host: `127.0.0.1:${port}` }, 200],
      ['a strange host', '/echo', { host: `evil.example:${port}` }, 403, 'host_mismatch'],
      ['an origin of its own', '/echo', { origin: `http://localhost:${port}` }, 200],
      ['a strange origin', '/echo', { origin: 'http://evil.example' }, 403, 'origin_mismatch'],
      ['no token', '/echo', { authorization: '' }, 401, 'token_malformed'],
      ['a path of the gate', '/.sidelock/nothing', {}, 404, 'route_unknown'],
      ['a token in the query', `/echo?t=${made.token}`, {}, 401, 'token_in_query'],
    ]) {
      const agent = keepAlive();
      const headers = { host: `localhost:${port}`, authorization: `Bearer ${made.token}` };
      assert.equal((await get('/echo', { agent, headers })).status, 200, what);
      service.forget();
      const mark = gate.mark();
      const response = await start(gate, 'any', where, { agent, headers: { ...headers, ...change } });
      assert.ok(response.request.reusedSocket, what);
      const answer = await finish(response);
      assert.equal(answer.status, status, what);
      if (reason) {
        assert.equal(answer.json.reason, reason, what);
        await gate.audited(mark, { event: 'denied', reason });
      }
      assert.equal(service.requests.length, reason ? 0 : 1, what);
      agent.destroy();
    }
    const after = await ask(gate, 'any', '/echo', { token: made.token });
    assert.equal(after.json.reason, 'session_revoked');
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
