// Chromium's DevTools behind the gate: the list of pages leads to the gate, a
// page can be driven, and what would give away cookies or files is refused.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { Pipe } from '../services/pipe.mjs';
import { Client } from './lib/client.mjs';
import { startDevtools } from './lib/devtools.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { until } from './lib/wait.mjs';

const missing = spawnSync('chromium', ['--version']).error ? 'needs chromium' : false;

const dir = scratchDir();
const socketPath = path.join(dir, 'devtools.sock');
const site = new HttpService(path.join(dir, 'site.sock'));
let chromium;
let pipe;
let sitePipe;
let gate;
const tokens = {};

describe('DevTools', { skip: missing }, () => {
  before(async () => {
    ({ chromium, pipe } = await startDevtools(dir, socketPath));
    const html = '<title>flow</title><canvas id=c width=1500 height=1500></canvas>';
    site.routes['/page'] = (exchange) => exchange.respond(200, [['Content-Type', 'text/html']], html);
    await site.start();
    sitePipe = await new Pipe({ host: '127.0.0.1', port: 0 }, { path: site.socketPath }).start();
    const devtools = (more) =>
      surface(socketPath, {
        dialect: 'cdp',
        limits: { max_message_bytes: 16 * 1024 * 1024 },
        ...more,
      });
    gate = await Gate.start(dir, {
      surfaces: {
        devtools: devtools({
          allow: {
            verbs: ['Runtime.evaluate', 'Page.enable', 'Page.navigate', 'Page.captureScreenshot',
              'Emulation.setDeviceMetricsOverride'],
          },
        }),
        // Without a list of its own: the pack's remains.
        open: devtools({}),
      },
    });
    for (const name of ['devtools', 'open']) tokens[name] = (await gate.session(name)).token;
  });

  after(async () => {
    await stopAll(gate, pipe, sitePipe, site, chromium);
  });

  async function pages(name) {
    const answer = await ask(gate, name, '/json/list', { token: tokens[name] });
    assert.equal(answer.status, 200, answer.body);
    return answer.json.filter(({ type }) => type === 'page');
  }

  // A page's socket, by the URL that the list gave: call(method, params) => answer.
  async function attach(name = 'devtools') {
    const [page] = await pages(name);
    const url = new URL(page.webSocketDebuggerUrl);
    assert.equal(url.host, `localhost:${gate.port(name)}`, 'the list leads to the gate');
    const client = await Client.open(gate, name, url.pathname, { token: tokens[name] });
    let id = 0;
    client.call = async (method, params = {}) => {
      client.sendJson({ id: ++id, method, params });
      for (;;) {
        const message = await client.nextJson(30_000);
        if (message.id === id) return message;
      }
    };
    return client;
  }

  it('a page is found, driven and photographed', async () => {
    const client = await attach();
    const sum = await client.call('Runtime.evaluate', { expression: '6 * 7' });
    assert.equal(sum.result.result.value, 42);
    await client.call('Page.enable');
    const there = await client.call('Page.navigate', {
      url: `http://127.0.0.1:${sitePipe.port}/page`,
    });
    assert.equal(there.result.errorText, undefined);
    // Noise does not compress: a message of megabytes. In a function of its own, for what is declared
    // before the page is there could not be declared again.
    const noise =
      '(() => { const x = c.getContext("2d"), d = x.createImageData(1500, 1500);' +
      'for (let i = 0; i < d.data.length; i += 65536) crypto.getRandomValues(d.data.subarray(i, i + 65536));' +
      'for (let i = 3; i < d.data.length; i += 4) d.data[i] = 255; x.putImageData(d, 0, 0); return document.title; })()';
    await until(
      async () => {
        const drawn = await client.call('Runtime.evaluate', { expression: noise });
        return drawn.result.result.value === 'flow';
      },
      'the page to be drawn',
      30_000,
    );
    await client.call('Emulation.setDeviceMetricsOverride', {
      width: 1520, height: 1520, deviceScaleFactor: 1, mobile: false,
    });
    const picture = await client.call('Page.captureScreenshot', { format: 'png' });
    assert.ok(picture.result.data.length > 1024 * 1024, `${picture.result?.data.length} bytes`);
    await client.close();
  });

  for (const [method, params, reason] of [
    ['Network.getAllCookies', {}, 'closed_by_dialect'],
    ['Storage.getCookies', {}, 'closed_by_dialect'],
    ['Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: '/tmp' }, /^(verb|argument)_not_allowed$/],
    ['Target.exposeDevToolsProtocol', { targetId: 'x' }, 'closed_by_dialect'],
    ['Page.navigate', { url: 'file:///etc/passwd' }, 'target_not_allowed'],
  ]) {
    it(`${method} ${params.url ?? ''} is refused, and the page lives on`, async () => {
      for (const name of ['devtools', 'open']) {
        const client = await attach(name);
        const mark = gate.mark();
        const answer = await client.call(method, params);
        if (method === 'Browser.setDownloadBehavior') assert.deepEqual(answer.result, {}, 'as if it were done');
        else assert.equal(answer.error.data, reason);
        await gate.audited(mark, { event: 'message_refused', surface: name, verb: method, reason });
        const sum = await client.call('Runtime.evaluate', { expression: '1 + 1' });
        assert.equal(sum.result.result.value, 2);
        await client.close();
      }
    });
  }

  it('nothing without a token', async () => {
    for (const where of ['/json/list', '/json/version']) {
      const answer = await ask(gate, 'devtools', where);
      assert.equal(answer.status, 401);
    }
    const [page] = await pages('devtools');
    const { pathname } = new URL(page.webSocketDebuggerUrl);
    await assert.rejects(Client.open(gate, 'devtools', pathname), { status: 401 });
  });
});
