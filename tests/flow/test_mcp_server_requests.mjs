// What a service asks of its client over HTTP, on a stream of events: passed on
// where it may ask, and where it may not, answered by the gate, so that the
// service does not wait in vain.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { startMcpV2 } from './lib/programs.mjs';
import { within } from './lib/wait.mjs';

const dir = scratchDir();
const socketPath = path.join(dir, 'v2.sock');
const routes = [{ path: '/mcp', kind: 'mcp-http' }];
const verbs = ['tools/list', 'tools/call'];
let server;
let gate;

before(async () => {
  server = await startMcpV2(socketPath);
  gate = await Gate.start(dir, {
    surfaces: {
      may: surface(socketPath, { dialect: 'mcp', routes, allow: { verbs, server_verbs: ['sampling/createMessage'] } }),
      mayNot: surface(socketPath, { dialect: 'mcp', routes, allow: { verbs, server_verbs: [] } }),
    },
  });
});

after(async () => {
  await stopAll(gate, server);
});

// Calls a tool that asks its client for a message; what the tool said, and how often it asked.
async function sample(name) {
  const { token } = await gate.session(name);
  const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities: { sampling: {} } });
  let asked = 0;
  client.setRequestHandler(CreateMessageRequestSchema, async () => {
    asked += 1;
    return { role: 'assistant', model: 'flow', content: { type: 'text', text: 'from the client' } };
  });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`http://localhost:${gate.port(name)}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  const called = client.callTool({ name: 'test_sampling', arguments: { prompt: 'say something' } });
  const said = await within(called, 'the tool to answer', 10_000).then(
    (result) => JSON.stringify(result),
    (error) => error.message,
  );
  await client.close();
  return { said, asked };
}

describe('a service that asks its client', () => {
  it('is answered by the client where it may ask', async () => {
    const { said, asked } = await sample('may');
    assert.equal(asked, 1);
    assert.match(said, /from the client/);
  });

  it('is answered by the gate where it may not', async () => {
    const mark = gate.mark();
    const { said, asked } = await sample('mayNot');
    assert.equal(asked, 0);
    assert.match(said, /-31403|allow list/);
    await gate.audited(mark, {
      event: 'message_refused',
      direction: 's2c',
      verb: 'sampling/createMessage',
      reason: 'verb_not_allowed',
    });
  });
});
