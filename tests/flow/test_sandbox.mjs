// A worker that tries to break out of its sandbox is killed by the kernel, and
// the audit log says so. The program is tests/flow/escape.c.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Gate, SANITIZED, SIDELOCK, brokerOf, opaqueSurface, scratchDir, workersOf } from './lib/gate.mjs';
import { until } from './lib/wait.mjs';

const SIGSYS = 31;
// What the sanitizers' runtime may do itself, so that it can look for leaks.
const RUNTIME_MAY = ['open', 'ptrace', 'fork'];

// Runs a program at a terminal of its own, passes on what it shows there, and ends it when nothing
// more is to be read from standard input.
const AT_A_TERMINAL = `
import os, pty, select, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
heard = [0] if 'UNREAD' in os.environ else [0, terminal]
while True:
    ready, _, _ = select.select(heard, [], [])
    if 0 in ready and not os.read(0, 4096):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        break
    if terminal in ready:
        try:
            os.write(1, os.read(terminal, 4096))
        except OSError:
            break
`;

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function program(attempt) {
  const copy = path.join(scratchDir(), `sidelock-escape-${attempt}`);
  copyFileSync(path.join(path.dirname(SIDELOCK), 'tests', 'sidelock_escape'), copy);
  return copy;
}

function newGate() {
  const dir = scratchDir();
  return new Gate(dir, { surfaces: { echo: opaqueSurface(path.join(dir, 'echo.sock')) } });
}

function linkOf(pid, fd) {
  return readlinkSync(`/proc/${pid}/fd/${fd}`);
}

// A process that is not dumpable shows its descriptors to root alone.
const notRoot = process.getuid() !== 0 && 'needs root to look at a worker';

describe('what a worker shares with the operator', () => {
  it('finding 16: no descriptor, no terminal, no directory, no environment', { skip: notRoot }, async () => {
    const gate = newGate();
    await gate.launch();
    const [worker] = gate.workers();
    const [stdin, stdout, stderr] = [0, 1, 2].map((fd) => linkOf(worker, fd));
    assert.notEqual(stderr, linkOf(gate.pid, 2), 'the worker holds the standard error of the broker');
    assert.match(stderr, /^pipe:/);
    assert.equal(stdin, '/dev/null');
    assert.equal(stdout, '/dev/null');
    const stat = readFileSync(`/proc/${worker}/stat`, 'utf8');
    const [, , , session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
    assert.equal(session, worker, 'a session of its own');
    assert.equal(terminal, 0);
    assert.equal(readlinkSync(`/proc/${worker}/cwd`), '/');
    assert.equal(readFileSync(`/proc/${worker}/environ`, 'utf8'), '');
    assert.match(readFileSync(`/proc/${worker}/status`, 'utf8'), /^Umask:\t0077$/m);
    await gate.stop();
  });

  it('finding 16: a worker cannot read or write the terminal that the gate was started at', { skip: notRoot }, async () => {
    const gate = newGate();
    const shown = [];
    const child = spawn('python3', ['-c', AT_A_TERMINAL, SIDELOCK, 'serve', '-c', gate.configPath]);
    try {
      child.stdout.on('data', (chunk) => shown.push(chunk));
      await until(() => Buffer.concat(shown).includes('listens on'), 'the gate at a terminal');
      const [parent] = childrenOf(child.pid);
      const workers = await until(() => workersOf(parent).length > 0 && workersOf(parent), 'a worker');
      assert.match(linkOf(parent, 0), /^\/dev\/pts\//, 'the gate itself is at a terminal');
      assert.equal(linkOf(brokerOf(parent), 0), '/dev/null', 'the broker only writes to it');
      for (const fd of readdirSync(`/proc/${workers[0]}/fd`)) {
        assert.doesNotMatch(linkOf(workers[0], fd), /^\/dev\/(pts|tty)/, `descriptor ${fd} is a terminal`);
      }
    } finally {
      child.stdin.end(); // and it ends what it started
      await new Promise((resolve) => child.once('close', resolve));
    }
  });

  it('what it writes is cleaned, and bounded, and does not keep it from serving', async () => {
    const gate = newGate();
    await gate.launch({ command: program('chatter') });
    await until(() => /writes more than is read|lines are lost/.test(gate.stderr), 'the end of patience');
    assert.ok(gate.stderr.includes('worker 0: \\u001b]0;owned\\u0007\\u009bK\\ufffd\\u000dback\n'), gate.stderr.slice(0, 500));
    assert.ok(gate.stderr.includes(`worker 0: ${'0123456789'.repeat(51)}01\n`), 'a long line is several');
    assert.ok(gate.stderr.includes('worker 0: chatter\n'));
    assert.ok(gate.stderr.length < 256 * 1024, `${gate.stderr.length} bytes of it were logged`);
    assert.doesNotMatch(gate.stderr, /[\0-\x09\x0b-\x1f\x7f-\x9f]/);
    await gate.stop();
  });

  it('does not stop the gate where nobody reads the log', async () => {
    const gate = newGate();
    const child = spawn('python3', ['-c', AT_A_TERMINAL, program('chatter'), 'serve', '-c', gate.configPath], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...process.env, UNREAD: '1' },
    });
    try {
      const answered = await until(async () => (await gate.cli('status')).code === 0, 'the gate to answer');
      assert.ok(answered);
      await gate.do('kill', 'echo');
    } finally {
      child.stdin.end();
      await new Promise((resolve) => child.once('close', resolve));
    }
  });

  it('a sanitizer\'s report of it arrives', { skip: !SANITIZED && 'needs a sanitizer' }, async () => {
    const gate = newGate();
    const launched = gate.launch({ command: program('fault') }).catch(() => {});
    await until(() => gate.stderr.includes('worker 0 ended'), 'the end of the worker');
    assert.match(gate.stderr, /worker 0: .*AddressSanitizer: heap-buffer-overflow/);
    assert.match(gate.stderr, /worker 0: SUMMARY: AddressSanitizer/);
    gate.child.kill('SIGKILL');
    await launched;
  });

  it('its last words arrive, before its end is told', async () => {
    const gate = newGate();
    const launched = gate.launch({ command: program('farewell') }).catch(() => {});
    await until(() => gate.stderr.includes('worker 0 ended'), 'the end of the worker');
    assert.match(gate.stderr, /worker 0: first\nworker 0: last words\n.*worker 0 ended: exit code 3/);
    gate.child.kill('SIGKILL');
    await launched;
  });
});

describe('after the sandbox has closed', () => {
  it('a worker that tries nothing serves', async () => {
    const gate = newGate();
    await gate.launch({ command: program('nothing') });
    await gate.stop();
    assert.equal(gate.auditLines().some((line) => line.event === 'worker_exited'), false);
  });

  for (const attempt of ['execve', 'open', 'socket', 'socketpair', 'connect', 'ptrace', 'fork']) {
    const skip = SANITIZED && RUNTIME_MAY.includes(attempt) && 'the sanitizers need it';
    it(`${attempt} ends the worker`, { skip }, async () => {
      const gate = newGate();
      const launched = gate.launch({ command: program(attempt) }).then(
        () => 'ready',
        () => 'ended',
      );
      const line = await until(
        () => gate.auditLines().find((one) => one.event === 'worker_exited'),
        'the end of the worker',
      );
      assert.equal(line.signal, SIGSYS);
      gate.child.kill('SIGKILL');
      assert.equal(await launched, 'ended', 'it never got as far as serving');
    });
  }
});
