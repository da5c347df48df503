// Services that the gate starts itself: their surfaces, the gate in front of them, the processes of their trees.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { WebSocketService } from '../../services/websocket_service.mjs';
import { Gate, opaqueSurface, scratchDir, surface } from './gate.mjs';
import { ask } from './http.mjs';
import { keep } from './kept.mjs';
import { until } from './wait.mjs';

export const EVERYWHERE = { path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] };
export const GATE_MS = 20_000; // what a test waits for a service that starts on a busy machine

export const launched = (command, { upstream = {}, ...more } = {}) => ({
  ...surface('', { dialect: 'opaque', routes: [EVERYWHERE], limits: { upstream_timeout_ms: GATE_MS }, ...more }),
  upstream: { command: command.map(String), ...upstream },
});

// A gate that serves them, with `echo` beside, whose service listens on a socket of its own.
export async function startLaunched(surfaces, { echoes = false, ...more } = {}) {
  const dir = scratchDir();
  const echo = keep(new WebSocketService(path.join(dir, 'echo.sock')));
  await echo.start();
  const all = { ...surfaces, ...(echoes ? { echo: opaqueSurface(echo.socketPath) } : {}) };
  const gate = keep(new Gate(dir, { surfaces: all, ...more }));
  await gate.launch();
  return gate;
}

export async function get(gate, name, target = '/facts') {
  const { token } = await gate.session(name);
  return ask(gate, name, target, { token, timeoutMs: 2 * GATE_MS });
}

export async function stateOf(gate, name) {
  const { surfaces } = await gate.doJson('status');
  return surfaces.find((row) => row.name === name).service;
}

export const untilState = (gate, name, state) =>
  until(async () => {
    const now = await stateOf(gate, name);
    return now.state === state && now;
  }, () => `${name} to be ${state}:\n${gate.stderr}`, GATE_MS);

// Where it listens now.
export async function findAddresses(gate) {
  const { surfaces } = await gate.doJson('status');
  gate.ready.surfaces = Object.fromEntries(surfaces.map(({ name, listen }) => [name, listen]));
}

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

// The launcher is forked by what the gate starts for that.
export function launcherOf(gate) {
  const starter = childrenOf(gate.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[1] === 'launcher');
  return childrenOf(starter)[0];
}
