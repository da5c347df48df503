// `sidelock exec SURFACE -- COMMAND`: the operator's own look into the private network of a service.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { launched, startLaunched, untilState } from './lib/launched.mjs';
import { PEOPLE, freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';
import { Wrapped, runtimeDir, service } from './lib/wrapped.mjs';

const python = (port) => launched(['python3', service('launched.py'), port]);

describe('a look into a service', () => {
  for (const who of PEOPLE)
    it(`finds its port on localhost, and no way out, for ${who.name}`, async () => {
      const port = await freePort();
      const wrapped = await new Wrapped(['python3', '-um', 'http.server', port], { who, runtime: runtimeDir(who), cwd: '/usr/share/doc' }).ready();
      const inside = await wrapped.cli('exec', 'python3', '--', 'curl', '-sS', `http://localhost:${port}/`);
      assert.equal(inside.code, 0, inside.stderr);
      assert.match(inside.stdout, /Directory listing/, 'past the gate');
      const own = await wrapped.cli('exec', 'python3', '--', 'sh', '-c', 'id -u; exit 9');
      assert.deepEqual([own.code, own.stdout], [9, `${who.uid}\n`], own.stderr);
      const out = await wrapped.cli('exec', 'python3', '--', 'curl', '-sS', '--max-time', '5', 'http://192.0.2.1/');
      assert.equal(out.code, 7, 'it cannot connect');
      assert.equal((await wrapped.cli('exec', 'python3', '--', '/no/such/program')).code, 127);
      assert.equal((await wrapped.cli('exec', 'python3', '--', '/etc/passwd')).code, 126);
    });

  it('has the operator\'s own input and output, and leaves a line in the audit log', async () => {
    const gate = await startLaunched({ one: python(await freePort()) });
    await untilState(gate, 'one', 'ready');
    const mark = gate.mark();
    assert.equal(await gate.do('exec', 'one', '--', 'tr', 'a-z', 'A-Z', { input: 'through' }), 'THROUGH');
    const line = await gate.audited(mark, { event: 'service_entered', surface: 'one' });
    assert.equal(line.operator_uid, process.getuid());
  });

  it('is possible before it is ready: where it listens may be what is looked for', async () => {
    const [here, there] = [await freePort(), await freePort()];
    const gate = await startLaunched({ one: launched(['python3', service('launched.py'), here], { upstream: { port: there } }) });
    await untilState(gate, 'one', 'starting');
    assert.match(await gate.do('exec', 'one', '--', 'curl', '-sS', '--retry', '20', '--retry-connrefused', '--retry-delay', '1', `http://127.0.0.1:${here}/facts`), /"pid"/);
  });

  it('starts a service that is started on demand', async () => {
    const gate = await startLaunched({ one: launched(['python3', service('launched.py'), await freePort()], { upstream: { start: 'on_demand' } }) });
    await untilState(gate, 'one', 'idle');
    assert.match(await gate.do('exec', 'one', '--', 'readlink', '/proc/self/ns/net'), /^net:/);
    await untilState(gate, 'one', 'ready');
  });

  it('is refused where there is nothing to look into, and says why', async () => {
    const gate = await startLaunched({ one: python(await freePort()), gone: launched(['false']) }, { echoes: true });
    for (const [args, code, pattern] of [
      [['none', '--', 'true'], 65, /no surface none/],
      [['echo', '--', 'true'], 65, /is not started by Sidelock/],
      [['one'], 64, /after `--` comes the command/],
      [['one', '--'], 64, /after `--` comes the command/],
      [['--', 'true'], 64, /an argument is missing/],
      [['a/b', '--', 'true'], 65, /not the name of a surface/],
    ]) {
      const said = await gate.cli('exec', ...args);
      assert.equal(said.code, code, said.stderr);
      assert.match(said.stderr, pattern);
    }
    // It is started again and again, ever less often.
    await until(async () => /nothing of gone is there to look into/.test((await gate.cli('exec', 'gone', '--', 'true')).stderr), 'a time between two starts');
    await gate.do('kill', 'one');
    assert.match((await gate.cli('exec', 'one', '--', 'true')).stderr, /one is killed/);
    await gate.do('arm', 'one');
    await untilState(gate, 'one', 'ready');
    assert.equal((await gate.cli('exec', 'one', '--', 'true')).code, 0);
  });
});
