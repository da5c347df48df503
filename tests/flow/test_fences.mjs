// One test for each fence around libwebsockets (and around ourselves) that can
// be seen from outside; each fails when its fence is removed. After every test
// the same worker must still be there and serve.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { OPCODE, encodeFrame } from '../services/frames.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client, Refused } from './lib/client.mjs';
import {
  Gate,
  SIDELOCK,
  cpuSeconds,
  opaqueSurface,
  residentBytes,
  run,
  scratchDir, stopAll,
} from './lib/gate.mjs';
import { Raw, assertProblem, denied, open, request, requestText } from './lib/raw.mjs';
import { pause, settled, until } from './lib/wait.mjs';

const MIB = 1024 * 1024;

const dir = scratchDir();
let service;
let gate;
let workers;
const tokens = {};

before(async () => {
  service = new WebSocketService(path.join(dir, 'echo.sock'));
  await service.start();
  const echo = (limits, route) => opaqueSurface(service.socketPath, { limits, route });
  gate = await Gate.start(dir, {
    surfaces: {
      echo: echo({ max_message_bytes: MIB, max_connections: 500 }),
      spoken: echo({}, { subprotocols: ['mcp', 'chat'] }),
      few: echo({ max_connections: 5 }),
      caller: echo({ max_connections: 100, max_connections_per_caller: 3 }),
      message: echo({ message_timeout_ms: 500 }),
      idle: echo({ idle_timeout_ms: 600 }),
      ping: echo({ ping_interval_ms: 300 }),
      stall: echo({ max_message_bytes: 2 * MIB, write_timeout_ms: 1500 }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) {
    tokens[name] = (await gate.session(name)).token;
  }
  workers = gate.workers();
});

after(async () => {
  await stopAll(gate, service);
});

afterEach(async () => {
  assert.deepEqual(gate.workers(), workers, 'no worker died');
  service.behave();
  const client = await Client.open(gate, 'echo', '/ws', { token: tokens.echo });
  client.send('alive');
  assert.equal(await client.next(), 'alive');
  await client.close();
  service.forget();
});

function host(surface = 'echo') {
  return `localhost:${gate.port(surface)}`;
}

function refuse(options, status, reason) {
  return denied(gate, 'echo', { token: tokens.echo, ...options }, status, reason);
}

// Sends bytes as they are; they must be refused with this status and reason,
// and nothing may reach the service.
async function refuseBytes(bytes, status, reason) {
  const mark = gate.mark();
  const raw = await Raw.connect(gate.port('echo'));
  raw.send(bytes);
  assertProblem(await raw.response(), status, reason);
  await raw.gone();
  raw.destroy();
  await gate.audited(mark, { event: 'denied', reason });
  assert.equal(service.connectionCount, 0, 'no connection at the service');
}

// A valid upgrade as text, with a line of it replaced by another.
function altered(from, to) {
  const text = requestText({ host: host(), token: tokens.echo });
  const result = text.replace(from, to);
  assert.notEqual(result, text);
  return result;
}

describe('1: a keep-alive request, then an upgrade to something unknown', () => {
  const first = () => requestText({ host: host(), token: tokens.echo, upgrade: false });
  const second = () =>
    requestText({
      host: host(),
      token: tokens.echo,
      upgrade: false,
      headers: [['Upgrade', 'foo'], ['Connection', 'Upgrade']],
    });

  it('in one breath', async () => {
    for (let i = 0; i < 20; i++) {
      const raw = await Raw.connect(gate.port('echo'));
      raw.send(first() + second());
      assertProblem(await raw.response(), 426, 'upgrade_required');
      await raw.gone();
      raw.destroy();
    }
    assert.equal(service.connectionCount, 0);
  });

  it('one after the other', async () => {
    for (let i = 0; i < 20; i++) {
      const raw = await Raw.connect(gate.port('echo'));
      raw.send(first());
      assertProblem(await raw.response(), 426, 'upgrade_required');
      raw.send(second());
      await raw.gone();
      raw.destroy();
    }
    assert.equal(service.connectionCount, 0);
  });

  it('the unknown upgrade alone', () =>
    refuse(
      { upgrade: false, headers: [['Upgrade', 'foo'], ['Connection', 'Upgrade']] },
      400,
      'upgrade_invalid',
    ));

  it('a list of upgrades, and one that only begins like it', async () => {
    for (const value of ['websocket, foo', 'foo, websocket', 'websocketx', 'h2c,websocket']) {
      await refuse({ headers: [['Upgrade', value]] }, 400, 'upgrade_invalid');
    }
  });

  it('the letter case of websocket does not matter', async () => {
    const raw = await open(gate, 'echo', {
      token: tokens.echo,
      headers: [['Upgrade', 'WebSocket']],
    });
    raw.destroy();
  });
});

describe('2: CONNECT', () => {
  for (const target of ['localhost:80', '/ws', '127.0.0.1:1 HTTP/1.1\r\nX: y']) {
    it(JSON.stringify(target), async () => {
      const raw = await Raw.connect(gate.port('echo'));
      raw.send(
        `CONNECT ${target} HTTP/1.1\r\nHost: ${host()}\r\n` +
          `Authorization: Bearer ${tokens.echo}\r\n\r\n`,
      );
      const response = await raw.response();
      assert.ok([400, 405].includes(response.status), response.line);
      raw.send('raw bytes for nobody');
      await raw.gone();
      assert.equal(raw.pending.length, 0, 'nothing came back');
      assert.equal(service.connectionCount, 0);
      raw.destroy();
    });
  }
});

describe('3: HTTP/2', () => {
  it('by upgrade', () =>
    refuse(
      {
        upgrade: false,
        headers: [
          ['Connection', 'Upgrade, HTTP2-Settings'],
          ['Upgrade', 'h2c'],
          ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
        ],
      },
      400,
      'upgrade_invalid',
    ));

  it('by prior knowledge', async () => {
    const raw = await Raw.connect(gate.port('echo'));
    raw.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    raw.send(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    assert.equal((await raw.response()).status, 400);
    await raw.gone();
    raw.destroy();
  });
});

describe('4: a refusal before 101 is a real answer', () => {
  it('401, with a body and HTTP/1.1', async () => {
    const { response } = await denied(gate, 'echo', {}, 401, 'credential_missing');
    assert.equal(response.line.split(' ').slice(0, 2).join(' '), 'HTTP/1.1 401');
    assert.equal(response.header('connection'), 'close');
  });

  it('to HEAD it has no body', async () => {
    const raw = await Raw.connect(gate.port('echo'));
    raw.send(requestText({ method: 'HEAD', host: host(), token: tokens.echo, upgrade: false }));
    await raw.gone();
    const [head, body] = raw.pending.toString().split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 (405|426) /);
    assert.equal(body, '');
    raw.destroy();
  });
});

describe('5: subprotocols', () => {
  const offer = (value) =>
    request(gate, 'spoken', {
      token: tokens.spoken,
      headers: [['Sec-WebSocket-Protocol', value]],
    });

  it('one that is spoken is answered', async () => {
    for (const [offered, answered] of [
      ['mcp', 'mcp'],
      ['chat', 'chat'],
      ['soap, chat', 'chat'],
      ['x,y,z,mcp', 'mcp'],
    ]) {
      service.forget();
      const { raw, response } = await offer(offered);
      assert.equal(response.status, 101, offered);
      assert.equal(response.header('sec-websocket-protocol'), answered);
      await until(() => service.last?.upgraded, 'the link');
      assert.equal(service.last.header('sec-websocket-protocol'), answered);
      raw.destroy();
    }
  });

  it('one that is not spoken gets an answer, not silence', async () => {
    for (const [offered, reason] of [
      ['soap', 'subprotocol_mismatch'],
      ['MCP', 'subprotocol_mismatch'],
      ['mcp2', 'subprotocol_mismatch'],
      ['soap, xml, rpc', 'subprotocol_mismatch'],
      ['m'.repeat(64), 'header_invalid'],
      ['m'.repeat(1000), 'header_invalid'],
      ['soap, '.repeat(60) + 'soap', 'header_invalid'],
      ['mcp, so ap', 'header_invalid'],
      ['mcp, "x"', 'header_invalid'],
    ]) {
      await denied(
        gate,
        'spoken',
        { token: tokens.spoken, headers: [['Sec-WebSocket-Protocol', offered]] },
        400,
        reason,
      );
    }
  });

  it('the spoken one is found behind a long list', async () => {
    const { raw, response } = await offer('a-rather-long-name-of-a-subprotocol, '.repeat(14) + 'mcp');
    assert.equal(response.status, 101);
    assert.equal(response.header('sec-websocket-protocol'), 'mcp');
    raw.destroy();
  });

  it('on a route that speaks none, none is answered and none forwarded', async () => {
    const { raw, response } = await request(gate, 'echo', {
      token: tokens.echo,
      headers: [['Sec-WebSocket-Protocol', 'mcp']],
    });
    if (response.status === 101) {
      assert.equal(response.header('sec-websocket-protocol'), undefined);
      await until(() => service.last?.upgraded, 'the link');
      assert.equal(service.last.header('sec-websocket-protocol'), undefined);
    } else {
      assertProblem(response, 400, 'subprotocol_mismatch');
    }
    raw.destroy();
  });
});

describe('6: method and versions', () => {
  it('an upgrade by another method', async () => {
    for (const method of ['POST', 'HEAD', 'PUT', 'OPTIONS', 'get']) {
      const raw = await Raw.connect(gate.port('echo'));
      raw.send(requestText({ method, host: host(), token: tokens.echo }));
      await raw.gone();
      assert.match(raw.pending.toString(), /^HTTP\/1\.1 (400|405) /, method);
      raw.destroy();
    }
    assert.equal(service.connectionCount, 0);
  });

  it('HTTP/1.0, HTTP/2.0 and nonsense', async () => {
    for (const version of ['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.2']) {
      await refuse({ version }, 400, 'http_version');
    }
    for (const version of ['HTTP/1', 'http/1.1', 'HTTP/1.1 x', 'HTTP/01.1']) {
      const { response, raw } = await request(gate, 'echo', { token: tokens.echo, version });
      assert.equal(response.status, 400, version);
      raw.destroy();
    }
    assert.equal(service.connectionCount, 0);
  });

  it('another WebSocket version', async () => {
    for (const version of ['8', '12', '14', '1', '013']) {
      const { response } = await refuse(
        { headers: [['Sec-WebSocket-Version', version]] },
        426,
        'websocket_version',
      );
      assert.equal(response.header('sec-websocket-version'), '13');
    }
  });

  it('no key, a short key, a long key', async () => {
    await refuse({ without: ['Sec-WebSocket-Key'] }, 400, 'upgrade_invalid');
    for (const key of ['', 'short', 'A'.repeat(24), 'A'.repeat(200)]) {
      await refuse({ headers: [['Sec-WebSocket-Key', key]] }, 400, 'upgrade_invalid');
    }
  });

  it('no Connection: Upgrade', async () => {
    const { response } = await request(gate, 'echo', {
      token: tokens.echo,
      headers: [['Connection', 'keep-alive']],
    });
    assert.ok([400, 426].includes(response.status), response.line);
    assert.equal(service.connectionCount, 0);
  });
});

describe('7: lengths', () => {
  const smuggled = () =>
    requestText({ host: host(), token: tokens.echo, headers: [['X-Smuggled', '1']] });

  async function refusedOnce(options, status, reason) {
    const raw = await Raw.connect(gate.port('echo'));
    raw.send(requestText({ host: host(), token: tokens.echo, upgrade: false, ...options }));
    assertProblem(await raw.response(), status, reason);
    await raw.gone();
    assert.equal(raw.pending.length, 0, 'what followed is not answered');
    assert.equal(service.connectionCount, 0);
    raw.destroy();
  }

  it('a Content-Length that is not one', async () => {
    for (const length of ['-1', '3zzz', '3,  30', '+3', '0x3', '3 3', '', '99999999999', '1e1']) {
      const headers = [['Content-Length', length]];
      for (const method of ['POST', 'GET']) {
        await refusedOnce({ method, headers, body: smuggled() }, 411, 'length_required');
      }
    }
  });

  it('two of them', () =>
    refusedOnce(
      {
        method: 'POST',
        headers: [['Content-Length', '3'], ['Content-Length', '3']],
        body: 'abc' + smuggled(),
      },
      400,
      'header_duplicate',
    ));

  it('any Transfer-Encoding', async () => {
    for (const coding of ['chunked', 'identity', 'gzip, chunked', 'xchunked', '']) {
      const headers = [['Transfer-Encoding', coding]];
      const body = `0\r\n\r\n${smuggled()}`;
      for (const method of ['POST', 'GET']) {
        await refusedOnce({ method, headers, body }, 411, 'length_required');
      }
    }
  });

  it('a Transfer-Encoding on an upgrade', async () => {
    await refuse({ headers: [['Transfer-Encoding', 'chunked']] }, 411, 'length_required');
    assert.equal(service.connectionCount, 0);
  });

  it('a body on an upgrade is not taken for frames', async () => {
    const frame = encodeFrame({ payload: 'smuggled', mask: true });
    const raw = await Raw.connect(gate.port('echo'));
    raw.send(
      requestText({
        host: host(),
        token: tokens.echo,
        headers: [['Content-Length', String(frame.length)]],
      }),
    );
    raw.send(frame);
    const response = await raw.response();
    assert.ok([400, 411, 413].includes(response.status), response.line);
    await raw.gone();
    assert.equal(service.connectionCount, 0);
    raw.destroy();
  });

  it('a second request in the same breath is not served', async () => {
    for (const token of [undefined, tokens.echo]) {
      const raw = await Raw.connect(gate.port('echo'));
      raw.send(requestText({ path: '/nowhere', host: host(), token, upgrade: false }) + smuggled());
      assert.ok([401, 404].includes((await raw.response()).status));
      await raw.gone();
      assert.equal(raw.pending.length, 0);
      raw.destroy();
    }
    assert.equal(service.connectionCount, 0);
  });
});

describe('8: headers', () => {
  it('a singleton that occurs twice', async () => {
    const rows = {
      Host: host(),
      Origin: `http://${host()}`,
      Authorization: `Bearer ${tokens.echo}`,
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Version': '13',
    };
    for (const [name, value] of Object.entries(rows)) {
      await refuse({ headers: [[name, value], [name, value]] }, 400, 'header_duplicate');
      await refuse({ headers: [[name, value], [name.toLowerCase(), value]] }, 400, 'header_duplicate');
    }
  });

  it('a singleton with a comma', async () => {
    const origin = `http://${host()}`;
    for (const [name, value] of [
      ['Host', `${host()},${host()}`],
      ['Host', `${host()}, evil.example`],
      ['Origin', `${origin}, ${origin}`],
      ['Authorization', `Bearer ${tokens.echo}, Bearer ${tokens.echo}`],
    ]) {
      const { response } = await request(gate, 'echo', {
        token: tokens.echo,
        headers: [[name, value]],
      });
      assert.ok([400, 401, 403].includes(response.status), `${name}: ${response.line}`);
      assert.equal(service.connectionCount, 0);
    }
  });

  it('two cookies', async () => {
    const { response } = await request(gate, 'echo', {
      headers: [['Cookie', 'a=1'], ['Cookie', 'b=2']],
    });
    assert.ok([400, 401].includes(response.status), response.line);
    assert.equal(service.connectionCount, 0);
  });

  it('no Host', async () => {
    const { response } = await request(gate, 'echo', { token: tokens.echo, without: ['Host'] });
    assert.ok([400, 403].includes(response.status), response.line);
    assert.equal(service.connectionCount, 0);
  });

  it('NUL and other control bytes', async () => {
    for (const byte of ['\0', '\x01', '\x7f', '\r', '\n']) {
      await refuseBytes(altered(`Host: ${host()}`, `Host: ${host()}${byte}x`), 400, 'malformed_request');
      await refuseBytes(altered('GET /ws', `GET /ws${byte}`), 400, 'malformed_request');
      await refuseBytes(altered('GET /ws', `GET /ws?a${byte}b`), 400, 'malformed_request');
      await refuseBytes(altered('Upgrade: websocket', `X${byte}: y\r\nUpgrade: websocket`), 400, 'malformed_request');
    }
  });

  it('a space before the colon, a folded line, a line without a colon, bare line feeds', async () => {
    await refuseBytes(altered('Authorization:', 'Authorization :'), 400, 'malformed_request');
    await refuseBytes(altered('Upgrade: websocket', 'X: a\r\n b\r\nUpgrade: websocket'), 400, 'malformed_request');
    await refuseBytes(altered('Upgrade: websocket', 'nonsense\r\nUpgrade: websocket'), 400, 'malformed_request');
    await refuseBytes(
      requestText({ host: host(), token: tokens.echo }).replaceAll('\r\n', '\n') + '\r\n\r\n',
      400,
      'malformed_request',
    );
    await refuseBytes(altered(': ', '\t: '), 400, 'malformed_request');
  });

  it('forwarding headers do not reach the service', async () => {
    service.forget();
    const raw = await open(gate, 'echo', {
      token: tokens.echo,
      headers: [
        ['X-Forwarded-For', '10.0.0.1'],
        ['X-Forwarded-Host', 'evil.example'],
        ['Forwarded', 'for=10.0.0.1'],
        ['X-Anything', 'else'],
        ['Cookie', 'a=1'],
      ],
    });
    await until(() => service.last?.upgraded, 'the link');
    const names = service.last.request.headers.map(([name]) => name);
    for (const name of [
      'x-forwarded-for',
      'x-forwarded-host',
      'forwarded',
      'x-anything',
      'cookie',
      'authorization',
    ]) {
      assert.equal(names.includes(name), false, name);
    }
    assert.equal(new Set(names).size, names.length, 'no header occurs twice');
    raw.destroy();
  });
});

describe('9: paths', () => {
  it('that could be read in two ways', async () => {
    for (const target of [
      '//ws',
      '/./ws',
      '/x/../ws',
      '/%2e/ws',
      '/%2e%2e/ws',
      '/x%2fws',
      '/ws%00',
      '/ws%0a',
      '/ws%3F',
      '/ws%3fa=b',
      '/ws%23',
      '/ws%252e',
      '/ws%25',
      '/ws%',
      '/ws%4',
      '/ws%zz',
      '/ws;a=b',
      '/ws&a=b',
      '/ws%3B',
      '/ws%26',
      '/ws\\',
      '/ws%5C',
      '/ws%ff',
      '/%c0%aews',
      '/%c1%b7s',
    ]) {
      const { raw, response } = await request(gate, 'echo', { token: tokens.echo, path: target });
      assert.equal(response.status, 400, `${target}: ${response.body}`);
      assert.ok(['path_invalid', 'malformed_request'].includes(response.json.reason), target);
      raw.destroy();
    }
    assert.equal(service.connectionCount, 0);
  });

  it('that are nearly a route', async () => {
    for (const target of ['/ws/', '/WS', '/ws/x', '/w', '/wss', '/']) {
      await refuse({ path: target }, 404, 'route_unknown');
    }
  });

  it('that are not in origin form', async () => {
    for (const target of [`http://${host()}/ws`, '*', 'ws', '', '/w s', '/ws#x', 'localhost:1']) {
      const { response } = await request(gate, 'echo', { token: tokens.echo, path: target });
      assert.equal(response.status, 400, `${target}: ${response.line}`);
    }
    assert.equal(service.connectionCount, 0);
  });

  it('an encoded letter is the letter, and is encoded anew for the service', async () => {
    service.forget();
    const raw = await open(gate, 'echo', { token: tokens.echo, path: '/%77s?x=1' });
    await until(() => service.last?.upgraded, 'the link');
    assert.equal(service.last.request.target, '/ws');
    raw.destroy();
  });

  it('a long one', async () => {
    const { response } = await request(gate, 'echo', {
      token: tokens.echo,
      path: `/${'w'.repeat(3000)}`,
    });
    assert.ok([400, 404, 431].includes(response.status), response.line);
  });
});

describe('10: frames', () => {
  // Sends frames on a fresh connection: it must end, with this code or, where
  // libwebsockets hangs up itself (`code` 1002), without a word. Nothing may
  // reach the service but a proper close.
  async function breaks(frames, code = 1002) {
    service.forget();
    const raw = await open(gate, 'echo', { token: tokens.echo });
    await until(() => service.last?.upgraded, 'the link');
    const link = service.last;
    raw.send(Buffer.concat(frames.map((frame) => encodeFrame({ mask: true, ...frame }))));
    const close = await raw.over(3000);
    if (code !== 1002 || close) assert.equal(close?.code, code);
    await until(() => link.ended, 'the link to end');
    assert.deepEqual(link.messages, []);
    assert.deepEqual(link.faults, []);
    assert.ok([1000, 1001, 1002].includes(link.close?.code ?? 1000), `service told ${link.close?.code}`);
    raw.destroy();
  }

  // libwebsockets takes an unmasked frame and does not say so: it is vetted like
  // any other, and the service gets it masked.
  it('without a mask: vetted like any other, masked towards the service', async () => {
    service.forget();
    const raw = await open(gate, 'echo', { token: tokens.echo });
    raw.sendFrame({ payload: 'bare', mask: false });
    assert.equal((await raw.frame()).payload.toString(), 'bare');
    assert.deepEqual(service.last.messages.map(({ data }) => data.toString()), ['bare']);
    assert.deepEqual(service.last.faults, []);
    raw.destroy();
    await breaks([{ payload: Buffer.from([0xff]), mask: false }], 1007);
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
      await raw.over(3000);
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
    const close = await raw.over(3000);
    assert.ok([undefined, 1002, 1009].includes(close?.code), `closed with ${close?.code}`);
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

describe('11: extensions', () => {
  it('an offer of permessage-deflate is not taken up, nor passed on', async () => {
    service.forget();
    const raw = await open(gate, 'echo', {
      token: tokens.echo,
      headers: [['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits']],
    });
    assert.equal(raw.upgrade.header('sec-websocket-extensions'), undefined);
    await until(() => service.last?.upgraded, 'the link');
    assert.equal(service.last.header('sec-websocket-extensions'), undefined);
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

  it('beyond the limit of descriptors: no spinning, no flood of log lines', async () => {
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
    await pause(200);
    const before = cpuSeconds(worker) + cpuSeconds(tight.pid);
    await pause(1000);
    const used = cpuSeconds(worker) + cpuSeconds(tight.pid) - before;
    assert.ok(used < 0.3, `${used} s of processor time in one second`);
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

  it('does not spin when it sends on and half-closes, and is cut after the write timeout', async () => {
    const mark = gate.mark();
    const raw = await flooded();
    for (let i = 0; i < 1000; i++) raw.sendFrame({ payload: `and more ${i}` });
    raw.socket.end();
    const before = cpuSeconds(workers[0]);
    await pause(1000);
    const used = cpuSeconds(workers[0]) - before;
    assert.ok(used < 0.4, `${used} s of processor time in one second`);
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

describe('15: time', () => {
  it('a head that never ends is answered and cut, and so is silence', async () => {
    const mark = gate.mark();
    const dripping = await Raw.connect(gate.port('echo'));
    const silent = await Raw.connect(gate.port('echo'));
    dripping.send(`GET /ws HTTP/1.1\r\nHost: ${host()}\r\n`);
    const drip = setInterval(() => dripping.send('X: y\r\n'), 400);
    const response = await dripping.response(20_000);
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
    await raw.gone(20_000);
    clearInterval(drip);
    raw.destroy();
  });

  it('a frame that is half sent: 1008 message_timeout', async () => {
    const raw = await open(gate, 'message', { token: tokens.message });
    raw.send(encodeFrame({ payload: 'never finished', mask: true }).subarray(0, 10));
    const close = await raw.closeFrame(5000);
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
    const close = await raw.closeFrame(5000);
    clearInterval(drip);
    assert.deepEqual({ code: close.code, reason: close.reason }, { code: 1008, reason: 'message_timeout' });
    assert.deepEqual(service.last.messages, []);
    raw.destroy();
  });

  it('an idle connection: 1001 idle_timeout', async () => {
    const mark = gate.mark();
    const client = await Client.open(gate, 'idle', '/ws', { token: tokens.idle });
    const start = performance.now();
    client.send('once');
    await client.next();
    const { code, reason, at } = await client.end(5000);
    assert.deepEqual({ code, reason }, { code: 1001, reason: 'idle_timeout' });
    assert.ok(at - start > 500, `cut after ${at - start} ms`);
    await gate.audited(mark, { event: 'closed', reason: 'idle_timeout' });
  });

  it('a client that answers no ping is cut, one that does stays', async () => {
    const deaf = await open(gate, 'ping', { token: tokens.ping });
    const good = await Client.open(gate, 'ping', '/ws', { token: tokens.ping });
    await deaf.gone(5000);
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
