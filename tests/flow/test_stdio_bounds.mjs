// How many processes a stdio surface may have and start, all of its sessions together, and where that is seen.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Gate, scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { connect, newMark, python, stdio } from './lib/stdio_surface.mjs';
import { until, within } from './lib/wait.mjs';

const A_SESSION = 32; // `processes`, `surface_processes` and `launches` of config/README.md
const A_SURFACE = 128;
const AT_ONCE = 128;
const LIMITS = { max_connections: 400, max_connections_per_caller: 400, upstream_timeout_ms: 60_000 };
const HELLO = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'flow', version: '1' } } };

async function start(surfaces) {
  const gate = keep(new Gate(scratchDir(), { surfaces }));
  await gate.launch();
  return gate;
}

const initialize = (gate, token, signal) => fetch(`http://localhost:${gate.port('one')}/mcp`, {
  method: 'POST',
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: JSON.stringify(HELLO),
  signal,
});

const reasonOf = (text) => JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)).error.data.reason;

async function processes(gate) {
  return JSON.parse(await gate.do('status', '--json')).surfaces.find(({ name }) => name === 'one').service.processes;
}

describe('the processes of a surface', () => {
  it('are counted in status', async () => {
    const gate = await start({ one: python('serve', newMark()) });
    const { token } = await gate.session('one');
    assert.match(await gate.do('status'), /one: its service is ready, processes: 0,/);
    const [first, second] = [await connect(gate, 'one', token), await connect(gate, 'one', token)];
    await until(async () => (await processes(gate)) === 2, 'two processes');
    await first.transport.terminateSession();
    await until(async () => (await processes(gate)) === 1, 'one process');
    await second.transport.terminateSession();
    await until(async () => (await processes(gate)) === 0, 'no process');
  });

  // None of these says anything, so who asked waits.
  it('are as many as may be, of however many sessions', async () => {
    const gate = await start({ one: stdio(['sleep', 'infinity'], { limits: LIMITS }) });
    const stop = new AbortController();
    const waiting = [];
    for (let i = 0; i < A_SURFACE / A_SESSION; i++) {
      const { token } = await gate.session('one');
      for (let k = 0; k < A_SESSION; k++) waiting.push(initialize(gate, token, stop.signal).catch(() => {}));
    }
    await until(async () => (await processes(gate)) === A_SURFACE, async () => `all processes: ${await processes(gate)}`, 120_000);
    const { token, id } = await gate.session('one');
    const refused = await within(initialize(gate, token), 'the refusal', 120_000); // behind all of them
    assert.equal(refused.status, 503);
    assert.equal(reasonOf(await refused.text()), 'quota_processes');
    await gate.audited(0, { event: 'process_refused', session: id, reason: 'quota_processes', row: 'surface_processes' });
    assert.equal(await processes(gate), A_SURFACE);
    stop.abort();
    await Promise.all(waiting);
    await gate.do('kill', 'one');
    assert.equal(await processes(gate), 0);
  });

  // What cannot be started counts as well, and nobody waits for it.
  it('are started as often as may be', async () => {
    const program = path.join(scratchDir(), 'program');
    copyFileSync('/bin/true', program);
    chmodSync(program, 0o755);
    const gate = await start({ one: stdio([program], { limits: LIMITS }) });
    const { token, id } = await gate.session('one');
    rmSync(program);
    let asked = 0;
    let reasons = [];
    while (!reasons.includes('rate_launches') && asked < 8 * AT_ONCE) {
      reasons = await Promise.all(Array.from({ length: A_SESSION }, async () => reasonOf(await (await initialize(gate, token)).text())));
      asked += reasons.length;
    }
    assert.ok(asked >= AT_ONCE && reasons.includes('rate_launches'), `${asked} were asked for: ${reasons}`);
    await gate.audited(0, { event: 'process_refused', session: id, reason: 'rate_launches', row: 'launches' });
  });
});
