// A service behind the gate that understands nothing: it keeps every byte that
// reaches it, in the order in which they came, and answers with bytes that a test
// has written down. What it takes for a request is one head, as the gate writes
// them, with the body that its head announces; the tests compare the bytes.
import net from 'node:net';

import { close, listen } from './listening.mjs';

const HEAD_END = '\r\n\r\n';

export const PLAIN_ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

// Where the message at the start of `text` ends, or undefined as long as it does not.
function messageEnd(text) {
  const head = text.indexOf(HEAD_END);
  if (head < 0) return undefined;
  const body = head + HEAD_END.length;
  const length = /\r\nContent-Length: (\d+)\r\n/.exec(text.slice(0, head + 2));
  if (length) return text.length >= body + Number(length[1]) ? body + Number(length[1]) : undefined;
  if (!/\r\nTransfer-Encoding: chunked\r\n/.test(text.slice(0, head + 2))) return body;
  for (let at = body; ; ) {
    const line = /^([0-9a-f]+)\r\n/.exec(text.slice(at));
    if (!line) return undefined;
    const end = at + line[0].length + parseInt(line[1], 16) + 2;
    if (text.length < end) return undefined;
    if (parseInt(line[1], 16) === 0) return end;
    at = end;
  }
}

export class RawHttpService {
  constructor(socketPath) {
    this.socketPath = socketPath;
    this.open = new Set();
    this.forget();
  }

  // Forgets what was recorded; every request is answered with PLAIN_ANSWER again.
  forget() {
    this.text = ''; // all bytes, as latin1
    this.requestCount = 0;
    this.connectionCount = 0;
    this.answer = () => ({ bytes: PLAIN_ANSWER });
    this.early = undefined; // called when a head has come, whatever its body
  }

  // Closes what is idle, so that the next request comes on a connection of its own.
  reset() {
    for (const socket of this.open) socket.destroy();
  }

  #answer(socket, request) {
    const { bytes, close = false } = this.answer(request, socket);
    socket.write(Buffer.from(bytes, 'latin1'));
    if (close) socket.end();
  }

  #accept(socket) {
    let pending = '';
    let head = false;
    this.connectionCount++;
    this.open.add(socket);
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      this.text += text;
      pending += text;
      if (this.early && !head && pending.includes(HEAD_END)) {
        head = true;
        this.early(socket);
        return;
      }
      for (let end = messageEnd(pending); !this.early && end; end = messageEnd(pending)) {
        this.requestCount++;
        this.#answer(socket, pending.slice(0, end));
        pending = pending.slice(end);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.open.delete(socket));
  }

  async start() {
    this.server = net.createServer((socket) => this.#accept(socket));
    await listen(this.server, this.socketPath);
    return this;
  }

  async stop() {
    if (!this.server) return;
    await close(this.server, this.open);
    this.server = undefined;
  }
}
