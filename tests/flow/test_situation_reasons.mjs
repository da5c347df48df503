// Situation 6: what stands for several mistakes says which of them was seen, to whoever is told
// and in the audit log, with method, path and host, and never with a secret.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, it } from 'node:test';

import { PLAIN_ANSWER, RawHttpService } from '../services/raw_http_service.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { call, post } from './lib/mcp_http.mjs';
import { Raw, assertProblem, request } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new RawHttpService(path.join(dir, 'service.sock'));
const deaf = path.join(dir, 'deaf.sock');
let gate;
const tokens = {};

const query = { pass: { run: '[0-9]+' } };

function plain(socket, limits = {}) {
  const routes = [
    { path: '/ws', kind: 'websocket' },
    { path: '/queried', kind: 'http', methods: ['GET'], query },
    { path: '/queried/ws', kind: 'websocket', query },
    { path: '/{any...}', kind: 'http', methods: ['GET', 'HEAD', 'POST', 'DELETE'] },
  ];
  return surface(socket, { dialect: 'opaque', routes, limits });
}

before(async () => {
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      plain: plain(service.socketPath),
      absent: plain(path.join(dir, 'absent.sock')),
      deaf: plain(deaf),
      narrow: plain(service.socketPath, { max_connections: 1, upstream_timeout_ms: 300 }),
      mcp: surface(service.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/mcp', kind: 'mcp-http' }],
        allow: { verbs: ['tools/list'] },
      }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
});

after(() => stopAll(gate, service));

const JSON_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';

// What the service said, and what is said of it: [bytes, cause, seen].
const answers = [
  ['garbage\r\n\r\n', 'head'],
  ['HTTP/1.1 200 OK\r\nX: 1', 'head_cut'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n', 'framing'],
  ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'switched'],
  ['HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17), 'interim'],
];
const mcpAnswers = [
  ['HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi', 'content_type', 'text/html'],
  [`${JSON_HEAD}Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}`, 'content_encoding', 'br'],
  [`${JSON_HEAD}Content-Type: text/x\r\nContent-Length: 2\r\n\r\n{}`, 'header_duplicate'],
];

async function named(answer, mark, { status, reason, cause, seen }, told) {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.json.reason, reason);
  assert.equal(answer.json.cause, cause, 'the answer names what was seen');
  assert.equal(answer.json.seen, seen);
  const line = await gate.audited(mark, { event: 'denied', reason, cause });
  assert.equal(line.seen, seen);
  for (const [key, value] of Object.entries(told)) assert.equal(line[key], value, key);
}

it('situation 6: how a service broke the protocol is named', async () => {
  for (const [bytes, cause, seen] of answers) {
    const mark = gate.mark();
    service.answer = () => ({ bytes, close: true });
    const answer = await ask(gate, 'plain', `/${cause}?q=1`, { method: 'POST', token: tokens.plain, body: 'x' });
    const told = { method: 'POST', path: `/${cause}`, host: `localhost:${gate.port('plain')}` };
    await named(answer, mark, { status: 502, reason: 'upstream_protocol', cause, seen }, told);
  }
});

it('situation 6: so is an answer that cannot be vetted, with what it was', async () => {
  for (const [bytes, cause, seen] of mcpAnswers) {
    const mark = gate.mark();
    service.answer = () => ({ bytes, close: true });
    const answer = await post(gate, 'mcp', call(1, 'ping'), { token: tokens.mcp });
    assert.match(answer.body, /"cause":"\w+"/, 'the answer names what was seen');
    assert.match(answer.body, new RegExp(`"cause":"${cause}"`));
    const line = await gate.audited(mark, { reason: 'upstream_protocol', cause });
    assert.equal(line.seen, seen);
    assert.equal(line.method, 'POST');
    assert.equal(line.path, '/mcp');
  }
});

it('situation 6: an answer that is cut off says so in the audit log', async () => {
  for (const [bytes, cause] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi', 'body_cut'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'chunk'],
  ]) {
    const mark = gate.mark();
    service.answer = () => ({ bytes, close: true });
    const { raw } = await request(gate, 'plain', { token: tokens.plain, upgrade: false, path: '/x' });
    await raw.gone();
    const line = await gate.audited(mark, { event: 'closed', reason: 'upstream_protocol' });
    assert.equal(line.cause, cause);
  }
});

it('situation 6: a service that only closes is not blamed for a close frame', async () => {
  const mark = gate.mark();
  service.answer = (_, socket) => ({ bytes: '', close: socket.destroy() !== undefined });
  const answer = await ask(gate, 'plain', '/x', { method: 'POST', token: tokens.plain, body: 'x' });
  assert.equal(answer.status, 502);
  assert.doesNotMatch(answer.json.detail, /frame/);
  assert.match(answer.json.detail, /without an answer/);
  await gate.audited(mark, { event: 'denied', reason: 'upstream_gone', cause: 'unanswered', path: '/x' });
});

it('situation 6: what a service answers to an upgrade instead of 101 is named', async () => {
  const mark = gate.mark();
  service.answer = () => ({ bytes: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n' });
  const { response } = await request(gate, 'plain', { token: tokens.plain });
  assertProblem(response, 502, 'upstream_refused');
  assert.equal(response.json.seen, 'HTTP/1.1 403 Forbidden');
  const line = await gate.audited(mark, { event: 'denied', reason: 'upstream_refused' });
  assert.deepEqual(
    { cause: line.cause, seen: line.seen, path: line.path, host: line.host },
    { cause: 'status', seen: 'HTTP/1.1 403 Forbidden', path: '/ws', host: `localhost:${gate.port('plain')}` },
  );
});

it('situation 6: a service that cannot be reached is named with its socket and errno', async () => {
  // A socket that nobody listens at any more.
  const listen = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  spawnSync(process.execPath, ['-e', listen, deaf]);
  for (const [name, cause, errno] of [
    ['absent', 'no_socket', 'ENOENT'],
    ['deaf', 'not_listening', 'ECONNREFUSED'],
  ]) {
    for (const options of [{ upgrade: false, path: '/x' }, { path: '/ws' }]) {
      const mark = gate.mark();
      const { response } = await request(gate, name, { token: tokens[name], ...options });
      assertProblem(response, 502, 'upstream_unreachable');
      const line = await gate.audited(mark, { event: 'denied', reason: 'upstream_unreachable' });
      assert.equal(line.errno, errno, 'the log names the error');
      assert.equal(line.socket, gate.config.surfaces[name].upstream.socket);
      assert.equal(line.cause, cause);
      assert.equal(line.path, options.path);
      assert.equal(response.json.cause, cause);
      assert.doesNotMatch(response.body, /\.sock/, 'clients are not told where');
    }
  }
  const { surfaces } = await gate.doJson('status');
  assert.deepEqual(
    surfaces.map((row) => [row.name, row.upstream_error]),
    [['plain', null], ['absent', 'ENOENT'], ['deaf', 'ECONNREFUSED'], ['narrow', null], ['mcp', null]],
    'status names it, too',
  );
  assert.match(gate.stderr, /absent.*absent\.sock: No such file or directory/);
});

// What a client sent, and what is said of it: [bytes, cause, reason].
const AUTH = () => `Host: localhost:${gate.port('plain')}\r\nAuthorization: Bearer ${tokens.plain}\r\n`;
const heads = [
  [() => '\x16\x03\x01\x02\x00\x01', 'tls'],
  [() => '\x05\x01\x00', 'not_http'],
  [() => 'GET /\r\n\r\n', 'request_line'],
  [() => `GET http://localhost/x HTTP/1.1\r\n${AUTH()}\r\n`, 'target_url'],
  [() => `OPTIONS * HTTP/1.1\r\n${AUTH()}\r\n`, 'target_form'],
  [() => `GET /x HTTP/1.1\n${AUTH()}\r\n`, 'line_end'],
  [() => `GET /x HTTP/1.1\r\nX: \x01\r\n${AUTH()}\r\n`, 'control_byte'],
  [() => `GET /x HTTP/1.1\r\nX : 1\r\n${AUTH()}\r\n`, 'header_name'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()} folded: 1\r\n\r\n`, 'header_folded'],
  [() => `GET /x HTTP/1.1\r\nAuthorization: Bearer ${tokens.plain}\r\n\r\n`, 'host_missing'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()}Content-Length: 1\r\n\r\nx`, 'body_unexpected'],
  [() => `POST /x HTTP/1.1\r\n${AUTH()}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 'chunk'],
  [() => `POST /x HTTP/1.1\r\n${AUTH()}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n`, 'chunk_extension'],
  [() => `POST /x HTTP/1.1\r\n${AUTH()}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: 1\r\n\r\n`, 'trailer'],
  [() => `GET /x HTTP/1.0\r\n${AUTH()}\r\n`, 'http_1_0', 'http_version'],
  [() => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http_2', 'http_version'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()}${'X: 1\r\n'.repeat(70)}\r\n`, 'many', 'headers_too_large'],
  [() => `GET /x?${'q'.repeat(9000)} HTTP/1.1\r\n${AUTH()}\r\n`, 'query', 'headers_too_large'],
  [() => `POST /x HTTP/1.1\r\n${AUTH()}Transfer-Encoding: gzip\r\n\r\n`, 'transfer_encoding', 'length_required', 'gzip'],
  [() => `POST /x HTTP/1.1\r\n${AUTH()}Content-Length: 3x\r\n\r\n`, 'content_length', 'length_required', '3x'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()}Connection: Upgrade\r\nUpgrade: foo\r\n\r\n`, 'protocol', 'upgrade_invalid', 'foo'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()}Connection: close\r\nUpgrade: websocket\r\n\r\n`, 'connection', 'upgrade_invalid', 'close'],
  [() => `POST /x HTTP/1.1\r\n${AUTH()}Expect: tea\r\nContent-Length: 1\r\n\r\nx`, 'expect', 'header_invalid', 'tea'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()}Connection: close, Cookie\r\n\r\n`, 'connection', 'header_invalid', 'close, Cookie'],
  [() => `GET /x HTTP/1.1\r\n${AUTH()}Host: again\r\n\r\n`, undefined, 'header_duplicate', 'host'],
];

it('situation 6: what is wrong with a request is named', async () => {
  service.forget();
  for (const [bytes, cause, reason = 'malformed_request', seen] of heads) {
    const mark = gate.mark();
    const raw = await Raw.connect(gate.port('plain'));
    raw.send(Buffer.from(bytes(), 'latin1'));
    const response = await raw.response();
    assert.equal(response.json.reason, reason, JSON.stringify(bytes().slice(0, 60)));
    assert.equal(response.json.cause, cause, 'the answer names what was seen');
    assert.equal(response.json.seen, seen);
    await raw.gone();
    const line = await gate.audited(mark, { event: 'denied', reason });
    assert.equal(line.cause, cause);
    assert.equal(line.seen, seen);
    // As far as it could be read.
    if (/^\w+ \/x[ ?].* HTTP\/1.1\r\n/.test(bytes())) {
      assert.equal(line.path, '/x');
      assert.equal(line.method, bytes().split(' ')[0]);
    }
    raw.destroy();
  }
});

it('situation 6: and so is a head that stops in the middle', async () => {
  const mark = gate.mark();
  const raw = await Raw.connect(gate.port('plain'));
  raw.send('GET /half HTTP/1.1\r\nHost: h');
  raw.socket.end();
  const response = await raw.response();
  assert.equal(response.json.cause, 'head_cut');
  const line = await gate.audited(mark, { event: 'denied', reason: 'malformed_request' });
  assert.deepEqual([line.cause, line.method, line.path], ['head_cut', 'GET', '/half']);
});

it('situation 6: a secret in what was refused does not reach the log', async () => {
  const { id, token } = await gate.session('plain');
  const mark = gate.mark();
  for (const bytes of [
    `GET /x?token=${token}&key=hunter2 HTTP/1.1\r\nHost: h\r\nX : 1\r\n\r\n`,
    `GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\n\r\n`,
    `GET /${token} HTTP/1.1\r\nHost: ${token}\r\nX : 1\r\n\r\n`,
  ]) {
    const raw = await Raw.connect(gate.port('plain'));
    raw.send(bytes);
    assert.match(String((await raw.response()).json.cause), /header_name|protocol/, 'the answer names what was seen');
    raw.destroy();
  }
  await gate.audited(mark, { event: 'denied', cause: 'header_name', session: id, path: '/x' });
  await gate.audited(mark, { event: 'denied', cause: 'protocol' });
  await gate.audited(mark, { event: 'denied', path: /^\/…/ });
  const log = readFileSync(gate.auditPath, 'utf8');
  for (const part of token.split('.').slice(1)) assert.ok(!log.includes(part.slice(0, 40)), 'no part of the token');
  assert.ok(!log.includes('hunter2'), 'nothing of the query');
});

// What a message broke: [message, reason, cause].
const messages = [
  [{ jsonrpc: '2.0', id: 1, method: 'ping', params: null }, 'message_shape', 'params'],
  [{ jsonrpc: '2.0', id: 1, error: null }, 'message_shape', 'error'],
  [{ jsonrpc: '2.0', id: 'i'.repeat(302), method: 'ping' }, 'message_id', 'length'],
  [{ jsonrpc: '2.0', id: null, method: 'ping' }, 'message_id', 'null'],
  [{ id: 1, method: 'ping' }, 'message_shape', 'jsonrpc'],
  [{ jsonrpc: '2.0', id: 1, method: 'ping', extra: 1 }, 'message_key', 'unknown'],
  [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { Name: 'x', name: 'y' } }, 'message_key', 'resembles'],
  [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 1 } }, 'target_missing', 'type'],
  [
    { jsonrpc: '2.0', id: 1, method: 'completion/complete', params: { ref: { name: 'x', uri: 'file:///y' } } },
    'target_ambiguous', 'several',
  ],
];

it('situation 6: which rule a message broke is named', async () => {
  const input = messages.map(([message]) => `${JSON.stringify(message)}\n`).join('');
  const told = (await gate.cli('vet', '--surface', 'mcp', { input })).stdout.trim().split('\n').map(JSON.parse);
  const texts = new Set();
  for (const [i, [message, reason, cause]] of messages.entries()) {
    assert.equal(told[i].reason, reason);
    assert.equal(told[i].cause, cause, `vet names it: ${JSON.stringify(message).slice(0, 60)}`);
    const mark = gate.mark();
    const answer = await post(gate, 'mcp', message, { token: tokens.mcp });
    if (answer.message) texts.add(answer.message.error.message);
    const line = await gate.audited(mark, { event: 'message_refused', reason });
    assert.equal(line.cause, cause);
  }
  assert.ok(texts.size >= 3, `each in words of its own: ${[...texts].join('; ')}`);
});

it('situation 6: what is wrong with a query is named, with the parameter', async () => {
  for (const [asked, cause] of [['run=x', undefined], ['run=1&run=2', 'twice'], ['run=%zz', 'encoding']]) {
    for (const options of [{ upgrade: false, path: '/queried' }, { path: '/queried/ws' }]) {
      const mark = gate.mark();
      const { response } = await request(gate, 'plain', {
        token: tokens.plain, ...options, path: `${options.path}?other=1&${asked}`,
      });
      assertProblem(response, 400, 'query_invalid');
      assert.equal(response.json.seen, 'run', 'the answer names the parameter');
      assert.equal(response.json.cause, cause);
      const line = await gate.audited(mark, { event: 'denied', reason: 'query_invalid', path: options.path });
      assert.deepEqual([line.cause, line.seen], [cause, 'run']);
    }
    // And where the worker decides, on a connection that has its grant.
    service.forget();
    const raw = await Raw.connect(gate.port('plain'));
    const text = (target) => `GET ${target} HTTP/1.1\r\n${AUTH()}\r\n`;
    raw.send(text('/queried?run=7'));
    assert.equal((await raw.response()).status, 200);
    const mark = gate.mark();
    raw.send(text(`/queried?${asked}`));
    const { json } = await raw.response();
    assert.deepEqual([json.reason, json.cause, json.seen], ['query_invalid', cause, 'run']);
    await gate.audited(mark, { event: 'denied', reason: 'query_invalid', seen: 'run' });
    raw.destroy();
  }
});

it('situation 6: what is full is named, and a broker that is slow is not called the service', async () => {
  service.forget();
  // It says that it closes, so that no request goes on a link that is about to end.
  service.answer = () => ({ bytes: PLAIN_ANSWER.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), close: true });
  const headers = `Host: localhost:${gate.port('narrow')}\r\nAuthorization: Bearer ${tokens.narrow}\r\n`;
  const held = await Raw.connect(gate.port('narrow'));
  held.send(`GET /x HTTP/1.1\r\n${headers}\r\n`);
  assert.equal((await held.response()).status, 200);
  const { broker } = gate;
  let mark = gate.mark();
  process.kill(broker, 'SIGSTOP');
  try {
    held.send(`GET /slow HTTP/1.1\r\n${headers}\r\n`);
    const { json } = await held.response();
    assert.equal(json.reason, 'admission_timeout', 'the service was never asked');
  } finally {
    process.kill(broker, 'SIGCONT');
  }
  await gate.audited(mark, { event: 'denied', reason: 'admission_timeout', path: '/slow' });

  service.answer = () => ({ bytes: '' }); // and whoever asks is waited for
  const busy = await Raw.connect(gate.port('narrow'));
  busy.send(`GET /x HTTP/1.1\r\n${headers}\r\n`);
  await until(() => service.requestCount === 2, 'the request that is waited for');
  mark = gate.mark();
  const { response } = await request(gate, 'narrow', { token: tokens.narrow, upgrade: false, path: '/y' });
  assertProblem(response, 503, 'at_capacity');
  assert.equal(response.json.cause, 'surface', 'the answer says of what there is no more');
  await gate.audited(mark, { event: 'denied', reason: 'at_capacity', cause: 'surface', path: '/y' });
  busy.destroy();
  held.destroy();
});

it('situation 6: every cause is published', async () => {
  const list = JSON.parse((await gate.cli('help', 'reasons', '--json')).stdout);
  for (const [, cause, reason = 'malformed_request'] of heads) {
    if (cause) assert.ok(list.some((row) => row.reason === reason && row.cause === cause), `${reason}/${cause}`);
  }
});
