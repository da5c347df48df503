// A worker that tries to break out of its sandbox is killed by the kernel, and
// the audit log says so. The program is tests/flow/escape.c.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Gate, SANITIZED, SIDELOCK, opaqueSurface, scratchDir } from './lib/gate.mjs';
import { until } from './lib/wait.mjs';

const SIGSYS = 31;
// What the sanitizers' runtime may do itself, so that it can look for leaks.
const RUNTIME_MAY = ['open', 'ptrace', 'fork'];

function program(attempt) {
  const copy = path.join(scratchDir(), `sidelock-escape-${attempt}`);
  copyFileSync(path.join(path.dirname(SIDELOCK), 'tests', 'sidelock_escape'), copy);
  return copy;
}

function newGate() {
  const dir = scratchDir();
  return new Gate(dir, { surfaces: { echo: opaqueSurface(path.join(dir, 'echo.sock')) } });
}

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
