// What a client does with a service that is behind a gate, as far as it takes to say that it works. `service` is {gate, name, port, token,
// ask(target, options)}.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { Client } from './client.mjs';
import { home, runLine } from './known_services.mjs';
import { until } from './wait.mjs';

export const START_MS = 60_000; // what is large starts slowly on a busy machine

// Calls methods of a DevTools socket at this URL.
export async function attach({ gate, name, port, token }, address) {
  const url = new URL(address);
  assert.equal(url.host, `localhost:${port}`, 'it leads to the gate');
  const client = await Client.open(gate, name, url.pathname, { token });
  return async (method, params = {}) => {
    client.sendJson({ id: 1, method, params });
    for (;;) {
      const message = await client.nextJson(START_MS);
      if (message.id === 1) return message.result;
    }
  };
}

// A site of Vite's with a script that esbuild is needed for, where whoever runs it may write what Vite makes.
export function site() {
  const root = home({ 'package.json': '{}', 'index.html': '<script type=module src=/main.ts></script>', 'main.ts': 'import.meta.hot.accept();' });
  mkdirSync(path.join(root, 'node_modules'));
  chmodSync(path.join(root, 'node_modules'), 0o777);
  return root;
}

// Vite: its page, and an edit by its HMR socket.
export async function editSite(vite, root) {
  assert.match((await vite.ask('/')).body, /@vite\/client/);
  const token = /wsToken = "([^"]+)"/.exec((await vite.ask('/@vite/client')).body)[1];
  assert.equal((await vite.ask('/main.ts')).status, 200);
  const client = await Client.open(vite.gate, vite.name, `/?token=${token}`, { token: vite.token, protocols: ['vite-hmr'] });
  assert.equal((await client.nextJson()).type, 'connected');
  let edits = 0;
  await until(() => {
    writeFileSync(path.join(root, 'main.ts'), `import.meta.hot.accept(); // ${(edits += 1)}`);
    return client.messages.some((message) => JSON.parse(message).type === 'update');
  }, 'an update');
  await client.close();
}

// Node's inspector: a profile.
export async function takeProfile(inspector) {
  const [target] = (await inspector.ask('/json/list')).json;
  const call = await attach(inspector, target.webSocketDebuggerUrl);
  await call('Profiler.enable');
  await call('Profiler.start');
  assert.ok((await call('Profiler.stop')).profile.nodes.length > 0);
}

// Chromium's DevTools: the title of the page that it was started with, which is "flow".
export const FLOW_PAGE = 'data:text/html,<title>flow</title>';
export async function readTitle(browser) {
  assert.match((await browser.ask('/json/version')).json.Browser, /Chrom/);
  const page = await until(async () => (await browser.ask('/json/list')).json.find(({ type }) => type === 'page'), 'the page');
  const call = await attach(browser, page.webSocketDebuggerUrl);
  assert.equal((await until(async () => {
    const { result } = await call('Runtime.evaluate', { expression: 'document.title' });
    return result.value !== '' && result;
  }, 'its title')).value, 'flow');
}

// Jupyter: a cell is run.
export async function runCell(jupyter) {
  const made = await jupyter.ask('/api/kernels', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  assert.equal(made.status, 201, made.body);
  const client = await Client.open(jupyter.gate, jupyter.name, `/api/kernels/${made.json.id}/channels?session_id=flow`, { token: jupyter.token });
  client.sendJson(runLine('print(6 * 7)'));
  const printed = await until(async () => {
    const { msg_type: type, content } = await client.nextJson(START_MS);
    return type === 'stream' && content.text;
  }, 'what the line prints', START_MS);
  assert.equal(printed, '42\n');
  await client.close();
}

// Playwright MCP: a client that has visited a page; it is to be closed.
export async function visit(playwright) {
  const client = new McpClient({ name: 'flow', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://localhost:${playwright.port}/mcp`), {
    requestInit: { headers: { Authorization: `Bearer ${playwright.token}` } },
  }));
  const there = await client.callTool({ name: 'browser_navigate', arguments: { url: `${FLOW_PAGE}x` } });
  assert.match(there.content[0].text, /flow/);
  return client;
}
