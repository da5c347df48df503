// MCP Inspector's old proxy (0.14.0, CVE-2025-49596), whose query string says what
// to run: unprotected it runs what anybody asks for; behind the gate it runs what
// the session's parameter record says and nothing else.
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';

import { Pipe } from '../services/pipe.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { EventStream, ask } from './lib/http.mjs';
import { NODE, module, startService } from './lib/programs.mjs';
import { until, within } from './lib/wait.mjs';

const dir = scratchDir();
const socketPath = path.join(dir, 'inspector.sock');
const everything = module('@modelcontextprotocol/server-everything/dist/index.js');
let inspector;
let pipe;
let gate;
let session;

// What a person stored beforehand.
const record = {
  transportType: 'stdio',
  command: NODE,
  args: [everything, 'stdio'],
  env: { FLOW: 'from the record' },
};

// The proxy splits `args` as a shell would.
const inject = {
  transportType: { from: '/transportType', encoding: 'text' },
  command: { from: '/command', encoding: 'text' },
  args: { from: '/args', encoding: 'shell-words' },
  env: { from: '/env', encoding: 'json' },
};

// It ends, with everything it runs, when a client goes while one of its servers
// writes to standard error: who needs it starts it anew.
async function startInspector() {
  await inspector?.stop();
  rmSync(socketPath, { force: true });
  const script = module('@modelcontextprotocol/inspector-server/build/index.js');
  inspector = await startService([NODE, script], { path: socketPath }, {
    env: { PORT: socketPath },
  });
}

before(async () => {
  await startInspector();
  pipe = await new Pipe({ host: '127.0.0.1', port: 0 }, { path: socketPath }).start();
  gate = await Gate.start(dir, {
    executables: [NODE],
    surfaces: {
      inspector: surface(socketPath, {
        dialect: 'mcp',
        allow: { verbs: ['tools/list', 'tools/call'], targets: ['echo', 'get-env'] },
        routes: [
          { path: '/stdio', kind: 'mcp-http', query: { inject } },
          { path: '/sse', kind: 'mcp-http', query: { inject } },
          { path: '/mcp', kind: 'mcp-http', query: { inject } },
          { path: '/message', kind: 'mcp-http', query: { pass: { sessionId: '[0-9a-f-]{36}' } } },
          { path: '/health', kind: 'http' },
        ],
      }),
    },
  });
  await gate.putParams('everything', record, '--surface', 'inspector');
  session = await gate.session('inspector', '--params', 'everything');
});

after(async () => {
  hangUp();
  await stopAll(gate, pipe, inspector);
});

// The attack: a URL that any page can make a browser fetch.
function attack(name, where = '/stdio') {
  const file = path.join(dir, name);
  const query = new URLSearchParams({ transportType: 'stdio', command: 'touch', args: file, env: '{}' });
  return { file, target: `${where}?${query}` };
}

// Nothing of the attack was run: the proxy logs every query that it acts upon.
function nothingRan({ file }) {
  assert.equal(existsSync(file), false);
  assert.ok(!inspector.log.includes(file), 'the proxy never saw it');
}

describe('the attack', () => {
  it('works on the proxy itself', async () => {
    const { file, target } = attack('direct');
    const direct = { port: () => pipe.port };
    ask(direct, '', target, { headers: { origin: 'http://evil.example' } }).catch(() => {});
    await until(() => existsSync(file), 'the file that the attack makes');
    hangUp();
  });

  for (const where of ['/stdio', '/sse', '/mcp']) {
    it(`is refused without a token: ${where}`, async () => {
      const bad = attack(`none${where.slice(1)}`, where);
      const mark = gate.mark();
      const answer = await ask(gate, 'inspector', bad.target);
      assert.equal(answer.status, 401);
      await gate.audited(mark, { event: 'denied', reason: 'credential_missing' });
      nothingRan(bad);
    });

    it(`is refused from another page, even with a token: ${where}`, async () => {
      const bad = attack(`origin${where.slice(1)}`, where);
      const answer = await ask(gate, 'inspector', bad.target, {
        token: session.token,
        headers: { origin: 'http://evil.example' },
      });
      assert.equal(answer.status, 403);
      assert.equal(answer.json.reason, 'origin_mismatch');
      nothingRan(bad);
    });

    it(`is refused to a session without parameters: ${where}`, async () => {
      const bare = await gate.session('inspector');
      const bad = attack(`bare${where.slice(1)}`, where);
      const answer = await ask(gate, 'inspector', bad.target, { token: bare.token });
      assert.equal(answer.status, 403);
      assert.equal(answer.json.reason, 'params_required');
      nothingRan(bad);
    });
  }

  it('changes nothing with a token: the record is run, not the query', async () => {
    const bad = attack('token');
    const events = await EventStream.open(gate, 'inspector', bad.target, { token: session.token });
    await events.has('event: endpoint');
    assert.ok(inspector.log.includes(`command=${NODE}`), inspector.log);
    nothingRan(bad);
    events.close();
    await gate.untilIdle('inspector');
  });

  it('a record with a command that is not permitted cannot be stored', async () => {
    const { code, stderr } = await gate.cli('params', 'put', 'evil', '--surface', 'inspector', '-', {
      input: JSON.stringify({ ...record, command: '/usr/bin/touch' }),
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /touch|executable/);
  });
});

describe('its proper use', () => {
  beforeEach(startInspector);

  async function connect(Transport, where) {
    const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
    const headers = { authorization: `Bearer ${session.token}` };
    const transport = new Transport(new URL(`http://localhost:${gate.port('inspector')}${where}`), {
      requestInit: { headers },
      eventSourceInit: {
        fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
      },
    });
    await within(client.connect(transport), () => `the SDK to connect: ${inspector.log}`, 30_000);
    return client;
  }

  for (const [where, Transport] of [
    ['/stdio', SSEClientTransport],
    ['/sse', SSEClientTransport],
    ['/mcp', StreamableHTTPClientTransport],
  ]) {
    it(`${where} starts what the record says, and its tools are vetted`, async () => {
      const client = await connect(Transport, where);
      const { tools } = await client.listTools();
      assert.deepEqual(tools.map(({ name }) => name).sort(), ['echo', 'get-env']);
      const echo = await client.callTool({ name: 'echo', arguments: { message: 'hi' } });
      assert.match(echo.content[0].text, /hi$/);
      const env = await client.callTool({ name: 'get-env', arguments: {} });
      assert.match(env.content[0].text, /from the record/);
      await assert.rejects(client.callTool({ name: 'get-sum', arguments: { a: 1, b: 2 } }));
      await client.close();
    });
  }
});
