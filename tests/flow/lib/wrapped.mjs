// `sidelock wrap` with a command: what it says, its gate, its end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { NOBODY } from './as_uid.mjs';
import { SIDELOCK, scratchDir } from './gate.mjs';
import { keep } from './kept.mjs';
import { alive, treeOf } from './launched.mjs';
import { PEOPLE } from './tree.mjs';
import { until, within } from './wait.mjs';

export const service = (name) => fileURLToPath(new URL(`../../services/${name}`, import.meta.url));
const terminal = fileURLToPath(new URL('terminal.py', import.meta.url));
const END_MS = 30_000;

// Where whoever runs a test may run it: the build may lie where only its owner can.
let copy;
export function sidelockFor(who) {
  if (who.uid === process.getuid()) return SIDELOCK;
  copy ??= path.join(scratchDir(), 'sidelock');
  chmodSync(path.dirname(copy), 0o755);
  if (!existsSync(copy)) copyFileSync(SIDELOCK, copy);
  return copy;
}

// What tests share: a runtime directory, in which several are beside each other.
export function runtimeDir(who = PEOPLE[0]) {
  const dir = scratchDir();
  if (who.uid !== process.getuid()) chownSync(dir, NOBODY, NOBODY);
  return dir;
}

export class Wrapped {
  // `options` are wrap's own; at a terminal of its own if `atTerminal` says so; `hold`: its input is silent, and open.
  constructor(command, { options = [], runtime = runtimeDir(), env = {}, input, hold = false, atTerminal = false, who = PEOPLE[0], cwd } = {}) {
    this.runtime = runtime;
    this.who = who;
    this.text = '';
    this.stdout = '';
    const ready = atTerminal ? [] : ['--ready-fd', '3'];
    const whole = [...who.prefix, sidelockFor(who), 'wrap', ...ready, ...options, '--', ...command.map(String)];
    const [file, ...args] = atTerminal ? ['python3', terminal, ...whole] : whole;
    this.child = spawn(file, args, {
      cwd,
      env: { ...process.env, XDG_RUNTIME_DIR: runtime, ...env },
      stdio: [atTerminal || hold || input !== undefined ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    });
    this.child.stdout.on('data', (chunk) => {
      this.stdout += chunk;
      this.text += chunk;
    });
    this.child.stderr.on('data', (chunk) => (this.text += chunk));
    if (input !== undefined) this.child.stdin.end(input);
    this.child.stdio[3].on('data', (chunk) => (this.line = (this.line ?? '') + chunk));
    this.child.stdio[3].on('error', () => {});
    this.child.stdio[4].on('data', (chunk) => (this.report = (this.report ?? '') + chunk));
    this.done = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.ended = { code, signal };
        resolve(this.ended);
      });
    });
    keep(this);
  }

  get pid() {
    return this.child.pid;
  }

  said(pattern, timeoutMs = END_MS) {
    return until(
      () => {
        const found = pattern.exec(this.text);
        if (!found && this.ended) throw new Error(`it ended without ${pattern}:\n${this.text}`);
        return found;
      },
      () => `${pattern} of:\n${this.text}`,
      timeoutMs,
    );
  }

  // Waits until the gate is there: the port, and the control socket.
  async ready() {
    await until(
      () => {
        if (this.ended) throw new Error(`it ended before it was ready:\n${this.text}`);
        return this.line?.endsWith('\n') || (this.line === undefined && /to come in: [^\n]*\n[^\n]*\n/.test(this.text));
      },
      () => `readiness of:\n${this.text}`,
      END_MS,
    );
    this.control = /SIDELOCK_CONTROL=(\S+)/.exec(this.text)[1];
    this.port = Number(/localhost:(\d+) is the gate's/.exec(this.text)[1]);
    this.surface = path.basename(path.dirname(this.control)).replace(/-\d+$/, '');
    return this;
  }

  // A program as whoever it runs as: nobody else may.
  async as(command, input = '') {
    const [file, ...args] = [...this.who.prefix, ...command];
    const child = spawn(file, args, { cwd: '/', env: { ...process.env, SIDELOCK_CONTROL: this.control } });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => (said[name] += chunk));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
    said.code = await within(new Promise((resolve) => child.on('close', resolve)), command.join(' '));
    return said;
  }

  get program() {
    return sidelockFor(this.who);
  }

  cli(...args) {
    return this.as([this.program, ...args]);
  }

  async token() {
    const { stdout, stderr } = await this.cli('session', 'create', this.surface);
    assert.notEqual(stdout, '', stderr);
    return stdout.trim();
  }

  // GET at one of the two addresses: {status, text}.
  async get(target = '/', { token, host = '127.0.0.1' } = {}) {
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${this.port}${target}`;
    const header = token ? `Authorization: Bearer ${token}\n` : '';
    const { stdout, stderr } = await this.as(['curl', '-gsS', '--max-time', '20', '-w', '\n%{http_code}', '-H', '@-', '-H', `Host: localhost:${this.port}`, url], header);
    const end = stdout.lastIndexOf('\n');
    assert.ok(end >= 0, stderr);
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }

  // It as tests of a gate take one.
  get gate() {
    return {
      port: () => this.port,
      addresses: () => [`127.0.0.1:${this.port}`, `[::1]:${this.port}`],
      stderr: this.text,
      doJson: async (...args) => JSON.parse((await this.cli(...args, '--json')).stdout),
    };
  }

  // The options that would permit what it was refused, as it is told.
  get hints() {
    return [...this.text.matchAll(/to permit it, (--allow-\S+) (\S+)$/gm)].map(([, option, value]) => [option, value]);
  }

  // From now on the terminal takes nothing.
  deafen() {
    this.child.stdio[3].write('deaf\n');
  }

  tree() {
    return treeOf(this.pid);
  }

  type(text) {
    this.child.stdin.write(text);
  }

  resize(rows, columns) {
    this.child.stdio[3].write(`size ${rows} ${columns}\n`);
  }

  // The exit code, once all of these processes are gone.
  async end(pids = []) {
    const { code } = await within(this.done, () => `the end of:\n${this.text}`, END_MS);
    await until(() => alive(pids).length === 0, () => `the end of ${alive(pids)}:\n${this.text}`);
    return code;
  }

  async stop() {
    if (!this.ended) this.child.kill('SIGTERM');
    await this.end();
    assert.doesNotMatch(this.text, /AddressSanitizer|runtime error:|LeakSanitizer/);
  }
}
