// Services that know only ports, each as a surface's command: they work on the first try, and what they
// listen on is there for nobody but the gate. Debian's and npm's programs; the examples of config/ as they are shipped.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { Client } from './lib/client.mjs';
import { ask } from './lib/http.mjs';
import { ESBUILD, NODE_CLUSTER, NODE_SERVER, PYTHON_APP, home, lacks, node, runLine } from './lib/known_services.mjs';
import { assertHidden, get, launched, startLaunched } from './lib/launched.mjs';
import { NOBODY, reaches } from './lib/as_uid.mjs';
import { NODE, module, serviceFile } from './lib/programs.mjs';
import { freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const START_MS = 60_000; // what is large starts slowly on a busy machine

// As whom a service runs: the gate's own user, and one that root gives it.
const USERS = [undefined, ...(process.getuid() === 0 && reaches(NOBODY, NODE) ? ['nobody'] : [])];
const asWhom = (user) => (user ? `, as ${user}` : '');

// In few lines: {command, cwd} at a port, and what it answers.
const SMALL = {
  "python's http.server": [/python/, (port) => ({ command: ['/usr/bin/python3', '-m', 'http.server', port], cwd: home({ 'index.html': 'python' }) })],
  uvicorn: [/uvicorn/, (port) => ({ command: ['uvicorn', '--port', port, 'app:app'], cwd: home({ 'app.py': PYTHON_APP }) })],
  'uvicorn --workers': [/uvicorn/, (port) => ({ command: ['uvicorn', '--port', port, '--workers', '2', 'app:app'], cwd: home({ 'app.py': PYTHON_APP }) })],
  Node: [/node/, (port) => ({ command: node(NODE_SERVER, port) })],
  "Node's cluster": [/worker/, (port) => ({ command: [process.execPath, 'cluster.cjs'], cwd: home({ 'cluster.cjs': NODE_CLUSTER.replace('PORT', port) }) })],
  'esbuild, a static program in Go': [/esbuild/, (port) => ({ command: [ESBUILD, `--serve=${port}`, '--servedir=.'], cwd: home({ 'index.html': 'esbuild' }) })],
};

for (const user of USERS) {
  for (const [name, [words, make]] of Object.entries(SMALL)) {
    it(`${name}${asWhom(user)}`, { skip: name.startsWith('uvicorn') && lacks('uvicorn') }, async () => {
      const port = await freePort();
      const { command, ...upstream } = make(port);
      const gate = await startLaunched({ one: launched(command, { upstream: { ...upstream, ...(user ? { user } : {}) } }) });
      const answer = await get(gate, 'one', '/');
      assert.equal(answer.status, 200, `${answer.body}\n${gate.stderr}`);
      assert.match(answer.body, words);
      await assertHidden(gate, 'one', port);
    });
  }
}

// The surface of an example, with a port of the test's own, on which the gate listens as the service does. `programs` are
// put in the place of words of its command, `more` behind it.
async function shipped(file, { programs = {}, more = [], ...upstream } = {}) {
  const { surfaces } = JSON.parse(readFileSync(new URL(`../../config/${file}.json`, import.meta.url), 'utf8'));
  const [[name, row]] = Object.entries(surfaces);
  const own = row.listen[0].split(':')[1];
  const port = await freePort();
  const command = row.upstream.command.flatMap((word) => programs[word] ?? [word.replace(own, port)]);
  const limits = { ...row.limits, upstream_timeout_ms: START_MS };
  const gate = await startLaunched({
    [name]: {
      ...row,
      listen: [`localhost:${port}`],
      limits,
      upstream: { ...row.upstream, ...(row.upstream.port ? { port } : {}), command: [...command, ...more], ...upstream },
    },
  });
  const { token } = await gate.session(name);
  return { gate, name, port, token, ask: (target, options) => ask(gate, name, target, { token, timeoutMs: START_MS, ...options }) };
}

// Calls methods of a DevTools socket at this URL.
async function attach({ gate, name, port, token }, address) {
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

for (const user of USERS) {
  const as = user ? { user } : {};

  it(`Vite: its pages, and an edit by its HMR socket${asWhom(user)}`, async () => {
    const root = home({ 'package.json': '{}', 'index.html': '<script type=module src=/main.js></script>', 'main.js': 'import.meta.hot.accept();' });
    mkdirSync(path.join(root, 'node_modules')); // where Vite keeps what it makes
    chmodSync(path.join(root, 'node_modules'), 0o777);
    const vite = await shipped('vite', {
      programs: { node: [NODE], 'node_modules/vite/bin/vite.js': [module('vite6/bin/vite.js')] },
      executables: [ESBUILD], libraries: [path.dirname(module('vite6'))],
      ...as, cwd: root, env: { HOME: root, NO_COLOR: '1' },
    });
    assert.match((await vite.ask('/')).body, /@vite\/client/);
    await assertHidden(vite.gate, 'vite', vite.port);
    const token = /wsToken = "([^"]+)"/.exec((await vite.ask('/@vite/client')).body)[1];
    await vite.ask('/main.js');
    const client = await Client.open(vite.gate, 'vite', `/?token=${token}`, { token: vite.token, protocols: ['vite-hmr'] });
    assert.equal((await client.nextJson()).type, 'connected');
    let edits = 0;
    await until(() => {
      writeFileSync(path.join(root, 'main.js'), `import.meta.hot.accept(); // ${(edits += 1)}`);
      return client.messages.some((message) => JSON.parse(message).type === 'update');
    }, 'an update');
    await client.close();
  });

  it(`Node's inspector: a profile${asWhom(user)}`, async () => {
    const inspector = await shipped('node-inspector', { programs: { 'worker.js': ['-e', 'setInterval(() => {}, 1e6)'] }, cwd: home(), ...as });
    const [target] = (await inspector.ask('/json/list')).json;
    await assertHidden(inspector.gate, 'inspector', inspector.port);
    const call = await attach(inspector, target.webSocketDebuggerUrl);
    await call('Profiler.enable');
    await call('Profiler.start');
    assert.ok((await call('Profiler.stop')).profile.nodes.length > 0);
  });

  // Its own sandbox is on where it can be: its helpers are such as nobody may look into.
  it(`Chromium's DevTools: a page is opened and asked${asWhom(user)}`, { skip: lacks('chromium') }, async () => {
    const directory = home();
    const profile = `--user-data-dir=${path.join(directory, 'profile')}`;
    const browser = await shipped('chromium-devtools', {
      programs: { '--user-data-dir=/home/you/.cache/driven': [profile, '--disable-dev-shm-usage'], 'about:blank': ['data:text/html,<title>flow</title>'] },
      more: process.getuid() === 0 && !user ? ['--no-sandbox'] : [],
      env: { HOME: directory }, ...as,
    });
    assert.match((await browser.ask('/json/version')).json.Browser, /Chrom/);
    await assertHidden(browser.gate, 'browser', browser.port);
    const page = await until(async () => (await browser.ask('/json/list')).json.find(({ type }) => type === 'page'), 'the page');
    const call = await attach(browser, page.webSocketDebuggerUrl);
    assert.equal((await until(async () => {
      const { result } = await call('Runtime.evaluate', { expression: 'document.title' });
      return result.value !== '' && result;
    }, 'its title')).value, 'flow');
  });

  it(`Jupyter runs a cell: its server reaches its kernel${asWhom(user)}`, { skip: lacks('jupyter-server') }, async () => {
    const directory = home();
    const jupyter = await shipped('jupyter', {
      more: process.getuid() === 0 && !user ? ['--allow-root'] : [],
      cwd: directory, env: { HOME: directory, JUPYTER_PLATFORM_DIRS: '0' }, ...as,
    });
    const made = await jupyter.ask('/api/kernels', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    assert.equal(made.status, 201, made.body);
    const client = await Client.open(jupyter.gate, 'jupyter', `/api/kernels/${made.json.id}/channels?session_id=flow`, { token: jupyter.token });
    client.sendJson(runLine('print(6 * 7)'));
    const printed = await until(async () => {
      const { msg_type: type, content } = await client.nextJson(START_MS);
      return type === 'stream' && content.text;
    }, 'what the line prints', START_MS);
    assert.equal(printed, '42\n');
    await client.close();
    await until(async () => (await assertHidden(jupyter.gate, 'jupyter', jupyter.port)).ports.length >= 6, "the kernel's five ports in the status");
  });

  it(`Playwright MCP: a page is visited, and a tool that runs code refused${asWhom(user)}`, { skip: lacks('chromium') }, async () => {
    const directory = home();
    const playwright = await shipped('playwright-mcp', {
      programs: { 'playwright-mcp': [NODE, module('@playwright/mcp/cli.js')] },
      more: process.getuid() === 0 && !user ? ['--no-sandbox'] : [],
      cwd: directory, env: { HOME: directory, TMPDIR: directory }, ...as,
    });
    const client = new McpClient({ name: 'flow', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://localhost:${playwright.port}/mcp`), {
      requestInit: { headers: { Authorization: `Bearer ${playwright.token}` } },
    }));
    const there = await client.callTool({ name: 'browser_navigate', arguments: { url: 'data:text/html,<title>flow</title>x' } });
    assert.match(there.content[0].text, /flow/);
    await assert.rejects(client.callTool({ name: 'browser_evaluate', arguments: { function: '() => 1' } }), /refused by Sidelock/);
    await assertHidden(playwright.gate, 'playwright', playwright.port);
    await client.close();
  });

  for (const [file, wire] of [['autogen-studio', 'old'], ['autogen-studio-fixed', 'new']]) {
    it(`AutoGen Studio's stand-in, ${wire} wire${asWhom(user)}`, async () => {
      const studio = await shipped(file, {
        programs: { autogenstudio: [process.execPath, serviceFile('autogen_studio.mjs')], ui: [], '--port': [] }, more: [wire], ...as,
      });
      assert.equal((await studio.ask('/')).status, 200);
      await assertHidden(studio.gate, 'studio', studio.port);
    });
  }
}
