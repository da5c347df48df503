// The parent, the broker and the workers: whoever of them dies, nothing is orphaned and no port stays
// open; and what a broker that has been taken over cannot do. The programs run as copies of their
// own, so that every process of a gate is found by the file that it executes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SANITIZED, SIDELOCK, brokerOf, opaqueSurface, scratchDir, workersOf } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { until, within } from './lib/wait.mjs';

const EX_SOFTWARE = 70;
const KILLED = { code: null, signal: 'SIGKILL' };

// Who runs a program, zombies aside.
function processesOf(program) {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '') === program;
    } catch {
      return false;
    }
  });
}

function refuses(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => socket.destroy() && resolve(false));
    socket.on('error', () => resolve(true));
  });
}

function newGate(name = 'sidelock-parent', built = SIDELOCK) {
  const dir = scratchDir();
  const program = path.join(dir, name);
  copyFileSync(built, program);
  const surfaces = { echo: opaqueSurface(path.join(dir, 'echo.sock')) };
  return { gate: keep(new Gate(dir, { surfaces, workers: 2 })), program };
}

async function nothingIsLeft(gate, program, port) {
  await until(() => processesOf(program).length === 0, () => `the end of ${processesOf(program)}:\n${gate.stderr}`);
  if (port !== undefined) assert.ok(await refuses(port), 'the port is closed');
}

// The same state directory serves again, at once.
async function servesAgain(gate, program) {
  await gate.launch({ command: program });
  await gate.stop();
}

// Which one dies, and how the program that was started ends then.
const DEATHS = [
  { who: 'the parent', of: (pid) => pid, end: KILLED },
  { who: 'the broker', of: brokerOf, end: { code: EX_SOFTWARE, signal: null } },
];

function says(gate, who) {
  if (who === 'the broker') assert.match(gate.stderr, /parent: error: the broker was ended by signal 9/);
}

for (const { who, of, end } of DEATHS) {
  describe(`the death of ${who}`, () => {
    it('while it serves', async () => {
      const { gate, program } = newGate();
      await gate.launch({ command: program });
      const port = gate.port('echo');
      process.kill(of(gate.pid), 'SIGKILL');
      assert.deepEqual(await within(gate.exited, 'the end'), end);
      says(gate, who);
      await nothingIsLeft(gate, program, port);
      await servesAgain(gate, program);
    });

    it('is made good at once by whoever starts it again', async () => {
      const { gate, program } = newGate();
      await gate.launch({ command: program });
      process.kill(of(gate.pid), 'SIGKILL');
      await new Promise((resolve) => gate.child.on('exit', resolve));
      await servesAgain(gate, program);
      await nothingIsLeft(gate, program);
    });

    it('before anything is ready', async () => {
      const { gate, program } = newGate();
      const child = spawn(program, ['serve', '-c', gate.configPath], { stdio: ['ignore', 'ignore', 'pipe'] });
      gate.stderr = '';
      child.stderr.on('data', (chunk) => (gate.stderr += chunk));
      const exited = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
      const pid = await until(() => brokerOf(child.pid) && of(child.pid), 'a broker');
      process.kill(pid, 'SIGKILL');
      assert.deepEqual(await within(exited, 'the end'), end);
      says(gate, who);
      await nothingIsLeft(gate, program);
      await servesAgain(gate, program);
    });

    it('while it reads anew', async () => {
      const { gate, program } = newGate();
      await gate.launch({ command: program });
      const port = gate.port('echo');
      const reloaded = gate.cli('reload');
      process.kill(gate.pid, 'SIGHUP');
      process.kill(of(gate.pid), 'SIGKILL');
      assert.deepEqual(await within(gate.exited, 'the end'), end);
      await reloaded; // whatever it was told
      await nothingIsLeft(gate, program, port);
      await servesAgain(gate, program);
    });
  });
}

describe('the death of a worker', () => {
  it('is made good, while it serves and while it reads anew', async (t) => {
    const { gate, program } = newGate();
    const service = await new WebSocketService(path.join(gate.dir, 'echo.sock')).start();
    t.after(() => service.stop());
    await gate.launch({ command: program });
    for (const reloads of [false, true]) {
      const before = gate.workers();
      if (reloads) process.kill(gate.pid, 'SIGHUP');
      process.kill(before[0], 'SIGKILL');
      await until(() => workersOf(gate.pid).length === 2 && !workersOf(gate.pid).includes(before[0]), 'a new worker');
    }
    assert.equal((await gate.doJson('status')).workers.restarts, 2);
    const { token } = await gate.session('echo');
    const client = await until(() => Client.open(gate, 'echo', '/ws', { token }).catch(() => undefined), 'service');
    await client.close();
    await until(() => processesOf(program).length === 5, 'parent, broker, what would start the launcher, and two workers');
    await gate.stop();
    await nothingIsLeft(gate, program);
  });
});

describe('a broker', () => {
  const overreach = path.join(path.dirname(SIDELOCK), 'tests', 'sidelock_overreach');

  it('writes to what is its own, executes nothing, dials nobody', { skip: SANITIZED && 'its runtime may' }, async () => {
    const { gate, program } = newGate('sidelock-overreach-nothing', overreach);
    await gate.launch({ command: program });
    const heard = () => [...gate.stderr.matchAll(/overreach: (.*)\n/g)].map(([, line]) => line);
    const said = await until(() => heard().some((line) => line.startsWith('redial')) && heard(), 'the last attempt');
    const held = !/has no Landlock/.test(gate.stderr);
    const tcp = !/advisory alone are, of the broker: .*tcp_connect/.test(gate.stderr);
    assert.deepEqual(said, [
      `write: ${held ? 'refused' : 'done'}`,
      'execute: refused',
      'fork: refused',
      'dial: refused',
      'mode: refused',
      'signal: refused',
      `redial: ${tcp ? 'refused' : 'done'}`,
    ]);
    assert.equal(existsSync(`${program}.written`), !held);
    await gate.stop();
  });

  it('is filtered, as a worker is', async () => {
    const { gate, program } = newGate();
    await gate.launch({ command: program });
    for (const pid of [gate.broker, ...gate.workers()]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      assert.match(status, /^NoNewPrivs:\t1$/m);
      assert.match(status, /^Seccomp:\t2$/m);
    }
    await gate.stop();
  });

  for (const request of ['listen', 'spawn', 'strange', 'garbage']) {
    it(`that asks its parent for what none of ours does (${request}) is ended`, async () => {
      const { gate, program } = newGate(`sidelock-overreach-${request}`, overreach);
      const child = spawn(program, ['serve', '-c', gate.configPath], { stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.on('data', (chunk) => (stderr += chunk));
      const end = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
      assert.deepEqual(await within(end, 'the end'), { code: EX_SOFTWARE, signal: null });
      assert.match(stderr, /parent: error: the broker asks for what no broker of ours asks for; ending it/);
      await nothingIsLeft(gate, program);
    });
  }

  it('is not started by hand', async () => {
    const { gate } = newGate();
    const { code, stderr } = await gate.cli('broker');
    assert.equal(code, 64);
    assert.match(stderr, /started by `sidelock serve`, not by hand/);
  });
});

describe('a signal', () => {
  it('to the whole process group drains, once', async (t) => {
    const { gate, program } = newGate();
    const service = await new WebSocketService(path.join(gate.dir, 'echo.sock')).start();
    t.after(() => service.stop());
    await gate.launch({ command: program });
    const { token } = await gate.session('echo');
    const client = await Client.open(gate, 'echo', '/ws', { token });
    // The parent last: it is the one that minds.
    for (const pid of [...gate.workers(), gate.broker, gate.pid]) process.kill(pid, 'SIGTERM');
    assert.equal((await until(() => client.closed, 'the goodbye')).code, 1001);
    assert.deepEqual(await within(gate.exited, 'the end'), { code: 0, signal: null });
    gate.child = undefined;
    await nothingIsLeft(gate, program);
  });

  it('READY=1 comes from the process that the service manager started', async () => {
    const { gate } = newGate();
    const hear = `
import os, socket, struct, subprocess, sys
path = sys.argv[1] + '/notify'
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(path)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
p = subprocess.Popen(sys.argv[2:], env={**os.environ, 'NOTIFY_SOCKET': path})
data, creds, _, _ = s.recvmsg(4096, 256)
print(data.decode(), struct.unpack('3i', creds[0][2])[0] == p.pid)
p.terminate()
print(p.wait())
`;
    const child = spawn('python3', ['-c', hear, gate.dir, SIDELOCK, 'serve', '-c', gate.configPath], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.on('data', (chunk) => (said += chunk));
    await within(new Promise((resolve) => child.on('close', resolve)), 'the end');
    assert.equal(said, 'READY=1 True\n0\n');
  });
});
