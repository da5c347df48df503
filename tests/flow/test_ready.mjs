// A launched service that has to answer a path before it is served (`upstream.ready`): what it answers, when it is ready
// and what becomes of one that does not come to be so.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { scratchDir } from './lib/gate.mjs';
import { GATE_MS, alive, get, launched, startLaunched, stateOf, untilState } from './lib/launched.mjs';
import { serviceFile } from './lib/programs.mjs';
import { freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

// A gate whose service answers as `says(word)` has said last.
async function start(word, { ready = {}, ...upstream } = {}) {
  const file = path.join(scratchDir(), 'word');
  const says = (now) => writeFileSync(file, now);
  const port = await freePort();
  says(word);
  const gate = await startLaunched({
    one: launched(['python3', serviceFile('unready.py'), port, file], { upstream: { ready: { path: '/health?full=1', ...ready }, ...upstream } }),
  });
  return { gate, says, port, file };
}

const untilWhy = (gate, pattern) =>
  until(async () => {
    const now = await stateOf(gate, 'one');
    return pattern.test(now.why ?? '') && now;
  }, () => `a reason like ${pattern}:\n${gate.stderr}`, GATE_MS);

describe('a service that has a path to answer', () => {
  it('is starting until it does; who comes meanwhile waits', async () => {
    const { gate, says, port, file } = await start('503');
    const { state, ports, pid } = await untilWhy(gate, /GET \/health\?full=1 says that it is not ready: status 503/);
    assert.deepEqual([state, ports], ['starting', [`${port}/tcp`]]);
    assert.match(await gate.do('status'), /one: its service is starting, .*: it listens; GET \/health\?full=1 says/);
    const waits = get(gate, 'one', '/');
    says('302');
    assert.equal((await waits).body, 'here');
    const now = await untilState(gate, 'one', 'ready');
    assert.deepEqual([now.pid, now.why], [pid, null]);
    await gate.audited(0, { event: 'service_ready', surface: 'one', pid });
    const head = readFileSync(`${file}.heard`, 'latin1');
    assert.match(head, new RegExp(`^GET /health\\?full=1 HTTP/1\\.1\\r\\nHost: localhost:${port}\\r\\n`));
    says('503'); // nobody asks any more
    assert.equal((await get(gate, 'one', '/')).body, 'here');
  });

  for (const [word, cause] of [['hang_up', 'it hangs up'], ['garbage', 'what it says is no answer of HTTP/1'], ['404', 'status 404'], ['103', 'status 103']]) {
    it(`is not ready while it answers so: ${word}`, async () => {
      const { gate, says } = await start(word);
      await untilWhy(gate, new RegExp(`not ready: ${cause}`));
      assert.equal((await stateOf(gate, 'one')).state, 'starting');
      says('200');
      await untilState(gate, 'one', 'ready');
    });
  }

  it('is ready by the status alone, whatever it goes on to say', async () => {
    const { gate } = await start('flood');
    await untilState(gate, 'one', 'ready');
    assert.equal((await get(gate, 'one', '/')).body, 'here');
  });

  it('may listen elsewhere meanwhile: it is asked there', async () => {
    const { gate, port } = await start('move');
    const { ports } = await untilState(gate, 'one', 'ready');
    assert.deepEqual(ports, [`${port + 1}/tcp`]);
    assert.equal((await get(gate, 'one', '/')).body, 'here');
  });

  it('and does not in its time is ended, which counts as a failure, and is started again', async () => {
    const { gate, says } = await start('silent', { ready: { timeout_s: 1 }, restart: 'on-failure' });
    const ended = await until(() => gate.auditLines().find(({ event }) => event === 'service_ended'), 'its end', GATE_MS);
    assert.match(ended.why, /did not answer GET \/health\?full=1 as one that is ready in 1 s: it does not answer/);
    assert.equal(ended.reason, 'upstream_unreachable');
    assert.match(gate.stderr, /surface one: its service did not answer .*; it is ended/);
    await until(() => alive([ended.pid]).length === 0, 'its processes to end');
    says('200');
    const { restarts } = await untilState(gate, 'one', 'ready');
    assert.ok(restarts >= 1);
  });

  it('does not have its time anew when it stops to listen', async () => {
    const { gate } = await start('blink', { ready: { timeout_s: 1 }, restart: 'never' });
    const { why } = await untilState(gate, 'one', 'stopped');
    assert.match(why, /did not answer GET .* as one that is ready in 1 s: /);
  });

  it('is not started again where it never is, and says why', async () => {
    const { gate } = await start('500', { ready: { timeout_s: 1 }, restart: 'never' });
    const { why } = await untilState(gate, 'one', 'stopped');
    assert.match(why, /in 1 s: status 500$/);
    const refused = await get(gate, 'one', '/');
    assert.equal(refused.status, 502);
    const { code, stderr } = await gate.cli('restart', 'one');
    assert.notEqual(code, 0);
    assert.match(stderr, /one is not served again: its service did not answer/);
  });
});
