// Sockets of a launched service are as it knows them: tests/services/sockets.py asserts it, and is
// run without a launcher as well, so that it promises nothing that the kernel does not keep.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { scratchDir } from './lib/gate.mjs';
import { serviceFile } from './lib/programs.mjs';
import { PEOPLE, Tree } from './lib/tree.mjs';

const CASES = [...readFileSync(serviceFile('sockets.py'), 'utf8').matchAll(/^def (case_\w+)/gm)].map(([, name]) => name);

function script() {
  const dir = scratchDir();
  chmodSync(dir, 0o755);
  copyFileSync(serviceFile('sockets.py'), path.join(dir, 'sockets.py'));
  return path.join(dir, 'sockets.py');
}

describe('what a service relies on', () => {
  it('holds without a launcher', { skip: process.getuid() !== 0 && 'needs root for a low port' }, () => {
    // In a network of its own, whose low ports nobody has.
    const { stderr } = spawnSync('unshare', ['-n', 'sh', '-c', `ip link set lo up; exec /usr/bin/python3 ${script()}`], { encoding: 'utf8' });
    assert.deepEqual(stderr.trim().split('\n'), CASES);
  });

  for (const who of PEOPLE) {
    it(`launched by ${who.name}`, async () => {
      const tree = new Tree(['/usr/bin/python3', script()], { who });
      const ended = await tree.end();
      assert.deepEqual(tree.stderr.trim().split('\n'), CASES);
      assert.equal(ended.code, 0);
      assert.deepEqual(tree.events.filter((event) => event.event === 'refused'), []);
    });
  }
});
