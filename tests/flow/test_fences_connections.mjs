// One test for each fence on what comes after 101, on sizes, numbers and time;
// each fails when its fence is removed.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import net from 'node:net';
import { describe, it } from 'node:test';

import { OPCODE, encodeFrame } from '../services/frames.mjs';
import { Client, Refused } from './lib/client.mjs';
import { MIB, gate, host, refuse, refuseBytes, service, tokens, workers } from './lib/fences.mjs';
import {
  Gate,
  SIDELOCK,
  opaqueSurface,
  residentBytes,
  run,
  scratchDir,
} from './lib/gate.mjs';
import { Raw, assertProblem, denied, open, request, requestText } from './lib/raw.mjs';
import { pause, settled, until } from './lib/wait.mjs';

describe('10: frames', () => {
  // Sends frames on a fresh connection: it must end, with this code. Nothing may
  // reach the service but a proper close.
  async function breaks(frames, code = 1002) {
    service.forget();
    const raw = await open(gate, 'echo', { token: tokens.echo });
    await until(() => service.last?.upgraded, 'the link');
    const link = service.last;
    raw.send(Buffer.concat(frames.map((frame) => encodeFrame({ mask: true, ...frame }))));
    const close = await raw.over();
    assert.equal(close?.code, code);
    assert.equal(raw.frames.length, 1, 'nothing but the close frame');
    await until(() => link.ended, 'the link to end');
    assert.deepEqual(link.messages, []);
    assert.deepEqual(link.faults, []);
    assert.ok([1000, 1001, 1002].includes(link.close?.code ?? 1000), `service told ${link.close?.code}`);
    raw.destroy();
  }

  it('without a mask', async () => {
    await breaks([{ payload: 'bare', mask: false }]);
    await breaks([{ payload: '', opcode: OPCODE.ping, mask: false }]);
  });
  it('with reserved bits', async () => {
    for (const rsv of [1, 2, 4]) await breaks([{ payload: 'x', rsv }]);
  });
  it('with reserved opcodes', async () => {
    for (const opcode of [3, 7, 11, 15]) await breaks([{ payload: 'x', opcode }]);
  });
  it('fragmented control frames', () =>
    breaks([{ payload: 'x', opcode: OPCODE.ping, fin: false }]));
  it('long control frames', () => breaks([{ payload: 'x'.repeat(126), opcode: OPCODE.ping }]));
  it('a continuation of nothing', () => breaks([{ payload: 'x', opcode: OPCODE.continuation }]));
  it('a new message inside another', () =>
    breaks([{ payload: 'x', fin: false }, { payload: 'y' }]));

  it('close frames that are no close frames end the connection, and the service learns no nonsense', async () => {
    const payloads = [Buffer.from('x')];
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535]) {
      payloads.push(Buffer.from([code >> 8, code & 0xff]));
    }
    for (const payload of payloads) {
      service.forget();
      const raw = await open(gate, 'echo', { token: tokens.echo });
      await until(() => service.last?.upgraded, 'the link');
      const link = service.last;
      raw.sendFrame({ payload, opcode: OPCODE.close });
      await raw.over();
      await until(() => link.ended, 'the link to end');
      assert.ok([1000, 1001, 1002].includes(link.close?.code ?? 1000), `service told ${link.close?.code}`);
      assert.deepEqual(link.faults, []);
      raw.destroy();
    }
  });
  it('text that is not UTF-8', async () => {
    for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]]) {
      await breaks([{ payload: Buffer.from(bytes) }], 1007);
    }
  });
  it('text that is not UTF-8 across fragments', () =>
    breaks(
      [
        { payload: Buffer.from([0xe2, 0x82]), fin: false },
        { payload: Buffer.from([0x28]), opcode: OPCODE.continuation },
      ],
      1007,
    ));

  it('a character split between fragments is fine', async () => {
    const raw = await open(gate, 'echo', { token: tokens.echo });
    raw.sendFrame({ payload: Buffer.from([0xe2, 0x82]), fin: false });
    raw.sendFrame({ payload: Buffer.from([0xac]), opcode: OPCODE.continuation });
    assert.equal((await raw.frame()).payload.toString(), '€');
    raw.destroy();
  });

  it('a header that announces 2^62 bytes', async () => {
    const before = residentBytes(workers[0]);
    await breaks([{ payload: 'x', declaredLength: 1n << 62n }], 1009);
    await breaks([{ payload: 'x', declaredLength: BigInt(MIB + 1) }], 1009);
    assert.ok(residentBytes(workers[0]) - before < 16 * MIB);
  });

  it('a header that announces 2^63 bytes', async () => {
    const raw = await open(gate, 'echo', { token: tokens.echo });
    raw.sendFrame({ payload: 'x', declaredLength: 1n << 63n });
    const close = await raw.over();
    assert.equal(close?.code, 1002);
    raw.destroy();
  });

  it('data after a close does not reach the service', async () => {
    service.forget();
    const raw = await open(gate, 'echo', { token: tokens.echo });
    await until(() => service.last?.upgraded, 'the link');
    const link = service.last;
    raw.send(
      Buffer.concat([
        encodeFrame({ opcode: OPCODE.close, payload: Buffer.from([0x03, 0xe8]), mask: true }),
        encodeFrame({ payload: 'after', mask: true }),
      ]),
    );
    await raw.gone();
    await until(() => link.ended, 'the link to end');
    assert.deepEqual(link.messages, []);
    assert.deepEqual(link.faults, []);
    raw.destroy();
  });
});

describe('12: the size of the head', () => {
  const filler = (count, size) =>
    Array.from({ length: count }, (_, i) => [`X-Filler-${i}`, 'x'.repeat(size)]);

  it('twelve KiB are fine', async () => {
    const raw = await open(gate, 'echo', { token: tokens.echo, headers: filler(6, 2000) });
    raw.destroy();
  });

  it('more than sixteen KiB are 431', () =>
    refuse({ headers: filler(10, 2000) }, 431, 'headers_too_large'));

  it('more fields than anybody needs are 431', () =>
    refuse({ headers: filler(100, 1) }, 431, 'headers_too_large'));

  it('one endless line is 431', () =>
    refuseBytes(`GET /ws HTTP/1.1\r\nX: ${'x'.repeat(40_000)}`, 431, 'headers_too_large'));

  it('an endless request line is refused', async () => {
    const raw = await Raw.connect(gate.port('echo'));
    raw.send(`GET /ws?${'x'.repeat(40_000)}`);
    const response = await raw.response();
    assert.ok([400, 431].includes(response.status), response.line);
    await raw.gone();
    raw.destroy();
  });
});

describe('13: many connections', () => {
  it('beyond the limit of a surface: 503, and room again when one leaves', async () => {
    const clients = [];
    for (let i = 0; i < 5; i++) {
      clients.push(await Client.open(gate, 'few', '/ws', { token: tokens.few }));
    }
    await denied(gate, 'few', { token: tokens.few }, 503, 'at_capacity');
    await clients.pop().close();
    const again = await until(
      () => Client.open(gate, 'few', '/ws', { token: tokens.few }).catch((error) => {
        if (!(error instanceof Refused)) throw error;
      }),
      'room for one more',
    );
    await Promise.all([...clients, again].map((client) => client.close()));
  });

  it('beyond the limit of a caller: 503', async () => {
    const clients = [];
    for (let i = 0; i < 3; i++) {
      clients.push(await Client.open(gate, 'caller', '/ws', { token: tokens.caller }));
    }
    await denied(gate, 'caller', { token: tokens.caller }, 503, 'at_capacity');
    await Promise.all(clients.map((client) => client.close()));
  });

  it('that say nothing do not keep others out', async () => {
    const port = gate.port('echo');
    const silent = await Promise.all(Array.from({ length: 200 }, () => Raw.connect(port)));
    const client = await Client.open(gate, 'echo', '/ws', { token: tokens.echo });
    client.send('through');
    assert.equal(await client.next(), 'through');
    await client.close();
    for (const raw of silent) raw.destroy();
  });

  it('that say nothing do not fill a surface: the longest silent one makes room', async () => {
    const port = gate.port('few');
    const silent = await Promise.all(Array.from({ length: 8 }, () => Raw.connect(port)));
    const clients = [];
    for (let i = 0; i < 5; i++) {
      clients.push(await Client.open(gate, 'few', '/ws', { token: tokens.few }));
    }
    await Promise.all(clients.map((client) => client.close()));
    for (const raw of silent) raw.destroy();
  });

  it('beyond the limit of descriptors: no flood of log lines, and service afterwards', async () => {
    const tightDir = scratchDir();
    const tight = new Gate(tightDir, {
      surfaces: { echo: opaqueSurface(service.socketPath, { limits: { max_connections: 5000 } }) },
    });
    await tight.launch({ command: 'prlimit', prefix: ['--nofile=256:256', SIDELOCK] });
    const { token } = await tight.session('echo');
    const port = tight.port('echo');
    const many = [];
    for (let i = 0; i < 300; i++) many.push(net.connect(port, '127.0.0.1').on('error', () => {}));
    const [worker] = tight.workers();
    await pause(1200);
    assert.ok(tight.stderr.split('\n').length < 200, 'a quiet log');
    for (const socket of many) socket.destroy();
    const client = await until(
      () => Client.open(tight, 'echo', '/ws', { token }).catch(() => undefined),
      'service after the flood',
    );
    await client.close();
    assert.deepEqual(tight.workers(), [worker]);
    await tight.stop();
  });
});

describe('14: a client that asks for much and does not read', () => {
  // A connection whose client has asked for 32 MiB and takes none of it.
  async function flooded() {
    service.forget();
    service.behave({
      message: (peer, data) => {
        if (data.toString() !== 'flood') return;
        for (let i = 0; i < 32; i++) peer.send(Buffer.alloc(MIB, 'x'), OPCODE.binary);
      },
    });
    const raw = await open(gate, 'stall', { token: tokens.stall });
    raw.socket.pause();
    raw.sendFrame({ payload: 'flood' });
    await until(() => service.last?.messages.length === 1, 'the request at the service');
    await settled(() => service.last.socket.writableLength);
    assert.ok(service.last.socket.writableLength > 16 * MIB, 'the service is held back');
    return raw;
  }

  it('is cut after the write timeout when it sends on and half-closes', async () => {
    const mark = gate.mark();
    const raw = await flooded();
    for (let i = 0; i < 1000; i++) raw.sendFrame({ payload: `and more ${i}` });
    raw.socket.end();
    await until(() => service.last.ended, 'the link to be cut');
    await gate.audited(mark, { event: 'closed', surface: 'stall' });
    await gate.untilIdle('stall');
    raw.destroy();
  });

  it('is cut after the write timeout when it just stops reading', async () => {
    const mark = gate.mark();
    const raw = await flooded();
    await gate.audited(mark, { event: 'closed', reason: 'write_stalled' });
    await until(() => service.last.ended, 'the link to be cut');
    raw.destroy();
  });
});

it('who asks and hangs up with a reset, again and again, ends nobody else', async () => {
  let storms = true;
  const storm = async () => {
    while (storms) {
      const raw = await Raw.connect(gate.port('echo'));
      raw.send(requestText({ host: host() }));
      raw.socket.resetAndDestroy();
    }
  };
  const stranger = Promise.all([storm(), storm(), storm(), storm()]);
  for (let i = 0; i < 200; i++) {
    const client = await Client.open(gate, 'echo', '/ws', { token: tokens.echo });
    client.send(`${i}`);
    assert.equal(await client.next(), `${i}`);
    await client.close();
  }
  storms = false;
  await stranger;
});

describe('15: time', () => {
  it('a head that never ends is answered and cut, and so is silence', async () => {
    const mark = gate.mark();
    const dripping = await Raw.connect(gate.port('echo'));
    const silent = await Raw.connect(gate.port('echo'));
    dripping.send(`GET /ws HTTP/1.1\r\nHost: ${host()}\r\n`);
    const drip = setInterval(() => dripping.send('X: y\r\n'), 400);
    const response = await dripping.response();
    clearInterval(drip);
    assertProblem(response, 400, 'request_timeout');
    await dripping.gone();
    await silent.gone();
    assert.equal(silent.pending.length, 0);
    await gate.audited(mark, { event: 'denied', reason: 'request_timeout' });
    for (const raw of [dripping, silent]) raw.destroy();
  });

  it('a body in drips does not hold a connection', async () => {
    const raw = await Raw.connect(gate.port('echo'));
    raw.send(
      requestText({
        method: 'POST',
        host: host(),
        token: tokens.echo,
        upgrade: false,
        headers: [['Content-Length', '100000']],
      }),
    );
    const drip = setInterval(() => raw.send('x'), 200);
    await raw.gone();
    clearInterval(drip);
    raw.destroy();
  });

  it('a frame that is half sent: 1008 message_timeout', async () => {
    const raw = await open(gate, 'message', { token: tokens.message });
    raw.send(encodeFrame({ payload: 'never finished', mask: true }).subarray(0, 10));
    const close = await raw.closeFrame();
    assert.deepEqual({ code: close.code, reason: close.reason }, { code: 1008, reason: 'message_timeout' });
    raw.destroy();
  });

  it('a message in fragments without end: 1008 message_timeout', async () => {
    service.forget();
    const raw = await open(gate, 'message', { token: tokens.message });
    raw.sendFrame({ payload: 'x', fin: false });
    const drip = setInterval(
      () => raw.sendFrame({ payload: 'x', opcode: OPCODE.continuation, fin: false }),
      100,
    );
    const close = await raw.closeFrame();
    clearInterval(drip);
    assert.deepEqual({ code: close.code, reason: close.reason }, { code: 1008, reason: 'message_timeout' });
    assert.deepEqual(service.last.messages, []);
    raw.destroy();
  });

  it('an idle connection: 1001 idle_timeout', async () => {
    const mark = gate.mark();
    const client = await Client.open(gate, 'idle', '/ws', { token: tokens.idle });
    const busy = await Client.open(gate, 'idle', '/ws', { token: tokens.idle });
    client.send('once');
    await client.next();
    while (client.closed === undefined) {
      busy.send('and again');
      await busy.next();
    }
    assert.deepEqual(client.closed, { code: 1001, reason: 'idle_timeout' });
    await busy.close();
    await gate.audited(mark, { event: 'closed', reason: 'idle_timeout' });
  });

  it('a client that answers no ping is cut, one that does stays', async () => {
    const deaf = await open(gate, 'ping', { token: tokens.ping });
    const good = await Client.open(gate, 'ping', '/ws', { token: tokens.ping });
    await deaf.gone();
    deaf.destroy();
    await until(() => good.pings.length >= 3, 'three pings');
    good.send('still here');
    assert.equal(await good.next(), 'still here');
    await good.close();
  });
});

describe('16: sockets of our own', () => {
  it('the control socket is private', () => {
    const socket = statSync(gate.controlSocket);
    assert.ok(socket.isSocket());
    assert.equal(socket.mode & 0o777, 0o600);
    assert.equal(statSync(gate.stateDir).mode & 0o777, 0o700);
  });

  it('a second gate on the same state does not start and harms nothing', async () => {
    const { code, stderr } = await run(['serve', '-c', gate.configPath]);
    assert.notEqual(code, 0);
    assert.match(stderr, /\S/);
    await gate.do('status');
  });

  it('localhost is both loopback addresses or nothing', async () => {
    const squatter = net.createServer();
    await new Promise((resolve) => squatter.listen(0, '::1', resolve));
    const { port } = squatter.address();
    const other = new Gate(scratchDir(), {
      surfaces: {
        echo: opaqueSurface(service.socketPath, { listen: [`localhost:${port}`] }),
      },
    });
    const { code, stderr } = await run(['serve', '-c', other.configPath]);
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`${port}`));
    squatter.close();
  });

  it('it is served on both, under any of the loopback names', async () => {
    assert.deepEqual(
      gate.addresses('echo').map((text) => text.replace(/:\d+$/, '')),
      ['127.0.0.1', '[::1]'],
    );
    const port = gate.port('echo');
    for (const address of ['127.0.0.1', '::1']) {
      for (const name of ['localhost', '127.0.0.1', '[::1]']) {
        const raw = await open(gate, 'echo', {
          token: tokens.echo,
          address,
          host: `${name}:${port}`,
          headers: [['Origin', `http://${name}:${port}`]],
        });
        raw.destroy();
      }
    }
  });
});
