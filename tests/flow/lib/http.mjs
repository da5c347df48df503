// A well-behaved HTTP client (node:http) with whole answers or streams of them.
import http from 'node:http';

import { open } from './hang_up.mjs';
import { until, within } from './wait.mjs';

// One connection, kept alive: requests given this agent follow each other on it.
export function keepAlive() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  open.set(agent, () => agent.destroy());
  return agent;
}

// Sends a request and returns its answer as soon as the head is there. Options:
// method, token, headers, body (text or bytes), address, agent; `send(request)`
// writes the body instead. The answer has `request` and what came before it in
// `hints`.
export async function start(gate, surface, path, options = {}) {
  const { method = 'GET', token, headers = {}, body, address = 'localhost', agent = false } = options;
  const request = http.request({
    host: address,
    port: gate.port(surface),
    path,
    method,
    agent,
    headers: {
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
  });
  open.set(request, () => request.destroy());
  request.on('close', () => open.delete(request));
  const hints = [];
  request.on('information', ({ statusCode, headers: rows }) => hints.push({ statusCode, rows }));
  request.on('continue', () => hints.push({ statusCode: 100 }));
  const answer = new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
  answer.catch(() => {});
  if (options.send) options.send(request);
  else request.end(body);
  const response = await within(answer, `an answer to ${method} ${path}`, options.timeoutMs);
  response.on('error', (error) => (response.failure = error.code));
  return Object.assign(response, { request, hints });
}

// Reads what is left of an answer: {status, headers, rawHeaders, trailers, bytes, body, json,
// complete}; complete is false if it was cut off.
export async function finish(response, timeoutMs) {
  const chunks = [];
  response.on('data', (chunk) => chunks.push(chunk));
  await until(() => response.closed || response.destroyed || response.complete, 'an answer', timeoutMs);
  await until(() => response.readableEnded || response.destroyed, 'the end of an answer');
  const bytes = Buffer.concat(chunks);
  const answer = {
    status: response.statusCode,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    trailers: response.trailers,
    hints: response.hints,
    complete: response.complete,
    bytes,
    body: bytes.toString(),
  };
  if (/json/.test(answer.headers['content-type'] ?? '') && bytes.length > 0) {
    answer.json = JSON.parse(answer.body);
  }
  return answer;
}

export async function ask(gate, surface, path, options) {
  return finish(await start(gate, surface, path, options), options?.timeoutMs);
}

// An answer that is a stream of server-sent events: what arrived, as text.
export class EventStream {
  static async open(gate, surface, path, options) {
    return new EventStream(await start(gate, surface, path, options));
  }

  constructor(response) {
    this.response = response;
    this.status = response.statusCode;
    this.headers = response.headers;
    this.text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk) => (this.text += chunk));
    response.on('close', () => (this.closed = true));
  }

  // Waits for text, and returns all of what came so far.
  async has(text, timeoutMs) {
    await until(() => this.text.includes(text), () => `${text} in:\n${this.text}`, timeoutMs);
    return this.text;
  }

  async end(timeoutMs) {
    await until(() => this.closed, 'the end of a stream', timeoutMs);
  }

  // The events so far: [{event, id, data}].
  get events() {
    return this.text
      .split(/\r?\n\r?\n/)
      .map((block) =>
        Object.fromEntries(
          block
            .split(/\r?\n/)
            .map((line) => /^(\w+): ?(.*)$/.exec(line))
            .filter(Boolean)
            .map(([, name, value]) => [name, value]),
        ),
      )
      .filter((event) => event.data !== undefined || event.id !== undefined);
  }

  close() {
    this.response.request.destroy();
  }
}
