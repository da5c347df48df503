// Services that know only ports, each as a surface's command: they work on the first try, and what they
// listen on is there for nobody but the gate. Debian's and npm's programs; the examples of config/ as they are shipped.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';

import { NOBODY, reaches } from './lib/as_uid.mjs';
import { ask } from './lib/http.mjs';
import { ESBUILD, SMALL, home, lacks } from './lib/known_services.mjs';
import { assertHidden, get, launched, startLaunched } from './lib/launched.mjs';
import { NODE, module, serviceFile } from './lib/programs.mjs';
import { FLOW_PAGE, START_MS, editSite, readTitle, runCell, site, takeProfile, visit } from './lib/service_uses.mjs';
import { freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

// As whom a service runs: the gate's own user, and one that root gives it.
const USERS = [undefined, ...(process.getuid() === 0 && reaches(NOBODY, NODE) ? ['nobody'] : [])];
const asWhom = (user) => (user ? `, as ${user}` : '');

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

for (const user of USERS) {
  const as = user ? { user } : {};

  it(`Vite: its pages, and an edit by its HMR socket${asWhom(user)}`, async () => {
    const root = site();
    const vite = await shipped('vite', {
      programs: { node: [NODE], 'node_modules/vite/bin/vite.js': [module('vite6/bin/vite.js')] },
      executables: [ESBUILD], libraries: [path.dirname(module('vite6'))],
      ...as, cwd: root, env: { HOME: root, NO_COLOR: '1' },
    });
    await editSite(vite, root);
    await assertHidden(vite.gate, 'vite', vite.port);
  });

  it(`Node's inspector: a profile${asWhom(user)}`, async () => {
    const inspector = await shipped('node-inspector', { programs: { 'worker.js': ['-e', 'setInterval(() => {}, 1e6)'] }, cwd: home(), ...as });
    await takeProfile(inspector);
    await assertHidden(inspector.gate, 'inspector', inspector.port);
  });

  // Its own sandbox is on where it can be: its helpers are such as nobody may look into.
  it(`Chromium's DevTools: a page is opened and asked${asWhom(user)}`, { skip: lacks('chromium') }, async () => {
    const directory = home();
    const profile = `--user-data-dir=${path.join(directory, 'profile')}`;
    const browser = await shipped('chromium-devtools', {
      programs: { '--user-data-dir=/home/you/.cache/driven': [profile, '--disable-dev-shm-usage'], 'about:blank': [FLOW_PAGE] },
      more: process.getuid() === 0 && !user ? ['--no-sandbox'] : [],
      env: { HOME: directory }, ...as,
    });
    await readTitle(browser);
    await assertHidden(browser.gate, 'browser', browser.port);
  });

  it(`Jupyter runs a cell: its server reaches its kernel${asWhom(user)}`, { skip: lacks('jupyter-server') }, async () => {
    const directory = home();
    const jupyter = await shipped('jupyter', {
      more: process.getuid() === 0 && !user ? ['--allow-root'] : [],
      cwd: directory, env: { HOME: directory, JUPYTER_PLATFORM_DIRS: '0' }, ...as,
    });
    await runCell(jupyter);
    await until(async () => (await assertHidden(jupyter.gate, 'jupyter', jupyter.port)).ports.length >= 6, "the kernel's five ports in the status");
  });

  it(`Playwright MCP: a page is visited, and a tool that runs code refused${asWhom(user)}`, { skip: lacks('chromium') }, async () => {
    const directory = home();
    const playwright = await shipped('playwright-mcp', {
      programs: { 'playwright-mcp': [NODE, module('@playwright/mcp/cli.js')] },
      more: process.getuid() === 0 && !user ? ['--no-sandbox'] : [],
      cwd: directory, env: { HOME: directory, TMPDIR: directory }, ...as,
    });
    const client = await visit(playwright);
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
