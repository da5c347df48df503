// One test for each fence on a request, before 101; each fails when its fence
// is removed.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { encodeFrame } from '../services/frames.mjs';
import { altered, gate, host, refuse, refuseBytes, service, tokens } from './lib/fences.mjs';
import { Raw, assertProblem, denied, open, request, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

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
  // Whoever offers it gets HTTP/1.1, as if it had offered nothing.
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
      426,
      'upgrade_required',
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
    const stripped = ['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'x-anything', 'cookie'];
    for (const name of [...stripped, 'authorization']) {
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
      '/ws%00',
      '/ws%0a',
      '/ws%3F',
      '/ws%3fa=b',
      '/ws%23',
      '/ws%',
      '/ws%4',
      '/ws%zz',
      '/ws;a=b',
      '/ws%3B',
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
    for (const target of ['/ws/', '/WS', '/ws/x', '/w', '/wss', '/', '/ws&a=b', '/ws%26', '/ws%25', '/x%2fws', '/ws%252e']) {
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

  it('an encoded letter is the letter, and reaches the service as it was sent', async () => {
    service.forget();
    const raw = await open(gate, 'echo', { token: tokens.echo, path: '/%77s?x=1' });
    await until(() => service.last?.upgraded, 'the link');
    assert.equal(service.last.request.target, '/%77s');
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
