// Who is kept and who is shed in a worker: strangers do not keep those with a token out, and
// one session's slow bodies do not keep another's requests out.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import tls from 'node:tls';

import { HttpService } from '../services/http_service.mjs';
import { NOBODY, cannotBecome } from './lib/as_uid.mjs';
import { Gate, scratchDir, surface } from './lib/gate.mjs';
import { open } from './lib/hang_up.mjs';
import { ask } from './lib/http.mjs';
import { Raw, assertProblem, requestText } from './lib/raw.mjs';
import { sameWorkers } from './lib/same_workers.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
const routes = [{ path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] }];
const http = (limits = {}, more = {}) =>
  surface(service.socketPath, { dialect: 'opaque', routes, limits, ...more });
const certs = path.join(dir, 'state', 'certs');
let gate;
let ca;
const sessions = {};

before(async () => {
  await service.start();
  gate = new Gate(dir, {
    surfaces: {
      usual: http(),
      drip: http({ body_timeout_ms: 600, max_connections: 8 }),
      few: http({ max_connections: 16 }),
      secret: http(
        { max_connections: 64 },
        { tls: { certificate: path.join(certs, 'server.pem'), key: path.join(certs, 'server.key') } },
      ),
    },
  });
  await gate.do('certs', 'init');
  ca = readFileSync(path.join(certs, 'ca.pem'));
  await gate.launch();
  for (const name of Object.keys(gate.config.surfaces)) sessions[name] = await gate.session(name);
});

sameWorkers(() => gate, service);

// Connections made in batches: so many at once would wait for each other's handshakes.
async function many(count, make) {
  const made = [];
  while (made.length < count) {
    const batch = Math.min(100, count - made.length);
    made.push(...(await Promise.all(Array.from({ length: batch }, () => make()))));
  }
  return made;
}

const connect = (name) => Raw.connect(gate.port(name));
const text = (name, options) =>
  requestText({ host: `localhost:${gate.port(name)}`, path: '/echo', upgrade: false, ...options });

// A connection with this, which stays open whatever it is answered.
async function holding(name, bytes) {
  const raw = await connect(name);
  raw.send(bytes);
  return raw;
}

// How many of so many requests are answered 200, each on a connection of its own, all at once.
async function served(name, count, token) {
  const answers = await Promise.all(
    Array.from({ length: count }, () => ask(gate, name, '/echo', { token }).catch(() => ({}))),
  );
  return answers.filter(({ status }) => status === 200).length;
}

// A connection that stays open for as long as the service likes.
async function streaming(name, token) {
  const raw = await holding(name, text(name, { token, path: '/sse' }));
  await until(() => raw.pending.includes('hello'), 'a stream');
}

// A connection over TLS with this, likewise; or one that was cut.
async function holdingTls(name, bytes) {
  const socket = tls.connect({ port: gate.port(name), host: '127.0.0.1', servername: 'localhost', ca });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  open.set(socket, () => socket.destroy());
  await Promise.race([closed, new Promise((resolve) => socket.on('secureConnect', resolve))]);
  if (!socket.destroyed) socket.write(bytes);
  return { socket, closed };
}

// The status of an answer over TLS; none: NaN.
async function statusTls(name, options) {
  const { socket, closed } = await holdingTls(name, text(name, options));
  const answer = new Promise((resolve) => socket.on('data', resolve));
  const line = String(await Promise.race([closed, answer]));
  return Number(line.split(' ')[1]);
}

// Another user's connection in the middle of a head, which goes on when it is told to.
function waitingAs(uid, port) {
  const script =
    `exec 3<>/dev/tcp/127.0.0.1/${port} && printf 'GET / HTTP/1.1\\r\\n' >&3 && echo waiting && ` +
    `read -r line && printf 'Host: nobody\\r\\n\\r\\n' >&3 && head -n 1 <&3`;
  const child = spawn('setpriv', ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', 'bash', '-c', script], {
    cwd: '/',
  });
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  open.set(child, () => child.kill());
  return {
    says: (words) => until(() => said.includes(words), () => `${words} in: ${said}`),
    goOn: () => child.stdin.end('go on\n'),
  };
}

describe('strangers', () => {
  // More of each than there is room for; those that linger still do when the good ones come.
  const states = {
    'finding 4: 1,500 that were denied and linger': (name) => text(name),
    'finding 4: 1,500 whose pages were shown': (name) => text(name, { path: '/.sidelock/login' }),
    '1,500 that have not ended their heads': (name) => text(name).slice(0, -2),
    '1,500 that say nothing': () => '',
  };

  for (const [what, bytes] of Object.entries(states)) {
    it(`${what} leave room for 40 with a token`, async () => {
      await many(1500, () => holding('usual', bytes('usual')));
      assert.equal(await served('usual', 40, sessions.usual.token), 40);
    });
  }

  it('finding 4: nor do those that linger while new ones keep coming', async () => {
    let flooding = true;
    const flood = (async () => {
      while (flooding) await many(100, () => holding('usual', text('usual')));
    })();
    await many(1500, () => holding('usual', text('usual')));
    for (let i = 0; i < 10; i++) assert.equal(await served('usual', 20, sessions.usual.token), 20);
    flooding = false;
    await flood;
  });

  it('finding 4: nor do 300 over TLS keep 20 out', async () => {
    await many(300, () => holdingTls('secret', text('secret')));
    const { token } = sessions.secret;
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusTls('secret', { token })));
    assert.equal(statuses.filter((status) => status === 200).length, 20);
  });

  it('finding 4: nor do those about whom the broker is still asked', async () => {
    process.kill(gate.broker, 'SIGSTOP');
    try {
      await many(1500, () => holding('usual', text('usual')));
    } finally {
      process.kill(gate.broker, 'SIGCONT');
    }
    assert.equal(await served('usual', 40, sessions.usual.token), 40);
  });

  it("finding 4: one user's do not push another's out", { skip: cannotBecome() }, async () => {
    const other = waitingAs(NOBODY, gate.port('usual'));
    await other.says('waiting');
    await many(1500, () => holding('usual', ''));
    other.goOn();
    await other.says('HTTP/1.1 403');
  });

  it('whoever was admitted stays, however many come', async () => {
    const raw = await holding('usual', text('usual', { token: sessions.usual.token }));
    assert.equal((await raw.response()).status, 200);
    await many(1500, () => holding('usual', text('usual')));
    raw.send(text('usual', { token: sessions.usual.token }));
    assert.equal((await raw.response()).status, 200);
  });
});

describe('slow bodies', () => {
  const upload = (name, token) =>
    text(name, {
      token,
      method: 'POST',
      path: '/sink',
      headers: [['Content-Length', '1000000']],
      body: 'x'.repeat(10),
    });

  it('finding 21: 600 of one session leave another of the same user its 100 answers', async () => {
    const other = await gate.session('usual');
    await many(600, () => holding('usual', upload('usual', sessions.usual.token)));
    assert.equal(await served('usual', 100, other.token), 100);
  });

  it('finding 21: one that comes in drips is refused: body_too_slow', async () => {
    const mark = gate.mark();
    const raw = await holding('drip', upload('drip', sessions.drip.token));
    const drip = setInterval(() => raw.send('x'), 100);
    try {
      await until(() => raw.ended || raw.pending.includes('\r\n\r\n'), 'an answer to drips');
    } finally {
      clearInterval(drip);
    }
    assertProblem(await raw.response(), 400, 'body_too_slow');
    await gate.audited(mark, { event: 'denied', reason: 'body_too_slow', session: sessions.drip.id });
  });

  it('finding 21: in chunks, too', async () => {
    const head = text('drip', {
      token: sessions.drip.token,
      method: 'POST',
      path: '/sink',
      headers: [['Transfer-Encoding', 'chunked']],
    });
    const raw = await holding('drip', head);
    const drip = setInterval(() => raw.send('1\r\nx\r\n'), 100);
    try {
      assertProblem(await raw.response(), 400, 'body_too_slow');
    } finally {
      clearInterval(drip);
    }
  });

  it('give way to another session, the slowest first, and are told: gave_way', async () => {
    const mark = gate.mark();
    const slow = [];
    for (let i = 0; i < 14; i++) slow.push(await holding('few', upload('few', sessions.few.token)));
    await until(() => service.requests.length === 14, 'the bodies to begin');
    const other = await gate.session('few');
    for (let i = 0; i < 3; i++) await streaming('few', other.token);
    assertProblem(await slow[0].response(), 503, 'gave_way');
    await gate.audited(mark, { event: 'denied', reason: 'gave_way', session: sessions.few.id });
    assert.deepEqual(slow.slice(1).filter(({ pending, ended }) => ended || pending.length > 0), []);
  });
});

describe('one session', () => {
  it('does not have all connections of its user: 503 quota_connections', async () => {
    const { token } = sessions.few;
    const mark = gate.mark();
    for (let i = 0; i < 14; i++) await streaming('few', token);
    const raw = await holding('few', text('few', { token, path: '/sse' }));
    assertProblem(await raw.response(), 503, 'quota_connections');
    await gate.audited(mark, { event: 'denied', reason: 'quota_connections', session: sessions.few.id });
    const other = await gate.session('few');
    assert.equal(await served('few', 2, other.token), 2);
  });

  it('keeps nobody from the pages of the gate itself, though the surface is full', async () => {
    const other = await gate.session('few');
    for (let i = 0; i < 14; i++) await streaming('few', sessions.few.token);
    for (let i = 0; i < 2; i++) await streaming('few', other.token);
    const refused = await holding('few', text('few', { token: other.token }));
    assertProblem(await refused.response(), 503, 'at_capacity');
    const page = await holding('few', text('few', { path: '/.sidelock/login' }));
    assert.equal((await page.response()).status, 200);
  });
});
