// What is large and within the default limits passes over every transport, and holds up nobody else.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { Client } from './lib/client.mjs';
import { endingServices } from './lib/ending_services.mjs';
import { Gate, SANITIZED, cpuSeconds, scratchDir, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { finish, start } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import { call } from './lib/mcp_http.mjs';
import { Connected } from './lib/stdio.mjs';
import { pause, until } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const LONG = 120_000;
const PICTURE = 'QUJD'.repeat((70 * MIB) / 4);

let gate;
const { sockets, http } = endingServices(async (dir) => {
  const routes = ['/json', '/stream', '/later', '/sse', '/messages'].map((one) => ({ path: one, kind: 'mcp-http' }));
  const one = (kind) => [{ path: kind, kind: 'websocket' }];
  gate = await Gate.start(dir, {
    surfaces: {
      http: surface(http.socketPath, { dialect: 'mcp', routes }),
      stdio: surface(http.socketPath, { dialect: 'mcp', routes: [routes[0]] }),
      mcp: surface(sockets.socketPath, { dialect: 'mcp', routes: one('/ws') }),
      cdp: surface(sockets.socketPath, { dialect: 'cdp', routes: one('/ws') }),
    },
  });
  return gate;
});

const answer = (id, value = PICTURE, base = { jsonrpc: '2.0' }) =>
  JSON.stringify({ ...base, id, result: { data: '$' } }).replace('"$"', () => `"${value}"`);

const posting = (message, token, session) => ({
  method: 'POST',
  token,
  timeoutMs: LONG,
  headers: {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {}),
  },
  body: JSON.stringify(message),
});
const echo = (id) => call(id, 'tools/call', { name: 'echo' });

async function session(where, token) {
  const opened = await finish(await start(gate, 'http', where, posting(call(0, 'initialize', {
    protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' },
  }), token)));
  return opened.headers['mcp-session-id'];
}

// The bytes of a stream, as they come, until a text ends them.
async function bytes(response, end) {
  const chunks = [];
  let last = '';
  response.on('data', (chunk) => {
    chunks.push(chunk);
    last = (last + chunk.subarray(-64).toString('latin1')).slice(-64);
  });
  await until(() => last.includes(end) || response.closed, 'the end of an answer', LONG);
  return Buffer.concat(chunks).toString('latin1');
}

const passes = (text, expected) => assert.ok(text.includes(expected), `${text.length} of ${expected.length} bytes: ${text.slice(0, 300)}`);

it('a session that keeps too much is told, and its worker serves the next one', async () => {
  const small = keep(new Gate(scratchDir(), {
    worker_memory_bytes: 8 * MIB,
    surfaces: {
      small: surface(http.socketPath, {
        dialect: 'mcp',
        routes: [{ path: '/stream', kind: 'mcp-http' }],
        limits: { max_message_bytes: MIB },
      }),
    },
  }));
  await small.launch();
  const ask = async () => {
    const { token } = await small.session('small');
    http.forget();
    const asked = start(small, 'small', '/stream', posting(echo(1), token));
    await until(() => http.call, 'the service to be asked');
    return asked;
  };
  // Two that are not whole are more than half of what a worker keeps.
  const { token } = await small.session('small');
  const streams = [];
  for (let i = 0; i < 2; i++) {
    http.forget();
    const asked = start(small, 'small', '/stream', posting(echo(1), token));
    await until(() => http.call, 'the service to be asked');
    streams.push(await asked);
    http.call.start('x'.repeat(3 * MIB));
  }
  const heard = streams.map((stream) => bytes(stream, 'quota_held'));
  assert.match(await Promise.any(heard.map((one) => one.then((text) => (assert.match(text, /quota_held/), text)))), /quota_held/);
  const next = await ask();
  http.call.say(answer(1, 'next'));
  passes(await bytes(next, '"}}'), answer(1, 'next'));
  hangUp();
  await small.stop();
});

it('signs of life within a long event do not have it read anew', async () => {
  const { token } = await gate.session('http');
  const mcp = await session('/stream', token);
  const asked = start(gate, 'http', '/stream', posting(echo(1), token, mcp));
  await until(() => http.call, 'the service to be asked');
  const text = answer(1, 'a\\n'.repeat(4 * MIB));
  const heard = bytes(await asked, '}}\n');
  const used = () => Math.max(...gate.workers().map(cpuSeconds));
  http.call.start(`${text.slice(0, -2)}\n`);
  const begin = used();
  for (let i = 0; i < 100; i++) {
    http.call.start('\n:\n');
    await pause(10);
  }
  http.call.start('}}\n\n');
  const told = (await heard).replace(/^:\n\n/gm, '').replace(/\ndata:/g, '').replace(' }}', '}}');
  passes(told, text);
  assert.ok(used() - begin < (SANITIZED ? 10 : 1.5), `${used() - begin} s`);
});

describe('a picture of 70 MiB passes', { timeout: 10 * LONG }, () => {
  for (const [over, where] of [['JSON', '/json'], ["a POST's stream", '/stream']]) {
    it(`situation 3: as ${over}`, async () => {
      const { token } = await gate.session('http');
      const mcp = await session(where, token);
      const asked = start(gate, 'http', where, posting(echo(1), token, mcp));
      await until(() => http.call, 'the service to be asked');
      http.call.say(answer(1));
      passes(await bytes(await asked, '"}}'), answer(1));
    });
  }

  it("situation 3: on a GET's stream", async () => {
    const { token } = await gate.session('http');
    const mcp = await session('/later', token);
    await finish(await start(gate, 'http', '/later', posting(echo(1), token, mcp)));
    const headers = { 'mcp-session-id': mcp, 'last-event-id': 'event-1', accept: 'text/event-stream' };
    const stream = await start(gate, 'http', '/later', { token, headers });
    await until(() => http.call, 'the service to be asked');
    http.call.say(answer(1));
    passes(await bytes(stream, '"}}'), answer(1));
  });

  it('situation 3: over HTTP+SSE', async () => {
    const { token } = await gate.session('http');
    const stream = await start(gate, 'http', '/sse', { token });
    const told = bytes(stream, '"}}');
    await until(() => http.streams.size > 0, 'the stream');
    await finish(await start(gate, 'http', [...http.streams.keys()].at(-1), posting(echo(1), token)));
    await until(() => http.call, 'the service to be asked');
    http.call.say(answer(1));
    passes(await told, answer(1));
  });

  for (const [name, base] of [['mcp', { jsonrpc: '2.0' }], ['cdp', {}]]) {
    it(`situation 3: over a WebSocket: ${name}`, async () => {
      const { token } = await gate.session(name);
      const client = await Client.open(gate, name, '/ws', { token });
      sockets.behave({ message: (peer) => peer.send(answer(1, PICTURE, base)) });
      client.sendJson({ ...base, id: 1, method: name === 'mcp' ? 'tools/call' : 'Page.captureScreenshot', params: { name: 'echo' } });
      passes(await client.next(LONG), answer(1, PICTURE, base));
      await client.close();
    });
  }

  it('situation 3: through sidelock connect', async () => {
    const connected = Connected.to(gate, 'stdio');
    await connected.initialize();
    connected.say(echo(1));
    await until(() => http.call, 'the service to be asked');
    http.call.say(answer(1));
    const { result } = await connected.answer(1, LONG);
    assert.ok(result.data === PICTURE);
    await connected.finish();
  });

  it('a worker has had no more than its budget for it', () => {
    // Twice worker_memory_bytes, and what it is without any.
    for (const pid of gate.workers()) {
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1] / 1024;
      assert.ok(peak < 2 * 192 + 64, `${peak} MiB`);
    }
  });
});
