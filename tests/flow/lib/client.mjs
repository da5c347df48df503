// A well-behaved WebSocket client (the `ws` package) with what it received in a queue.
import assert from 'node:assert/strict';

import WebSocket from 'ws';

import { open } from './hang_up.mjs';
import { until, within } from './wait.mjs';

// The upgrade was answered with something other than 101.
export class Refused extends Error {
  constructor(status, headers, body) {
    super(`the upgrade was answered ${status} ${body}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
    this.reason = /^\{/.test(body) ? JSON.parse(body).reason : undefined;
  }
}

export class Client {
  // Options: token, ticket, protocols, headers, address (default localhost), `tls`
  // ({ca, cert, key, ...}: speak TLS), and `ws` for the package's own options.
  static async open(gate, surface, path, options = {}) {
    const host = options.address ?? 'localhost';
    const url = `${options.tls ? 'wss' : 'ws'}://${host}:${gate.port(surface)}${path}`;
    const headers = { ...options.headers };
    if (options.token) headers.authorization = `Bearer ${options.token}`;
    const protocols = [...(options.protocols ?? [])];
    if (options.ticket) protocols.push(`sidelock.ticket.${options.ticket}`);
    const socket = new WebSocket(url, protocols, {
      headers,
      perMessageDeflate: false,
      ...options.tls,
      ...options.ws,
    });
    const client = new Client(socket);
    await within(client.opened, `an answer from ${url}`);
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    this.messages = []; // Buffer or string as received
    this.pings = [];
    this.pongs = [];
    this.closed = undefined; // {code, reason}
    open.set(this, () => this.terminate());
    socket.on('message', (data, binary) => this.messages.push(binary ? data : data.toString()));
    socket.on('ping', (data) => this.pings.push(data.toString('latin1')));
    socket.on('pong', (data) => this.pongs.push(data.toString('latin1')));
    socket.on('close', (code, reason) => {
      open.delete(this);
      this.closed = { code, reason: reason.toString() };
    });
    this.opened = new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
      socket.on('unexpected-response', (request, response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          request.destroy();
          const body = Buffer.concat(chunks).toString();
          reject(new Refused(response.statusCode, response.headers, body));
        });
      });
    });
  }

  send(data) {
    this.socket.send(data);
  }

  sendJson(message) {
    this.send(JSON.stringify(message));
  }

  // Takes the next message.
  async next(timeoutMs) {
    await until(() => this.messages.length > 0 || this.closed, 'a message', timeoutMs);
    assert.ok(this.messages.length > 0, `closed instead: ${JSON.stringify(this.closed)}`);
    return this.messages.shift();
  }

  async nextJson(timeoutMs) {
    return JSON.parse(await this.next(timeoutMs));
  }

  async close(code = 1000, reason = '') {
    this.socket.close(code, reason);
    return this.end();
  }

  // Waits for the connection to be over: {code, reason, at}.
  async end(timeoutMs) {
    return until(() => this.closed, 'the close of a connection', timeoutMs);
  }

  terminate() {
    this.socket.terminate();
  }
}
