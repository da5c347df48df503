// Joins two sockets: whatever comes to one address goes to another, both ways.
// For tools that know only ports or services that know only ports.
import net from 'node:net';

import { close, listen } from './listening.mjs';

export class Pipe {
  // Each an argument of net.listen and net.connect: {path} or {host, port}.
  constructor(from, to) {
    this.from = from;
    this.to = to;
    this.sockets = new Set();
  }

  async start() {
    this.server = net.createServer({ allowHalfOpen: true }, (near) => {
      const far = net.connect({ ...this.to, allowHalfOpen: true });
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ]) {
        this.sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await listen(this.server, this.from);
    return this;
  }

  get port() {
    return this.server.address().port;
  }

  async stop() {
    if (!this.server) return;
    await close(this.server, this.sockets);
    this.server = undefined;
  }
}
