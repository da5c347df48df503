// `sidelock connect` over Streamable HTTP against a gate and a service that do as
// a test says: what it sends, and what it makes of the answers.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';

import { FakeGate, handshake, json, result } from './lib/fake_gate.mjs';
import { run, scratchDir } from './lib/gate.mjs';
import { settled, until } from './lib/wait.mjs';

const LOST = -31404;
const REFUSED = -31403;
const MODERN = '2026-07-28';

const dir = scratchDir();
let fake;
let connected;

// Starts both; `answer` is asked after the handshake has been answered.
async function begin(answer, { args = [], options, initialize = true } = {}) {
  fake = await new FakeGate(dir, (request, response) => {
    if (!handshake(request, response, options)) answer(request, response);
  }).start();
  connected = fake.connect(...args);
  if (initialize) await connected.initialize();
}

afterEach(async () => {
  connected?.child.kill('SIGKILL');
  await connected?.ended;
  await fake?.stop();
  connected = fake = undefined;
});

const finish = async () => assert.deepEqual(await connected.finish(), { code: 0, signal: null });

function modern(id, method, params = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  connected.say({ jsonrpc: '2.0', id, method, params: { ...params, _meta } });
}

const stream = (response, text) => {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(text);
};
const event = (value, id) => `${id ? `id: ${id}\n` : ''}data: ${JSON.stringify(value)}\n\n`;

describe('the older revisions', () => {
  it('sends the headers that they ask for', async () => {
    await begin((request, response) => json(response, result(request.message.id)));
    await connected.ask(1, 'tools/list');
    await finish();
    const [first, ...later] = fake.requests;
    assert.equal(first.message.method, 'initialize');
    assert.equal(first.headers['mcp-session-id'], undefined);
    assert.equal(first.headers['mcp-protocol-version'], undefined);
    assert.equal(first.headers.host, fake.address);
    assert.equal(first.headers['content-type'], 'application/json');
    assert.match(first.headers.accept, /application\/json, *text\/event-stream/);
    for (const request of later) {
      assert.equal(request.headers['mcp-session-id'], 'mcp-1');
      assert.equal(request.headers['mcp-protocol-version'], '2025-11-25');
      assert.equal(request.token, 'token-1');
      assert.equal(request.headers['mcp-method'], undefined);
    }
    assert.equal(fake.requests.at(-1).method, 'DELETE', 'the session is ended');
    assert.equal(fake.asked.at(-1), 'DELETE /v1/sessions/f00', 'and ours revoked');
    const listening = fake.requests.find(({ method }) => method === 'GET');
    assert.equal(listening.headers.accept, 'text/event-stream');
  });

  it('does without a session where the service opens none', async () => {
    await begin((request, response) => json(response, result(request.message.id)), { options: { session: '' } });
    await connected.ask(1, 'tools/list');
    await finish();
    assert.ok(fake.requests.every(({ headers, method }) => !headers['mcp-session-id'] && method !== 'DELETE'));
  });

  it('keeps the order that the client meant', async () => {
    let release;
    fake = await new FakeGate(dir, (request, response) => {
      if (request.message?.method === 'notifications/initialized') release = () => response.writeHead(202).end();
      else if (!handshake(request, response)) json(response, result(request.message.id));
    }).start();
    connected = fake.connect();
    await connected.initialize();
    connected.say({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    await fake.seen(({ message }) => message?.method === 'notifications/initialized', 'initialized');
    await until(() => release, 'it to be held');
    assert.equal(fake.posts('tools/list').length, 0);
    release();
    await connected.answer(1);
    await finish();
  });

  it('lets requests run side by side', async () => {
    const held = [];
    await begin((request, response) => held.push([request, response]));
    for (let id = 1; id <= 10; id++) connected.say({ jsonrpc: '2.0', id, method: 'tools/call' });
    await until(() => held.length === 10, 'ten requests at once');
    for (const [request, response] of held.reverse()) json(response, result(request.message.id));
    for (let id = 1; id <= 10; id++) await connected.answer(id);
    await finish();
  });

  it('carries what the service asks and says unasked', async () => {
    await begin(() => {}, { initialize: false });
    let unasked;
    let answered;
    fake.answer = (request, response) => {
      if (request.method === 'GET') {
        unasked = response;
        stream(response, ': hello\n\n');
      } else if (request.message?.result) {
        answered = request.message;
        response.writeHead(202).end();
      } else if (!handshake(request, response)) {
        stream(response, event({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {} }));
        until(() => answered, 'the answer').then(() => {
          stream(response, event(result(request.message.id, { ok: true })));
          response.end();
        });
      }
    };
    await connected.initialize();
    connected.say({ jsonrpc: '2.0', id: 1, method: 'tools/call' });
    await connected.hear(({ method }) => method === 'elicitation/create');
    connected.say({ jsonrpc: '2.0', id: 'q', result: { action: 'accept' } });
    assert.deepEqual((await connected.answer(1)).result, { ok: true });
    assert.equal(answered.id, 'q');
    await until(() => unasked, 'the stream for what comes unasked');
    stream(unasked, event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }));
    await connected.hear(({ method }) => method === 'notifications/tools/list_changed');
    await finish();
  });

  it('writes one line a message, however the service breaks it', async () => {
    await begin((request, response) => {
      const text = JSON.stringify(result(request.message.id, { a: 'b\nc', d: [1, 2] }), null, 2);
      if (request.message.id === 1) {
        response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(text.replaceAll('\n', '\r\n'));
      } else {
        stream(response, `${text.split('\n').map((line) => `data: ${line}`).join('\r\n')}\r\n\r\n`);
        response.end();
      }
    });
    for (const id of [1, 2]) {
      assert.deepEqual((await connected.ask(id, 'x')).result, { a: 'b\nc', d: [1, 2] });
    }
    await finish();
  });
});

describe('what breaks', () => {
  it('takes up a broken stream where it was', async () => {
    await begin(() => {}, { initialize: false });
    fake.answer = (request, response) => {
      if (request.method === 'GET' && request.headers['last-event-id'] === 'e7') {
        stream(response, event(result(1, { late: true }), 'e8'));
        response.end();
      } else if (!handshake(request, response)) {
        stream(response, 'id: e6\nretry: 10\ndata:\n\n');
        stream(response, event({ jsonrpc: '2.0', method: 'notifications/progress' }, 'e7'));
        setImmediate(() => response.destroy());
      }
    };
    await connected.initialize();
    assert.deepEqual((await connected.ask(1, 'tools/call')).result, { late: true });
    assert.equal(fake.posts('tools/call').length, 1);
    await finish();
  });

  it('tells the client of an answer that is lost, and does not ask twice', async () => {
    await begin((request, response) => {
      if (request.message.id === 1) return response.destroy();
      stream(response, event({ jsonrpc: '2.0', method: 'notifications/progress' }));
      return request.message.id === 2 ? response.end() : setImmediate(() => response.destroy());
    });
    for (const id of [1, 2, 3]) assert.equal((await connected.ask(id, 'tools/call')).error.code, LOST, `${id}`);
    assert.equal(fake.posts('tools/call').length, 3);
    await finish();
  });

  it('survives answers that are none', async () => {
    const answers = {
      1: (response) => response.socket.end('nonsense\r\n\r\n'),
      2: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      3: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc'),
      4: (response) => json(response, result(999)),
      5: (response) => json(response, result(5, 'x'.repeat(70_000))),
      6: (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${'x'.repeat(80_000)}\n\n`),
      7: (response) => json(response, [result(7)]),
      8: (response) => response.writeHead(500).end('broken'),
      9: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(),
      10: (response) => response.socket.end(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`),
    };
    await begin((request, response) => {
      const { id } = request.message;
      if (answers[id]) answers[id](response);
      else json(response, result(id));
    });
    for (const id of Object.keys(answers).map(Number)) {
      const { error } = await connected.ask(id, 'x');
      assert.equal(error?.code, LOST, `answer ${id}`);
    }
    assert.ok((await connected.ask(100, 'x')).result);
    assert.ok(connected.lines.every((line) => line.id !== 999));
    await finish();
  });

  it('begins another session when the service forgot the one it had', async () => {
    let sessions = 0;
    let current;
    await begin(() => {}, { initialize: false });
    fake.answer = (request, response) => {
      const { method, id } = request.message ?? {};
      if (method === 'initialize') {
        current = `mcp-${++sessions}`;
        handshake(request, response, { session: current });
      } else if (request.method === 'GET') {
        response.writeHead(405).end();
      } else if (request.headers['mcp-session-id'] !== current) {
        json(response, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, { status: 404 });
      } else if (!handshake(request, response)) {
        json(response, result(id, { session: current }));
      }
    };
    await connected.initialize();
    assert.equal((await connected.ask(1, 'x')).result.session, 'mcp-1');
    current = 'restarted';
    const both = [connected.ask(2, 'x'), connected.ask(3, 'y')];
    for (const answer of await Promise.all(both)) assert.equal(answer.result.session, 'mcp-2');
    assert.equal(fake.posts('initialize').length, 2);
    assert.equal(fake.posts('notifications/initialized').length, 2);
    assert.deepEqual(fake.posts('initialize')[1].message.params, fake.posts('initialize')[0].message.params);
    assert.deepEqual(connected.lines, [], 'the client sees nothing of it');
    await finish();
  });

  it('renews a session that has ended, and sends again what was denied', async () => {
    let denials = 0;
    await begin((request, response) => {
      if (request.token !== 'token-1') return json(response, result(request.message.id));
      denials += 1;
      return json(response, { status: 401, reason: 'token_expired' }, { status: 401 });
    });
    assert.ok((await connected.ask(1, 'x')).result);
    assert.ok(denials >= 1);
    assert.ok(fake.asked.includes('POST /v1/sessions/f00/renew'));
    await finish();
  });

  it('makes another session when the first cannot be renewed', async () => {
    await begin((request, response) => {
      if (request.token !== 'token-1') return json(response, result(request.message.id));
      return json(response, { status: 401, reason: 'session_unknown' }, { status: 401 });
    });
    fake.renewal = 404;
    assert.ok((await connected.ask(1, 'x')).result);
    assert.equal(fake.asked.filter((line) => line === 'POST /v1/sessions').length, 2);
    await finish();
  });

  it('gives up when somebody revoked the session, answering what is due', async () => {
    await begin((request, response) => json(response, { status: 401, reason: 'session_revoked' }, { status: 401 }));
    const { error } = await connected.ask(1, 'x');
    assert.equal(error.code, REFUSED);
    assert.equal(error.data.reason, 'session_revoked');
    assert.equal((await connected.end()).code, 77);
  });

  it('passes denials on as errors, and waits for a service that is not there', async () => {
    let down = 3;
    await begin((request, response) => {
      const { id } = request.message;
      if (id === 1) return json(response, { status: 403, reason: 'params_required' }, { status: 403 });
      if (down-- > 0) return json(response, { status: 502, reason: 'upstream_unreachable' }, { status: 502 });
      return json(response, result(id));
    });
    const { error } = await connected.ask(1, 'x');
    assert.deepEqual([error.code, error.data.reason], [REFUSED, 'params_required']);
    assert.ok((await connected.ask(2, 'x')).result);
    await finish();
  });

  it('uses a new token as soon as it has one', async () => {
    await begin((request, response) => json(response, result(request.message.id)), { args: ['--ttl', '2s'] });
    await until(() => fake.asked.filter((line) => line.endsWith('/renew')).length >= 2, 'two renewals');
    await connected.ask(1, 'x');
    assert.notEqual(fake.posts('x')[0].token, 'token-1');
    await finish();
  });

  it('goes on reading while the client does not, but no further than it must', async () => {
    const big = 'x'.repeat(60_000);
    let sent = 0;
    let stalled;
    await begin((request, response) => {
      stream(response, ': begin\n\n');
      const more = () => {
        while (sent < 2000) {
          sent += 1;
          if (!response.write(event({ jsonrpc: '2.0', method: 'n', params: { sent, big } }))) {
            stalled = setTimeout(() => {}, 0);
            response.once('drain', more);
            return;
          }
        }
        stream(response, event(result(1)));
        response.end();
      };
      more();
    });
    connected.child.stdout.pause();
    connected.say({ jsonrpc: '2.0', id: 1, method: 'x' });
    await until(() => sent > 0, 'the first messages');
    await settled(() => sent, 500);
    assert.ok(stalled && sent < 1000, `${sent} messages were taken`);
    connected.child.stdout.resume();
    await connected.answer(1, 30_000);
    assert.equal(connected.lines.length, 2000);
    await finish();
  });
});

describe('2026-07-28', () => {
  it('repeats in headers what the body says', async () => {
    const region = { type: 'string', 'x-mcp-header': 'Region' };
    const tools = [{ name: 'grüße', inputSchema: { type: 'object', properties: { region } } }];
    await begin((request, response) => json(response, result(request.message.id, { tools })), { initialize: false });
    modern(1, 'tools/list');
    await connected.answer(1);
    modern(2, 'tools/call', { name: 'grüße', arguments: { region: 'eu' } });
    await connected.answer(2);
    const [list, call] = fake.requests;
    assert.equal(list.headers['mcp-protocol-version'], MODERN);
    assert.equal(list.headers['mcp-method'], 'tools/list');
    assert.equal(list.headers['mcp-name'], undefined);
    assert.equal(call.headers['mcp-method'], 'tools/call');
    assert.equal(call.headers['mcp-name'], `=?base64?${Buffer.from('grüße').toString('base64')}?=`);
    assert.equal(call.headers['mcp-param-region'], 'eu');
    assert.equal(call.headers['mcp-session-id'], undefined);
    await finish();
    assert.ok(fake.requests.every(({ method }) => method === 'POST'), 'no GET, no DELETE');
  });

  it('passes on errors that come with a status', async () => {
    await begin(
      (request, response) => {
        const { id } = request.message;
        json(response, { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }, { status: 404 });
      },
      { initialize: false },
    );
    modern(1, 'server/discover');
    assert.equal((await connected.answer(1)).error.code, -32601);
    await finish();
  });

  it('cancels by closing the stream', async () => {
    let closed = false;
    await begin(
      (request, response) => {
        response.on('close', () => (closed = true));
        stream(response, ': waiting\n\n');
      },
      { initialize: false },
    );
    modern(1, 'tools/call', { name: 'slow' });
    await fake.seen(({ message }) => message?.id === 1, 'the call');
    connected.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await until(() => closed, 'the stream to be closed');
    assert.equal(fake.posts('notifications/cancelled').length, 0);
    await finish();
    assert.deepEqual(connected.lines, []);
  });
});

describe('over TLS', () => {
  // Certificates of an authority of the test's own, and their digests as the control socket tells them.
  async function certificate(name) {
    const folder = path.join(dir, name);
    const { code, stderr } = await run(['certs', 'init', '--dir', folder]);
    assert.equal(code, 0, stderr);
    const cert = readFileSync(path.join(folder, 'server.pem'));
    const pin = createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
    return { cert, key: readFileSync(path.join(folder, 'server.key')), pin };
  }

  async function secure(tls) {
    fake = await new FakeGate(
      dir,
      (request, response) => handshake(request, response) || json(response, result(request.message.id)),
      { tls },
    ).start();
    connected = fake.connect();
  }

  it('speaks to whoever shows the certificate that the control socket names', async () => {
    await secure(await certificate('good'));
    await connected.initialize();
    const calls = Array.from({ length: 20 }, (_, i) => connected.ask(i + 1, 'x'));
    for (const answer of await Promise.all(calls)) assert.ok(answer.result);
    await finish();
  });

  it('tells nobody else a thing, and is content when the certificate is the right one', async () => {
    const { pin } = await certificate('other');
    const tls = await certificate('good');
    await secure({ ...tls, pin });
    const answer = connected.initialize();
    await until(() => (connected.stderr.match(/does not show the gate’s|does not show the gate's/g) ?? []).length >= 2, 'two refusals');
    assert.deepEqual(fake.requests, []);
    fake.tls.pin = tls.pin; // as after a renewal
    await answer;
    await finish();
  });
});

describe('at the end', () => {
  it('waits for what is due, but not for ever once it is told to end', async () => {
    let held;
    await begin((request, response) => (held = [request, response]));
    connected.say({ jsonrpc: '2.0', id: 1, method: 'x' });
    await until(() => held, 'the request');
    connected.child.stdin.end();
    json(held[1], result(1, { late: true }));
    assert.deepEqual((await connected.answer(1)).result, { late: true });
    assert.deepEqual(await connected.end(), { code: 0, signal: null });
  });

  it('a signal cuts the waiting short, and nothing stays without an answer', async () => {
    await begin(() => {});
    connected.say({ jsonrpc: '2.0', id: 1, method: 'x' });
    await fake.seen(({ message }) => message?.id === 1, 'the request');
    connected.child.kill('SIGTERM');
    assert.deepEqual(await connected.end(), { code: 0, signal: null });
    assert.equal(connected.lines.find((line) => line.id === 1).error.code, LOST);
    assert.equal(fake.asked.at(-1), 'DELETE /v1/sessions/f00');
  });

  it('ends when nobody reads its output', async () => {
    await begin((request, response) => json(response, result(request.message.id)));
    connected.child.stdout.destroy();
    connected.say({ jsonrpc: '2.0', id: 1, method: 'x' });
    assert.deepEqual(await connected.end(), { code: 0, signal: null });
    assert.equal(fake.asked.at(-1), 'DELETE /v1/sessions/f00');
  });
});
