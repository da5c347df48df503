// A client that says exactly the bytes it is told to: for requests and frames
// that no library would send.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';

import { FrameParser, OPCODE, acceptKey, closePayload, encodeFrame } from '../../services/frames.mjs';
import { parseHead } from '../../services/websocket_service.mjs';
import { open as connections } from './hang_up.mjs';
import { until, within } from './wait.mjs';

export class Raw {
  #bytes = Buffer.alloc(0);
  #parser; // once upgraded

  // Options: host, and for clients that stop reading, allowHalfOpen and paused.
  static async connect(port, { host = '127.0.0.1', paused = false } = {}) {
    const socket = net.connect({ port, host, allowHalfOpen: true });
    await within(
      new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      }),
      `a connection to ${host}:${port}`,
    );
    return new Raw(socket, paused);
  }

  constructor(socket, paused) {
    this.socket = socket;
    socket.unref(); // a failed test must not keep the program from ending
    connections.set(this, () => this.destroy());
    this.ended = false; // the other side will send nothing more
    this.frames = [];
    socket.on('error', (error) => {
      this.error = error.code;
      this.ended = true;
    });
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => {
      this.ended = true;
      connections.delete(this);
    });
    if (!paused) this.read();
  }

  // Starts reading; a paused client calls this when it has had enough of waiting.
  read() {
    this.socket.on('data', (chunk) => {
      if (this.#parser) this.#parse(chunk);
      else this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
  }

  #parse(chunk) {
    this.#parser.push(chunk);
    for (let frame = this.#parser.next(); frame; frame = this.#parser.next()) {
      this.frames.push(frame);
    }
  }

  // What was received and not yet read as a response.
  get pending() {
    return this.#bytes;
  }

  send(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  sendFrame(frame) {
    this.send(encodeFrame({ mask: true, ...frame }));
  }

  sendClose(code, reason) {
    this.sendFrame({ opcode: OPCODE.close, payload: closePayload(code, reason) });
  }

  // Reads one response: {status, line, headers, header(name), body, json}.
  async response(timeoutMs) {
    await until(
      () => this.#bytes.includes('\r\n\r\n') || this.ended,
      'a response head',
      timeoutMs,
    );
    const end = this.#bytes.indexOf('\r\n\r\n');
    assert.ok(end >= 0, `the connection ended instead of answering (${this.error ?? 'closed'})`);
    const head = parseHead(this.#bytes.subarray(0, end).toString('latin1'));
    const header = (name) => head.headers.find(([key]) => key === name)?.[1];
    const status = Number(head.line.split(' ')[1]);
    const response = { status, line: head.line, headers: head.headers, header };
    if (status === 101) {
      const rest = this.#bytes.subarray(end + 4);
      this.#bytes = Buffer.alloc(0);
      this.#parser = new FrameParser();
      if (rest.length > 0) this.#parse(rest);
      return response;
    }
    const length = header('content-length');
    const whole = length === undefined ? undefined : end + 4 + Number(length);
    await until(
      () => this.ended || (whole !== undefined && this.#bytes.length >= whole),
      'the body of a response',
      timeoutMs,
    );
    const bodyEnd = whole ?? this.#bytes.length;
    response.body = this.#bytes.subarray(end + 4, bodyEnd).toString();
    this.#bytes = this.#bytes.subarray(bodyEnd);
    if (/json/.test(header('content-type') ?? '')) response.json = JSON.parse(response.body);
    return response;
  }

  // Reads one interim answer, 100 Continue.
  async interim() {
    const line = 'HTTP/1.1 100 Continue\r\n\r\n';
    await until(() => this.#bytes.length >= line.length || this.ended, 'an interim answer');
    assert.equal(this.#bytes.subarray(0, line.length).toString('latin1'), line);
    this.forget(line.length);
  }

  // Takes bytes off the front of what is pending.
  forget(length) {
    this.#bytes = this.#bytes.subarray(length);
  }

  // Waits for the other side to end the connection.
  async gone(timeoutMs) {
    await until(() => this.ended, 'the end of the connection', timeoutMs);
  }

  // Takes the next frame received.
  async frame(timeoutMs) {
    await until(() => this.frames.length > 0 || this.ended, 'a frame', timeoutMs);
    assert.ok(this.frames.length > 0, 'the connection ended instead of sending a frame');
    return this.frames.shift();
  }

  // The close frame, passing over whatever comes before it.
  async closeFrame(timeoutMs) {
    const find = () => this.frames.find((frame) => frame.opcode === OPCODE.close);
    await until(() => find() || this.ended, 'a close frame', timeoutMs);
    const frame = find();
    assert.ok(frame, 'the connection ended without a close frame');
    return frame;
  }

  // Waits for the end, answering a close frame as a client should; the close
  // frame, or undefined if there was none.
  async over(timeoutMs) {
    const find = () => this.frames.find((frame) => frame.opcode === OPCODE.close);
    await until(() => find() || this.ended, 'a close frame or the end', timeoutMs);
    if (find() && !this.ended) this.sendFrame({ opcode: OPCODE.close, payload: find().payload });
    await this.gone(timeoutMs);
    return find();
  }

  destroy() {
    this.socket.destroy();
  }
}

// The bytes of a request. `headers` is a list of [name, value] rows as they
// shall stand; those that every request has can be left out by naming them in
// `without` or replaced by naming them in `headers`.
export function requestText({
  method = 'GET',
  path = '/ws',
  version = 'HTTP/1.1',
  host,
  token,
  headers = [],
  without = [],
  upgrade = true,
  body = '',
}) {
  const standard = [['Host', host]];
  if (upgrade) {
    standard.push(
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Key', randomBytes(16).toString('base64')],
      ['Sec-WebSocket-Version', '13'],
    );
  }
  if (token) standard.push(['Authorization', `Bearer ${token}`]);
  const dropped = new Set(without.map((name) => name.toLowerCase()));
  for (const [name] of headers) dropped.add(name.toLowerCase());
  const rows = [...standard.filter(([name]) => !dropped.has(name.toLowerCase())), ...headers];
  return (
    `${method} ${path} ${version}\r\n` +
    rows.map(([name, value]) => `${name}: ${value}\r\n`).join('') +
    `\r\n${body}`
  );
}

// Sends one request to a surface of a gate and reads the answer: {raw, response}.
export async function request(gate, surface, options = {}) {
  const port = gate.port(surface);
  const raw = await Raw.connect(port, { host: options.address });
  raw.send(requestText({ host: `localhost:${port}`, ...options }));
  return { raw, response: await raw.response() };
}

// A WebSocket through the gate on a raw socket, opened.
export async function open(gate, surface, options = {}) {
  const key = randomBytes(16).toString('base64');
  const { raw, response } = await request(gate, surface, {
    ...options,
    headers: [...(options.headers ?? []), ['Sec-WebSocket-Key', key]],
  });
  assert.equal(response.status, 101, `upgrade refused: ${response.line} ${response.body}`);
  assert.equal(response.header('sec-websocket-accept'), acceptKey(key));
  return Object.assign(raw, { upgrade: response });
}

// Sends a request that must be denied with this status and reason, in the
// answer and in the audit log, and the connection must end.
export async function denied(gate, surface, options, status, reason) {
  const mark = gate.mark();
  const { raw, response } = await request(gate, surface, options);
  assertProblem(response, status, reason);
  await raw.gone();
  raw.destroy();
  const line = await gate.audited(mark, { event: 'denied', reason });
  return { response, line };
}

// A problem document as the contract has it.
export function assertProblem(response, status, reason) {
  assert.equal(response.status, status, `${response.line} ${response.body}`);
  assert.match(response.line, /^HTTP\/1\.1 /);
  assert.equal(response.header('content-type'), 'application/problem+json');
  assert.equal(response.json.status, status);
  assert.equal(response.json.reason, reason);
  assert.equal(typeof response.json.detail, 'string');
  assert.match(response.json.request_id, /\S/);
  if (status === 401) assert.match(response.header('www-authenticate'), /^Bearer\b/);
}
