// What clients send in a path and a query reaches the service as it was sent, wherever the path
// may go at all; and what the service is told as Host.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { RawHttpService } from '../services/raw_http_service.mjs';
import { close, listen } from '../services/listening.mjs';
import { launch } from './lib/browser.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { NODE, module, runProgram, serviceFile, startService } from './lib/programs.mjs';
import { request } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new RawHttpService(path.join(dir, 'raw.sock'));
const registry = path.join(dir, 'registry.sock');
const vite = path.join(dir, 'vite.sock');
let gate;
const tokens = {};

const rest = { path: '/{any...}', kind: 'http', methods: ['GET', 'HEAD', 'POST'] };
const opaque = (socket, routes, more = {}) => surface(socket, { dialect: 'opaque', routes, ...more });

before(async () => {
  const shut = [
    { path: '/api/terminals', kind: 'closed' },
    { path: '/api/terminals/{any...}', kind: 'closed' },
  ];
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      any: opaque(service.socketPath, [...shut, rest]),
      sockets: opaque(service.socketPath, [{ path: '/{any...}', kind: 'websocket' }]),
      narrow: opaque(service.socketPath, [{ path: '/files/{name}', kind: 'http' }, { path: '/deep/{any...}', kind: 'http' }]),
      mcp: surface(service.socketPath, { dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http' }] }),
      mcps: surface(service.socketPath, { dialect: 'mcp', routes: [{ path: '/mcp/', kind: 'mcp-http' }] }),
      registry: opaque(registry, [rest]),
      vite: opaque(vite, [rest]),
      two: opaque(service.socketPath, [rest], { listen: ['127.0.0.1:0', '127.0.0.1:0'] }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
});

after(() => stopAll(gate, service));

afterEach(() => {
  service.reset();
  service.forget();
});

// What a client sends: bytes of UTF-8 one by one.
const sent = (target) => Buffer.from(target, 'utf8').toString('latin1');
const get = (name, target, options = {}) => ask(gate, name, sent(target), { token: tokens[name], ...options });
const firstLine = () => service.text.split('\r\n')[0];

describe('a path', () => {
  const PATHS = [
    '/@vite/client',
    '/src/+page.js',
    '/src/%2bpage.js',
    '/@scope%2fpkg',
    '/@scope%2Fpkg/-/pkg-1.0.0.tgz',
    '/a&b.ipynb',
    '/a%26b.ipynb',
    '/100%25.ipynb',
    '/q%3F.ipynb',
    '/notes%23.ipynb',
    '/a;b=c/d;e',
    '/$/!/\'/(/)/*/,/=/:/~',
    '/%24%21%27%28%29%2a%2C%3d%3A%7e',
    '/%61%41',
    '/caf%c3%A9',
    '/café/{id}/[x]/a|b/"c"/^`',
  ];

  for (const target of PATHS) {
    it(`situation 7: ${target} reaches the service as it was sent`, async () => {
      const answer = await get('any', target);
      assert.equal(answer.status, 200, answer.body);
      assert.equal(firstLine(), `GET ${sent(target)} HTTP/1.1`);
    });
  }

  it('situation 7: reaches it so on an upgrade, too, without the query', async () => {
    for (const target of ['/@a+b/c&d:e', '/%40a/100%25.ipynb', '/caf%C3%A9']) {
      service.forget();
      await request(gate, 'sockets', { token: tokens.sockets, path: `${target}?x=y` });
      assert.equal(firstLine(), `GET ${target} HTTP/1.1`);
    }
  });

  it('situation 7: is told by explain as the gate takes it', async () => {
    for (const target of PATHS) {
      const { stdout } = await gate.cli('explain', '--surface', 'any', '--plain', '--json', target);
      const { steps } = JSON.parse(stdout);
      const verdict = (name) => steps.find(({ step }) => step === name)?.verdict;
      assert.deepEqual([verdict('path'), verdict('route')], ['allow', 'allow'], target);
    }
  });

  // The spelling, and the cause that answer and log name.
  const REFUSED = [
    ['/100%.ipynb', 'percent_encoding'],
    ['/%zz', 'percent_encoding'],
    ['/a%00b', 'control_byte'],
    ['/a%0d%0aX:%20y', 'control_byte'],
    ['/a%7f', 'control_byte'],
    ['/a\\b', 'separator'],
    ['/a%5Cb', 'separator'],
    ['/a%252fb', 'separator'],
    ['/a//b', 'empty_segment'],
    ['/a/../b', 'dot_segment'],
    ['/a/%2e%2E/b', 'dot_segment'],
    ['/a/.', 'dot_segment'],
    ['/%ff', 'utf8'],
  ];

  it('situation 7: that two readers take for two is refused with its cause, by explain as well', async () => {
    for (const [target, cause] of REFUSED) {
      const mark = gate.mark();
      const answer = await get('any', target);
      assert.deepEqual([answer.status, answer.json.reason, answer.json.cause], [400, 'path_invalid', cause], target);
      assert.equal((await gate.audited(mark, { event: 'denied', reason: 'path_invalid' })).cause, cause, target);
      const { stdout } = await gate.cli('explain', '--surface', 'any', '--plain', target);
      assert.match(stdout, new RegExp(`^path +deny +path_invalid +${answer.json.detail.slice(0, 20)}`, 'm'), target);
    }
    assert.equal(service.text, '');
  });

  it('leads past no closed route, whoever reads it', async () => {
    for (const target of [
      '/api%2fterminals',
      '/api/terminals%2f1',
      '/api/%74erminals',
      '/api/%2574erminals',
      '/api;x/terminals',
      '/api/terminals;x',
      '/api/terminals%3bx/1',
      '/api/terminals%3f',
      '/api/terminals%23/1',
      '/x%2f..%2fapi/terminals',
      '/x/..;/api/terminals',
      '/x%2f%2e%2e%2fapi%2fterminals',
      '/%2fapi/terminals',
      '/x/%252e%252e/api/terminals',
      '/.sidelock%2flogin',
    ]) {
      const answer = await get('any', target);
      assert.ok([400, 404].includes(answer.status), `${target}: ${answer.status}`);
    }
    assert.equal(service.text, '');
  });

  it('situation 7: with an encoded slash goes where a slash would go, too', async () => {
    assert.equal((await get('narrow', '/deep/a%2fb')).status, 200);
    assert.equal(firstLine(), 'GET /deep/a%2fb HTTP/1.1');
    const answer = await get('narrow', '/files/a%2fb');
    assert.deepEqual([answer.status, answer.json.cause], [400, 'readings']);
    assert.match(answer.json.detail, /encoded slash/);
  });
});

describe('a query', () => {
  for (const query of ['{"a":[1,2]}', 'a|b', 'a="b"', 'a^b`c', 'a\\b', 'q=café', 'a=<b>']) {
    it(`situation 7: ${query} passes as it was sent`, async () => {
      const answer = await get('any', `/x?${query}`);
      assert.equal(answer.status, 200, answer.body);
      assert.equal(firstLine(), `GET /x?${sent(query)} HTTP/1.1`);
    });
  }
});

describe('what is as usual', () => {
  for (const target of ['/%40vite/client', '/x?a=/../%2e%2e/%00&b=c', "/?x[]=1&a='b'", '/?a=%zz&?/?']) {
    it(`${target} passes as it was sent`, async () => {
      assert.equal((await get('any', target)).status, 200);
      assert.equal(firstLine(), `GET ${target} HTTP/1.1`);
    });
  }
});

describe('a location in an answer', () => {
  it('situation 7: is left as the service wrote it', async () => {
    const port = gate.port('any');
    service.answer = () => ({ bytes: `HTTP/1.1 302 Found\r\nLocation: http://localhost:${port}/@a%2fb+c;d?e={f}\r\nContent-Length: 0\r\n\r\n` });
    const answer = await get('any', '/x');
    assert.equal(answer.headers.location, '/@a%2fb+c;d?e={f}');
  });
});

const headerSent = (name) => new RegExp(`^${name}: (.*)$`, 'im').exec(service.text)?.[1].trim();

describe('Host', () => {
  it('situation 8: is localhost with the port that the client came to, and Origin follows it', async () => {
    const port = gate.port('any');
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `any.localhost:${port}`]) {
      service.forget();
      await get('any', '/x', { headers: { host, origin: `http://${host}` } });
      assert.equal(headerSent('Host'), `localhost:${port}`, host);
      assert.equal(headerSent('Origin'), `http://localhost:${port}`, host);
    }
  });

  it('situation 8: is so on an upgrade', async () => {
    await request(gate, 'sockets', { token: tokens.sockets, path: '/x' });
    assert.equal(headerSent('Host'), `localhost:${gate.port('sockets')}`);
  });

  it('situation 8: is that of the very port, of several', async () => {
    const ports = gate.addresses('two').map((text) => Number(/:(\d+)$/.exec(text)[1]));
    assert.equal(new Set(ports).size, 2);
    for (const port of ports) {
      service.forget();
      await fetch(`http://127.0.0.1:${port}/x`, { headers: { authorization: `Bearer ${tokens.two}` } });
      assert.equal(headerSent('Host'), `localhost:${port}`);
    }
  });

  it('situation 8: that a service does not take is told to the operator', async () => {
    service.answer = () => ({ bytes: 'HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n' });
    assert.equal((await get('any', '/x')).status, 421);
    const told = `surface any: the service answered 421; if it does so to every request, it does not take the Host localhost:${gate.port('any')}`;
    await until(() => gate.stderr.includes(told), () => `a hint: ${gate.stderr}`);
  });
});

describe('the endpoint of MCP', () => {
  const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} });

  for (const [name, here, there] of [['mcp', '/mcp', '/mcp/'], ['mcps', '/mcp/', '/mcp']]) {
    for (const absolute of [true, false]) {
      it(`situation 9: ${here} is found from ${there}, too, by ${absolute ? 'an absolute' : 'a relative'} redirect`, async () => {
        const own = `http://localhost:${gate.port(name)}`;
        service.answer = (text) => {
          const moved = `${absolute ? `http://${headerSent('Host')}` : ''}${there}`;
          return text.startsWith(`POST ${there} `)
            ? { bytes: `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n${answer}` }
            : { bytes: `HTTP/1.1 307 Temporary Redirect\r\nLocation: ${moved}\r\nContent-Length: 0\r\n\r\n` };
        };
        const response = await fetch(`${own}${here}`, {
          method: 'POST',
          body: call,
          headers: { authorization: `Bearer ${tokens[name]}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        });
        assert.equal(response.status, 200);
        assert.equal(response.url, `${own}${there}`);
        assert.equal(await response.text(), answer);
      });
    }
  }
});

describe('a browser', () => {
  let context;
  after(() => context?.close());

  it('situation 7: asks for files with such names, and gets them', async () => {
    context = await launch();
    const page = await context.newPage();
    await page.setExtraHTTPHeaders({ Authorization: `Bearer ${tokens.any}` });
    const own = `http://localhost:${gate.port('any')}`;
    for (const target of ['/@vite/client', '/src/+page.js', '/a&b', '/100%25', '/q%3F', '/a;b', '/x?a={b|c}^`[d]']) {
      service.forget();
      const answer = await page.goto(`${own}${target}`);
      assert.equal(answer.status(), 200, target);
      assert.ok(service.text.includes(`GET ${new URL(target, own).href.slice(own.length)} HTTP/1.1\r\n`), `${target}: ${service.text}`);
    }
  });
});

describe('npm', () => {
  const packages = { '@scope/pkg': '1.0.0' };
  const asked = [];
  let server;
  let tarball;

  before(async () => {
    const source = path.join(dir, 'package');
    mkdirSync(source);
    writeFileSync(path.join(source, 'package.json'), JSON.stringify({ name: '@scope/pkg', version: '1.0.0' }));
    execFileSync('tar', ['czf', path.join(dir, 'pkg.tgz'), '-C', dir, 'package']);
    tarball = readFileSync(path.join(dir, 'pkg.tgz'));
    server = http.createServer(({ url, headers }, response) => {
      asked.push(url);
      if (url === '/@scope%2fpkg') {
        const dist = { tarball: `http://${headers.host}/@scope/pkg/-/pkg-1.0.0.tgz` };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({
          name: '@scope/pkg',
          'dist-tags': { latest: '1.0.0' },
          versions: { '1.0.0': { name: '@scope/pkg', version: '1.0.0', dist } },
        }));
      } else if (url === '/@scope/pkg/-/pkg-1.0.0.tgz') {
        response.end(tarball);
      } else {
        response.writeHead(404).end();
      }
    });
    await listen(server, registry);
  });
  after(() => close(server, []));

  it('situations 7, 8: installs a scoped package through the gate', async () => {
    const port = gate.port('registry');
    const project = path.join(dir, 'project');
    mkdirSync(project);
    writeFileSync(path.join(project, 'package.json'), JSON.stringify({ private: true }));
    writeFileSync(path.join(project, '.npmrc'), `registry=http://localhost:${port}/\n//localhost:${port}/:_authToken=${tokens.registry}\n`);
    const npm = await runProgram(
      ['npm', 'install', '@scope/pkg', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=0', '--cache', path.join(dir, 'npm')],
      { cwd: project, env: { npm_config_userconfig: '/dev/null', npm_config_update_notifier: 'false' } },
    );
    assert.deepEqual(asked.filter((url) => url.includes('scope')), ['/@scope%2fpkg', '/@scope/pkg/-/pkg-1.0.0.tgz'], npm.log);
    assert.equal(npm.code, 0, npm.log);
    const installed = JSON.parse(readFileSync(path.join(project, 'node_modules/@scope/pkg/package.json'), 'utf8'));
    assert.equal(installed.version, packages['@scope/pkg']);
  });
});

describe('Vite', () => {
  let program;
  let context;
  after(async () => {
    await context?.close();
    await stopAll(program);
  });

  it('situation 7: serves a page with a client, and modules with odd names', async () => {
    const root = path.join(dir, 'site');
    mkdirSync(path.join(root, 'src/a&b'), { recursive: true });
    writeFileSync(path.join(root, 'index.html'), '<!doctype html><title>dead</title><script type="module" src="/src/+page.js"></script>');
    writeFileSync(path.join(root, 'src/+page.js'), "import { said } from './a&b/@[x]+$(1).js'; document.title = said;");
    writeFileSync(path.join(root, 'src/a&b/@[x]+$(1).js'), "export const said = 'alive';");
    program = await startService([NODE, '--require', serviceFile('listen_on_socket.cjs'), module('vite6/bin/vite.js'), '--port', '5173'], { path: vite }, {
      cwd: root, env: { LISTEN_SOCKET: vite },
    });
    context = await launch();
    const page = await context.newPage();
    const failed = [];
    page.on('response', (response) => response.status() >= 400 && failed.push(`${response.status()} ${response.url()}`));
    await page.setExtraHTTPHeaders({ Authorization: `Bearer ${tokens.vite}` });
    await page.goto(`http://localhost:${gate.port('vite')}/`);
    await page.waitForFunction(() => document.title === 'alive', undefined, { timeout: 20_000 })
      .catch(() => assert.fail(`the page is dead: ${failed.join(', ')}\n${program.log}`));
    assert.deepEqual(failed.filter((text) => !text.endsWith('/favicon.ico')), []);
  });
});
