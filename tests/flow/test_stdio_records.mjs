// A stdio service whose command stands in the session's parameter record: it runs what is stored and on the
// list of executables, and nothing else, whoever says so.
import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { describe, it } from 'node:test';

import { Gate, scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { serviceFile } from './lib/programs.mjs';
import { call, connect, marked, newMark, stdio, untilMarked } from './lib/stdio_surface.mjs';

const PYTHON = realpathSync('/usr/bin/python3');
const SERVER = serviceFile('stdio_mcp.py');
const record = (mark, more = {}) => ({ type: 'StdioServerParams', command: PYTHON, args: [SERVER, 'serve', mark], env: null, cwd: null, ...more });

async function start(executables, surfaces = { one: stdio() }) {
  const gate = keep(new Gate(scratchDir(), { surfaces, executables }));
  await gate.launch();
  return gate;
}

describe('a stored command', () => {
  it('runs with what the record says, each session with its own', async () => {
    const [mark, other] = [newMark(), newMark()];
    const gate = await start([PYTHON]);
    await gate.putParams('a', record(mark, { env: { SECRET: 'of a' }, cwd: '/usr' }));
    await gate.putParams('b', record(other, { env: { SECRET: 'of b' } }));
    const a = await connect(gate, 'one', (await gate.session('one', '--params', 'a')).token);
    const b = await connect(gate, 'one', (await gate.session('one', '--params', 'b')).token);
    const [ofA, ofB] = [JSON.parse(await call(a, 'environment')), JSON.parse(await call(b, 'environment'))];
    assert.deepEqual([ofA.env.SECRET, ofA.cwd, ofA.argv], ['of a', '/usr', ['serve', mark]]);
    assert.deepEqual([ofB.env.SECRET, ofB.cwd, ofB.argv], ['of b', '/', ['serve', other]]);
    assert.doesNotMatch(gate.stderr + JSON.stringify(gate.auditLines()), /of a|of b/, 'values are in no log');
    // A record that changes ends what runs of it.
    await gate.putParams('a', record(mark, { env: { SECRET: 'of c' } }));
    await untilMarked(mark, 0);
    assert.equal(await call(b, 'echo', { text: 'b' }), 'b');
  });

  it('is refused without a record, and if the list of executables does not permit it', async () => {
    const mark = newMark();
    const gate = await start([{ path: PYTHON, args: ['.*stdio_mcp\\.py', 'serve', mark] }]);
    await gate.putParams('fine', record(mark));
    const put = await gate.cli('params', 'put', 'wrong', '-', { input: JSON.stringify(record(mark, { args: ['-c', 'print(1)'] })) });
    assert.notEqual(put.code, 0);
    assert.match(put.stderr, /matches no pattern/);
    const { token } = await gate.session('one');
    await assert.rejects(connect(gate, 'one', token), /params_required|403/);
    await gate.audited(0, { event: 'denied', reason: 'params_required' });
    const { token: good } = await gate.session('one', '--params', 'fine');
    assert.equal(await call(await connect(gate, 'one', good), 'echo', { text: 'x' }), 'x');
    // The list changes while the record stays: the next process is refused.
    await gate.stop();
    gate.configure({ surfaces: { one: stdio() }, executables: ['/usr/bin/true'] });
    await gate.launch();
    await assert.rejects(connect(gate, 'one', good), /executable_refused|403/);
    await gate.audited(0, { event: 'denied', reason: 'executable_refused' });
    const explained = await gate.cli('explain', '--surface', 'one', '--method', 'POST', '/mcp');
    assert.match(explained.stdout, /what runs stands in the session's record/);
  });

  it('is judged when the configuration is checked', async () => {
    const faulty = async (upstream, more = {}) => {
      const gate = new Gate(scratchDir(), { surfaces: { one: { ...stdio(), upstream } }, ...more });
      return (await gate.cli('check')).stderr;
    };
    assert.match(await faulty({ stdio: true }), /\/upstream\/stdio: .*"executables"/);
    assert.match(await faulty({ stdio: true, socket: '/run/x.sock' }), /say one of them/);
    assert.match(await faulty({ stdio: true, command: ['/usr/bin/python3'], port: 80 }), /"port" is of a service that listens/);
    assert.match(await faulty({ stdio: true, cwd: '/' }, { executables: [PYTHON] }), /"cwd" is what the session's parameter record says/);
    assert.match(await faulty({ stdio: true, command: ['/no/such/program'] }), /no program/);
    assert.match(await faulty({}), /say one of them/);
    const fine = new Gate(scratchDir(), { surfaces: { one: stdio() }, executables: [PYTHON] });
    await fine.do('check');
  });

  it('of nobody is run by what a session cannot name', async () => {
    const mark = newMark();
    const gate = await start([PYTHON]);
    await gate.putParams('a', record(mark));
    const { token } = await gate.session('one', '--params', 'a');
    const answer = await fetch(`http://localhost:${gate.port('one')}/mcp?server_params=x&command=/bin/sh`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' }, command: '/bin/sh' } }),
    });
    assert.equal(answer.status, 200);
    assert.equal(marked(mark).length, 1);
  });
});
