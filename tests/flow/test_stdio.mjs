// Services that speak MCP over standard input and output (`upstream.stdio`): what a client is told through
// the gate is what it is told by the service itself, and no two sessions share a process.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { Gate, scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { NODE, module } from './lib/programs.mjs';
import { call, connect, marked, newMark, python, stdio, untilMarked } from './lib/stdio_surface.mjs';
import { until } from './lib/wait.mjs';

const EVERYTHING = [NODE, module('@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'];
const FILESYSTEM = [NODE, module('@modelcontextprotocol/server-filesystem/dist/index.js')];
const SERVER_VERBS = ['sampling/createMessage', 'elicitation/create', 'roots/list', 'ping'];
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };
const LONG_MS = 60_000;

async function start(surfaces, more = {}) {
  const gate = keep(new Gate(scratchDir(), { surfaces, ...more }));
  await gate.launch();
  return gate;
}

// What a server asks of its client.
function answering(client) {
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
    role: 'assistant', model: 'none', content: { type: 'text', text: `asked: ${JSON.stringify(params.messages)}` },
  }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada', check: true } }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///tmp/here', name: 'here' }] }));
}

async function direct(command) {
  const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities: CAPABILITIES });
  answering(client);
  await client.connect(new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'ignore' }));
  return { client };
}

const through = async (gate, name) => connect(gate, name, (await gate.session(name)).token, { capabilities: CAPABILITIES, prepare: answering });

// A result, or its error, without what differs each time.
const told = (promise) => promise.then(
  (value) => JSON.parse(JSON.stringify(value).replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|\d{1,2}:\d\d:\d\d [AP]M/g, 'TIME')),
  ({ code, message }) => ({ code, message }),
);

async function askEverything({ client }) {
  const tool = (name, args = {}) => told(client.callTool({ name, arguments: args }, undefined, { timeout: LONG_MS }));
  const steps = [];
  const results = {
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    tools: await told(client.listTools()),
    resources: await told(client.listResources()),
    templates: await told(client.listResourceTemplates()),
    prompts: await told(client.listPrompts()),
    prompt: await told(client.getPrompt({ name: 'args-prompt', arguments: { city: 'Paris' } })),
    echo: await tool('echo', { message: 'grüße \u2028 "x"\n' }),
    sum: await tool('get-sum', { a: 1, b: 2 }),
    wrong: await tool('get-sum', { a: 'x' }),
    unknown: await tool('no-such-tool'),
    image: await tool('get-tiny-image'),
    structured: await tool('get-structured-content', { location: 'New York' }),
    roots: await tool('get-roots-list'),
    sampling: await tool('trigger-sampling-request', { prompt: 'why?', maxTokens: 5 }),
    elicitation: await tool('trigger-elicitation-request'),
    progress: await told(client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } }, undefined, {
      onprogress: ({ progress, total }) => steps.push([progress, total]), timeout: LONG_MS,
    })),
    ping: await told(client.ping()),
    steps,
  };
  const stop = new AbortController();
  const aborted = client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 600, steps: 6000 } }, undefined, {
    signal: stop.signal, timeout: LONG_MS, onprogress: () => stop.abort('enough'),
  });
  results.aborted = await aborted.then(() => 'answered', () => 'cancelled');
  results.after = await tool('echo', { message: 'still there' });
  await client.close();
  return results;
}

describe('what a client is told', () => {
  it('by server-everything is what the server says itself', async () => {
    const gate = await start({ one: stdio(EVERYTHING, { allow: { verbs: ['tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'resources/list', 'resources/templates/list', 'resources/read', 'ping'], targets: ['*'], server_verbs: SERVER_VERBS } }) });
    const [itself, gated] = [await askEverything(await direct(EVERYTHING)), await askEverything(await through(gate, 'one'))];
    // The client may have the answer before it has looked at the last of them.
    for (const { steps } of [itself, gated]) {
      assert.ok(steps.length >= 1);
      assert.deepEqual(steps, [[1, 3], [2, 3], [3, 3]].slice(0, steps.length));
    }
    delete itself.steps;
    delete gated.steps;
    assert.equal(itself.aborted, 'cancelled');
    assert.match(JSON.stringify(itself.sampling), /asked: /);
    assert.deepEqual(gated, itself);
  });

  it('by server-filesystem, too', async () => {
    const folder = path.join(scratchDir(), 'files');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'a.txt'), 'some text\n');
    const command = [...FILESYSTEM, folder];
    const gate = await start({ files: stdio(command) });
    const ask = async ({ client }) => {
      const tool = (name, args) => told(client.callTool({ name, arguments: args }, undefined, { timeout: LONG_MS }));
      const results = [
        client.getServerVersion(), await told(client.listTools()),
        await tool('read_text_file', { path: path.join(folder, 'a.txt') }),
        await tool('list_directory', { path: folder }),
        await tool('read_text_file', { path: '/etc/passwd' }),
      ];
      await client.close();
      return results;
    };
    const plain = async (command) => {
      const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
      await client.connect(new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'ignore' }));
      return { client };
    };
    const gated = await ask(await connect(gate, 'files', (await gate.session('files')).token));
    assert.match(JSON.stringify(gated[2]), /some text/);
    assert.match(JSON.stringify(gated[4]), /denied/i);
    assert.deepEqual(gated, await ask(await plain(command)));
  });
});

describe('sessions', () => {
  it('are vetted as any are: lists are cut, calls are refused', async () => {
    const gate = await start({ one: python('serve', newMark(), { allow: { verbs: ['tools/list', 'tools/call'], targets: ['echo'] } }) });
    const mark = gate.mark();
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    assert.deepEqual((await session.client.listTools()).tools.map(({ name }) => name), ['echo']);
    await assert.rejects(call(session, 'crash'), { code: -31403 });
    assert.equal(await call(session, 'echo', { text: 'hello' }), 'hello');
    await gate.audited(mark, { event: 'message_refused', target: 'crash' });
  });

  it('have a process each, fifty at once, and hear nothing of each other', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const sessions = await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const heard = [];
      const session = await connect(gate, 'one', (await gate.session('one')).token, {
        prepare: (client) => (client.fallbackNotificationHandler = async ({ params }) => heard.push(params.data)),
      });
      return { ...session, heard, secret: `secret-${i}` };
    }));
    assert.equal(marked(mark).length, 50);
    await Promise.all(sessions.map(async (session) => {
      for (let turn = 0; turn < 5; turn++) assert.equal(await call(session, 'echo', { text: `${session.secret}/${turn}` }), `${session.secret}/${turn}`);
    }));
    for (const { heard, secret } of sessions) assert.deepEqual(heard.filter((text) => !text.startsWith(`${secret}/`)), [], `what ${secret} heard`);
    await Promise.all(sessions.map(({ transport }) => transport.terminateSession()));
    await untilMarked(mark, 0);
  });

  it('of one token have a process each, and an id is no credential', async () => {
    const mark = newMark();
    const gate = await start({ one: python('serve', mark) });
    const [mine, other] = [await gate.session('one'), await gate.session('one')];
    const [a, b] = [await connect(gate, 'one', mine.token), await connect(gate, 'one', mine.token)];
    assert.equal(marked(mark).length, 2);
    assert.notEqual(a.transport.sessionId, b.transport.sessionId);
    const stolen = await fetch(`http://localhost:${gate.port('one')}/mcp`, {
      method: 'POST',
      headers: { authorization: `Bearer ${other.token}`, 'mcp-session-id': a.transport.sessionId, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    assert.equal(stolen.status, 404);
    await a.transport.terminateSession();
    assert.equal(marked(mark).length, 1, 'the answer to DELETE comes when nothing is left');
    assert.equal(await call(b, 'echo', { text: 'alive' }), 'alive');
  });

  it('give the process its environment, directory and arguments, and what it writes to stderr to the log', async () => {
    const mark = newMark();
    const dir = scratchDir();
    const secrets = path.join(dir, 'secrets');
    writeFileSync(secrets, 'KEY=value of a file\n', { mode: 0o600 });
    const gate = await start({ one: python('serve', mark, { upstream: { env: { COLOUR: 'red' }, env_files: [secrets], cwd: '/usr' } }) });
    const session = await connect(gate, 'one', (await gate.session('one')).token);
    const { env, cwd, argv } = JSON.parse(await call(session, 'environment'));
    assert.deepEqual([env.COLOUR, env.KEY, cwd, argv], ['red', 'value of a file', '/usr', ['serve', mark]]);
    await call(session, 'stderr', { text: 'a line \u001b[31m for the operator' });
    await until(() => /one: a line \\u001b\[31m for the operator/.test(gate.stderr), () => `the line:\n${gate.stderr}`);
    for (let turn = 0; turn < 2; turn++) assert.equal(await call(session, 'execute', { path: '/usr/bin/true' }), 'refused 13');
    await until(() => /may not execute/.test(gate.stderr), () => `the refusal:\n${gate.stderr}`);
    assert.match(gate.stderr, /surface one: python3 of its service may not execute "\/usr\/bin\/true": "executables" does not name it/);
    assert.match(await gate.do('register'), /a process for each MCP session/);
    assert.match(await gate.do('status'), /one: its service is ready/);
    assert.equal(gate.stderr.match(/may not execute/g).length, 1, 'each program once a session');
  });
});
