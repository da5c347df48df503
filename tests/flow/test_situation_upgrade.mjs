// A service may take its time over the 101: what waits for it is one client, and nobody else.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'service.sock'));
const silent = new WebSocketService(path.join(dir, 'silent.sock'));
const REACH_MS = 1000;
let gate;
let waiting; // the peer whose request is not answered yet

// One whose POST, which comes before its upgrade, is never answered: it ends after the time to reach a service.
const prepare = { path: '/start', member: 'a', from: '', answer: 'id', then: '/ws/{answer}' };

before(async () => {
  silent.behave({ request: () => {} });
  await silent.start();
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      slow: opaqueSurface(service.socketPath, { limits: { upstream_timeout_ms: REACH_MS } }),
      never: opaqueSurface(silent.socketPath, { route: { prepare }, limits: { upstream_timeout_ms: REACH_MS } }),
    },
  });
});

after(() => stopAll(gate, service, silent));

beforeEach(() => {
  waiting = undefined;
  service.behave({ request: (peer) => (waiting = peer) });
});

async function open(...options) {
  const { id, token } = await gate.session('slow', ...options);
  const client = Client.open(gate, 'slow', '/ws', { token });
  client.catch(() => {});
  await until(() => waiting, 'the upgrade request at the service');
  return { id, client };
}

describe('the service has not answered the upgrade', () => {
  it('situation 11: it may take longer than it may to be reached', async () => {
    await gate.putParams('stored', {});
    const { token } = await gate.session('never', '--params', 'stored');
    const { client } = await open();
    const other = await Client.open(gate, 'never', '/ws', { token }).then(() => undefined, (error) => error);
    assert.equal(other.reason, 'upstream_timeout', 'what came after it has had its time');
    waiting.accept();
    const opened = await client;
    opened.send('hello');
    await until(() => waiting.messages.length === 1, 'the message at the service');
    await opened.close();
  });

  it('what revokes its session is told at once, and the service loses the link', async () => {
    const { id, client } = await open();
    const mark = gate.mark();
    await gate.revoke(id);
    await assert.rejects(client, { status: 401, reason: 'session_revoked' });
    await until(() => waiting.ended, 'the end of the link');
    await gate.audited(mark, { reason: 'session_revoked' });
  });

  it('situation 11: its session expires meanwhile: the client is told so', async () => {
    const { client } = await open('--ttl', '4s');
    await assert.rejects(client, { status: 401, reason: 'session_expired' });
    await until(() => waiting.ended, 'the end of the link');
  });

  it('a client that leaves takes the link along', async () => {
    const { id, token } = await gate.session('slow');
    const socket = new (await import('ws')).WebSocket(`ws://localhost:${gate.port('slow')}/ws`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    socket.on('error', () => {});
    await until(() => waiting, 'the upgrade request at the service');
    socket.terminate();
    await until(() => waiting.ended, 'the end of the link');
    await gate.untilIdle('slow');
    await gate.revoke(id);
  });
});
