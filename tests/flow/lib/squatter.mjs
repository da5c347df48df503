// A process of another user that listens on a Unix socket and keeps what it is told.
// Only root can start one.
import { spawn } from 'node:child_process';
import { chownSync } from 'node:fs';
import path from 'node:path';

import { until, within } from './wait.mjs';

const SCRIPT = `
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      console.log('heard ' + chunk.toString('hex'));
      socket.end();
    });
  });
  server.listen(process.argv[1], () => console.log('ready'));
`;

export class Squatter {
  #lines = '';

  // Listens at `socket`, whose directory that user must be able to write.
  static async start(uid, socket) {
    const squatter = new Squatter();
    squatter.child = spawn(
      'setpriv',
      ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', process.execPath, '-e', SCRIPT, socket],
      { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    squatter.child.stdout.on('data', (chunk) => (squatter.#lines += chunk));
    await until(() => squatter.#lines.startsWith('ready'), 'a squatter on a socket');
    return squatter;
  }

  // The same, but afterwards the socket and its directory are root's: only the kernel still
  // knows who listens.
  static async startBehindRoot(uid, socket) {
    chownSync(path.dirname(socket), uid, uid);
    const squatter = await Squatter.start(uid, socket);
    chownSync(path.dirname(socket), 0, 0);
    chownSync(socket, 0, 0);
    return squatter;
  }

  // All that it has been told, as one text.
  get heard() {
    return this.#lines
      .split('\n')
      .filter((line) => line.startsWith('heard '))
      .map((line) => Buffer.from(line.slice('heard '.length), 'hex').toString('latin1'))
      .join('');
  }

  // What it was told comes by a way of its own, later perhaps than what came of it.
  hears(text) {
    return until(() => this.heard.includes(text), () => `${text} in what it heard: ${this.heard}`);
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await within(ended, 'the squatter to end');
  }
}
