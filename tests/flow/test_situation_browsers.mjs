// What drives a browser or a program over the DevTools protocol goes through the gate as it is: Playwright,
// Puppeteer, and what debugs Node. lib/browser.mjs is not used here, but its newer Node is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import CDP from 'chrome-remote-interface';
import { chromium as playwright } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import { HttpService } from '../services/http_service.mjs';
import { Pipe } from '../services/pipe.mjs';
import { startDevtools } from './lib/devtools.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { NODE, Program } from './lib/programs.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const browserSocket = path.join(dir, 'browser.sock');
const site = new HttpService(path.join(dir, 'site.sock'));
const shipped = (name) =>
  JSON.parse(readFileSync(new URL(`../../config/${name}.json`, import.meta.url), 'utf8')).surfaces;
let chromium;
let pipe;
let sitePipe;
let gate;
let where;
const inspectorSocket = path.join(dir, 'inspector.sock');
let node;
let nodePipe;

async function startNode() {
  node = new Program([NODE, '--inspect=127.0.0.1:0', '-e', 'setInterval(() => {}, 1000)']);
  const url = await until(() => /ws:\S+/.exec(node.stderr)?.[0], () => node.log);
  nodePipe = await new Pipe({ path: inspectorSocket }, { host: '127.0.0.1', port: new URL(url).port }).start();
}

before(async () => {
  ({ chromium, pipe } = await startDevtools(dir, browserSocket));
  site.routes['/page'] = (exchange) =>
    exchange.respond(200, [['Content-Type', 'text/html']], '<title>flow</title><a download="x.txt" href="/file">x</a>');
  site.routes['/file'] = (exchange) => exchange.respond(200, [['Content-Type', 'text/plain']], 'x');
  await site.start();
  sitePipe = await new Pipe({ host: '127.0.0.1', port: 0 }, { path: site.socketPath }).start();
  where = `http://127.0.0.1:${sitePipe.port}/page`;
  await startNode();
  // The very surfaces that are shipped, but for their places.
  const example = (name, surfaceName, socketPath) => ({ ...shipped(name)[surfaceName], ...surface(socketPath) });
  gate = await Gate.start(dir, {
    surfaces: {
      browser: example('chromium-devtools', 'browser', browserSocket),
      inspector: example('node-inspector', 'inspector', inspectorSocket),
      // One entry of what the pack closes, opened without a copy of it.
      cookies: surface(browserSocket, { dialect: 'cdp', allow: { reopen: ['Storage.getCookies'] } }),
    },
  });
});

after(() => stopAll(gate, pipe, nodePipe, sitePipe, site, chromium, node));

describe('Playwright', () => {
  it('situation 10: connects over CDP with the shipped configuration, opens a context and a page', async () => {
    const { token } = await gate.session('browser');
    const mark = gate.mark();
    const browser = await playwright.connectOverCDP(`http://localhost:${gate.port('browser')}`, {
      headers: { Authorization: `Bearer ${token}` },
      timeout: 20_000,
    });
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.route('**/never', (route) => route.continue());
    await page.goto(where);
    assert.equal(await page.title(), 'flow');
    await assert.rejects(page.goto('file:///etc/passwd'), /refused by Sidelock/);
    assert.ok((await page.screenshot()).length > 1000);
    await context.close();
    const denying = await browser.newContext({ acceptDownloads: false });
    await denying.close();
    // What would write files did not reach the browser, and the log says so.
    await gate.audited(mark, {
      event: 'message_refused', verb: 'Browser.setDownloadBehavior', reason: 'argument_not_allowed',
    });
    await browser.close();
  });
});

describe('Puppeteer', () => {
  it('drives a page of its own context', async () => {
    const { token } = await gate.session('browser');
    const headers = { Authorization: `Bearer ${token}` };
    const version = await ask(gate, 'browser', '/json/version/', { token });
    const browser = await puppeteer.connect({ browserWSEndpoint: version.json.webSocketDebuggerUrl, headers });
    const context = await browser.createBrowserContext({ downloadBehavior: { policy: 'allow', downloadPath: dir } });
    const page = await context.newPage();
    await page.setRequestInterception(true);
    page.on('request', (request) => request.continue());
    await page.goto(where);
    assert.equal(await page.title(), 'flow');
    await assert.rejects(page.cookies(), /closed by the dialect/);
    await context.close();
    await browser.disconnect();
  });

  it('finds the browser by its address, with the header that goes along', async () => {
    const { token } = await gate.session('browser');
    const browserURL = `http://localhost:${gate.port('browser')}`;
    const browser = await puppeteer.connect({ browserURL, headers: { Authorization: `Bearer ${token}` } });
    const page = await browser.newPage();
    await page.goto(where);
    assert.equal(await page.title(), 'flow');
    await page.close();
    await browser.disconnect();
    await assert.rejects(puppeteer.connect({ browserURL }), /Unauthorized/);
  });

  it('situation 10: reads the cookies where the operator reopened them, and nowhere else', async () => {
    const { token } = await gate.session('cookies');
    const version = await ask(gate, 'cookies', '/json/version', { token });
    const browser = await puppeteer.connect({
      browserWSEndpoint: version.json.webSocketDebuggerUrl,
      headers: { Authorization: `Bearer ${token}` },
    });
    assert.deepEqual(await browser.cookies(), []);
    const session = await browser.target().createCDPSession();
    await assert.rejects(session.send('Network.getAllCookies'), /closed by the dialect/);
    await browser.disconnect();
  });

  it('check warns of each, vet and the register say so too', async () => {
    const { warnings } = JSON.parse(await gate.do('check', '--json'));
    assert.ok(warnings.includes('The surface "cookies" opens "Storage.getCookies", which its dialect closes.'), warnings);
    const vet = (name, method) =>
      gate.do('vet', '--surface', name, '--route', '/devtools/page/{id}', { input: JSON.stringify({ id: 1, method }) });
    assert.equal(JSON.parse(await vet('browser', 'Storage.getCookies')).reason, 'closed_by_dialect');
    assert.equal(JSON.parse(await vet('cookies', 'Storage.getCookies')).verdict, 'allow');
    const register = await gate.doJson('register', '--format', 'json');
    const row = register.rows.find((one) => one.surface === 'cookies');
    assert.match(row.what_can_it_do.value, /opened though the dialect closes it: Storage\.getCookies/);
  });
});

describe('the inspector of Node', () => {
  // The client has no option for a header.
  const plain = { get: http.get, request: http.request };
  after(() => Object.assign(http, plain));

  it('situation 10: a CDP client profiles through the shipped configuration and runs no code', async () => {
    const { token } = await gate.session('inspector');
    const port = gate.port('inspector');
    const list = await ask(gate, 'inspector', '/json/list/', { token });
    assert.equal(list.status, 200, list.body);
    const target = list.json[0].webSocketDebuggerUrl;
    assert.match(target, new RegExp(`^ws://localhost:${port}/[0-9a-f-]{36}$`));
    for (const verb of ['get', 'request']) {
      http[verb] = (options, ...more) =>
        plain[verb]({ ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } }, ...more);
    }
    const client = await CDP({ target, local: true });
    await client.Profiler.enable();
    await client.Profiler.start();
    const { profile } = await client.Profiler.stop();
    assert.ok(profile.nodes.length > 0);
    await assert.rejects(client.Runtime.evaluate({ expression: 'process.exit()' }), /not on the allow list/);
    await assert.rejects(client.send('NodeWorker.sendMessageToWorker', { message: '{}', sessionId: '1' }),
      /closed by the dialect/);
    await client.close();
    assert.equal(node.code, undefined);
  });
});
