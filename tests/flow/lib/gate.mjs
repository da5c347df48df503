// Starts a real Sidelock with a configuration, talks to it through its command
// line, reads its audit log, and at the end holds it to its promises: exit code
// 0, nothing from a sanitizer, no fault in the audit chain.
//
// The program under test is named by the environment variable SIDELOCK.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { DEADLINE_MS, until, within } from './wait.mjs';

export const SIDELOCK = process.env.SIDELOCK;
// pyenv's are shell scripts that start others: what a service is started with is to be the program itself.
process.env.PATH = process.env.PATH.split(':').filter((dir) => !dir.endsWith('/shims')).join(':');
if (!SIDELOCK) throw new Error('set SIDELOCK to the path of the built sidelock program');

// A build with AddressSanitizer is slower and keeps freed memory for a while.
export const SANITIZED = readFileSync(SIDELOCK).includes('__asan_init');

const SANITIZER_TRACE =
  /AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed/;

// What a failed test may leave behind.
const scratchDirs = new Set();
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const dir of scratchDirs) rmSync(dir, { recursive: true, force: true });
});

// A fresh private directory, removed when the test program ends.
export function scratchDir() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sidelock-'));
  scratchDirs.add(dir);
  return dir;
}

function environment(extra = {}) {
  const env = { ...process.env, ...extra };
  if (SANITIZED) {
    env.ASAN_OPTIONS = [process.env.ASAN_OPTIONS, 'quarantine_size_mb=4'].filter(Boolean).join(':');
    env.UBSAN_OPTIONS = [process.env.UBSAN_OPTIONS, 'print_stacktrace=1'].filter(Boolean).join(':');
  }
  return env;
}

// Runs the program once: {code, signal, stdout, stderr}.
export function run(args, { input = '', env = {}, timeoutMs = 60_000, cwd } = {}) {
  const child = spawn(SIDELOCK, args, { env: environment(env), cwd });
  const out = [];
  const err = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stderr.on('data', (chunk) => err.push(chunk));
  child.stdin.on('error', () => {}); // it may exit before it read everything
  child.stdin.end(input);
  const done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const stderr = Buffer.concat(err).toString();
      if (SANITIZER_TRACE.test(stderr)) reject(new Error(`sidelock ${args.join(' ')}:\n${stderr}`));
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr });
    });
  });
  return within(done, `sidelock ${args.join(' ')}`, timeoutMs);
}

// Whether a process is there, and not only as a zombie.
function runs(pid) {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function matches(line, wanted) {
  return Object.entries(wanted).every(([key, value]) =>
    value instanceof RegExp ? value.test(line[key]) : line[key] === value,
  );
}

export class Gate {
  // `config` is the configuration less state_dir and control_socket, which
  // live in `dir`.
  constructor(dir, config) {
    this.dir = dir;
    this.stateDir = path.join(dir, 'state');
    this.controlSocket = path.join(this.stateDir, 'control.sock');
    this.configPath = path.join(dir, 'sidelock.json');
    this.auditPath = path.join(this.stateDir, 'audit.jsonl');
    this.configure(config);
  }

  static async start(dir, config) {
    const gate = new Gate(dir, config);
    await gate.launch();
    return gate;
  }

  configure(config) {
    this.config = {
      state_dir: this.stateDir,
      control_socket: this.controlSocket,
      ...config,
    };
    writeFileSync(this.configPath, JSON.stringify(this.config, null, 2));
  }

  // Starts the program and waits for its readiness line.
  async launch({ command = SIDELOCK, prefix = [] } = {}) {
    this.stderr = '';
    const child = spawn(command, [...prefix, 'serve', '-c', this.configPath, '--ready-fd', '3'], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.child = child;
    running.add(child);
    child.stdout.on('data', (chunk) => (this.stderr += chunk));
    child.stderr.on('data', (chunk) => (this.stderr += chunk));
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        running.delete(child);
        resolve({ code, signal });
      });
    });
    let text = '';
    const ready = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.stdio[3].on('data', (chunk) => {
        text += chunk;
        if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n'))));
      });
      this.exited.then(({ code, signal }) =>
        reject(new Error(`sidelock ended (${code ?? signal}) before it was ready:\n${this.stderr}`)),
      );
    });
    try {
      this.ready = await within(ready, () => `readiness; so far:\n${this.stderr}`);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    assert.equal(this.ready.ready, true);
    assert.equal(this.ready.pid, child.pid);
    this.firstWorkers = this.workers();
    return this;
  }

  get pid() {
    return this.child.pid;
  }

  // "127.0.0.1:PORT", "[::1]:PORT" of a surface.
  addresses(surface) {
    return this.ready.surfaces[surface];
  }

  port(surface) {
    const ports = new Set(this.addresses(surface).map((text) => Number(/:(\d+)$/.exec(text)[1])));
    assert.equal(ports.size, 1, 'both loopback addresses have the same port');
    return [...ports][0];
  }

  // Ends the program with SIGTERM and checks what it left behind.
  async stop() {
    if (!this.child) return;
    const child = this.child;
    this.child = undefined;
    child.kill('SIGTERM');
    let end;
    try {
      end = await within(this.exited, 'the gate to drain and exit');
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`${error.message}\n${this.stderr}`);
    }
    assert.deepEqual(end, { code: 0, signal: null }, `exit after SIGTERM:\n${this.stderr}`);
    assert.doesNotMatch(this.stderr, SANITIZER_TRACE);
    const verdict = await this.cli('audit', 'verify');
    assert.equal(verdict.code, 0, `audit verify: ${verdict.stdout}${verdict.stderr}`);
  }

  // kill -9: of the parent, as a crash would. Its children then end by themselves.
  async crash() {
    const child = this.child;
    const workers = [this.broker, ...this.workers()];
    this.child = undefined;
    child.kill('SIGKILL');
    await within(this.exited, 'the killed gate');
    await until(() => !workers.some(runs), 'the broker and the workers of the killed gate to end');
    assert.doesNotMatch(this.stderr, SANITIZER_TRACE);
  }

  cli(...args) {
    const options = typeof args.at(-1) === 'object' ? args.pop() : {};
    return run(args, { ...options, env: { SIDELOCK_CONFIG: this.configPath, ...options.env } });
  }

  // The same, and it must succeed: standard output.
  async do(...args) {
    const { code, stdout, stderr } = await this.cli(...args);
    assert.equal(code, 0, `sidelock ${args.filter((a) => typeof a === 'string').join(' ')}: ${stderr}`);
    return stdout;
  }

  async doJson(...args) {
    const options = typeof args.at(-1) === 'object' ? [args.pop()] : [];
    return JSON.parse(await this.do(...args, '--json', ...options));
  }

  // {id, token, surface, expires_at, digest}
  session(surface, ...options) {
    return this.doJson('session', 'create', surface, ...options);
  }

  async ticket(sessionId) {
    return (await this.do('session', 'ticket', sessionId)).trim();
  }

  putParams(name, record, ...options) {
    return this.do('params', 'put', name, ...options, '-', { input: JSON.stringify(record) });
  }

  revoke(sessionId) {
    return this.do('session', 'revoke', sessionId);
  }

  // Live connections as the broker counts them.
  async connections(surface) {
    const status = await this.doJson('status');
    const rows = status.surfaces.filter((row) => surface === undefined || row.name === surface);
    assert.ok(rows.length > 0, `status names ${surface}`);
    return rows.reduce((sum, row) => sum + row.connections, 0);
  }

  async untilIdle(surface, timeoutMs) {
    await until(
      async () => (await this.connections(surface)) === 0,
      `no connection of ${surface ?? 'any surface'}`,
      timeoutMs,
    );
  }

  auditLines() {
    let text;
    try {
      text = readFileSync(this.auditPath, 'utf8');
    } catch {
      return [];
    }
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  // A place in the audit log to look from.
  mark() {
    return this.auditLines().length;
  }

  // The first line after `mark` whose fields are those of `wanted`.
  async audited(mark, wanted, timeoutMs = DEADLINE_MS) {
    let lines = [];
    return until(
      () => {
        lines = this.auditLines().slice(mark);
        return lines.find((line) => matches(line, wanted));
      },
      () =>
        `an audit line ${JSON.stringify(wanted)}; there are:\n` +
        lines.map((line) => JSON.stringify(line)).join('\n'),
      timeoutMs,
    );
  }

  // The process that holds the keys: a child of the one that was started.
  get broker() {
    return brokerOf(this.pid);
  }

  // Process ids of the workers: its other children.
  workers() {
    return workersOf(this.pid);
  }
}

// The children of a process, each with the verb that it was started with.
function childrenOf(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map((child) => {
    try {
      return { pid: Number(child), verb: readFileSync(`/proc/${child}/cmdline`, 'latin1').split('\0')[1] };
    } catch {
      return { pid: Number(child), verb: undefined }; // it has gone meanwhile
    }
  });
}

export function brokerOf(pid) {
  return childrenOf(pid).find((child) => child.verb === 'broker')?.pid;
}

export function workersOf(pid) {
  return childrenOf(pid).filter((child) => child.verb === 'worker').map((child) => child.pid);
}

// Stops gates and services, all of them, and then reports the first fault.
export async function stopAll(...things) {
  const results = await Promise.allSettled(things.map((thing) => thing?.stop()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

// Resident set of a process in bytes.
export function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) * 1024;
}

// Processor time a process has used, in seconds.
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

// A surface in its simplest form; `more` overrides or adds keys.
export function surface(socketPath, more = {}) {
  return {
    why: 'a test',
    can_do: 'whatever the test needs',
    listen: ['localhost:0'],
    upstream: { socket: socketPath },
    ...more,
  };
}

// A surface that passes any message on one WebSocket route, for tests of the relay itself.
export function opaqueSurface(socketPath, { route = {}, ...more } = {}) {
  return surface(socketPath, {
    dialect: 'opaque',
    routes: [{ path: '/ws', kind: 'websocket', binary: true, ...route }],
    ...more,
  });
}
