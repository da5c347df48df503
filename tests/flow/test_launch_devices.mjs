// What a launched service has to itself beside files: terminals, System V's objects and message queues; and that root's
// makes no control groups (tests/services/devices.py).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';

import { serviceFile } from './lib/programs.mjs';
import { PEOPLE, Tree } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const SCRIPT = readFileSync(serviceFile('devices.py'), 'utf8');
const NEIGHBOUR = 'import os, pty, sys; print(os.ttyname(pty.openpty()[1]), flush=True); sys.stdin.read()';
const OPENS = 'import ctypes; print(ctypes.CDLL(None).mq_open(b"/sidelock-queue", 0))';
// What a run without the fence leaves on the host would be in the way of the next.
const forget = () => {
  spawnSync('ipcrm', ['-M', '0x51de10c5']);
  spawnSync('python3', ['-c', 'import ctypes; ctypes.CDLL(None).mq_unlink(b"/sidelock-queue")']);
};

for (const who of PEOPLE) {
  it(`devices and queues are its own, launched by ${who.name}`, async (t) => {
    t.after(forget);
    const [program, ...args] = [...who.prefix, 'python3', '-c', NEIGHBOUR];
    const neighbour = spawn(program, args, { cwd: '/' });
    t.after(() => neighbour.kill('SIGKILL'));
    let terminal = '';
    neighbour.stdout.on('data', (chunk) => (terminal += chunk));
    await until(() => terminal.endsWith('\n'), 'a terminal');
    const tree = new Tree(['python3', '-c', SCRIPT, terminal.trim()], { who });
    await tree.said('reached: ');
    await tree.end();
    const { groups, ...reached } = JSON.parse(/^reached: (.*)$/m.exec(tree.stderr)[1]);
    assert.deepEqual(reached, { terminal: 'No such file or directory', 'own terminal': 'done', memory: 'done', queue: 'done' });
    if (who.uid === 0 && existsSync('/sys/fs/cgroup')) assert.deepEqual(groups, ['Read-only file system']);
    assert.equal(groups.includes('done'), false, groups.join());
    assert.doesNotMatch(readFileSync('/proc/sysvipc/shm', 'latin1'), new RegExp(`^ *${0x51de10c5} `, 'm'));
    const [asker, ...asked] = [...who.prefix, 'python3', '-c', OPENS];
    assert.equal(spawnSync(asker, asked, { encoding: 'utf8' }).stdout, '-1\n', 'no queue is left');
  });
}

// Each node, opened in both ways; what a program relies on; and a node made.
const NODES = `
import json, os, pty, sys
def told(action):
    try:
        action()
        return "done"
    except OSError as error:
        return os.strerror(error.errno)
def opened(path, flags):
    return told(lambda: os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)))
nodes = {path: [opened(path, flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)] for path in sys.argv[1:]}
usual = {name: opened("/dev/" + name, os.O_RDWR) for name in ("null", "zero", "full", "random", "urandom", "ptmx")}
usual["terminal"] = told(lambda: os.ttyname(pty.openpty()[1]))
usual["tty"] = opened("/dev/tty", os.O_RDWR)
made = told(lambda: os.mknod("/tmp/node", 0o020666, os.makedev(1, 3)))
print("nodes: " + json.dumps({"nodes": nodes, "usual": usual, "made": made}), file=sys.stderr)
`;
const USUAL = { null: 'done', zero: 'done', full: 'done', random: 'done', urandom: 'done', ptmx: 'done', terminal: 'done', tty: 'No such device or address' };
const isNode = (file) => statSync(file).isBlockDevice() || statSync(file).isCharacterDevice();

async function nodesOf(who, nodes, ...options) {
  const tree = new Tree(['python3', '-c', NODES, ...nodes], { who, options });
  await tree.said('nodes: ');
  await tree.end();
  return JSON.parse(/^nodes: (.*)$/m.exec(tree.stderr)[1]);
}

for (const who of PEOPLE)
  it(`devices are out of reach where writes are limited, but those that are named, launched by ${who.name}`, { skip: process.getuid() !== 0 && 'needs root to make nodes' }, async (t) => {
    const elsewhere = mkdtempSync('/var/lib/sidelock-nodes-');
    t.after(() => rmSync(elsewhere, { recursive: true }));
    const node = path.join(elsewhere, 'node'); // as /dev/zero, for everybody
    assert.equal(spawnSync('sh', ['-c', 'chmod 755 "$1" && mknod -m 666 "$1/node" c 1 5', 'sh', elsewhere]).status, 0);
    const host = readdirSync('/dev').map((name) => `/dev/${name}`).filter((file) => !(path.basename(file) in USUAL) && isNode(file));
    assert.ok(host.length > 0);
    const limited = await nodesOf(who, [node, ...host], '--write-nothing');
    for (const [file, results] of Object.entries(limited.nodes)) assert.deepEqual(new Set(results), new Set(['Permission denied']), `${file}: ${results}`);
    assert.deepEqual(limited.usual, USUAL);
    assert.equal(limited.made, 'Operation not permitted');
    const named = await nodesOf(who, [node], `--write=${elsewhere}`, '--write=/dev/full');
    assert.deepEqual([named.nodes[node], named.usual], [limited.nodes[node], USUAL], 'a place elsewhere holds none');
    const free = await nodesOf(who, [node]);
    assert.deepEqual(free.nodes[node], ['done', 'done', 'done']);
    const own = host.find((file) => /^\/dev\/(loop|zram|vd|sd|nvme)/.test(file));
    if (who.uid !== 0 || !own) return;
    const device = await nodesOf(who, [own], `--write=${own}`);
    assert.equal(device.nodes[own].includes('Permission denied'), false, `${own}: ${device.nodes[own]}`);
  });

// All that there are: whatever is below /proc and no process's.
it("switches of the kernel are out of root's reach", { skip: process.getuid() !== 0 && 'needs root' }, async () => {
  const tops = readdirSync('/proc').filter((name) => !/^\d/.test(name) && !lstatSync(`/proc/${name}`).isSymbolicLink());
  const below = (place) => {
    const facts = lstatSync(place, { throwIfNoEntry: false });
    if (facts?.isDirectory()) return readdirSync(place).flatMap((name) => below(`${place}/${name}`));
    return facts?.isFile() && (facts.mode & 0o222) !== 0 ? [place] : [];
  };
  const first = (files) => files.slice(0, 3); // of each top alone: no device is opened twice for nothing
  const files = tops.flatMap((name) => first(below(`/proc/${name}`))).concat('/proc/sys/kernel/core_pattern');
  assert.ok(files.some((file) => !file.startsWith('/proc/sys/')), files);
  const { nodes } = await nodesOf(PEOPLE[0], files);
  for (const [file, [, written]] of Object.entries(nodes)) assert.equal(written, 'Read-only file system', file);
});

// As in a container with a terminal: its name is /dev/console there.
const CONSOLE = `
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
script = 'mount --bind "$1" /dev/console && shift && exec "$@"'
sys.exit(subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", os.ttyname(theirs), *sys.argv[1:]]).returncode)
`;
const NAMED = 'import os, sys; facts = os.stat("/dev/console"); print("console:", os.major(facts.st_rdev), os.minor(facts.st_rdev), file=sys.stderr)';
for (const who of PEOPLE)
  it(`a console that is its operator's is none of its own, launched by ${who.name}`, { skip: (process.getuid() !== 0 || !existsSync('/dev/console')) && 'needs root, and a console' }, async () => {
    for (const options of [[], ['--write-nothing']]) {
      const tree = new Tree(['python3', '-c', NAMED], { who: { ...who, prefix: ['python3', '-c', CONSOLE, ...who.prefix] }, options });
      await tree.end();
      assert.equal(tree.stderr, 'console: 1 3\n');
    }
  });
