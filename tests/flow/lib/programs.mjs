// Other people's programs, as real services behind the gate or real clients in
// front of it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { DEADLINE_MS, until, within } from './wait.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

// A file of an installed package, and one of ours behind the gate.
export const module = (name) => path.join(here, '../node_modules', name);
export const serviceFile = (name) => path.join(here, '../../services', name);

// A Node that is new enough for all of them; the tests' own may be older.
const packaged = module(`node-linux-${process.arch}/bin/node`);
export const NODE = existsSync(packaged) ? packaged : process.execPath;

// What a failed test may leave behind.
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Program {
  // `args` start with the program. Options: env, cwd, input (text for standard input,
  // which is closed after it; `open` leaves it open).
  constructor(args, { env = {}, cwd, input, stdin = 'ignore' } = {}) {
    const [command, ...rest] = args;
    this.name = path.basename(args.find((arg) => /\.[cm]?js$/.test(arg)) ?? command);
    this.child = spawn(command, rest, {
      env: { ...process.env, ...env },
      cwd,
      stdio: [input === undefined ? stdin : 'pipe', 'pipe', 'pipe'],
    });
    running.add(this.child);
    this.stdout = '';
    this.stderr = '';
    this.child.stdout.on('data', (chunk) => (this.stdout += chunk));
    this.child.stderr.on('data', (chunk) => (this.stderr += chunk));
    this.done = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        running.delete(this.child);
        this.code = code ?? signal;
        resolve(this);
      });
    });
    this.done.catch(() => {});
    if (input !== undefined) this.child.stdin.end(input);
  }

  get log() {
    return `${this.name}:\n${this.stdout}${this.stderr}`;
  }

  // Waits for the program to end by itself: this, with code, stdout and stderr.
  end(timeoutMs = 60_000) {
    return within(this.done, () => `the end of ${this.log}`, timeoutMs).catch((error) => {
      this.child.kill('SIGKILL');
      throw error;
    });
  }

  async stop() {
    if (this.code !== undefined) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), DEADLINE_MS);
    await this.done;
    clearTimeout(timer);
  }
}

function accepts(address) {
  return new Promise((resolve) => {
    const probe = net.connect(address);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}

// Starts a service and waits until it accepts connections at an address of
// net.connect, {path} or {host, port}.
export async function startService(args, address, options) {
  const program = new Program(args, options);
  await until(
    async () => {
      if (program.code !== undefined) throw new Error(`it ended: ${program.log}`);
      return accepts(address);
    },
    () => `a service: ${program.log}`,
    30_000,
  );
  return program;
}

// Runs a program to its end.
export function runProgram(args, options = {}) {
  return new Program(args, options).end(options.timeoutMs);
}

// server-everything on a Unix socket; transport is streamableHttp or sse.
export function startEverything(socketPath, transport) {
  const script = module('@modelcontextprotocol/server-everything/dist/index.js');
  return startService([NODE, script, transport], { path: socketPath }, {
    env: { PORT: socketPath },
  });
}

// Our server of both eras on a Unix socket.
export function startMcpV2(socketPath) {
  const script = serviceFile('mcp_v2_server.mjs');
  return startService([NODE, script, socketPath], { path: socketPath });
}
