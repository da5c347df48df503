// An MCP service whose tool calls are answered as a test says, or not at all. By its paths it
// speaks every kind of HTTP that MCP has: /json, /stream (a stream for each POST), /later (a stream
// with an event to go on from, which ends; the answer comes to a GET), /sse and /messages. What it
// is told is kept in `seen`, the call that waits is `call`.
import http from 'node:http';

import { close, listen } from './listening.mjs';

const EVENTS = { 'content-type': 'text/event-stream' };
const JSON_TYPE = { 'content-type': 'application/json' };

export class EndingService {
  constructor(socketPath) {
    this.socketPath = socketPath;
    this.forget();
    this.session = (count) => `session-${count}`;
    this.opened = 0;
    this.streams = new Map();
    this.sockets = new Set();
    this.notified = (response) => response.writeHead(202).end();
  }

  forget() {
    this.seen = [];
    this.call = undefined;
    this.holdsBack = false; // it does not begin what a call is answered with
    this.readsAtMost = Infinity; // of a request; more is not taken
  }

  async start() {
    this.server = http.createServer((request, response) => {
      this.#handle(request, response).catch(() => {}); // the other side has left
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await listen(this.server, this.socketPath);
  }

  // Of its connections only those stay on which it sends the events of HTTP+SSE.
  hangUp() {
    const stay = new Set([...this.streams.values()].map((response) => response.socket));
    for (const socket of this.sockets) if (!stay.has(socket)) socket.destroy();
  }

  stop() {
    this.server.closeAllConnections();
    return close(this.server, []);
  }

  // Whether it was told that nobody waits for that request.
  cancelled(id) {
    return this.seen.some(
      ({ message }) => message.method === 'notifications/cancelled' && message.params.requestId === id,
    );
  }

  // How much of what was said nobody has taken.
  #connection(response) {
    const { socket } = response;
    return {
      unsent: () => socket.writableLength,
      gone: () => socket.destroy(),
      left: new Promise((resolve) => response.on('close', resolve)),
    };
  }

  // The ways in which a call's stream goes on, or ends.
  #events(response) {
    return {
      ...this.#connection(response),
      say: (text) => response.write(`data: ${text}\n\n`),
      start: (text) => response.write(`data: ${text}`),
      error: () => response.write('event: error\ndata: {"message":"no"}\n\n'),
      end: () => response.end(),
    };
  }

  #get(request, response) {
    const resumes = request.headers['last-event-id'] !== undefined;
    if (this.holdsBack && resumes) {
      this.call = this.#connection(response);
      return;
    }
    response.writeHead(200, EVENTS);
    if (request.url === '/sse') {
      const where = `/messages?sessionId=${++this.opened}`;
      response.write(`event: endpoint\ndata: ${where}\n\n`);
      this.streams.set(where, response);
    } else {
      response.write(': here\n\n');
      if (resumes) this.call = this.#events(response);
    }
  }

  #wait(request, response, id) {
    if (request.url === '/json') {
      this.call = {
        ...this.#connection(response),
        say: (text) => response.writeHead(200, JSON_TYPE).end(text),
        start: (text) => response.writeHead(200, { ...JSON_TYPE, 'content-length': text.length + 1 }).write(text),
        end: () => response.writeHead(200, JSON_TYPE).end(),
      };
    } else if (this.holdsBack && request.url !== '/later') {
      this.call = this.#connection(response);
    } else if (request.url.startsWith('/messages')) {
      response.writeHead(202).end();
      this.call = this.#events(this.streams.get(request.url));
    } else {
      response.writeHead(200, EVENTS);
      if (request.url === '/later') response.end(`id: event-${id}\ndata:\n\n`);
      else response.write(': wait\n\n');
      if (request.url !== '/later') this.call = this.#events(response);
    }
  }

  async #handle(request, response) {
    if (Number(request.headers['content-length'] ?? 0) > this.readsAtMost) {
      this.call = { ...this.#connection(response), wake: () => request.resume() };
      return;
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method === 'GET') return this.#get(request, response);
    if (request.method === 'DELETE') return response.writeHead(200).end();
    const message = JSON.parse(Buffer.concat(chunks));
    this.seen.push({ path: request.url, session: request.headers['mcp-session-id'], message });
    if (message.id === undefined || message.method === undefined) return this.notified(response);
    if (message.method !== 'initialize') return this.#wait(request, response, message.id);
    const { protocolVersion } = message.params;
    const result = { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'ends', version: '1' } };
    const id = this.session(++this.opened);
    const named = id === undefined ? {} : { 'mcp-session-id': id };
    return response
      .writeHead(200, { ...JSON_TYPE, ...named })
      .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  }
}
