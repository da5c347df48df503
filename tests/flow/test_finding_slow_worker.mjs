// A worker that stands still for a while is not ended for it: what it is to be told waits, and
// is in force as soon as it goes on.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, opaqueSurface, run, scratchDir, stopAll } from './lib/gate.mjs';
import { until } from './lib/wait.mjs';

const FILE_BYTES = 20_000; // nearly as much as a file of a surface may have
const SURFACES = 60;
const RELOADS = 5; // 18 MB for the worker, if all of it waited
const ENOUGH_MS = 4000; // and no more where they take long, for the broker's patience is 10 s

const dir = scratchDir();
const certs = path.join(dir, 'certs');
const service = new WebSocketService(path.join(dir, 'service.sock'));
let gate;

// A file of `certs init`, made as long as it may be.
function padded(name) {
  const text = readFileSync(path.join(certs, name), 'utf8');
  const file = path.join(dir, name);
  const line = `${'#'.repeat(79)}\n`;
  writeFileSync(file, line.repeat((FILE_BYTES - text.length) / line.length) + text, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}

before(async () => {
  await service.start();
  mkdirSync(certs, { mode: 0o700 });
  gate = new Gate(dir, { surfaces: { plain: opaqueSurface(service.socketPath) } });
  const { code, stderr } = await run(['certs', 'init', '--dir', certs], {
    env: { SIDELOCK_CONFIG: gate.configPath },
  });
  assert.equal(code, 0, stderr);
  const tls = {
    certificate: padded('server.pem'),
    key: padded('server.key'),
    client_ca: padded('ca.pem'),
  };
  const surfaces = { plain: opaqueSurface(service.socketPath) };
  for (let i = 0; i < SURFACES; i++) surfaces[`tls${i}`] = opaqueSurface(service.socketPath, { tls });
  gate.configure({ surfaces });
  await gate.launch();
});
after(() => stopAll(gate, service));

it('finding 2: a worker that takes nothing for a while is told all the same what is in force', async () => {
  const kept = await gate.session('plain');
  const revoked = await gate.session('plain');
  const one = await Client.open(gate, 'plain', '/ws', { token: kept.token });
  const other = await Client.open(gate, 'plain', '/ws', { token: revoked.token });
  const [worker] = gate.workers();

  process.kill(worker, 'SIGSTOP');
  try {
    const stopped = performance.now();
    for (let i = 0; i === 0 || (i < RELOADS && performance.now() - stopped < ENOUGH_MS); i++) await gate.do('reload');
    await gate.revoke(revoked.id);
    assert.deepEqual(gate.workers(), [worker], 'a slow worker is not ended');
  } finally {
    if (gate.workers().includes(worker)) process.kill(worker, 'SIGCONT');
  }

  assert.deepEqual(await other.end(), { code: 1008, reason: 'session_revoked' });
  one.send('still there');
  assert.equal(await one.next(), 'still there');
  assert.deepEqual(gate.workers(), [worker]);
  await one.close();
});

it('one that takes nothing for long is ended, and another takes its place', async () => {
  const mark = gate.mark();
  const [worker] = gate.workers();
  process.kill(worker, 'SIGSTOP');
  await gate.do('reload');
  await gate.audited(mark, { event: 'worker_exited', signal: 9 }, 30_000);
  const { token } = await gate.session('plain');
  const client = await until(
    () => Client.open(gate, 'plain', '/ws', { token }).catch(() => undefined),
    'a new worker',
  );
  await client.close();
});
