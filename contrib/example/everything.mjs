// A real MCP server behind a WebSocket on a private Unix socket, for
// contrib/quickstart:
//
//     node everything.mjs [--ready-fd N] SOCKET
//
// The server is server-everything, which speaks over its standard input and
// output; supergateway puts it on a WebSocket at /message. supergateway itself
// only knows ports, so its one listen() is given the socket instead.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';

const given = process.argv.slice(2);
const readyFd = given[0] === '--ready-fd' ? Number(given[1]) : undefined;
const socket = given.at(-1);
if (given.length !== (readyFd === undefined ? 1 : 3)) {
  console.error('usage: node everything.mjs [--ready-fd N] SOCKET');
  process.exit(64);
}

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  this.once('listening', () => {
    if (readyFd === undefined) return;
    fs.writeSync(readyFd, 'ready\n');
    fs.closeSync(readyFd);
  });
  return listen.call(this, socket, ...rest);
};

const { resolve } = createRequire(import.meta.url);
const gateway = resolve('supergateway/dist/index.js');
process.env.EVERYTHING = resolve('@modelcontextprotocol/server-everything/dist/index.js');
process.env.NODE = process.execPath;
process.argv = [
  process.execPath,
  gateway,
  ...['--stdio', 'exec "$NODE" "$EVERYTHING" stdio'],
  ...['--outputTransport', 'ws', '--messagePath', '/message', '--port', '1'],
];
await import(gateway);
