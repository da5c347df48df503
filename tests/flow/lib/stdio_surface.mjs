// Surfaces whose service speaks MCP over standard input and output, and how their processes are found.
import { readFileSync, readdirSync } from 'node:fs';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { surface } from './gate.mjs';
import { serviceFile } from './programs.mjs';
import { until } from './wait.mjs';

export const VERBS = ['tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'resources/list', 'resources/templates/list', 'resources/read', 'logging/setLevel'];
const GATE_MS = 60_000; // what a process has to start on a busy machine

let marks = 0;
// What no other process has among its arguments.
export const newMark = () => `mark-${process.pid}-${++marks}-of-a-test`;

export const stdio = (command, { upstream = {}, ...more } = {}) => ({
  ...surface('', { dialect: 'mcp', allow: { verbs: VERBS, targets: ['*'] }, limits: { upstream_timeout_ms: GATE_MS }, ...more }),
  upstream: { stdio: true, ...(command && { command }), ...upstream },
});

export const python = (mode, mark, more) => stdio(['python3', serviceFile('stdio_mcp.py'), mode, mark], more);

// All processes of a mark, but for zombies.
export function marked(mark) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(mark) &&
        !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false; // it has gone meanwhile
    }
  });
}

export const untilMarked = (mark, count) =>
  until(() => marked(mark).length === count, () => `${count} processes of ${mark}: there are ${marked(mark)}`);

// An MCP session, and what it takes to look at it: {client, transport, close}.
export async function connect(gate, name, token, { capabilities = {}, prepare = () => {} } = {}) {
  const client = new Client({ name: 'flow', version: '1.0.0' }, { capabilities });
  const transport = new StreamableHTTPClientTransport(new URL(`http://localhost:${gate.port(name)}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  prepare(client);
  await client.connect(transport, { timeout: GATE_MS });
  return { client, transport };
}

export const textOf = (result) => result.content[0].text;

export async function call({ client }, name, args = {}, options) {
  return textOf(await client.callTool({ name, arguments: args }, undefined, { timeout: GATE_MS, ...options }));
}

export const childrenOf = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

// The launcher is forked by what the gate starts for that.
export function launcherOf(gate) {
  const starter = childrenOf(gate.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[1] === 'launcher');
  return childrenOf(starter)[0];
}
