// A service that is absent, hangs, resets, refuses, restarts or breaks the
// protocol: the client gets a defined answer, and nothing stays behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { OPCODE, acceptKey } from '../services/frames.mjs';
import { fullBacklog } from '../services/full_backlog.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client, Refused } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { request } from './lib/raw.mjs';
import { until, within } from './lib/wait.mjs';

const HASTY_MS = 1000;

const dir = scratchDir();
const socketPath = path.join(dir, 'service.sock');
let service;
let gate;
let token; // of echo
const tokens = {};

before(async () => {
  service = new WebSocketService(socketPath);
  gate = await Gate.start(dir, {
    surfaces: {
      echo: opaqueSurface(socketPath, { limits: { max_message_bytes: 65536 } }),
      hasty: opaqueSurface(socketPath, { limits: { upstream_timeout_ms: HASTY_MS, upgrade_timeout_ms: HASTY_MS } }),
      page: surface(socketPath, {
        dialect: 'opaque',
        routes: [{ path: '/page', kind: 'http', methods: ['GET', 'POST'] }],
      }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
  token = tokens.echo;
});

after(async () => {
  await stopAll(gate, service);
});

beforeEach(async () => {
  await service.stop();
  service.forget();
  service.behave();
});

// How an attempt to connect ends: before 101 {status, reason}, after it
// {code, reason}. It must end, and not by the client's patience.
async function outcome(name = 'echo') {
  try {
    const client = await Client.open(gate, name, '/ws', { token: tokens[name] });
    return await client.end();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { status: error.status, reason: error.reason };
  }
}

async function fails(status, reason, name = 'echo') {
  const mark = gate.mark();
  const result = await outcome(name);
  assert.deepEqual(result, { status, reason });
  await gate.audited(mark, { reason });
  await gate.untilIdle(name);
}

async function worksAgain() {
  const client = await Client.open(gate, 'echo', '/ws', { token });
  client.send('hello');
  assert.equal(await client.next(), 'hello');
  await client.close();
}

describe('the service is not there', () => {
  it('absent: 502', async () => {
    const { response } = await request(gate, 'echo', { token });
    assert.equal(response.status, 502);
    assert.equal(response.json.reason, 'upstream_unreachable');
    await gate.untilIdle('echo');
  });

  it('gone, leaving its socket file: 502', async () => {
    const child = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`,
    ]);
    await within(new Promise((resolve) => child.stdout.once('data', resolve)), 'a listener');
    child.kill('SIGKILL');
    await within(new Promise((resolve) => child.once('exit', resolve)), 'its end');
    await fails(502, 'upstream_unreachable');
    unlinkSync(socketPath);
  });

  it('a connection is answered once it is there', async () => {
    await fails(502, 'upstream_unreachable');
    await service.start();
    await worksAgain();
  });
});

describe('the service hangs', () => {
  it('never accepting, its backlog full', async () => {
    const full = await fullBacklog(socketPath);
    const result = await outcome();
    assert.ok([502, 504].includes(result.status), JSON.stringify(result));
    assert.ok(['upstream_unreachable', 'upstream_timeout'].includes(result.reason), result.reason);
    await full.stop();
    await gate.untilIdle('echo');
  });

  it('accepting, never reading', async () => {
    const child = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`,
    ]);
    await within(new Promise((resolve) => child.stdout.once('data', resolve)), 'a listener');
    child.kill('SIGSTOP');
    await fails(504, 'upstream_timeout', 'hasty');
    child.kill('SIGKILL');
    await within(new Promise((resolve) => child.once('exit', resolve)), 'its end');
    unlinkSync(socketPath);
  });

  it('reading, never answering', async () => {
    service.behave({ request: () => {} });
    await service.start();
    await fails(504, 'upstream_timeout', 'hasty');
    await until(() => service.open.size === 0, 'the link to end');
  });

  it('answering one byte at a time', async () => {
    service.behave({
      request: (peer) => {
        const bytes = [...'HTTP/1.1 101 Switching Protocols\r\n'];
        peer.drip = setInterval(() => peer.socket.write(bytes.shift() ?? 'x'), 100);
      },
      end: (peer) => clearInterval(peer.drip),
    });
    await service.start();
    await fails(504, 'upstream_timeout', 'hasty');
    await until(() => service.open.size === 0, 'the link to end');
  });
});

describe('the service resets', () => {
  it('on accept', async () => {
    service.behave({ connect: (peer) => peer.reset() });
    await service.start();
    /* Whether before the request is written or after is a race; what is said of it is not. */
    for (let i = 0; i < 50; i++) await fails(502, 'upstream_refused');
  });

  it('after the request', async () => {
    service.behave({ request: (peer) => peer.reset() });
    await service.start();
    await fails(502, 'upstream_refused');
  });

  it('in the middle of its answer', async () => {
    service.behave({
      request: (peer) => {
        peer.socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso', () => peer.reset());
      },
    });
    await service.start();
    await fails(502, 'upstream_refused');
  });

  it('in the middle of a connection: 1014', async () => {
    await service.start();
    const client = await Client.open(gate, 'echo', '/ws', { token });
    client.send('hello');
    await client.next();
    const mark = gate.mark();
    service.last.reset();
    const { code, reason } = await client.end();
    assert.deepEqual({ code, reason }, { code: 1014, reason: 'upstream_gone' });
    await gate.audited(mark, { event: 'closed', reason: 'upstream_gone' });
    await gate.untilIdle('echo');
    await worksAgain();
  });

  it('in the middle of a message: no part of it is passed on', async () => {
    await service.start();
    const client = await Client.open(gate, 'echo', '/ws', { token });
    const peer = await until(() => service.last?.upgraded && service.last, 'the link');
    peer.sendFrame({ fin: false, payload: 'half of some' });
    peer.socket.end();
    const { code } = await client.end();
    assert.equal(code, 1014);
    assert.deepEqual(client.messages, []);
    await gate.untilIdle('echo');
  });
});

// Whether it is read or written to first once it has gone, the same is said: what it said.
describe('the service goes while it is written to', () => {
  const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy';
  const says = (text) => (peer) => peer.socket.write(text, () => peer.reset());

  it('having answered the upgrade before it read it', async () => {
    service.behave({ connect: says(BUSY) });
    await service.start();
    for (let i = 0; i < 50; i++) {
      const mark = gate.mark();
      assert.deepEqual(await outcome(), { status: 502, reason: 'upstream_refused' });
      const { seen } = await gate.audited(mark, { reason: 'upstream_refused' });
      assert.equal(seen, 'HTTP/1.1 503 Service Unavailable');
    }
  });

  it('having answered a request before it read it', async () => {
    service.behave({ connect: says(BUSY) });
    await service.start();
    for (let i = 0; i < 50; i++) {
      for (const body of [undefined, 'x'.repeat(1000)]) {
        const method = body === undefined ? 'GET' : 'POST';
        const answer = await ask(gate, 'page', '/page', { token: tokens.page, method, body });
        assert.deepEqual([answer.status, answer.body], [503, 'busy']);
      }
    }
  });

  // The worker stands still while they act, and finds both done.
  async function meanwhile(act) {
    const workers = gate.workers();
    const state = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '')[0];
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    try {
      await until(() => workers.every((pid) => state(pid) === 'T'), 'the workers to stand still');
      await act();
    } finally {
      for (const pid of workers) process.kill(pid, 'SIGCONT');
    }
  }

  const goodbye = (peer) => {
    peer.send('last words');
    peer.sendClose(4001, 'enough');
    peer.reset();
  };
  const says4001 = async (client) => {
    const { code, reason } = await client.end();
    assert.deepEqual({ code, reason, messages: client.messages }, { code: 4001, reason: 'enough', messages: ['last words'] });
  };
  const sent = (client, text = 'hello', fin = true) => new Promise((resolve) => client.socket.send(text, { fin }, resolve));

  for (const [name, act] of Object.entries({
    'the client has said something, then it says goodbye': async (client, peer) => {
      await sent(client);
      goodbye(peer);
    },
    'the client has said something in pieces, then it says goodbye': async (client, peer) => {
      await sent(client, 'hel', false);
      await sent(client, 'lo');
      goodbye(peer);
    },
    'it says goodbye, then the client says something': async (client, peer) => {
      goodbye(peer);
      await sent(client);
    },
  })) {
    it(name, async () => {
      await service.start();
      const client = await Client.open(gate, 'echo', '/ws', { token });
      await meanwhile(() => act(client, service.last));
      await says4001(client);
    });
  }

  it('with something that it never read', async () => {
    await service.start();
    const client = await Client.open(gate, 'echo', '/ws', { token });
    service.last.socket._handle.readStop(); // pause() would still take it into memory
    client.send('hello');
    client.socket.ping(); // answered once that has been sent on
    await until(() => client.pongs.length > 0, 'a pong');
    await meanwhile(() => goodbye(service.last));
    await says4001(client);
  });
});

describe('the service refuses', () => {
  for (const status of ['403 Forbidden', '404 Not Found', '500 Internal Server Error', '302 Found']) {
    it(status, async () => {
      service.behave({
        request: (peer) => {
          peer.respond(status, 'no secrets here', 'text/plain');
          peer.socket.end();
        },
      });
      await service.start();
      await fails(502, 'upstream_refused');
    });
  }

  it('with 200 and a page', async () => {
    service.behave({ request: (peer) => peer.respond('200 OK', '<html>', 'text/html') });
    await service.start();
    await fails(502, 'upstream_refused');
    await until(() => service.open.size === 0, 'the link to end');
  });
});

describe('the service breaks the protocol in its handshake', () => {
  const upgraded = (peer, rows) => {
    peer.upgraded = true;
    peer.socket.write(`HTTP/1.1 101 Switching Protocols\r\n${rows.join('\r\n')}\r\n\r\n`);
  };
  const good = (peer) => acceptKey(peer.header('sec-websocket-key'));
  const handshakes = {
    'garbage for an answer': (peer) => peer.socket.write('SSH-2.0-OpenSSH_9.2\r\n\r\n'),
    'another accept key': (peer) =>
      upgraded(peer, [
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${acceptKey('AAAAAAAAAAAAAAAAAAAAAA==')}`,
      ]),
    'no accept key': (peer) => upgraded(peer, ['Upgrade: websocket', 'Connection: Upgrade']),
    'no Upgrade header': (peer) =>
      upgraded(peer, ['Connection: Upgrade', `Sec-WebSocket-Accept: ${good(peer)}`]),
    'an extension nobody asked for': (peer) =>
      upgraded(peer, [
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${good(peer)}`,
        'Sec-WebSocket-Extensions: permessage-deflate',
      ]),
    'a subprotocol nobody asked for': (peer) =>
      upgraded(peer, [
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${good(peer)}`,
        'Sec-WebSocket-Protocol: soap',
      ]),
    'an endless header': (peer) => {
      peer.socket.write('HTTP/1.1 101 Switching Protocols\r\nX: ');
      peer.socket.write('x'.repeat(200_000));
    },
  };
  for (const [name, answer] of Object.entries(handshakes)) {
    it(name, async () => {
      service.behave({ request: answer });
      await service.start();
      await fails(502, 'upstream_protocol');
    });
  }
});

describe('the service breaks the protocol in its frames', () => {
  const frames = {
    'a masked frame': { payload: 'x', mask: Buffer.from([1, 2, 3, 4]) },
    'reserved bits': { payload: 'x', rsv: 4 },
    'a reserved opcode': { payload: 'x', opcode: 3 },
    'a fragmented ping': { payload: 'x', opcode: OPCODE.ping, fin: false },
    'a long ping': { payload: 'x'.repeat(126), opcode: OPCODE.ping },
    'a continuation of nothing': { payload: 'x', opcode: OPCODE.continuation },
    'a length beyond 2^63': { payload: 'x', declaredLength: 1n << 63n },
    'a close of one byte': { payload: 'x', opcode: OPCODE.close },
    'a close with a code that may not be sent': {
      payload: Buffer.from([0x03, 0xed]),
      opcode: OPCODE.close,
    },
  };
  for (const [name, frame] of Object.entries(frames)) {
    it(name, async () => {
      await service.start();
      const client = await Client.open(gate, 'echo', '/ws', { token });
      const peer = await until(() => service.last?.upgraded && service.last, 'the link');
      const mark = gate.mark();
      peer.sendFrame(frame);
      const { code, reason } = await client.end();
      assert.deepEqual({ code, reason }, { code: 1014, reason: 'upstream_protocol' });
      assert.deepEqual(client.messages, []);
      await gate.audited(mark, { event: 'closed', reason: 'upstream_protocol' });
      await gate.untilIdle('echo');
    });
  }

  it('text that is not UTF-8 is not passed on', async () => {
    await service.start();
    const client = await Client.open(gate, 'echo', '/ws', { token });
    const peer = await until(() => service.last?.upgraded && service.last, 'the link');
    peer.sendFrame({ payload: Buffer.from([0xc3, 0x28]) });
    const { code } = await client.end();
    assert.ok([1007, 1014].includes(code), `closed with ${code}`);
    assert.deepEqual(client.messages, []);
    await gate.untilIdle('echo');
  });

  it('a length of 2^62 closes 1009 without waiting for the bytes', async () => {
    await service.start();
    const client = await Client.open(gate, 'echo', '/ws', { token });
    const peer = await until(() => service.last?.upgraded && service.last, 'the link');
    peer.sendFrame({ payload: 'x', declaredLength: 1n << 62n });
    assert.equal((await client.end()).code, 1009);
    await gate.untilIdle('echo');
  });
});

describe('the service restarts', () => {
  it('live connections end with 1014, new ones work', async () => {
    await service.start();
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => Client.open(gate, 'echo', '/ws', { token })),
    );
    await until(() => service.peers.length === 10, 'ten links');
    await service.stop();
    for (const client of clients) assert.equal((await client.end()).code, 1014);
    await gate.untilIdle('echo');
    await service.start();
    await worksAgain();
  });

  it('a hundred times in a row, no link is left', async () => {
    for (let i = 0; i < 100; i++) {
      await service.start();
      const client = await Client.open(gate, 'echo', '/ws', { token });
      await service.stop();
      assert.equal((await client.end()).code, 1014);
    }
    await gate.untilIdle('echo');
  });
});
