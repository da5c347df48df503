// Services that the gate starts itself, where kernel, container or the service itself permit less (tests/flow/oldkernel.c):
// what still holds holds, what does not is called so, and what cannot be is refused with the remedy.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { NOBODY, cannotBecome, runAs } from './lib/as_uid.mjs';
import { Gate, SANITIZED, SIDELOCK, scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { assertHidden, get, launched, stateOf, untilState } from './lib/launched.mjs';
import { serviceFile } from './lib/programs.mjs';
import { freePort, openOutside } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const OLD_KERNEL = path.join(path.dirname(SIDELOCK), 'tests', 'sidelock_oldkernel');
const ROOT = process.getuid() === 0;

// Everything of it belongs to that user, and so do the commands.
class GateOf extends Gate {
  constructor(dir, config, uid) {
    super(dir, config);
    this.uid = uid;
    if (uid === process.getuid()) return;
    for (const file of [dir, this.configPath]) chownSync(file, uid, uid);
  }

  async cli(...args) {
    if (this.uid === process.getuid()) return super.cli(...args);
    return runAs(this.uid, path.join(this.dir, 'sidelock'), args, { env: { SIDELOCK_CONFIG: this.configPath, PATH: process.env.PATH } });
  }

  // On such a kernel.
  runAs(answers, ...args) {
    return runAs(this.uid, path.join(this.dir, 'oldkernel'), [answers, path.join(this.dir, 'sidelock'), ...args], { env: { SIDELOCK_CONFIG: this.configPath, PATH: process.env.PATH } });
  }

  // What `check` warns of there.
  async checkedAs(answers) {
    const run = await this.runAs(answers, 'check', '--json');
    return JSON.parse(run.stdout).warnings.map((warning) => warning.text ?? warning);
  }

  where(answers) {
    const [program, tool] = ['sidelock', 'oldkernel'].map((name) => path.join(this.dir, name));
    const become = ['setpriv', `--reuid=${this.uid}`, `--regid=${this.uid}`, '--clear-groups'];
    const [command, ...prefix] = [...(this.uid === process.getuid() ? [] : become), ...(answers ? [tool, answers] : []), program];
    return this.launch({ command, prefix });
  }
}

// A gate of that user's, with a service at `port`.
async function make(uid, { port, words = [], upstream } = {}) {
  const dir = scratchDir();
  const service = path.join(dir, 'service.py');
  copyFileSync(SIDELOCK, path.join(dir, 'sidelock'));
  copyFileSync(OLD_KERNEL, path.join(dir, 'oldkernel'));
  copyFileSync(serviceFile('launched.py'), service);
  for (const name of ['sidelock', 'oldkernel', 'service.py']) chmodSync(path.join(dir, name), 0o755);
  return keep(new GateOf(dir, { surfaces: { one: launched(['/usr/bin/python3', service, port ?? (await freePort()), ...words], { upstream }) } }, uid));
}

// `answers`: of which kernel; undefined: of this one. `words`: for the service.
async function start(uid, answers, ...words) {
  const port = await freePort();
  const gate = await make(uid, { port, words });
  await gate.where(answers);
  return { gate, port };
}

const NO_ALLOWLIST = 'this kernel lacks Landlock of version 2 (Linux 5.19), without which a mount of its own gets round this';

const isolationOf = async (gate) => (await gate.doJson('register')).rows[0].isolation_boundary;

async function assertServed({ gate, port }) {
  assert.equal((await get(gate, 'one')).status, 200);
  await assertHidden(gate, 'one', port);
  const isolation = await isolationOf(gate);
  assert.equal(isolation.evidence, 'proven');
  assert.match(isolation.value, /its TCP listeners are in a network namespace that only the gate reaches; .*the gate's own fences/);
  return isolation;
}

// It says why, and what to do, to whoever asks; nothing of it runs, and nothing is claimed to be proven.
async function assertRefused({ gate, port }, why) {
  const answer = await get(gate, 'one');
  assert.deepEqual([answer.status, answer.json.reason], [502, 'upstream_unreachable']);
  const state = await untilState(gate, 'one', 'waiting');
  assert.match(state.why, why);
  assert.deepEqual([state.pid, state.ports], [null, []]);
  assert.match(gate.stderr, new RegExp(`launcher: error: surface one: ${why.source}`));
  const isolation = await isolationOf(gate);
  assert.equal(isolation.evidence, 'claimed');
  assert.match(isolation.value, new RegExp(`; it is not served now: ${why.source}`));
  assert.equal(await openOutside(port), false);
}

const CANNOT = 'its service cannot be started: ';
const NAMESPACES = new RegExp(`${CANNOT}making the namespaces of the service: Operation not permitted; unprivileged user namespaces must be ` +
  "permitted \\(sysctl user.max_user_namespaces, AppArmor or the container's seccomp profile\\), or run as root, in a container with CAP_SYS_ADMIN");
const LISTENED = new RegExp(`${CANNOT}loading the filter of system calls: Device or resource busy; seccomp user notification is needed, and none ` +
  "in force already \\(another supervisor's\\)");

for (const { who, uid, skip } of [
  { who: 'root', uid: 0, skip: !ROOT && 'needs root' },
  { who: 'an ordinary user', uid: ROOT ? NOBODY : process.getuid(), skip: ROOT && cannotBecome() },
]) {
  describe(`a service that is launched by ${who}`, { skip }, () => {
    for (const [answers, advisory, executed, missing] of [
      ['5', 'broker: abstract_sockets; workers: abstract_sockets, signals', '', ['signals']],
      ['3', 'parent: tcp_connect; broker: tcp_bind, tcp_connect, abstract_sockets; workers: tcp_bind, ', '', ['tcp_bind', 'signals']],
      ['2', 'parent: truncate, tcp_connect; broker: truncate, tcp_bind, tcp_connect, abstract_sockets; workers: truncate, ', '', ['tcp_bind', 'signals']],
      ['0', 'parent: write, truncate, tcp_connect; broker: write, truncate, execute, tcp_bind, ', ` (advisory: ${NO_ALLOWLIST})`, ['execute', 'tcp_bind', 'signals']],
    ])
      // The tool traces for versions, and LeakSanitizer refuses to work in what is traced.
      it(`is hidden ${answers === '0' ? 'without Landlock' : `with Landlock of version ${answers}`}, and the gate's fences are called advisory`, { skip: SANITIZED && answers !== '0' && 'traced' }, async () => {
        const served = await start(uid, answers);
        const isolation = await assertServed(served);
        assert.equal(isolation.finding, true);
        assert.ok(isolation.value.includes(`of the gate's own fences these are advisory: ${advisory}`), isolation.value);
        const locks = missing.filter((fence) => ['tcp_bind', 'signals'].includes(fence)).join(', ');
        const unfenced = `these second locks are not there: ${locks}`;
        assert.ok(isolation.value.includes(` may execute nothing but itself${executed}; `), isolation.value);
        assert.ok(isolation.value.includes(`; ${unfenced}; `), isolation.value);
        const warned = (await served.gate.checkedAs(answers)).filter((text) => text.startsWith('The service of '));
        const execution = executed ? `what it may execute is advisory alone (${NO_ALLOWLIST}); ` : '';
        assert.deepEqual(warned, [`The service of "one": ${execution}${unfenced}.`]);
        const { fences } = await served.gate.doJson('status');
        const rows = ['starter', 'launcher'].map((name) => fences.find((row) => row.process === name));
        assert.deepEqual(rows.map((row) => [row.landlock, row.missing, row.unknown]), rows.map(() => [Number(answers), [], []]));
        const service = fences.find((row) => row.process === 'service one');
        assert.deepEqual([service.landlock, service.missing, service.unknown], [Number(answers), missing, []]);
        assert.ok(service.held.includes('abstract_sockets'), service.held);
        assert.equal(service.pid, (await stateOf(served.gate, 'one')).pid);
      });

    for (const [answers, require, why] of [
      ['3', ['abstract_sockets', 'signals'], '"signals" is required, and takes Landlock of version 6 (Linux 6.12); this kernel has version 3: run a newer one, or do not require it.'],
      ['0', ['calls', 'tcp_bind'], '"tcp_bind" is required, and takes Landlock of version 4 (Linux 6.7); this kernel has none, or hides it (lsm=landlock on its command line shows it): run a newer one, or do not require it.'],
      ['0', ['calls', 'execute'], `"execute" is required, and ${NO_ALLOWLIST}: run a newer one, or do not require it.`],
    ])
      it(`is not served where ${require[1]} is required and Landlock's version is ${answers}`, { skip: SANITIZED && answers !== '0' && 'traced' }, async () => {
        const gate = await make(uid, { upstream: { require } });
        const checked = await gate.runAs(answers, 'check', '--json');
        assert.equal(checked.code, 78);
        const faults = JSON.parse(checked.stdout).faults.map(({ pointer, text }) => [pointer, text]);
        assert.deepEqual(faults, [['/surfaces/one/upstream/require/1', why]]);
        const served = await gate.runAs(answers, 'serve');
        assert.deepEqual([served.code, served.stderr.includes(why)], [78, true], served.stderr);
      });

    // What a service would meet is tried, and said before anything is served, with what to do.
    for (const [answers, why] of [['no-userns', /No service can be started here: .*making the namespaces.*; /], ['container', /No service can be started here: .*Operation not permitted.*; /], ['listened', /No service can be started here: .*another supervisor.*; /]])
      it(`is a fault to check where it cannot be started: ${answers}`, async () => {
        const gate = await make(uid);
        const { code, stdout, stderr } = await gate.runAs(answers, 'check', '--json');
        const { faults } = JSON.parse(stdout);
        if (uid === 0 && answers === 'no-userns') return assert.deepEqual([code, faults], [0, []], stderr);
        assert.deepEqual([code, faults.map(({ pointer }) => pointer)], [78, ['/surfaces/one/upstream']]);
        assert.match(faults[0].text, why);
        assert.ok(faults[0].text.includes(`That was tried as uid ${uid}; `), faults[0].text);
        assert.equal((await gate.runAs(answers, 'check', '--elsewhere')).code, 0);
      });

    it('is checked by whoever checks, which is said where that may be another than will serve it', async () => {
      const gate = await make(uid);
      const { stdout } = await gate.cli('check', '--json');
      const said = JSON.parse(stdout).warnings.filter((text) => text.startsWith('Whether services can be started here was tried as root'));
      assert.equal(said.length, uid === 0 ? 1 : 0, stdout);
    });

    // From what `check` reads and `serve` starts; what of it this kernel lacks is what `check` warns of.
    it('is explained as it is checked', async () => {
      const gate = await make(uid, { upstream: { write: [], require: ['calls'], port: 4711 } });
      const said = await gate.runAs('0', 'explain', '--surface', 'one', '--json');
      assert.equal(said.code, 0, said.stderr);
      const { advisory, hidden, ...explained } = JSON.parse(said.stdout);
      const checked = JSON.parse((await gate.runAs('0', 'check', '--json')).stdout);
      assert.deepEqual(explained.executables, checked.executables.one);
      assert.ok(checked.warnings.includes(`The service of "one": ${advisory}.`), advisory);
      assert.deepEqual([explained.uid, explained.write, explained.port, explained.require, explained.lacking],
        [uid, [], 4711, ['calls'], ['execute', 'tcp_bind', 'signals']]);
      assert.deepEqual(explained.fences, ['privileges', 'calls', 'write', 'abstract_sockets']);
      assert.ok(hidden.some((place) => place.startsWith(gate.dir)), hidden);
      const text = (await gate.cli('explain', '--surface', 'one')).stdout;
      assert.match(text, /^program {7}.*python3\nas user {7}\d+\ndirectory {5}\/\nmay execute {3}.*\n/);
      assert.match(text, /^may write {5}nothing\n/m);
      const asked = await gate.cli('explain', '--surface', 'one', '--plain');
      assert.deepEqual([asked.code, /the PATH of the request is needed/.test(asked.stderr)], [64, true]);
    });

    it(`is ${uid === 0 ? 'hidden' : 'refused'} where nobody may make a user namespace`, async () => {
      const gate = await start(uid, 'no-userns');
      await (uid === 0 ? assertServed(gate) : assertRefused(gate, NAMESPACES));
    });

    it('is served and hidden though nobody may look into it', async () => {
      const served = await start(uid, undefined, 'undumpable');
      await assertServed(served);
      const second = await freePort();
      const { json } = await get(served.gate, 'one');
      assert.deepEqual([json.uid, json.dumpable], [uid, 0]);
      await get(served.gate, 'one', `/listen?${second}`);
      await until(async () => (await stateOf(served.gate, 'one')).ports.includes(`${second}/tcp`), 'the second port in the status');
      assert.equal(await openOutside(second), false);
    });

    it('is served and hidden though it has become another user', { skip: uid !== 0 && 'only root can' }, async () => {
      const served = await start(uid, undefined, `drop=${NOBODY}`);
      await assertServed(served);
      const { json } = await get(served.gate, 'one');
      assert.equal(json.uid, NOBODY);
      assert.notEqual(json.dumpable, 1);
    });

    it('is refused where a container permits no namespace', async () => {
      await assertRefused(await start(uid, 'container'), NAMESPACES);
    });

    it('is refused where another filter asks a supervisor', async () => {
      await assertRefused(await start(uid, 'listened'), LISTENED);
    });
  });
}
