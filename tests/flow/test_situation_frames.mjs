// Frames by the book (RFC 6455), held against the cases of the well-known conformance suite,
// groups 1 to 7 and 10 under its numbers, and some beyond it. An echoing service is behind an
// opaque route; what is carried of a goodbye where messages are vetted is asked of another.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import WebSocket from 'ws';

import { OPCODE, closePayload, encodeFrame } from '../services/frames.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { open } from './lib/raw.mjs';
import { settled, until, within } from './lib/wait.mjs';

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const cases = JSON.parse(readFileSync(new URL('../vectors/websocket/frames.json', import.meta.url)));

const dir = scratchDir();
let service;
let gate;
const tokens = {};

before(async () => {
  service = await new WebSocketService(path.join(dir, 'echo.sock')).start();
  gate = await Gate.start(dir, {
    surfaces: {
      echo: opaqueSurface(service.socketPath, { limits: { max_message_bytes: 1024 * 1024 } }),
      vetted: surface(service.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/ws', kind: 'websocket' }],
        allow: { verbs: ['tools/list'] },
      }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
});

after(async () => {
  await stopAll(gate, service);
});

async function connect(name = 'echo') {
  service.forget();
  service.behave();
  const raw = await open(gate, name, { token: tokens[name] });
  raw.socket.setNoDelay(true);
  return raw;
}

const peer = () => until(() => service.last?.upgraded && service.last, 'the service to be connected');

// ---- The cases ----

function payload({ fill, hex, text = '' }) {
  if (fill) return Buffer.alloc(fill[1], fill[0]);
  return hex ? Buffer.from(hex, 'hex') : Buffer.from(text);
}

// One frame of a case, or the frames it is cut into, as they go out.
function bytesOf(step) {
  const { op, fin = true, rsv = 0, mask = MASK, raw, part, autofragment } = step;
  if (raw) return Buffer.from(raw, 'hex');
  const data = payload(step);
  const frames = [];
  for (let at = 0; at === 0 || at < data.length; at += autofragment ?? Infinity) {
    const end = Math.min(at + (autofragment ?? Infinity), data.length);
    frames.push(encodeFrame({
      opcode: at === 0 ? op : OPCODE.continuation,
      fin: fin && end === data.length,
      rsv,
      mask,
      payload: data.subarray(at, end),
    }));
  }
  return part ? Buffer.concat(frames).subarray(...part) : Buffer.concat(frames);
}

const written = (raw, bytes) => new Promise((resolve) => raw.socket.write(bytes, resolve));

async function play(raw, { send, together }) {
  if (together) return written(raw, Buffer.concat(send.map(bytesOf)));
  for (const step of send) {
    const bytes = bytesOf(step);
    for (let at = 0; at < bytes.length; at += step.chop ?? bytes.length) {
      await written(raw, bytes.subarray(at, at + (step.chop ?? bytes.length)));
    }
  }
}

const shown = ({ opcode, payload: data }) =>
  `${opcode}:${data.length > 40 ? `${data.length} bytes of ${data[0]}` : data.toString('hex')}`;

async function check(one) {
  const raw = await connect();
  // `after`: all that goes out; what follows would be too late to notice the fault.
  await play(raw, { ...one, send: one.send.slice(0, one.after) });
  if (one.end === 1000 && one.ours !== false) {
    await until(() => raw.frames.length >= one.get.length || raw.ended, 'what is answered');
    raw.sendClose(1000);
  }
  await until(() => raw.frames.some((frame) => frame.opcode === OPCODE.close) || raw.ended, 'a close frame');
  const close = raw.frames.findIndex((frame) => frame.opcode === OPCODE.close);
  const told = raw.frames[close];
  // The goodbye of whoever was told goodbye first.
  if (one.end !== 1000 && one.ours !== false && !raw.ended) raw.sendClose(told.code);
  await raw.gone();
  assert.deepEqual(
    raw.frames.slice(0, close).map(shown),
    one.get.map((step) => shown({ opcode: step.op, payload: payload(step) })),
    'what is answered, before the close frame',
  );
  assert.equal(raw.frames.length, close + 1, 'one close frame, and nothing after it');
  assert.equal(told.code ?? 0, one.end, 'close code');
  assert.ok(raw.frames.every((frame) => !frame.masked && !frame.rsv && frame.fin));
  assert.equal(raw.error, undefined, 'TCP is closed, not reset');
  assert.deepEqual(service.faults, [], 'the service sees no nonsense');
  raw.destroy();
}

for (const group of new Set(cases.map((one) => one.case.match(/^(\d*)/)[1]))) {
  const members = cases.filter((one) => one.case.match(/^(\d*)/)[1] === group);
  const was = ['1', '10'].includes(group) ? '' : 'situation 14: '; // in those two nothing was wrong
  it(`${was}frames by the book, ${group ? `group ${group}` : 'beyond the groups'}`, async () => {
    const wrong = [];
    for (const one of members) {
      await check(one).catch((error) => wrong.push(`${one.case}: ${error.message}`));
    }
    assert.deepEqual(wrong, [], `${wrong.length} of ${members.length}`);
  });
}

// ---- What is behind them ----

it('situation 14: whose fault it was is in the audit log', async () => {
  for (const [frame, reason, code, cause] of [
    [{ payload: 'x', rsv: 4 }, 'client_protocol', 1002, 'reserved_bits'],
    [{ payload: 'x', mask: false }, 'client_protocol', 1002, 'mask'],
    [{ opcode: 3 }, 'client_protocol', 1002, 'opcode'],
    [{ opcode: OPCODE.ping, fin: false }, 'client_protocol', 1002, 'control_frame'],
    [{ opcode: OPCODE.continuation }, 'client_protocol', 1002, 'continuation'],
    [{ opcode: OPCODE.close, payload: Buffer.from([3]) }, 'client_protocol', 1002, 'close_frame'],
    [Buffer.from([0x82, 0xfe, 0, 5]), 'client_protocol', 1002, 'length'],
    [{ payload: Buffer.from([0xff]) }, 'json_utf8', 1007],
  ]) {
    const raw = await connect();
    const mark = gate.mark();
    if (Buffer.isBuffer(frame)) raw.send(frame);
    else raw.sendFrame(frame);
    assert.equal((await raw.over()).code, code);
    raw.destroy();
    const line = await gate.audited(mark, { event: 'closed', reason, close_code: code });
    assert.equal(line.cause, cause);
  }
});

it('situation 14: of a goodbye only the code travels where messages are vetted', async () => {
  for (const [name, travels] of [['vetted', false], ['echo', true]]) {
    const mine = await connect(name);
    const its = await peer();
    mine.sendClose(4001, 'words that nobody vetted');
    assert.equal((await mine.closeFrame()).code, 4001);
    await until(() => its.close, 'the service to be told');
    assert.deepEqual(its.close, { code: 4001, reason: travels ? 'words that nobody vetted' : '' });
    await mine.gone();
    mine.destroy();

    const other = await connect(name);
    (await peer()).sendClose(4002, 'nor these');
    const frame = await other.over();
    assert.deepEqual([frame.code, frame.reason], [4002, travels ? 'nor these' : '']);
    other.destroy();
  }
});

it('situation 14: a service that breaks the protocol is told so, and the client that it was the service', async () => {
  for (const [frame, cause] of [
    [{ payload: 'x', mask: true }, 'mask'],
    [{ payload: 'x', rsv: 1 }, 'reserved_bits'],
    [{ opcode: 3 }, 'opcode'],
    [{ opcode: OPCODE.close, payload: closePayload(1005) }, 'close_frame'],
  ]) {
    const raw = await connect();
    const its = await peer();
    const mark = gate.mark();
    its.sendFrame(frame);
    assert.equal((await raw.over()).code, 1014);
    await until(() => its.close, 'the service to be told');
    assert.equal(its.close.code, 1002);
    raw.destroy();
    await gate.audited(mark, { event: 'closed', reason: 'upstream_protocol', cause });
  }
});

// What the scanner stops at may come before what is no UTF-8: the call is told all the same.
it('situation 14: an answer that is no UTF-8 ends the connection, and its call is told', async () => {
  for (const odd of ['"\u{ff}"', '}\u{ff}', '"\\x\u{ff}"', `${'['.repeat(2000)}\u{ff}`]) {
    const raw = await connect('vetted');
    const mark = gate.mark();
    const answer = `{"jsonrpc":"2.0","id":7,"result":${odd}}`;
    service.behave({ message: (peer) => peer.sendFrame({ payload: Buffer.from(answer, 'latin1') }) });
    raw.sendFrame({ payload: '{"jsonrpc":"2.0","id":7,"method":"tools/list"}' });
    const told = JSON.parse((await raw.frame()).payload);
    assert.equal(told.id, 7);
    assert.equal(told.error.data.reason, 'json_utf8');
    assert.equal((await raw.over()).code, 1007);
    await gate.audited(mark, { event: 'closed', reason: 'json_utf8', close_code: 1007 });
    raw.destroy();
  }
});

// More than the socket holds, from a client that reads nothing: it is read no further, and
// every ping has its pong once it reads.
it('situation 14: a flood of pings is paced, and each is answered in its order', async () => {
  const raw = await connect();
  raw.socket.pause();
  const count = 100_000;
  const numbered = (i) => Buffer.from(`ping ${i}`.padEnd(125));
  let taken = 0;
  for (let i = 0; i < count; i += 500) {
    const pings = Array.from({ length: 500 }, (_, k) => numbered(i + k));
    raw.socket.write(
      Buffer.concat(pings.map((data) => encodeFrame({ opcode: OPCODE.ping, mask: MASK, payload: data }))),
      () => (taken += pings.length),
    );
  }
  await settled(() => taken);
  assert.ok(taken < count, `${taken} pings were taken by a gate whose answers nobody reads`);
  raw.socket.resume();
  await until(() => raw.frames.length >= count, 'all pongs');
  raw.frames.forEach((frame, i) => assert.ok(frame.opcode === OPCODE.pong && frame.payload.equals(numbered(i)), `pong ${i}`));
  raw.destroy();
});

it('large messages go both ways in one frame each', async () => {
  const raw = await connect();
  for (const bytes of [4096, 16384, 65536, 1024 * 1024]) {
    const data = Buffer.alloc(bytes, 'large messages, ');
    service.last.frames.length = 0;
    raw.sendFrame({ payload: data });
    const frame = await raw.frame();
    assert.ok(frame.fin && frame.payload.equals(data), `${bytes} bytes`);
    assert.deepEqual(service.last.frames, [{ opcode: OPCODE.text, fin: true, length: bytes }]);
  }
  raw.destroy();
});

// ---- Real clients ----

describe('real clients', () => {
  it('ws for Node', async () => {
    service.behave();
    const client = new WebSocket(`ws://localhost:${gate.port('echo')}/ws`, {
      headers: { Authorization: `Bearer ${tokens.echo}` },
    });
    const events = [];
    client.on('pong', (data) => events.push(`pong ${data}`));
    client.on('message', (data) => events.push(`message ${data}`));
    await within(new Promise((resolve) => client.once('open', resolve)), 'the upgrade');
    client.ping('one');
    client.ping('two');
    client.send('frag', { fin: false });
    client.ping('three');
    client.send('ments', { fin: true });
    await until(() => events.length === 4, 'the answers');
    assert.deepEqual(events, ['pong one', 'pong two', 'pong three', 'message fragments']);
    client.close(4000, 'done');
    const [code] = await within(new Promise((resolve) => client.once('close', (...all) => resolve(all))), 'the end');
    assert.equal(code, 4000);
    await until(() => service.last.close, 'the service to be told');
    assert.deepEqual(service.last.close, { code: 4000, reason: 'done' });
  });

  it('aiohttp for Python', async () => {
    service.behave();
    const program = `
import asyncio, sys, aiohttp
async def main(url, token):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, headers={"Authorization": "Bearer " + token}, autoclose=True) as ws:
            await ws.ping(b"are you there")
            await ws.send_str("\\u00e4" * 100000)
            first = await ws.receive_str()
            await ws.send_bytes(bytes(range(256)) * 1024)
            second = await ws.receive_bytes()
            print(first == "\\u00e4" * 100000, second == bytes(range(256)) * 1024)
            await ws.close(code=4003)
            print(ws.close_code)
asyncio.run(main(*sys.argv[1:]))
`;
    const { stdout } = await promisify(execFile)('/usr/bin/python3', [
      '-c', program, `http://localhost:${gate.port('echo')}/ws`, tokens.echo,
    ]);
    assert.equal(stdout, 'True True\n4003\n');
  });
});
