// What the kill switch and lockdown cut: gates of two workers before a WebSocket service, twice, and one of streams.
import assert from 'node:assert/strict';
import path from 'node:path';

import { HttpService } from '../../services/http_service.mjs';
import { WebSocketService } from '../../services/websocket_service.mjs';
import { Client } from './client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll, surface } from './gate.mjs';

export async function cutServices() {
  const dir = scratchDir();
  const service = await new WebSocketService(path.join(dir, 'echo.sock')).start();
  const streams = await new HttpService(path.join(dir, 'http.sock')).start();
  const surfaces = {
    echo: opaqueSurface(service.socketPath),
    other: opaqueSurface(service.socketPath),
    http: surface(streams.socketPath, {
      dialect: 'opaque',
      routes: [{ path: '/{any...}', kind: 'http', methods: ['GET'] }],
    }),
  };
  const gates = [];

  const startGate = async (more = {}) => {
    const gate = await Gate.start(scratchDir(), { surfaces, workers: 2, ...more });
    gates.push(gate);
    return gate;
  };
  return { service, surfaces, startGate, stop: () => stopAll(...gates, service, streams) };
}

// A WebSocket on which something went both ways.
export async function live(gate, name, token) {
  const client = await Client.open(gate, name, '/ws', { token });
  client.send('hello');
  assert.equal(await client.next(), 'hello');
  return client;
}
