// The gate's own paths and the login cookie, without a browser: every request here is one that a
// hostile page, process or neighbour could send.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client, Refused } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { LOGIN, LOGOUT, TICKET, ask, authority, logIn, openUrl, redeem } from './lib/login.mjs';
import { Raw, assertProblem, request, requestText } from './lib/raw.mjs';

const dir = scratchDir();
let service;
let gate;

before(async () => {
  service = new WebSocketService(path.join(dir, 'echo.sock'));
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      echo: opaqueSurface(service.socketPath, { route: { headers: ['x-seen'] } }),
      other: opaqueSurface(service.socketPath),
      web: surface(service.socketPath, {
        dialect: 'opaque',
        routes: [{ path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] }],
      }),
      recorded: opaqueSurface(service.socketPath, {
        route: { query: { inject: { p: { from: '', encoding: 'json' } } } },
      }),
    },
  });
});

after(async () => {
  await stopAll(gate, service);
});

afterEach(() => {
  assert.deepEqual(service.faults, []);
  service.forget();
});

// A refusal in the answer and in the audit log, and nothing at the service.
async function refused(response, mark, status, reason) {
  assertProblem(await response, status, reason);
  await gate.audited(mark, { event: 'denied', reason });
  assert.equal(service.connectionCount, 0, 'nothing reached the service');
}

// Opens a WebSocket with a cookie from the surface's own page.
function webSocket(cookie, { surface = 'echo', headers = {}, ...options } = {}) {
  const own = authority(gate, surface);
  return Client.open(gate, surface, '/ws', {
    ...options,
    headers: { host: own, origin: `http://${own}`, ...(cookie ? { cookie } : {}), ...headers },
  });
}

async function webSocketRefused(promise, status, reason) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof Refused, error.stack);
    assert.equal(error.status, status);
    assert.equal(error.reason, reason);
    return true;
  });
}

describe('sidelock open', () => {
  it('prints one address alone, under the surface\'s own name', async () => {
    const { url } = await openUrl(gate, 'echo');
    assert.equal(url.split('#')[0], `http://${authority(gate, 'echo')}${LOGIN}`);
  });

  it('under another of its names, and no other', async () => {
    const { url } = await openUrl(gate, 'echo', '--host', '127.0.0.1');
    assert.ok(url.startsWith(`http://127.0.0.1:${gate.port('echo')}/`), url);
    const before = (await gate.doJson('session', 'list')).sessions;
    const { code, stderr } = await gate.cli('open', 'echo', '--host', 'evil.example');
    assert.equal(code, 65);
    assert.match(stderr, /evil\.example is not a name of the surface echo/);
    const now = (await gate.doJson('session', 'list')).sessions;
    const added = now.filter(({ id }) => !before.some((session) => session.id === id));
    assert.deepEqual(added.map(({ state }) => state), ['revoked'], 'leaves no live session');
  });

  it('as JSON names the session', async () => {
    const { url, session, expires_at: expires } = await gate.doJson('open', 'echo', '--ttl', '1h');
    assert.match(url, /#[A-Za-z0-9_-]{22}$/);
    assert.ok(Date.parse(expires) - Date.now() < 61_000);
    const shown = await gate.doJson('session', 'show', session);
    assert.ok(Math.abs(Date.parse(shown.expires_at) - Date.now() - 3_600_000) < 10_000);
  });

  it('refuses what does not exist', async () => {
    assert.equal((await gate.cli('open', 'nope')).code, 65);
    assert.equal((await gate.cli('open', 'echo', '--params', 'nope')).code, 65);
    assert.equal((await gate.cli('open', 'echo', '--once')).code, 64);
    assert.equal((await gate.cli('open')).code, 64);
  });

  it('keeps the code out of the audit log', async () => {
    const { code } = await openUrl(gate, 'echo');
    assert.equal(JSON.stringify(gate.auditLines()).includes(code), false);
  });
});

describe('the login page', () => {
  it('is one document that may load and run nothing but its own', async () => {
    const page = await ask(gate, 'echo', 'GET', LOGIN, { origin: null });
    assert.equal(page.status, 200);
    assert.equal(page.header('content-type'), 'text/html; charset=utf-8');
    assert.equal(page.header('cache-control'), 'no-store');
    assert.equal(page.header('x-content-type-options'), 'nosniff');
    assert.equal(page.header('referrer-policy'), 'same-origin');
    assert.equal(page.header('cross-origin-opener-policy'), 'same-origin');
    assert.equal(page.header('cross-origin-resource-policy'), 'same-origin');
    const hash = (tag) => {
      const [, text] = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page.body);
      return createHash('sha256').update(text).digest('base64');
    };
    assert.equal(
      page.header('content-security-policy'),
      "default-src 'none'; " +
        `style-src 'sha256-${hash('style')}'; script-src 'sha256-${hash('script')}'; ` +
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    assert.doesNotMatch(page.body, /https?:\/\/|\{[a-z]+\}\s*</);
    assert.equal(service.connectionCount, 0);
  });

  it('answers HEAD without a body, and nothing but its methods', async () => {
    const head = await ask(gate, 'echo', 'HEAD', LOGIN);
    assert.equal(head.status, 200);
    assert.ok(Number(head.header('content-length')) > 1000);
    assert.equal(head.body, '');
    const put = await ask(gate, 'echo', 'PUT', LOGIN);
    assertProblem(put, 405, 'method_refused');
    assert.equal(put.header('allow'), 'GET, HEAD, POST');
    const ticket = await ask(gate, 'echo', 'GET', TICKET);
    assert.equal(ticket.header('allow'), 'POST');
    assertProblem(await ask(gate, 'echo', 'GET', '/.sidelock/else'), 404, 'route_unknown');
  });

  it('is for the surface\'s own names only', async () => {
    for (const [method, where] of [['GET', LOGIN], ['POST', LOGIN], ['POST', TICKET], ['GET', LOGOUT], ['POST', LOGOUT]]) {
      const host = `evil.example:${gate.port('echo')}`;
      const mark = gate.mark();
      const answer = ask(gate, 'echo', method, where, { host, origin: `http://${host}` });
      await refused(answer, mark, 403, 'host_mismatch');
    }
  });

  it('is not there while the surface is killed', async () => {
    const { code } = await openUrl(gate, 'echo');
    await gate.do('kill', 'echo');
    assertProblem(await ask(gate, 'echo', 'GET', LOGIN), 503, 'surface_killed');
    assertProblem(await redeem(gate, 'echo', code), 503, 'surface_killed');
    await gate.do('arm', 'echo');
    assertProblem(await redeem(gate, 'echo', code), 401, 'session_revoked');
    assert.equal((await redeem(gate, 'echo', (await openUrl(gate, 'echo')).code)).status, 200);
  });
});

describe('a login', () => {
  it('gives a cookie for as long as the session lives', async () => {
    const mark = gate.mark();
    const { code } = await openUrl(gate, 'echo', '--ttl', '1h');
    const response = await redeem(gate, 'echo', code);
    assert.equal(response.status, 200);
    const [value, ...attributes] = response.header('set-cookie').split('; ');
    assert.match(value, /^sidelock-echo=[0-9a-f]{32}\.[0-9a-f]{64}$/);
    const age = attributes.pop();
    assert.deepEqual(attributes, ['HttpOnly', 'SameSite=Strict', 'Path=/']);
    assert.match(age, /^Max-Age=(3600|359\d)$/);
    assert.equal(response.json.page, false, 'the surface has no page to go to');
    await gate.audited(mark, { event: 'logged_in', surface: 'echo' });
    assert.equal(JSON.stringify(gate.auditLines()).includes(value.split('.')[1]), false);
  });

  it('works once, even for many who race', async () => {
    const { code } = await openUrl(gate, 'echo');
    const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(gate, 'echo', code)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(7).fill(401)]);
    const mark = gate.mark();
    await refused(redeem(gate, 'echo', code), mark, 401, 'login_invalid');
  });

  it('takes nothing but its own code, on its own surface', async () => {
    const { code } = await openUrl(gate, 'echo');
    const { id, token } = await gate.session('echo');
    const ticket = await gate.ticket(id);
    for (const body of ['', 'x', code.slice(1), `${code}A`, `${code}\n`, ticket, token, code.toLowerCase()]) {
      assertProblem(await redeem(gate, 'echo', body), 401, 'login_invalid');
    }
    const mark = gate.mark();
    await refused(redeem(gate, 'other', code), mark, 401, 'token_wrong_surface');
    // That used it up: a code that went to the wrong place is not to be trusted any more.
    assertProblem(await redeem(gate, 'echo', code), 401, 'login_invalid');
    const fresh = await openUrl(gate, 'echo');
    await webSocketRefused(webSocket(undefined, { ticket: fresh.code }), 401, 'ticket_invalid');
  });

  it('comes from the page itself, or the code stays good', async () => {
    const { code } = await openUrl(gate, 'echo');
    const port = gate.port('echo');
    const wrong = [
      [{ origin: null }, 'cookie_origin'],
      [{ origin: null, site: 'same-origin' }, 'cookie_origin'],
      [{ origin: `http://localhost:${port}` }, 'cookie_origin'],
      [{ site: 'same-site' }, 'cookie_origin'],
      [{ site: 'cross-site' }, 'cookie_origin'],
      [{ origin: 'null' }, 'origin_mismatch'],
      [{ origin: `http://localhost:${gate.port('other')}` }, 'origin_mismatch'],
      [{ origin: `http://evil.example:${port}` }, 'origin_mismatch'],
      [{ origin: `https://echo.localhost:${port}` }, 'origin_mismatch'],
    ];
    for (const [options, reason] of wrong) {
      const mark = gate.mark();
      await refused(redeem(gate, 'echo', code, options), mark, 403, reason);
    }
    assert.equal((await redeem(gate, 'echo', code, { site: 'same-origin' })).status, 200);
  });

  it('is refused once the session has ended', async () => {
    const { code } = await openUrl(gate, 'echo');
    const { sessions } = await gate.doJson('session', 'list');
    for (const { id, state } of sessions) if (state === 'active') await gate.revoke(id);
    assertProblem(await redeem(gate, 'echo', code), 401, 'session_revoked');
  });

  it('reads a small body of known length, however it is cut', async () => {
    const { code } = await openUrl(gate, 'echo');
    const long = 'A'.repeat(1025);
    assertProblem(await redeem(gate, 'echo', long), 413, 'body_too_large');
    assertProblem(await redeem(gate, 'echo', '', { length: 99999999999 }), 413, 'body_too_large');
    assertProblem(await redeem(gate, 'echo', 'a\0b'), 400, 'malformed_request');
    assertProblem(
      await ask(gate, 'echo', 'POST', LOGIN, {
        length: null, headers: [['Transfer-Encoding', 'chunked']], body: '0\r\n\r\n',
      }),
      411,
      'length_required',
    );
    const own = authority(gate, 'echo');
    const raw = await Raw.connect(gate.port('echo'));
    const text = requestText({
      method: 'POST', path: '/%2esidelock/login', upgrade: false, host: own,
      headers: [['Origin', `http://${own}`], ['Content-Length', String(code.length)]],
    });
    for (const byte of text + code.slice(0, -1)) raw.send(byte);
    assert.equal(raw.pending.length, 0);
    raw.send(`${code.at(-1)}GET / HTTP/1.1\r\nHost: ${own}\r\n\r\n`);
    assert.equal((await raw.response()).status, 200);
    await raw.gone();
    assert.equal(raw.pending.length, 0, 'what follows is not answered');
    raw.destroy();
    assert.equal(service.connectionCount, 0);
  });
});

describe('the cookie', () => {
  it('opens a WebSocket from the surface\'s own page, and is not passed on', async () => {
    const { cookie } = await logIn(gate, 'echo');
    const client = await webSocket(`a=b; ${cookie}`, { headers: { 'x-seen': 'yes' } });
    client.send('over the cookie');
    assert.equal(await client.next(), 'over the cookie');
    const text = JSON.stringify(service.last.request);
    assert.match(text, /"x-seen","yes"/);
    assert.equal(text.includes(cookie.split('=')[1]), false);
    await client.close();
  });

  it('does not from any other', async () => {
    const { cookie } = await logIn(gate, 'echo');
    const port = gate.port('echo');
    const wrong = [
      [{ origin: `http://localhost:${port}` }, 'cookie_origin'],
      [{ origin: `http://echo.localhost:${gate.port('other')}` }, 'origin_mismatch'],
      [{ origin: 'http://evil.example' }, 'origin_mismatch'],
      [{ 'sec-fetch-site': 'same-site' }, 'cookie_origin'],
      [{ 'sec-fetch-site': 'none' }, 'cookie_origin'],
    ];
    for (const [headers, reason] of wrong) {
      await webSocketRefused(webSocket(cookie, { headers }), 403, reason);
    }
    const own = authority(gate, 'echo');
    const mark = gate.mark();
    const { raw, response } = await request(gate, 'echo', {
      headers: [['Host', own], ['Cookie', cookie]],
    });
    raw.destroy();
    await refused(response, mark, 403, 'cookie_origin');
  });

  it('that nobody could have been given is no more than that', async () => {
    const workers = gate.workers();
    for (const value of [' x', '\tx', ' ', '', ' ;a=b']) {
      const mark = gate.mark();
      const { raw, response } = await request(gate, 'echo', {
        headers: [['Host', authority(gate, 'echo')], ['Cookie', `sidelock-echo=${value}`]],
      });
      await refused(response, mark, 403, 'cookie_origin');
      raw.destroy();
    }
    assert.deepEqual(gate.workers(), workers, 'no worker was taken for another\'s');
  });

  it('forged, cut or doubled is no credential', async () => {
    const { cookie, id } = await logIn(gate, 'echo');
    const [name, value] = cookie.split('=');
    const mac = value.split('.')[1];
    const { id: stranger } = await gate.session('echo');
    for (const bad of [
      `${stranger}.${mac}`, `${id}.${'0'.repeat(64)}`, id, `${id}.`, '', value.slice(0, -1), `${value}0`, `"${value}"`,
    ]) {
      await webSocketRefused(webSocket(`${name}=${bad}`), 401, 'cookie_invalid');
    }
    await webSocketRefused(webSocket(`sidelock-other=${value}`), 401, 'credential_missing');
    await webSocketRefused(webSocket(`__Host-${cookie}`), 401, 'credential_missing');
    await webSocketRefused(webSocket(undefined, { token: value }), 401, 'token_malformed');
    assert.equal(service.connectionCount, 0);
  });

  it('finding 18: others of its name lock nobody out', async () => {
    const { cookie, id } = await logIn(gate, 'echo');
    const [name, value] = cookie.split('=');
    const stale = await logIn(gate, 'echo');
    await gate.revoke(stale.id);
    const decoys = [`${name}=x`, `${name}=${id}.${'0'.repeat(64)}`, stale.cookie, `${name}=`, cookie];
    for (const decoy of [...decoys, Array(100).fill(decoys[1]).join('; ')]) {
      await (await webSocket(`${decoy}; ${cookie}`)).close();
      await (await webSocket(`${cookie}; a=b; ${decoy}`)).close();
    }
  });

  it('of two that are good, neither counts', async () => {
    const { cookie } = await logIn(gate, 'echo');
    const other = await logIn(gate, 'echo');
    await webSocketRefused(webSocket(`${cookie}; ${other.cookie}`), 401, 'credential_ambiguous');
    await gate.revoke(other.id);
    await (await webSocket(`${cookie}; ${other.cookie}`)).close();
  });

  it('finding 18: a page is asked for by the surface\'s own, in whatever way that is said', async () => {
    const { cookie } = await logIn(gate, 'web');
    const own = authority(gate, 'web');
    service.behave({ request: (peer) => peer.respond('200 OK\r\nConnection: close', '{}') });
    const get = (headers, method = 'GET') =>
      ask(gate, 'web', method, '/page', {
        cookie, origin: null, headers: [['Connection', 'close'], ...Object.entries(headers)],
      });
    for (const good of [
      { Referer: `http://${own}/` }, { Referer: `http://${own}/some/page?x=1` },
      { 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none' }, { Origin: `http://${own}` },
    ]) {
      assert.equal((await get(good)).status, 200, JSON.stringify(good));
    }
    service.forget();
    for (const bad of [
      {}, { Referer: '' }, { Referer: `http://${own}.evil.example/` }, { Referer: `http://${own}@evil.example/` },
      { Referer: `http://web.localhost:${gate.port('echo')}/` }, { Referer: `http://localhost:${gate.port('web')}/` },
      { Referer: `https://${own}/` }, { Referer: `http://evil.example/http://${own}/` },
      { Referer: `http://${own}/`, 'Sec-Fetch-Site': 'same-site' },
      { Referer: `http://${own}/${'x'.repeat(4096)}` }, { 'Upgrade-Insecure-Requests': '1', Accept: 'text/html' },
    ]) {
      const answer = await get(bad);
      assert.equal(service.connectionCount, 0, 'nothing reached the service');
      assert.equal(answer.status, 403, JSON.stringify(bad));
    }
    const page = await get({ Accept: 'text/html' });
    assert.match(page.body, /<a href="">Open this page<\/a>/, 'whoever meant to come needs but click');
    assert.match(page.header('content-security-policy'), /frame-ancestors 'none'/);
    const labelled = await get({ Accept: 'text/html', 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'navigate' });
    assert.match(labelled.body, /<a href=""><\/a>/, 'no link where the browser says who asks');
    service.behave();
  });

  it('is good for its own surface only', async () => {
    const { cookie } = await logIn(gate, 'echo');
    const value = cookie.split('=')[1];
    await webSocketRefused(
      webSocket(`sidelock-other=${value}`, { surface: 'other' }), 401, 'token_wrong_surface',
    );
  });

  it('counts for nothing beside a token', async () => {
    const { cookie } = await logIn(gate, 'echo');
    const { token } = await gate.session('echo');
    await (await webSocket('sidelock-echo=nonsense', { token })).close();
    await webSocketRefused(webSocket(cookie, { token: 'nonsense' }), 401, 'token_malformed');
  });

  it('ends with its session: revoked, killed, its record changed', async () => {
    const { cookie, id } = await logIn(gate, 'echo');
    const client = await webSocket(cookie);
    await gate.revoke(id);
    assert.deepEqual((await client.end()).reason, 'session_revoked');
    await webSocketRefused(webSocket(cookie), 401, 'session_revoked');
    await gate.putParams('one', { a: 1 });
    const recorded = await logIn(gate, 'recorded', '--params', 'one');
    await (await webSocket(recorded.cookie, { surface: 'recorded' })).close();
    await gate.putParams('one', { a: 2 });
    await webSocketRefused(webSocket(recorded.cookie, { surface: 'recorded' }), 401, 'params_changed');
    const other = await logIn(gate, 'other');
    await gate.do('kill', 'other');
    await webSocketRefused(webSocket(other.cookie, { surface: 'other' }), 503, 'surface_killed');
    await gate.do('arm', 'other');
    await webSocketRefused(webSocket(other.cookie, { surface: 'other' }), 401, 'session_revoked');
  });
});

describe('a ticket', () => {
  it('for the cookie or a token opens one WebSocket', async () => {
    const { cookie } = await logIn(gate, 'echo');
    const { token } = await gate.session('echo');
    for (const who of [{ cookie }, { token, origin: null }]) {
      const response = await ask(gate, 'echo', 'POST', TICKET, who);
      assert.equal(response.status, 200, response.body);
      const { ticket, subprotocol, expires_at: expires } = response.json;
      assert.equal(subprotocol, `sidelock.ticket.${ticket}`);
      assert.ok(Date.parse(expires) > Date.now());
      await (await webSocket(undefined, { ticket })).close();
      await webSocketRefused(webSocket(undefined, { ticket }), 401, 'ticket_invalid');
    }
  });

  it('is not for strangers, other pages or another ticket', async () => {
    const { cookie, id } = await logIn(gate, 'echo');
    const own = authority(gate, 'echo');
    assertProblem(await ask(gate, 'echo', 'POST', TICKET), 401, 'credential_missing');
    assertProblem(await ask(gate, 'echo', 'POST', TICKET, { cookie, origin: null }), 403, 'cookie_origin');
    assertProblem(
      await ask(gate, 'echo', 'POST', TICKET, { cookie, site: 'same-site' }), 403, 'cookie_origin',
    );
    const ticket = await gate.ticket(id);
    assertProblem(
      await ask(gate, 'echo', 'POST', TICKET, {
        headers: [['Sec-WebSocket-Protocol', `sidelock.ticket.${ticket}`]],
      }),
      401,
      'credential_missing',
    );
    assert.equal((await ask(gate, 'echo', 'POST', TICKET, { cookie, origin: `http://${own}` })).status, 200);
  });
});

describe('on a connection that is kept alive', () => {
  it('the gate\'s own paths are not the service\'s, though a route would match them', async () => {
    service.behave({ request: (peer) => peer.respond('200 OK', '{}') });
    const { token } = await gate.session('web');
    const host = authority(gate, 'web');
    const raw = await Raw.connect(gate.port('web'));
    const send = (method, where, headers = []) =>
      raw.send(requestText({ method, path: where, host, token, headers, upgrade: false }));
    send('GET', '/page');
    assert.equal((await raw.response()).status, 200);
    send('POST', TICKET, [['Content-Length', '0']]);
    const response = await raw.response();
    assert.equal(response.status, 200, response.body);
    assert.match(response.json.ticket, /^[A-Za-z0-9_-]{22}$/);
    await raw.gone();
    raw.destroy();
    assert.deepEqual(service.last.requests.map(({ target }) => target), ['/page']);
    await gate.untilIdle('web');
    const landed = await redeem(gate, 'web', (await openUrl(gate, 'web')).code);
    assert.equal(landed.json.page, true, 'there is a page to go to');
    service.behave();
  });
});

describe('logging out', () => {
  it('ends the session, its connections and the cookie', async () => {
    const { cookie, id } = await logIn(gate, 'echo');
    const client = await webSocket(cookie);
    const mark = gate.mark();
    const response = await ask(gate, 'echo', 'POST', LOGOUT, { cookie });
    assert.equal(response.status, 200);
    assert.equal(
      response.header('set-cookie'),
      'sidelock-echo=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0',
    );
    assert.equal((await client.end()).reason, 'session_revoked');
    await gate.audited(mark, { event: 'logged_out', session: id });
    assertProblem(await ask(gate, 'echo', 'POST', LOGOUT, { cookie }), 401, 'session_revoked');
    assert.equal((await gate.doJson('session', 'show', id)).state, 'revoked');
  });

  it('is not another page\'s to do', async () => {
    const { cookie, id } = await logIn(gate, 'echo');
    const origin = `http://localhost:${gate.port('echo')}`;
    for (const options of [{ origin }, { origin: null }, { site: 'same-site' }]) {
      assertProblem(await ask(gate, 'echo', 'POST', LOGOUT, { cookie, ...options }), 403, 'cookie_origin');
    }
    assert.equal((await gate.doJson('session', 'show', id)).state, 'active');
  });
});

describe('a refusal', () => {
  it('is a page for a navigating browser and a document for programs', async () => {
    const ws = (headers) => ask(gate, 'echo', 'GET', '/ws', { origin: null, headers });
    const page = await ws([['Sec-Fetch-Mode', 'navigate']]);
    assert.equal(page.status, 401);
    assert.equal(page.header('content-type'), 'text/html; charset=utf-8');
    assert.match(page.header('www-authenticate'), /^Bearer/);
    assert.match(page.header('content-security-policy'), /^default-src 'none'; style-src 'sha256-/);
    assert.match(page.body, /sidelock open echo/);
    assert.match(page.body, /credential_missing/);
    assert.doesNotMatch(page.body, /<script/);
    assertProblem(await ws([['Sec-Fetch-Mode', 'cors'], ['Accept', 'text/html']]), 401, 'credential_missing');
    assertProblem(await ws([['Accept', '*/*']]), 401, 'credential_missing');
  });
});
