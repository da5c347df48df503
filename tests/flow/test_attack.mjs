// The attack, replayed: a control plane that spawns whatever its URL says, and
// everything a page or a local process without a grant could try on the way to
// it. Each variant must be refused with its status and reason, nothing may be
// spawned, and the service must not hear of it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { ControlPlane } from '../services/control_plane.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { Raw, assertProblem, denied, request, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const TOUCH = '/usr/bin/touch';

const dir = scratchDir();
const attackMarker = path.join(dir, 'attacked');
const grantedMarker = path.join(dir, 'granted');
const attackParams = encodeURIComponent(
  Buffer.from(JSON.stringify({ command: TOUCH, args: [attackMarker] })).toString('base64'),
);
const grantedRecord = { command: TOUCH, args: [grantedMarker] };

let service;
let gate;

function controlPlane(socketPath) {
  return surface(socketPath, {
    dialect: 'mcp',
    routes: [
      {
        path: '/control',
        kind: 'websocket',
        query: { inject: { server_params: { from: '', encoding: 'base64-json' } } },
      },
    ],
  });
}

// Nothing reached the service and nothing was started since the last forget().
function assertUntouched() {
  assert.equal(service.connectionCount, 0, 'no connection at the service');
  assert.equal(service.byteCount, 0, 'no byte at the service');
  assert.equal(service.spawned.length, 0, 'nothing spawned');
  assert.equal(existsSync(attackMarker), false, 'the attack left no marker');
}

async function refuse(options, status, reason) {
  service.forget();
  const result = await denied(gate, 'plane', { path: '/control', ...options }, status, reason);
  assert.equal(result.line.surface, 'plane');
  assertUntouched();
  return result;
}

// The caller at the surface and a session with the stored record.
function granted(...options) {
  return gate.session('plane', '--params', 'granted', ...options);
}

describe('the attack against the service itself', () => {
  // What makes every refusal below mean something.
  it('works: the URL decides what is spawned', async () => {
    const exposed = new ControlPlane(path.join(dir, 'exposed.sock'));
    await exposed.start();
    const marker = path.join(dir, 'exposed');
    const params = Buffer.from(JSON.stringify({ command: TOUCH, args: [marker] }));
    const { default: WebSocket } = await import('ws');
    const query = encodeURIComponent(params.toString('base64'));
    const socket = new WebSocket(
      `ws+unix:${exposed.socketPath}:/control?server_params=${query}`,
    );
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    await Promise.all(exposed.exits);
    assert.equal(existsSync(marker), true);
    socket.terminate();
    await exposed.stop();
  });
});

describe('the attack through the gate', () => {
  before(async () => {
    service = new ControlPlane(path.join(dir, 'plane.sock'));
    await service.start();
    gate = await Gate.start(dir, {
      executables: [{ path: TOUCH, args: [`${dir}/[a-z]+`] }],
      surfaces: {
        plane: controlPlane(service.socketPath),
        other: controlPlane(service.socketPath),
        named: {
          ...controlPlane(service.socketPath),
          hosts: ['gate.example', 'gate.example:1234'],
          origins: ['https://app.example'],
        },
      },
    });
    await gate.putParams('granted', grantedRecord);
  });

  after(async () => {
    await stopAll(gate, service);
    assert.equal(existsSync(attackMarker), false);
  });

  it('without a token', () => refuse({}, 401, 'credential_missing'));

  it('without a token on the other loopback address', () =>
    refuse({ address: '::1' }, 401, 'credential_missing'));

  it('without a token, from a page that calls itself local', () =>
    refuse(
      { headers: [['Origin', `http://localhost:${gate.port('plane')}`]] },
      401,
      'credential_missing',
    ));

  it('with a token, from a page of another local port', async () => {
    const { token } = await granted();
    await refuse({ token, headers: [['Origin', 'http://localhost']] }, 403, 'origin_mismatch');
    await refuse({ token, headers: [['Origin', 'null']] }, 403, 'origin_mismatch');
    await refuse(
      { token, headers: [['Origin', `https://localhost:${gate.port('plane')}`]] },
      403,
      'origin_mismatch',
    );
  });

  it('with server_params and no token', () =>
    refuse({ path: `/control?server_params=${attackParams}` }, 401, 'credential_missing'));

  it('with server_params and a token: the stored record is spawned, not the URL', async () => {
    const { token } = await granted();
    service.forget();
    const client = await Client.open(gate, 'plane', `/control?server_params=${attackParams}`, {
      token,
    });
    await until(() => service.spawned.length === 1, 'the stored command');
    assert.deepEqual(service.spawned, [grantedRecord]);
    await Promise.all(service.exits);
    assert.equal(existsSync(grantedMarker), true);
    assert.equal(existsSync(attackMarker), false);
    assert.equal(service.connectionCount, 1);
    const { target, headers } = service.last.request;
    assert.deepEqual([...new URL(target, 'http://x').searchParams.keys()], ['server_params']);
    assert.equal(headers.some(([name]) => name === 'authorization'), false);
    assert.equal(JSON.stringify(headers).includes(token), false);
    await client.close();
    service.spawned.length = 0;
    service.forget();
  });

  it('with server_params hidden from a careless parser', async () => {
    const { token } = await granted();
    const variants = [
      `server_params=${attackParams}&server_params=${attackParams}`,
      `server%5Fparams=${attackParams}`,
      `a=1;server_params=${attackParams}`,
      `?server_params=${attackParams}`,
      `&&&server_params=${attackParams}`,
      `SERVER_PARAMS=${attackParams}&server_params[]=${attackParams}`,
    ];
    for (const query of variants) {
      service.forget();
      service.spawned.length = 0;
      const client = await Client.open(gate, 'plane', `/control?${query}`, { token });
      await until(() => service.spawned.length > 0, 'the stored command');
      assert.deepEqual(service.spawned, [grantedRecord], query);
      await client.close();
    }
    await Promise.all(service.exits);
    assert.equal(existsSync(attackMarker), false);
    service.spawned.length = 0;
    service.forget();
  });

  it('with a token in the query: refused, and its session is over', async () => {
    const { id, token } = await granted();
    await refuse({ path: `/control?token=${token}` }, 401, 'token_in_query');
    await refuse({ token }, 401, 'session_revoked');
    const shown = await gate.doJson('session', 'show', id);
    assert.notEqual(shown.state, 'active');
  });

  it('with a token in the query under another name, beside a good header', async () => {
    const { token } = await granted();
    await refuse({ token, path: `/control?x=1&state=${token}` }, 401, 'token_in_query');
    await refuse({ token }, 401, 'session_revoked');
  });

  it('with a token for another surface', async () => {
    const { token } = await gate.session('other', '--params', 'granted');
    await refuse({ token }, 401, 'token_wrong_surface');
  });

  it('with an expired token', async () => {
    const { token, expires_at: expiresAt } = await granted('--ttl', '1s');
    // The broker's clock may be a tick behind ours.
    await until(() => Date.now() > Date.parse(expiresAt) + 50, 'the session to expire');
    await refuse({ token }, 401, 'token_expired');
  });

  it('with a revoked token', async () => {
    const { id, token } = await granted();
    await gate.revoke(id);
    await refuse({ token }, 401, 'session_revoked');
  });

  it('with a replayed single-use token', async () => {
    const { token } = await granted('--once');
    service.forget();
    const client = await Client.open(gate, 'plane', '/control', { token });
    await until(() => service.spawned.length === 1, 'the stored command');
    await client.close();
    service.spawned.length = 0;
    service.forget();
    await refuse({ token }, 401, 'session_used');
  });

  it('with a token whose parameter record has changed', async () => {
    await gate.putParams('fickle', grantedRecord);
    const { token } = await gate.session('plane', '--params', 'fickle');
    await gate.putParams('fickle', { ...grantedRecord, args: [path.join(dir, 'changed')] });
    await refuse({ token }, 401, 'params_changed');
    await gate.putParams('fickle', grantedRecord);
    await gate.do('params', 'rm', 'fickle');
    await refuse({ token }, 401, 'params_changed');
  });

  it('with a token that has no parameter record where the route needs one', async () => {
    const { token } = await gate.session('plane');
    await refuse({ token }, 403, 'params_required');
  });

  it('with a query hidden in the path', async () => {
    const { token } = await granted();
    for (const hidden of [
      '/control%3Fserver_params=x',
      '/control%253Fserver_params=x',
      '/control;server_params=x',
    ]) {
      await refuse({ token, path: hidden }, 400, 'path_invalid');
    }
    await refuse({ token, path: '/control&server_params=x' }, 404, 'route_unknown');
  });

  it('with an upgrade to something else', async () => {
    const { token } = await granted();
    await refuse(
      { token, upgrade: false, headers: [['Upgrade', 'foo'], ['Connection', 'Upgrade']] },
      400,
      'upgrade_invalid',
    );
  });

  it('with CONNECT', async () => {
    const { token } = await granted();
    const mark = gate.mark();
    const raw = await Raw.connect(gate.port('plane'));
    raw.send(
      `CONNECT localhost:${gate.port('plane')} HTTP/1.1\r\nHost: localhost:${gate.port('plane')}\r\n` +
        `Authorization: Bearer ${token}\r\n\r\n`,
    );
    assert.ok([400, 405].includes((await raw.response()).status));
    await raw.gone();
    const line = await gate.audited(mark, { event: 'denied' });
    assert.ok(['malformed_request', 'method_refused'].includes(line.reason), line.reason);
    assertUntouched();
  });

  it('with another method', async () => {
    const { token } = await granted();
    for (const method of ['POST', 'PUT', 'OPTIONS', 'DELETE']) {
      await refuse(
        { token, method, upgrade: false, headers: [['Content-Length', '0']] },
        405,
        'method_refused',
      );
    }
  });

  it('with a Host that is not this surface (DNS rebinding)', async () => {
    const { token } = await granted();
    for (const host of [
      `evil.example:${gate.port('plane')}`,
      'localhost',
      `localhost:${gate.port('other')}`,
      `localhost.evil.example:${gate.port('plane')}`,
      `127.0.0.2:${gate.port('plane')}`,
    ]) {
      await refuse({ token, host }, 403, 'host_mismatch');
    }
  });

  it('with a page of another origin', async () => {
    const { token } = await granted();
    await refuse({ token, headers: [['Origin', 'https://evil.example']] }, 403, 'origin_mismatch');
  });

  it('on a surface with names of its own, any other Host or Origin', async () => {
    const { token } = await gate.session('named', '--params', 'granted');
    const port = gate.port('named');
    const refuseNamed = async (host, origin, reason) => {
      const headers = origin ? [['Origin', origin]] : [];
      service.forget();
      await denied(gate, 'named', { path: '/control', token, host, headers }, 403, reason);
      assertUntouched();
    };
    await refuseNamed(`localhost:${port}`, undefined, 'host_mismatch');
    await refuseNamed('gate.example', undefined, 'host_mismatch');
    await refuseNamed(`gate.example.evil:${port}`, undefined, 'host_mismatch');
    await refuseNamed(`gate.example:${port}`, `http://gate.example:${port}`, 'origin_mismatch');
    await refuseNamed(`gate.example:${port}`, 'http://app.example', 'origin_mismatch');
    await refuseNamed(`gate.example:${port}`, 'https://app.example:444', 'origin_mismatch');
    await refuseNamed(`gate.example:${port}`, 'https://app.example.evil', 'origin_mismatch');
    for (const host of [`gate.example:${port}`, 'gate.example:1234']) {
      const { raw, response } = await request(gate, 'named', {
        path: '/control',
        token,
        host,
        headers: [['Origin', 'https://app.example']],
      });
      assert.equal(response.status, 101, response.body);
      raw.destroy();
    }
    await until(() => service.spawned.length === 2, 'the stored command, twice');
    service.spawned.length = 0;
  });

  it('on a path that is no route', async () => {
    const { token } = await granted();
    await refuse({ token, path: '/control//' }, 400, 'path_invalid');
    await refuse({ token, path: '/control/' }, 404, 'route_unknown');
    await refuse({ token, path: '/other' }, 404, 'route_unknown');
    await refuse({ token, path: '/Control' }, 404, 'route_unknown');
  });

  it('with a used, a foreign and an invented ticket', async () => {
    const { id } = await granted();
    const ticket = await gate.ticket(id);
    const client = await Client.open(gate, 'plane', '/control', { ticket });
    await until(() => service.spawned.length === 1, 'the stored command');
    assert.equal(client.socket.protocol, `sidelock.ticket.${ticket}`);
    assert.equal(JSON.stringify(service.last.request.headers).includes(ticket), false);
    await client.close();
    service.spawned.length = 0;
    service.forget();
    const offering = (value) => ({ headers: [['Sec-WebSocket-Protocol', `sidelock.ticket.${value}`]] });
    await refuse(offering(ticket), 401, 'ticket_invalid');
    await refuse(offering('AAAAAAAAAAAAAAAAAAAAAA'), 401, 'ticket_invalid');
    await refuse(offering('x'), 401, 'ticket_invalid');
    const foreign = await gate.session('other', '--params', 'granted');
    const foreignTicket = await gate.ticket(foreign.id);
    await refuse(offering(foreignTicket), 401, 'token_wrong_surface');
  });

  it('with two credentials at once', async () => {
    const { id, token } = await granted();
    const ticket = await gate.ticket(id);
    await refuse(
      { token, headers: [['Sec-WebSocket-Protocol', `sidelock.ticket.${ticket}`]] },
      401,
      'credential_ambiguous',
    );
  });

  it('and a request that is no upgrade gets no further', async () => {
    const { token } = await granted();
    await refuse({ token, upgrade: false }, 426, 'upgrade_required');
  });

  it('leaves no token in the audit log', async () => {
    const { token } = await granted();
    await denied(gate, 'plane', { path: `/nowhere?a=${token}`, token }, 401, 'token_in_query');
    const { readFileSync } = await import('node:fs');
    const text = readFileSync(gate.auditPath, 'utf8');
    assert.equal(text.includes(token), false);
    assert.equal(text.includes(token.split('.')[2]), false);
    assert.equal(text.includes(attackParams.slice(0, 40)), false);
  });

  it('refuses to store what may not run', async () => {
    for (const record of [
      { command: '/bin/sh', args: ['-c', 'true'] },
      { command: TOUCH, args: ['/etc/passwd'] },
      { command: 'touch', args: [grantedMarker] },
      { ...grantedRecord, env: { LD_PRELOAD: '/nowhere/hook.so' } },
    ]) {
      const { code, stderr } = await gate.cli('params', 'put', 'bad', '-', {
        input: JSON.stringify(record),
      });
      assert.notEqual(code, 0, JSON.stringify(record));
      assert.match(stderr, /\S/);
    }
    assert.notEqual((await gate.cli('params', 'show', 'bad')).code, 0);
  });

  it('while a second copy of the request in the same breath is not served either', async () => {
    const { token } = await granted();
    const port = gate.port('plane');
    service.forget();
    const text = requestText({ path: '/nowhere', host: `localhost:${port}`, token, upgrade: false });
    const raw = await Raw.connect(port);
    raw.send(text + requestText({ path: '/control', host: `localhost:${port}`, token }));
    assertProblem(await raw.response(), 404, 'route_unknown');
    await raw.gone();
    assert.equal(raw.pending.length, 0);
    assertUntouched();
    const { response } = await request(gate, 'plane', { path: '/control' });
    assert.equal(response.status, 401);
  });
});
