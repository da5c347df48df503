// What `status`, `check`, the log and the register say of the gate's own fences is what the kernel
// does: on this one, and on those that know less of Landlock (tests/flow/oldkernel.c).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Gate, SANITIZED, SIDELOCK, opaqueSurface, scratchDir } from './lib/gate.mjs';
import { LANDLOCK } from './lib/landlock.mjs';
import { until } from './lib/wait.mjs';

const TOOLS = path.join(path.dirname(SIDELOCK), 'tests');
// The tool traces whom it answers with a version, and LeakSanitizer does not work in who is traced.
const traced = (version) => SANITIZED && version > 0 && 'traced, and so not to be looked through for leaks';
const OLD_KERNEL = path.join(TOOLS, 'sidelock_oldkernel');

// landlock(7): which version came with what.
const SINCE = {
  read: 1,
  write: 1,
  truncate: 3,
  execute: 1,
  tcp_bind: 4,
  tcp_connect: 4,
  abstract_sockets: 6,
  signals: 6,
};
const PROMISED = {
  parent: ['write', 'truncate', 'tcp_connect'],
  broker: ['write', 'truncate', 'execute', 'tcp_bind', 'tcp_connect', 'abstract_sockets'],
  worker: Object.keys(SINCE).filter((fence) => !SANITIZED || fence !== 'read'), // its runtime's reports
};
// What there is on this kernel, and each version before it that took something away.
const VERSIONS = [0, 1, 2, 3, 5, 6].filter((version) => version <= LANDLOCK);

function newGate(t, workers = 1) {
  const dir = scratchDir();
  const gate = new Gate(dir, { surfaces: { echo: opaqueSurface(path.join(dir, 'echo.sock')) }, workers });
  t.after(() => gate.child?.kill('SIGKILL'));
  return gate;
}

function kindOf(row) {
  return row.process.replace(/ .*/, '');
}

function lacking(kind, version) {
  return PROMISED[kind].filter((fence) => SINCE[fence] > version);
}

// What the kernel says of the process itself, to us.
function kernelSays(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const line = (name) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1];
  return {
    privileges: line('NoNewPrivs') === '1',
    calls: line('Seccomp') === '2',
    capabilities: /^0+$/.test(line('CapPrm')),
    filters: Number(line('Seccomp_filters') ?? 0),
  };
}

function check(rows, gate, version) {
  const pids = [gate.pid, gate.broker, ...gate.workers()];
  assert.deepEqual(rows.map((row) => row.pid).sort(), [...pids].sort());
  for (const row of rows) {
    const kind = kindOf(row);
    const { filters, ...shown } = kernelSays(row.pid);
    const held = Object.keys(shown).filter((fence) => shown[fence]);
    held.push('dumps', ...PROMISED[kind].filter((fence) => SINCE[fence] <= version));
    assert.equal(row.landlock, version, row.process);
    assert.equal(row.seccomp_filters, filters, row.process);
    assert.deepEqual([...row.held].sort(), held.sort(), row.process);
    assert.deepEqual(row.missing, lacking(kind, version), row.process);
    assert.deepEqual(row.unknown, [], row.process);
  }
}

describe('the fences of the gate itself', () => {
  it('are what the kernel says of each process, again after a worker was replaced', async (t) => {
    const gate = newGate(t, 2);
    await gate.launch();
    let rows = (await gate.doJson('status')).fences;
    assert.deepEqual(rows.map((row) => row.process), ['parent', 'broker', 'worker 0', 'worker 1']);
    check(rows, gate, LANDLOCK);
    for (const row of rows.slice(1)) {
      assert.ok(row.held.includes('calls') && row.held.includes('privileges'), row.process);
    }
    for (const row of rows.slice(2)) assert.ok(row.held.includes('capabilities'), row.process);
    const [before] = gate.workers();
    process.kill(before, 'SIGKILL');
    rows = await until(async () => {
      const now = (await gate.doJson('status')).fences;
      return now.length === 4 && now.every((row) => row.pid !== before) && now;
    }, 'the next worker to say what it found');
    check(rows, gate, LANDLOCK);
    await gate.stop();
  });

  for (const version of VERSIONS) {
    it(`on a kernel with ${version === 0 ? 'no Landlock' : `Landlock of version ${version}`}`, { skip: traced(version) }, async (t) => {
      const gate = newGate(t);
      const kernel = version === 0 ? 'has no Landlock, or hides it' : `has Landlock of version ${version}`;
      await gate.launch({ command: OLD_KERNEL, prefix: [String(version), SIDELOCK] });
      check((await gate.doJson('status')).fences, gate, version);

      const { warnings } = JSON.parse(execFileSync(OLD_KERNEL, [
        String(version), SIDELOCK, 'check', '-c', gate.configPath, '--json',
      ]));
      const wanted = [['the parent', 'parent'], ['the broker', 'broker'], ['a worker', 'worker']]
        .filter(([, kind]) => lacking(kind, version).length > 0)
        .map(([whose, kind]) => `This kernel ${kernel}: advisory alone are, of ${whose}: ${lacking(kind, version).join(', ')}`);
      assert.deepEqual(warnings.filter((text) => text.startsWith('This kernel')), wanted);

      const [row] = (await gate.doJson('register')).rows;
      const isolation = row.isolation_boundary;
      const advisory = [['parent', 'parent'], ['broker', 'broker'], ['workers', 'worker']]
        .filter(([, kind]) => lacking(kind, version).length > 0)
        .map(([whose, kind]) => `${whose}: ${lacking(kind, version).join(', ')}`);
      assert.ok(isolation.value.endsWith(advisory.length > 0
        ? `; of the gate's own fences these are advisory: ${advisory.join('; ')}`
        : "; the gate's own fences are in force"), isolation.value);
      assert.equal(isolation.finding, advisory.length > 0);

      const { stdout } = await gate.cli('status');
      const text = advisory.length > 0 ? lacking('broker', version).join(', ') : 'none';
      assert.match(stdout, new RegExp(`^broker +\\d+ +${version} +${text} +none  `, 'm'));
      await gate.stop();
      for (const kind of ['parent', 'broker']) {
        const named = lacking(kind, version).join(', ');
        const line = `${kind}: warning: this kernel ${kernel}: advisory alone are, of the ${kind}: ${named}\n`;
        assert.equal(gate.stderr.includes(line), named !== '', `${line}in ${gate.stderr}`);
      }
    });
  }
});

describe('a worker whose system calls are not filtered yet', () => {
  for (const version of VERSIONS) {
    it(`is refused what Landlock of version ${version} refuses, and nothing else`, { skip: traced(version) }, async (t) => {
      const gate = newGate(t);
      const program = path.join(gate.dir, 'sidelock-escape-behind');
      copyFileSync(path.join(TOOLS, 'sidelock_escape'), program);
      writeFileSync(`${program}.beside`, 'kept');
      writeFileSync(`${program}.beside.removed`, '');
      await gate.launch({ command: OLD_KERNEL, prefix: [String(version), program] });
      const heard = () => [...gate.stderr.matchAll(/worker 0: behind: (\w+): (.*)\n/g)];
      await until(() => heard().some(([, what]) => what === 'signal'), 'the last attempt');
      const said = Object.fromEntries(heard().map(([, what, how]) => [what, how]));
      const by = (fence, error) =>
        SINCE[fence] <= version && PROMISED.worker.includes(fence) ? error : 'done';
      assert.deepEqual(said, {
        read: by('read', 'EACCES'),
        list: by('read', 'EACCES'),
        write: by('write', 'EACCES'),
        make: by('write', 'EACCES'),
        link: by('write', 'EACCES'),
        remove: by('write', 'EACCES'),
        truncate: by('truncate', 'EACCES'),
        execute: by('execute', 'EACCES'),
        bind: by('tcp_bind', 'EACCES'),
        dial: by('tcp_connect', 'EACCES'),
        abstract: by('abstract_sockets', 'EPERM'),
        signal: by('signals', 'EPERM'),
      });
      assert.equal(existsSync(`${program}.beside.made`), version === 0);
      assert.equal(existsSync(`${program}.beside.removed`), version > 0);
      assert.equal(statSync(`${program}.beside`).size, version >= SINCE.truncate ? 4 : 0);
      await gate.stop();
    });
  }
});
