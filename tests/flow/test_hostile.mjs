// Workers that were taken over: the broker judges again what it does on their word, does nothing
// for a connection that is not theirs, and ends whoever says what none of ours says. The program
// is tests/flow/hostile.c.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { RawHttpService } from '../services/raw_http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SIDELOCK, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { Raw, request, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const SECRET = 'not-for-workers';
const record = { command: '/bin/true', args: [], env: { SECRET } };

const dir = scratchDir();
const raw = new RawHttpService(path.join(dir, 'raw.sock'));
const echo = new WebSocketService(path.join(dir, 'echo.sock'));

before(() => Promise.all([raw.start(), echo.start()]));
after(() => Promise.all([raw.stop(), echo.stop()]));

function program(mode) {
  const copy = path.join(scratchDir(), `sidelock-hostile-${mode}`);
  copyFileSync(path.join(path.dirname(SIDELOCK), 'tests', 'sidelock_hostile'), copy);
  return copy;
}

async function launch(mode, config) {
  const gate = new Gate(scratchDir(), { executables: ['/bin/true'], ...config });
  await gate.launch({ command: program(mode) });
  return gate;
}

// A route on which the broker writes head and body itself.
const stored = (more = {}) =>
  surface(raw.socketPath, {
    dialect: 'opaque',
    routes: [
      {
        path: '/api/{id}',
        kind: 'http',
        methods: ['POST'],
        body: { member: 'server_params', from: '' },
        ...more,
      },
    ],
  });

function post(gate, name, token, port = gate.port(name)) {
  const body = JSON.stringify({ server_params: record });
  return requestText({
    method: 'POST',
    path: '/api/1',
    host: `localhost:${port}`,
    token,
    upgrade: false,
    headers: [['Content-Type', 'application/json'], ['Content-Length', String(body.length)]],
    body,
  });
}

describe('what the broker writes on a worker’s word', () => {
  it('an honest worker’s arrives', async () => {
    raw.forget();
    const gate = await launch('nothing', { surfaces: { stored: stored() } });
    await gate.putParams('record', record);
    const { token } = await gate.session('stored', '--params', 'record');
    const client = await Raw.connect(gate.port('stored'));
    client.send(post(gate, 'stored', token));
    const response = await client.response();
    assert.equal(response.status, 200, response.body);
    assert.match(raw.text, /^POST \/api\/1 HTTP\/1\.1\r\nHost: localhost:\d+\r\n/);
    assert.ok(raw.text.includes(SECRET));
    client.destroy();
    await gate.stop();
  });

  for (const mode of [
    'query',
    'path',
    'host',
    'fields_lf',
    'fields_length',
    'fields_chunked',
    'fields_host',
    'fields_hop',
  ]) {
    it(`finding 8: is judged again: ${mode}`, async () => {
      raw.forget();
      const gate = await launch(mode, {
        surfaces: { stored: stored(mode === 'host' ? { host: 'public' } : {}) },
      });
      await gate.putParams('record', record);
      const { token } = await gate.session('stored', '--params', 'record');
      const client = await Raw.connect(gate.port('stored'));
      client.send(post(gate, 'stored', token));
      await until(() => client.ended || client.pending.includes('\r\n\r\n'), 'an end');
      assert.equal(raw.text, '', 'the service was told what no honest worker says');
      const line = await gate.audited(0, { event: 'worker_refused' });
      assert.equal(line.reason, 'worker_protocol');
      assert.equal(line.worker, 0);
      await gate.audited(0, { event: 'worker_exited', signal: 9 });
      client.destroy();
      await until(() => gate.workers().length === 1, 'another worker');
      await gate.stop();
    });
  }
});

describe('what a worker owes after a reload', () => {
  it('situation 13: holds up no other reload by what it does not say', async () => {
    const config = (more) => ({
      executables: ['/bin/true'],
      surfaces: { echo: opaqueSurface(echo.socketPath, more) },
    });
    const gate = await launch('unswitched', config());
    const [worker] = gate.workers();
    gate.configure(config({ mode: 'observe' }));
    await gate.do('reload');
    assert.deepEqual(gate.workers(), [worker]);
    assert.match((await gate.cli('reload')).stderr, /another reload is under way/);
    await gate.audited(0, { event: 'worker_exited', signal: 9 }, 30_000);
    assert.match(gate.stderr, /does not take up what is new; ending it/);
    assert.match(await gate.do('reload'), /^No surface is other than before/);
    await until(() => gate.workers().length === 1, 'another worker');
    const { token } = await gate.session('echo');
    const client = await until(
      () => Client.open(gate, 'echo', '/ws', { token }).catch(() => undefined), 'a new worker');
    await client.close();
    await gate.stop();
  });
});

describe('who calls', () => {
  const callers = () =>
    opaqueSurface(echo.socketPath, { callers: { uids: [54321] } });

  it('finding 24: is not the worker’s word', async () => {
    const gate = await launch('uid', { surfaces: { echo: callers() } });
    const { token } = await gate.session('echo');
    const { raw: client, response } = await request(gate, 'echo', { token });
    assert.equal(response.status, 403, `the worker’s word counts: ${response.line}`);
    assert.equal(response.json.reason, 'caller_mismatch');
    assert.equal((await gate.audited(0, { event: 'denied' })).caller_uid, process.getuid());
    client.destroy();
    await gate.stop();
  });

  it('without the client’s socket nothing is granted', async () => {
    const gate = await launch('withhold', { surfaces: { echo: opaqueSurface(echo.socketPath) } });
    const { token } = await gate.session('echo');
    const client = await Raw.connect(gate.port('echo'));
    client.send(requestText({ host: `localhost:${gate.port('echo')}`, token }));
    await client.gone();
    assert.equal(client.pending.length, 0);
    const line = await gate.audited(0, { event: 'worker_refused' });
    assert.equal(line.reason, 'worker_protocol');
    assert.equal(gate.auditLines().some((one) => one.event === 'admitted'), false);
    await until(() => gate.workers().length === 1, 'another worker');
    await gate.stop();
  });
});

describe('a client that goes while the broker is asked', () => {
  it('costs no worker, and gets nothing', async () => {
    const gate = await launch('late', { surfaces: { echo: opaqueSurface(echo.socketPath) } });
    const { token } = await gate.session('echo');
    const workers = gate.workers();
    for (const end of ['end', 'resetAndDestroy']) {
      const mark = gate.mark();
      const client = await Raw.connect(gate.port('echo'));
      client.send(requestText({ host: `localhost:${gate.port('echo')}`, token }));
      await until(() => client.pending.includes('!'), 'the question');
      client.socket[end]();
      await gate.audited(mark, { event: /^(denied|admitted)$/ });
      await gate.untilIdle('echo');
      client.destroy();
    }
    assert.deepEqual(gate.workers(), workers);
    assert.equal(gate.auditLines().some((line) => line.event === 'worker_refused'), false);
    await gate.stop();
  });
});

describe('a client that says what is odd', () => {
  // fuzz.word looks for more of these.
  const odd = {
    'a GET with a body of no length': { method: 'GET', headers: [['Content-Length', '0']] },
    'a HEAD with a body of no length': { method: 'HEAD', headers: [['Content-Length', '0']] },
    'a login cookie that begins with a blank': { headers: [['Cookie', 'sidelock-odd= x']] },
  };

  it('costs no worker, and is answered', async () => {
    const routes = [{ path: '/echo', kind: 'http', query: { inject: { p: { from: '', encoding: 'json' } } } }];
    const service = await new HttpService(path.join(dir, 'odd.sock')).start();
    const gate = await Gate.start(scratchDir(), {
      executables: ['/bin/true'],
      surfaces: { odd: surface(service.socketPath, { dialect: 'opaque', routes }) },
    });
    const workers = gate.workers();
    await gate.putParams('kept', record);
    const { token } = await gate.session('odd', '--params', 'kept');
    for (const [what, options] of Object.entries(odd)) {
      const client = await Raw.connect(gate.port('odd'));
      client.send(requestText({ path: '/echo', host: `localhost:${gate.port('odd')}`, token, upgrade: false, ...options }));
      await until(() => client.ended || client.pending.includes('\r\n\r\n'), 'an answer');
      assert.match(String(client.pending), /^HTTP\/1\.1 [24]/, what);
      client.destroy();
    }
    assert.deepEqual(gate.workers(), workers);
    await stopAll(gate, service);
  });
});

describe('a connection of another worker', () => {
  it('finding 1: does not end because a worker says that it has', async () => {
    const gate = await launch('close', {
      workers: 2,
      surfaces: { echo: opaqueSurface(echo.socketPath) },
    });
    const { id, token } = await gate.session('echo');
    const [first, second] = gate.workers();
    // Whom the kernel gives a connection is whoever is awake.
    process.kill(first, 'SIGSTOP');
    const victim = await Client.open(gate, 'echo', '/ws', { token });
    process.kill(first, 'SIGCONT');
    process.kill(second, 'SIGSTOP');
    const attacker = await Raw.connect(gate.port('echo'));
    attacker.send(requestText({ path: '/attack', host: `localhost:${gate.port('echo')}`, token }));
    await until(() => attacker.ended || attacker.pending.includes('\r\n\r\n'), 'an end');
    process.kill(second, 'SIGCONT');
    assert.equal(await gate.connections('echo'), 1, 'the broker forgot a live connection');
    victim.send('still here');
    assert.equal(await victim.next(), 'still here');
    assert.equal(
      gate.auditLines().some((line) => line.event === 'closed'),
      false,
    );
    assert.equal((await gate.audited(0, { event: 'worker_refused' })).worker, 0);
    await gate.revoke(id);
    assert.equal((await victim.end()).code, 1008);
    attacker.destroy();
    await until(() => gate.workers().length === 2, 'another worker');
    await gate.stop();
  });
});

// Each word is a process of its own, so ordinarily one of them in 7 is said;
// SIDELOCK_STORM=1 says all.
describe('every message, every member of it, every moment', () => {
  const step = Number(process.env.SIDELOCK_STORM ?? 7);
  const numberIn = (file) => Number(/\d+/.exec(readFileSync(file, 'utf8'))[0]);

  it('ends the worker or does nothing; what is not its own goes on', async (t) => {
    const calm = new RawHttpService(path.join(dir, 'calm.sock'));
    await calm.start();
    raw.forget();
    const gate = new Gate(scratchDir(), {
      executables: ['/bin/true'],
      workers: 8,
      surfaces: {
        // One worker alone has it, because of its MCP, and that one is honest.
        calm: surface(calm.socketPath, {
          dialect: 'mcp',
          routes: [
            { path: '/mcp', kind: 'mcp-http' },
            { path: '/plain', kind: 'http', methods: ['GET'] },
          ],
        }),
        stored: stored(),
      },
    });
    const storm = program('storm');
    writeFileSync(`${storm}.turn`, `0 ${step}\n`);
    await gate.launch({ command: storm }).catch(() => {});
    const total = numberIn(`${storm}.total`);
    await gate.putParams('record', record);
    const victim = await gate.session('calm');
    const { id, token } = await gate.session('stored', '--params', 'record');
    const client = await Raw.connect(gate.port('calm'));
    const ask = async () => {
      client.send(requestText({ path: '/plain', host: `localhost:${gate.port('calm')}`, token: victim.token, upgrade: false }));
      const response = await client.response();
      assert.equal(response.status, 200, response.line);
      assert.equal(response.body, 'ok');
    };
    await ask();
    // Questions for those that have their moment when one is asked or granted.
    const done = { now: false };
    const askers = Array.from({ length: 8 }, async () => {
      while (!done.now) {
        const one = await Raw.connect(gate.port('stored'));
        one.send(post(gate, 'stored', token));
        await until(() => one.ended || one.pending.includes('\r\n\r\n'), 'an end');
        one.destroy();
      }
    });
    await until(async () => {
      await ask();
      return numberIn(`${storm}.turn`) >= total;
    }, () => `${total} words; so far ${numberIn(`${storm}.turn`)}`, 600_000);
    done.now = true;
    await Promise.all(askers);
    await ask();
    const lines = gate.auditLines();
    t.diagnostic(`${Math.ceil(total / step)} of ${total} words, ${lines.filter((line) => line.event === 'worker_refused').length} workers put down`);
    assert.ok(lines.some((line) => line.event === 'worker_refused' && line.reason === 'worker_protocol'));
    assert.equal(await gate.connections('calm'), 1);
    assert.deepEqual(lines.filter((line) => line.session === victim.id).map((line) => line.event), ['session_created', 'admitted']);
    for (const line of lines.filter(({ event }) => event === 'admitted')) {
      assert.ok([id, victim.id].includes(line.session));
    }
    // The stored record went where it belongs, as an honest worker asked for it.
    for (const head of raw.text.split('POST ').slice(1)) {
      assert.match(head, /^\/api\/1 HTTP\/1\.1\r\nHost: localhost:\d+\r\n/);
      assert.doesNotMatch(head, /X-Smuggled|X-From/);
    }
    client.destroy();
    await gate.stop();
    await calm.stop();
  });
});
