// Nothing that was acknowledged is lost when the broker is killed at any
// moment; a worker that dies is replaced; SIGTERM drains.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SANITIZED, opaqueSurface, scratchDir } from './lib/gate.mjs';
import { request } from './lib/raw.mjs';
import { pause, until } from './lib/wait.mjs';

const ROUNDS = 50;

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'echo.sock'));

before(() => service.start());
after(() => service.stop());

function config(more = {}) {
  return { surfaces: { echo: opaqueSurface(service.socketPath) }, ...more };
}

function refusesConnections(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}

// A small generator with a seed, so that a failure can be run again.
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('kill -9 of the broker', () => {
  it(`${ROUNDS} times while sessions are made and revoked: nothing acknowledged is lost`, async (t) => {
    const seed = Number(process.env.FLOW_SEED ?? Date.now() % 2 ** 31);
    t.diagnostic(`FLOW_SEED=${seed}`);
    const next = random(seed);
    const gate = await Gate.start(scratchDir(), config());
    const made = new Map(); // id -> token, acknowledged
    const revoked = new Set(); // ids, acknowledged
    const asked = new Set(); // ids whose revocation was asked for, answered or not
    let interrupted = 0;
    let acknowledged = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const crashed = { now: false };
      const operate = async () => {
        while (!crashed.now) {
          const candidates = [...made.keys()].filter((id) => !asked.has(id));
          if (candidates.length > 3 && next() < 0.5) {
            const id = candidates[Math.floor(next() * candidates.length)];
            asked.add(id);
            const { code } = await gate.cli('session', 'revoke', id);
            if (code === 0) revoked.add(id);
            acknowledged += code === 0;
            interrupted += code !== 0;
          } else {
            const { code, stdout } = await gate.cli('session', 'create', 'echo', '--json');
            if (code === 0) {
              const { id, token } = JSON.parse(stdout);
              made.set(id, token);
            }
            acknowledged += code === 0;
            interrupted += code !== 0;
          }
        }
      };
      const operators = [operate(), operate(), operate()];
      const enough = acknowledged + 1 + Math.floor(next() * 4);
      await until(() => acknowledged >= enough, 'a few commands to be done');
      crashed.now = true;
      await gate.crash();
      await Promise.all(operators);
      await gate.launch();
    }
    assert.ok(acknowledged > ROUNDS, `${acknowledged} operations were acknowledged`);
    assert.ok(interrupted > 0, 'some operation was interrupted');
    t.diagnostic(`${acknowledged} acknowledged, ${interrupted} interrupted`);

    const listed = new Map((await gate.doJson('session', 'list')).sessions.map((row) => [row.id, row]));
    for (const [id, token] of made) {
      assert.ok(listed.has(id), `session ${id} was acknowledged and is gone`);
      const { raw, response } = await request(gate, 'echo', { token });
      raw.destroy();
      if (revoked.has(id)) {
        assert.equal(response.status, 401, `session ${id} was revoked and lives`);
        assert.equal(response.json.reason, 'session_revoked');
      } else if (!asked.has(id)) {
        assert.equal(response.status, 101, `session ${id} was acknowledged: ${response.body}`);
      }
    }
    await gate.stop();
  });

  it('ends the workers and the live sockets with it', async () => {
    const gate = await Gate.start(scratchDir(), config({ workers: 2 }));
    const { token } = await gate.session('echo');
    const port = gate.port('echo');
    const client = await Client.open(gate, 'echo', '/ws', { token });
    const workers = gate.workers();
    assert.equal(workers.length, 2);
    await gate.crash();
    await client.end();
    assert.equal(await refusesConnections(port), true);
    await gate.launch();
    const again = await Client.open(gate, 'echo', '/ws', { token });
    again.send('back');
    assert.equal(await again.next(), 'back');
    await again.close();
    await gate.stop();
  });

  it('in the middle of a parameter record leaves the old or the new one', async () => {
    const gate = await Gate.start(scratchDir(), config());
    const next = random(7);
    const big = (n) => ({ n, filler: String(n % 10).repeat(30_000) });
    await gate.putParams('record', big(0));
    let sure = 0;
    for (let n = 1; n <= 8; n++) {
      const put = gate.cli('params', 'put', 'record', '-', { input: JSON.stringify(big(n)) });
      await pause(next() * (SANITIZED ? 300 : 30));
      await gate.crash();
      const { code } = await put;
      await gate.launch();
      const { record } = await gate.doJson('params', 'show', 'record', '--reveal');
      assert.ok(record.n === n || (code !== 0 && record.n === sure), `round ${n}: ${record.n}`);
      assert.deepEqual(record, big(record.n));
      sure = record.n;
    }
    await gate.stop();
  });
});

describe('kill -9 of a worker', () => {
  it('it is replaced, and the audit log says so', async () => {
    const gate = await Gate.start(scratchDir(), config());
    const { token } = await gate.session('echo');
    for (let i = 0; i < 3; i++) {
      const client = await Client.open(gate, 'echo', '/ws', { token });
      const mark = gate.mark();
      const [pid] = gate.workers();
      process.kill(pid, 'SIGKILL');
      await client.end();
      const line = await gate.audited(mark, { event: 'worker_exited' });
      assert.equal(line.signal, 9);
      await until(() => gate.workers().some((one) => one !== pid), 'another worker');
      const again = await until(
        () => Client.open(gate, 'echo', '/ws', { token }).catch(() => undefined),
        'service by the new worker',
      );
      again.send('back');
      assert.equal(await again.next(), 'back');
      await again.close();
      await gate.untilIdle('echo');
    }
    await gate.stop();
  });

  it('what was decided while it was away holds for the new one', async () => {
    const gate = await Gate.start(scratchDir(), config());
    const { token } = await gate.session('echo');
    await gate.do('kill', 'echo');
    const [pid] = gate.workers();
    process.kill(pid, 'SIGKILL');
    await until(() => gate.workers().some((one) => one !== pid), 'another worker');
    const { raw, response } = await request(gate, 'echo', { token });
    raw.destroy();
    assert.equal(response.status, 503);
    assert.equal(response.json.reason, 'surface_killed');
    await gate.stop();
  });
});

describe('SIGTERM', () => {
  it('closes clients with 1001, the listener with them, and exits 0', async () => {
    const gate = await Gate.start(scratchDir(), config());
    const { token } = await gate.session('echo');
    const port = gate.port('echo');
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => Client.open(gate, 'echo', '/ws', { token })),
    );
    const links = service.peers.slice(-10);
    const mark = gate.mark();
    await gate.stop();
    for (const client of clients) {
      const { code, reason } = await client.end();
      assert.deepEqual({ code, reason }, { code: 1001, reason: 'shutting_down' });
    }
    assert.equal(await refusesConnections(port), true);
    await until(() => links.every((peer) => peer.ended), 'the links to end');
    await gate.audited(mark, { event: 'closed', reason: 'shutting_down' });
    assert.equal(existsSync(gate.controlSocket), false);
  });

  it('twice: the end is the same, whenever the second comes', async () => {
    for (let i = 0; i < 12; i++) {
      const gate = await Gate.start(scratchDir(), config());
      gate.child.kill('SIGTERM');
      await pause(4 * i);
      await gate.stop(); // with another
      assert.equal(gate.auditLines().at(-1).event, 'stopped');
    }
  });

  it('does not wait for ever for a client that does not answer', async () => {
    const gate = await Gate.start(scratchDir(), config());
    const { token } = await gate.session('echo');
    const { open } = await import('./lib/raw.mjs');
    const deaf = await open(gate, 'echo', { token });
    deaf.socket.pause();
    await gate.stop();
    deaf.destroy();
  });

  it('without any connection', async () => {
    const gate = await Gate.start(scratchDir(), config({ workers: 3 }));
    assert.equal(gate.workers().length, 3);
    await gate.stop();
  });
});

describe('the audit log', () => {
  it('goes on in a new file after SIGHUP, its chain unbroken', async () => {
    const { renameSync } = await import('node:fs');
    const { run } = await import('./lib/gate.mjs');
    const gate = await Gate.start(scratchDir(), config());
    await gate.session('echo');
    const rotated = `${gate.auditPath}.1`;
    renameSync(gate.auditPath, rotated);
    process.kill(gate.pid, 'SIGHUP');
    await until(() => existsSync(gate.auditPath), 'the new file');
    const { id } = await gate.session('echo');
    await gate.audited(0, { session: id });
    await gate.stop();
    const old = await run(['audit', 'verify', rotated], { env: { SIDELOCK_CONFIG: gate.configPath } });
    assert.equal(old.code, 0, old.stderr);
  });

  it('does not verify once a line was changed', async () => {
    const { readFileSync, writeFileSync } = await import('node:fs');
    const gate = await Gate.start(scratchDir(), config());
    await gate.session('echo');
    await gate.session('echo');
    await gate.stop();
    const lines = readFileSync(gate.auditPath, 'utf8').split('\n');
    const changed = [...lines];
    changed[1] = changed[1].replace(/"time":"2/, '"time":"3');
    assert.notEqual(changed[1], lines[1]);
    writeFileSync(gate.auditPath, changed.join('\n'));
    assert.equal((await gate.cli('audit', 'verify')).code, 1);
    writeFileSync(gate.auditPath, lines.filter((_, i) => i !== 1).join('\n'));
    assert.equal((await gate.cli('audit', 'verify')).code, 2, 'removed');
  });
});
