// A stand-in for the real service: a WebSocket and HTTP/1.1 server on a Unix
// socket that records everything that reaches it. By default it echoes; each
// handler can be replaced to make it misbehave.
//
//   connect(peer)                a connection was accepted
//   request(peer, request)       a whole HTTP request: {line, method, target, headers, body}
//   message(peer, data, opcode)  a whole WebSocket message
//   frame(peer, frame)           every frame, before anything else; true: handled
//   end(peer)                    the connection is over
//
// Run on its own: node websocket_service.mjs SOCKET
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { pathToFileURL } from 'node:url';

import { FrameParser, OPCODE, acceptKey, closePayload, encodeFrame } from './frames.mjs';
import { close, listen } from './listening.mjs';

const HEAD_END = Buffer.from('\r\n\r\n');

export function parseHead(text) {
  const [line, ...rows] = text.split('\r\n');
  const [method, target] = line.split(' ');
  const headers = rows.map((row) => {
    const colon = row.indexOf(':');
    return [row.slice(0, colon).toLowerCase(), row.slice(colon + 1).trim()];
  });
  return { line, method, target, headers };
}

export class Peer {
  constructor(service, socket) {
    this.service = service;
    this.socket = socket;
    this.byteCount = 0;
    this.requests = [];
    this.messages = []; // {opcode, data}
    this.frames = []; // {opcode, fin, length}
    this.pongs = [];
    this.faults = []; // what the other side did against RFC 6455
    this.close = undefined; // {code, reason} of the close frame received
    this.ended = false;
    this.upgraded = false;
    this.#pending = Buffer.alloc(0);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => (this.error = error.code));
    // Peers that got a half-close are done unless a handler holds them.
    socket.on('close', () => {
      this.ended = true;
      service.handlers.end?.(this);
      service.emit('end', this);
    });
  }

  #pending;
  #parser = new FrameParser();
  #parts = [];
  #opcode = 0;

  get request() {
    return this.requests.at(-1);
  }

  header(name) {
    return this.request.headers.find(([key]) => key === name)?.[1];
  }

  #receive(chunk) {
    this.byteCount += chunk.length;
    this.service.byteCount += chunk.length;
    if (this.upgraded) {
      this.#parser.push(chunk);
      this.#readFrames();
      return;
    }
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const end = this.#pending.indexOf(HEAD_END);
      if (end < 0 || this.upgraded) return;
      const request = parseHead(this.#pending.subarray(0, end).toString('latin1'));
      const length = Number(request.headers.find(([name]) => name === 'content-length')?.[1] ?? 0);
      const whole = end + 4 + length;
      if (this.#pending.length < whole) return;
      request.body = Buffer.from(this.#pending.subarray(end + 4, whole));
      this.#pending = this.#pending.subarray(whole);
      this.requests.push(request);
      this.service.emit('request', this, request);
      this.service.handlers.request(this, request);
    }
  }

  #readFrames() {
    for (let frame = this.#parser.next(); frame; frame = this.#parser.next()) {
      this.frames.push({ opcode: frame.opcode, fin: frame.fin, length: frame.payload.length });
      if (!frame.masked) this.faults.push('unmasked frame');
      if (frame.rsv) this.faults.push('reserved bits');
      if (this.close) this.faults.push('data after close');
      if (this.service.handlers.frame?.(this, frame)) continue;
      if (frame.opcode === OPCODE.close) {
        this.close = { code: frame.code, reason: frame.reason };
        if (!this.closing) this.sendClose(frame.code);
        this.socket.end();
      } else if (frame.opcode === OPCODE.ping) {
        this.sendFrame({ opcode: OPCODE.pong, payload: frame.payload });
      } else if (frame.opcode === OPCODE.pong) {
        this.pongs.push(frame.payload.toString('latin1'));
      } else {
        this.#readData(frame);
      }
      this.service.emit('frame', this, frame);
    }
  }

  #readData(frame) {
    if ((frame.opcode === OPCODE.continuation) !== this.#parts.length > 0) {
      this.faults.push('continuation out of place');
    }
    if (frame.opcode !== OPCODE.continuation) this.#opcode = frame.opcode;
    this.#parts.push(frame.payload);
    if (!frame.fin) return;
    const data = Buffer.concat(this.#parts);
    this.#parts = [];
    if (this.service.keepMessages) this.messages.push({ opcode: this.#opcode, data });
    this.service.messageCount++;
    this.service.handlers.message(this, data, this.#opcode);
    this.service.emit('message', this, data, this.#opcode);
  }

  // Answers the upgrade with 101 and, if any was offered, the first subprotocol.
  accept(extraHeaders = []) {
    const offered = this.header('sec-websocket-protocol')?.split(',')[0].trim();
    const rows = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptKey(this.header('sec-websocket-key'))}`,
      ...(offered ? [`Sec-WebSocket-Protocol: ${offered}`] : []),
      ...extraHeaders,
    ];
    this.upgraded = true;
    this.socket.write(rows.join('\r\n') + '\r\n\r\n');
    if (this.#pending.length > 0) {
      this.#parser.push(this.#pending);
      this.#pending = Buffer.alloc(0);
      this.#readFrames();
    }
  }

  respond(status, body, type = 'application/json') {
    const bytes = Buffer.from(body);
    this.socket.write(
      `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    this.socket.write(bytes);
  }

  send(data, opcode = OPCODE.text) {
    return this.sendFrame({ opcode, payload: data });
  }

  sendFrame(frame) {
    return this.socket.write(encodeFrame(frame));
  }

  sendClose(code, reason) {
    this.closing = true;
    this.sendFrame({ opcode: OPCODE.close, payload: closePayload(code, reason) });
  }

  // Ends the connection without a close frame; unread bytes make it a reset.
  reset() {
    this.socket.destroy();
  }
}

export class WebSocketService extends EventEmitter {
  constructor(socketPath, handlers = {}) {
    super();
    this.socketPath = socketPath;
    this.defaults = {
      request: (peer) => peer.accept(),
      message: (peer, data, opcode) => peer.send(data, opcode),
    };
    this.handlers = { ...this.defaults, ...handlers };
    this.keepMessages = true;
    this.forget();
  }

  // Replaces handlers from now on; those not named get their defaults again.
  behave(handlers = {}) {
    this.handlers = { ...this.defaults, ...handlers };
  }

  // Forgets what was recorded.
  forget() {
    this.peers = [];
    this.connectionCount = 0;
    this.byteCount = 0;
    this.messageCount = 0;
  }

  async start() {
    this.open = new Set();
    this.server = net.createServer((socket) => {
      this.connectionCount++;
      const peer = new Peer(this, socket);
      this.open.add(peer);
      socket.on('close', () => this.open.delete(peer));
      this.peers.push(peer);
      this.handlers.connect?.(peer);
      this.emit('peer', peer);
    });
    await listen(this.server, this.socketPath);
    return this;
  }

  async stop() {
    if (!this.server) return;
    await close(this.server, [...this.open].map((peer) => peer.socket));
    this.server = undefined;
  }

  get last() {
    return this.peers.at(-1);
  }

  get faults() {
    return this.peers.flatMap((peer) => peer.faults);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await new WebSocketService(process.argv[2]).start();
}
