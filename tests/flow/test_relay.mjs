// What a live connection carries, in both directions: messages whole and in
// pieces, large and small, close codes, pings, and back-pressure.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { OPCODE, encodeFrame } from '../services/frames.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SANITIZED, opaqueSurface, residentBytes, scratchDir, stopAll } from './lib/gate.mjs';
import { Raw, assertProblem, open, requestText } from './lib/raw.mjs';
import { pause, settled, until } from './lib/wait.mjs';

const MIB = 1024 * 1024;

const dir = scratchDir();
let service;
let gate;
let token;
let textToken;

before(async () => {
  service = new WebSocketService(path.join(dir, 'echo.sock'));
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      echo: opaqueSurface(service.socketPath, {
        limits: { max_message_bytes: 2 * MIB, write_timeout_ms: 20_000, max_connections: 200 },
      }),
      brief: opaqueSurface(service.socketPath, {
        limits: { max_message_bytes: MIB, max_answer_bytes: 8 * MIB, message_timeout_ms: 1000 },
      }),
      text: opaqueSurface(service.socketPath, {
        route: { binary: false },
        limits: { max_message_bytes: 4096, max_answer_bytes: 4096 },
      }),
    },
  });
  ({ token } = await gate.session('echo'));
  ({ token: textToken } = await gate.session('text'));
});

after(async () => {
  await stopAll(gate, service);
});

function connect() {
  service.forget();
  service.behave();
  return Client.open(gate, 'echo', '/ws', { token });
}

async function peer() {
  return until(() => service.last?.upgraded && service.last, 'the service to be connected');
}

function digest(data) {
  return createHash('sha256').update(data).digest('hex');
}

// Writes `count` copies of `bytes`, waiting whenever the socket says so.
// progress.written is how many it took.
async function pump(socket, bytes, count, progress) {
  for (progress.written = 0; progress.written < count && !socket.destroyed; progress.written++) {
    if (!socket.write(bytes)) {
      await new Promise((resolve) => {
        socket.once('drain', resolve);
        socket.once('close', resolve);
      });
    }
  }
}

describe('messages', () => {
  it('text and binary pass as what they are', async () => {
    const client = await connect();
    client.send('plain');
    assert.equal(await client.next(), 'plain');
    const bytes = randomBytes(300);
    client.send(bytes);
    assert.deepEqual(await client.next(), bytes);
    client.send('');
    assert.equal(await client.next(), '');
    assert.deepEqual(
      service.last.messages.map(({ opcode }) => opcode),
      [OPCODE.text, OPCODE.binary, OPCODE.text],
    );
    await client.close();
    assert.deepEqual(service.faults, []);
  });

  it('sizes around every length encoding come back byte for byte', async () => {
    const client = await connect();
    for (const size of [1, 2, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, 65537, 262143, MIB]) {
      const bytes = randomBytes(size);
      client.send(bytes);
      const back = await client.next();
      assert.equal(back.length, size);
      assert.equal(digest(back), digest(bytes), `${size} bytes`);
    }
    await client.close();
    assert.deepEqual(service.faults, []);
  });

  it('a message in fragments arrives whole, control frames between them', async () => {
    await connect().then((client) => client.close());
    service.forget();
    const raw = await open(gate, 'echo', { token });
    const words = ['one ', 'two ', '', 'th', 'ree'];
    words.forEach((word, i) => {
      raw.sendFrame({
        fin: i === words.length - 1,
        opcode: i === 0 ? OPCODE.text : OPCODE.continuation,
        payload: word,
      });
      if (i < words.length - 1) raw.sendFrame({ opcode: OPCODE.ping, payload: `p${i}` });
    });
    const seen = [];
    while (!seen.some((frame) => frame.opcode === OPCODE.text)) seen.push(await raw.frame());
    assert.equal(seen.find((frame) => frame.opcode === OPCODE.text).payload.toString(), 'one two three');
    await until(() => {
      seen.push(...raw.frames.splice(0));
      return seen.filter((frame) => frame.opcode === OPCODE.pong).length > 0;
    }, 'a pong');
    assert.equal(service.last.messages.length, 1);
    assert.equal(service.last.messages[0].data.toString(), 'one two three');
    raw.sendClose(1000);
    await raw.closeFrame();
    raw.destroy();
  });

  it('a message sent in fragments by the service arrives whole', async () => {
    const client = await connect();
    const link = await peer();
    const bytes = randomBytes(300_000);
    for (let at = 0; at < bytes.length; at += 50_000) {
      link.sendFrame({
        opcode: at === 0 ? OPCODE.binary : OPCODE.continuation,
        fin: at + 50_000 >= bytes.length,
        payload: bytes.subarray(at, at + 50_000),
      });
      link.sendFrame({ opcode: OPCODE.ping, payload: String(at) });
    }
    assert.equal(digest(await client.next()), digest(bytes));
    await until(() => link.pongs.length === 6, 'the pongs');
    await client.close();
  });

  it('bytes that trickle in one at a time make the same message', async () => {
    const raw = await open(gate, 'echo', { token });
    raw.socket.setNoDelay(true);
    for (const byte of encodeFrame({ payload: 'slowly but surely', mask: true })) {
      raw.send(Buffer.from([byte]));
      await pause(0);
    }
    assert.equal((await raw.frame()).payload.toString(), 'slowly but surely');
    raw.destroy();
  });

  it('what the service sends together with its 101 is not lost', async () => {
    service.forget();
    service.behave({
      request: (link) => {
        link.socket.cork();
        link.accept();
        link.send('welcome');
        link.send('and again');
        link.socket.uncork();
      },
    });
    const client = await Client.open(gate, 'echo', '/ws', { token });
    assert.equal(await client.next(), 'welcome');
    assert.equal(await client.next(), 'and again');
    await client.close();
  });

  it('a client that speaks before it has its 101 is refused', async () => {
    service.forget();
    const port = gate.port('echo');
    const raw = await Raw.connect(port);
    raw.send(
      Buffer.concat([
        Buffer.from(requestText({ host: `localhost:${port}`, token })),
        encodeFrame({ payload: 'early', mask: true }),
      ]),
    );
    assertProblem(await raw.response(), 400, 'upgrade_invalid');
    assert.equal(service.connectionCount, 0);
    raw.destroy();
  });

  it('a thousand messages keep their order', async () => {
    const client = await connect();
    for (let i = 0; i < 1000; i++) client.send(`message ${i}`);
    for (let i = 0; i < 1000; i++) assert.equal(await client.next(), `message ${i}`);
    await client.close();
  });

  it('many connections do not hear each other', async () => {
    service.forget();
    service.behave();
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => Client.open(gate, 'echo', '/ws', { token })),
    );
    clients.forEach((client, i) => {
      for (let n = 0; n < 10; n++) client.send(`${i}.${n}`);
    });
    for (const [i, client] of clients.entries()) {
      for (let n = 0; n < 10; n++) assert.equal(await client.next(), `${i}.${n}`);
    }
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe('limits on messages', () => {
  it('a binary message on a text route closes 1003 and is not passed on', async () => {
    service.forget();
    service.behave();
    const client = await Client.open(gate, 'text', '/ws', { token: textToken });
    const mark = gate.mark();
    client.send(Buffer.from([1, 2, 3]));
    const { code, reason } = await client.end();
    assert.equal(code, 1003);
    assert.equal(reason, 'binary_refused');
    await gate.audited(mark, { event: 'closed', reason: 'binary_refused' });
    assert.deepEqual(service.last.messages, []);
  });

  it('a binary message from the service on a text route is not passed on', async () => {
    service.forget();
    const client = await Client.open(gate, 'text', '/ws', { token: textToken });
    const link = await peer();
    const mark = gate.mark();
    link.send(Buffer.from([1, 2, 3]), OPCODE.binary);
    await client.end();
    assert.deepEqual(client.messages, []);
    await gate.audited(mark, { event: 'closed', reason: 'binary_refused' });
  });

  it('a message of exactly the limit passes, one more byte closes 1009', async () => {
    service.forget();
    const client = await Client.open(gate, 'text', '/ws', { token: textToken });
    client.send('x'.repeat(4096));
    assert.equal((await client.next()).length, 4096);
    const mark = gate.mark();
    client.send('x'.repeat(4097));
    assert.equal((await client.end()).code, 1009);
    await gate.audited(mark, { event: 'closed', reason: 'message_too_big' });
    assert.equal(service.last.messages.length, 1);
  });

  it('fragments that together exceed the limit close 1009', async () => {
    service.forget();
    const raw = await open(gate, 'text', { token: textToken });
    raw.sendFrame({ fin: false, payload: 'x'.repeat(3000) });
    raw.sendFrame({ opcode: OPCODE.continuation, payload: 'x'.repeat(3000) });
    assert.equal((await raw.closeFrame()).code, 1009);
    raw.destroy();
    assert.deepEqual(service.last.messages, []);
  });

  it('a message of the service beyond the limit is not passed on', async () => {
    service.forget();
    const client = await Client.open(gate, 'text', '/ws', { token: textToken });
    const link = await peer();
    link.send('x'.repeat(4097));
    const { code } = await client.end();
    assert.equal(code, 1009);
    assert.deepEqual(client.messages, []);
    await until(() => link.ended, 'the link to end');
  });
});

describe('close', () => {
  for (const [code, reason] of [
    [1000, ''],
    [1000, 'done'],
    [1001, 'leaving'],
    [3000, 'a library says so'],
    [4999, 'x'.repeat(123)],
    [4000, 'grüße'],
  ]) {
    it(`${code} ${reason.slice(0, 20)} from the client reaches the service`, async () => {
      const raw = await open(gate, 'echo', { token });
      const link = await peer();
      raw.sendClose(code, reason);
      assert.equal((await raw.closeFrame()).code, code);
      await until(() => link.ended, 'the link to end');
      assert.deepEqual(link.close, { code, reason });
      raw.destroy();
    });

    it(`${code} ${reason.slice(0, 20)} from the service reaches the client`, async () => {
      const client = await connect();
      const link = await peer();
      link.sendClose(code, reason);
      const closed = await client.end();
      assert.deepEqual({ code: closed.code, reason: closed.reason }, { code, reason });
    });
  }

  for (const code of [1011, 1012, 1013]) {
    it(`${code} from the service reaches the client`, async () => {
      const client = await connect();
      (await peer()).sendClose(code, 'busy');
      const closed = await client.end();
      assert.deepEqual({ code: closed.code, reason: closed.reason }, { code, reason: 'busy' });
    });
  }

  it('without a code from the client stays without one', async () => {
    service.forget();
    const raw = await open(gate, 'echo', { token });
    const link = await peer();
    raw.sendClose();
    assert.equal((await raw.closeFrame()).payload.length, 0);
    await until(() => link.ended, 'the link to end');
    assert.deepEqual(link.close, { code: undefined, reason: '' });
    raw.destroy();
  });

  it('without a code from the service stays without one', async () => {
    const client = await connect();
    (await peer()).sendClose();
    assert.equal((await client.end()).code, 1005);
  });

  it('a client that just disappears ends the link', async () => {
    const client = await connect();
    const link = await peer();
    client.terminate();
    await until(() => link.ended, 'the link to end');
    assert.equal(link.close, undefined, 'the service is told no lie about how it ended');
  });

  it('from the service is waited for two seconds, if the client says none', async () => {
    service.forget();
    const raw = await open(gate, 'echo', { token });
    const link = await peer();
    await pause(300); // it is at rest
    link.sendClose(1000, '');
    assert.equal((await raw.closeFrame()).code, 1000);
    const since = Date.now();
    await until(() => raw.ended, 'the end');
    const ms = Date.now() - since;
    assert.ok(ms > 1500 && ms < 2500, `after ${ms} ms`);
    raw.destroy();
  });

  it('messages before a close are delivered before it', async () => {
    const client = await connect();
    const link = await peer();
    link.socket.cork();
    for (let i = 0; i < 100; i++) link.send(`last words ${i}`);
    link.sendClose(4001, 'enough');
    link.socket.uncork();
    const closed = await client.end();
    assert.equal(closed.code, 4001);
    assert.equal(client.messages.length, 100);
    assert.equal(client.messages[99], 'last words 99');
  });
});

describe('pings', () => {
  it('of the service reach the client, and its pongs return', async () => {
    const client = await connect();
    const link = await peer();
    link.sendFrame({ opcode: OPCODE.ping, payload: 'are you there' });
    await until(() => link.pongs.includes('are you there'), 'the pong');
    assert.deepEqual(client.pings, ['are you there']);
    await client.close();
  });

  it('of the client are answered', async () => {
    const client = await connect();
    client.socket.ping('hello');
    await until(() => client.pongs.includes('hello'), 'the pong');
    await client.close();
  });

  it('on an idle connection need no message', async () => {
    const client = await connect();
    const link = await peer();
    for (let i = 0; i < 20; i++) link.sendFrame({ opcode: OPCODE.ping, payload: String(i) });
    await until(() => link.pongs.length === 20, 'twenty pongs');
    assert.deepEqual(link.pongs, Array.from({ length: 20 }, (_, i) => String(i)));
    await client.close();
  });
});

describe('back-pressure', () => {
  const COUNT = 64; // messages of a MiB
  // What may sit in the kernel's buffers, which grow as it likes: 32 MiB of a receiver's, 4 of a
  // sender's; and in the gate's own queues, which GROWTH bounds.
  const IN_FLIGHT_MIB = 48;
  const GROWTH = (SANITIZED ? 48 : 6) * MIB;

  it('a client that does not read holds the service back, in bounded memory', async () => {
    service.forget();
    service.behave();
    const raw = await open(gate, 'echo', { token });
    const link = await peer();
    raw.socket.pause();
    const [worker] = gate.workers();
    const before = residentBytes(worker);
    const frame = encodeFrame({ opcode: OPCODE.binary, payload: Buffer.alloc(MIB, 'a') });
    const progress = {};
    const pumped = pump(link.socket, frame, COUNT, progress);
    const stalled = await settled(() => progress.written);
    assert.ok(stalled < IN_FLIGHT_MIB, `the service was held back after ${stalled} messages`);
    const growth = residentBytes(worker) - before;
    assert.ok(growth < GROWTH, `the worker grew by ${growth} bytes`);
    raw.socket.resume();
    await pumped;
    await until(() => raw.frames.length === COUNT, 'every message', 30_000);
    assert.ok(raw.frames.every((one) => one.payload.length === MIB));
    const peak = residentBytes(worker) - before;
    assert.ok(peak < GROWTH, `the worker grew by ${peak} bytes`);
    raw.destroy();
  });

  it('a service that does not read holds the client back, in bounded memory', async () => {
    service.forget();
    service.behave({ message: () => {} });
    service.keepMessages = false;
    const raw = await open(gate, 'echo', { token });
    const link = await peer();
    link.socket.pause();
    const [worker] = gate.workers();
    const before = residentBytes(worker);
    const frame = encodeFrame({
      opcode: OPCODE.binary,
      payload: Buffer.alloc(MIB, 'b'),
      mask: Buffer.from([1, 2, 3, 4]),
    });
    const progress = {};
    const pumped = pump(raw.socket, frame, COUNT, progress);
    const stalled = await settled(() => progress.written);
    assert.ok(stalled < IN_FLIGHT_MIB, `the client was held back after ${stalled} messages`);
    const growth = residentBytes(worker) - before;
    assert.ok(growth < GROWTH, `the worker grew by ${growth} bytes`);
    link.socket.resume();
    await pumped;
    await until(() => service.messageCount === COUNT, 'every message', 30_000);
    assert.ok(link.frames.reduce((sum, one) => sum + one.length, 0) === COUNT * MIB);
    service.keepMessages = true;
    raw.destroy();
  });

  it('a service that is not read within a message has no less time for it', async () => {
    const { token: brief } = await gate.session('brief');
    service.forget();
    service.behave();
    const client = await Client.open(gate, 'brief', '/ws', { token: brief });
    const one = await peer();
    const answer = 'a'.repeat(8 * MIB);
    const frame = encodeFrame({ payload: answer });
    one.socket.pause();
    one.socket.write(frame.subarray(0, frame.length / 2));
    await until(() => one.socket.writableLength === 0, 'the first half to be taken');
    for (let i = 0; i < 4; i++) client.send('x'.repeat(MIB));
    await settled(() => client.socket.bufferedAmount); // what it does not take keeps it from being read
    one.socket.write(frame.subarray(frame.length / 2));
    await pause(1500); // more than a message may take
    one.socket.resume();
    assert.equal(await client.next(), answer);
    await client.close();
  });

  it('one stalled connection does not hold up another', async () => {
    service.forget();
    service.behave();
    const stalled = await open(gate, 'echo', { token });
    const link = await peer();
    stalled.socket.pause();
    const progress = {};
    const frame = encodeFrame({ opcode: OPCODE.binary, payload: Buffer.alloc(MIB, 'c') });
    pump(link.socket, frame, COUNT, progress);
    await settled(() => progress.written);
    const client = await Client.open(gate, 'echo', '/ws', { token });
    for (let i = 0; i < 100; i++) {
      client.send(`still here ${i}`);
      assert.equal(await client.next(), `still here ${i}`);
    }
    await client.close();
    stalled.destroy();
    await until(() => link.ended, 'the stalled link to end');
  });
});

it('leaves no connection behind and kept to the protocol towards the service', async () => {
  await gate.untilIdle();
  assert.deepEqual(service.faults, []);
});
