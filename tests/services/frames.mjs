// A WebSocket frame codec (RFC 6455 section 5) that will also write frames
// that no well-behaved peer would: tests need both.
import { createHash, randomBytes } from 'node:crypto';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

// The Sec-WebSocket-Accept value for a key (RFC 6455 section 4.2.2).
export function acceptKey(key) {
  return createHash('sha1').update(key + HANDSHAKE_GUID).digest('base64');
}

function applyMask(payload, key) {
  const out = Buffer.allocUnsafe(payload.length);
  for (let i = 0; i < payload.length; i++) out[i] = payload[i] ^ key[i & 3];
  return out;
}

// Encodes one frame. `mask` is true for a random key, a 4-byte Buffer for that
// key, or false. `declaredLength` (a BigInt) lies about the payload's length.
export function encodeFrame({
  fin = true,
  rsv = 0,
  opcode = OPCODE.text,
  payload = Buffer.alloc(0),
  mask = false,
  declaredLength,
} = {}) {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  const length = declaredLength ?? BigInt(body.length);
  const key = mask === true ? randomBytes(4) : mask;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const masked = key ? 0x80 : 0;
  let head;
  if (length < 126n) {
    head = Buffer.from([first, masked | Number(length)]);
  } else if (length < 65536n) {
    head = Buffer.from([first, masked | 126, 0, 0]);
    head.writeUInt16BE(Number(length), 2);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = masked | 127;
    head.writeBigUInt64BE(length, 2);
  }
  return key ? Buffer.concat([head, key, applyMask(body, key)]) : Buffer.concat([head, body]);
}

export function closePayload(code, reason = '') {
  if (code === undefined) return Buffer.alloc(0);
  const text = Buffer.from(reason);
  const out = Buffer.alloc(2 + text.length);
  out.writeUInt16BE(code, 0);
  text.copy(out, 2);
  return out;
}

// Takes bytes as they come and hands out whole frames:
// {fin, rsv, opcode, masked, payload}, and for a close frame {code, reason}.
export class FrameParser {
  #chunks = [];
  #size = 0;

  push(chunk) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  get buffered() {
    return this.#size;
  }

  #flatten() {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  next() {
    if (this.#size < 2) return null;
    if (this.#chunks[0].length < 14) this.#flatten();
    const head = this.#chunks[0];
    const masked = (head[1] & 0x80) !== 0;
    let length = head[1] & 0x7f;
    let offset = 2;
    if (length === 126) {
      if (head.length < 4) return null;
      length = head.readUInt16BE(2);
      offset = 4;
    } else if (length === 127) {
      if (head.length < 10) return null;
      length = Number(head.readBigUInt64BE(2));
      offset = 10;
    }
    const end = offset + (masked ? 4 : 0) + length;
    if (this.#size < end) return null;
    const bytes = this.#flatten();
    let payload = bytes.subarray(end - length, end);
    if (masked) payload = applyMask(payload, bytes.subarray(offset, offset + 4));
    this.#size -= end;
    this.#chunks = this.#size > 0 ? [bytes.subarray(end)] : [];
    const frame = {
      fin: (bytes[0] & 0x80) !== 0,
      rsv: (bytes[0] >> 4) & 7,
      opcode: bytes[0] & 0x0f,
      masked,
      payload,
    };
    if (frame.opcode === OPCODE.close) {
      frame.code = payload.length >= 2 ? payload.readUInt16BE(0) : undefined;
      frame.reason = payload.subarray(2).toString();
    }
    return frame;
  }
}
