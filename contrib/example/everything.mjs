// A real MCP server on a private Unix socket, for contrib/quickstart:
//
//     node everything.mjs [--http] [--ready-fd N] SOCKET
//
// The server is server-everything. With --http it speaks Streamable HTTP at /mcp.
// Without, it speaks over its standard input and output, and supergateway puts it
// on a WebSocket at /message. Both know ports, so their one listen() is given the
// socket instead.
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';

const given = process.argv.slice(2);
const http = given[0] === '--http' && given.shift() !== undefined;
const readyFd = given[0] === '--ready-fd' ? Number(given[1]) : undefined;
const socket = given.at(-1);
if (given.length !== (readyFd === undefined ? 1 : 3)) {
  console.error('usage: node everything.mjs [--http] [--ready-fd N] SOCKET');
  process.exit(64);
}

// The server expects it to be global, which it is from Node 20 on.
globalThis.crypto ??= webcrypto;

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
const everything = resolve('@modelcontextprotocol/server-everything/dist/index.js');
const gateway = resolve('supergateway/dist/index.js');
process.env.EVERYTHING = everything;
process.env.NODE = process.execPath;
process.argv = http
  ? [process.execPath, everything, 'streamableHttp']
  : [
      process.execPath,
      gateway,
      ...['--stdio', 'exec "$NODE" "$EVERYTHING" stdio'],
      ...['--outputTransport', 'ws', '--messagePath', '/message', '--port', '1'],
    ];
await import(http ? everything : gateway);
