// A plain HTTP/1.1 service on a Unix socket for tests of the relay. It records
// every request that reaches it and writes its answers byte by byte, so that a
// test knows exactly what passed and can answer as no library would.
//
// A route is a function of an Exchange, called when the head has arrived; the
// body follows. `service.routes['/path']` adds or replaces one.
//
// Run on its own: node http_service.mjs SOCKET
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { pathToFileURL } from 'node:url';

import { close, listen } from './listening.mjs';
import { parseHead } from './websocket_service.mjs';

const HEAD_END = Buffer.from('\r\n\r\n');
const KEPT_BYTES = 4096;
const BLOCK = Buffer.alloc(64 * 1024, 'sidelock ');

// The body of /range: every byte tells its place.
export const RANGE_BODY = Array.from({ length: 1000 }, (_, i) => String(i % 10)).join('');

const REASONS = { 200: 'OK', 204: 'No Content', 206: 'Partial Content', 304: 'Not Modified' };

// Takes the bytes of a chunked body (RFC 9112 section 7.1) as they come and
// hands out what they carry; `done` after the last, `rest` is what follows.
class ChunkedReader {
  #pending = Buffer.alloc(0);
  #left = 0; // bytes of the current chunk and its line end
  #trailers = false;
  done = false;

  push(bytes, take) {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (!this.done && this.#pending.length > 0) {
      if (this.#left > 0) {
        const data = Math.min(Math.max(this.#left - 2, 0), this.#pending.length);
        if (data > 0) take(this.#pending.subarray(0, data));
        const gone = data > 0 ? data : Math.min(this.#left, this.#pending.length);
        this.#left -= gone;
        this.#pending = this.#pending.subarray(gone);
        continue;
      }
      const end = this.#pending.indexOf('\r\n');
      if (end < 0) return;
      const line = this.#pending.subarray(0, end).toString('latin1');
      this.#pending = this.#pending.subarray(end + 2);
      if (this.#trailers) {
        this.done = line === '';
      } else {
        const size = parseInt(line, 16);
        if (size > 0) this.#left = size + 2;
        else this.#trailers = true;
      }
    }
  }

  get rest() {
    return this.#pending;
  }
}

// One request and the answer to it.
export class Exchange {
  #hash = createHash('sha256');
  #reader;
  #left = 0;

  constructor(service, socket, head, connection) {
    this.service = service;
    this.socket = socket;
    Object.assign(this, head); // line, method, target, headers
    this.connection = connection; // its number, from 1
    const url = new URL(this.target, 'http://service');
    this.path = url.pathname;
    this.query = url.searchParams;
    this.bodyBytes = 0;
    this.sha256 = undefined; // once the body is whole
    this.aborted = false; // the connection went before the answer was complete
    this.answered = false;
    if (/chunked/i.test(this.header('transfer-encoding') ?? '')) this.#reader = new ChunkedReader();
    else this.#left = Number(this.header('content-length') ?? 0);
    this.whole = new Promise((resolve) => (this.#finish = resolve));
    this.done = new Promise((resolve) => (this.#end = resolve));
  }

  #finish;
  #end;
  #kept = [];

  // The body, of a small request that is whole.
  text() {
    return Buffer.concat(this.#kept).toString();
  }

  // The first header of that name.
  header(name) {
    return this.headers.find(([key]) => key === name)?.[1];
  }

  // Takes bytes of the body; returns those that are not of it.
  take(bytes) {
    const count = (data) => {
      this.bodyBytes += data.length;
      if (this.bodyBytes <= KEPT_BYTES) this.#kept.push(Buffer.from(data));
      this.#hash.update(data);
    };
    let rest;
    if (this.#reader) {
      this.#reader.push(bytes, count);
      if (!this.#reader.done) return undefined;
      rest = this.#reader.rest;
    } else {
      const data = bytes.subarray(0, this.#left);
      count(data);
      this.#left -= data.length;
      if (this.#left > 0) return undefined;
      rest = bytes.subarray(data.length);
    }
    this.sha256 = this.#hash.digest('hex');
    this.#finish(this);
    return rest;
  }

  // Writes and waits while the other side does not read.
  async write(bytes) {
    if (this.socket.destroyed || this.socket.write(bytes)) return;
    await new Promise((resolve) => {
      const over = () => {
        this.socket.off('drain', over);
        this.socket.off('close', over);
        resolve();
      };
      this.socket.on('drain', over);
      this.socket.on('close', over);
    });
  }

  head(status, headers = [], version = 'HTTP/1.1') {
    const rows = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    return this.write(`${version} ${status} ${REASONS[status] ?? 'Status'}\r\n${rows}\r\n`);
  }

  // A whole answer; HEAD gets its head only.
  async respond(status, headers, body = '') {
    const bytes = Buffer.from(body);
    const bare = status === 204 || status === 304;
    await this.head(status, bare ? headers : [...headers, ['Content-Length', bytes.length]]);
    if (this.method !== 'HEAD' && !bare) await this.write(bytes);
    this.end();
  }

  json(value, headers = []) {
    const body = JSON.stringify(value);
    return this.respond(200, [['Content-Type', 'application/json'], ...headers], body);
  }

  // The answer is complete; the connection may carry the next request.
  end() {
    this.answered = true;
    this.#end();
  }

  // The answer is complete when the connection is.
  close() {
    this.answered = true;
    this.socket.end();
    this.#end();
  }

  lost() {
    if (!this.answered) this.aborted = true;
    this.#end();
  }
}

const text = [['Content-Type', 'text/plain']];

async function big(exchange) {
  const size = Number(exchange.query.get('bytes'));
  const untilClose = exchange.query.has('close');
  await exchange.head(200, [
    ['Content-Type', 'application/octet-stream'],
    ...(untilClose ? [['Connection', 'close']] : [['Content-Length', size]]),
  ]);
  if (exchange.method === 'HEAD') return exchange.end();
  for (let sent = 0; sent < size && !exchange.socket.destroyed; sent += BLOCK.length) {
    await exchange.write(BLOCK.subarray(0, Math.min(BLOCK.length, size - sent)));
    exchange.sent = Math.min(sent + BLOCK.length, size);
  }
  return untilClose ? exchange.close() : exchange.end();
}

async function range(exchange) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(exchange.header('range') ?? '');
  const rows = [...text, ['Accept-Ranges', 'bytes'], ['ETag', '"range"']];
  if (exchange.header('if-none-match') === '"range"') return exchange.respond(304, rows);
  if (!match) return exchange.respond(200, rows, RANGE_BODY);
  const from = Number(match[1]);
  const to = match[2] === '' ? RANGE_BODY.length - 1 : Number(match[2]);
  rows.push(['Content-Range', `bytes ${from}-${to}/${RANGE_BODY.length}`]);
  return exchange.respond(206, rows, RANGE_BODY.slice(from, to + 1));
}

async function sse(exchange) {
  await exchange.head(200, [
    ['Content-Type', 'text/event-stream'],
    ['Cache-Control', 'no-store'],
  ]);
  await exchange.write('event: hello\ndata: {}\n\n');
  exchange.service.streams.add(exchange);
  exchange.socket.on('close', () => exchange.service.streams.delete(exchange));
}

const ROUTES = {
  '/echo': async (exchange) => {
    const { method, target, headers, bodyBytes, sha256 } = await exchange.whole;
    return exchange.json({ method, target, headers, bodyBytes, sha256 });
  },
  '/sink': async (exchange) => {
    const { bodyBytes, sha256 } = await exchange.whole;
    return exchange.json({ bodyBytes, sha256 });
  },
  '/big': big,
  '/range': range,
  '/sse': sse,
  '/chunked': async (exchange) => {
    await exchange.head(200, [...text, ['Transfer-Encoding', 'chunked']]);
    for (const part of ['5;x=y\r\nfirst\r\n1', '\r\n,\r', '\n7\r\n second', '\r\n0\r\nX-Trailer: 1\r\n\r\n']) {
      await exchange.write(part);
    }
    exchange.end();
  },
  '/close': async (exchange) => {
    await exchange.head(200, [...text, ['Connection', 'close']]);
    await exchange.write('until the end');
    exchange.close();
  },
  '/http10': async (exchange) => {
    await exchange.head(200, text, 'HTTP/1.0');
    await exchange.write('an old answer');
    exchange.close();
  },
  '/early': (exchange) => exchange.respond(403, [...text, ['Connection', 'close']], 'not that'),
  '/hints': async (exchange) => {
    await exchange.head(100);
    await exchange.head(103, [['Link', '</style.css>; rel=preload']]);
    return exchange.respond(200, text, 'after the hints');
  },
  '/slow': async (exchange) => {
    await exchange.service.released();
    return exchange.respond(200, text, 'at last');
  },
  '/stall': async (exchange) => {
    await exchange.head(200, [...text, ['Content-Length', 100]]);
    await exchange.write('only this much');
  },
  '/truncated': async (exchange) => {
    await exchange.head(200, [...text, ['Content-Length', 100]]);
    await exchange.write('only this much');
    exchange.close();
  },
  '/gone': (exchange) => exchange.socket.destroy(),
  '/redirect': (exchange) =>
    exchange.respond(302, [['Location', `http://${exchange.header('host')}/echo?moved=1`]]),
  '/cookies': (exchange) =>
    exchange.respond(200, [['Set-Cookie', 'a=1; Path=/'], ['Set-Cookie', 'b=2; HttpOnly']]),
  '/hop': (exchange) =>
    exchange.respond(200, [
      ['Connection', 'X-Hop'],
      ['X-Hop', 'no'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Authenticate', 'Basic'],
      ['X-End', 'yes'],
    ]),
  '/json': (exchange) => {
    const here = exchange.header('host');
    const item = { id: 'π', websocket_url: `ws://${here}/ws?secret=1`, note: `http://${here}/x` };
    return exchange.json(exchange.query.has('list') ? [item, { ...item, id: 2 }] : item);
  },
};

export class HttpService extends EventEmitter {
  #release;

  constructor(socketPath) {
    super();
    this.socketPath = socketPath;
    this.routes = { ...ROUTES };
    this.streams = new Set(); // open exchanges of /sse
    this.open = new Set();
    this.forget();
    this.hold();
  }

  // Forgets what was recorded.
  forget() {
    this.requests = [];
    this.connectionCount = 0;
    this.byteCount = 0; // of requests, heads and bodies
  }

  get last() {
    return this.requests.at(-1);
  }

  // Lets /slow answer; `hold` makes later ones wait again.
  release() {
    this.#release();
  }

  hold() {
    this.#gate = new Promise((resolve) => (this.#release = resolve));
  }

  #gate;

  released() {
    return this.#gate;
  }

  // Writes an event to every open stream.
  event(data) {
    for (const stream of this.streams) stream.socket.write(`data: ${data}\n\n`);
  }

  #handle(exchange) {
    const status = /^\/status\/(\d{3})$/.exec(exchange.path);
    const missing = (one) => one.respond(404, text, 'no such route');
    const route = status
      ? (one) => one.respond(Number(status[1]), text, `status ${status[1]}`)
      : (this.routes[exchange.path] ?? missing);
    Promise.resolve(route(exchange)).catch((error) => {
      if (!exchange.socket.destroyed) exchange.socket.destroy(error);
    });
  }

  #accept(socket) {
    const number = ++this.connectionCount;
    let pending = Buffer.alloc(0);
    let current; // whose body is still coming
    let turn = Promise.resolve(); // answers in the order of requests
    this.open.add(socket);
    const live = new Set();
    const read = (bytes) => {
      if (current) {
        const rest = current.take(bytes);
        if (rest === undefined) return;
        current = undefined;
        pending = Buffer.alloc(0);
        bytes = rest;
      }
      pending = Buffer.concat([pending, bytes]);
      const end = pending.indexOf(HEAD_END);
      if (end < 0) return;
      const head = parseHead(pending.subarray(0, end).toString('latin1'));
      const rest = pending.subarray(end + HEAD_END.length);
      current = new Exchange(this, socket, head, number);
      const exchange = current;
      live.add(exchange);
      this.requests.push(exchange);
      turn = turn.then(() => {
        this.#handle(exchange);
        return exchange.done;
      });
      turn.then(() => live.delete(exchange));
      this.emit('request', exchange);
      read(rest);
    };
    socket.on('data', (bytes) => {
      this.byteCount += bytes.length;
      read(bytes);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.open.delete(socket);
      for (const exchange of live) exchange.lost();
    });
  }

  async start() {
    this.server = net.createServer((socket) => this.#accept(socket));
    await listen(this.server, this.socketPath, 4096);
    return this;
  }

  async stop() {
    if (!this.server) return;
    await close(this.server, this.open);
    this.server = undefined;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await new HttpService(process.argv[2]).start();
}
