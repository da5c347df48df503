// Raw requests of clients and raw answers of a service that two readers could
// take for different messages. Each is refused with its reason, in the answer
// and in the audit log, or goes on in its one canonical form: what the other side
// was sent is compared byte for byte, so that nobody ever sees two messages
// where one was admitted.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { RawHttpService } from '../services/raw_http_service.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { Raw, assertProblem, requestText } from './lib/raw.mjs';
import { vectorText, vectors } from './lib/vectors.mjs';
import { until } from './lib/wait.mjs';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'];
const REQUESTS_MIN = 120;
const ANSWERS_MIN = 80;

const dir = scratchDir();
const service = new RawHttpService(path.join(dir, 'raw.sock'));
let gate;
let workers;
let names; // what stands for {NAME} in the vectors

before(async () => {
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      raw: surface(service.socketPath, {
        dialect: 'opaque',
        routes: [
          { path: '/ws', kind: 'websocket', host: { fixed: 'svc' } },
          { path: '/{any...}', kind: 'http', methods: METHODS, host: { fixed: 'svc' } },
        ],
      }),
    },
  });
  const { token } = await gate.session('raw');
  const host = `localhost:${gate.port('raw')}`;
  const auth = `Host: ${host}\r\nAuthorization: Bearer ${token}\r\n`;
  names = {
    HOST: host,
    TOKEN: token,
    AUTH: auth,
    SMUGGLED: `GET /smuggled HTTP/1.1\r\n${auth}\r\n`,
  };
  workers = gate.workers();
});

after(async () => {
  await stopAll(gate, service);
});

afterEach(() => {
  hangUp();
  service.reset();
  service.forget();
  assert.deepEqual(gate.workers(), workers, 'no worker died');
});

// Sends bytes as they are. Their latin1 text may end in the middle of anything.
async function connected(text) {
  const raw = await Raw.connect(gate.port('raw'));
  raw.send(Buffer.from(text, 'latin1'));
  return raw;
}

// The refusal of what was just sent, which must also stand in the audit log.
async function refusal(raw, mark, status, reason) {
  const response = await raw.response();
  assertProblem(response, status, reason);
  await gate.audited(mark, { event: 'denied', reason });
  await raw.gone();
  assert.equal(raw.pending.length, 0, 'what followed is not answered');
}

// The same of HEAD, to which no answer has a body.
async function headRefusal(raw, mark, status, reason) {
  await raw.gone();
  assert.match(raw.pending.toString(), new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\n\\r\\n$`));
  await gate.audited(mark, { event: 'denied', reason });
}

// Nothing more comes: the client says that it is done, and the gate agrees.
async function silence(raw) {
  raw.socket.end();
  await raw.gone();
  assert.equal(raw.pending.toString('latin1'), '', 'nothing else was answered');
}

describe('requests', () => {
  const rows = vectors('http/smuggling_requests.txt', 4);

  it('there are enough of them', () => assert.ok(rows.length >= REQUESTS_MIN, `${rows.length}`));

  for (const { fields, number } of rows) {
    const [outcomes, what, canonical, text] = fields;

    it(`${what} (line ${number})`, async () => {
      const mark = gate.mark();
      const expected = canonical === '-' ? '' : vectorText(canonical, names);
      const refuse = text.startsWith('HEAD ') ? headRefusal : refusal;
      const raw = await connected(vectorText(text, names));
      let refused = false;
      for (const outcome of outcomes === '-' ? [] : outcomes.split(' ')) {
        const [, eof, status, reason] = /^(eof:)?(\d+)(?:\/(\w+))?$/.exec(outcome);
        if (eof) raw.socket.end();
        refused = reason !== undefined;
        if (refused) await refuse(raw, mark, Number(status), reason);
        else if (status === '100') await raw.interim();
        else assert.equal((await raw.response()).status, Number(status));
      }
      const got = () => service.text.length >= expected.length;
      await until(got, () => `${expected}\nat the service:\n${service.text}`);
      if (!refused) await silence(raw);
      assert.equal(service.text, expected);
    });
  }
});

describe('answers', () => {
  const rows = vectors('http/smuggling_answers.txt', 5);

  it('there are enough of them', () => assert.ok(rows.length >= ANSWERS_MIN, `${rows.length}`));

  // What the client is sent up to `text`, or all there is if the connection ends before.
  async function received(raw, text) {
    await until(() => raw.pending.length >= text.length || raw.ended, () => `${text} in ${raw.pending}`);
    return raw.pending.toString('latin1');
  }

  for (const { fields, number } of rows) {
    const [method, outcome, what, canonical, text] = fields;

    it(`${what} (line ${number})`, async () => {
      const mark = gate.mark();
      const ending = text.endsWith('{END}');
      const bytes = vectorText(text, { ...names, END: '' });
      service.answer = (request) =>
        request.includes('/next ')
          ? { bytes: 'HTTP/1.1 203 Next\r\nContent-Length: 4\r\n\r\nnext' }
          : { bytes, close: ending };
      const head = `${method} /a HTTP/1.1\r\n${names.AUTH}`;
      let raw = await connected(`${head}\r\n`);
      const [, status, reason] = /^(\w+)(?:\/(\w+))?$/.exec(outcome);
      if (status !== 'passes' && status !== 'cut') {
        await refusal(raw, mark, Number(status), reason);
      } else {
        const expected = vectorText(canonical, names);
        if (status === 'cut') {
          await raw.gone();
          await gate.audited(mark, { event: 'closed', reason });
        }
        assert.equal(await received(raw, expected), expected);
        raw.forget(expected.length);
      }
      // The next request, on the same connection where there still is one, gets its own answer.
      if (raw.ended || /\r\nConnection: close\r\n/.test(vectorText(canonical, names))) {
        await raw.gone();
        assert.equal(raw.pending.length, 0);
        raw = await connected('');
      }
      raw.send(`GET /next HTTP/1.1\r\n${names.AUTH}\r\n`);
      const next = await raw.response();
      assert.equal(next.status, 203);
      assert.equal(next.body, 'next');
      await silence(raw);
      assert.equal(service.requestCount, 2);
    });
  }
});

describe('answers in their time', () => {
  const ask = (where) => `GET ${where} HTTP/1.1\r\n${names.AUTH}\r\n`;

  it('one that nobody asked for is not the next client’s', async () => {
    const [worker] = workers;
    let link;
    service.answer = (request, socket) => {
      link = socket;
      return {
        bytes: request.includes('/second ')
          ? 'HTTP/1.1 202 Accepted\r\nContent-Length: 6\r\n\r\nsecond'
          : 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst',
      };
    };
    for (let i = 0; i < 5; i++) {
      const raw = await connected(ask('/first'));
      assert.equal((await raw.response()).body, 'first');
      // The worker finds both at once: the client's request, and then the answer.
      process.kill(worker, 'SIGSTOP');
      try {
        raw.send(ask('/second'));
        const written = new Promise((resolve) => {
          link.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', resolve);
        });
        await written;
      } finally {
        process.kill(worker, 'SIGCONT');
      }
      const response = await raw.response();
      assert.equal(response.status, 202);
      assert.equal(response.body, 'second');
      raw.destroy();
    }
  });

  it('a body behind the answer to HEAD, later', async () => {
    let link;
    service.answer = (request, socket) => {
      link = socket;
      return { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' };
    };
    const raw = await connected(`HEAD /a HTTP/1.1\r\n${names.AUTH}\r\n`);
    await until(() => raw.pending.includes('\r\n\r\n'), 'the head');
    assert.match(raw.pending.toString(), /\r\nContent-Length: 5\r\n\r\n$/);
    const idle = link;
    idle.write('hello');
    await until(() => idle.destroyed, 'the link to be given up');
    raw.destroy();
  });

  it('before the body has come: what follows is no request', async () => {
    service.early = (socket) =>
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    const raw = await connected(`POST /a HTTP/1.1\r\n${names.AUTH}Content-Length: 1000\r\n\r\n`);
    const response = await raw.response();
    assert.equal(response.status, 403);
    assert.equal(response.header('connection'), 'close');
    raw.send(names.SMUGGLED);
    await raw.gone();
    assert.equal(raw.pending.length, 0);
    assert.equal(service.text.includes('smuggled'), false);
    assert.equal(service.connectionCount, 1);
  });
});

describe('upgrades', () => {
  it('bytes behind one are frames or nothing', async () => {
    service.answer = (request) => {
      const key = /Sec-WebSocket-Key: (\S+)/i.exec(request)[1];
      const accept = createHash('sha1')
        .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      return {
        bytes:
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
      };
    };
    const mark = gate.mark();
    const raw = await connected(requestText({ host: names.HOST, token: names.TOKEN }));
    assert.equal((await raw.response()).status, 101);
    raw.send(names.SMUGGLED);
    await raw.over();
    await gate.audited(mark, { event: 'closed', reason: /^client_/ });
    assert.equal(service.requestCount, 1);
    assert.equal(service.text.includes('smuggled'), false);
  });

  it('one that the service refuses is not answered with another request', async () => {
    const mark = gate.mark();
    const raw = await connected(requestText({ host: names.HOST, token: names.TOKEN }));
    await refusal(raw, mark, 502, 'upstream_refused');
    assert.equal(service.requestCount, 1);
  });
});
