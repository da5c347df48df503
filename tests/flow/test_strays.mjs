// Credentials where none belong: in URLs and in headers that pass. Nothing of the request reaches the
// service, the session is over, and no log tells what it was.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { ask, keepAlive } from './lib/http.mjs';
import { gate, get, service, tokens } from './lib/http_surfaces.mjs';
import { LOGIN, authority, logIn, openUrl, redeem } from './lib/login.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { vectorText, vectors } from './lib/vectors.mjs';

const encoded = (text, mark) =>
  [...Buffer.from(text)].map((byte) => `${mark}${byte.toString(16).padStart(2, '0')}`).join('');

const stateOf = async (id) => (await gate.doJson('session', 'show', id)).state;

// Sends these bytes and reads the answer.
async function say(text) {
  const raw = await Raw.connect(gate.port('any'));
  raw.send(Buffer.from(text, 'latin1'));
  const response = await raw.response();
  raw.destroy();
  return response;
}

function head(path, options = {}) {
  const port = gate.port('any');
  return requestText({ host: `localhost:${port}`, path, token: tokens.any, upgrade: false, ...options });
}

// A session with everything that it can be shown by.
async function victim() {
  const { id, token } = await gate.session('any');
  return { id, token, secret: token.split('.')[2] };
}

async function assertOver({ id, secret }, where) {
  assert.equal(await stateOf(id), 'revoked', where);
  assert.ok(!readFileSync(gate.auditPath, 'utf8').includes(secret), `not in the audit log: ${where}`);
}

// The names that a vector's text holds, and how it shows that what was meant by them is over.
async function makings(text) {
  if (text.includes('{COOKIE}')) {
    const { cookie, id } = await logIn(gate, 'any');
    const value = cookie.slice(cookie.indexOf('=') + 1);
    return { names: { COOKIE: value }, over: () => assertOver({ id, secret: value.split('.')[1] }, text) };
  }
  if (text.includes('{CODE}')) {
    const { code } = await openUrl(gate, 'any');
    const over = async () => {
      assert.equal((await redeem(gate, 'any', code)).json.reason, 'login_invalid', text);
      assert.ok(!readFileSync(gate.auditPath, 'utf8').includes(code), text);
    };
    return { names: { CODE: code }, over };
  }
  const made = await victim();
  const { id, token } = made;
  if (text.includes('{TICKET}')) {
    const ticket = await gate.ticket(id);
    return { names: { TICKET: ticket }, over: () => assertOver({ id, secret: ticket }, text) };
  }
  const names = {
    TOKEN: token, TAIL: token.slice(1), ONCE: encoded(token, '%'), TWICE: encoded(token, '%25'),
  };
  return { names, over: () => assertOver(made, text) };
}

// A token as another issuer would sign it, with the same header.
function foreign() {
  const parts = [{ alg: 'HS256', typ: 'JWT' }, { sub: 'somebody', exp: 4102444800 }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signature = createHmac('sha256', 'another key').update(parts.join('.')).digest('base64url');
  return [...parts, signature].join('.');
}

describe('a credential in a URL', () => {
  const KINDS = ['token_in_query', 'token_in_path', 'path_invalid', 'headers_too_large', 'malformed_request'];
  const wanted = vectors('url/strays.txt', 2).map(({ fields: [reason, text] }) => ({ reason, text }));

  for (const kind of KINDS) {
    it(`finding 12: ${kind}, and the session is over, wherever it stands`, async () => {
      const rows = wanted.filter(({ reason }) => reason === kind);
      assert.ok(rows.length >= 1);
      for (const { text } of rows) {
        const { names, over } = await makings(text);
        const mark = gate.mark();
        const before = service.requests.length;
        const response = await say(head(vectorText(text, names)));
        assert.deepEqual([response.json?.reason, service.requests.length], [kind, before], text);
        await gate.audited(mark, { event: 'denied', reason: kind });
        await over();
      }
    });
  }

  it('finding 12: the path in the audit log is redacted', async () => {
    const { id, token } = await victim();
    const mark = gate.mark();
    await say(head(`/some/${token}/where`));
    const line = await gate.audited(mark, { event: 'denied', reason: 'token_in_path' });
    assert.equal(line.path, '/some/…redacted…/where');
    assert.equal(line.session, id);
  });

  it('finding 12: under a grant of another session, which stays good', async () => {
    for (const hide of [(token) => `/echo?a=${token}%zz`, (token) => `/${token}`]) {
      const made = await victim();
      const agent = keepAlive();
      assert.equal((await get('/echo', { agent })).status, 200);
      const before = service.requests.length;
      const { json, status } = await get(hide(made.token), { agent });
      assert.equal(service.requests.length, before, 'nothing reached the service');
      assert.equal(status, 401);
      assert.match(json.reason, /^token_in_(query|path)$/);
      await assertOver(made, 'under a grant');
      assert.equal((await get('/echo', { agent: keepAlive() })).status, 200);
    }
  });

  it('finding 12: whoever asks, and whatever else is wrong', async () => {
    for (const options of [
      { token: undefined },
      { host: 'evil.example' },
      { headers: [['Origin', 'http://evil.example']] },
      { version: 'HTTP/1.0' },
      { headers: [['Bad Name', 'x']] },
      { method: 'TRACE' },
      { upgrade: true },
      { headers: [['Sec-Fetch-Site', 'none'], ['Sec-Fetch-Site', 'none']] },
    ]) {
      const made = await victim();
      const response = await say(head(`/echo?a=${made.token}%zz`, options));
      assert.ok(response.status >= 400, response.line);
      await assertOver(made, JSON.stringify(options));
    }
  });

  it('behind more lookalikes than are looked at', async () => {
    const made = await victim();
    const lookalikes = Array.from({ length: 20 }, () => foreign()).join('&');
    const before = service.requests.length;
    assert.equal((await say(head(`/echo?${lookalikes}&${made.token}`))).json.reason, 'token_in_query');
    assert.equal(service.requests.length, before);
    assert.ok(!readFileSync(gate.auditPath, 'utf8').includes(made.secret));
  });

  it('nothing astray passes', async () => {
    for (const { text } of wanted.filter(({ reason }) => reason === '-')) {
      assert.equal((await say(head(text))).status, 200, text);
      assert.equal(service.last.target, text);
    }
  });

  it('finding 12: nor is the token of another issuer ours', async () => {
    for (const where of [`/echo?token=${foreign()}`, `/echo?a=${foreign()}%zz`, `/${foreign()}`]) {
      const before = service.requests.length;
      await say(head(where));
      assert.equal(service.requests.length, before + 1, where);
      assert.equal(service.last.target, where);
    }
  });

  it('finding 12: explain does not show it', async () => {
    const { token } = await victim();
    for (const target of [`/some/${token}`, `/echo?a=${token}%zz`]) {
      const text = await gate.cli('explain', '--surface', 'any', '--plain', target);
      assert.ok(!text.stdout.includes(token.split('.')[2]), text.stdout);
      assert.match(text.stdout, /token_in_(path|query)/);
    }
  });
});

describe('a token in another header', () => {
  it('finding 12: does not reach the service', async () => {
    for (const [name, hide] of [
      ['X-Api-Key', (token) => token],
      ['X-Custom', (token) => `Bearer ${token}`],
      ['Cookie', (token) => `theme=dark; access_token=${token}; a=b`],
      ['Referer', (token) => `http://localhost/page?t=${encoded(token, '%')}`],
      ['User-Agent', (token) => `x (${token})`],
    ]) {
      const made = await victim();
      const before = service.requests.length;
      const response = await say(head('/echo', { headers: [[name, hide(made.token)]] }));
      assert.equal(response.json.reason, 'token_in_header', name);
      assert.equal(service.requests.length, before, name);
      await assertOver(made, name);
      const agent = keepAlive();
      const again = await victim();
      assert.equal((await get('/echo', { agent })).status, 200);
      assert.equal((await get('/echo', { agent, headers: { [name]: hide(again.token) } })).json.reason, 'token_in_header');
      await assertOver(again, name);
    }
  });

  it('that is another issuer’s passes', async () => {
    const headers = [['Cookie', `access_token=${foreign()}`], ['X-Api-Key', foreign()]];
    const response = await say(head('/echo', { headers }));
    const seen = Object.fromEntries(response.json.headers);
    assert.deepEqual([seen.cookie, seen['x-api-key']], headers.map(([, value]) => value));
  });

  it('login cookies of every surface stay among the cookies', async () => {
    const { cookie } = await logIn(gate, 'any');
    const other = await logIn(gate, 'routes');
    const answer = await ask(gate, 'any', '/echo', {
      headers: { cookie: `${cookie}; ${other.cookie}`, host: authority(gate, 'any'), 'sec-fetch-site': 'same-origin' },
    });
    assert.equal(answer.status, 200, answer.body);
    assert.equal(await stateOf(other.id), 'active');
    assert.equal((await say(head(LOGIN))).status, 200);
  });
});
