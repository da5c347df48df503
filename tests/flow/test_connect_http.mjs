// `sidelock connect` over MCP's Streamable HTTP: both eras, through the gate, to
// real servers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { freePort } from '../services/listening.mjs';
import { Gate, SIDELOCK, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { startEverything, startMcpV2 } from './lib/programs.mjs';
import { Connected } from './lib/stdio.mjs';
import { until, within } from './lib/wait.mjs';

const MODERN = '2026-07-28';

const dir = scratchDir();
const everythingPath = path.join(dir, 'everything.sock');
const dualPath = path.join(dir, 'dual.sock');
let everything;
let dual;
let gate;

before(async () => {
  everything = await startEverything(everythingPath, 'streamableHttp');
  dual = await startMcpV2(dualPath);
  const allow = {
    verbs: ['tools/list', 'tools/call', 'resources/read', 'logging/setLevel'],
    targets: ['*'],
  };
  gate = await Gate.start(dir, {
    surfaces: {
      everything: surface(everythingPath, { dialect: 'mcp', listen: [`localhost:${await freePort()}`], allow }),
      dual: surface(dualPath, { dialect: 'mcp', listen: [`localhost:${await freePort()}`], allow }),
    },
  });
});

beforeEach(() => gate.do('session', 'revoke', '--all'));

after(() => stopAll(gate, everything, dual));

const events = (mark, name) => gate.auditLines().slice(mark).filter(({ event }) => event === name);

// A request of 2026-07-28 as a client writes it on stdio.
function modern(connected, id, method, params = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  connected.say({ jsonrpc: '2.0', id, method, params: { ...params, _meta } });
}

describe('sidelock connect over Streamable HTTP, with a session', () => {
  it('serves the SDK’s stdio client, and leaves nothing behind', async () => {
    const transport = new StdioClientTransport({
      command: SIDELOCK,
      args: ['connect', 'everything', '--control', gate.controlSocket],
    });
    const client = new McpClient({ name: 'flow', version: '1.0.0' }, { capabilities: { elicitation: {} } });
    await client.connect(transport);
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === 'echo'));
    const calls = Array.from({ length: 40 }, (_, i) =>
      client
        .callTool({ name: 'echo', arguments: { message: `grüße ${i}` } })
        .then(({ content }) => assert.equal(content[0].text, `Echo: grüße ${i}`)),
    );
    await within(Promise.all(calls), 'forty answers at once');
    await client.close();
    await gate.untilIdle('everything');
    const { sessions } = await gate.doJson('session', 'list');
    assert.deepEqual(sessions.filter(({ state }) => state === 'active'), []);
    await until(() => /termination/.test(everything.log), () => `the end of its session: ${everything.log}`);
  });

  it('carries what the server asks in the middle of a call', async () => {
    const client = new McpClient({ name: 'flow', version: '1.0.0' }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, () => ({
      action: 'accept',
      content: { name: 'Ada', username: 'ada', email: 'ada@example.org' },
    }));
    await client.connect(
      new StdioClientTransport({ command: SIDELOCK, args: ['connect', 'dual', '--control', gate.controlSocket] }),
    );
    const { content } = await client.callTool({ name: 'test_elicitation', arguments: { message: 'who?' } });
    assert.match(JSON.stringify(content), /accept|Ada|ada/);
    await client.close();
  });

  it('renews its session under the service’s, whose stream stays open', async () => {
    const mark = gate.mark();
    const connected = Connected.to(gate, 'everything', '--ttl', '6s');
    await connected.initialize();
    const { session, expires_at: term } = await gate.audited(mark, { event: 'session_created' });
    await until(() => events(mark, 'session_renewed').length >= 3, 'three renewals');
    await until(() => Date.now() / 1000 > term, 'the end of the first term');
    const answer = await connected.ask(1, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
    assert.equal(answer.result?.content[0].text, 'Echo: x', JSON.stringify(answer));
    const { sessions } = await gate.doJson('session', 'list');
    const active = sessions.filter(({ state }) => state === 'active');
    assert.deepEqual(active.map(({ id }) => id), [session]);
    // The stream for what comes unasked asked for a connection, or took an idle one of the first.
    const first = events(mark, 'admitted').filter(({ seq }) => seq < events(mark, 'session_renewed')[0].seq);
    const own = first.filter(({ method }) => method === 'GET');
    const closed = events(mark, 'closed').map(({ connection }) => connection);
    const open = (own.length > 0 ? own : first).filter(({ connection }) => !closed.includes(connection));
    assert.ok(open.length > 0, 'it is still the first');
    assert.doesNotMatch(connected.stderr, /beginning another/);
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });

  it('begins another session behind a gate that came back', async () => {
    const connected = Connected.to(gate, 'everything');
    await connected.initialize();
    const echo = (id) => connected.ask(id, 'tools/call', { name: 'echo', arguments: { message: `${id}` } });
    assert.equal((await echo(1)).result.content[0].text, 'Echo: 1');
    await gate.crash();
    const waiting = echo(2); // until there is a gate
    await gate.launch();
    const answer = await waiting;
    assert.equal(answer.result?.content[0].text, 'Echo: 2', JSON.stringify(answer));
    assert.match(connected.stderr, /beginning another/);
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });
});

describe('sidelock connect over Streamable HTTP, stateless', () => {
  it('repeats in headers what the body says', async () => {
    const connected = Connected.to(gate, 'dual');
    modern(connected, 1, 'server/discover');
    assert.ok((await connected.answer(1)).result, 'server/discover');
    modern(connected, 2, 'tools/list');
    const { tools } = (await connected.answer(2)).result;
    assert.ok(tools.some(({ name }) => name === 'test_x_mcp_header'));
    // The server refuses a call whose headers do not say what its body says.
    modern(connected, 3, 'tools/call', { name: 'test_x_mcp_header', arguments: { region: 'Zürich ' } });
    const { result } = await connected.answer(3);
    assert.deepEqual(JSON.parse(result.content[0].text), { region: 'Zürich ' });
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });

  it('streams, and refuses what the gate refuses', async () => {
    const connected = Connected.to(gate, 'dual', '--tool', 'test_tool_with_*');
    modern(connected, 1, 'tools/call', { name: 'test_simple_text', arguments: {} });
    assert.equal((await connected.answer(1)).error.code, -31403);
    modern(connected, 2, 'tools/call', { name: 'test_tool_with_progress', arguments: {} });
    assert.match((await connected.answer(2)).result.content[0].text, /Progress/);
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });
});

// Runs a text as a shell would; what it started must not show a token to `ps`.
function shell(text) {
  const child = spawn('sh', ['-c', text], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (out += chunk));
  return within(new Promise((resolve) => child.on('close', (code) => resolve({ code, out }))), `the end of ${text}`, 20_000);
}

describe('sidelock session create --print', () => {
  it('curl: a command that works, with the token in no argument', async () => {
    const snippet = await gate.do('session', 'create', 'everything', '--print', 'curl');
    const [command, header] = snippet.split('\n');
    assert.match(header, /^Authorization: Bearer eyJ/);
    assert.doesNotMatch(command, /eyJ/);
    const { code, out } = await shell(snippet);
    assert.equal(code, 0, out);
    assert.match(out, /"protocolVersion":"2025-11-25"/);
  });

  it('env: variables that a client can use', async () => {
    const snippet = await gate.do('session', 'create', 'everything', '--print', 'env');
    const { out } = await shell(`${snippet}printf '%s %s' "$SIDELOCK_URL" "$SIDELOCK_TOKEN"`);
    const [url, token] = out.split(' ');
    const answer = await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } });
    assert.notEqual(answer.status, 401);
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 401);
  });

  it('mcp-json: an entry for connect, and one for clients with headers', async () => {
    const { stdout, stderr } = await gate.cli('session', 'create', 'everything', '--print', 'mcp-json');
    const { mcpServers } = JSON.parse(stdout);
    assert.deepEqual(mcpServers.everything, { command: 'sidelock', args: ['connect', 'everything'] });
    const { type, url, headers } = mcpServers['everything-http'];
    assert.equal(type, 'http');
    assert.equal(new URL(url).pathname, '/mcp');
    assert.match(headers.Authorization, /^Bearer eyJ/);
    assert.match(stderr, /needs no token/);
  });

  it('refuses what it does not know, before it makes a session', async () => {
    const { code } = await gate.cli('session', 'create', 'everything', '--print', 'yaml');
    assert.equal(code, 64);
    const { sessions } = await gate.doJson('session', 'list');
    assert.deepEqual(sessions.filter(({ state }) => state === 'active'), []);
  });
});
