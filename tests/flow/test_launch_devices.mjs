// What a launched service has to itself beside files: terminals, System V's objects and message queues; and that root's
// makes no control groups (tests/services/devices.py).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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
