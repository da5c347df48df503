// What a launched service may use: processes and memory, of its whole tree. An ordinary user's tree is limited in its user
// namespace; all else takes a control group, which the test makes and delegates where this host lets it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { NOBODY, runAs } from './lib/as_uid.mjs';
import { Gate, SIDELOCK, scratchDir } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import { GATE_MS, launched, launcherOf, untilState } from './lib/launched.mjs';
import { serviceFile } from './lib/programs.mjs';
import { PEOPLE, Tree, freePort, get, staticService } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const MOST = 50; // processes of a tree
const MEMORY_MIB = 128;
const MEMORY = 1 << 12; // of system/fence_kind.h
const PROCESSES = 1 << 13;
const KEEPERS = 2; // threads of the keeper, which its user namespace counts as well
const GATE_LEAF = 'sidelock-gate'; // of system/cgroup.h

const COUNT = `import os, signal, resource, ctypes, sys
if sys.argv[1] == "apart": assert ctypes.CDLL(None).unshare(0x10000000) == 0
try: resource.setrlimit(resource.RLIMIT_NPROC, (4000, 4000)); print("raised", file=sys.stderr)
except (ValueError, OSError): pass
count = 0
try:
    while count < 1000:
        if os.fork() == 0: signal.pause()
        count += 1
except BlockingIOError: pass
print("forked", count, "of them", file=sys.stderr, flush=True)
signal.pause()`;

const descendants = (pid) => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return [...children, ...children.flatMap((child) => (existsSync(`/proc/${child}`) ? descendantsOrNone(child) : []))];
};
const descendantsOrNone = (pid) => {
  try {
    return descendants(pid);
  } catch {
    return []; // it has gone meanwhile
  }
};

for (const who of PEOPLE.filter(({ uid }) => uid !== 0)) {
  describe(`processes of a tree that ${who.name} launches`, () => {
    const options = [`--processes=${MOST}`];

    it('a fork bomb ends at its limit, others go on, and all of it ends at once', async () => {
      const bomb = new Tree(['bash', '-c', 'sleep 1000 & b() { b | b & }; b; wait'], { who, options });
      const started = await bomb.event((event) => event.event === 'started');
      assert.ok(started.held.split(', ').includes('processes'), started.held);
      await bomb.said('Resource temporarily unavailable');
      // The spawner and the keeper are among them; and some that come and go while they are counted.
      const counts = Array.from({ length: 20 }, () => descendantsOrNone(bomb.child.pid).length);
      assert.ok(Math.min(...counts) <= MOST + KEEPERS + 1, `${counts} processes`);
      const port = await freePort();
      const other = new Tree(staticService(port), { who, options });
      await other.port(port);
      assert.equal((await get(await other.expose(port))).status, 200);
      await other.kill();
      const ended = await bomb.kill();
      assert.equal(ended.signal, 9);
    });

    for (const [where, name] of [['here', 'of its own user namespace'], ['apart', 'of another one that it makes']])
      it(`as many as it may are all that it has, ${name}, and it cannot raise that`, async () => {
        const tree = new Tree(['python3', '-c', COUNT, where], { who, options });
        await tree.said('of them');
        const count = Number(/forked (\d+)/.exec(tree.stderr)[1]);
        assert.doesNotMatch(tree.stderr, /raised/);
        assert.ok(count < MOST && count > MOST / 2, `${count} besides itself`);
        await tree.kill();
      });

    it('one without a limit has more', async () => {
      const tree = new Tree(['python3', '-c', COUNT.replace('< 1000', '< 100'), 'here'], { who });
      await tree.said('forked 100 of them');
      await tree.kill();
    });
  });
}

describe('limits that nothing holds here', () => {
  it('are not said to be held, and keep one from running that requires them', async () => {
    for (const who of PEOPLE) {
      const tree = new Tree(staticService(await freePort()), { who, options: ['--memory=64', `--processes=${MOST}`] });
      const { held } = await tree.event((event) => event.event === 'started');
      assert.ok(!held.includes('memory'), held);
      assert.equal(held.includes('processes'), who.uid !== 0, held);
      await tree.kill();
      const required = new Tree(staticService(await freePort()), { who, options: ['--memory=64', `--require=${MEMORY | PROCESSES}`] });
      assert.match((await required.end()).why, /^closing the fences that are required: .* does not hold all that "require" names, nor does a control group/);
    }
  });

  it('a tree with limits finds no control group, in which it could begin a child without', async () => {
    const mounted = spawnSync('awk', ['$3 ~ /^cgroup2?$/ { print $2 }', '/proc/mounts'], { encoding: 'utf8' }).stdout.trim().split('\n').filter(Boolean);
    const script = 'for d; do ls -A "$d" 2>&1; done; echo "end of it"';
    for (const who of PEOPLE) {
      const tree = new Tree(['bash', '-c', script, 'bash', ...mounted], { who, options: [`--processes=${MOST}`] });
      await tree.said('end of it');
      assert.equal(tree.stderr, 'end of it\n');
      await tree.kill();
    }
  });

  it('control groups cannot be written, whoever launches it, one of his own neither', async () => {
    const mounted = spawnSync('awk', ['$3 ~ /^cgroup2?$/ { print $2 }', '/proc/mounts'], { encoding: 'utf8' }).stdout.trim().split('\n').filter(Boolean);
    const script = 'for d; do (echo 0 > "$d/cgroup.procs") 2>&1; mkdir "$d/of-a-service" 2>&1; done; echo "end of it"';
    const own = path.join(unified, `sidelock-own-${process.pid}`);
    const made = process.getuid() === 0 && unified !== '';
    if (made) mkdirSync(own);
    try {
      for (const who of PEOPLE) {
        if (made) for (const file of ['', 'cgroup.procs']) chownSync(path.join(own, file), who.uid, who.uid);
        const tree = new Tree(['bash', '-c', script, 'bash', ...mounted, ...(made ? [own] : [])], { who });
        await tree.said('end of it');
        const refused = tree.stderr.match(/(Read-only file system|Permission denied)/g) ?? [];
        assert.equal(refused.length, 2 * (mounted.length + (made ? 1 : 0)), tree.stderr);
        if (made) assert.equal(tree.stderr.match(new RegExp(`${path.basename(own)}.*Read-only file system`, 'g'))?.length, 2, tree.stderr);
      }
    } finally {
      if (made) removeGroup(own);
    }
  });
});

// ---- With a control group ----

const unified = spawnSync('awk', ['$3 == "cgroup2" { print $2; exit }', '/proc/mounts'], { encoding: 'utf8' }).stdout.trim();
const ours = path.join(unified, `sidelock-test-${process.pid}`);

// Why there can be none, or false; then it is there, and its children limit both.
function makeGroup() {
  if (process.getuid() !== 0) return 'needs root to make a control group';
  if (unified === '') return 'this host has no control groups of version 2';
  const there = readFileSync(path.join(unified, 'cgroup.controllers'), 'utf8').split(/\s/);
  for (const wanted of ['memory', 'pids']) if (!there.includes(wanted)) return `the controller ${wanted} is not of version 2 here`;
  try {
    writeFileSync(path.join(unified, 'cgroup.subtree_control'), '+memory +pids');
    mkdirSync(ours);
    writeFileSync(path.join(ours, 'cgroup.subtree_control'), '+memory +pids');
  } catch (error) {
    return `no control group can be made here: ${error.message}`;
  }
  return false;
}

const skip = makeGroup();

function removeGroup(group) {
  for (const entry of readdirSync(group, { withFileTypes: true })) if (entry.isDirectory()) removeGroup(path.join(group, entry.name));
  rmdirSync(group);
}

after(() => until(() => {
  try {
    if (existsSync(ours) && unified !== '') removeGroup(ours);
    return true;
  } catch {
    return false; // somebody is about to end
  }
}, `the end of ${ours}`));

let groups = 0;

// A gate of theirs in a control group of its own, which is delegated if `marked`.
class GateInGroup extends Gate {
  constructor(dir, config, who) {
    super(dir, config);
    this.who = who;
    this.group = path.join(ours, `${(groups += 1)}`);
    if (who.uid !== 0) for (const file of [dir, this.configPath]) chownSync(file, who.uid, who.uid);
  }

  async start({ marked = true } = {}) {
    if (!existsSync(this.group)) mkdirSync(this.group);
    if (marked) spawnSync('python3', ['-c', 'import os, sys; os.setxattr(sys.argv[1], "user.delegate", b"1")', this.group]);
    // One that has been used takes no process itself any more, as long as it limits what is below.
    const leaf = marked ? path.join(this.group, GATE_LEAF) : this.group;
    if (!existsSync(leaf)) mkdirSync(leaf);
    for (const place of [this.group, leaf])
      for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(path.join(place, file), this.who.uid, this.who.uid);
    const script = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    return this.launch({ command: 'bash', prefix: ['-c', script, leaf, ...this.who.prefix, path.join(this.dir, 'sidelock')] });
  }

  async cli(...args) {
    if (this.who.uid === 0) return super.cli(...args);
    return runAs(this.who.uid, path.join(this.dir, 'sidelock'), args, { env: { SIDELOCK_CONFIG: this.configPath, PATH: process.env.PATH } });
  }

  // The directories of trees, by name.
  trees() {
    return readdirSync(this.group).filter((name) => name.startsWith('tree-'));
  }
}

async function make(who, { limits, upstream, ...more } = {}) {
  const dir = scratchDir();
  const service = path.join(dir, 'service.py');
  copyFileSync(SIDELOCK, path.join(dir, 'sidelock'));
  copyFileSync(serviceFile('launched.py'), service);
  for (const file of [path.join(dir, 'sidelock'), service]) chmodSync(file, 0o755);
  const python = async (own) => launched(['/usr/bin/python3', service, await freePort()], { upstream: { executables: 'any', ...own } });
  const surfaces = { one: await python({ limits: { memory_mib: MEMORY_MIB, processes: MOST, ...limits }, ...upstream }), other: await python({}) };
  return keep(new GateInGroup(dir, { surfaces, ...more }, who));
}

async function look(gate, name, target) {
  const { token } = await gate.session(name);
  return (await ask(gate, name, target, { token, timeoutMs: 2 * GATE_MS })).json;
}

const heldBy = async (gate, name) => (await gate.doJson('status')).fences.find((row) => row.name === `service ${name}`);

for (const who of PEOPLE) {
  describe(`in a control group that is delegated to a gate of ${who.name}`, { skip }, () => {
    it('a service is held to both, which its status says, and others are not', async () => {
      const gate = await make(who, { upstream: { require: ['memory', 'processes'] } });
      await gate.start();
      const { pid } = await untilState(gate, 'one', 'ready');
      await untilState(gate, 'other', 'ready');
      const { held, missing } = await heldBy(gate, 'one');
      for (const fence of ['memory', 'processes']) assert.ok(held.includes(fence) && !missing.includes(fence), `${held}`);
      assert.ok(!(await heldBy(gate, 'other')).held.includes('memory'));
      assert.deepEqual(gate.trees().length, 1);
      const inside = readFileSync(`/proc/${descendants(pid)[0]}/cgroup`, 'utf8');
      assert.match(inside, new RegExp(`/${gate.trees()[0]}/service$`, 'm'));
      for (const own of [gate.pid, launcherOf(gate), pid]) assert.match(readFileSync(`/proc/${own}/cgroup`, 'utf8'), new RegExp(`/${GATE_LEAF}$`, 'm'));
      const register = await gate.do('register');
      assert.doesNotMatch(register, /advisory: [^;|]*(memory|processes)/);
    });

    it('more processes are refused, which the audit log says at once, and others go on', async () => {
      const gate = await make(who);
      await gate.start();
      await untilState(gate, 'one', 'ready');
      const count = await look(gate, 'one', '/fork?400');
      assert.ok(count < MOST && count > MOST / 2, `${count}`);
      const line = await gate.audited(0, { event: 'limit_reached', surface: 'one', reason: 'service_processes' });
      assert.ok(line.pid > 0);
      assert.match(gate.stderr, /surface one: its service was refused a process or thread/);
      assert.equal(await look(gate, 'other', '/fork?100'), 100);
      await look(gate, 'one', '/fork?400');
      await gate.do('restart', 'one');
      assert.equal(gate.auditLines().filter(({ event }) => event === 'limit_reached').length, 1, 'once a start');
    });

    it('who needs more memory is ended, all of it, which is said with why; it is started again, and others go on', async () => {
      const gate = await make(who);
      await gate.start();
      const before = await look(gate, 'other', '/facts');
      await look(gate, 'one', '/stay');
      await assert.rejects(async () => assert.ok(await look(gate, 'one', `/eat?${2 * MEMORY_MIB}`) > 0));
      await gate.audited(0, { event: 'limit_reached', surface: 'one', reason: 'service_memory' });
      await gate.audited(0, { event: 'service_ended', surface: 'one', signal: 9 });
      assert.match(gate.stderr, /surface one: its service needed more memory than it may use/);
      await untilState(gate, 'one', 'ready');
      await until(() => gate.trees().length === 1, () => `one group: ${gate.trees()}`);
      assert.equal(await look(gate, 'one', '/eat?16'), 16 << 20);
      assert.equal((await look(gate, 'other', '/facts')).pid, before.pid);
      assert.equal(await look(gate, 'other', `/eat?${2 * MEMORY_MIB}`), 2 * MEMORY_MIB * 2 ** 20);
    });

    it('it neither raises its limits nor leaves, in namespaces of its own either', async () => {
      const gate = await make(who);
      await gate.start();
      await untilState(gate, 'one', 'ready');
      const [tree] = gate.trees();
      for (const [file, text] of [
        [`${tree}/memory.max`, 'max'], [`${tree}/pids.max`, 'max'], [`${tree}/cgroup.procs`, '0'], ['cgroup.procs', '0'],
        [`${GATE_LEAF}/cgroup.procs`, '0'], [`${tree}/service/cgroup.procs`, '0'], ['cgroup.subtree_control', '-memory'],
      ]) assert.match(await look(gate, 'one', `/write?${path.join(gate.group, file)}=${text}`), /^Read-only file system$/, file);
      const found = await look(gate, 'one', '/groups');
      if (found.error) assert.match(found.error, /Operation not permitted/);
      else assert.deepEqual({ limits: found.limits, own: found.own }, { limits: [], own: 'Resource temporarily unavailable' });
      assert.equal(readFileSync(path.join(gate.group, tree, 'memory.max'), 'utf8').trim(), `${MEMORY_MIB * 2 ** 20}`);
    });

    it('what a gate that was killed left behind is removed by the next one', async () => {
      const gate = await make(who);
      await gate.start();
      await untilState(gate, 'one', 'ready');
      const [left] = gate.trees();
      gate.child.kill('SIGKILL');
      await gate.exited;
      await until(() => !readFileSync(path.join(gate.group, 'cgroup.events'), 'utf8').includes('populated 1'), 'its end');
      assert.deepEqual(gate.trees(), [left]);
      await gate.start();
      await untilState(gate, 'one', 'ready');
      assert.ok(!gate.trees().includes(left), `${gate.trees()}`);
      assert.equal(gate.trees().length, 1);
    });

    it('one that is not marked as delegated is left alone, and what is required then is a fault', async () => {
      const gate = await make(who);
      await gate.start({ marked: false });
      await untilState(gate, 'one', 'ready');
      assert.deepEqual(readdirSync(gate.group, { withFileTypes: true }).filter((entry) => entry.isDirectory()), []);
      const { missing } = await heldBy(gate, 'one');
      assert.ok(missing.includes('memory'));
      assert.match(await gate.do('register'), /of the service's fences these are advisory: memory/);
      const strict = await make(who, { upstream: { require: ['memory'] } });
      await assert.rejects(strict.start({ marked: false }), /\(78\)[^]*"memory" is required, and takes a control group/);
    });
  });
}
