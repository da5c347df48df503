// Services that the gate starts itself: their surfaces, the gate in front of them, the processes of their trees.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import path from 'node:path';

import { WebSocketService } from '../../services/websocket_service.mjs';
import { cannotBecome, runAs } from './as_uid.mjs';
import { Gate, opaqueSurface, scratchDir, surface } from './gate.mjs';
import { ask } from './http.mjs';
import { keep } from './kept.mjs';
import { treeOf } from './processes.mjs';
import { until } from './wait.mjs';

export { alive, launcherOf, starterOf, treeOf } from './processes.mjs';

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

const STRANGER = 1234; // a uid that nothing here runs as
const DIAL = 'for to; do (exec 3<>"/dev/tcp/${to%#*}/${to##*#}") 2>/dev/null && echo "$to"; done; true';

// The inodes of TCP sockets that listen in the host's own network.
function listening() {
  const rows = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1));
  return new Set(rows.map((row) => row.trim().split(/\s+/)).filter((fields) => fields[3] === '0A').map((fields) => fields[9]));
}

function socketsOf(pid) {
  const inodes = [];
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const found = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`));
      if (found) inodes.push(found[1]);
    }
  } catch {
    // it has gone meanwhile
  }
  return inodes;
}

// Nobody of the service's tree listens in the host's network, and at no address of the host its port is open past the gate:
// neither to who runs the test nor, where that is root, to a user of its own. Returns what the status says of the service.
export async function assertHidden(gate, name, port) {
  const service = await untilState(gate, name, 'ready');
  assert.ok(service.ports.includes(`${port}/tcp`), `${service.ports}`);
  const outside = listening();
  for (const pid of treeOf(service.pid))
    for (const inode of socketsOf(pid)) assert.ok(!outside.has(inode), `process ${pid} of the service listens outside`);
  const own = new Set(gate.addresses(name).map((address) => address.replace(/^\[?(.*?)\]?:(\d+)$/, '$1#$2')));
  const hosts = Object.values(networkInterfaces()).flat().filter(({ scopeid }) => !scopeid).map(({ address }) => address);
  const doors = hosts.map((host) => `${host}#${port}`).filter((door) => !own.has(door));
  const dials = [spawnSync('bash', ['-c', DIAL, 'bash', ...doors], { encoding: 'utf8' }).stdout];
  if (!cannotBecome()) dials.push(runAs(STRANGER, 'bash', ['-c', DIAL, 'bash', ...doors]).stdout);
  for (const opened of dials) assert.equal(opened, '', 'open past the gate');
  return service;
}
