// A directory whose disk can be full. Root has a small file system of its own mounted; without it, the
// broker's files may not grow.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';

import { scratchDir } from './gate.mjs';
import { until } from './wait.mjs';

export function smallDisk() {
  const disk = scratchDir();
  const mounted =
    process.getuid() === 0 &&
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'none', disk]).status === 0;
  const filler = path.join(disk, 'filler');
  const limit = (gate, size) =>
    assert.equal(spawnSync('prlimit', ['--pid', String(gate.broker), `--fsize=${size}:`]).status, 0);
  const fill = () => {
    for (;;) appendFileSync(filler, Buffer.alloc(4096, 'x'));
  };
  return {
    disk,
    // Until it is so full that not one line more has room: `deny` makes the gate write one.
    fill: async (gate, deny) => {
      if (mounted) assert.throws(fill, { code: 'ENOSPC' });
      else limit(gate, statSync(gate.auditPath).size + 2000);
      await until(async () => {
        const before = gate.mark();
        await deny();
        return gate.mark() === before;
      }, 'a denial without a line');
    },
    free: (gate) => (mounted ? rmSync(filler) : limit(gate, 'unlimited')),
    end: () => mounted && spawnSync('umount', ['-l', disk]),
  };
}
