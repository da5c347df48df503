// `sidelock reload`: surfaces that come, change and go, while everybody else's connections go on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { PREPARED_ROUTE } from '../services/autogen_studio.mjs';
import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, surface } from './lib/gate.mjs';
import { EventStream, ask, keepAlive, start as startRequest } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import { call, post } from './lib/mcp_http.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { until, within } from './lib/wait.mjs';

const EVERYWHERE = { path: '/{any...}', kind: 'http', methods: ['GET', 'POST'] };

const httpSurface = (socket, more = {}) =>
  surface(socket, { dialect: 'opaque', routes: [EVERYWHERE], ...more });

// A gate with the surfaces that `make` returns, and the services behind them.
async function startAll(make, more = {}) {
  const dir = scratchDir();
  const echo = keep(new WebSocketService(path.join(dir, 'echo.sock')));
  const web = keep(new HttpService(path.join(dir, 'web.sock')));
  await Promise.all([echo.start(), web.start()]);
  const gate = keep(new Gate(dir, { surfaces: make(echo.socketPath, web.socketPath), ...more }));
  await gate.launch();
  return { dir, echo, web, gate, more };
}

// Writes the configuration and has it read: {added, changed, removed}.
async function reload(world, surfaces) {
  const { gate, more } = world;
  gate.configure({ surfaces, ...more });
  const { added, changed, removed } = await gate.doJson('reload');
  const status = await gate.doJson('status');
  gate.ready.surfaces = Object.fromEntries(status.surfaces.map(({ name, listen }) => [name, listen]));
  return { added, changed, removed };
}

async function lives(client, text) {
  client.send(text);
  assert.equal((await client.next()).toString(), text);
}

const CHANGED = { code: 1012, reason: 'surface_changed' };

const refusal = async (opening) => {
  try {
    await (await opening).close();
  } catch (error) {
    return error.reason ?? error.code;
  }
  return undefined;
};

describe('a surface that is new', () => {
  it('situation 13: is served once a reload has said so', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo) }));
    const { gate, echo } = world;
    const { one } = gate.config.surfaces;
    gate.configure({ surfaces: { one, two: opaqueSurface(echo.socketPath) } });
    await gate.do('reload');
    const { surfaces } = await gate.doJson('status');
    assert.deepEqual(surfaces.map(({ name }) => name), ['one', 'two']);
    gate.ready.surfaces.two = surfaces[1].listen;
    const { token } = await gate.session('two');
    const client = await Client.open(gate, 'two', '/ws', { token });
    await lives(client, 'hello');
    assert.match(await gate.do('register'), /two \(opaque\)/);
    assert.match(await gate.do('status'), /two/);
    await client.close();
  });

  it('situation 13: is served by every worker, also by one that is started after', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo) }), { workers: 2 });
    const { gate, echo } = world;
    const { one } = gate.config.surfaces;
    const said = await reload(world, { two: opaqueSurface(echo.socketPath), one });
    assert.deepEqual(said, { added: ['two'], changed: [], removed: [] });
    const { token } = await gate.session('two');
    for (const worker of gate.workers()) {
      const mark = gate.mark();
      process.kill(worker, 'SIGKILL');
      await gate.audited(mark, { event: 'worker_exited', signal: 9 });
      await until(() => gate.workers().length === 2, 'another worker');
    }
    const clients = [];
    for (let i = 0; i < 8; i++) {
      clients.push(await until(
        () => Client.open(gate, 'two', '/ws', { token }).catch(() => undefined), 'a new worker'));
    }
    for (const client of clients) await lives(client, 'hello');
    for (const client of clients) await client.close();
  });
});

describe('a surface that is gone', () => {
  it('situation 13: has no port, no sessions and no connections, and says why', async () => {
    const world = await startAll((echo, web) => ({
      one: opaqueSurface(echo),
      two: opaqueSurface(echo),
      web: httpSurface(web),
    }));
    const { gate, web } = world;
    const { one, two, web: webSurface } = gate.config.surfaces;
    const sessions = {};
    for (const name of ['one', 'two', 'web']) sessions[name] = await gate.session(name);
    const clients = {};
    for (const name of ['one', 'two'])
      clients[name] = await Client.open(gate, name, '/ws', { token: sessions[name].token });
    let held;
    web.routes['/held'] = (exchange) => (held = exchange);
    const waiting = ask(gate, 'web', '/held', { token: sessions.web.token });
    await until(() => held, 'the service to be asked');
    const ports = Object.fromEntries(['two', 'web'].map((name) => [name, gate.port(name)]));
    const mark = gate.mark();

    const said = await reload(world, { one });
    assert.deepEqual(said, { added: [], changed: [], removed: ['two', 'web'] });
    assert.deepEqual(await clients.two.end(), CHANGED);
    const answer = await waiting;
    assert.equal(answer.status, 503);
    assert.equal(answer.json.reason, 'surface_changed');
    for (const port of Object.values(ports)) {
      for (const host of ['127.0.0.1', '::1']) {
        const server = net.createServer().unref();
        await new Promise((resolve, reject) => server.on('error', reject).listen(port, host, resolve));
        await new Promise((resolve) => server.close(resolve));
      }
    }
    await gate.audited(mark, { event: 'reloaded', added: '', changed: '', removed: 'two, web' });
    await gate.audited(mark, { event: 'sessions_revoked', surface: 'two', count: 1 });
    await gate.audited(mark, { event: 'closed', surface: 'two', reason: 'surface_changed' });
    const { sessions: left } = await gate.doJson('session', 'list');
    assert.deepEqual(left.filter(({ state }) => state === 'active').map(({ surface }) => surface), ['one']);
    await lives(clients.one, 'still');

    await reload(world, { one, two, web: webSurface });
    const again = { ...gate.ready.surfaces };
    assert.ok(again.two.length > 0);
    assert.equal(await refusal(Client.open(gate, 'two', '/ws', { token: sessions.two.token })),
      'session_revoked');
    await lives(clients.one, 'still');
    await clients.one.close();
  });
});

describe('a surface that has changed', () => {
  // Sent on one connection that is kept: what a request meets is what is in force.
  it('situation 13: is another for the very next request, and sessions and ports stay', async () => {
    const world = await startAll((echo, web) => ({ web: httpSurface(web), one: opaqueSurface(echo) }));
    const { gate, dir } = world;
    const { web, one } = gate.config.surfaces;
    const { token } = await gate.session('web');
    const port = gate.port('web');
    const agent = keepAlive();
    const get = async (target) => {
      const { status, json } = await ask(gate, 'web', target, { token, agent });
      return json?.reason ?? status;
    };
    assert.equal(await get('/echo'), 200);
    const steps = [
      [{ ...web, routes: [{ ...EVERYWHERE, path: '/range' }] }, 'route_unknown'],
      [web, 200],
      [{ ...web, upstream: { socket: path.join(dir, 'nobody.sock') } }, 'upstream_unreachable'],
      [{ ...web, upstream: { ...web.upstream, owner: 'nobody' } }, 200],
      [{ ...web, callers: { uids: [process.getuid() + 1] } }, 'caller_mismatch'],
      [web, 200],
      [{ ...web, dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http' }] }, 'route_unknown'],
      [{ ...web, hosts: ['elsewhere.example'] }, 'host_mismatch'],
      [web, 200],
    ];
    for (const [other, expected] of steps) {
      const said = await reload(world, { web: other, one });
      assert.deepEqual(said, { added: [], changed: ['web'], removed: [] });
      assert.equal(await get('/echo').catch((error) => error.code), expected, JSON.stringify(other));
      assert.equal(gate.port('web'), port);
    }
    agent.destroy();
  });

  it('situation 13: tells its WebSockets, and its allow list counts for those that come', async () => {
    const allowing = (verbs) => ({ dialect: 'cdp', allow: { verbs } });
    const world = await startAll((echo) => ({ cdp: surface(echo, allowing(['Page.enable'])) }));
    const { gate, echo } = world;
    echo.handlers.message = (peer, data) =>
      peer.send(JSON.stringify({ id: JSON.parse(data).id, result: {} }));
    const { token } = await gate.session('cdp');
    const say = async (client) => {
      client.sendJson({ id: 1, method: 'Page.navigate', params: { url: 'https://example.org/' } });
      return (await client.nextJson()).error === undefined;
    };
    const before = await Client.open(gate, 'cdp', '/devtools/page/1', { token });
    assert.equal(await say(before), false);
    await reload(world, { cdp: surface(echo.socketPath, allowing(['Page.enable', 'Page.navigate'])) });
    assert.deepEqual(await before.end(), CHANGED);
    const after = await Client.open(gate, 'cdp', '/devtools/page/1', { token });
    assert.equal(await say(after), true);
    await after.close();
  });

  it('situation 13: speaks TLS, and plain again', async () => {
    const world = await startAll((echo, web) => ({ one: opaqueSurface(echo), web: httpSurface(web) }));
    const { gate, dir } = world;
    const { one, web } = gate.config.surfaces;
    const certs = path.join(dir, 'certs');
    await gate.do('certs', 'init', '--dir', certs);
    const tls = { certificate: path.join(certs, 'server.pem'), key: path.join(certs, 'server.key') };
    const ca = readFileSync(path.join(certs, 'ca.pem'));
    const { token } = await gate.session('one');
    const other = await gate.session('web');
    const plain = await Client.open(gate, 'one', '/ws', { token });
    await reload(world, { one: { ...one, tls }, web });
    assert.deepEqual(await plain.end(), CHANGED);
    const secured = await Client.open(gate, 'one', '/ws', { token, tls: { ca } });
    await lives(secured, 'secured');
    assert.equal((await ask(gate, 'web', '/echo', { token: other.token })).status, 200);
    await reload(world, { one: { ...one, tls }, web: { ...web, mode: 'observe' } });
    await lives(secured, 'still');
    await reload(world, { one, web });
    assert.deepEqual(await secured.end(), CHANGED);
    await (await Client.open(gate, 'one', '/ws', { token })).close();
  });

  it('stays killed, and counts on', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo) }));
    const { gate } = world;
    const { one } = gate.config.surfaces;
    const { token } = await gate.session('one');
    await (await Client.open(gate, 'one', '/ws', { token })).close();
    await gate.do('kill', 'one');
    await reload(world, { one: { ...one, mode: 'observe' } });
    assert.equal(await refusal(Client.open(gate, 'one', '/ws', { token })), 'surface_killed');
    await gate.do('arm', 'one');
    await (await Client.open(gate, 'one', '/ws', { token: (await gate.session('one')).token })).close();
    const [row] = (await gate.doJson('status')).surfaces;
    assert.deepEqual([row.admitted, row.denied, row.killed], [2, 1, false]);
  });

  it('situation 13: hands its address to another, and takes what is free', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo), two: opaqueSurface(echo) }));
    const { gate, echo } = world;
    const port = gate.port('one');
    const { two } = gate.config.surfaces;
    const at = (listen) => opaqueSurface(echo.socketPath, { listen });
    // From here on the addresses are written: first as they are, then at another surface.
    await reload(world, { one: at([`localhost:${port}`]), two });
    assert.equal(gate.port('one'), port);
    const said = await reload(world, { three: at([`127.0.0.1:${port}`, `[::1]:${port}`]), two });
    assert.deepEqual(said, { added: ['three'], changed: [], removed: ['one'] });
    const { token } = await gate.session('three');
    await (await Client.open(gate, 'three', '/ws', { token })).close();
    await reload(world, { three: at([`127.0.0.1:${port}`]), two });
    assert.deepEqual(gate.addresses('three'), [`127.0.0.1:${port}`]);
    await assert.rejects(Client.open(gate, 'three', '/ws', { token, address: '[::1]' }), /ECONNREFUSED/);
    await reload(world, { three: at([`localhost:${port}`]), two });
    await (await Client.open(gate, 'three', '/ws', { token, address: '[::1]' })).close();
  });
});

describe('what stays as it is', () => {
  it('situation 13: is untouched while others change twenty times', async () => {
    const world = await startAll((echo, web) => ({
      one: opaqueSurface(echo),
      web: httpSurface(web),
      other: opaqueSurface(echo),
    }));
    const { gate, web } = world;
    const { one, web: webSurface, other } = gate.config.surfaces;
    const socket = await gate.session('one');
    const http = await gate.session('web');
    const last = await gate.session('other');
    const client = await Client.open(gate, 'one', '/ws', { token: socket.token });
    let events;
    web.routes['/events'] = (exchange) => {
      events = exchange.socket;
      events.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n');
    };
    const stream = await EventStream.open(gate, 'web', '/events', { token: http.token });
    await stream.has('first');
    const agent = keepAlive();
    const clientPorts = new Set();
    const mark = gate.mark();
    for (let i = 0; i < 20; i++) {
      const more = i % 3 === 2 ? {} : { other: { ...other, limits: { max_connections: 600 + i } } };
      await reload(world, { one, ...more, web: webSurface });
      const response = await startRequest(gate, 'web', '/echo', { token: http.token, agent });
      clientPorts.add(response.socket.localPort);
      response.resume();
      await until(() => response.complete, 'an answer');
      assert.equal(response.statusCode, 200);
      await lives(client, `still ${i}`);
      events.write(`data: event ${i}\n\n`);
      await stream.has(`event ${i}\n`);
    }
    assert.equal(clientPorts.size, 1, 'one connection carried all requests');
    assert.equal(gate.auditLines().slice(mark).filter(({ event }) => event === 'closed').length, 0);
    const { sessions } = await gate.doJson('session', 'list');
    const states = Object.fromEntries(sessions.map(({ id, state }) => [id, state]));
    assert.deepEqual([socket, http, last].map(({ id }) => states[id]), ['active', 'active', 'revoked']);
    stream.close();
    agent.destroy();
    await client.close();
  });

  // What MCP over HTTP keeps is one worker's; the other has nothing of it, and says so.
  it('situation 13: keeps its MCP sessions, whichever worker has them', async () => {
    const mcp = (socket, more = {}) =>
      surface(socket, { dialect: 'mcp', routes: [{ path: '/mcp', kind: 'mcp-http' }], ...more });
    const world = await startAll((echo, web) => ({ one: mcp(web), two: mcp(web) }), { workers: 2 });
    const { gate, web } = world;
    const workers = gate.workers();
    const { one, two } = gate.config.surfaces;
    let opened = 0;
    web.routes['/mcp'] = async (exchange) => {
      await exchange.whole;
      if (exchange.header('mcp-session-id'))
        return exchange.json({ jsonrpc: '2.0', id: 2, result: { tools: [] } });
      const result = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 's', version: '1' } };
      return exchange.json({ jsonrpc: '2.0', id: 1, result }, [['Mcp-Session-Id', `session-${opened++}`]]);
    };
    const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } };
    const sessions = {};
    for (const name of ['one', 'two']) {
      const { token } = await gate.session(name);
      const { headers } = await post(gate, name, call(1, 'initialize', hello), { token });
      sessions[name] = { token, session: headers['mcp-session-id'], version: '2025-06-18' };
    }
    const list = async (name) => (await post(gate, name, call(2, 'tools/list'), sessions[name])).status;
    for (let i = 0; i < 4; i++) {
      await reload(world, { one, two: { ...two, limits: { max_connections: 100 + i } } });
      assert.deepEqual([await list('one'), await list('two')], [200, 404]);
    }
    assert.deepEqual(gate.workers(), workers);
  });

  // More changes than there are slots: what has left is used again.
  it('situation 13: is not used up, and nothing is left of what was', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo), two: opaqueSurface(echo) }));
    const { gate } = world;
    const { one, two } = gate.config.surfaces;
    const { token } = await gate.session('two');
    const client = await Client.open(gate, 'one', '/ws', { token: (await gate.session('one')).token });
    const target = (pid, fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return undefined; // closed meanwhile
      }
    };
    const descriptors = () =>
      [gate.pid, gate.broker].flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => target(pid, fd)))
        .filter((what) => what && !/memfd/.test(what)).length;
    const standard = readlinkSync(`/proc/${gate.broker}/fd/0`);
    let before;
    for (let i = 0; i < 140; i++) {
      if (i === 4) before = descriptors();
      const known = { one, two: { ...two, limits: { max_connections: 100 + i } } };
      gate.configure({ surfaces: known });
      await gate.do('reload');
    }
    // One of them may be the connection that asked last.
    await until(() => descriptors() <= before, () => `${before} descriptors; there are ${descriptors()}`);
    assert.equal(readlinkSync(`/proc/${gate.broker}/fd/0`), standard);
    await (await Client.open(gate, 'two', '/ws', { token })).close();
    await lives(client, 'still');
    await client.close();
  });

  it('loses no request of two hundred that are under way in two workers', async () => {
    const world = await startAll(
      (echo, web) => ({ web: httpSurface(web), other: opaqueSurface(echo) }), { workers: 2 });
    const { gate, web } = world;
    const { web: webSurface, other } = gate.config.surfaces;
    const { token } = await gate.session('web');
    const held = [];
    web.routes['/held'] = (exchange) => held.push(exchange);
    const answers = Array.from({ length: 200 }, () => ask(gate, 'web', '/held', { token, timeoutMs: 60_000 }));
    await until(() => held.length === 200, () => `200 requests; ${held.length} came`, 60_000);
    for (let i = 0; i < 5; i++)
      await reload(world, { web: webSurface, other: { ...other, limits: { max_connections: 600 + i } } });
    for (const exchange of held) exchange.respond(200, [['Content-Type', 'text/plain']], 'kept');
    for (const answer of await Promise.all(answers)) {
      assert.equal(answer.status, 200);
      assert.equal(answer.body, 'kept');
    }
  });
});

describe('a file that is not fit', () => {
  it('situation 13: changes nothing, and each fault is named', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo) }));
    const { gate, echo, dir } = world;
    const { one } = gate.config.surfaces;
    const { token } = await gate.session('one');
    const client = await Client.open(gate, 'one', '/ws', { token });
    const holder = net.createServer().unref();
    await new Promise((resolve) => holder.listen(0, '::1', resolve));
    const taken = `localhost:${holder.address().port}`;
    const pack = path.join(dir, 'own.json');
    writeFileSync(pack, '{"name": "own"');
    await gate.do('certs', 'init', '--dir', path.join(dir, 'certs'));
    const tls = {
      certificate: path.join(dir, 'certs/server.pem'),
      key: path.join(dir, 'certs/server.key'),
    };
    chmodSync(tls.key, 0o644);
    const at = (more) => opaqueSurface(echo.socketPath, more);
    const faulty = [
      [{ one, two: at({ listen: [taken, 'localhost:0', taken.replace('localhost', '[::1]')] }) }, [/two\/listen\/2/]],
      [{ one, two: at({ listen: [taken] }), three: at({ listen: ['localhost:0'] }) },
        [/\/surfaces\/two\/listen\/0: cannot listen on ::1 port \d+: Address already in use; it is held by uid/]],
      [{ one: { ...one, listen: [taken] } }, [/\/surfaces\/one\/listen\/0: cannot listen/]],
      [{ one: { ...one, dialect: './own.json' } }, [/own\.json/]],
      [{ one: { ...one, tls } }, [/\/surfaces\/one\/tls\/key: .*open to others/]],
      [{ one: { ...one, mode: 'no' }, two: at({ dialect: 'no' }) }, [/one\/mode/, /two\/dialect/]],
      // The kernel chose its port: no file shows that it is taken, by one that stays or that has changed.
      [{ one, two: at({ listen: [`127.0.0.1:${gate.port('one')}`] }) }, [/two\/listen\/0: .*already in use/i]],
      [{ two: at({ listen: [`[::1]:${gate.port('one')}`] }), one: { ...one, mode: 'observe' } },
        [/two\/listen\/0: .*already in use/i]],
      [{ one, two: at({ limits: { max_message_bytes: 64 * 1024 * 1024 } }) }, [/\/worker_memory_bytes: .*restart it/]],
      [{ one, two: at({ limits: { max_connections: 60_000 } }) }, [/\/surfaces\/two\/limits\/max_connections: .*room for \d+.*restart it/]],
    ];
    const mark = gate.mark();
    for (const [surfaces, words] of faulty) {
      gate.configure({ surfaces });
      const { code, stderr } = await gate.cli('reload', '--control', gate.controlSocket);
      assert.equal(code, 78, stderr);
      assert.equal(stderr.trim().split('\n').length, words.length, stderr);
      for (const word of words) assert.match(stderr, word);
      await lives(client, 'still');
      const status = await gate.doJson('status', '--control', gate.controlSocket);
      assert.deepEqual(status.surfaces.map(({ name, listen }) => [name, listen]),
        [['one', gate.ready.surfaces.one]]);
    }
    assert.equal(gate.auditLines().slice(mark).filter(({ event }) => event === 'reloaded').length, 0);
    await (await Client.open(gate, 'one', '/ws', { token })).close();
    holder.close();
    rmSync(pack);
    assert.deepEqual(await reload(world, { one }), { added: [], changed: [], removed: [] });
    await lives(client, 'still');
    await client.close();
  });
});

describe('a reload', () => {
  it('situation 13: says what is other, to people, too', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo), two: opaqueSurface(echo) }));
    const { gate } = world;
    const { one, two } = gate.config.surfaces;
    gate.configure({ surfaces: { three: one, two: { ...two, mode: 'observe' } } });
    const mark = gate.mark();
    const text = await gate.do('reload');
    assert.match(text, /^added: three$/m);
    assert.match(text, /^changed: two$/m);
    assert.match(text, /^removed: one$/m);
    await gate.audited(mark, { event: 'reloaded', added: 'three', changed: 'two', removed: 'one' });
    assert.match(await gate.do('reload'), /^No surface is other than before\.$/m);
    const names = Array.from({ length: 30 }, (_, i) => `more${i}`);
    const again = gate.mark();
    await reload(world, Object.fromEntries(names.map((name) => [name, one])));
    const lines = gate.auditLines().slice(again).filter(({ event }) => event === 'reloaded');
    assert.deepEqual(lines.flatMap(({ added }) => added.split(', ')), names, 'each of many is named');
    assert.deepEqual(lines.map(({ removed }) => removed), ['three, two', '', '']);
  });

  it('situation 13: is answered while a worker takes nothing, which cannot let anybody in by what was', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo) }));
    const { gate } = world;
    const { one } = gate.config.surfaces;
    const { token } = await gate.session('one');
    const [worker] = gate.workers();
    process.kill(worker, 'SIGSTOP');
    let denied;
    try {
      denied = refusal(Client.open(gate, 'one', '/ws', { token }));
      await reload(world, { one: { ...one, callers: { uids: [process.getuid() + 1] } } });
      const { code, stderr } = await gate.cli('reload');
      assert.notEqual(code, 0);
      assert.match(stderr, /another reload is under way/);
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    // It came before, and is judged by what is in force, whichever the worker reads first.
    assert.match(await denied, /^(surface_changed|caller_mismatch)$/);
    await until(async () => (await gate.cli('reload')).code === 0, 'the worker to follow');
    await reload(world, { one });
    await (await Client.open(gate, 'one', '/ws', { token })).close();
    assert.deepEqual(gate.workers(), [worker]);
  });

  it('situation 13: ends no worker by an answer that comes when client and surface have gone', async () => {
    const dir = scratchDir();
    const asked = new Promise((resolve) => {
      const service = net.createServer((socket) => socket.once('data', () => resolve(socket))).unref();
      service.listen(path.join(dir, 'slow.sock'));
    });
    const executables = ['/bin/true'];
    const world = await startAll((echo) => ({
      slow: surface(path.join(dir, 'slow.sock'), { dialect: 'autogen-studio', routes: [PREPARED_ROUTE] }),
      one: opaqueSurface(echo),
    }), { executables });
    const { gate } = world;
    const workers = gate.workers();
    const { slow, one } = gate.config.surfaces;
    await gate.putParams('everything', { type: 'StdioServerParams', command: '/bin/true', args: [] });
    const { token } = await gate.session('slow', '--params', 'everything');
    const live = await Client.open(gate, 'one', '/ws', { token: (await gate.session('one')).token });
    const client = await Raw.connect(gate.port('slow'));
    client.send(requestText({ path: PREPARED_ROUTE.path, host: `localhost:${gate.port('slow')}`, token }));
    const service = await within(asked, 'the service to be asked');
    client.destroy();
    const mark = gate.mark();
    await reload(world, { slow: { ...slow, mode: 'observe' }, one });
    await setTimeout(500); // nothing is left of it in the worker, which looks ten times a second
    service.end('HTTP/1.0 500 Internal Server Error\r\n\r\n');
    await gate.audited(mark, { event: 'denied', surface: 'slow' });
    await lives(live, 'still');
    await live.close();
    assert.deepEqual(gate.workers(), workers);
  });

  it('situation 13: ends well where the store does not say whether what is new is killed', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo) }));
    const { gate, echo } = world;
    const { one } = gate.config.surfaces;
    const database = path.join(gate.stateDir, 'sidelock.db');
    const change = (sql) => execFileSync('python3', ['-c',
      'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])', database, sql]);
    change('ALTER TABLE surfaces RENAME TO gone');
    gate.configure({ surfaces: { two: opaqueSurface(echo.socketPath), one: { ...one, mode: 'observe' } } });
    const { code, stderr } = await gate.cli('reload');
    assert.equal(code, 70, stderr);
    assert.match(stderr, /cannot be put in force/);
    change('ALTER TABLE gone RENAME TO surfaces');
    await gate.do('reload');
    const { token } = await gate.session('two');
    gate.ready.surfaces.two = (await gate.doJson('status')).surfaces[0].listen;
    await (await Client.open(gate, 'two', '/ws', { token })).close();
  });

  it('situation 13: outlives workers that are killed meanwhile', async () => {
    const world = await startAll((echo) => ({ one: opaqueSurface(echo), two: opaqueSurface(echo) }),
      { workers: 2 });
    const { gate } = world;
    const { one, two } = gate.config.surfaces;
    for (let i = 0; i < 4; i++) {
      const workers = await until(() => gate.workers().length === 2 && gate.workers(), 'two workers');
      process.kill(workers[0], 'SIGSTOP');
      const other = i % 2 === 0 ? { two: { ...two, limits: { max_connections: 100 + i } } } : {};
      const done = reload(world, { one, ...other });
      await until(() => /"event":"reloaded"/.test(readFileSync(gate.auditPath, 'utf8')), 'the switch');
      process.kill(workers[0], 'SIGKILL');
      await done;
      assert.deepEqual((await gate.doJson('status')).surfaces.map(({ name }) => name),
        ['one', ...Object.keys(other)]);
    }
    const { token } = await gate.session('one');
    const client = await until(
      () => Client.open(gate, 'one', '/ws', { token }).catch(() => undefined), 'a worker');
    await lives(client, 'hello');
    await client.close();
  });
});
