// What a session grants, to whom and until when; and the kill switch.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { NOBODY, cannotBecome, requestAs } from './lib/as_uid.mjs';
import { Client } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';
import { Raw, assertProblem, denied, open, request, requestText } from './lib/raw.mjs';
import { pause, until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'echo.sock'));
let gate;

before(async () => {
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      echo: opaqueSurface(service.socketPath),
      other: opaqueSurface(service.socketPath),
      mine: opaqueSurface(service.socketPath, { callers: { uids: ['self'] } }),
      theirs: opaqueSurface(service.socketPath, { callers: { uids: [NOBODY] } }),
      recorded: opaqueSurface(service.socketPath, {
        route: { query: { inject: { params: { from: '', encoding: 'json' } } } },
      }),
    },
  });
});

after(async () => {
  await stopAll(gate, service);
});

beforeEach(() => service.forget());

async function live(surface, token) {
  const client = await Client.open(gate, surface, '/ws', { token });
  client.send('hello');
  assert.equal(await client.next(), 'hello');
  return client;
}

// Runs a command that must cut connections: how each was closed. How soon is tests/bench's question.
async function cut(clients, ...command) {
  await gate.do(...command);
  return Promise.all(clients.map((client) => client.end()));
}

describe('revocation', () => {
  it('cuts the live socket with 1008', async () => {
    for (let i = 0; i < 9; i++) {
      const { id, token } = await gate.session('echo');
      const client = await live('echo', token);
      const mark = gate.mark();
      const [end] = await cut([client], 'session', 'revoke', id);
      assert.deepEqual(end, { code: 1008, reason: 'session_revoked' });
      await gate.audited(mark, { event: 'closed', reason: 'session_revoked', session: id });
      await denied(gate, 'echo', { token }, 401, 'session_revoked');
    }
    await until(() => service.peers.every((peer) => peer.ended), 'the links to end');
  });

  it('cuts every socket of the session and no other', async () => {
    const doomed = await gate.session('echo');
    const spared = await gate.session('echo');
    const clients = await Promise.all(Array.from({ length: 10 }, () => live('echo', doomed.token)));
    const bystander = await live('echo', spared.token);
    for (const { code } of await cut(clients, 'session', 'revoke', doomed.id)) {
      assert.equal(code, 1008);
    }
    bystander.send('unharmed');
    assert.equal(await bystander.next(), 'unharmed');
    await bystander.close();
  });

  it('cuts a socket in the middle of a message, and one that does not read', async () => {
    const { id, token } = await gate.session('echo');
    const half = await open(gate, 'echo', { token });
    half.sendFrame({ payload: 'unfinished', fin: false });
    const deaf = await open(gate, 'echo', { token });
    await until(() => service.peers.length === 2, 'both links');
    deaf.socket.pause();
    const flood = setInterval(() => service.last.send(Buffer.alloc(65536, 'x'), 2), 1);
    await gate.revoke(id);
    assert.equal((await half.closeFrame()).code, 1008);
    await until(() => service.peers.every((peer) => peer.ended), 'both links to end', 15_000);
    clearInterval(flood);
    await gate.untilIdle('echo');
    half.destroy();
    deaf.destroy();
  });

  it('reaches a connection that still waits for the service', async () => {
    service.behave({ request: () => {} });
    const { id, token } = await gate.session('echo');
    const port = gate.port('echo');
    const raw = await Raw.connect(port);
    raw.send(requestText({ host: `localhost:${port}`, token }));
    await until(() => service.peers.length === 1, 'the request at the service');
    await gate.revoke(id);
    assertProblem(await raw.response(), 401, 'session_revoked');
    await until(() => service.last.ended, 'the link to end');
    service.behave();
    raw.destroy();
  });

  it('of all sessions of a surface leaves other surfaces alone', async () => {
    const here = await Promise.all([gate.session('echo'), gate.session('echo')]);
    const there = await gate.session('other');
    const clients = await Promise.all(here.map(({ token }) => live('echo', token)));
    const bystander = await live('other', there.token);
    for (const { code } of await cut(clients, 'session', 'revoke', '--all', '--surface', 'echo')) {
      assert.equal(code, 1008);
    }
    for (const { token } of here) await denied(gate, 'echo', { token }, 401, 'session_revoked');
    bystander.send('unharmed');
    assert.equal(await bystander.next(), 'unharmed');
    await bystander.close();
  });

  it('of all sessions there are cuts them all, and ends no worker', async () => {
    const workers = gate.workers();
    const clients = [];
    for (const surface of ['echo', 'other']) clients.push(await live(surface, (await gate.session(surface)).token));
    for (const { code } of await cut(clients, 'session', 'revoke', '--all')) assert.equal(code, 1008);
    const { token } = await gate.session('echo');
    await (await live('echo', token)).close();
    assert.deepEqual(gate.workers(), workers);
  });

  it('makes tickets of the session worthless', async () => {
    const { id } = await gate.session('echo');
    const ticket = await gate.ticket(id);
    await gate.revoke(id);
    await denied(
      gate,
      'echo',
      { headers: [['Sec-WebSocket-Protocol', `sidelock.ticket.${ticket}`]] },
      401,
      'session_revoked',
    );
    assert.notEqual((await gate.cli('session', 'ticket', id)).code, 0);
  });

  it('of a session that does not exist says so', async () => {
    const { code, stderr } = await gate.cli('session', 'revoke', '0'.repeat(32));
    assert.equal(code, 65);
    assert.match(stderr, /\S/);
  });

  it('by a token in a query cuts the sockets of its session', async () => {
    const { token } = await gate.session('echo');
    const client = await live('echo', token);
    await denied(gate, 'echo', { path: `/ws?token=${token}` }, 401, 'token_in_query');
    const { code, reason } = await client.end();
    assert.deepEqual({ code, reason }, { code: 1008, reason: 'session_revoked' });
  });

  it('by a token in the query of a request that is refused for another reason, too', async () => {
    const { id, token } = await gate.session('echo');
    const client = await live('echo', token);
    const path = `/ws?token=${token}`;
    const headers = [['Transfer-Encoding', 'chunked']];
    const { line } = await denied(gate, 'echo', { path, headers }, 411, 'length_required');
    assert.equal(line.session, id);
    const { code, reason } = await client.end();
    assert.deepEqual({ code, reason }, { code: 1008, reason: 'session_revoked' });
  });
});

describe('expiry', () => {
  it('closes the live socket with 1008 and admits nobody after it', async () => {
    const { id, token } = await gate.session('echo', '--ttl', '4s');
    const client = await live('echo', token);
    const mark = gate.mark();
    const { code, reason } = await client.end();
    assert.deepEqual({ code, reason }, { code: 1008, reason: 'session_expired' });
    await gate.audited(mark, { event: 'closed', reason: 'session_expired', session: id });
    await denied(gate, 'echo', { token }, 401, 'token_expired');
  });

  it('that a renewal brings nearer is kept to the second', async () => {
    const { id, token } = await gate.session('echo');
    const client = await live('echo', token);
    await pause(300); // it is at rest
    await gate.do('session', 'renew', id, '--ttl', '1s');
    const since = Date.now();
    assert.deepEqual(await client.end(), { code: 1008, reason: 'session_expired' });
    const ms = Date.now() - since;
    assert.ok(ms < 2000, `after ${ms} ms`);
  });

  it('is what was asked for', async () => {
    const { token } = await gate.session('echo', '--ttl', '90m');
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    assert.equal(exp - iat, 90 * 60);
    assert.notEqual((await gate.cli('session', 'create', 'echo', '--ttl', '0s')).code, 0);
    assert.notEqual((await gate.cli('session', 'create', 'echo', '--ttl', '400d')).code, 0);
    assert.notEqual((await gate.cli('session', 'create', 'echo', '--ttl', 'soon')).code, 0);
  });
});

describe('--once', () => {
  it('admits one connection and no second, even while the first lives', async () => {
    const { token } = await gate.session('echo', '--once');
    const client = await live('echo', token);
    await denied(gate, 'echo', { token }, 401, 'session_used');
    client.send('first come');
    assert.equal(await client.next(), 'first come');
    await client.close();
    await denied(gate, 'echo', { token }, 401, 'session_used');
  });

  it('admits exactly one of many that race', async () => {
    for (let round = 0; round < 5; round++) {
      const { token } = await gate.session('echo', '--once');
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => request(gate, 'echo', { token })),
      );
      const statuses = answers.map(({ response }) => response.status).sort();
      assert.deepEqual(statuses, [101, ...Array(11).fill(401)]);
      for (const { raw } of answers) raw.destroy();
    }
  });

  it('a ticket admits exactly one of many that race', async () => {
    const { id } = await gate.session('echo');
    const ticket = await gate.ticket(id);
    const headers = [['Sec-WebSocket-Protocol', `sidelock.ticket.${ticket}`]];
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => request(gate, 'echo', { headers })),
    );
    const statuses = answers.map(({ response }) => response.status).sort();
    assert.deepEqual(statuses, [101, ...Array(11).fill(401)]);
    for (const { raw } of answers) raw.destroy();
  });
});

describe('the parameter record', () => {
  it('is what the service gets; changed or gone, its sessions end', async () => {
    await gate.putParams('record', { value: 'stored & "quoted" + ü' });
    const { token, digest } = await gate.session('recorded', '--params', 'record');
    assert.match(digest, /^[0-9a-f]{64}$/);
    const client = await Client.open(gate, 'recorded', '/ws?params=mine&x=y', { token });
    const { searchParams } = new URL(service.last.request.target, 'http://x');
    assert.deepEqual([...searchParams.keys()], ['params']);
    assert.deepEqual(JSON.parse(searchParams.get('params')), { value: 'stored & "quoted" + ü' });
    await gate.putParams('record', { value: 'changed' });
    const { code, reason } = await client.end();
    assert.deepEqual({ code, reason }, { code: 1008, reason: 'params_changed' });
    await denied(gate, 'recorded', { token }, 401, 'params_changed');
  });

  it('put again with the same meaning changes nothing', async () => {
    await gate.do('params', 'put', 'same', '-', { input: '{"a":1,"b":[2,3]}' });
    const { token } = await gate.session('recorded', '--params', 'same');
    await gate.do('params', 'put', 'same', '-', { input: '{ "b" : [2, 3],\n "a" : 1 }' });
    const client = await Client.open(gate, 'recorded', '/ws', { token });
    await client.close();
  });

  it('is not shown unless asked for', async () => {
    await gate.putParams('hidden', { env: { API_KEY: 'very-secret-value' } });
    assert.equal((await gate.do('params', 'show', 'hidden')).includes('very-secret-value'), false);
    assert.equal((await gate.do('params', 'list')).includes('very-secret-value'), false);
    assert.match(await gate.do('params', 'show', 'hidden', '--reveal'), /very-secret-value/);
    const { readdirSync, readFileSync } = await import('node:fs');
    for (const name of readdirSync(gate.stateDir, { withFileTypes: true })) {
      if (!name.isFile()) continue;
      const bytes = readFileSync(path.join(gate.stateDir, name.name));
      assert.equal(bytes.includes('very-secret-value'), false, `sealed in ${name.name}`);
    }
  });

  it('that does not exist makes no session', async () => {
    assert.notEqual((await gate.cli('session', 'create', 'echo', '--params', 'nope')).code, 0);
    assert.notEqual((await gate.cli('session', 'create', 'nope')).code, 0);
  });
});

describe('callers', () => {
  const skip = cannotBecome();

  it('a session for another uid is not for us', async () => {
    const { token } = await gate.session('echo', '--caller', `uid=${NOBODY}`);
    await denied(gate, 'echo', { token }, 403, 'caller_mismatch');
    assert.equal(service.connectionCount, 0);
  });

  it('a session for our uid is', async () => {
    const { token } = await gate.session('echo', '--caller', `uid=${process.getuid()}`);
    await (await live('echo', token)).close();
    assert.equal(service.connectionCount, 1);
  });

  it('a surface for another uid is not for us, token or not', async () => {
    const { token } = await gate.session('theirs');
    await denied(gate, 'theirs', { token }, 403, 'caller_mismatch');
    assert.equal(service.connectionCount, 0);
  });

  it('a surface for ourselves is', async () => {
    const { token } = await gate.session('mine');
    await (await live('mine', token)).close();
  });

  const as = (uid, surface, token) => {
    const port = gate.port(surface);
    return requestAs(uid, port, requestText({ host: `localhost:${port}`, token }));
  };

  it('another uid with a stolen token is refused', { skip }, async () => {
    const { token } = await gate.session('mine');
    const mark = gate.mark();
    assert.equal((await as(NOBODY, 'mine', token)).status, 403);
    const line = await gate.audited(mark, { event: 'denied', reason: 'caller_mismatch' });
    assert.equal(line.uid ?? line.caller_uid, NOBODY);
    const bound = await gate.session('echo', '--caller', `uid=${process.getuid()}`);
    assert.equal((await as(NOBODY, 'echo', bound.token)).status, 403);
    assert.equal(service.connectionCount, 0);
  });

  it('another uid that is named is admitted', { skip }, async () => {
    const { token } = await gate.session('theirs');
    assert.equal((await as(NOBODY, 'theirs', token)).status, 101);
    const named = await gate.session('echo', '--caller', `uid=${NOBODY}`);
    assert.equal((await as(NOBODY, 'echo', named.token)).status, 101);
  });
});

describe('the kill switch', () => {
  it('cuts live sockets and answers 503 until armed', async () => {
    for (let i = 0; i < 5; i++) {
      const { token } = await gate.session('echo');
      const clients = await Promise.all([live('echo', token), live('echo', token)]);
      const mark = gate.mark();
      for (const end of await cut(clients, 'kill', 'echo'))
        assert.deepEqual(end, { code: 1008, reason: 'surface_killed' });
      await gate.audited(mark, { event: 'closed', reason: 'surface_killed' });
      service.forget();
      await denied(gate, 'echo', { token }, 503, 'surface_killed');
      await denied(gate, 'echo', {}, 503, 'surface_killed');
      assert.equal(service.connectionCount, 0);
      await gate.do('arm', 'echo');
      await denied(gate, 'echo', { token }, 401, 'session_revoked');
      await (await live('echo', (await gate.session('echo')).token)).close();
    }
  });

  it('of one surface leaves the others alone; of all, none', async () => {
    const echo = await gate.session('echo');
    const other = await gate.session('other');
    const bystander = await live('other', other.token);
    await gate.do('kill', 'echo');
    await denied(gate, 'echo', { token: echo.token }, 503, 'surface_killed');
    bystander.send('unharmed');
    assert.equal(await bystander.next(), 'unharmed');
    await gate.do('kill', '--all');
    assert.equal((await bystander.end()).code, 1008);
    await denied(gate, 'other', { token: other.token }, 503, 'surface_killed');
    await gate.do('arm', '--all');
    for (const [name, { token }] of [['echo', echo], ['other', other]]) {
      await denied(gate, name, { token }, 401, 'session_revoked');
      await (await live(name, (await gate.session(name)).token)).close();
    }
  });

  it('survives a restart, and so do the sessions of others', async () => {
    const echo = await gate.session('echo');
    const other = await gate.session('other');
    const revoked = await gate.session('other');
    await gate.do('kill', 'echo');
    await gate.revoke(revoked.id);
    await gate.stop();
    await gate.launch();
    await denied(gate, 'echo', { token: echo.token }, 503, 'surface_killed');
    await denied(gate, 'other', { token: revoked.token }, 401, 'session_revoked');
    await (await live('other', other.token)).close();
    await gate.do('arm', 'echo');
    await gate.stop();
    await gate.launch();
    await denied(gate, 'echo', { token: echo.token }, 401, 'session_revoked');
    await (await live('echo', (await gate.session('echo')).token)).close();
  });

  it('of a surface that does not exist says so', async () => {
    const { code, stderr } = await gate.cli('kill', 'nope');
    assert.equal(code, 65);
    assert.match(stderr, /nope/);
  });
});

describe('the control socket', () => {
  it('lists sessions without their tokens', async () => {
    const { id, token } = await gate.session('echo');
    const text = await gate.do('session', 'list', '--json');
    assert.ok(text.includes(id));
    assert.equal(text.includes(token), false);
    assert.equal(text.includes(token.split('.')[2]), false);
  });

  it('prints the token alone', async () => {
    const text = await gate.do('session', 'create', 'echo');
    assert.match(text, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\n$/);
  });

  it('when nothing runs, the exit code is 69', async () => {
    const { code, stderr } = await new Gate(scratchDir(), { surfaces: gate.config.surfaces }).cli('status');
    assert.equal(code, 69);
    assert.match(stderr, /\S/);
  });
});
