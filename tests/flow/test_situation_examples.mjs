// The shipped examples, each before the real program: Jupyter from Debian, Vite and Playwright MCP from npm. Neither has
// Ollama or ComfyUI: stand-ins with their wire. The browser is lib/browser.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Client as McpClient } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { HttpService } from '../services/http_service.mjs';
import { Pipe } from '../services/pipe.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { launch } from './lib/browser.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { runLine } from './lib/known_services.mjs';
import { NODE, Program, module, startService } from './lib/programs.mjs';
import { call, connect } from './lib/stdio_surface.mjs';
import { until } from './lib/wait.mjs';

const dir = scratchDir();
const socketOf = (name) => path.join(dir, `${name}.sock`);

// The very surface that is shipped, but for where it listens and where its service does.
function example(file, name) {
  const text = readFileSync(new URL(`../../config/${file}.json`, import.meta.url), 'utf8');
  return { ...JSON.parse(text).surfaces[name], listen: ['localhost:0'], upstream: { socket: socketOf(file) } };
}

async function gateOf(file, name) {
  const home = path.join(dir, `gate-${file}`);
  mkdirSync(home, { mode: 0o700 });
  const gate = await Gate.start(home, { surfaces: { [name]: example(file, name) } });
  return { gate, token: (await gate.session(name)).token };
}

// A program that knows only ports, behind a Unix socket.
async function pipeTo(file, port) {
  return new Pipe({ path: socketOf(file) }, { host: '127.0.0.1', port }).start();
}

describe('Jupyter', { skip: spawnSync('jupyter-server', ['--version']).error ? 'needs jupyter-server' : false }, () => {
  let server;
  let it_;

  before(async () => {
    const root = path.join(dir, 'notebooks');
    mkdirSync(root);
    server = await startService(
      ['jupyter-server', `--sock=${socketOf('jupyter')}`, '--ServerApp.token=', '--ServerApp.password=', '--allow-root',
        '--ServerApp.disable_check_xsrf=True', '--no-browser', `--ServerApp.root_dir=${root}`],
      { path: socketOf('jupyter') },
      { env: { HOME: dir, JUPYTER_RUNTIME_DIR: path.join(dir, 'run'), JUPYTER_PLATFORM_DIRS: '0' } },
    );
    it_ = await gateOf('jupyter', 'jupyter');
  });
  after(() => stopAll(it_?.gate, server));

  it('situation 11: a kernel is started, its socket opened and code run', async () => {
    const { gate, token } = it_;
    const json = { 'content-type': 'application/json' };
    const started = await ask(gate, 'jupyter', '/api/kernels', { method: 'POST', token, headers: json, body: '{}' });
    assert.equal(started.status, 201, started.body);
    const client = await Client.open(gate, 'jupyter', `/api/kernels/${started.json.id}/channels?session_id=flow`, { token });
    client.sendJson(runLine('print(6 * 7)'));
    for (;;) {
      const message = await client.nextJson(60_000);
      if (message.msg_type !== 'stream') continue;
      assert.equal(message.content.text, '42\n');
      break;
    }
    await client.close();
    const ended = await ask(gate, 'jupyter', `/api/kernels/${started.json.id}`, { method: 'DELETE', token });
    assert.equal(ended.status, 204);
  });

  it('terminals and shutting down are closed', async () => {
    for (const where of ['/api/terminals', '/api/terminals/1', '/api/shutdown']) {
      const answer = await ask(it_.gate, 'jupyter', where, { method: 'POST', token: it_.token, body: '{}' });
      assert.equal(answer.status, 404, where);
      assert.equal(answer.json.reason, 'route_unknown');
    }
  });
});

describe('Vite', () => {
  const root = path.join(dir, 'site');
  let server;
  let pipe;
  let it_;
  let browser;

  before(async () => {
    mkdirSync(root);
    writeFileSync(path.join(root, 'index.html'), '<h1 id=t></h1><script type=module src=/main.js></script>');
    writeFileSync(path.join(root, 'main.js'),
      "import { text } from './text.js';\nconst show = (t) => (document.querySelector('#t').textContent = t);\nshow(text);\n" +
        "window.loads = (window.loads ?? 0) + 1;\nimport.meta.hot.accept('./text.js', (m) => show(m.text));\n");
    writeFileSync(path.join(root, 'text.js'), "export const text = 'one';\n");
    server = new Program([NODE, module('vite6/bin/vite.js'), '--host', '127.0.0.1', '--port', '0', root], {
      cwd: root, env: { NO_COLOR: '1' },
    });
    const port = await until(() => /127\.0\.0\.1:(\d+)/.exec(server.stdout)?.[1], () => server.log, 30_000);
    pipe = await pipeTo('vite', port);
    it_ = await gateOf('vite', 'vite');
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await stopAll(it_?.gate, pipe, server);
  });

  it('situation 11: a page loads and an edit arrives by HMR', async () => {
    const { gate } = it_;
    const page = await browser.newPage();
    await page.goto((await gate.do('open', 'vite')).trim());
    await page.waitForFunction(() => document.querySelector('#t')?.textContent === 'one');
    await until(async () => (await gate.connections('vite')) > 0, 'the socket');
    await page.evaluate(() => (window.kept = true));
    await until(async () => {
      writeFileSync(path.join(root, 'text.js'), "export const text = 'two';\n");
      return (await page.textContent('#t')) === 'two';
    }, 'the edit in the page', 30_000);
    assert.equal(await page.evaluate(() => window.kept), true, 'without a reload');
  });
});

describe('Playwright MCP', () => {
  let server;
  let pipe;
  let it_;

  before(async () => {
    it_ = await gateOf('playwright-mcp', 'playwright');
    const port = it_.gate.port('playwright');
    // It wants to be called by the port on which it listens: in its place the gate's.
    server = new Program([
      NODE, module('@playwright/mcp/cli.js'), '--port', '0', '--host', '127.0.0.1', '--headless', '--isolated', '--no-sandbox',
      '--executable-path', '/usr/bin/chromium', '--allowed-hosts', `localhost:${port}`,
    ]);
    const own = await until(() => /localhost:(\d+)|127\.0\.0\.1:(\d+)/.exec(server.stdout + server.stderr), () => server.log, 30_000);
    pipe = await pipeTo('playwright-mcp', own[1] ?? own[2]);
  });
  after(() => stopAll(it_?.gate, pipe, server));

  it('situation 11: a client navigates; tools that run code are refused', async () => {
    const { gate, token } = it_;
    const client = new McpClient({ name: 'flow', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://localhost:${gate.port('playwright')}/mcp`), {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }));
    const { tools } = await client.listTools();
    assert.ok(tools.some(({ name }) => name === 'browser_navigate'));
    assert.ok(!tools.some(({ name }) => name === 'browser_evaluate'));
    const there = await client.callTool({ name: 'browser_navigate', arguments: { url: 'data:text/html,<title>flow</title>x' } });
    assert.match(there.content[0].text, /flow/);
    await assert.rejects(client.callTool({ name: 'browser_evaluate', arguments: { function: '() => 1' } }), /refused by Sidelock/);
    await client.close();
  });
});

describe('Ollama', () => {
  const service = new HttpService(socketOf('ollama'));
  let it_;

  before(async () => {
    service.routes['/api/tags'] = (exchange) => exchange.respond(200, [['Content-Type', 'application/json']], '{"models":[]}');
    service.routes['/api/chat'] = (exchange) =>
      exchange.respond(200, [['Content-Type', 'application/x-ndjson']], '{"done":true}\n');
    await service.start();
    it_ = await gateOf('ollama', 'ollama');
  });
  after(() => stopAll(it_?.gate, service));

  it('chats, and fetches, publishes and deletes no models', async () => {
    const { gate, token } = it_;
    const post = (where, method = 'POST') =>
      ask(gate, 'ollama', where, { method, token, headers: { 'content-type': 'application/json' }, body: '{"model":"m"}' });
    assert.deepEqual((await ask(gate, 'ollama', '/api/tags', { token })).json, { models: [] });
    assert.equal((await post('/api/chat')).body, '{"done":true}\n');
    for (const where of ['/api/pull', '/api/push', '/api/create', '/api/copy', '/api/blobs/sha256:1']) {
      assert.equal((await post(where)).status, 404, where);
    }
    assert.equal((await post('/api/delete', 'DELETE')).status, 404);
  });
});

describe('ComfyUI', () => {
  const service = new WebSocketService(socketOf('comfyui'));
  let it_;

  before(async () => {
    service.behave({
      request: (peer, request) => {
        if (request.headers.some(([name, value]) => name === 'upgrade' && value === 'websocket')) peer.accept();
        else peer.respond('200 OK', '{"prompt_id":"1"}', 'application/json');
      },
    });
    await service.start();
    it_ = await gateOf('comfyui', 'comfyui');
  });
  after(() => stopAll(it_?.gate, service));

  it('a prompt is queued, its pictures come; the manager is closed', async () => {
    const { gate, token } = it_;
    const client = await Client.open(gate, 'comfyui', '/ws?clientId=0123-abc', { token });
    const peer = await until(() => service.last?.upgraded && service.last, 'the link');
    assert.match(peer.request.target, /^\/ws\?clientId=0123-abc$/);
    peer.sendFrame({ opcode: 2, payload: Buffer.from([0, 0, 0, 1, 255]) });
    assert.deepEqual(await client.next(), Buffer.from([0, 0, 0, 1, 255]));
    for (const where of ['/prompt', '/api/prompt']) {
      const queued = await ask(gate, 'comfyui', where, { method: 'POST', token, body: '{"prompt":{}}' });
      assert.equal(queued.json?.prompt_id, '1', where);
    }
    for (const where of ['/manager/queue/start', '/api/manager/queue/start', '/customnode/install', '/api/customnode/install']) {
      assert.equal((await ask(gate, 'comfyui', where, { token })).status, 404, where);
    }
    await client.close();
  });
});

// As it is shipped, but for where it listens and where the server and the project are.
describe('a server over its standard input and output', () => {
  it('reads the project for each client by a process of its own, and nothing else is asked of it', async () => {
    const folder = path.join(dir, 'project');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'a.txt'), 'some text');
    const { project } = JSON.parse(readFileSync(new URL('../../config/mcp-stdio.json', import.meta.url), 'utf8')).surfaces;
    const command = [NODE, module('@modelcontextprotocol/server-filesystem/dist/index.js'), folder];
    assert.deepEqual(project.upstream.command.map((word) => path.basename(word)), command.map((word) => path.basename(word)));
    const gate = await Gate.start(scratchDir(), {
      surfaces: { project: { ...project, listen: ['localhost:0'], upstream: { ...project.upstream, command } } },
    });
    try {
      const { token } = await gate.session('project');
      const clients = [await connect(gate, 'project', token), await connect(gate, 'project', token)];
      for (const session of clients) {
        assert.equal(await call(session, 'read_text_file', { path: path.join(folder, 'a.txt') }), 'some text');
        const { tools } = await session.client.listTools();
        assert.ok(tools.length > 3 && tools.every(({ name }) => /^(read_|list_|search_files|get_file_info)/.test(name)), JSON.stringify(tools));
      }
      assert.match(await gate.do('status'), /project: its service is ready, processes: 2,/);
      await assert.rejects(call(clients[0], 'write_file', { path: path.join(folder, 'b.txt'), content: 'x' }), { code: -31403 });
      for (const { client } of clients) await client.close();
    } finally {
      await stopAll(gate);
    }
  });
});
