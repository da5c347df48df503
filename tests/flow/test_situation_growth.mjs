// What many clients are to each other: MCP sessions beyond a thousand, workers that share the load.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';

const dir = scratchDir();
const running = [];
after(() => stopAll(...running.reverse()));

async function started(thing) {
  running.push(await thing);
  return running.at(-1);
}

// A service that gives each client that initialises a session of its own.
async function sessionService(socketPath) {
  let count = 0;
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { id, method } = JSON.parse(Buffer.concat(chunks));
      const result = method === 'initialize' ? { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 's', version: '1' } } : {};
      const text = JSON.stringify({ jsonrpc: '2.0', id, result });
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Length': text.length,
        ...(method === 'initialize' ? { 'Mcp-Session-Id': `session-${count++}` } : {}),
      });
      response.end(text);
    });
  });
  await new Promise((resolve) => server.listen(socketPath, resolve));
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { stop };
}

const PER_SESSION = 128; // policy/quota.h
const GATE_SESSIONS = 9; // with the next: more than 1,024 MCP sessions

describe('many MCP sessions', () => {
  it('situation 16: more than a thousand at once are all there', { timeout: 120000 }, async () => {
    await started(sessionService(path.join(dir, 'mcp.sock')));
    const gate = await started(
      Gate.start(dir, {
        surfaces: {
          tools: surface(path.join(dir, 'mcp.sock'), { dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http' }] }),
        },
      }),
    );
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const post = (token, message, id) =>
      new Promise((resolve, reject) => {
        const text = JSON.stringify({ jsonrpc: '2.0', id: 1, ...message });
        const request = http.request(
          {
            agent,
            host: '127.0.0.1',
            port: gate.port('tools'),
            path: '/mcp',
            method: 'POST',
            headers: {
              Host: `localhost:${gate.port('tools')}`,
              Authorization: `Bearer ${token}`,
              'Content-Type': 'application/json',
              Accept: 'application/json, text/event-stream',
              ...(id ? { 'Mcp-Session-Id': id } : {}),
            },
          },
          (answer) => {
            answer.resume();
            answer.on('end', () => resolve({ status: answer.statusCode, id: answer.headers['mcp-session-id'] }));
          },
        );
        request.on('error', reject);
        request.end(text);
      });
    const initialize = {
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
    };
    const all = [];
    for (let i = 0; i < GATE_SESSIONS; i++) {
      const { token } = await gate.session('tools');
      for (let j = 0; j < PER_SESSION; j++) {
        const opened = await post(token, initialize);
        assert.equal(opened.status, 200);
        all.push({ token, id: opened.id });
      }
    }
    let gone = 0;
    for (const { token, id } of all) if ((await post(token, { method: 'ping' }, id)).status !== 200) gone++;
    agent.destroy();
    assert.equal(gone, 0, `${gone} of ${all.length} MCP sessions were taken away`);
  });
});

const CLIENTS = 40;

describe('two workers', () => {
  it('situation 15: share their clients evenly', async () => {
    const service = new WebSocketService(path.join(dir, 'ws.sock'));
    running.push(service);
    await service.start();
    const gate = await started(
      Gate.start(scratchDir(), {
        workers: 2,
        surfaces: { chat: surface(path.join(dir, 'ws.sock'), {
            dialect: 'json-rpc',
            allow: { verbs: ['echo'] },
            routes: [{ path: '/ws', kind: 'websocket' }],
          }) },
      }),
    );
    const { token } = await gate.session('chat');
    const clients = [];
    for (let i = 0; i < CLIENTS; i++) clients.push(await Client.open(gate, 'chat', '/ws', { token }));
    const fates = clients.map(
      ({ socket }) =>
        new Promise((resolve) => {
          socket.on('error', () => {});
          socket.once('close', () => resolve('closed'));
          socket.once('message', () => resolve('lives'));
        }),
    );
    // The clients of one worker go with it.
    process.kill(gate.workers()[0], 'SIGKILL');
    await gate.audited(0, { event: 'worker_exited' });
    for (const { socket } of clients) if (socket.readyState === socket.OPEN) socket.send('{"jsonrpc":"2.0","id":1,"method":"echo"}');
    const closed = (await Promise.all(fates)).filter((fate) => fate === 'closed').length;
    assert.ok(Math.abs(closed - CLIENTS / 2) <= 3, `${closed} of ${CLIENTS} were one worker's`);
  });
});

const MANY = 1500; // more than one turn of the loop drops

describe('a session with many connections', () => {
  it('is heard no more once the first of them has been cut', { timeout: 120000 }, async () => {
    const service = new WebSocketService(path.join(dir, 'many.sock'));
    let late = 0;
    service.keepMessages = false;
    service.behave({ message: (peer, data) => (late += data.includes('late')) });
    running.push(service);
    await service.start();
    const most = { max_connections: 4096, max_connections_per_caller: 4096, max_connections_per_session: 4096 };
    const gate = await started(
      Gate.start(scratchDir(), {
        surfaces: { chat: surface(path.join(dir, 'many.sock'), {
            dialect: 'json-rpc',
            allow: { verbs: ['echo'] },
            routes: [{ path: '/ws', kind: 'websocket' }],
            limits: most,
          }) },
      }),
    );
    const { id, token } = await gate.session('chat');
    const sockets = [];
    for (let i = 0; i < MANY; i++) sockets.push((await Client.open(gate, 'chat', '/ws', { token })).socket);
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on('error', () => {}).once('close', resolve)));
    let said = false;
    const sayAll = () => {
      if (said) return;
      said = true;
      for (const socket of sockets) if (socket.readyState === socket.OPEN) socket.send('{"jsonrpc":"2.0","method":"echo","params":["late"]}');
    };
    for (const socket of sockets) socket._socket.prependOnceListener('data', sayAll);
    await gate.do('session', 'revoke', id);
    await Promise.all(closed);
    assert.ok(said);
    assert.equal(late, 0, `${late} messages were carried for a session that was being cut`);
  });
});
