// The kill switch: acknowledged only when it is true, and kept whatever dies right afterwards; and its rehearsal.
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';

import { control } from './lib/control.mjs';
import { cutServices, live } from './lib/cut_services.mjs';

import { EventStream } from './lib/http.mjs';
import { denied } from './lib/raw.mjs';
import { until, within } from './lib/wait.mjs';

const MANY = 40;

const { service, surfaces, startGate, stop } = await cutServices();

after(stop);
afterEach(() => service.forget());

async function liveMany(gate, name, count = MANY) {
  const { token } = await gate.session(name);
  const clients = [];
  for (let i = 0; i < count; i++) clients.push(await live(gate, name, token));
  return { token, clients };
}

async function stream(gate) {
  const { token } = await gate.session('http');
  const opened = await EventStream.open(gate, 'http', '/sse', { token });
  await opened.has('hello');
  return opened;
}

// The places in the audit log of the lines of an event.
function places(lines, event, reason) {
  return lines.flatMap((line, at) => (line.event === event && (!reason || line.reason === reason) ? [at] : []));
}

// What the acknowledgement says is behind it: every connection's end is in the log before.
function assertDone(lines, { surface, connections, sessions, named = [surface] }) {
  const [done, ...more] = places(lines, 'kill_done');
  assert.deepEqual(more, []);
  const ordered = places(lines, 'surface_killed');
  const ended = places(lines, 'closed', 'surface_killed');
  assert.deepEqual(ordered.map((at) => lines[at].surface), named);
  assert.equal(ended.length, connections);
  assert.ok(Math.max(...ordered) < Math.min(...ended) && Math.max(...ended) < done, 'ordered, ended, done');
  const { surface: said, connections: cut, sessions: revoked } = lines[done];
  assert.deepEqual({ said, cut, revoked }, { said: surface, cut: connections, revoked: sessions });
}

describe('the kill switch', () => {
  it('is acknowledged when the last connection has gone', async () => {
    const gate = await startGate();
    const { token, clients } = await liveMany(gate, 'echo');
    const bystander = (await liveMany(gate, 'other', 1)).clients[0];
    const mark = gate.mark();
    const { status, json } = await control(gate, 'POST', '/v1/surfaces/echo/kill');
    const lines = gate.auditLines().slice(mark);
    assert.equal(status, 200);
    assert.deepEqual([json.killed, json.connections], [true, 0]);
    assert.deepEqual([json.kill.connections, json.kill.sessions], [MANY, 1]);
    assertDone(lines, { surface: 'echo', connections: MANY, sessions: 1 });
    for (const client of clients)
      assert.deepEqual(await client.end(), { code: 1008, reason: 'surface_killed' });
    bystander.send('unharmed');
    assert.equal(await bystander.next(), 'unharmed');
    await denied(gate, 'echo', { token }, 503, 'surface_killed');
    await gate.do('arm', 'echo');
    await denied(gate, 'echo', { token }, 401, 'session_revoked');
    await (await liveMany(gate, 'echo', 1)).clients[0].close();
  });

  it('of all is one order, and one acknowledgement', async () => {
    const gate = await startGate();
    const clients = [];
    for (const name of ['echo', 'other']) clients.push(...(await liveMany(gate, name, 3)).clients);
    const events = await stream(gate);
    const mark = gate.mark();
    assert.equal(await gate.do('kill', '--all'), 'everything is killed: 7 connections cut, 3 sessions revoked.\n');
    assertDone(gate.auditLines().slice(mark), {
      surface: '*',
      connections: 7,
      sessions: 3,
      named: Object.keys(surfaces),
    });
    for (const client of clients) assert.equal((await client.end()).reason, 'surface_killed');
    await events.end();
    assert.deepEqual((await gate.doJson('status')).surfaces.map(({ killed }) => killed), [true, true, true]);
    assert.equal(await gate.do('kill', 'echo'), 'echo is killed: 0 connections cut, 0 sessions revoked.\n');
  });

  it('does not wait for a worker that stands still: it is ended', async () => {
    const gate = await startGate({ workers: 1 });
    await liveMany(gate, 'echo', 3);
    const [worker] = gate.workers();
    process.kill(worker, 'SIGSTOP');
    const mark = gate.mark();
    const { json } = await control(gate, 'POST', '/v1/surfaces/echo/kill');
    const lines = gate.auditLines().slice(mark);
    assert.deepEqual([json.connections, json.kill.connections], [0, 3]);
    const [exited] = places(lines, 'worker_exited');
    const ended = places(lines, 'closed', 'worker_lost');
    assert.equal(lines[exited].signal, 9);
    assert.equal(ended.length, 3);
    assert.ok(Math.max(exited, ...ended) < places(lines, 'kill_done')[0], 'ended before it is acknowledged');
    assert.match(gate.stderr, /does not let go of what was cut; ending it/);
    await until(() => gate.workers().some((pid) => pid !== worker), 'another worker');
  });

  it('waits for what a reload has not cut yet, too', async () => {
    const gate = await startGate({ workers: 1 });
    await liveMany(gate, 'echo', 3);
    const [worker] = gate.workers();
    process.kill(worker, 'SIGSTOP');
    gate.configure({
      workers: 1,
      surfaces: { ...surfaces, echo: { ...surfaces.echo, limits: { ...surfaces.echo.limits, max_message_bytes: 4096 } } },
    });
    const reloaded = gate.cli('reload');
    await until(async () => (await gate.doJson('status')).surfaces[0].max_message_bytes === 4096, 'the reload');
    const mark = gate.mark();
    const { json } = await control(gate, 'POST', '/v1/surfaces/echo/kill');
    const lines = gate.auditLines().slice(mark);
    assert.equal(json.kill.connections, 3);
    const ended = places(lines, 'closed', 'worker_lost');
    assert.equal(ended.length, 3);
    assert.ok(Math.max(...ended) < places(lines, 'kill_done')[0], 'ended before it is acknowledged');
    await reloaded;
  });

  for (const [who, victim] of [['broker', (gate) => gate.broker], ['parent', (gate) => gate.pid]]) {
    it(`holds although the ${who} is killed right after the acknowledgement`, async () => {
      const gate = await startGate();
      const { token } = await liveMany(gate, 'echo', 3);
      const other = await gate.session('other');
      const pid = victim(gate);
      assert.equal((await control(gate, 'POST', '/v1/surfaces/echo/kill')).status, 200);
      process.kill(pid, 'SIGKILL');
      await within(gate.exited, 'the end');
      await gate.launch();
      await denied(gate, 'echo', { token }, 503, 'surface_killed');
      await (await live(gate, 'other', other.token)).close();
      await gate.do('arm', 'echo');
      await denied(gate, 'echo', { token }, 401, 'session_revoked');
      assert.equal(places(gate.auditLines(), 'kill_done').length, 1);
      await gate.do('audit', 'verify');
    });
  }
});

describe('its rehearsal', () => {
  it('cuts, measures and revokes nothing', async () => {
    const gate = await startGate();
    const { token, clients } = await liveMany(gate, 'echo');
    const bystander = (await liveMany(gate, 'other', 1)).clients[0];
    const before = (await gate.doJson('register')).surfaces?.[0] ?? (await gate.do('register'));
    assert.match(JSON.stringify(before), /not rehearsed/);
    const mark = gate.mark();
    const told = await gate.do('kill', 'echo', '--rehearse');
    assert.match(told, new RegExp(`^echo is armed again: ${MANY} connections cut, the last after \\d+ ms; nothing was revoked\\.\n$`));
    const lines = gate.auditLines().slice(mark);
    const [done] = places(lines, 'kill_rehearsed');
    const ended = places(lines, 'closed', 'kill_rehearsed');
    assert.equal(ended.length, MANY);
    assert.ok(Math.max(...ended) < done, 'measured when the last had gone');
    assert.deepEqual([lines[done].connections, lines[done].sessions], [MANY, 0]);
    assert.deepEqual(places(lines, 'surface_killed'), []);
    for (const client of clients) assert.deepEqual(await client.end(), { code: 1013, reason: 'kill_rehearsed' });
    bystander.send('unharmed');
    assert.equal(await bystander.next(), 'unharmed');
    await (await live(gate, 'echo', token)).close();
    const [row, other] = (await gate.doJson('status')).surfaces;
    assert.deepEqual([row.killed, row.rehearsed.connections, other.rehearsed], [false, MANY, null]);
    assert.equal(row.rehearsed.ms, lines[done].ms);
    assert.match(await gate.do('register'), new RegExp(`rehearsed at [-0-9T:]+Z: ${MANY} connections gone within \\d+ ms`));
    await gate.crash();
    await gate.launch();
    await (await live(gate, 'echo', token)).close();
  });

  it('of all; and not of what is killed', async () => {
    const gate = await startGate();
    const { token } = await liveMany(gate, 'echo', 2);
    const events = await stream(gate);
    assert.match(await gate.do('kill', '--all', '--rehearse'), /^everything is armed again: 3 connections cut/);
    await events.end();
    await (await live(gate, 'echo', token)).close();
    await gate.do('kill', 'other');
    for (const scope of ['other', '--all']) {
      const { code, stderr } = await gate.cli('kill', scope, '--rehearse');
      assert.equal(code, 65);
      assert.match(stderr, /other is killed; a rehearsal is for surfaces that serve/);
    }
    assert.deepEqual((await gate.doJson('status')).surfaces.map(({ killed }) => killed), [false, true, false]);
  });
});
