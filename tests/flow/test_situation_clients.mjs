// Situation 9: what real clients send that is odd but legal passes; what is refused is told in words
// that arrive, whatever the client was still sending.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, it } from 'node:test';

import { RawHttpService } from '../services/raw_http_service.mjs';
import { launch } from './lib/browser.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { Program } from './lib/programs.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { within } from './lib/wait.mjs';

const BODY_BYTES = 5 * 1024 * 1024;
const LINGER_BYTES = 64 * 1024 * 1024; // worker/client/client.c

const dir = scratchDir();
const certs = path.join(dir, 'state', 'certs');
const service = new RawHttpService(path.join(dir, 'service.sock'));
let gate;
const tokens = {};

const METHODS = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'];

before(async () => {
  await service.start();
  const plain = (more) =>
    surface(service.socketPath, {
      dialect: 'opaque',
      routes: [
        { path: '/ws', kind: 'websocket' },
        { path: '/{any...}', kind: 'http', methods: METHODS },
      ],
      ...more,
    });
  const mcp = (more) =>
    surface(service.socketPath, {
      dialect: 'mcp',
      routes: [{ path: '/mcp', kind: 'mcp-http' }],
      allow: { verbs: ['tools/list'] },
      ...more,
    });
  const tls = { tls: { certificate: path.join(certs, 'server.pem'), key: path.join(certs, 'server.key') } };
  const limits = { limits: { max_body_bytes: 64 * 1024 } };
  gate = new Gate(dir, {
    surfaces: {
      plain: plain(limits),
      mcp: mcp(),
      'plain-tls': plain({ ...tls, ...limits }),
      'mcp-tls': mcp(tls),
    },
  });
  await gate.do('certs', 'init');
  await gate.launch();
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
});

after(() => stopAll(gate, service));

const url = (name, where) => `${/tls/.test(name) ? 'https' : 'http'}://localhost:${gate.port(name)}${where}`;
const bearer = (name) => `Authorization: Bearer ${tokens[name]}`;

// ---- The offer of HTTP/2 ----

it('situation 9: curl --http2 is answered over HTTP/1.1, with a body and without', async () => {
  for (const [args, seen] of [
    [[], /^GET \/x HTTP\/1.1\r\n/],
    [['--data', 'abc'], /^POST \/x HTTP\/1.1\r\n[^]*\r\n\r\nabc$/],
  ]) {
    service.forget();
    const curl = new Program(['curl', '-sS', '--http2', '-w', ' %{http_code}', '-H', bearer('plain'), ...args, url('plain', '/x')]);
    await curl.end();
    assert.equal(curl.stdout, 'ok 200', curl.log);
    assert.match(service.text, seen);
    assert.doesNotMatch(service.text, /upgrade|http2|h2c/i, 'nothing of the offer reached the service');
  }
});

it("situation 9: so is what the JDK's HttpClient sends", async () => {
  service.forget();
  const raw = await Raw.connect(gate.port('plain'));
  raw.send(
    `POST /x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 3\r\nHost: localhost:${gate.port('plain')}\r\n` +
      'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/17.0.9\r\n' +
      `${bearer('plain')}\r\n\r\nabc`,
  );
  assert.equal((await raw.response()).status, 200);
  assert.doesNotMatch(service.text, /upgrade|http2|h2c/i);
  // The connection is what it was.
  raw.send(requestText({ host: `localhost:${gate.port('plain')}`, token: tokens.plain, upgrade: false, path: '/y' }));
  assert.equal((await raw.response()).status, 200);
  raw.destroy();
});

// ---- Content-Type ----

const PING = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}';
const answered = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${RESULT.length}\r\n\r\n${RESULT}`;

function postAs(type) {
  const headers = { accept: 'application/json, text/event-stream', ...(type === undefined ? {} : { 'content-type': type }) };
  return ask(gate, 'mcp', '/mcp', { method: 'POST', token: tokens.mcp, body: PING, headers });
}

it('situation 9: a Content-Type with odd but legal parameters is JSON', async () => {
  service.forget();
  service.answer = () => ({ bytes: answered });
  for (const type of [
    'application/json;',
    'application/json; charset="UTF-8"',
    'application/json;charset=utf8;',
    'Application/JSON ; Charset=Utf-8',
    'application/json; odata.metadata=none',
  ]) {
    const answer = await postAs(type);
    assert.equal(answer.status, 200, `${type}: ${answer.body}`);
  }
});

it('situation 9: another one is refused in words that say what it was', async () => {
  service.forget();
  for (const [type, cause] of [
    ['text/plain', 'type'],
    ['application/json; charset=utf-16', 'charset'],
    ['application/json; charset="utf-8', 'parameter'],
    [undefined, 'missing'],
  ]) {
    const mark = gate.mark();
    const answer = await postAs(type);
    assert.equal(answer.status, 415, answer.body);
    assert.deepEqual([answer.json.reason, answer.json.cause, answer.json.seen], ['content_type', cause, type]);
    assert.equal((await gate.audited(mark, { event: 'denied', reason: 'content_type' })).seen, type);
  }
  assert.equal(service.text, '', 'nothing reached the service');
});

// ---- DELETE with a body ----

it('situation 9: a DELETE with a body is passed on, on a vetted route without it', async () => {
  for (const [name, where, seen] of [
    ['plain', '/x', /^DELETE \/x [^]*\r\n\r\n\{"a":1\}$/],
    ['mcp', '/mcp', /^DELETE \/mcp [^]*\r\nContent-Length: 0\r\n\r\n$/],
  ]) {
    service.forget();
    const headers = { 'content-type': 'application/json' };
    const answer = await ask(gate, name, where, { method: 'DELETE', token: tokens[name], body: '{"a":1}', headers });
    assert.equal(answer.status, 200, answer.body);
    assert.match(service.text, seen);
  }
  // In pieces, too; and no more than a message may have.
  service.forget();
  const chunked = await ask(gate, 'mcp', '/mcp', {
    method: 'DELETE',
    token: tokens.mcp,
    headers: { 'transfer-encoding': 'chunked' },
    send: (request) => (request.write('{'), request.end('}')),
  });
  assert.equal(chunked.status, 200, chunked.body);
  assert.match(service.text, /\r\nContent-Length: 0\r\n\r\n$/);
});

// ---- What arrives although a body is still on its way ----

// [surface, path, token, content type, status, reason]
const refusals = [
  ['plain', '/x', false, 'application/octet-stream', 401, 'credential_missing'],
  ['plain', '/x', true, 'application/octet-stream', 413, 'body_too_large'],
  ['mcp', '/mcp', true, 'text/plain', 415, 'content_type'],
];

const FETCH = `
const [url, type, authorization, stream] = process.argv.slice(1);
const bytes = Buffer.alloc(${BODY_BYTES}, 'x');
const headers = { 'content-type': type, ...(authorization ? { authorization } : {}) };
const pieces = () => new ReadableStream({ start(c) { for (let i = 0; i < bytes.length; i += 65536) c.enqueue(bytes.subarray(i, i + 65536)); c.close(); } });
const answer = await fetch(url, { method: 'POST', headers, body: stream ? pieces() : bytes, duplex: 'half' });
console.log(answer.status, (await answer.json()).reason);
`;
const URLLIB = `
import json, ssl, sys, urllib.error, urllib.request
url, type, authorization = sys.argv[1:4]
headers = {'Content-Type': type, **({'Authorization': authorization} if authorization else {})}
request = urllib.request.Request(url, data=b'x' * ${BODY_BYTES}, headers=headers, method='POST')
try:
    urllib.request.urlopen(request, context=ssl._create_unverified_context())
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)['reason'])
`;

const AIOHTTP = `
import aiohttp, asyncio, sys
url, type, authorization = sys.argv[1:4]
headers = {'Content-Type': type, **({'Authorization': authorization} if authorization else {})}
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=b'x' * ${BODY_BYTES}, headers=headers, ssl=False) as answer:
            print(answer.status, (await answer.json(content_type=None))['reason'])
asyncio.run(main())
`;

const programs = {
  'fetch of Node': (...args) => ['node', '--input-type=module', '-e', FETCH, '--', ...args],
  'fetch of Node that streams': (...args) => ['node', '--input-type=module', '-e', FETCH, '--', ...args, 'stream'],
  'aiohttp of Python': (...args) => ['/usr/bin/python3', '-W', 'ignore', '-c', AIOHTTP, ...args],
  'urllib of Python': (...args) => ['python3', '-c', URLLIB, ...args],
  curl: (where, type, authorization) => [
    ...['curl', '-sS', '-k', '-o', '-', '-H', 'Expect:', '-H', `Content-Type: ${type}`, '--data-binary', '@-'],
    ...(authorization ? ['-H', `Authorization: ${authorization}`] : []),
    where,
  ],
};

// They read while they write, and so read it always.
const readBefore = new Set(['curl', 'aiohttp of Python']);

for (const [program, command] of Object.entries(programs)) {
  it(`${readBefore.has(program) ? '' : 'situation 9: '}${program} reads why its 5 MB are refused, also over TLS`, async () => {
    for (const over of ['', '-tls']) {
      for (const [name, where, known, type, status, reason] of refusals) {
        const authorization = known ? `Bearer ${tokens[name + over]}` : '';
        const run = new Program(command(url(name + over, where), type, authorization), {
          env: { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' },
          ...(program === 'curl' ? { input: 'x'.repeat(BODY_BYTES) } : {}),
        });
        await run.end();
        const said = program === 'curl' ? `${JSON.parse(run.stdout).status} ${JSON.parse(run.stdout).reason}` : run.stdout.trim();
        assert.equal(said, `${status} ${reason}`, run.log);
      }
    }
  });
}

it('situation 9: nobody lingers for ever: what is taken after the last answer has an end', async () => {
  const raw = await Raw.connect(gate.port('plain'));
  const head = requestText({
    method: 'POST',
    host: 'x',
    upgrade: false,
    headers: [['Content-Length', '1000000000']],
  });
  let sent = 0;
  raw.send(head);
  assert.equal((await raw.response()).status, 403);
  const piece = Buffer.alloc(1024 * 1024);
  while (!raw.socket.destroyed && !raw.error && sent < 4 * LINGER_BYTES) {
    sent += piece.length;
    await within(new Promise((resolve) => raw.socket.write(piece, resolve)), 'what is sent to be taken, or refused');
  }
  assert.match(String(raw.error), /ECONNRESET|EPIPE/, 'it was cut');
  assert.ok(sent > BODY_BYTES && sent < 2 * LINGER_BYTES, `after ${sent} bytes`);
});

// ---- 431 ----

it('situation 9: a browser with too many cookies is told to clear them, others in JSON', async () => {
  const browser = await launch();
  try {
    const page = browser.pages()[0];
    const cookies = Array.from({ length: 6 }, (_, i) => ({
      name: `c${i}`,
      value: 'v'.repeat(3500),
      url: url('plain', '/'),
    }));
    await browser.addCookies(cookies);
    const answer = await page.goto(url('plain', '/'));
    assert.equal(answer.status(), 431);
    assert.match(await page.textContent('body'), /[Cc]lear the cookies/);
    await browser.clearCookies();
    assert.equal((await page.goto(url('plain', '/'))).status(), 401);
  } finally {
    await browser.close();
  }
  const headers = { cookie: 'v'.repeat(20_000) };
  const told = await ask(gate, 'plain', '/x', { token: tokens.plain, headers });
  assert.equal(told.status, 431);
  assert.equal(told.json.reason, 'headers_too_large');
});

// ---- What else is odd ----

const odd = [
  ['Connection: keep-alive, TE\r\nTE: trailers\r\n'],
  ['Connection: close, keep-alive\r\n'],
  ['Connection:\r\n'],
  ['X-Empty:\r\nCookie:\r\nAccept:\r\nAccept-Encoding:\r\n'],
  ['Accept: */*\r\n'],
  ['Accept: application/json\r\nAccept: text/html;q=0.1\r\n'],
  ['Content-Length: 0\r\n'],
  ['Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n'],
  ['Expect: 100-continue\r\n'],
  ['', 'HEAD'],
  ['Access-Control-Request-Method: POST\r\n', 'OPTIONS'],
  ['', 'POST'],
];

it('situation 9: what is odd but legal passes', async () => {
  service.forget();
  service.answer = (request) => ({ bytes: request.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' });
  for (const [lines, method = 'GET'] of odd) {
    const raw = await Raw.connect(gate.port('plain'));
    raw.send(`${method} /x HTTP/1.1\r\nHost: localhost:${gate.port('plain')}\r\n${bearer('plain')}\r\n${lines}\r\n`);
    if (method === 'HEAD') {
      const { line } = await headOf(raw);
      assert.match(line, /^HTTP\/1.1 200 /, lines);
    } else {
      assert.equal((await raw.response()).status, 200, `${method} ${JSON.stringify(lines)}`);
    }
    raw.destroy();
  }
  assert.equal(service.requestCount, odd.length);
});

async function headOf(raw) {
  await within(
    new Promise((resolve) => {
      const look = () => (raw.pending.includes('\r\n\r\n') || raw.ended ? resolve() : setImmediate(look));
      look();
    }),
    'a head',
  );
  return { line: raw.pending.toString('latin1').split('\r\n')[0] };
}
