// What the tests of the fences share: one gate with a surface for each kind of
// limit, an echoing service behind all of them, and after every test the proof
// that the same worker is still there and serves.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before } from 'node:test';

import { WebSocketService } from '../../services/websocket_service.mjs';
import { Client } from './client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll } from './gate.mjs';
import { Raw, assertProblem, denied, requestText } from './raw.mjs';

export const MIB = 1024 * 1024;

const dir = scratchDir();
export let service;
export let gate;
export let workers;
export const tokens = {}; // by surface

before(async () => {
  service = new WebSocketService(path.join(dir, 'echo.sock'));
  await service.start();
  const echo = (limits, route) => opaqueSurface(service.socketPath, { limits, route });
  gate = await Gate.start(dir, {
    surfaces: {
      echo: echo({ max_message_bytes: MIB, max_connections: 500 }),
      spoken: echo({}, { subprotocols: ['mcp', 'chat'] }),
      few: echo({ max_connections: 5 }),
      caller: echo({ max_connections: 100, max_connections_per_caller: 3 }),
      message: echo({ message_timeout_ms: 1500 }),
      idle: echo({ idle_timeout_ms: 2000 }),
      ping: echo({ ping_interval_ms: 1500 }),
      stall: echo({ max_message_bytes: 2 * MIB, write_timeout_ms: 4000 }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) {
    tokens[name] = (await gate.session(name)).token;
  }
  workers = gate.workers();
});

after(async () => {
  await stopAll(gate, service);
});

afterEach(async () => {
  assert.deepEqual(gate.workers(), workers, 'no worker died');
  service.behave();
  const client = await Client.open(gate, 'echo', '/ws', { token: tokens.echo });
  client.send('alive');
  assert.equal(await client.next(), 'alive');
  await client.close();
  service.forget();
});

export function host(surface = 'echo') {
  return `localhost:${gate.port(surface)}`;
}

// A request that must be denied, with a good token unless the options say otherwise.
export function refuse(options, status, reason) {
  return denied(gate, 'echo', { token: tokens.echo, ...options }, status, reason);
}

// Sends bytes as they are; they must be refused with this status and reason,
// and nothing may reach the service.
export async function refuseBytes(bytes, status, reason) {
  const mark = gate.mark();
  const raw = await Raw.connect(gate.port('echo'));
  raw.send(bytes);
  assertProblem(await raw.response(), status, reason);
  await raw.gone();
  raw.destroy();
  await gate.audited(mark, { event: 'denied', reason });
  assert.equal(service.connectionCount, 0, 'no connection at the service');
}

// A valid upgrade as text, with a line of it replaced by another.
export function altered(from, to) {
  const text = requestText({ host: host(), token: tokens.echo });
  const result = text.replace(from, to);
  assert.notEqual(result, text);
  return result;
}
