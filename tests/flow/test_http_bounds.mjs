// How much an HTTP connection may cost and how soon it ends: gigabytes through
// little memory, a thousand open streams, readers that do not read, and the cut of
// what a revoked session has open.
import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { Gate, SANITIZED, residentBytes, scratchDir, surface } from './lib/gate.mjs';
import { EventStream, ask, finish, start } from './lib/http.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { sameWorkers } from './lib/same_workers.mjs';
import { settled, until } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const STREAMS = 1000;
// AddressSanitizer keeps what was freed.
const GROWTH = (SANITIZED ? 16 : 2) * MIB;

const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
let gate;
let worker;
let token;

before(async () => {
  await service.start();
  const routes = [{ path: '/{any...}', kind: 'http', methods: ['GET', 'POST', 'PUT'] }];
  const limits = { max_connections: 2 * STREAMS, max_connections_per_caller: 2 * STREAMS };
  const http = (more = {}) =>
    surface(service.socketPath, {
      dialect: 'opaque',
      routes,
      limits: { ...limits, max_body_bytes: 2 * GIB, ...more },
    });
  gate = await Gate.start(dir, {
    surfaces: {
      http: http(),
      stall: http({ write_timeout_ms: 1500 }),
      late: http({ request_timeout_ms: 800 }),
    },
  });
  ({ token } = await gate.session('http'));
  [worker] = gate.workers();
});

sameWorkers(() => gate, service);

// Counts the bytes of an answer as fast as they come, and watches the worker.
async function drain(response, peak) {
  let bytes = 0;
  response.on('data', (chunk) => (bytes += chunk.length));
  await until(
    () => {
      peak.bytes = Math.max(peak.bytes, residentBytes(worker));
      return response.readableEnded || response.destroyed;
    },
    'the end of a large answer',
    240_000,
  );
  assert.ok(response.complete);
  return bytes;
}

// Warms up, so that what is allocated once is not counted.
async function baseline() {
  for (let i = 0; i < 3; i++) {
    await drain(await start(gate, 'http', `/big?bytes=${8 * MIB}`, { token }), { bytes: 0 });
    await ask(gate, 'http', '/sink', { method: 'POST', token, body: Buffer.alloc(8 * MIB) });
  }
  return residentBytes(worker);
}

describe('memory', () => {
  it('a download of 1 GiB costs the worker less than 2 MiB', async (t) => {
    const before = await baseline();
    const peak = { bytes: before };
    const response = await start(gate, 'http', `/big?bytes=${GIB}`, { token });
    assert.equal(await drain(response, peak), GIB);
    t.diagnostic(`grew by ${((peak.bytes - before) / 1024).toFixed(0)} KiB at most`);
    assert.ok(peak.bytes - before < GROWTH, `${peak.bytes - before} bytes`);
  });

  for (const chunked of [false, true]) {
    it(`an upload of 1 GiB${chunked ? ' in chunks' : ''} does, too`, async (t) => {
      const before = await baseline();
      const peak = { bytes: before };
      const block = Buffer.alloc(256 * 1024, 'x');
      let left = GIB / block.length;
      const send = (request) => {
        const more = () => {
          while (left > 0) {
            left--;
            if (!request.write(block)) break;
          }
          if (left === 0) {
            request.off('drain', more);
            request.end();
          }
        };
        request.on('drain', more);
        more();
      };
      const sizes = setInterval(() => (peak.bytes = Math.max(peak.bytes, residentBytes(worker))), 5);
      const answer = await ask(gate, 'http', '/sink', {
        method: 'POST',
        token,
        headers: chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(GIB) },
        send,
        timeoutMs: 240_000,
      });
      clearInterval(sizes);
      assert.equal(answer.json.bodyBytes, GIB);
      t.diagnostic(`grew by ${((peak.bytes - before) / 1024).toFixed(0)} KiB at most`);
      assert.ok(peak.bytes - before < GROWTH, `${peak.bytes - before} bytes`);
    });
  }

  it('a thousand open streams: each gets every event', async (t) => {
    const before = residentBytes(worker);
    const streams = [];
    for (let i = 0; i < STREAMS; i += 50) {
      const batch = Array.from({ length: 50 }, () => EventStream.open(gate, 'http', '/sse', { token }));
      streams.push(...(await Promise.all(batch)));
    }
    await until(() => service.streams.size === STREAMS, 'all streams to be open', 30_000);
    assert.equal(await gate.connections('http'), STREAMS);
    service.event('to all of you');
    for (const stream of streams) await stream.has('data: to all of you\n\n', 30_000);
    const each = (residentBytes(worker) - before) / STREAMS / 1024;
    t.diagnostic(`${each.toFixed(1)} KiB a stream`);
    if (!SANITIZED) assert.ok(each < 64, `${each} KiB a stream`);
    // Somebody else is served meanwhile.
    assert.equal((await ask(gate, 'http', '/echo', { token })).status, 200);
    for (const stream of streams) stream.close();
    await gate.untilIdle('http', 30_000);
    await until(() => service.streams.size === 0, 'the service to be told', 30_000);
  });
});

describe('a body without end', () => {
  it('is refused however fast it comes: request_timeout', async () => {
    const { token: lateToken } = await gate.session('late');
    const raw = await Raw.connect(gate.port('late'));
    raw.send(
      requestText({
        method: 'POST',
        path: '/sink',
        host: `localhost:${gate.port('late')}`,
        token: lateToken,
        upgrade: false,
        headers: [['Content-Length', GIB]],
      }),
    );
    const more = setInterval(() => raw.send('x'.repeat(1000)), 50);
    const response = await raw.response();
    clearInterval(more);
    assert.equal(response.status, 400);
    assert.equal(response.json.reason, 'request_timeout');
  });
});

describe('a reader that does not read', () => {
  it('stalls only itself, and the service behind it waits', async () => {
    const raw = await Raw.connect(gate.port('http'), { paused: true });
    raw.send(
      requestText({
        path: `/big?bytes=${256 * MIB}`,
        host: `localhost:${gate.port('http')}`,
        token,
        upgrade: false,
      }),
    );
    await until(() => service.last?.sent > 0, 'the answer to begin');
    const stalled = service.last;
    const before = residentBytes(worker);
    await settled(() => stalled.sent);
    assert.ok(stalled.sent < 64 * MIB, `${stalled.sent} bytes are under way`);
    for (let i = 0; i < 20; i++) {
      assert.equal((await ask(gate, 'http', '/echo', { token })).status, 200, 'others are served meanwhile');
    }
    assert.ok(residentBytes(worker) - before < GROWTH);
    assert.equal(stalled.aborted, false);
    raw.destroy();
    await until(() => stalled.aborted, 'the service to be told');
  });

  it('is cut after write_timeout_ms', async () => {
    const { token: stallToken } = await gate.session('stall');
    const mark = gate.mark();
    const raw = await Raw.connect(gate.port('stall'), { paused: true });
    raw.send(
      requestText({
        path: `/big?bytes=${256 * MIB}`,
        host: `localhost:${gate.port('stall')}`,
        token: stallToken,
        upgrade: false,
      }),
    );
    await until(() => service.last?.sent > 0, 'the answer to begin');
    await until(() => service.last.aborted, 'the service to be told');
    await gate.audited(mark, { surface: 'stall', reason: 'write_stalled' });
    raw.destroy();
  });
});

describe('what a session has open is cut', () => {
  // How soon is tests/bench's question.
  it('by its revocation', async () => {
    for (let i = 0; i < 7; i++) {
      const session = await gate.session('http');
      const mark = gate.mark();
      const stream = await EventStream.open(gate, 'http', '/sse', { token: session.token });
      await stream.has('hello');
      await gate.revoke(session.id);
      await stream.end();
      await gate.audited(mark, { event: 'closed', reason: 'session_revoked', session: session.id });
      await until(() => service.last.aborted, 'the service to be told');
    }
  });

  it('by the kill switch, and nothing gets in until it is armed', async () => {
    const stream = await EventStream.open(gate, 'http', '/sse', { token });
    await stream.has('hello');
    const mark = gate.mark();
    await gate.do('kill', 'http');
    await stream.end();
    await gate.audited(mark, { event: 'closed', reason: 'surface_killed' });
    const answer = await ask(gate, 'http', '/echo', { token });
    assert.equal(answer.status, 503);
    assert.equal(answer.json.reason, 'surface_killed');
    await gate.do('arm', 'http');
    assert.equal((await ask(gate, 'http', '/echo', { token })).json.reason, 'session_revoked');
    ({ token } = await gate.session('http'));
    assert.equal((await ask(gate, 'http', '/echo', { token })).status, 200);
  });

  it('when it expires', async () => {
    const session = await gate.session('http', '--ttl', '4s');
    const expiry = new Date(session.expires_at).getTime();
    const stream = await EventStream.open(gate, 'http', '/sse', { token: session.token });
    await stream.has('hello');
    const mark = gate.mark();
    await stream.end();
    assert.ok(Date.now() >= expiry, 'not before its time');
    await gate.audited(mark, { event: 'closed', reason: 'session_expired', session: session.id });
  });

  it('also an upload, and an idle connection that is kept alive', async () => {
    const session = await gate.session('http');
    const raw = await Raw.connect(gate.port('http'));
    const text = { host: `localhost:${gate.port('http')}`, token: session.token, upgrade: false };
    raw.send(requestText({ ...text, path: '/echo' }));
    assert.equal((await raw.response()).status, 200);
    const upload = start(gate, 'http', '/sink', {
      method: 'POST',
      token: session.token,
      headers: { 'content-length': '1000' },
      send: (request) => request.write('half'),
    });
    const ended = upload.then(finish).then(
      ({ status }) => status,
      (error) => error.code,
    );
    await until(() => service.last?.path === '/sink', 'the upload to begin');
    await gate.revoke(session.id);
    assert.ok([401, 'ECONNRESET'].includes(await ended), String(await ended));
    await raw.gone();
    await until(() => service.last.aborted, 'the service to be told');
  });
});
