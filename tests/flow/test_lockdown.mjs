// Lockdown: a file, or a signal, that ends everything when nothing answers any more: also with a broker that stands still.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';

import { control } from './lib/control.mjs';
import { cutServices, live } from './lib/cut_services.mjs';
import { opaqueSurface } from './lib/gate.mjs';
import { EventStream } from './lib/http.mjs';
import { denied } from './lib/raw.mjs';
import { until, within } from './lib/wait.mjs';

const EX_SOFTWARE = 70;
const SIGTERM = 15;

const { service, surfaces, startGate, stop } = await cutServices();

after(stop);
afterEach(() => service.forget());

function orderOf(gate) {
  return path.join(gate.stateDir, 'lockdown');
}

// Sessions of each kind of surface, and what is connected with them.
async function connectAll(gate) {
  const { token } = await gate.session('echo');
  const others = await gate.session('other');
  const clients = [];
  for (let i = 0; i < 10; i++) clients.push(await live(gate, 'echo', token), await live(gate, 'other', others.token));
  const events = await EventStream.open(gate, 'http', '/sse', { token: (await gate.session('http')).token });
  await events.has('hello');
  return { token, clients, events };
}

// Another broker answers: what its status is. Port 0 is another port for it.
async function renewed(gate, before) {
  const status = await until(async () => {
    if (!gate.broker || gate.broker === before) return undefined;
    return (await control(gate, 'GET', '/v1/status').catch(() => undefined))?.json;
  }, () => `another broker:\n${gate.stderr}`);
  gate.ready.surfaces = Object.fromEntries(status.surfaces.map(({ name, listen }) => [name, listen]));
  return status;
}

function isState(pid, state) {
  return new RegExp(`^State:\\s*${state}`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

async function halt(pid) {
  process.kill(pid, 'SIGSTOP');
  await until(() => isState(pid, 'T'), 'it to stand still');
}

async function isRefused(gate, ...command) {
  const { code, stderr } = await gate.cli(...command);
  assert.equal(code, 65, stderr);
  assert.match(stderr, /nothing is armed under lockdown; remove \S+\/lockdown, then try again/);
}

function linesOf(gate, mark, event) {
  return gate.auditLines().slice(mark).filter((line) => line.event === event);
}

const ORDERS = {
  'the file': { by: 'file', give: (gate) => writeFileSync(orderOf(gate), '') },
  'the signal': { by: 'signal', give: (gate) => process.kill(gate.pid, 'SIGUSR2') },
};

for (const [order, { by, give }] of Object.entries(ORDERS)) {
  for (const stopped of [false, true]) {
    it(`lockdown by ${order} with ${stopped ? 'a broker that stands still' : 'all of it well'}`, async () => {
      const gate = await startGate();
      const { token, clients, events } = await connectAll(gate);
      const { pid, broker } = gate;
      const workers = gate.workers();
      if (stopped) for (const one of [broker, workers[0]]) await halt(one);
      const mark = gate.mark();
      give(gate);
      for (const client of clients) assert.equal((await client.end()).code, 1006);
      await events.end();
      const status = await renewed(gate, broker);
      assert.equal(status.pid, pid, 'whoever started it still has it');
      assert.deepEqual(gate.workers().filter((one) => workers.includes(one)), []);
      assert.ok(existsSync(orderOf(gate)));
      assert.deepEqual([status.lockdown, status.sessions.active], [orderOf(gate), 0]);
      assert.deepEqual(status.surfaces.map(({ killed }) => killed), [true, true, true]);
      assert.match(await gate.do('status'), /^LOCKDOWN: nothing is served\. Remove \S+\/lockdown, then run `sidelock arm`\.$/m);
      assert.match(await gate.do('register'), /now on: every request gets 503; lockdown: it cannot be armed/);
      for (const name of Object.keys(surfaces)) await denied(gate, name, { token }, 503, 'surface_killed');
      assert.deepEqual(linesOf(gate, mark, 'kill_done').map((line) => [line.surface, line.lockdown, line.sessions]), [['*', by, 3]]);
      assert.deepEqual(
        linesOf(gate, mark, 'surface_killed').map((line) => [line.surface, line.lockdown]),
        Object.keys(surfaces).map((name) => [name, by]),
      );
      await isRefused(gate, 'arm', 'echo');
      await isRefused(gate, 'arm', '--all');
    });
  }
}

describe('the order', () => {
  it('holds across restarts, and what it did outlives it', async () => {
    const gate = await startGate();
    const session = await gate.session('echo');
    const { broker } = gate;
    ORDERS['the file'].give(gate);
    await renewed(gate, broker);
    // A session that is made meanwhile is good for nothing.
    const meanwhile = await gate.session('echo');
    await denied(gate, 'echo', { token: meanwhile.token }, 503, 'surface_killed');
    for (const end of ['stop', 'crash']) {
      await gate[end]();
      await gate.launch();
      await denied(gate, 'echo', { token: meanwhile.token }, 503, 'surface_killed');
      await isRefused(gate, 'arm', 'echo');
    }
    rmSync(orderOf(gate));
    assert.equal((await gate.doJson('status')).lockdown, null);
    assert.match(await gate.do('status'), new RegExp(`^Sidelock \\S+, pid ${gate.pid}, .*\nSURFACE `));
    await denied(gate, 'echo', { token: session.token }, 503, 'surface_killed');
    await gate.crash();
    await gate.launch();
    await denied(gate, 'echo', { token: session.token }, 503, 'surface_killed');
    await gate.do('arm', 'echo');
    for (const { token } of [session, meanwhile]) await denied(gate, 'echo', { token }, 401, 'session_revoked');
    await (await live(gate, 'echo', (await gate.session('echo')).token)).close();
    await denied(gate, 'other', {}, 503, 'surface_killed');
  });

  it('is obeyed as often as it is given', async () => {
    const gate = await startGate();
    for (let i = 0; i < 3; i++) {
      const { token } = await gate.session('echo');
      const client = await live(gate, 'echo', token);
      const { broker } = gate;
      ORDERS[i % 2 ? 'the signal' : 'the file'].give(gate);
      assert.equal((await client.end()).code, 1006);
      await renewed(gate, broker);
      rmSync(orderOf(gate));
      await gate.do('arm', '--all');
    }
    await gate.stop();
  });

  it('holds for what a reload brings', async () => {
    const gate = await startGate();
    const { broker } = gate;
    ORDERS['the file'].give(gate);
    await renewed(gate, broker);
    gate.configure({ workers: 2, surfaces: { ...surfaces, late: opaqueSurface(service.socketPath) } });
    await gate.do('reload');
    const late = (status) => status.surfaces.find(({ name }) => name === 'late').killed;
    assert.equal(late(await gate.doJson('status')), true);
    rmSync(orderOf(gate));
    await gate.crash();
    await gate.launch();
    assert.equal(late(await gate.doJson('status')), true);
  });

  it('holds from the start where it was given before', async () => {
    const gate = await startGate();
    const { token } = await gate.session('echo');
    await gate.stop();
    const mark = gate.mark();
    ORDERS['the file'].give(gate);
    await gate.launch();
    await denied(gate, 'echo', { token }, 503, 'surface_killed');
    assert.deepEqual(linesOf(gate, mark, 'kill_done').map((line) => [line.lockdown, line.sessions]), [['file', 1]]);
  });

  it('ends a gate that is ending', async () => {
    const gate = await startGate();
    const { clients } = await connectAll(gate);
    await halt(gate.broker);
    process.kill(gate.pid, 'SIGTERM');
    await until(() => !(BigInt(`0x${/^ShdPnd:\s*(\S+)/m.exec(readFileSync(`/proc/${gate.pid}/status`, 'utf8'))[1]}`)
      >> BigInt(SIGTERM - 1) & 1n), 'the signal to be heard');
    ORDERS['the file'].give(gate);
    assert.deepEqual(await within(gate.exited, 'the end'), { code: EX_SOFTWARE, signal: null });
    for (const client of clients) assert.equal((await client.end()).code, 1006);
    gate.child = undefined;
  });

  it('is not what other signals are for', async () => {
    const gate = await startGate();
    const { token } = await gate.session('echo');
    const client = await live(gate, 'echo', token);
    process.kill(gate.pid, 'SIGHUP');
    await until(() => /the audit log was opened anew/.test(gate.stderr), 'what SIGHUP is for');
    for (const pid of [gate.broker, ...gate.workers()]) process.kill(pid, 'SIGUSR2');
    client.send('still');
    assert.equal(await client.next(), 'still');
    assert.equal((await gate.doJson('status')).lockdown, null);
    await gate.stop();
    assert.equal((await client.end()).code, 1001);
    assert.ok(!existsSync(orderOf(gate)));
  });
});
