// What the disk and large files cost is nobody else's to pay: whoever asks for a change of the store
// waits for it, alone; and a database that comes back from a backup revives nobody.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, copyFileSync, ftruncateSync, openSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { control } from './lib/control.mjs';
import { Gate, cpuSeconds, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';
import { request } from './lib/raw.mjs';
import { pause, until, within } from './lib/wait.mjs';

const LARGE_BYTES = 500_000_000; // no hole is ever written to the disk, but all of it is hashed
const ADMISSIONS = 4;

const dir = scratchDir();
const service = await new WebSocketService(path.join(dir, 'echo.sock')).start();
const surfaces = { echo: opaqueSurface(service.socketPath) };
const gates = [];

after(() => stopAll(...gates, service));

async function startGate(more = {}) {
  const gate = await Gate.start(scratchDir(), { surfaces, ...more });
  gates.push(gate);
  return gate;
}

// Nobody else can write to the database until the returned function is called.
async function occupyDatabase(gate) {
  const program =
    'import sqlite3, sys\n' +
    'database = sqlite3.connect(sys.argv[1], isolation_level=None)\n' +
    'database.execute("BEGIN IMMEDIATE")\n' +
    'print("occupied", flush=True)\n' +
    'sys.stdin.read()\n';
  const child = spawn('python3', ['-c', program, path.join(gate.stateDir, 'sidelock.db')]);
  const ended = new Promise((resolve) => {
    child.on('close', resolve);
  });
  await within(new Promise((resolve) => child.stdout.once('data', resolve)), 'the database');
  return async () => {
    child.stdin.end();
    await within(ended, 'the database to be free');
  };
}

// A file of zeros, and its digest.
function largeFile(file) {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, LARGE_BYTES);
  closeSync(fd);
  chmodSync(file, 0o755);
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(1_000_000);
  for (let i = 0; i < LARGE_BYTES; i += zeros.length) hash.update(zeros);
  return hash.digest('hex');
}

describe('a large executable that is pinned', () => {
  it('finding 3: a revocation does not wait until it is hashed for everybody', async () => {
    const large = path.join(scratchDir(), 'large');
    const sha256 = largeFile(large);
    const gate = await startGate({ executables: [{ path: large, sha256 }] });
    await gate.putParams('large', { command: large });
    const { token } = await gate.session('echo', '--params', 'large');
    const { id } = await gate.session('echo');
    const before = cpuSeconds(gate.broker);
    utimesSync(large, 1, 1); // it could be another one by now
    const admissions = Array.from({ length: ADMISSIONS }, async () => {
      const { raw, response } = await request(gate, 'echo', { token, timeoutMs: 60_000 });
      raw.destroy();
      return response.status;
    });
    await until(() => cpuSeconds(gate.broker) > before + 0.05, 'somebody to hash');
    const { status } = await control(gate, 'DELETE', `/v1/sessions/${id}`);
    assert.equal(status, 200);
    const earlier = gate.auditLines().filter(({ event }) => event === 'admitted');
    assert.equal(earlier.length, 0, 'admissions that came first');
    assert.deepEqual(await Promise.all(admissions), Array(ADMISSIONS).fill(101));
  });
});

describe('an end', () => {
  it('that waits for the disk heeds no hangup', async () => {
    const gate = await startGate();
    const release = await occupyDatabase(gate);
    const created = control(gate, 'POST', '/v1/sessions', { surface: 'echo' });
    created.catch(() => {});
    assert.equal((await control(gate, 'GET', '/v1/surfaces')).status, 200); // that came later
    process.kill(gate.pid, 'SIGTERM');
    await until(() => gate.workers().length === 0, 'the workers to end');
    // One of them comes while the store is waited for.
    for (let i = 0; i < 20; i++) {
      process.kill(gate.pid, 'SIGHUP');
      await pause(5);
    }
    await release();
    await gate.stop();
  });
});

describe('lists', () => {
  it('finding 3: come in pages, which the command line follows', async () => {
    const gate = await startGate();
    const made = new Set();
    for (let i = 0; i < 250; i++) {
      const { status, json } = await control(gate, 'POST', '/v1/sessions', { surface: 'echo' });
      assert.equal(status, 201);
      made.add(json.id);
    }
    const first = await control(gate, 'GET', '/v1/sessions');
    assert.equal(first.json.sessions.length, 100);
    const seen = new Set();
    let pages = 0;
    for (let next = ''; next !== null; pages++) {
      const { status, json } = await control(
        gate,
        'GET',
        `/v1/sessions?limit=60${next && `&after=${next}`}`,
      );
      assert.equal(status, 200);
      assert.ok(json.sessions.length <= 60);
      for (const session of json.sessions) {
        assert.ok(!seen.has(session.id), 'a session is on one page');
        seen.add(session.id);
      }
      next = json.next;
    }
    assert.equal(pages, 5);
    assert.deepEqual(seen, made);
    const { sessions } = await gate.doJson('session', 'list');
    assert.deepEqual(new Set(sessions.map(({ id }) => id)), made);
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=-1', 'after=x', 'after=1.x', 'limit=1&limit=2']) {
      assert.equal((await control(gate, 'GET', `/v1/sessions?${query}`)).status, 400, query);
    }
    for (let i = 0; i < 5; i++) await gate.putParams(`record-${i}`, { i });
    const page = await control(gate, 'GET', '/v1/params?limit=2&after=record-1');
    assert.deepEqual(page.json.params.map(({ name }) => name), ['record-2', 'record-3']);
    assert.equal(page.json.next, 'record-3');
    const { params } = await gate.doJson('params', 'list');
    assert.equal(params.length, 5);
  });
});

describe('a disk that takes its time', () => {
  it('finding 3: a revocation is in force at once, and nobody else waits for it', async () => {
    const gate = await startGate();
    const revoked = await gate.session('echo');
    const other = await gate.session('echo');
    const client = await Client.open(gate, 'echo', '/ws', { token: revoked.token });
    const happened = [];
    const free = await occupyDatabase(gate);
    const revocation = control(gate, 'DELETE', `/v1/sessions/${revoked.id}`).then(({ status }) => {
      happened.push('told');
      return status;
    });
    const end = await client.end();
    happened.push('cut');
    assert.equal(end.code, 1008);
    const again = await request(gate, 'echo', { token: revoked.token });
    happened.push('refused');
    assert.equal(again.response.status, 401);
    assert.equal(again.response.json.reason, 'session_revoked');
    const admitted = await Client.open(gate, 'echo', '/ws', { token: other.token });
    happened.push('admitted');
    await free();
    assert.equal(await revocation, 200);
    assert.deepEqual(happened, ['cut', 'refused', 'admitted', 'told']);
    await admitted.close();
  });

  it('finding 3: so is the kill switch', async () => {
    const gate = await startGate();
    const { token } = await gate.session('echo');
    const client = await Client.open(gate, 'echo', '/ws', { token });
    const happened = [];
    const free = await occupyDatabase(gate);
    const kill = control(gate, 'POST', '/v1/surfaces/echo/kill').then(({ status }) => {
      happened.push('told');
      return status;
    });
    await client.end();
    happened.push('cut');
    const { raw, response } = await request(gate, 'echo', { token });
    happened.push('refused');
    raw.destroy();
    assert.equal(response.status, 503);
    await free();
    assert.equal(await kill, 200);
    assert.deepEqual(happened, ['cut', 'refused', 'told']);
    // Killed, armed and killed in one go: the last word counts.
    const words = ['arm', 'kill', 'arm', 'kill'].map((word) =>
      control(gate, 'POST', `/v1/surfaces/echo/${word}`),
    );
    await Promise.all(words);
    assert.equal((await gate.doJson('status')).surfaces[0].killed, true);
  });

  it('finding 3: a single-use session is used once, and waits alone', async () => {
    const gate = await startGate();
    const once = await gate.session('echo', '--once');
    const other = await gate.session('echo');
    const happened = [];
    const free = await occupyDatabase(gate);
    const first = request(gate, 'echo', { token: once.token }).then(({ raw, response }) => {
      happened.push('used');
      raw.destroy();
      return response.status;
    });
    const second = await Client.open(gate, 'echo', '/ws', { token: other.token });
    happened.push('another');
    await free();
    assert.equal(await first, 101);
    assert.deepEqual(happened, ['another', 'used']);
    const { response } = await request(gate, 'echo', { token: once.token });
    assert.equal(response.json.reason, 'session_used');
    await second.close();
  });

  it('finding 3: what it never takes stays revoked all the same, and whoever asked is told', async () => {
    const gate = await startGate();
    const { id, token } = await gate.session('echo');
    const free = await occupyDatabase(gate);
    const { status, json } = await control(gate, 'DELETE', `/v1/sessions/${id}`);
    assert.equal(status, 500);
    assert.match(json.detail, /could not keep that the session is revoked/);
    await free();
    const { raw, response } = await request(gate, 'echo', { token });
    raw.destroy();
    assert.equal(response.status, 401);
    assert.equal(response.json.reason, 'session_revoked');
    assert.equal((await gate.doJson('session', 'show', id)).state, 'revoked');
    // Once the disk takes it again, so does the store.
    assert.equal((await control(gate, 'DELETE', `/v1/sessions/${id}`)).status, 200);
  });

  it('finding 3: a shutdown waits for what was asked for', async () => {
    const gate = await startGate();
    const { id } = await gate.session('echo');
    const free = await occupyDatabase(gate);
    const revocation = control(gate, 'DELETE', `/v1/sessions/${id}`);
    await until(async () => (await gate.doJson('session', 'show', id)).state === 'revoked', 'the revocation');
    const stopped = gate.stop();
    await free();
    assert.equal((await revocation).status, 200);
    await stopped;
    await gate.launch();
    assert.equal((await gate.doJson('session', 'show', id)).state, 'revoked');
  });
});

describe('a database from a backup', () => {
  const database = (gate) => path.join(gate.stateDir, 'sidelock.db');

  async function backUp(gate, file) {
    await gate.stop();
    copyFileSync(database(gate), file);
    await gate.launch();
  }

  async function restore(gate, file) {
    await gate.stop();
    copyFileSync(file, database(gate));
    for (const suffix of ['-wal', '-shm']) rmSync(database(gate) + suffix, { force: true });
    const mark = gate.mark();
    await gate.launch();
    return mark;
  }

  it('finding 20: revives no session that was revoked since', async () => {
    const gate = await startGate();
    const backup = path.join(scratchDir(), 'backup.db');
    const revoked = await gate.session('echo');
    const untouched = await gate.session('echo');
    await backUp(gate, backup);
    await gate.do('session', 'revoke', revoked.id);
    const mark = await restore(gate, backup);
    for (const { token } of [revoked, untouched]) {
      const { raw, response } = await request(gate, 'echo', { token });
      raw.destroy();
      assert.equal(response.status, 401, 'dead by default');
      assert.equal(response.json.reason, 'store_restored');
    }
    const line = await gate.audited(mark, { event: 'store_restored' });
    const status = await gate.doJson('status');
    assert.equal(status.store.generation, line.generation);
    assert.match(status.store.restored_at, /^2/);
    assert.match(await gate.do('status'), /restored from a backup/);
    assert.match(gate.stderr, /restored from a backup/);
    assert.equal((await gate.doJson('session', 'show', untouched.id)).state, 'restored');
    assert.equal(status.sessions.active, 0);
    assert.equal((await gate.cli('session', 'renew', untouched.id)).code, 65);

    // What is made from now on is good, after a restart as well.
    const fresh = await gate.session('echo');
    await gate.stop();
    await gate.launch();
    const client = await Client.open(gate, 'echo', '/ws', { token: fresh.token });
    await client.close();
    assert.doesNotMatch(gate.stderr, /restored from a backup/);
  });

  it('finding 20: nor arms a surface that was killed since', async () => {
    const gate = await startGate();
    const backup = path.join(scratchDir(), 'backup.db');
    await backUp(gate, backup);
    await gate.do('kill', 'echo');
    await restore(gate, backup);
    assert.equal((await gate.doJson('status')).surfaces[0].killed, true);
  });

  it('a crash is no restoration', async () => {
    const gate = await startGate();
    const revoked = await gate.session('echo');
    const { token } = await gate.session('echo');
    await gate.do('session', 'revoke', revoked.id);
    await gate.crash();
    await gate.launch();
    const client = await Client.open(gate, 'echo', '/ws', { token });
    await client.close();
    assert.equal((await gate.doJson('status')).store.restored_at, null);
    assert.match(readFileSync(path.join(gate.stateDir, 'generation'), 'utf8'), /^[0-9a-f]{32} \d+\n$/);
  });
});
