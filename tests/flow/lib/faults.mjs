// What a configuration may not say or lead to: `check` tells it, and `serve` does not start.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

// A directory with this mode, whatever the umask.
export function subdirectory(parent, name, mode) {
  const dir = path.join(parent, name);
  mkdirSync(dir);
  chmodSync(dir, mode);
  return dir;
}

// `check` finds this one fault, where the configuration says it, and `serve` does not start with it.
export async function onlyFault(gate, pointer, words) {
  const { code, stdout } = await gate.cli('check', '--json');
  assert.equal(code, 78, 'check finds a fault');
  const { faults } = JSON.parse(stdout);
  assert.deepEqual(faults.map((fault) => fault.pointer), [pointer]);
  assert.match(faults[0].text, words);
  if (pointer !== '') {
    const lines = readFileSync(gate.configPath, 'utf8').split('\n');
    assert.match(lines[faults[0].line - 1], new RegExp(`"${path.basename(pointer)}"`));
  }
  const served = await gate.cli('serve');
  assert.equal(served.code, 78, 'and it is not served with');
  assert.match(served.stderr, words);
}
