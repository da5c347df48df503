// No process of the gate's outlives the one that started it, however that ends.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { opaqueSurface } from './lib/gate.mjs';
import { GATE_MS, alive, launched, launcherOf, startLaunched, starterOf, treeOf, untilState } from './lib/launched.mjs';
import { serviceFile } from './lib/programs.mjs';
import { freePort } from './lib/tree.mjs';
import { until, within } from './lib/wait.mjs';

// Every kind of process there is: broker, workers, starter, launcher, its spawner, a keeper, a service, a looker.
async function start() {
  const noted = opaqueSurface('/nowhere/socket', { callers: { uids: ['self'], note_executable: true } });
  const surfaces = { one: launched(['python3', serviceFile('launched.py'), await freePort()]), noted };
  const gate = await startLaunched(surfaces, { echoes: true, workers: 2 });
  await untilState(gate, 'one', 'ready');
  const looker = await until(
    async () => (await gate.doJson('status')).fences.find((row) => row.process === 'looker')?.pid, 'a looker');
  return { gate, looker, starter: starterOf(gate), launcher: launcherOf(gate), tree: treeOf(gate.pid) };
}

const gone = (pids, of) => until(() => alive(pids).length === 0, () => `what ${of} leaves behind to end: ${alive(pids)}`, GATE_MS);

describe('processes of the gate', () => {
  it('end with the parent, killed', async () => {
    const { gate, looker, starter, launcher, tree } = await start();
    const named = [gate.broker, ...gate.workers(), starter, launcher, looker];
    assert.equal(new Set(named).size, 6);
    assert.deepEqual(named.filter((pid) => !tree.includes(pid)), []);
    assert.ok(tree.length > named.length + 2, 'there is a tree of a service');
    await gate.crash();
    await gone(tree, 'the parent');
  });

  it('end with the broker, killed', async () => {
    const { gate, tree } = await start();
    process.kill(gate.broker, 'SIGKILL');
    assert.deepEqual(await within(gate.exited, 'the end'), { code: 70, signal: null });
    gate.child = undefined;
    await gone(tree, 'the broker');
  });

  it('end with a broker that a lockdown ends; the next one has a looker of its own', async () => {
    const { gate, looker, tree } = await start();
    const { broker } = gate;
    process.kill(gate.pid, 'SIGUSR2');
    await gone(tree.filter((pid) => pid !== gate.pid && pid !== starterOf(gate)), 'the broker');
    await until(async () => {
      const { code, stdout } = await gate.cli('status', '--json');
      const row = code === 0 && JSON.parse(stdout).fences.find(({ process: name }) => name === 'looker');
      return row && row.pid !== looker;
    }, 'the next looker');
    assert.notEqual(gate.broker, broker);
    rmSync(path.join(gate.stateDir, 'lockdown'));
  });

  it('end with what starts the launcher, killed, and nothing else does', async () => {
    const { gate, starter, tree } = await start();
    const below = treeOf(starter);
    process.kill(starter, 'SIGKILL');
    await gone(below, 'the starter');
    assert.deepEqual(alive(tree).sort(), [gate.pid, gate.broker, ...gate.workers()].sort());
    assert.match(gate.stderr, /what starts the looker has ended/);
  });

  it('end with the launcher, killed: a looker is none of what that left', async () => {
    const { gate, looker, launcher } = await start();
    const below = treeOf(launcher);
    process.kill(launcher, 'SIGKILL');
    await gone(below, 'the launcher');
    await untilState(gate, 'one', 'ready');
    assert.notEqual(launcherOf(gate), launcher);
    assert.deepEqual(alive([looker]), [looker]);
  });
});
