// TLS on a surface: what a handshake must be like, what is said over it, client
// certificates, and new certificates for a running gate.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import tls from 'node:tls';

import { OPCODE } from '../services/frames.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client, Refused } from './lib/client.mjs';
import { Gate, opaqueSurface, run, scratchDir, stopAll } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { until, within } from './lib/wait.mjs';

const KIB = 1024;

const dir = scratchDir();
const certs = path.join(dir, 'state', 'certs'); // where `certs init` puts them by itself
const strange = path.join(dir, 'strange'); // of another authority
const tokens = {};
let service;
let gate;

function pem(name, folder = certs) {
  return readFileSync(path.join(folder, name));
}

function identity(name, folder = certs) {
  return { cert: pem(`client-${name}.pem`, folder), key: pem(`client-${name}.key`, folder) };
}

// What a client needs to trust the gate, and more.
function trust(more = {}) {
  return { ca: pem('ca.pem'), ...more };
}

async function certificates(...args) {
  const { code, stdout, stderr } = await run(['certs', ...args, '--json'], {
    env: { SIDELOCK_CONFIG: gate?.configPath ?? path.join(dir, 'sidelock.json') },
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

function secure(more = {}, callers = undefined) {
  return opaqueSurface(service.socketPath, {
    tls: {
      certificate: path.join(certs, 'server.pem'),
      key: path.join(certs, 'server.key'),
      ...more,
    },
    ...(callers ? { callers } : {}),
  });
}

before(async () => {
  service = new WebSocketService(path.join(dir, 'echo.sock'));
  await service.start();
  gate = new Gate(dir, { surfaces: { echo: secure() } });
  await certificates('init', '--name', 'further.localhost');
  const { clients } = await certificates('init', '--client', 'alice');
  await certificates('init', '--client', 'bob');
  await certificates('init', '--dir', strange, '--client', 'alice');
  const asking = { client_ca: path.join(certs, 'ca.pem') };
  gate.configure({
    surfaces: {
      echo: secure(),
      asked: secure(asking),
      listed: secure(asking, { certificates: [clients[0].sha256] }),
    },
  });
  await gate.launch();
  for (const name of Object.keys(gate.config.surfaces)) {
    tokens[name] = (await gate.session(name)).token;
  }
});

after(async () => {
  hangUp();
  await stopAll(gate, service);
});

afterEach(() => {
  service.behave();
  service.forget();
});

function open(surface, options = {}) {
  return Client.open(gate, surface, '/ws', {
    token: tokens[surface],
    ...options,
    tls: trust(options.tls),
  });
}

// A handshake, which must succeed: the socket.
function shake(surface, options = {}) {
  const socket = tls.connect({
    port: gate.port(surface),
    host: '127.0.0.1',
    servername: 'localhost',
    ...trust(options),
  });
  socket.unref();
  return within(
    new Promise((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', reject);
    }),
    'a handshake',
  );
}

// What the certificate says that new connections are shown.
async function shown(surface = 'echo') {
  const socket = await shake(surface);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

// A request without an upgrade: {status, body}.
function get(surface, options = {}) {
  return within(
    new Promise((resolve, reject) => {
      const request = https.get(
        {
          port: gate.port(surface),
          path: '/ws',
          agent: false,
          ...trust(options),
        },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() }),
          );
        },
      );
      request.on('error', reject);
    }),
    'an answer',
  );
}

// Sends bytes without TLS and returns everything that comes until the end.
function plain(surface, bytes) {
  const socket = net.connect({ port: gate.port(surface), host: '127.0.0.1', allowHalfOpen: true });
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  if (bytes) socket.write(bytes);
  return within(
    new Promise((resolve) => {
      socket.on('error', () => {}); // a reset ends it as well
      socket.on('end', () => socket.end());
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    }),
    'the end of a connection without TLS',
  );
}

describe('the handshake', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    it(`speaks ${version}`, async () => {
      const socket = await shake('echo', { minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      assert.match(socket.getCipher().standardName, /GCM|CHACHA20/);
      assert.equal(socket.getEphemeralKeyInfo().type, 'ECDH');
      socket.destroy();
    });
  }

  it('refuses TLS 1.1', async () => {
    const old = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    };
    await assert.rejects(shake('echo', old), /protocol version/);
  });

  for (const ciphers of ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA']) {
    it(`refuses ${ciphers}`, async () => {
      await assert.rejects(shake('echo', { maxVersion: 'TLSv1.2', ciphers }), /handshake failure/);
    });
  }

  it('agrees on http/1.1 and nothing else', async () => {
    const socket = await shake('echo', { ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
    await assert.rejects(shake('echo', { ALPNProtocols: ['h2'] }), /no application protocol/);
  });

  it('does not renegotiate', async () => {
    const socket = await shake('echo', { maxVersion: 'TLSv1.2' });
    const error = await within(
      new Promise((resolve) => {
        socket.on('error', resolve);
        socket.renegotiate({}, (failed) => failed && resolve(failed));
      }),
      'the refusal of a renegotiation',
    );
    assert.match(String(error.message), /renegotiation|handshake|reset/i);
    socket.destroy();
  });

  it('is valid for the names and for no other', async () => {
    for (const servername of ['localhost', 'echo.localhost', 'further.localhost']) {
      (await shake('echo', { servername })).destroy();
    }
    await assert.rejects(shake('echo', { servername: 'other.localhost' }), /altnames/);
    await assert.rejects(shake('echo', { ca: pem('ca.pem', strange) }), /unable to verify/);
  });

  it('tells those who speak HTTP to use https', async () => {
    const mark = gate.mark();
    const answer = await plain('echo', 'GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /https:\/\//);
    const length = Number(/^Content-Length: (\d+)/im.exec(answer)[1]);
    assert.equal(answer.split('\r\n\r\n')[1].length, length);
    await gate.audited(mark, { event: 'denied', reason: 'malformed_request', surface: 'echo' });
  });

  it('hangs up on noise', async () => {
    assert.equal(await plain('echo', '\x00\x01\x02\x03'), '');
    // A record that is no ClientHello: at most an alert comes.
    assert.ok((await plain('echo', `\x16\x03\x01\x00\x05${'x'.repeat(5)}`)).length <= 16);
  });

  it('does not wait for ever', async () => {
    const begun = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    const ended = [];
    const waiting = [plain('echo', begun), plain('echo')].map(async (answer) =>
      ended.push(await answer),
    );
    const client = await open('echo');
    await client.close();
    assert.deepEqual(ended, [], 'who comes later and speaks is served meanwhile');
    await Promise.all(waiting);
  });
});

describe('what is said over it', () => {
  it('a WebSocket, messages small and large', async () => {
    const client = await open('echo');
    for (const size of [0, 1, 16 * KIB, 16 * KIB + 1, 700 * KIB]) {
      const text = 'x'.repeat(size);
      client.send(text);
      assert.equal(await client.next(), text);
    }
    const end = await client.close(1000, 'bye');
    assert.equal(end.code, 1000);
    await gate.untilIdle('echo');
  });

  it('a request without an upgrade', async () => {
    const { status, body } = await get('echo');
    assert.equal(status, 401);
    assert.equal(JSON.parse(body).reason, 'credential_missing');
  });

  it('the origin is https', async () => {
    const origin = (scheme) => ({
      headers: { origin: `${scheme}://localhost:${gate.port('echo')}` },
    });
    await (await open('echo', origin('https'))).close();
    await assert.rejects(open('echo', origin('http')), (error) => {
      assert.ok(error instanceof Refused);
      assert.equal(error.reason, 'origin_mismatch');
      return true;
    });
  });

  it('a client that does not read for a while loses nothing', async () => {
    const message = Buffer.alloc(256 * KIB);
    const count = 64;
    for (let i = 0; i < message.length; i++) message[i] = i % 251;
    service.behave({
      message(peer) {
        for (let i = 0; i < count; i++) peer.send(message, OPCODE.binary);
      },
    });
    const client = await open('echo');
    client.socket.pause();
    client.send('go');
    await until(
      async () => (await gate.doJson('status')).surfaces[0].messages_forwarded > 0,
      'the first message to pass',
    );
    client.socket.resume();
    for (let i = 0; i < count; i++) assert.ok(message.equals(await client.next()), `message ${i}`);
    await client.close();
  });

  it('a client that goes without a word', async () => {
    const client = await open('echo');
    client.socket._socket.destroy();
    await gate.untilIdle('echo');
    await until(() => service.open.size === 0, 'the service to be told');
  });

  it('a revoked session ends', async () => {
    const { id, token } = await gate.session('echo');
    const client = await open('echo', { token });
    await gate.revoke(id);
    assert.equal((await client.end()).code, 1008);
  });
});

// Refused in the handshake: an alert, or a reset where the alert came too late, or was not read any more.
async function refusedEarly(surface, options) {
  const mark = gate.mark();
  await assert.rejects(get(surface, options), /alert|reset|hang up|EPIPE/i);
  const line = await gate.audited(mark, { event: 'denied', surface });
  assert.equal(line.reason, 'certificate_refused');
  assert.equal(service.connectionCount, 0, 'nothing reached the service');
}

describe('client certificates', () => {
  it('the listed one is let in', async () => {
    const client = await open('listed', { tls: identity('alice') });
    client.send('hello');
    assert.equal(await client.next(), 'hello');
    await client.close();
    await until(() => service.open.size === 0, 'the service to be told');
  });

  it('one that is not listed is denied, and the log says why', async () => {
    const mark = gate.mark();
    const { status, body } = await get('listed', identity('bob'));
    assert.equal(status, 403);
    assert.equal(JSON.parse(body).reason, 'certificate_refused');
    await gate.audited(mark, { event: 'denied', surface: 'listed', reason: 'certificate_refused' });
    await assert.rejects(open('listed', { tls: identity('bob') }), { reason: 'certificate_refused' });
  });

  it('none at all', () => refusedEarly('listed', {}));

  it('one of another authority', () => refusedEarly('listed', identity('alice', strange)));

  it('one that is made for servers', () =>
    refusedEarly('listed', { cert: pem('server.pem'), key: pem('server.key') }));

  it('in TLS 1.2 as well', () => refusedEarly('listed', { maxVersion: 'TLSv1.2' }));

  it('explain knows the rule', async () => {
    const explain = async (...more) => {
      const { code, stdout } = await gate.cli('explain', '--surface', 'listed', '/ws', ...more, '--json');
      const caller = JSON.parse(stdout).steps.find((row) => row.step === 'caller');
      return { code, reason: caller.reason };
    };
    const { clients } = await certificates('show');
    const { reason } = await explain('--certificate', clients[0].sha256);
    assert.notEqual(reason, 'certificate_refused');
    assert.deepEqual(await explain(), { code: 1, reason: 'certificate_refused' });
    assert.deepEqual(await explain('--certificate', clients[1].sha256), {
      code: 1,
      reason: 'certificate_refused',
    });
  });

  it('where none is required, none will do, but a wrong one will not', async () => {
    await (await open('asked')).close();
    await (await open('asked', { tls: identity('bob') })).close();
    await until(() => service.open.size === 0, 'the service to be told');
    service.forget();
    await refusedEarly('asked', identity('alice', strange));
  });
});

describe('new certificates', () => {
  it('are shown to new connections, and old ones go on', async () => {
    const client = await open('echo');
    let before = await shown();
    const reloads = [
      () => gate.do('reload'),
      () => process.kill(gate.pid, 'SIGHUP'),
      () => gate.do('reload', '--json'),
    ];
    for (const reload of reloads) {
      const { server, authority } = await certificates('init', '--name', 'further.localhost');
      assert.notEqual(server.sha256, before);
      assert.equal(await shown(), before, 'not before the gate is told');
      const mark = gate.mark();
      await reload();
      await gate.audited(mark, { event: 'certificate_loaded', certificate: server.sha256 });
      await until(async () => (await shown()) === server.sha256, 'the new certificate');
      client.send('still here');
      assert.equal(await client.next(), 'still here');
      assert.equal(authority.sha256, (await certificates('show')).authority.sha256);
      before = server.sha256;
    }
    await client.close();
  });

  it('that are not fit change nothing', async () => {
    const before = await shown();
    chmodSync(path.join(certs, 'server.key'), 0o644);
    const { code, stderr } = await gate.cli('reload');
    assert.equal(code, 78);
    assert.match(stderr, /sidelock\.json:\d+: \/surfaces\/echo\/tls\/key: .*open to others/);
    chmodSync(path.join(certs, 'server.key'), 0o600);
    assert.equal(await shown(), before);
    await gate.do('reload');
  });

  it('a worker that is started later has them', async () => {
    const [worker] = gate.workers();
    const before = await shown();
    process.kill(worker, 'SIGKILL');
    await until(() => gate.workers().length === 1 && gate.workers()[0] !== worker, 'another worker');
    await until(() => shown().catch(() => false), 'a handshake with it');
    assert.equal(await shown(), before);
    await (await open('listed', { tls: identity('alice') })).close();
  });
});

describe('the end', () => {
  it('clients are told when the gate drains', async () => {
    const client = await open('echo');
    const stopped = gate.stop();
    const end = await client.end();
    assert.equal(end.code, 1001);
    await stopped;
    gate = undefined;
  });
});
