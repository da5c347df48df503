// `sidelock connect` over MCP's Streamable HTTP: both eras, through the gate, to
// real servers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

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

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

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
    await until(() => /[Tt]erminat|DELETE/.test(everything.log), () => `the end of its session: ${everything.log}`);
  });
});

describe('sidelock connect over Streamable HTTP, stateless', () => {
  it('repeats in headers what the body says', async () => {
    const connected = Connected.to(gate, 'dual');
    modern(connected, 1, 'server/discover');
    assert.ok((await connected.answer(1)).result, 'server/discover');
    modern(connected, 2, 'tools/list');
    const { tools } = (await connected.answer(2)).result;
    assert.ok(tools.length > 0);
    assert.deepEqual(await connected.finish(), { code: 0, signal: null });
  });
});
