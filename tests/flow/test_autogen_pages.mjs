// AutoGen Studio's pages in a headless Chromium, as they are, before and after its fix; and what the
// example for the fixed version does beyond the pack: whoever opens the socket, and whatever its
// address says, the record of its own session is launched.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { AutogenStudio } from '../services/autogen_studio.mjs';
import { launch } from './lib/browser.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask } from './lib/http.mjs';
import { authority, openUrl } from './lib/login.mjs';

const CONNECT = '/api/mcp/ws/connect';
const TRUE = '/usr/bin/true';
const read = (name) => JSON.parse(readFileSync(new URL(`../../config/${name}.json`, import.meta.url)));
const MODES = { old: 'old', new: 'new', strict: 'new' }; // surface -> wire

const dir = scratchDir();
const record = { type: 'StdioServerParams', command: TRUE, args: ['a+b'], env: { A: '???>>>' } };
const other = { ...record, args: ['--other'] };
const studios = {};
let gate;

before(async () => {
  const surfaces = {};
  const { routes } = read('autogen-studio-fixed').surfaces.studio;
  for (const [name, wire] of Object.entries(MODES)) {
    const studio = new AutogenStudio(path.join(dir, `${name}.sock`), wire, () => {});
    studio.gallery = [record];
    studios[name] = await studio.start();
    surfaces[name] = surface(studio.socketPath, {
      dialect: 'autogen-studio',
      allow: { verbs: ['call_tool'], targets: ['echo'] },
      ...(name === 'strict' ? { routes } : {}),
    });
  }
  gate = await Gate.start(dir, { executables: [TRUE], surfaces });
  await gate.putParams('everything', record);
  await gate.putParams('other', other);
});

after(() => stopAll(gate, ...Object.values(studios)));

afterEach(() => {
  hangUp();
  for (const studio of Object.values(studios)) studio.forget();
});

describe('in a browser', () => {
  let context;

  before(async () => {
    context = await launch();
  });

  after(() => context?.close());

  afterEach(() => Promise.all(context.pages().slice(1).map((page) => page.close())));

  // A page after `sidelock open`, and what it complained of.
  async function logIn(name, ...options) {
    const { url } = await openUrl(gate, name, ...options);
    const page = await context.newPage();
    const said = [];
    page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(url);
    await page.getByText('version 0.4.3').waitFor();
    assert.equal(page.url(), `http://${authority(gate, name)}/`);
    return { page, said };
  }

  const rows = (page) => page.locator('#log li').allTextContents();

  for (const [name, wire] of Object.entries(MODES)) {
    it(`the pages work as they are: ${name}, ${wire} wire`, async () => {
      const studio = studios[name];
      const { page, said } = await logIn(name, '--params', 'everything');
      const color = () => getComputedStyle(document.querySelector('h1')).color;
      assert.equal(await page.evaluate(color), 'rgb(4, 5, 6)');
      await page.goto(`http://${authority(gate, name)}/mcp/`);
      await page.getByText('version 0.4.3').waitFor();

      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByText(/called echo/).waitFor();
      const log = await rows(page);
      assert.match(log[0], /^url \/api\/mcp\/ws\/[0-9a-f-]{36}$/);
      assert.deepEqual(log.map((row) => row.split(' ')[0]), ['url', 'initialized', 'operation_result']);
      assert.deepEqual(studio.launched, [record]);

      await page.getByRole('button', { name: 'Run' }).click();
      await page.getByText('run pong').waitFor();
      const run = studio.seen.find(({ target }) => target.startsWith('/api/ws/runs/'));
      assert.equal(run.target, '/api/ws/runs/7', 'without ?token=null');
      for (const { target, headers } of studio.seen) {
        assert.doesNotMatch(JSON.stringify(headers), /sidelock|bearer/i, `${target} brought a credential`);
      }
      assert.deepEqual(said, []);
    });
  }

  it('a page that offers anything but the record gets nowhere', async () => {
    for (const name of Object.keys(MODES)) {
      const { page } = await logIn(name, '--params', 'other');
      const before = studios[name].seen.length;
      const mark = gate.mark();
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByText('refused 403').waitFor();
      await gate.audited(mark, { event: 'denied', surface: name, reason: 'value_mismatch', path: CONNECT });
      const seen = studios[name].seen.slice(before).map(({ target }) => target.split('?')[0]);
      assert.deepEqual(seen, ['/api/gallery/']);
      assert.deepEqual(studios[name].launched, []);
    }
  });
});

describe('the example for the fixed version', () => {
  it('has the pack’s routes but for the MCP socket', () => {
    const [, ...rest] = read('dialects/autogen-studio').routes;
    assert.deepEqual(read('autogen-studio-fixed').surfaces.studio.routes.slice(1), rest);
  });

  it('launches the record of the session that opens, whoever asked for the address', async () => {
    const { token } = await gate.session('strict', '--params', 'everything');
    const { token: its } = await gate.session('strict', '--params', 'other');
    const answer = await ask(gate, 'strict', CONNECT, {
      method: 'POST',
      token,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ server_params: record }),
    });
    for (const where of [answer.json.websocket_url, '/api/mcp/ws/never-asked-for']) {
      studios.strict.launched.length = 0;
      const client = await Client.open(gate, 'strict', where, { token: its });
      assert.equal((await client.nextJson()).type, 'initialized');
      assert.deepEqual(studios.strict.launched, [other]);
      assert.match(studios.strict.last.request.target, /^\/api\/mcp\/ws\/[0-9a-f-]{36}$/, 'no parameters in a URL');
      await client.close();
    }
  });
});
