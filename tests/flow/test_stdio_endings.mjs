// How a process of a stdio service ends, whoever ends it: nothing of it is left, and whoever waits is told.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import WebSocket from 'ws';

import { Gate, SANITIZED, scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { call, childrenOf, connect, launcherOf, marked, newMark, python, untilMarked } from './lib/stdio_surface.mjs';
import { until, within } from './lib/wait.mjs';

async function start(surfaces, more = {}) {
  const gate = keep(new Gate(scratchDir(), { surfaces, ...more }));
  await gate.launch();
  return gate;
}

// A session with a process that has forked another one away, which ignores signals.
async function stubborn(gate, mark, ...options) {
  const made = await gate.session('one', ...options);
  const session = await connect(gate, 'one', made.token);
  await call(session, 'fork');
  assert.equal(marked(mark).length, 2);
  return { ...session, ...made };
}

async function post(gate, token, message, headers = {}) {
  const answer = await fetch(`http://localhost:${gate.port('one')}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

const initialize = (gate, token) =>
  post(gate, token, { id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'flow', version: '1' } } });

const reasonOf = ({ text }) => JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)).error.data.reason;

async function socket(gate, token) {
  const ws = new WebSocket(`ws://localhost:${gate.port('one')}/mcp`, 'mcp', { headers: { authorization: `Bearer ${token}` } });
  const heard = [];
  ws.on('message', (text) => heard.push(JSON.parse(text)));
  const closed = new Promise((resolve) => ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
  await within(new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject)), 'the WebSocket to open');
  const ask = (id, method, params = {}) => {
    ws.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return until(() => heard.find((message) => message.id === id), () => `an answer to ${method}: ${JSON.stringify(heard)}`);
  };
  return { ws, heard, closed, ask };
}

it('a process executes what its surface says: what else it tries is in the audit log', async () => {
  const gate = await start({ one: python('serve', newMark()) });
  const { token } = await gate.session('one');
  const session = await connect(gate, 'one', token);
  for (let time = 0; time < 2; time++) assert.equal(await call(session, 'execute', { path: '/bin/sh' }), 'refused 13');
  const refused = { event: 'execution_refused', surface: 'one', reason: 'executable_refused', cause: 'service', path: '/bin/sh' };
  await gate.audited(0, refused);
  assert.equal(gate.auditLines().filter((line) => line.event === refused.event).length, 1, 'once');
});

describe('a process ends whole', () => {
  it('with its MCP session, which the client ends', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const { transport } = await stubborn(gate, mark);
    await transport.terminateSession();
    assert.equal(marked(mark).length, 0);
  });

  it('with the session of the gate: revoked, expired, its surface killed, the gate stopped', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const revoked = await stubborn(gate, mark);
    await gate.revoke(revoked.id);
    await untilMarked(mark, 0);
    await stubborn(gate, mark, '--ttl', '15s');
    await untilMarked(mark, 0);
    await stubborn(gate, mark);
    await gate.do('kill', 'one');
    assert.equal(marked(mark).length, 0, 'a kill is acknowledged when it is true');
    await gate.do('arm', 'one');
    await stubborn(gate, mark);
    await gate.stop();
    assert.equal(marked(mark).length, 0);
  });

  it('and is none that could be started again, or looked into, as the one of its surface', async () => {
    const gate = await start({ one: python('serve', newMark()) });
    for (const args of [['restart', 'one'], ['exec', 'one', '--', 'true']]) {
      const { code, stderr } = await gate.cli(...args);
      assert.notEqual(code, 0);
      assert.match(stderr, /one has no one service: each MCP session has a process of its own/);
    }
  });

  it('with a WebSocket', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const { token } = await gate.session('one');
    const { ws, ask } = await socket(gate, token);
    const opened = await ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'flow', version: '1' } });
    assert.equal(opened.result.serverInfo.name, 'stdio_mcp');
    assert.equal((await ask('two', 'tools/call', { name: 'echo', arguments: { text: 'by frame' } })).result.content[0].text, 'by frame');
    await ask(3, 'tools/call', { name: 'fork', arguments: {} });
    assert.equal(marked(mark).length, 2);
    ws.terminate();
    await untilMarked(mark, 0);
  });

  it('when the launcher is killed, and another one starts the next', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const { token } = await stubborn(gate, mark);
    const first = launcherOf(gate);
    process.kill(first, 'SIGKILL');
    await untilMarked(mark, 0);
    // Another one begins when nothing is left of the last, its relays too.
    await until(() => ![undefined, first].includes(launcherOf(gate)), 'another launcher');
    const again = await connect(gate, 'one', token);
    assert.equal(await call(again, 'echo', { text: 'again' }), 'again');
  });

  it('when its relay is killed, and the next of the session has another one', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const { token } = await stubborn(gate, mark);
    const parentOf = (pid) => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
    const keeper = parentOf(marked(mark).find((pid) => parentOf(pid) !== 1));
    const spawner = parentOf(keeper);
    // Each time the descriptors of the last one are free for the next, at some moment of its end.
    for (let i = 0; i < 8; i++) {
      const relays = childrenOf(spawner).flatMap(childrenOf).filter((pid) => !marked(mark).includes(pid));
      assert.equal(relays.length, 1);
      if (!SANITIZED) assert.doesNotMatch(readFileSync(`/proc/${relays[0]}/limits`, 'utf8'), /^Max address space\s+unlimited/m);
      process.kill(relays[0], 'SIGKILL');
      await untilMarked(mark, 0);
      const again = await connect(gate, 'one', token);
      assert.equal(await call(again, 'echo', { text: 'again' }), 'again');
    }
  });

  it('when its surface leaves the configuration', async () => {
    const mark = newMark();
    const surfaces = { one: python('serve', mark), other: python('serve', newMark()) };
    const gate = await start(surfaces);
    await stubborn(gate, mark);
    gate.configure({ surfaces: { other: surfaces.other } });
    await gate.do('reload');
    await untilMarked(mark, 0);
  });

  it('when nobody has come for long', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark, { limits: { idle_timeout_ms: 500, upstream_timeout_ms: 60_000 } }) });
    const { token } = await gate.session('one');
    const opened = await initialize(gate, token);
    assert.equal(opened.status, 200);
    await untilMarked(mark, 0);
    const late = await post(gate, token, { id: 2, method: 'tools/list' }, { 'mcp-session-id': opened.headers.get('mcp-session-id') });
    assert.equal(late.status, 404, 'so that the client begins anew');
  });
});

describe('who waits is told', () => {
  it('that the process has ended, and what it said before comes first', async () => {
    const gate = await start({ one: python('serve', newMark()) });
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    assert.equal(await call(session, 'last_words'), 'goodbye');
    const second = await connect(gate, 'one', (await gate.session('one')).token);
    await assert.rejects(call(second, 'crash'), /-31404|process has|upstream_unreachable/);
    await until(() => /one: a process of it ended with exit code 7/.test(gate.stderr), () => `the log:\n${gate.stderr}`);
  });

  it('that it ended at once, or cannot be started', async () => {
    const gate = await start({ one: python('exit', newMark()) });
    const { token } = await gate.session('one');
    const answer = await initialize(gate, token);
    // A process that takes more than a second to end is told of in a stream.
    assert.ok([502, 200].includes(answer.status), answer.text);
    assert.equal(reasonOf(answer), 'upstream_unreachable');
    const { closed } = await socket(gate, token);
    assert.equal((await within(closed, 'the end of the WebSocket')).code, 1011);
  });

  it('that there are as many as may be, with a line in the audit log', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const { token, id } = await gate.session('one');
    const answers = await Promise.all(Array.from({ length: 33 }, () => initialize(gate, token)));
    const refused = answers.filter(({ status }) => status !== 200);
    assert.equal(refused.length, 1);
    assert.equal(refused[0].status, 503);
    assert.equal(reasonOf(refused[0]), 'quota_processes');
    await gate.audited(0, { event: 'process_refused', session: id, reason: 'quota_processes', row: 'processes' });
    assert.equal(marked(mark).length, 32);
    const other = await gate.session('one');
    assert.equal((await initialize(gate, other.token)).status, 200, 'another session has its own');
  });
});

describe('a process that means harm', () => {
  it('says what is no message: that is left out, and said once', async () => {
    const gate = await start({ one: python('garbage', newMark()), two: python('stray', newMark()) });
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    assert.equal(await call(session, 'echo', { text: 'a message' }), 'a message');
    await until(() => /no JSON-RPC message/.test(gate.stderr), () => gate.stderr);
    assert.equal(gate.stderr.match(/no JSON-RPC message/g).length, 1);
    assert.equal(await call(await connect(gate, 'two', (await gate.session('two')).token), 'echo', { text: 'b' }), 'b');
  });

  it('floods, says a line without end, or reads nothing: it costs its own session alone', async () => {
    const marks = { flood: newMark(), huge: newMark(), mute: newMark() };
    const gate = await start({ one: python('serve', newMark()), ...Object.fromEntries(Object.entries(marks).map(([mode, mark]) => [mode, python(mode, mark)])) });
    const tokens = Object.fromEntries(await Promise.all(Object.keys(marks).map(async (mode) => [mode, (await gate.session(mode)).token])));
    const hello = { id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'flow', version: '1' } } };
    const asked = Object.entries(tokens).map(([mode, token]) => fetch(`http://localhost:${gate.port(mode)}/mcp`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', ...hello }),
    }).catch((error) => error));
    // The line without end is one that is too long: its process goes, and who waits hears why.
    const huge = await within(asked[1], 'the answer about a line without end', 60_000);
    assert.match(await huge.text(), /answer_too_big/);
    await untilMarked(marks.huge, 0);
    // Meanwhile others are served.
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    assert.equal(await call(session, 'echo', { text: 'served' }), 'served');
    await gate.do('kill', '--all');
    assert.deepEqual(Object.values(marks).flatMap(marked), []);
    await Promise.all(asked);
  });

  it('closes its input and lives on: who asks it something is refused', async () => {
    const gate = await start({ one: python('serve', newMark()) });
    const { token } = await gate.session('one');
    const opened = await initialize(gate, token);
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
    await post(gate, token, { id: 2, method: 'tools/call', params: { name: 'deafen', arguments: {} } }, headers);
    for (const id of [3, 4]) {
      const refused = await within(post(gate, token, { id, method: 'tools/list' }, headers), 'the refusal');
      assert.equal(refused.status, 503, refused.text);
      assert.match(refused.text, /does not read/);
    }
  });

  it('writes answers as large as may be, and no larger', async () => {
    const gate = await start({ one: python('serve', newMark(), { limits: { max_answer_bytes: 300_000, upstream_timeout_ms: 60_000 } }) });
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    assert.equal((await call(session, 'large', { bytes: 200_000 })).length, 200_000);
    await assert.rejects(call(session, 'large', { bytes: 400_000 }), /answer_too_big|too long/);
  });

  it('writes an answer of more than fits between it and the client, and is heard after that too', async () => {
    const gate = await start({ one: python('serve', newMark()) });
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    assert.equal((await call(session, 'large', { bytes: 2_000_000 })).length, 2_000_000);
    assert.equal(await call(session, 'echo', { text: 'still heard' }), 'still heard');
  });
});
