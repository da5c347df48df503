// A stdio service in MCP's modern era (2026-07-28), which knows no session: the requests of a session of the
// gate share one process, whoever sends them, and who closes the stream of an answer cancels its request.
import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Gate, scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { NODE, module, runProgram, serviceFile } from './lib/programs.mjs';
import { VERBS, marked, newMark, python, stdio } from './lib/stdio_surface.mjs';
import { until, within } from './lib/wait.mjs';

const v2Client = fileURLToPath(new URL('./lib/v2_client.mjs', import.meta.url));
const VERSION = '2026-07-28';

async function start(surfaces) {
  const gate = keep(new Gate(scratchDir(), { surfaces }));
  await gate.launch();
  return gate;
}

async function v2(gate, name, mode, calls) {
  const { token } = await gate.session(name);
  const url = `http://localhost:${gate.port(name)}/mcp`;
  const { stdout, stderr } = await runProgram([NODE, v2Client], { input: JSON.stringify({ url, mode, token, calls }), timeoutMs: 120_000 });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

// A request of the modern era, with our own id: {answer, text} or a request to be destroyed.
function ask(gate, token, id, method, params = {}) {
  const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: {
    ...params._meta, 'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1' }, 'io.modelcontextprotocol/clientCapabilities': {} } } });
  const request = http.request({
    port: gate.port('one'), host: '127.0.0.1', path: '/mcp', method: 'POST', agent: false,
    headers: { host: `localhost:${gate.port('one')}`, authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-protocol-version': VERSION, 'mcp-method': method, ...(params.name && { 'mcp-name': params.name }) },
  });
  request.on('error', () => {});
  const answer = new Promise((resolve) => request.on('response', (response) => {
    let text = '';
    response.on('data', (chunk) => (text += chunk));
    response.on('error', () => {});
    response.on('end', () => resolve({ status: response.statusCode, text, json: JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) }));
  }));
  request.end(body);
  return { request, answer };
}

const MODERN = [NODE, serviceFile('stdio_v2.mjs')];
const CALLS = [['listTools'], ['callTool', { name: 'test_simple_text', arguments: {} }], ['listPrompts'], ['callTool', { name: 'none', arguments: {} }]];

describe('the modern era', () => {
  it('is spoken by the SDK, and the era with sessions to the same service', async () => {
    const gate = await start({ one: stdio(MODERN) });
    const modern = await v2(gate, 'one', { pin: VERSION }, CALLS);
    assert.equal(modern.error, undefined, JSON.stringify(modern));
    assert.deepEqual([modern.era, modern.server], ['modern', 'stdio_v2']);
    assert.ok(modern.results[0].value.tools.length > 3);
    assert.match(JSON.stringify(modern.results[1].value), /simple text response/);
    const legacy = await v2(gate, 'one', 'legacy', CALLS);
    assert.deepEqual([legacy.era, legacy.server], ['legacy', 'stdio_v2']);
    assert.deepEqual(legacy.results[1].value.content, modern.results[1].value.content);
  });

  it('is not what an older service speaks, which a client of both finds out', async () => {
    const gate = await start({ one: stdio([NODE, module('@modelcontextprotocol/server-everything/dist/index.js'), 'stdio']) });
    const found = await v2(gate, 'one', 'auto', [['callTool', { name: 'echo', arguments: { message: 'x' } }]]);
    assert.equal(found.error, undefined, JSON.stringify(found));
    assert.equal(found.era, 'legacy');
    assert.match(JSON.stringify(found.results[0].value), /Echo: x/);
  });

  it('has one process for a session of the gate; equal ids are not mixed up; to hang up is to cancel', async () => {
    const gate = await start({ one: stdio(MODERN) });
    const { token } = await gate.session('one');
    const counts = async () => JSON.parse((await within(ask(gate, token, 1, 'tools/call', { name: 'counts', arguments: {} }).answer, 'counts')).json.result.content[0].text);
    const { pid } = await counts();
    const answers = await Promise.all(['a', 7, 'a', 7].map((id) => ask(gate, token, id, 'tools/call', { name: 'test_simple_text', arguments: {} }).answer));
    assert.deepEqual(answers.map(({ json }) => json.id), ['a', 7, 'a', 7]);
    const waiting = ask(gate, token, 'a', 'tools/call', { name: 'wait', arguments: {} });
    await until(async () => (await counts()).waiting === 1, 'the call to wait');
    waiting.request.destroy();
    await until(async () => (await counts()).aborted === 1, 'the call to be cancelled');
    assert.equal((await counts()).pid, pid);
    const unknown = await ask(gate, token, 5, 'tools/call', { name: 'counts', arguments: {} }).answer;
    assert.equal(unknown.status, 200);
  });

  it('has that process still when it was asked for what it does not know', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const { token } = await gate.session('one');
    const called = (name) => within(ask(gate, token, 1, 'tools/call', { name, arguments: { text: 'x' } }).answer, name);
    assert.equal((await called('echo')).json.result.content[0].text, 'x');
    const first = marked(mark);
    const refused = await called('none');
    assert.deepEqual([refused.status, refused.json.error.message], [404, 'of the service'], refused.text);
    assert.equal((await called('echo')).json.result.content[0].text, 'x');
    assert.deepEqual(marked(mark), first);
  });

  it('and another session of the gate has another process', async () => {
    const gate = await start({ one: stdio(MODERN, { allow: { verbs: VERBS, targets: ['counts'] } }), old: python('serve', newMark()) });
    const said = await Promise.all([0, 1].map(async () => {
      const { token } = await gate.session('one');
      const call = () => ask(gate, token, 1, 'tools/call', { name: 'wait', arguments: {} }).answer;
      const refused = await call();
      assert.equal(refused.json.error.code, -31403);
      return ask(gate, token, 1, 'tools/call', { name: 'counts', arguments: {} }).answer;
    }));
    assert.equal(said.length, 2);
    for (const { json } of said) assert.equal(JSON.parse(json.result.content[0].text).waiting, 0);
  });
});
