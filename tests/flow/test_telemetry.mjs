// The telemetry page: what it says, to whom, and that clients feel nothing of who asks; scraped by a real Prometheus, by whose
// data every panel of the dashboard and every alert rule is asked.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { HttpService } from '../services/http_service.mjs';
import { Gate, opaqueSurface, run, scratchDir, surface } from './lib/gate.mjs';
import { until } from './lib/wait.mjs';

const CONTRIB = fileURLToPath(new URL('../../contrib/telemetry/', import.meta.url));
const dir = scratchDir();
const service = new HttpService(path.join(dir, 'http.sock'));
let gate;
let token;
let port;
const addressOf = async (of) => (await of.doJson('status')).telemetry;

// {status, headers, body} of one request; `to` is a port or the path of a socket.
function get(to, target, { method = 'GET', headers = {} } = {}) {
  const where = typeof to === 'number' ? { host: '127.0.0.1', port: to } : { socketPath: to };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...where, path: target, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, body });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

const client = (headers = {}) => get(gate.port('one'), '/echo', { headers: { authorization: `Bearer ${token}`, ...headers } });
const value = (text, name) => Number(new RegExp(`^${name.replace(/[{}"+.]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1]);

// What is counted by a worker is told once a second, and what was told is fresh for a while.
const untilMetric = (port, name, wanted) =>
  until(async () => value((await get(port, '/metrics')).body, name) === wanted, `${name} to be ${wanted}`);

before(async () => {
  await service.start();
  gate = await Gate.start(dir, {
    telemetry: { listen: 'localhost:0', hosts: ['gate.internal'] },
    workers: 2,
    surfaces: {
      one: surface(service.socketPath, { dialect: 'opaque', routes: [{ path: '/{any...}', kind: 'http', methods: ['GET'] }] }),
      absent: surface(path.join(dir, 'absent.sock'), { dialect: 'opaque', routes: [{ path: '/{any...}', kind: 'http', methods: ['GET'] }] }),
    },
  });
  ({ token } = await gate.session('one'));
  port = Number(/:(\d+)$/.exec((await addressOf(gate))[0])[1]);
});

after(async () => {
  await gate?.stop();
  await service.stop();
});

describe('the page', () => {
  it('listens on both loopback addresses and says what it counts', async () => {
    assert.deepEqual(await addressOf(gate), [`127.0.0.1:${port}`, `[::1]:${port}`]);
    assert.equal((await client()).status, 200);
    assert.equal((await client({ origin: 'http://evil.example' })).status, 403);
    await untilMetric(port, 'sidelock_requests_total{surface="one"}', 1);
    const { status, headers, body } = await get(port, '/metrics');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(value(body, 'sidelock_service_seconds_count{surface="one"}'), 1);
    assert.equal(value(body, 'sidelock_admission_seconds_count{surface="one"}'), 2);
    assert.equal(value(body, 'sidelock_denials_total{reason="origin_mismatch"}'), 1);
    assert.equal(value(body, 'sidelock_workers_up'), 2);
    assert.equal(value(body, 'sidelock_ready'), 1);
    for (const process of ['parent', 'broker', 'worker 0', 'worker 1'])
      assert.ok(value(body, `sidelock_process_resident_memory_bytes{process="${process}"}`) > 0, process);
    assert.equal(spawnSync('curl', ['-s', '--unix-socket', gate.controlSocket, 'http://localhost/v1/metrics'], { encoding: 'utf8' }).stdout.match(/^# TYPE/gm).length, body.match(/^# TYPE/gm).length);
  });

  it('shows no secret, no session and no path', async () => {
    const { id } = await gate.session('one');
    const { body } = await get(port, '/metrics');
    for (const secret of [token, id, dir]) assert.ok(!body.includes(secret));
  });

  it('is clean for promtool', async () => {
    const { body } = await get(port, '/metrics');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    assert.deepEqual([status, stdout + stderr], [0, '']);
  });

  it('is for no page in a browser, by whatever name it comes', async () => {
    const host = (name) => get(port, '/metrics', { headers: { host: name } });
    for (const name of ['evil.example', `evil.example:${port}`, `127.0.0.1.evil.example:${port}`]) assert.equal((await host(name)).status, 403);
    for (const name of ['localhost', `[::1]:${port}`, 'gate.internal', `gate.internal:${port}`]) assert.equal((await host(name)).status, 200);
    for (const headers of [{ origin: 'http://localhost:1' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])
      assert.equal((await get(port, '/metrics', { headers })).status, 403);
  });

  it('is read-only, and there is nothing else', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) assert.equal((await get(port, '/metrics', { method })).status, 405);
    for (const target of ['/', '/v1/status', '/v1/kill', '/metrics/', '/.sidelock/login']) assert.equal((await get(port, target)).status, 404);
    const { status, body, headers } = await get(port, '/metrics', { method: 'HEAD' });
    assert.deepEqual([status, body, Number(headers['content-length']) > 1000], [200, '', true]);
  });

  it('counts whom it refuses', async () => {
    const own = scratchDir();
    const other = await Gate.start(own, { telemetry: { listen: '127.0.0.1:0' }, surfaces: { one: opaqueSurface(service.socketPath) } });
    const there = Number(/:(\d+)$/.exec((await addressOf(other))[0])[1]);
    for (const [target, method, headers] of [['/', 'GET'], ['/metrics', 'POST'], ['/metrics', 'GET', { host: 'evil.example' }]])
      assert.ok((await get(there, target, { method, headers })).status >= 400);
    await untilMetric(there, 'sidelock_telemetry_refused_total', 3);
    await other.stop();
  });
});

describe('hostile bytes', () => {
  // What the gate says to these bytes until it closes.
  const say = (bytes) =>
    new Promise((resolve, reject) => {
      let text = '';
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.setEncoding('latin1');
      socket.on('data', (chunk) => (text += chunk));
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });

  for (const [name, bytes] of [
    ['no request', 'hello\r\n\r\n'],
    ['no HTTP/1.1', 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n'],
    ['a bare line feed', 'GET /metrics HTTP/1.1\nHost: localhost\n\n'],
    ['a folded line', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n a: b\r\n\r\n'],
    ['no Host', 'GET /metrics HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n'],
    ['a body', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nGET '],
    ['a head without an end', `GET /metrics HTTP/1.1\r\nHost: localhost\r\nA: ${'x'.repeat(9000)}`],
    ['an absolute target', 'GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a NUL', 'GET /metrics\0 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])
    it(`${name}: is refused, and nothing is told`, async () => {
      const answer = await say(bytes);
      assert.match(answer, /^HTTP\/1\.1 40[03] /);
      assert.ok(!answer.includes('sidelock_'));
    });

  it('has no more than its share of the worker, however many come', async () => {
    const idle = await Promise.all(
      Array.from({ length: 100 }, () => new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
        socket.on('error', () => {});
      })),
    );
    const ended = idle.map((socket) => new Promise((resolve) => socket.on('close', resolve).resume()));
    assert.equal((await client()).status, 200); // clients do not notice
    assert.equal((await get(port, '/healthz')).status, 200); // nor does who asks for something
    for (const socket of idle) socket.destroy();
    await Promise.all(ended);
    assert.deepEqual(gate.workers(), gate.firstWorkers);
  });
});

// As config/README.md has it for balancers.
describe('a balancer', () => {
  const ask = (...lines) =>
    new Promise((resolve, reject) => {
      let text = '';
      const socket = net.connect(port, '127.0.0.1', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
      socket.setEncoding('latin1').on('data', (chunk) => (text += chunk)).on('error', reject);
      socket.on('close', () => resolve(text.split('\r\n')[0]));
    });

  it('names HTTP/1.1 and Host, or is refused', async () => {
    assert.equal(await ask('GET /readyz HTTP/1.1', 'Host: localhost'), 'HTTP/1.1 200 OK');
    assert.equal(await ask('OPTIONS / HTTP/1.0'), 'HTTP/1.1 400 Bad Request');
    assert.equal(await ask('GET /readyz HTTP/1.1'), 'HTTP/1.1 403 Forbidden');
  });
});

describe('probes', () => {
  const ready = () => get(port, '/readyz');
  const untilReady = (status) => until(async () => (await ready()).status === status, `/readyz to say ${status}`);

  it('says that it serves', async () => {
    assert.deepEqual([(await ready()).body, (await get(port, '/healthz')).body], ['ok\n', 'ok\n']);
    assert.equal(await gate.do('health'), 'up, and serves\n');
    assert.deepEqual(await gate.doJson('health'), { ready: true, why: [] });
  });

  it('does not while every surface is killed, and lives', async () => {
    await gate.do('kill', 'one');
    assert.equal((await gate.doJson('health')).ready, true);
    await gate.do('kill', '--all');
    await untilReady(503);
    assert.equal((await ready()).body, 'not ready: every surface is killed\n');
    assert.equal((await get(port, '/healthz')).status, 200);
    assert.equal(await gate.do('health'), 'up, but does not serve: every surface is killed\n');
    assert.equal((await gate.cli('health', '--ready')).code, 1);
    await untilMetric(port, 'sidelock_ready', 0);
    await gate.do('arm', '--all');
    await untilReady(200);
    assert.equal((await gate.cli('health', '--ready')).code, 0);
    ({ token } = await gate.session('one'));
  });

  it('goes on with the worker that follows one that died', async () => {
    process.kill(gate.workers()[0], 'SIGKILL');
    await until(async () => {
      try {
        return value((await get(port, '/metrics')).body, 'sidelock_worker_restarts_total') >= 1;
      } catch {
        return false; // it was that worker's connection
      }
    }, 'the next worker to serve the page');
    await untilReady(200);
    gate.firstWorkers = gate.workers();
  });

  it('health: nobody answers', async () => {
    const { code, stderr } = await run(['health', '--control', path.join(dir, 'nothing.sock')]);
    assert.deepEqual([code, /not running/.test(stderr)], [69, true]);
  });
});

describe('elsewhere', () => {
  it('is on a socket, which a start after a crash takes again', async () => {
    const own = scratchDir();
    const socket = path.join(own, 'telemetry.sock');
    const other = await Gate.start(own, { telemetry: { listen: socket }, surfaces: { one: opaqueSurface(service.socketPath) } });
    assert.deepEqual(await addressOf(other), [socket]);
    assert.equal((await get(socket, '/readyz', { headers: { host: 'localhost' } })).body, 'ok\n');
    await other.crash();
    await other.launch();
    assert.equal((await get(socket, '/readyz', { headers: { host: 'localhost' } })).body, 'ok\n');
    other.configure({ ...other.config, telemetry: { listen: 'localhost:0' } });
    const { code, stderr } = await other.cli('reload');
    assert.notEqual(code, 0);
    assert.match(stderr, /telemetry.*changed/);
    await other.stop();
  });

  it('is nowhere unless it is asked for', async () => {
    const own = scratchDir();
    const other = await Gate.start(own, { surfaces: { one: opaqueSurface(service.socketPath) } });
    assert.deepEqual(await addressOf(other), []);
    assert.equal(await other.do('health'), 'up, and serves\n');
    await other.stop();
  });

  it('is not on a port that somebody else has', async () => {
    const own = scratchDir();
    const other = new Gate(own, { telemetry: { listen: `127.0.0.1:${port}` }, surfaces: { one: opaqueSurface(service.socketPath) } });
    const { code, stderr } = await run(['serve', '-c', other.configPath]);
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`telemetry: cannot listen on 127\\.0\\.0\\.1 port ${port}: Address already in use`));
  });
});

describe('prometheus', () => {
  let prometheus;
  let api;
  const rules = path.join(CONTRIB, 'alerts.yml');

  const ask = async (query) => JSON.parse((await get(api, `/api/v1/query?query=${encodeURIComponent(query)}`)).body);

  before(async () => {
    assert.equal(spawnSync('prometheus', ['--version']).status, 0, 'prometheus is missing: tests/run unpacks it');
    const own = scratchDir();
    mkdirSync(path.join(own, 'data'));
    const free = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    api = free.address().port;
    await new Promise((resolve) => free.close(resolve));
    writeFileSync(
      path.join(own, 'prometheus.yml'),
      `global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [${JSON.stringify(rules)}]\n` +
        `scrape_configs: [{job_name: sidelock, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
    );
    let said = '';
    prometheus = spawn('prometheus', [
      `--config.file=${own}/prometheus.yml`,
      `--storage.tsdb.path=${own}/data`,
      `--web.listen-address=127.0.0.1:${api}`,
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    prometheus.stderr.on('data', (chunk) => (said += chunk));
    await client();
    await client({ origin: 'http://evil.example' });
    await get(gate.port('absent'), '/', { headers: { authorization: `Bearer ${(await gate.session('absent')).token}` } });
    // Two scrapes, so that there are rates.
    await until(async () => {
      try {
        const { data } = await ask('count_over_time(sidelock_ready[1m])');
        return Number(data.result[0]?.value[1]) >= 3;
      } catch {
        return false;
      }
    }, () => `prometheus to scrape:\n${said}`);
  });

  after(async () => {
    if (!prometheus) return;
    const gone = new Promise((resolve) => prometheus.on('close', resolve));
    prometheus.kill('SIGTERM');
    await gone;
  });

  it('scrapes it', async () => {
    assert.equal((await ask('up{job="sidelock"}')).data.result[0].value[1], '1');
    assert.equal((await ask('sidelock_build_info')).data.result.length, 1);
  });

  it('has an answer for each panel of the dashboard', async () => {
    const dashboard = JSON.parse(readFileSync(path.join(CONTRIB, 'dashboard.json'), 'utf8'));
    const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr]));
    assert.ok(queries.length > 10);
    for (const [title, expr] of queries) {
      const { status, data, error } = await ask(expr.replaceAll('$__rate_interval', '1m'));
      assert.equal(status, 'success', `${title}: ${error}`);
      // Only what no surface here has, or what has not happened, may be empty.
      if (!/certificate|quota/.test(expr)) assert.ok(data.result.length > 0, `${title}: ${expr}`);
    }
  });

  it('names in them only what there is', async () => {
    const known = new Set([...(await get(port, '/metrics')).body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    for (const file of ['dashboard.json', 'alerts.yml'])
      for (const [name] of readFileSync(path.join(CONTRIB, file), 'utf8').matchAll(/sidelock_\w+/g))
        assert.ok(known.has(name.replace(/_(bucket|sum|count)$/, '')) || known.has(name), `${file}: ${name}`);
  });

  it('takes the alert rules, of which the one that has cause fires', async () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
    const tests = spawnSync('promtool', ['test', 'rules', path.join(CONTRIB, 'alerts_test.yml')], { encoding: 'utf8' });
    assert.equal(tests.status, 0, tests.stdout + tests.stderr);
    const loaded = JSON.parse((await get(api, '/api/v1/rules')).body).data.groups.flatMap((group) => group.rules);
    assert.ok(loaded.length > 5);
    const pending = async (name) => JSON.parse((await get(api, '/api/v1/alerts')).body).data.alerts.some(({ labels }) => labels.alertname === name);
    await until(() => pending('SidelockServiceUnreachable'), 'the alert for the surface whose service is absent');
  });
});
