// An MCP service that takes every handle from whoever knows it, as services do that keep no
// sessions apart: tasks, endpoints of HTTP+SSE that lie in the path, events to go on from. What
// reached it is kept, so that a test knows what passed.
import http from 'node:http';

import { close, listen } from './listening.mjs';

const result = (id, value) => ({ jsonrpc: '2.0', id, result: value });

export class BearerService {
  constructor(socketPath) {
    this.socketPath = socketPath;
    this.seen = []; // {path, message}
    this.tasks = new Map(); // id -> status
    this.streams = new Map(); // endpoint -> response
    this.events = []; // {id, data}, of all streams
    this.endpoint = (number) => `/messages/S${number}`;
    this.says = undefined; // what a POST to /mcp is answered with before its own answer
  }

  async start() {
    this.server = http.createServer((request, response) => this.#handle(request, response));
    await listen(this.server, this.socketPath);
  }

  stop() {
    this.server.closeAllConnections();
    return close(this.server, []);
  }

  // Methods that reached it, in order.
  get methods() {
    return this.seen.map(({ message }) => message.method);
  }

  // What is answered to a message; nothing to an answer or notification.
  answer(message) {
    const { id, method, params } = message;
    if (method === undefined || id === undefined) return undefined;
    const task = params?.taskId;
    if (method === 'tools/call' && params.name === 'slow') {
      const made = `task-${this.tasks.size + 1}`;
      this.tasks.set(made, 'working');
      return result(id, { resultType: 'task', taskId: made, task: { taskId: made, status: 'working' } });
    }
    if (method === 'tasks/list') {
      return result(id, { tasks: [...this.tasks].map(([taskId, status]) => ({ taskId, status })) });
    }
    if (method === 'tasks/cancel') this.tasks.set(task, 'cancelled');
    if (task !== undefined) return result(id, { taskId: task, status: this.tasks.get(task) });
    return result(id, {});
  }

  // Writes a message to a stream, as an event to go on from.
  event(stream, message) {
    const event = { id: `e-${this.events.length + 1}`, data: JSON.stringify(message) };
    this.events.push(event);
    stream.write(`id: ${event.id}\ndata: ${event.data}\n\n`);
  }

  async #handle(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const events = { 'content-type': 'text/event-stream' };
    if (request.method === 'GET') {
      response.writeHead(200, events);
      if (request.url.startsWith('/sse')) {
        const where = this.endpoint(this.streams.size + 1, request.headers.host);
        this.streams.set(where, response);
        response.write(`event: endpoint\ndata: ${where}\n\n`);
      } else {
        const from = this.events.findIndex(({ id }) => id === request.headers['last-event-id']);
        const missed = from < 0 ? [] : this.events.slice(from + 1);
        response.write(': here\n\n');
        for (const { id, data } of missed) response.write(`id: ${id}\ndata: ${data}\n\n`);
      }
      return;
    }
    const message = JSON.parse(Buffer.concat(chunks));
    const answer = this.answer(message);
    this.seen.push({ path: request.url, message });
    if (request.url !== '/mcp') {
      response.writeHead(202).end();
      const stream = this.streams.get(request.url);
      if (stream && answer) stream.write(`event: message\ndata: ${JSON.stringify(answer)}\n\n`);
    } else if (answer === undefined) {
      response.writeHead(202).end();
    } else {
      response.writeHead(200, events);
      for (const said of this.says ?? []) this.event(response, said);
      this.event(response, answer);
      response.end();
    }
  }
}
