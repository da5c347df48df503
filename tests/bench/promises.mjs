// How soon the gate keeps its promises, and that it rests while it waits.
//
// promises.mjs: rows for tests/bench/run to judge (rows.mjs). The program under test is named by the environment variable SIDELOCK.
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { HttpService } from '../services/http_service.mjs';
import { OPCODE } from '../services/frames.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from '../flow/lib/client.mjs';
import { Gate, SIDELOCK, cpuSeconds, opaqueSurface, scratchDir, stopAll, surface } from '../flow/lib/gate.mjs';
import { EventStream, ask } from '../flow/lib/http.mjs';
import { treeOf } from '../flow/lib/processes.mjs';
import { Raw, open, requestText } from '../flow/lib/raw.mjs';
import { freePort } from '../flow/lib/tree.mjs';
import { pause, settled, until } from '../flow/lib/wait.mjs';
import { control } from './control.mjs';
import { median, row } from './rows.mjs';

const ROUNDS = 15;
const CROWD = 1000; // live connections
const CROWD_ROUNDS = 5;
const TREES = 20; // services that the gate has started
const SERVICE = path.join(path.dirname(SIDELOCK), 'tests', 'bench_service');
const MIB = 1024 * 1024;

const dir = scratchDir();
const websocket = new WebSocketService(path.join(dir, 'websocket.sock'));
const http = new HttpService(path.join(dir, 'http.sock'));
const surfaces = {
  websocket: opaqueSurface(websocket.socketPath),
  stall: opaqueSurface(websocket.socketPath, { limits: { write_timeout_ms: 5000 } }),
  http: surface(http.socketPath, {
    dialect: 'opaque',
    routes: [{ path: '/{any...}', kind: 'http', methods: ['GET'] }],
  }),
};

// Milliseconds until `end`, a promise, from the moment `command` is given; what it
// costs to start the program, which `help` shows, is taken off.
async function soon(gate, end, ...command) {
  const idle = performance.now();
  await gate.do('help');
  const begin = performance.now();
  const ended = end().then(() => performance.now());
  await gate.do(...command);
  return (await ended) - begin - (begin - idle);
}

// Opens, cuts and measures some times over.
async function cuts(name, gate, connect, commandOf) {
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const session = await gate.session(name);
    const connection = await connect(session.token);
    times.push(await soon(gate, () => connection.end(5000), ...commandOf(session)));
    await gate.do('arm', name);
  }
  return median(times);
}

async function cutting(gate) {
  const connects = {
    websocket: (token) => Client.open(gate, 'websocket', '/ws', { token }),
    http: async (token) => {
      const stream = await EventStream.open(gate, 'http', '/sse', { token });
      await stream.has('hello');
      return stream;
    },
  };
  for (const [name, connect] of Object.entries(connects)) {
    const revoked = await cuts(name, gate, connect, ({ id }) => ['session', 'revoke', id]);
    row(`ms from a revocation to the end of its connection, ${name}`, revoked, 100);
    const killed = await cuts(name, gate, connect, () => ['kill', name]);
    row(`ms from the kill switch to the end of a connection, ${name}`, killed, 100);
  }
}

const wide = { limits: { max_connections: 2 * CROWD, max_connections_per_caller: 2 * CROWD } };

// So many connections, of sessions that have fifty each, by turns to the surfaces that are named.
async function crowdOf(gate, ...names) {
  const clients = [];
  for (let i = 0; clients.length < CROWD; i++) {
    const name = names[i % names.length];
    const { token } = await gate.session(name);
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => Client.open(gate, name, '/ws', { token })))));
  }
  const of = (event) => clients.map((client) => new Promise((resolve) => client.socket._socket.once(event, resolve)));
  return { clients, ends: of('close'), told: of('data') };
}

// How long a crowd of connections lives after something is done to their gate.
async function crowdEnds(act) {
  const gate = await Gate.start(scratchDir(), { surfaces: { crowd: opaqueSurface(websocket.socketPath, wide) } });
  const { clients, ends, told } = await crowdOf(gate, 'crowd');
  const times = await act(gate, { ends, told, pids: [] });
  clients.forEach((client) => client.terminate());
  await gate.crash();
  return times;
}

// Every third takes no signal that can be refused, and has forked one more into a session of its own.
const STUBBORN = 'trap "" TERM HUP INT; setsid sleep 1000000 & exec "$0" "$1"';

// The same of connections to services that the gate has started, and of the services.
async function treesEnd(act) {
  const surfaces = {};
  for (let i = 0; i < TREES; i++) {
    const command = [SERVICE, `${await freePort()}`];
    surfaces[`tree${i}`] = opaqueSurface('', wide);
    surfaces[`tree${i}`].upstream = i % 3 === 0 ? { command: ['/bin/sh', '-c', STUBBORN, ...command], executables: 'any' } : { command };
  }
  const gate = await Gate.start(scratchDir(), { surfaces });
  const { clients, ends, told } = await crowdOf(gate, ...Object.keys(surfaces));
  const { surfaces: rows } = await gate.doJson('status');
  const pids = rows.flatMap(({ service }) => treeOf(service.pid));
  const stubborn = Math.ceil(TREES / 3);
  if (pids.length !== 2 * TREES + stubborn) throw new Error(`${pids.length} processes of ${TREES} trees`);
  const times = await act(gate, { ends, told, pids });
  clients.forEach((client) => client.terminate());
  await gate.crash();
  return times;
}

// The disk's part is not in it: that is waited for by the acknowledgement alone.
async function killed(gate, { told, pids }) {
  const begin = performance.now();
  const answer = control(gate.controlSocket, 'POST', '/v1/kill');
  await Promise.all(told);
  while (!pids.every(isOver)) await pause(1);
  const time = performance.now() - begin;
  if ((await answer).kill.connections !== CROWD) throw new Error('not all were cut');
  return time;
}

// Whether the process holds nothing any more: what it had open is closed before it is a zombie.
function isOver(pid) {
  try {
    return /^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

// Without a turn of the loop, which a thousand ends would hold up. That all clients see theirs is waited for afterwards.
async function lockedDown(gate, { ends, pids }, order) {
  const carriers = [...gate.workers(), ...pids];
  process.kill(gate.broker, 'SIGSTOP');
  const begin = performance.now();
  order(gate);
  while (!carriers.every(isOver));
  const time = performance.now() - begin;
  await Promise.all(ends);
  return time;
}

const ways = {
  'the kill switch': killed,
  'the lockdown file, the broker stopped,': (gate, crowd) =>
    lockedDown(gate, crowd, () => writeFileSync(path.join(gate.stateDir, 'lockdown'), '')),
  'the lockdown signal, the broker stopped,': (gate, crowd) =>
    lockedDown(gate, crowd, () => process.kill(gate.pid, 'SIGUSR2')),
};

async function crowds() {
  for (const [whose, ends] of [['', crowdEnds], [` and of the ${TREES} services that they lead to, stubborn ones among them`, treesEnd]]) {
    for (const [way, act] of Object.entries(ways)) {
      const times = [];
      for (let round = 0; round < CROWD_ROUNDS; round++) times.push(await ends(act));
      row(`ms from ${way} to the end of ${CROWD} connections${whose}`, median(times), 100);
    }
  }
}

// Processor seconds of some processes while a second passes.
async function burnt(...pids) {
  const sum = () => pids.reduce((seconds, pid) => seconds + cpuSeconds(pid), 0);
  const before = sum();
  await pause(1000);
  return sum() - before;
}

async function outOfDescriptors() {
  const tight = new Gate(scratchDir(), {
    surfaces: { websocket: opaqueSurface(websocket.socketPath, { limits: { max_connections: 5000 } }) },
  });
  await tight.launch({ command: 'prlimit', prefix: ['--nofile=256:256', SIDELOCK] });
  const many = Array.from({ length: 300 }, () => net.connect(tight.port('websocket'), '127.0.0.1').on('error', () => {}));
  await pause(200);
  row('processor seconds in a second beyond the limit of descriptors', await burnt(tight.pid, tight.broker, ...tight.workers()), 0.3);
  for (const socket of many) socket.destroy();
  await tight.stop();
}

// A client that asks for 32 MiB, reads nothing, says more and half-closes.
async function stalledClient(gate) {
  websocket.behave({
    message: (peer, data) => {
      for (let i = 0; data.toString() === 'flood' && i < 32; i++) peer.send(Buffer.alloc(MIB, 'x'), OPCODE.binary);
    },
  });
  const { token } = await gate.session('stall');
  const raw = await open(gate, 'stall', { token });
  raw.socket.pause();
  raw.sendFrame({ payload: 'flood' });
  await until(() => websocket.last?.messages.length === 1, 'the request at the service');
  await settled(() => websocket.last.socket.writableLength);
  for (let i = 0; i < 1000; i++) raw.sendFrame({ payload: `and more ${i}` });
  raw.socket.end();
  row('processor seconds in a second beside a client that does not read', await burnt(...gate.workers()), 0.4);
  raw.destroy();
  websocket.behave();
}

async function besideStalledAnswer(gate) {
  const { token } = await gate.session('http');
  const host = `localhost:${gate.port('http')}`;
  const raw = await Raw.connect(gate.port('http'), { paused: true });
  raw.send(requestText({ path: `/big?bytes=${256 * MIB}`, host, token, upgrade: false }));
  await until(() => http.last?.sent > 0, 'the answer to begin');
  await settled(() => http.last.sent);
  const times = [];
  for (let i = 0; i < 20; i++) {
    const begin = performance.now();
    await ask(gate, 'http', '/echo', { token });
    times.push(performance.now() - begin);
  }
  row('ms of a request beside an answer nobody reads, the slowest of 20', Math.max(...times), 1000);
  raw.destroy();
}

async function ending(gate) {
  const { token } = await gate.session('http');
  const stream = await EventStream.open(gate, 'http', '/sse', { token });
  await stream.has('hello');
  const begin = performance.now();
  await gate.stop();
  row('ms from SIGTERM to the end of a gate with an open stream', performance.now() - begin, 5000);
  const idle = await Gate.start(scratchDir(), { surfaces });
  const idleBegin = performance.now();
  await idle.stop();
  row('ms from SIGTERM to the end of a gate without connections', performance.now() - idleBegin, 3000);
}

await Promise.all([websocket.start(), http.start()]);
const gate = await Gate.start(dir, { surfaces });
try {
  await cutting(gate);
  await crowds();
  await outOfDescriptors();
  await stalledClient(gate);
  await besideStalledAnswer(gate);
  await ending(gate);
} finally {
  await stopAll(gate, websocket, http);
}
