// Real MCP clients through the gate over HTTP: both versions of the TypeScript
// SDK, mcp-remote and the Inspector's command line, to servers of both eras. Each
// lists and calls tools with a token and is told 401 without one.
import assert from 'node:assert/strict';
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { REFUSED } from './lib/mcp_http.mjs';
import { NODE, Program, module, runProgram, startEverything, startMcpV2 } from './lib/programs.mjs';
import { until, within } from './lib/wait.mjs';

const dir = scratchDir();
const sockets = {
  v2: path.join(dir, 'v2.sock'),
  everything: path.join(dir, 'everything.sock'),
  sse: path.join(dir, 'sse.sock'),
};
const v2Client = fileURLToPath(new URL('./lib/v2_client.mjs', import.meta.url));
const services = [];
let gate;

const allow = {
  // The Inspector asks for logs of whoever offers them.
  verbs: ['logging/setLevel', 'tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'resources/list', 'resources/read'],
  targets: ['echo', 'get-sum', 'test_*', 'simple-*', 'test://static-*'],
};

function mcp(socket, paths, more = {}) {
  const routes = paths.map((where) => ({ path: where, kind: 'mcp-http' }));
  return surface(socket, { dialect: 'mcp', routes, allow, ...more });
}

before(async () => {
  services.push(await startMcpV2(sockets.v2));
  services.push(await startEverything(sockets.everything, 'streamableHttp'));
  services.push(await startEverything(sockets.sse, 'sse'));
  gate = await Gate.start(dir, {
    workers: 2, // a surface's MCP sessions are all in one of them
    surfaces: {
      v2: mcp(sockets.v2, ['/mcp']),
      silent: mcp(sockets.v2, ['/mcp'], { allow: { ...allow, server_verbs: [] } }),
      everything: mcp(sockets.everything, ['/mcp']),
      sse: mcp(sockets.sse, ['/sse', '/message']),
    },
  });
});

after(async () => {
  await stopAll(gate, ...services);
});

async function tokenFor(name) {
  return (await gate.session(name)).token;
}

function url(name, where = '/mcp') {
  return `http://localhost:${gate.port(name)}${where}`;
}

const textOf = (result) => result.content[0].text;

async function toldUnauthorized(mark, text) {
  // The Inspector takes 401 for an invitation to log in with OAuth.
  assert.match(text, /401|Unauthorized|credential_missing|auth_required/);
  await gate.audited(mark, { event: 'denied', reason: 'credential_missing' });
}

describe('the SDK, first version', () => {
  async function connect(name, Transport, where, token) {
    const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const transport = new Transport(new URL(url(name, where)), {
      requestInit: { headers },
      // What opens the stream of the older transport.
      eventSourceInit: {
        fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
      },
    });
    await within(client.connect(transport), 'the SDK to connect');
    return client;
  }

  for (const [title, name, Transport, where, tool, sum] of [
    ['Streamable HTTP, to server-everything', 'everything', StreamableHTTPClientTransport, '/mcp', 'get-env', true],
    ['HTTP with SSE, to server-everything', 'sse', SSEClientTransport, '/sse', 'get-env', true],
    ['Streamable HTTP, to a server of both eras', 'v2', StreamableHTTPClientTransport, '/mcp', 'json_schema_2020_12_tool', false],
  ]) {
    it(`${title}: lists what it may use and calls it`, async () => {
      const client = await connect(name, Transport, where, await tokenFor(name));
      const names = (await client.listTools()).tools.map((one) => one.name);
      assert.ok(names.includes('echo'), names.join());
      assert.ok(!names.includes(tool), `${tool} is not listed`);
      const echo = await client.callTool({ name: 'echo', arguments: { message: 'grüße 🦊' } });
      assert.match(textOf(echo), /grüße 🦊$/);
      if (sum) {
        const answer = await client.callTool({ name: 'get-sum', arguments: { a: 17, b: 25 } });
        assert.match(textOf(answer), /\b42\b/);
      }
      const calls = Array.from({ length: 20 }, (_, i) =>
        client
          .callTool({ name: 'echo', arguments: { message: `number ${i}` } })
          .then((result) => assert.match(textOf(result), new RegExp(`number ${i}$`))),
      );
      await within(Promise.all(calls), 'twenty answers');
      await client.close();
    });

    it(`${title}: a tool it may not use is refused, and the session lives on`, async () => {
      const client = await connect(name, Transport, where, await tokenFor(name));
      const mark = gate.mark();
      await assert.rejects(client.callTool({ name: tool, arguments: {} }), (error) => {
        assert.equal(error.code, REFUSED, String(error));
        return true;
      });
      await gate.audited(mark, { event: 'message_refused', reason: 'target_not_allowed', target: tool });
      const echo = await client.callTool({ name: 'echo', arguments: { message: 'still here' } });
      assert.match(textOf(echo), /still here$/);
      await client.close();
    });

    it(`${title}: 401 without a token`, async () => {
      const mark = gate.mark();
      const told = await connect(name, Transport, where).then(() => 'connected', String);
      await toldUnauthorized(mark, told);
    });

    it(`${title}: revocation ends it`, async () => {
      const { id, token } = await gate.session(name);
      const client = await connect(name, Transport, where, token);
      await gate.revoke(id);
      await assert.rejects(client.callTool({ name: 'echo', arguments: { message: 'x' } }));
      await client.close();
    });
  }
});

describe('the SDK, second version', () => {
  async function run(name, mode, token, calls) {
    const input = JSON.stringify({ url: url(name), mode, token, calls });
    const { stdout, stderr } = await runProgram([NODE, v2Client], { input });
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout);
  }

  for (const [title, mode, era] of [
    ['negotiating', 'auto', 'modern'],
    ['with the old handshake', 'legacy', 'legacy'],
    ['pinned to 2026-07-28', { pin: '2026-07-28' }, 'modern'],
  ]) {
    it(`${title}: lists and calls, asks and is asked`, async () => {
      const told = await run('v2', mode, await tokenFor('v2'), [
        ['listTools'],
        ['callTool', { name: 'echo', arguments: { message: 'grüße 🦊' } }],
        ['callTool', { name: 'json_schema_2020_12_tool', arguments: { phone: '1' } }],
        ['callTool', { name: 'test_input_required_result_elicitation', arguments: {} }],
        ['callTool', { name: 'test_sampling', arguments: { prompt: 'Capital?' } }],
        ['getPrompt', { name: 'test_simple_prompt' }],
        ['readResource', { uri: 'test://static-text' }],
      ]);
      assert.equal(told.error, undefined, JSON.stringify(told.error));
      assert.equal(told.era, era);
      const [list, echo, refused, asked, sampled, prompt, resource] = told.results;
      const names = list.value.tools.map((one) => one.name);
      assert.ok(names.includes('echo') && !names.includes('json_schema_2020_12_tool'), names.join());
      assert.equal(textOf(echo.value), 'grüße 🦊');
      assert.equal(refused.error?.code, REFUSED, JSON.stringify(refused));
      assert.equal(textOf(asked.value), 'Hello, Ada!');
      assert.equal(textOf(sampled.value), 'LLM response: Paris');
      assert.equal(prompt.value.messages.length, 1);
      assert.match(resource.value.contents[0].text, /static text/);
    });

    it(`${title}: what the service may not ask does not reach it`, async () => {
      const mark = gate.mark();
      const told = await run('silent', mode, await tokenFor('silent'), [
        ['callTool', { name: 'test_sampling', arguments: { prompt: 'Capital?' } }],
        ['callTool', { name: 'echo', arguments: { message: 'still here' } }],
      ]);
      assert.equal(told.error, undefined, JSON.stringify(told.error));
      const [sampled, echo] = told.results;
      assert.doesNotMatch(JSON.stringify(sampled), /Paris/);
      assert.equal(textOf(echo.value), 'still here');
      await gate.audited(mark, {
        event: 'message_refused',
        reason: 'verb_not_allowed',
        // Of the modern era it is an answer that asks.
        verb: era === 'modern' ? 'tools/call' : 'sampling/createMessage',
        direction: 's2c',
      });
    });

    it(`${title}: 401 without a token`, async () => {
      const mark = gate.mark();
      const told = await run('v2', mode, undefined, [['listTools']]);
      await toldUnauthorized(mark, JSON.stringify(told.error ?? {}));
    });
  }
});

describe('mcp-remote', () => {
  const script = module('mcp-remote/dist/proxy.js');

  // Speaks to it over stdio: the answer to each message that has an id.
  async function speak(args, list, env) {
    const program = new Program([NODE, script, ...args], { stdin: 'pipe', env });
    const answers = [];
    for (const message of list) {
      program.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
      if (message.id === undefined) continue;
      const find = () => {
        const lines = program.stdout.split('\n').filter((line) => line.startsWith('{'));
        return lines.map((line) => JSON.parse(line)).find(({ id }) => id === message.id);
      };
      answers.push(await until(find, () => `an answer to ${message.method}: ${program.log}`, 30_000));
    }
    await program.stop();
    return answers;
  }

  it('lists and calls tools', async () => {
    const headers = path.join(dir, 'headers');
    writeFileSync(headers, `Authorization: Bearer ${await tokenFor('everything')}\n`, { mode: 0o600 });
    const clientInfo = { name: 'flow', version: '1.0.0' };
    const [, list, echo, env] = await speak(
      [url('everything'), '--header-file', headers, '--transport', 'http-only'],
      [
        { id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } },
        { method: 'notifications/initialized' },
        { id: 2, method: 'tools/list' },
        { id: 3, method: 'tools/call', params: { name: 'echo', arguments: { message: 'hi' } } },
        { id: 4, method: 'tools/call', params: { name: 'get-env', arguments: {} } },
      ],
      { MCP_REMOTE_CONFIG_DIR: path.join(dir, 'remote') },
    );
    const names = list.result.tools.map((one) => one.name);
    assert.ok(names.includes('echo') && !names.includes('get-env'), names.join());
    assert.match(textOf(echo.result), /hi$/);
    assert.equal(env.error.code, REFUSED);
  });

  it('is told 401 without a token', async () => {
    const mark = gate.mark();
    const args = [url('everything'), '--transport', 'http-only'];
    const env = { MCP_REMOTE_CONFIG_DIR: path.join(dir, 'remote-without'), BROWSER: 'true' };
    const program = new Program([NODE, script, ...args], { stdin: 'pipe', env });
    await until(() => /401|Unauthorized/i.test(program.log), () => program.log, 30_000);
    await program.stop();
    await toldUnauthorized(mark, program.log);
  });
});

describe('the Inspector’s command line', () => {
  const script = module('@modelcontextprotocol/inspector/clients/launcher/build/index.js');

  async function inspect(name, where, token, ...args) {
    const header = token ? ['--header', `Authorization: Bearer ${token}`] : [];
    const transport = where === '/sse' ? 'sse' : 'http';
    return runProgram(
      [NODE, script, '--cli', url(name, where), '--transport', transport, ...header, ...args],
      { env: { HOME: dir } },
    );
  }

  for (const [name, where, ...era] of [
    ['everything', '/mcp'],
    ['sse', '/sse'],
    ['v2', '/mcp', '--protocol-era', 'modern'],
  ]) {
    const title = [name, ...era].join(' ');

    it(`lists and calls tools: ${title}`, async () => {
      const token = await tokenFor(name);
      const list = await inspect(name, where, token, ...era, '--method', 'tools/list');
      assert.equal(list.code, 0, list.log);
      const names = JSON.parse(list.stdout).tools.map((one) => one.name);
      assert.ok(names.includes('echo') && !names.includes('get-env'), names.join());
      const call = ['--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=hi'];
      const echo = await inspect(name, where, token, ...era, ...call);
      assert.equal(echo.code, 0, echo.log);
      assert.match(textOf(JSON.parse(echo.stdout)), /hi$/);
    });

    it(`is told 401 without a token: ${title}`, async () => {
      const mark = gate.mark();
      const refused = await inspect(name, where, undefined, ...era, '--method', 'tools/list');
      assert.notEqual(refused.code, 0, refused.log);
      await toldUnauthorized(mark, refused.log);
    });
  }
});
