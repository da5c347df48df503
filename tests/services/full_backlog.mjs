// A service that hangs before it accepts anybody: as many wait at its socket as may.
import { spawn } from 'node:child_process';
import { unlinkSync } from 'node:fs';
import net from 'node:net';

const PROGRAM = `require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => console.log('up'))`;
const WAITING_MAX = 64;

// Whether it found a place to wait in.
function waits(socket) {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
}

// {stop()}: the socket is gone then, too.
export async function fullBacklog(socketPath) {
  const child = spawn(process.execPath, ['-e', PROGRAM, socketPath]);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const waiting = [];
  await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), exited]);
  child.kill('SIGSTOP');
  do waiting.push(net.connect(socketPath));
  while ((await waits(waiting.at(-1))) && waiting.length < WAITING_MAX);
  return {
    stop: async () => {
      for (const socket of waiting) socket.destroy();
      child.kill('SIGKILL');
      await exited;
      unlinkSync(socketPath);
      if (waiting.length === WAITING_MAX) throw new Error('there was always room for one more');
    },
  };
}
