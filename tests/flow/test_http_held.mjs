// Answers that are held until they were vetted: whole at every size, for clients
// that read late, and from services that say more than they announced.
import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { Gate, scratchDir, surface } from './lib/gate.mjs';
import { keepAlive } from './lib/http.mjs';
import { call, post } from './lib/mcp_http.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { sameWorkers } from './lib/same_workers.mjs';
import { until } from './lib/wait.mjs';

const READ_BYTES = 64 * 1024; // what the gate reads of a service at once
const LARGE_BYTES = 3 * 1024 * 1024; // more than a client that does not read is sent
const POISON = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
let gate;
let token;

before(async () => {
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      mcp: surface(service.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/mcp', kind: 'mcp-http' }],
        allow: { verbs: ['tools/call'] },
        limits: { max_message_bytes: 4 * 1024 * 1024 },
      }),
    },
  });
  ({ token } = await gate.session('mcp'));
});

sameWorkers(() => gate, service);

const echo = (id) => call(id, 'tools/call', { name: 'echo' });

// An answer to call 1 of exactly so many bytes, with all that a text may hold.
function answerOf(bytes) {
  const around = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: '' }] } });
  const piece = 'a "quoted" word,\n\\ and \t; naïve → 😀 0123456789 '.repeat(1 + Math.floor(bytes / 50));
  let text = JSON.stringify(piece).slice(1, -1);
  const room = bytes - around.length;
  text = Buffer.from(text).subarray(0, Math.max(0, room - 16)).toString();
  text = text.replace(/\ufffd+$/, '').replace(/\\+$/, '');
  text += 'x'.repeat(room - Buffer.byteLength(text));
  return around.replace('"text":""', `"text":"${text}"`);
}

function answerWith(body, { announced = Buffer.byteLength(body), chunked = false } = {}) {
  service.routes['/mcp'] = async (exchange) => {
    await exchange.whole;
    const framing = chunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', announced];
    const size = Buffer.byteLength(body).toString(16);
    const framed = chunked ? `${size}\r\n${body}\r\n0\r\n\r\n` : body;
    const head = ['HTTP/1.1 200 OK', 'Content-Type: application/json', framing.join(': ')].join('\r\n');
    exchange.socket.write(`${head}\r\n\r\n${framed}`);
    exchange.end();
  };
}

describe('a held answer', () => {
  const sizes = [100, 1000, READ_BYTES - 90, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 77, LARGE_BYTES];

  for (const bytes of sizes) {
    it(`of ${bytes} bytes arrives as it was sent`, async () => {
      const body = answerOf(bytes);
      assert.equal(Buffer.byteLength(body), bytes);
      for (const chunked of [false, true]) {
        answerWith(body, { chunked });
        const answer = await post(gate, 'mcp', echo(1), { token });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-length'], String(bytes));
        assert.ok(answer.body === body, 'the same bytes');
      }
    });
  }

  it('that nobody may have does not arrive, however large', async () => {
    answerWith(answerOf(3 * READ_BYTES).replace('"id":1', '"id":2'));
    const answer = await post(gate, 'mcp', echo(1), { token });
    assert.deepEqual([answer.json.id, answer.json.error.data.reason], [1, 'response_unexpected']);
    assert.ok(answer.bytes.length < 1000);
  });

  it('is kept for a client that reads late', async () => {
    const body = answerOf(LARGE_BYTES);
    const message = JSON.stringify(echo(1));
    answerWith(body);
    const raw = await Raw.connect(gate.port('mcp'), { paused: true });
    raw.send(
      requestText({
        host: `localhost:${gate.port('mcp')}`,
        token,
        upgrade: false,
        method: 'POST',
        path: '/mcp',
        headers: [
          ['Content-Type', 'application/json'],
          ['Content-Length', message.length],
        ],
        body: message,
      }),
    );
    await until(() => service.last?.answered, 'the service to answer');
    answerWith(answerOf(100));
    assert.equal((await post(gate, 'mcp', echo(1), { token })).status, 200, 'others are served');
    raw.read();
    const response = await raw.response();
    assert.equal(response.status, 200);
    assert.ok(response.body.toString() === body, 'the same bytes');
  });
});

describe('bytes after a held answer', () => {
  for (const bytes of [100, READ_BYTES, 3 * READ_BYTES]) {
    for (const surplus of [' ', POISON]) {
      it(`of ${bytes} bytes, ${surplus.length} of them, are no answer to the next request`, async () => {
        const agent = keepAlive();
        const body = answerOf(bytes);
        answerWith(body + surplus, { announced: bytes });
        const first = await post(gate, 'mcp', echo(1), { token, agent });
        assert.ok(first.body === body, 'the same bytes');
        answerWith(answerOf(200));
        const second = await post(gate, 'mcp', echo(1), { token, agent });
        assert.equal(second.body, answerOf(200));
        const [one, two] = service.requests.map((request) => request.socket);
        assert.ok(one !== two, 'on a link of its own');
        agent.destroy();
      });
    }
  }
});
