// The control socket in the face of those who may not use it, and the audit log
// in the face of those who would fill it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { NOBODY, cannotBecome, runAs } from './lib/as_uid.mjs';
import { Client } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';

const OPERATOR = 54321;
// What a client may have written of one event: at once, and by the second (broker/core/lines.h).
const LINES_BURST = 1000;
const LINES_PER_SECOND = 50;
const CONNECTS = 3000;

const gates = [];
const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'service.sock'));

before(() => service.start());
after(async () => {
  for (const gate of gates) gate.child?.kill('SIGKILL'); // what a failed test left behind
  await service.stop();
});

// Connects so many times, one after another; prints each outcome's count.
const CONNECT = `
const net = require('node:net');
const [socket, times] = process.argv.slice(1);
const seen = {};
let left = Number(times);
const next = (outcome) => {
  if (outcome) seen[outcome] = (seen[outcome] ?? 0) + 1;
  if (left-- <= 0) return console.log(JSON.stringify(seen));
  let told = '';
  const connection = net.connect(socket);
  connection.on('data', (chunk) => (told += chunk));
  connection.on('error', (error) => (told ||= error.code));
  connection.on('close', () => next(told.split('\\r')[0] || 'closed'));
};
next();
`;

function connectAs(uid, socket, times) {
  return JSON.parse(runAs(uid, process.execPath, ['-e', CONNECT, socket, String(times)]).stdout);
}

// Starts node as that uid; what it printed is there when it has ended.
function startAs(uid, args) {
  const become = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const child = spawn('setpriv', [...become, process.execPath, ...args], { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
  const end = new Promise((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.on('close', () => resolve(text));
  });
  return { end };
}

// Asks for the status as that uid: the first line of the answer, or the error.
function statusAs(uid, socket) {
  const ask = `
    const connection = require('node:net').connect(process.argv[1], () =>
      connection.write('GET /v1/status HTTP/1.1\\r\\nHost: sidelock\\r\\nConnection: close\\r\\n\\r\\n'));
    connection.on('data', (chunk) => { console.log(String(chunk).split('\\r')[0]); connection.destroy(); });
    connection.on('error', (error) => console.log(error.code));`;
  return runAs(uid, process.execPath, ['-e', ask, socket]).stdout.trim();
}

async function startGate() {
  const home = scratchDir();
  chmodSync(home, 0o711);
  const socket = path.join(home, 'control', 'control.sock');
  const gate = await Gate.start(home, {
    control_socket: socket,
    operators: { uids: [OPERATOR] },
    surfaces: { echo: opaqueSurface(service.socketPath) },
  });
  gates.push(gate);
  return { gate, socket };
}

// The most lines of one event since then: the longer it took, the more there may be.
function mostSince(begun) {
  return LINES_BURST + LINES_PER_SECOND * Math.ceil((performance.now() - begun) / 1000);
}

function count(lines, event) {
  return lines.filter((line) => line.event === event).length;
}

// Lines that were written and lines that were only counted.
function total(lines, event) {
  const suppressed = lines.filter((line) => line.event === `${event}_suppressed`);
  return count(lines, event) + suppressed.reduce((sum, line) => sum + line.count, 0);
}

describe('who may not operate', { skip: cannotBecome() }, () => {
  it('finding 15: strangers leave no line each, and operators are heard', async () => {
    const { gate, socket } = await startGate();
    const begun = performance.now();
    const seen = connectAs(NOBODY, socket, CONNECTS);
    assert.ok(count(gate.auditLines(), 'operator_refused') <= mostSince(begun), JSON.stringify(seen));
    assert.equal(statusAs(OPERATOR, socket), 'HTTP/1.1 200 OK');
    assert.deepEqual(seen, { EACCES: CONNECTS }, 'the kernel turns them away');
    await gate.stop();
  });

  it('finding 15: where everybody can connect, strangers are counted and operators served between them', async () => {
    const { gate, socket } = await startGate();
    chmodSync(socket, 0o666); // as on a file system without lists of users
    const begun = performance.now();
    const many = 4 * CONNECTS; // they go on for longer than an operator's program takes to start
    const strangers = [1, 2].map(() => startAs(NOBODY, ['-e', CONNECT, socket, String(many)]));
    let busy = strangers.length;
    for (const stranger of strangers) stranger.end.then(() => busy--);
    await gate.audited(0, { event: 'operator_refused' });
    let served = 0;
    while (busy === strangers.length) {
      assert.equal(statusAs(OPERATOR, socket), 'HTTP/1.1 200 OK');
      await gate.do('kill', 'echo');
      await gate.do('arm', 'echo');
      if (busy === strangers.length) served++;
    }
    assert.ok(served > 0, 'an operator was served while strangers went on');
    let attempts = 0;
    for (const stranger of strangers) {
      attempts += Object.values(JSON.parse(await stranger.end)).reduce((sum, n) => sum + n, 0);
    }
    assert.equal(attempts, strangers.length * many);
    await gate.stop();
    const lines = gate.auditLines();
    assert.ok(count(lines, 'operator_refused') <= mostSince(begun), `${count(lines, 'operator_refused')} lines`);
    assert.equal(total(lines, 'operator_refused'), attempts, 'each is counted');
  });
});

describe('what one client can have written', () => {
  it('denials of one user are bounded and counted, and another event has its line', async () => {
    const { gate } = await startGate();
    const { token } = await gate.session('echo');
    const begun = performance.now();
    for (let done = 0; done < CONNECTS; done += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(gate, 'echo', '/ws')));
      for (const { status } of answers) assert.equal(status, 401);
    }
    const client = await Client.open(gate, 'echo', '/ws', { token });
    await client.close();
    await gate.audited(0, { event: 'closed' });
    await gate.stop();
    const lines = gate.auditLines();
    assert.ok(count(lines, 'denied') <= mostSince(begun), `${count(lines, 'denied')} lines`);
    assert.equal(total(lines, 'denied'), CONNECTS);
    assert.equal(count(lines, 'admitted'), 1);
  });

  it('finding 15: what one session is observed to say is bounded and counted', async () => {
    service.behave({ message: () => {} });
    const gate = await Gate.start(scratchDir(), {
      surfaces: {
        mcp: surface(service.socketPath, { dialect: 'mcp', mode: 'observe', allow: { verbs: ['tools/list'] } }),
      },
    });
    gates.push(gate);
    const sessions = [await gate.session('mcp'), await gate.session('mcp')];
    const begun = performance.now();
    for (const [i, times] of [CONNECTS, 1].entries()) {
      const client = await Client.open(gate, 'mcp', '/ws', { token: sessions[i].token });
      for (let id = 1; id <= times; id++) client.sendJson({ jsonrpc: '2.0', id, method: 'tools/call' });
      await client.close();
    }
    await gate.untilIdle('mcp');
    await gate.stop();
    const lines = gate.auditLines();
    const of = ({ id }) => lines.filter((line) => line.session === id);
    assert.ok(count(of(sessions[0]), 'message_observed') <= mostSince(begun));
    assert.equal(total(of(sessions[0]), 'message_observed'), CONNECTS);
    assert.equal(count(of(sessions[1]), 'message_observed'), 1, 'another session has its own share');
  });

  it('finding 15: admissions of one session are bounded and counted, and so are their ends', async () => {
    const { gate } = await startGate();
    const { token } = await gate.session('echo');
    const begun = performance.now();
    for (let done = 0; done < CONNECTS / 2; done += 50) {
      await Promise.all(
        Array.from({ length: 50 }, async () => (await Client.open(gate, 'echo', '/ws', { token })).terminate()),
      );
    }
    await gate.untilIdle('echo');
    await gate.stop();
    const lines = gate.auditLines();
    for (const event of ['admitted', 'closed']) {
      assert.equal(total(lines, event), CONNECTS / 2, event);
      assert.ok(count(lines, event) <= mostSince(begun), `${count(lines, event)} lines ${event}`);
    }
  });
});
