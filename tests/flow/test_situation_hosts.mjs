// By which name services know themselves: what they answer to the Host that they are told, who is told when they refuse it,
// and where their redirects lead. Playwright MCP is from npm. Neither Debian nor npm has the Python SDK of MCP
// (python3-mcp): a stand-in with the wire of its transport security since 1.23.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { close, listen } from '../services/listening.mjs';
import { Pipe } from '../services/pipe.mjs';
import { RawHttpService } from '../services/raw_http_service.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { NODE, Program, module } from './lib/programs.mjs';
import { request } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const service = new RawHttpService(path.join(dir, 'raw.sock'));
const pythonSocket = path.join(dir, 'python.sock');
const playwrightSocket = path.join(dir, 'playwright.sock');
const mcp = (socket, more = {}) => surface(socket, { dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http', ...more }] });
const tokens = {};
let python;
let program;
let pipe;
let own; // the port that Playwright MCP listens at
let gate;

const result = (id, value) => JSON.stringify({ jsonrpc: '2.0', id, result: value });

// TransportSecurityMiddleware: allowed are localhost, 127.0.0.1 and [::1], each with a port, in Host and Origin.
function pythonServer() {
  const names = /^(localhost|127\.0\.0\.1|\[::1\]):\d+$/;
  return http.createServer((request, response) => {
    const say = (status, text) => response.writeHead(status).end(text);
    const origin = request.headers.origin;
    if (!names.test(request.headers.host)) return say(421, 'Invalid Host header');
    if (origin && !names.test(origin.replace('http://', ''))) return say(403, 'Invalid Origin header');
    let text = '';
    request.on('data', (data) => (text += data));
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(result(JSON.parse(text).id, {}));
    });
  });
}

before(async () => {
  python = pythonServer();
  await listen(python, pythonSocket);
  await service.start();
  program = new Program([
    NODE, module('@playwright/mcp/cli.js'), '--port', '0', '--host', '127.0.0.1', '--headless', '--isolated', '--no-sandbox',
    '--executable-path', '/usr/bin/chromium',
  ]);
  const said = await until(() => /http:\/\/(localhost|127\.0\.0\.1):(\d+)/.exec(program.stdout + program.stderr), () => program.log, 30_000);
  own = said[2];
  pipe = await new Pipe({ path: playwrightSocket }, { host: '127.0.0.1', port: own }).start();
  gate = await Gate.start(dir, {
    surfaces: {
      python: mcp(pythonSocket),
      bare: mcp(pythonSocket, { host: 'localhost' }),
      playwright: mcp(playwrightSocket),
      named: mcp(playwrightSocket, { host: { fixed: `${said[1]}:${own}` } }),
      moved: mcp(service.socketPath),
      sockets: surface(service.socketPath, { dialect: 'opaque', routes: [{ path: '/ws', kind: 'websocket' }] }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
});

after(async () => {
  await stopAll(gate, pipe, service, program);
  if (python) await close(python, []);
});

afterEach(() => {
  service.reset();
  service.forget();
});

const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
const post = (name, more = {}) =>
  ask(gate, name, '/mcp', {
    method: 'POST', token: tokens[name], body: ping, ...more,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...more.headers },
  });
const hint = (name, status, host) =>
  `surface ${name}: the service answered ${status}; if it does so to every request, it does not take the Host ${host}, and "host"`;

describe('the Host that a service is told', () => {
  it("situation 8: is one that Python's SDK takes, with the Origin that follows it", async () => {
    const port = gate.port('python');
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`]) {
      const answer = await post('python', { headers: { host, origin: `http://${host}` } });
      assert.equal(answer.status, 200, answer.body);
    }
  });

  it('situation 8: that it does not take is hinted at in the log, once a minute for a surface', async () => {
    for (let i = 0; i < 3; i++) {
      const answer = await post('bare');
      assert.equal(answer.status, 421, 'the client is told what the service says');
      assert.equal(answer.json, undefined);
    }
    const told = hint('bare', 421, 'localhost');
    await until(() => gate.stderr.includes(told), () => `a hint: ${gate.stderr}`);
    await post('playwright'); // another surface has its own
    await until(() => gate.stderr.includes(hint('playwright', 403, `localhost:${gate.port('playwright')}`)), () => gate.stderr);
    assert.equal(gate.stderr.split(told).length, 2);
  });

  it("may be Playwright MCP's own, and then it answers", async () => {
    const client = new McpClient({ name: 'flow', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://localhost:${gate.port('named')}/mcp`), {
      requestInit: { headers: { Authorization: `Bearer ${tokens.named}` } },
    }));
    assert.ok((await client.listTools()).tools.length > 0);
    await client.close();
  });

  it('situation 8: is hinted at where an upgrade is refused for it', async () => {
    service.answer = () => ({ bytes: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n' });
    const { response } = await request(gate, 'sockets', { token: tokens.sockets });
    assert.equal(response.status, 502);
    await until(() => gate.stderr.includes(hint('sockets', 403, `localhost:${gate.port('sockets')}`)), () => gate.stderr);
  });

  it('situation 8: is looked at by check', async () => {
    const host = (dialect, value, more = {}) => surface(service.socketPath, { dialect, host: value, ...more });
    const surfaces = {
      bare: host('mcp', 'localhost'),
      portless: host('mcp', { fixed: 'tools.internal' }),
      six: host('mcp', { fixed: '[::1]:8000' }),
      named: host('cdp', { fixed: 'browser.internal:9222' }),
      seen: host('cdp', 'public', { hosts: ['browser.internal:9222'] }),
      fine: host('cdp', { fixed: '127.0.0.1:9222' }),
      plain: host('mcp', 'public'),
    };
    const file = path.join(dir, 'looked-at.json');
    writeFileSync(file, JSON.stringify({ ...gate.config, surfaces }));
    const told = JSON.parse(await gate.do('check', '-c', file, '--elsewhere', '--json')).warnings;
    const of = (name) => told.filter((text) => text.includes(`"${name}" tells its service the Host`));
    for (const name of ['bare', 'portless']) assert.match(of(name).join(), /MCP servers refuse that want a port/, name);
    for (const name of ['named', 'seen']) assert.match(of(name).join(), /"browser\.internal:9222", which DevTools refuse/, name);
    for (const name of ['six', 'fine', 'plain']) assert.deepEqual(of(name), [], name);
  });
});

describe('a redirect by another name of this machine', () => {
  // What the service says, asked for /mcp, and whether the client is led back to the gate.
  const port = () => gate.port('moved');
  for (const [where, back] of [
    [() => `http://127.0.0.1:${port()}/mcp/`, true],
    [() => `http://localhost/mcp/`, true],
    [() => 'http://127.0.0.1:8000/mcp/', true],
    [() => `http://[::1]:${port()}/mcp/`, true],
    [() => 'http://127.0.0.1:8000/other', false],
    [() => 'http://tools.example/mcp/', false],
  ]) {
    const title = String(where).slice(6);
    it(back ? `situation 9: ${title} leads back to the gate` : `${title} is left alone`, async () => {
      service.answer = (text) => text.startsWith('POST /mcp/ ')
        ? { bytes: `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${result(1, {}).length}\r\n\r\n${result(1, {})}` }
        : { bytes: `HTTP/1.1 307 Temporary Redirect\r\nLocation: ${where()}\r\nContent-Length: 0\r\n\r\n` };
      const response = await fetch(`http://localhost:${port()}/mcp`, {
        method: 'POST', body: ping, redirect: back ? 'follow' : 'manual',
        headers: { authorization: `Bearer ${tokens.moved}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      }).catch((error) => assert.fail(`the client was sent past the gate: ${error.cause?.code}`));
      if (!back) assert.equal(response.headers.get('location'), where());
      else assert.equal(await response.text(), result(1, {}), 'the token went along');
    });
  }
});
