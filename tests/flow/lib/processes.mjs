// The processes of a launched service, and of the launcher.
import { readFileSync, readdirSync } from 'node:fs';

// All processes that stem from one, itself among them.
export function treeOf(pid) {
  const parents = new Map();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state !== 'Z') parents.set(Number(entry), Number(parent));
    } catch {
      // it has gone meanwhile
    }
  }
  const tree = new Set([pid]);
  for (let before = 0; before !== tree.size; ) {
    before = tree.size;
    for (const [child, parent] of parents) if (tree.has(parent)) tree.add(child);
  }
  return [...tree].filter((one) => parents.has(one));
}

export const alive = (pids) => pids.filter((pid) => {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
});

const childrenOf = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

export const starterOf = (gate) =>
  childrenOf(gate.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[1] === 'launcher');

// The launcher is forked by what the gate starts for that, as the looker is.
export const launcherOf = (gate) =>
  childrenOf(starterOf(gate)).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'looker\n');
