// A person at a browser, and the pages that would like to be one: headless Chromium against a web
// application behind the gate. SCREENSHOTS=FOLDER keeps pictures of the gate's own pages.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { WebApp } from '../services/web_app.mjs';
import { launch } from './lib/browser.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { LOGIN, LOGOUT, authority, openUrl } from './lib/login.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const shots = process.env.SCREENSHOTS ?? dir;
let app;
let gate;
let context;
let own; // http://studio.localhost:PORT

function web(more = {}) {
  return surface(app.socketPath, {
    dialect: 'opaque',
    routes: [
      { path: '/ws', kind: 'websocket' },
      { path: '/{any...}', kind: 'http', methods: ['GET', 'HEAD', 'POST'] },
    ],
    ...more,
  });
}

before(async () => {
  const certs = path.join(dir, 'certs');
  const tls = { certificate: path.join(certs, 'server.pem'), key: path.join(certs, 'server.key') };
  app = await new WebApp(path.join(dir, 'studio.sock')).start();
  gate = new Gate(dir, { surfaces: { studio: web(), safe: web({ tls }), custom: web({ hosts: ['studio.test'] }) } });
  await gate.do('certs', 'init', '--dir', certs);
  await gate.launch();
  own = `http://${authority(gate, 'studio')}`;
  context = await launch({ hosts: { 'evil.example': '127.0.0.1', 'studio.test': '127.0.0.1' } });
});

after(async () => {
  await context?.close();
  await stopAll(gate, app);
});

afterEach(async () => {
  await Promise.all(context.pages().slice(1).map((page) => page.close()));
  await context.clearCookies();
  app.forget();
});

async function shoot(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(shots, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: null });
}

// What a page complained of: violations of its policy, scripts that failed.
function complaints(page) {
  const said = [];
  page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));
  return said;
}

async function logIn({ host, name = 'studio' } = {}) {
  const { url } = await openUrl(gate, name, ...(host ? ['--host', host] : []));
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForURL((now) => now.pathname === '/');
  await page.getByText('ready').waitFor();
  return { page, url };
}

function sawNoCookie() {
  for (const { target, headers } of app.seen) {
    assert.doesNotMatch(JSON.stringify(headers), /sidelock-|bearer/i, `${target} brought a credential`);
  }
}

describe('a person', () => {
  it('logs in through the printed address and lands on a clean one', async () => {
    const { page, url } = await logIn();
    assert.equal(page.url(), `${own}/`);
    assert.equal(await page.evaluate(() => history.length <= 2 && document.referrer), `${own}${LOGIN}`, 'no code in it');
    assert.equal(await page.evaluate(() => document.cookie), '', 'no script can read the cookie');
    const [cookie] = await context.cookies(own);
    assert.equal(cookie.name, 'sidelock-studio');
    assert.deepEqual(
      { http: cookie.httpOnly, site: cookie.sameSite, path: cookie.path, domain: cookie.domain },
      { http: true, site: 'Strict', path: '/', domain: 'studio.localhost' },
    );
    assert.ok(Math.abs(cookie.expires - Date.now() / 1000 - 8 * 3600) < 120);
    await shoot(page, 'logged-in');
    const again = await context.newPage();
    await again.goto(url);
    await again.getByText('login_invalid').waitFor();
    assert.equal(new URL(again.url()).hash, '', 'the code is gone from the address');
    assert.ok(await again.locator('.run:visible', { hasText: 'sidelock open studio' }).isVisible());
    await shoot(again, 'login-failed');
  });

  it('loads a page with its assets; the service never sees the cookie', async () => {
    const { page } = await logIn();
    assert.equal(
      await page.evaluate(() => getComputedStyle(document.querySelector('h1')).color),
      'rgb(1, 2, 3)',
    );
    assert.equal(await page.evaluate(() => document.querySelector('img').naturalWidth), 1);
    assert.equal(await page.evaluate(async () => (await (await fetch('/api/secret')).json()).secret), 'very');
    const post = () => page.evaluate(async () => (await fetch('/api/change', { method: 'POST' })).status);
    assert.equal(await post(), 200);
    assert.equal(await post(), 200);
    const seen = app.seen.map(({ target }) => target);
    for (const url of ['/', '/assets/style.css', '/assets/app.js', '/assets/pixel.png']) {
      assert.ok(seen.includes(url), `${url} of ${seen}`);
    }
    // The service's own cookies pass, in whatever order they stand beside the gate's.
    assert.deepEqual(app.seen.at(-1).headers.filter(([name]) => name === 'cookie'), [['cookie', 'theme=dark']]);
    sawNoCookie();
  });

  it('opens WebSockets with the cookie and with a ticket', async () => {
    const { page } = await logIn();
    assert.equal(await page.evaluate(() => echo()), 'hello');
    assert.equal(await page.evaluate(() => ticketSocket()), 'hello');
    assert.equal(app.seen.filter(({ target }) => target === '/ws').length, 2);
    sawNoCookie();
  });

  it('over TLS gets a cookie that no plain page can set', async () => {
    const { page } = await logIn({ name: 'safe' });
    assert.equal(page.url(), `https://${authority(gate, 'safe')}/`);
    const [cookie] = await context.cookies(page.url());
    assert.equal(cookie.name, '__Host-sidelock-safe');
    assert.ok(cookie.secure && cookie.httpOnly);
    assert.equal(await page.evaluate(() => echo()), 'hello');
    assert.equal(await page.evaluate(() => ticketSocket()), 'hello');
    sawNoCookie();
  });

  it('may come from a bookmark, and under another name of the surface', async () => {
    await logIn();
    const page = await context.newPage();
    assert.equal((await page.goto(`${own}/`)).status(), 200);
    const { page: other } = await logIn({ host: 'localhost' });
    assert.equal(new URL(other.url()).hostname, 'localhost');
  });

  it('logs out, and everything of the session ends', async () => {
    const { page } = await logIn();
    await page.evaluate(() => {
      window.live = new WebSocket(`ws://${location.host}/ws`);
      window.ended = new Promise((resolve) => (window.live.onclose = ({ code }) => resolve(code)));
      return new Promise((resolve) => (window.live.onopen = resolve));
    });
    const exit = await context.newPage();
    const said = complaints(exit);
    await exit.goto(`${own}${LOGOUT}`);
    await shoot(exit, 'logout');
    await exit.getByRole('button', { name: 'Log out' }).click();
    await exit.getByText('You are logged out').waitFor();
    assert.deepEqual(said, []);
    assert.equal(await page.evaluate(() => window.ended), 1008);
    assert.deepEqual(await context.cookies(own), []);
    app.forget();
    const answer = await exit.goto(`${own}/`);
    assert.equal(answer.status(), 401);
    assert.ok(await exit.getByText('sidelock open studio').isVisible());
    await exit.goto(`${own}${LOGOUT}`);
    await exit.getByRole('button').click();
    await exit.getByText('You were not logged in').waitFor();
    assert.deepEqual(app.seen, []);
  });
});

describe('without a session', () => {
  it('a page says what to run', async () => {
    const page = await context.newPage();
    const said = complaints(page);
    const answer = await page.goto(`${own}/some/where?x=1`);
    assert.equal(answer.status(), 401);
    assert.equal(await page.title(), 'Log in to studio');
    assert.ok(await page.getByText('sidelock open studio').isVisible());
    await shoot(page, 'refused');
    assert.deepEqual(said.filter((text) => !/401/.test(text)), [], 'its own policy permits all of it');
    assert.deepEqual(app.seen, []);
  });

  it('the login page without a code says it, too', async () => {
    const page = await context.newPage();
    const said = complaints(page);
    await page.goto(`${own}${LOGIN}`);
    await page.getByText('Log in to studio').waitFor();
    assert.ok(await page.locator('.run:visible', { hasText: 'sidelock open studio' }).isVisible());
    assert.deepEqual(said, []);
  });

  it('a killed surface says that it is', async () => {
    await gate.do('kill', 'studio');
    const page = await context.newPage();
    assert.equal((await page.goto(`${own}/`)).status(), 503);
    assert.ok(await page.getByText('sidelock arm studio').isVisible());
    await shoot(page, 'killed');
    await gate.do('arm', 'studio');
  });
});

// Everything that a page can do to reach another origin.
function assault(target) {
  const socket = new Promise((resolve) => {
    const ws = new WebSocket(`${target.replace('http', 'ws')}/ws`);
    ws.onopen = () => resolve('open');
    ws.onerror = () => resolve('refused');
  });
  const element = (name, attributes) =>
    new Promise((resolve) => {
      const node = Object.assign(document.createElement(name), attributes);
      node.onload = () => resolve('loaded');
      node.onerror = () => resolve('refused');
      document.body.append(node);
    });
  const form = new Promise((resolve) => {
    const frame = Object.assign(document.createElement('iframe'), { name: 'sink' });
    const node = Object.assign(document.createElement('form'), {
      method: 'POST', action: `${target}/api/change`, target: 'sink',
    });
    document.body.append(frame, node);
    frame.onload = () => resolve('done');
    node.submit();
  });
  const reach = (path, options) =>
    fetch(`${target}${path}`, { credentials: 'include', ...options }).then(
      (answer) => answer.type,
      () => 'refused',
    );
  return Promise.all([
    socket,
    form,
    reach('/api/secret', { mode: 'no-cors' }),
    reach('/api/change', { mode: 'no-cors', method: 'POST', body: 'x' }),
    reach('/api/secret', { mode: 'cors' }),
    reach('/api/change', { mode: 'cors', method: 'POST', headers: { 'x-a': '1' } }),
    reach('/.sidelock/ticket', { mode: 'no-cors', method: 'POST' }),
    reach('/.sidelock/logout', { mode: 'no-cors', method: 'POST' }),
    element('script', { src: `${target}/assets/app.js` }),
    element('img', { src: `${target}/assets/pixel.png` }),
    element('link', { rel: 'stylesheet', href: `${target}/assets/style.css` }),
    element('iframe', { src: `${target}/` }),
  ]);
}

describe('a page on another port', () => {
  let evil;

  before(async () => {
    evil = http.createServer((request, response) => {
      evil.cookies.push(request.headers.cookie ?? '');
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>evil</title><body>');
    });
    evil.cookies = [];
    await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
  });

  after(() => new Promise((resolve) => {
    evil.closeAllConnections();
    evil.close(resolve);
  }));

  for (const host of ['studio.localhost', 'localhost', '127.0.0.1']) {
    it(`of ${host}, with the cookie in the jar, reaches nothing`, async () => {
      const { page: victim } = await logIn({ host });
      const target = new URL(victim.url()).origin;
      const session = (await gate.doJson('session', 'list')).sessions.find(
        ({ state }) => state === 'active',
      );
      const live = await victim.evaluate(() => echo());
      assert.equal(live, 'hello');
      const page = await context.newPage();
      await page.goto(`http://${host}:${evil.address().port}/`);
      assert.match(evil.cookies.at(-2) + evil.cookies.at(-1), /sidelock-studio=/, 'the port does not keep it apart');
      app.forget();
      const mark = gate.mark();
      const results = await page.evaluate(assault, target);
      assert.equal(results[0], 'refused', 'no WebSocket');
      assert.deepEqual(results.slice(4, 6), ['refused', 'refused'], 'nothing to read');
      await gate.audited(mark, { event: 'denied', reason: /^(cookie_origin|origin_mismatch)$/, path: '/ws' });
      assert.deepEqual(app.seen, [], 'the service saw nothing');
      const frame = page.frames().find((one) => one.url().startsWith('chrome-error:'));
      assert.ok(frame, 'the refusal itself is not framed either');
      // Going there is no way in either.
      const answer = await Promise.all([
        page.waitForResponse((response) => response.url() === `${target}/`),
        page.evaluate((where) => { location.href = `${where}/`; }, target),
      ]);
      assert.equal(answer[0].status(), 403);
      await page.getByText('cookie_origin').waitFor();
      if (host === 'studio.localhost') await shoot(page, 'foreign');
      assert.deepEqual(app.seen, []);
      assert.equal((await gate.doJson('session', 'show', session.id)).state, 'active');
      assert.equal(await victim.evaluate(() => echo()), 'hello', 'the person goes on working');
    });
  }
});

// Over plain HTTP a browser labels no request to a name that is not this machine's own: there is
// neither Sec-Fetch-Site nor, with a GET, an Origin.
describe('a name of one\'s own, over plain HTTP', () => {
  let neighbour; // another port of the same name, which to cookies is the same site
  let base;

  before(async () => {
    neighbour = http.createServer((request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.setHeader('Referrer-Policy', 'no-referrer');
      if (request.url === '/plant') {
        const value = `${'0'.repeat(32)}.${'0'.repeat(64)}`;
        response.setHeader('Set-Cookie', ['/assets', '/api', '/ws'].map(
          (where) => `sidelock-custom=${value}; Path=${where}; HttpOnly; SameSite=Strict`,
        ));
      }
      response.end('<!doctype html><title>neighbour</title><body>');
    });
    await new Promise((resolve) => neighbour.listen(0, '127.0.0.1', resolve));
    base = `http://studio.test:${gate.port('custom')}`;
  });

  after(() => new Promise((resolve) => {
    neighbour.closeAllConnections();
    neighbour.close(resolve);
  }));

  it('loads pages with all that they need', async () => {
    const { page } = await logIn({ name: 'custom' });
    assert.equal(page.url(), `${base}/`);
    assert.equal(await page.evaluate(() => document.querySelector('img').naturalWidth), 1);
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('h1')).color), 'rgb(1, 2, 3)');
    assert.equal(await page.evaluate(async () => (await (await fetch('/api/secret')).json()).secret), 'very');
    assert.equal(await page.evaluate(async () => (await fetch('/api/change', { method: 'POST' })).status), 200);
    assert.equal(await page.evaluate(() => echo()), 'hello');
    assert.equal(await page.evaluate(() => ticketSocket()), 'hello');
    sawNoCookie();
  });

  it('opened from nowhere, wants a click', async () => {
    await logIn({ name: 'custom' });
    app.forget();
    const page = await context.newPage();
    assert.equal((await page.goto(`${base}/`)).status(), 403);
    assert.deepEqual(app.seen, []);
    await shoot(page, 'come-again');
    await page.getByRole('link', { name: 'Open this page' }).click();
    await page.getByText('ready').waitFor();
  });

  it('finding 18: its neighbour\'s pages reach nothing', async () => {
    await logIn({ name: 'custom' });
    const page = await context.newPage();
    await page.goto(`http://studio.test:${neighbour.address().port}/`);
    app.forget();
    await page.evaluate(assault, base);
    await Promise.all([
      page.waitForResponse((response) => response.url() === `${base}/`),
      page.evaluate((where) => { location.href = `${where}/`; }, base),
    ]);
    await page.waitForURL(`${base}/`);
    assert.deepEqual(app.seen.map(({ method, target }) => `${method} ${target}`), []);
  });

  it('finding 18: its neighbour\'s cookies lock nobody out', async () => {
    const { page } = await logIn({ name: 'custom' });
    const other = await context.newPage();
    await other.goto(`http://studio.test:${neighbour.address().port}/plant`);
    const names = (await context.cookies([`${base}/assets/x`])).map(({ name }) => name);
    assert.deepEqual(names, ['sidelock-custom', 'sidelock-custom'], 'both are sent');
    assert.equal(await page.evaluate(async () => (await fetch('/api/secret')).status), 200);
    assert.equal(await page.evaluate(async () => (await fetch('/assets/app.js')).status), 200);
    assert.equal(await page.evaluate(() => echo()), 'hello');
  });
});

describe('a name that was rebound to this machine', () => {
  it('is not the surface\'s, whatever the page asks', async () => {
    const page = await context.newPage();
    const foreign = `http://evil.example:${gate.port('studio')}`;
    const answer = await page.goto(`${foreign}/`);
    assert.equal(answer.status(), 403);
    await page.getByText('host_mismatch').waitFor();
    assert.equal((await page.content()).includes('studio'), false, 'it does not learn the name');
    const statuses = await page.evaluate(async () => {
      const ask = async (where, method) => (await fetch(where, { method })).status;
      return [await ask('/api/secret', 'GET'), await ask('/api/change', 'POST'),
        await ask('/.sidelock/login', 'GET'), await ask('/.sidelock/login', 'POST')];
    }).catch((error) => [error.message]);
    // The refusal's own policy forbids it to ask; had it not, these would be refusals.
    assert.ok(statuses.every((status) => status === 403 || /fetch/.test(status)), String(statuses));
    assert.deepEqual(app.seen, []);
    await until(() => gate.auditLines().some(({ reason }) => reason === 'host_mismatch'), 'the denial');
  });
});
