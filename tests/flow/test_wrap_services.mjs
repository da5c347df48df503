// `sidelock wrap` on servers as people run them: what needs no other program works as it is typed, the rest once it is permitted what the
// terminal says; and the port of each is nobody's but the gate's. The same by a configuration: test_launched_services.mjs.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';

import { ask } from './lib/http.mjs';
import { SMALL, home, lacks } from './lib/known_services.mjs';
import { assertHidden } from './lib/launched.mjs';
import { NODE, module, serviceFile } from './lib/programs.mjs';
import { FLOW_PAGE, START_MS, editSite, readTitle, runCell, site, takeProfile, visit } from './lib/service_uses.mjs';
import { freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';
import { Wrapped } from './lib/wrapped.mjs';

const ROUNDS_MAX = 4; // of a person who does what he is told
const asRoot = process.getuid() === 0;

// Behind a gate, as service_uses.mjs takes one.
async function wrap(command, { options = [], ...more } = {}) {
  const wrapped = new Wrapped(command, { options: ['--surface', 'one', ...options], hold: true, ...more });
  return wrapped;
}

async function ready(wrapped) {
  await wrapped.ready();
  const { gate, port } = wrapped;
  const token = await wrapped.token();
  return { wrapped, gate, name: 'one', port, token, ask: (target, options) => ask(gate, 'one', target, { token, timeoutMs: START_MS, ...options }) };
}

const hidden = ({ gate, name, port }) => assertHidden(gate, name, port);

describe('as it is typed', () => {
  for (const [name, [words, make]] of Object.entries(SMALL)) {
    it(name, { skip: name.startsWith('uvicorn') && lacks('uvicorn') }, async () => {
      const port = await freePort();
      const { command, cwd } = make(port);
      const service = await ready(await wrap(command, { cwd }));
      assert.equal(service.port, port);
      assert.equal((await service.ask('/', { token: undefined })).status, 401);
      const answer = await service.ask('/');
      assert.equal(answer.status, 200, answer.body);
      assert.match(answer.body, words);
      await hidden(service);
      assert.deepEqual(service.wrapped.hints, []);
    });
  }

  it("Node's inspector, which is guessed", async () => {
    const inspector = await ready(await wrap(['node', `--inspect=${await freePort()}`, '-e', 'setInterval(() => {}, 1e6)']));
    assert.match(inspector.wrapped.text, /it speaks node-inspector/);
    await takeProfile(inspector);
    await hidden(inspector);
  });

  it('Jupyter runs a cell', { skip: lacks('jupyter-server') }, async () => {
    const directory = home();
    const jupyter = await ready(await wrap(
      ['jupyter-server', `--port=${await freePort()}`, '--no-browser', '--ServerApp.token=', '--ServerApp.password=', '--ServerApp.disable_check_xsrf=True', ...(asRoot ? ['--allow-root'] : [])],
      { cwd: directory, env: { HOME: directory } }));
    await runCell(jupyter);
    await hidden(jupyter);
  });

  for (const wire of ['old', 'new'])
    it(`AutoGen Studio's stand-in, ${wire} wire`, async () => {
      const studio = await ready(await wrap(['node', serviceFile('autogen_studio.mjs'), await freePort(), wire], { options: ['--dialect', 'autogen-studio'] }));
      assert.equal((await studio.ask('/')).status, 200);
      await hidden(studio);
    });
});

// Runs it, and again with what it is told would permit what was refused, until `use` works. Of what was refused without need nothing is asked.
async function untilPermitted(command, { options = [], ...more }, use) {
  const permitted = [];
  for (let round = 0; ; round++) {
    const wrapped = await wrap(command, { options: [...options, ...permitted.flat()], ...more });
    try {
      const service = await ready(wrapped);
      await use(service);
      await hidden(service);
      return { service, permitted };
    } catch (error) {
      const fresh = () => wrapped.hints.filter(([, value]) => !permitted.some(([, known]) => known === value));
      const told = round < ROUNDS_MAX && (await until(() => fresh().length > 0 && fresh(), 'what it is told').catch(() => null));
      if (!told) throw new Error(`${error.message}\n${wrapped.text}`, { cause: error });
      permitted.push(...told);
      await wrapped.stop();
    }
  }
}

describe('as it is typed, and what the terminal says', () => {
  it('Vite: its own code and its esbuild; an edit by its HMR socket', async () => {
    const root = site();
    const { permitted } = await untilPermitted([NODE, module('vite6/bin/vite.js'), '--port', await freePort(), '--strictPort'],
      { cwd: root, env: { HOME: root } }, (vite) => editSite(vite, root));
    assert.deepEqual(permitted.map(([option, value]) => `${option} ${path.basename(value)}`),
      [`--allow-library rollup-linux-${process.arch}-gnu`, '--allow-exec esbuild']);
  });

  // Debian's is a shell script, which asks other programs what to start the browser with.
  it("Chromium's DevTools port", { skip: lacks('chromium') }, async () => {
    const directory = home();
    const port = await freePort();
    const command = ['chromium', '--headless=new', `--remote-debugging-port=${port}`, `--user-data-dir=${directory}/profile`, '--disable-dev-shm-usage', ...(asRoot ? ['--no-sandbox'] : []), FLOW_PAGE];
    await untilPermitted(command, { options: ['--dialect', 'cdp'], env: { HOME: directory } }, readTitle);
  });

  it('Playwright MCP: a page is visited by its browser', { skip: lacks('chromium') }, async () => {
    const directory = home();
    const command = [NODE, module('@playwright/mcp/cli.js'), '--port', await freePort(), '--headless', '--isolated', '--executable-path', '/usr/lib/chromium/chromium', ...(asRoot ? ['--no-sandbox'] : [])];
    const { permitted } = await untilPermitted(command, { options: ['--dialect', 'mcp'], cwd: directory, env: { HOME: directory, TMPDIR: directory } },
      async (playwright) => (await visit(playwright)).close());
    assert.ok(permitted.some(([option, value]) => option === '--allow-exec' && value === '/usr/lib/chromium/chromium'));
  });
});
