// A launched tree: the program sidelock_launch with one service, what it says, and what it is told.
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, copyFileSync, existsSync, openSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';

import { NOBODY } from './as_uid.mjs';
import { SIDELOCK, scratchDir } from './gate.mjs';
import { until, within } from './wait.mjs';

// Where whoever runs a test may run these: the build may lie where only its owner can.
const dir = scratchDir();
chmodSync(dir, 0o755);
const program = (name) => {
  const file = path.join(dir, name);
  if (!existsSync(file)) copyFileSync(path.join(path.dirname(SIDELOCK), 'tests', name), file);
  return file;
};

export const hostile = (way, argument = '0') => [program('hostile_service'), way, String(argument)];
export const executions = (...words) => [program('sidelock_executions'), ...words.map(String)];
export const reaching = (...words) => [program('reaching_service'), ...words.map(String)];
// Before a program: it runs as where landlock(7) has this version.
export const oldKernel = (version) => [program('sidelock_oldkernel'), String(version)];
export const staticService = (port) => [program('static_service'), String(port)];

// As whom the launcher runs: both are promised.
export const PEOPLE =
  process.getuid() === 0
    ? [
        { name: 'root', uid: 0, prefix: [] },
        { name: 'an ordinary user', uid: NOBODY, prefix: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] },
      ]
    : [{ name: 'an ordinary user', uid: process.getuid(), prefix: [] }];

const running = new Set();
process.on('exit', () => {
  for (const tree of running) tree.child.kill('SIGKILL');
});

export class Tree {
  // `who` is one of PEOPLE; `options` are the program's own.
  constructor(command, { who = PEOPLE[0], options = [], env = {}, directory = '/' } = {}) {
    const [file, ...args] = [...who.prefix, program('sidelock_launch'), `--directory=${directory}`, ...options, '--', ...command];
    // The fourth descriptor is one that its parent left open: nobody of the tree is to have it.
    const left = openSync('/dev/null', 'r');
    const stdio = ['pipe', 'pipe', 'pipe', left];
    this.child = spawn(file, args, { cwd: '/', stdio, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env } });
    closeSync(left);
    this.events = [];
    this.stderr = '';
    running.add(this);
    let rest = '';
    this.child.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      this.events.push(...lines.map((line) => JSON.parse(line)));
    });
    this.child.stderr.on('data', (chunk) => (this.stderr += chunk));
    this.child.stdin.on('error', () => {}); // it may have ended
    this.done = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        running.delete(this);
        this.code = code ?? signal;
        resolve(this);
      });
    });
  }

  get log() {
    return `${this.events.map((event) => JSON.stringify(event)).join('\n')}\n${this.stderr}`;
  }

  tell(line) {
    this.child.stdin.write(`${line}\n`);
  }

  // The first event that `matches`, of those that come after the first `from`.
  event(matches, { from = 0, timeoutMs = 60_000 } = {}) {
    return until(
      () => {
        const found = this.events.slice(from).find(matches);
        if (!found && this.code !== undefined) throw new Error(`it ended: ${this.log}`);
        return found;
      },
      () => `an event of ${this.log}`,
      timeoutMs,
    );
  }

  // The event of a TCP port that is ready; any if none is named.
  port(port) {
    return this.event((event) => event.event === 'port' && event.protocol === 'tcp' && (port === undefined || event.port === port));
  }

  // Waits until the service has said this on its standard error or output.
  said(text, timeoutMs = 60_000) {
    return until(
      () => {
        if (this.stderr.includes(text)) return true;
        if (this.code !== undefined) throw new Error(`it ended without ${text}: ${this.log}`);
        return false;
      },
      () => `${text} of ${this.log}`,
      timeoutMs,
    );
  }

  // All ports that it has now.
  async list() {
    const from = this.events.length;
    this.tell('list');
    await this.event((event) => event.event === 'listed', { from });
    return this.events.slice(from).filter((event) => event.event === 'port');
  }

  // A Unix socket that leads to the port.
  async expose(port) {
    const socketPath = path.join(scratchDir(), 'port.sock');
    if (process.getuid() === 0) chmodSync(path.dirname(socketPath), 0o777);
    const from = this.events.length;
    this.tell(`expose ${port} ${socketPath}`);
    await this.event((event) => event.event === 'exposed', { from });
    return socketPath;
  }

  // How long connecting took, so often one after the other.
  async dial(port, count) {
    const from = this.events.length;
    this.tell(`dial ${port} ${count}`);
    return this.event((event) => event.event === 'dialed', { from });
  }

  // Waits for its end: {code, signal, why}.
  async end(timeoutMs = 60_000) {
    await within(this.done, () => `the end of ${this.log}`, timeoutMs);
    return this.events.find((event) => event.event === 'ended');
  }

  kill() {
    this.tell('kill');
    return this.end(10_000);
  }
}

// GET through a Unix socket: {status, body}.
export function get(socketPath, target = '/', { headers = { host: 'localhost' }, method = 'GET', body } = {}) {
  const answered = new Promise((resolve, reject) => {
    const request = http.request({ socketPath, path: target, headers, method, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
  return within(answered, `an answer to ${target}`, 30_000);
}

// Whether anybody takes a connection to the port in the host's own network, at loopback of either family.
export async function openOutside(port) {
  const tries = ['127.0.0.1', '::1'].map(
    (host) =>
      new Promise((resolve) => {
        const probe = net.connect({ host, port });
        probe.on('connect', () => {
          probe.destroy();
          resolve(true);
        });
        probe.on('error', () => resolve(false));
      }),
  );
  return (await Promise.all(tries)).includes(true);
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '::', () => server.close(() => resolve(true)));
  });
}

// A port that nobody has, in either family, and that the kernel gives to nobody who asks for any:
// what is found open there is a leak.
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) return port;
  }
}
