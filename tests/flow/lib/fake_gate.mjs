// A gate as `sidelock connect` sees it, under a test's control: a control socket
// that makes sessions, and one HTTP route whose answers the test gives.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

import { Connected } from './stdio.mjs';
import { until } from './wait.mjs';

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export class FakeGate {
  // `answer(request, response)` gets each request, with `text`, `message` (parsed), and
  // `token`; every one is kept in `requests`.
  // `tls` is {cert, key, pin}: what it shows, and what it says that it shows.
  constructor(dir, answer, { tls } = {}) {
    this.tls = tls;
    this.control = path.join(dir, `control-${randomBytes(4).toString('hex')}.sock`);
    this.answer = answer;
    this.requests = [];
    this.asked = []; // of the control socket: "POST /v1/sessions"
    this.tokens = 0;
    this.renewal = 200; // status of the next renewals
  }

  async start() {
    const front = (request, response) => this.#front(request, response);
    this.front = this.tls ? https.createServer(this.tls, front) : http.createServer(front);
    this.front.on('tlsClientError', () => {});
    await new Promise((resolve) => this.front.listen(0, '127.0.0.1', resolve));
    this.back = http.createServer((request, response) => this.#control(request, response));
    await new Promise((resolve) => this.back.listen(this.control, resolve));
    return this;
  }

  get address() {
    return `127.0.0.1:${this.front.address().port}`;
  }

  async stop() {
    this.front.closeAllConnections();
    this.back.closeAllConnections();
    await Promise.all([this.front, this.back].map((server) => new Promise((resolve) => server.close(resolve))));
  }

  async #front(request, response) {
    request.text = await body(request).catch(() => '');
    request.message = request.text ? JSON.parse(request.text) : undefined;
    request.token = /^Bearer (.*)$/.exec(request.headers.authorization)?.[1];
    this.requests.push(request);
    response.on('error', () => {});
    this.answer(request, response, this);
  }

  async #control(request, response) {
    await body(request);
    this.asked.push(`${request.method} ${request.url}`);
    let status = 200;
    let document = {};
    if (request.url === '/v1/surfaces') {
      const routes = [{ path: '/mcp', kind: 'mcp-http', subprotocols: [] }];
      const row = { name: 's', listen: [this.address], tls: !!this.tls, hosts: [], routes };
      document = { surfaces: [{ ...row, certificate_sha256: this.tls?.pin ?? null, max_message_bytes: 65536, max_answer_bytes: 65536 }] };
    } else if (request.method === 'POST') {
      const renewing = request.url.endsWith('/renew');
      status = renewing ? this.renewal : 201;
      this.tokens += 1;
      document = status < 300 ? { id: 'f00', token: `token-${this.tokens}` } : { detail: 'no' };
    }
    const text = JSON.stringify(document);
    const headers = { 'content-type': 'application/json', 'content-length': text.length };
    response.writeHead(status, { ...headers, connection: 'close' });
    response.end(text);
  }

  connect(...args) {
    return new Connected(['s', '--control', this.control, ...args]);
  }

  // Requests that carried this method of JSON-RPC.
  posts(method) {
    return this.requests.filter(({ message }) => message?.method === method);
  }

  seen(fits, what) {
    return until(() => this.requests.find(fits), () => `${what}; there were ${this.requests.map((r) => `${r.method} ${r.text}`).join('\n')}`);
  }
}

export function json(response, value, { status = 200, headers = {} } = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

export function result(id, value = {}) {
  return { jsonrpc: '2.0', id, result: value };
}

// Answers the handshake of the older revisions, and 405 to GET; true if it did.
export function handshake(request, response, { session = 'mcp-1', version = '2025-11-25' } = {}) {
  const { method, id } = request.message ?? {};
  if (method === 'initialize') {
    const value = { protocolVersion: version, capabilities: {}, serverInfo: { name: 'f', version: '1' } };
    json(response, result(id, value), { headers: session ? { 'mcp-session-id': session } : {} });
  } else if (method === 'notifications/initialized' || request.method === 'DELETE') {
    response.writeHead(request.method === 'DELETE' ? 200 : 202).end();
  } else if (request.method === 'GET') {
    response.writeHead(405).end();
  } else {
    return false;
  }
  return true;
}
