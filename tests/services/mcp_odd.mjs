// An MCP service over Streamable HTTP that does what no specification says, as services do. How it
// answers a message is `methods[method]`, a function of (message, response, request); the handshake
// and an echo it knows by itself. What reached it is kept in `seen`.
import http from 'node:http';

import { close, listen } from './listening.mjs';

export const json = (response, value, { status = 200, headers = {} } = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

export const result = (id, value) => ({ jsonrpc: '2.0', id, result: value });

export const initialized = (message, more = {}) =>
  result(message.id, {
    protocolVersion: message.params.protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'odd', version: '1' },
    ...more,
  });

export class OddService {
  constructor(socketPath) {
    this.socketPath = socketPath;
    this.behave();
  }

  behave(methods = {}) {
    this.seen = [];
    this.methods = {
      initialize: (message, response) => json(response, initialized(message)),
      'notifications/initialized': (message, response) => response.writeHead(202).end(),
      'tools/call': (message, response) =>
        json(response, result(message.id, { content: [{ type: 'text', text: 'done' }] })),
      ...methods,
    };
  }

  async start() {
    this.server = http.createServer((request, response) => {
      this.#handle(request, response).catch(() => {}); // the other side has left
    });
    await listen(this.server, this.socketPath);
  }

  stop() {
    this.server.closeAllConnections();
    return close(this.server, []);
  }

  async #handle(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method !== 'POST') return response.writeHead(405).end();
    const message = JSON.parse(Buffer.concat(chunks));
    this.seen.push({ message, headers: request.headers });
    const act = message.method === undefined ? this.methods.answer : this.methods[message.method];
    return act ? act(message, response, request) : response.writeHead(404).end();
  }
}
