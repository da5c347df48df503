// How services that the gate starts itself are tended: started again when an operator says so, and each start
// and end in the audit log.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { Client } from './lib/client.mjs';
import { scratchDir } from './lib/gate.mjs';
import { keep } from './lib/kept.mjs';
import { GATE_MS, alive, get, launched, startLaunched as start, stateOf, treeOf, untilState } from './lib/launched.mjs';
import { ask } from './lib/http.mjs';
import { LANDLOCK } from './lib/landlock.mjs';
import { serviceFile } from './lib/programs.mjs';
import { freePort } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const python = (port, more) => launched(['python3', serviceFile('launched.py'), port], more);
const eventsOf = (gate, name) =>
  gate.auditLines().filter((line) => line.event.startsWith('service_') && line.surface === name);

describe('the audit log', () => {
  it('has each start of a service, and each end with its status', async () => {
    const gate = await start({ one: python(await freePort()) });
    const first = await untilState(gate, 'one', 'ready');
    await get(gate, 'one', '/exit?7').catch(() => {});
    await gate.audited(0, { event: 'service_ended', surface: 'one', pid: first.pid, cause: 'ended', exit_code: 7 });
    const { pid } = await until(async () => {
      const now = await stateOf(gate, 'one');
      return now.state === 'ready' && now.pid !== first.pid && now;
    }, 'the next one');
    process.kill(treeOf(pid).at(-1), 'SIGKILL');
    await gate.audited(0, { event: 'service_ended', pid, signal: 9 });
    const began = eventsOf(gate, 'one').filter((line) => line.event === 'service_started').map((line) => line.pid);
    assert.deepEqual(began.slice(0, 2), [first.pid, pid]);
    const ready = eventsOf(gate, 'one').find((line) => line.event === 'service_ready');
    assert.equal(ready.pid, first.pid);
  });

  it('has that one cannot be started, and why', async () => {
    const gate = await start({ one: launched(['/bin/sh', '-c', 'exit 3']) });
    await gate.audited(0, { event: 'service_ended', surface: 'one', exit_code: 3, reason: 'upstream_unreachable' });
  });
});

describe('the fences of what launches services', () => {
  // What the kernel says of the process itself, to us.
  const kernelSays = (pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const line = (name) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1];
    return { parent: Number(line('PPid')), privileges: line('NoNewPrivs') === '1', filters: Number(line('Seccomp_filters')) };
  };

  it('are shown, as the kernel has them, again of the launcher that follows', async () => {
    const gate = await start({ one: python(await freePort()) });
    let before = 0;
    for (let round = 0; round < 2; round++) {
      const { fences } = await until(async () => {
        const now = await gate.doJson('status');
        return now.fences.some((row) => row.process === 'launcher' && row.pid !== before) && now;
      }, 'what the launcher found out');
      const [starter, launcher] = ['starter', 'launcher'].map((name) => fences.find((row) => row.process === name));
      const own = kernelSays(starter.pid);
      const [kernel, missing] = [kernelSays(launcher.pid), [[], []]];
      assert.deepEqual([kernel.parent, own.parent], [starter.pid, gate.pid]);
      assert.deepEqual([starter.held, starter.missing, starter.unknown], [['privileges'], ...missing]);
      assert.deepEqual([launcher.held, launcher.missing, launcher.unknown], [['privileges', 'calls', 'dumps'], ...missing]);
      assert.deepEqual([kernel.filters, launcher.seccomp_filters], [own.filters + 2, own.filters + 2], 'two of its own: no rings, and its calls');
      before = launcher.pid;
      process.kill(before, 'SIGKILL');
    }
  });

  // Nor is it the keeper's row: of the program the kernel says what it has.
  it('a service has a row of its own, as long as it runs', async () => {
    const require = ['execute', 'calls', 'abstract_sockets', ...(LANDLOCK >= 6 ? ['tcp_bind', 'signals'] : [])];
    const gate = await start({ one: python(await freePort(), { upstream: { require } }), free: python(await freePort(), { upstream: { executables: 'any' } }) });
    const { pid } = await untilState(gate, 'one', 'ready');
    const rowOf = (name) => until(async () => (await gate.doJson('status')).fences.find((row) => row.process === `service ${name}`), `a row of ${name}`);
    const [row, free] = [await rowOf('one'), await rowOf('free')];
    const landlock = Object.entries({ abstract_sockets: 0, signals: 6, tcp_bind: 4 });
    for (const { held, missing, unknown } of [row, free]) {
      assert.deepEqual([missing, unknown], [landlock.filter(([, since]) => since > LANDLOCK).map(([fence]) => fence), []]);
      for (const fence of ['privileges', 'calls', ...landlock.filter(([, since]) => since <= LANDLOCK).map(([name]) => name)]) assert.ok(held.includes(fence), fence);
    }
    assert.deepEqual([row.held.includes('execute'), free.held.includes('execute'), row.pid, row.landlock], [true, false, pid, LANDLOCK]);
    assert.match((await gate.cli('status')).stdout, new RegExp(`^service one +${pid} +${LANDLOCK} +none +none +.*execute`, 'm'));
    await gate.cli('kill', 'one');
    assert.equal((await gate.doJson('status')).fences.some(({ process: name }) => name === 'service one'), false);
  });

  it('are no row where nothing is launched', async () => {
    const gate = await start({}, { echoes: true });
    const { fences } = await gate.doJson('status');
    assert.deepEqual(fences.map((row) => row.process), ['parent', 'broker', 'worker 0']);
  });
});

describe('that a service is behind the gate alone', () => {
  const isolation = async (gate, ...options) =>
    (await gate.doJson('register', ...options)).rows.find((row) => JSON.stringify(row).includes('one')).isolation_boundary;

  async function occupy(port) {
    const stranger = net.createServer();
    keep({ stop: () => new Promise((resolve) => (stranger.listening ? stranger.close(resolve) : resolve())) });
    await new Promise((resolve) => stranger.listen(port, '127.0.0.1', resolve));
    return stranger;
  }

  it('is proven on demand, and the register says when', async () => {
    const gate = await start({ one: python(await freePort()) });
    const { proven } = await untilState(gate, 'one', 'ready');
    const told = await isolation(gate, '--prove');
    assert.equal(told.evidence, 'proven');
    const now = (await stateOf(gate, 'one')).proven;
    assert.ok(now >= proven, `${now} after ${proven}`);
    assert.ok(told.value.includes(`; proven at ${now}`), told.value);
    assert.equal((await stateOf(gate, 'one')).restarts, 0);
  });

  it('is found out to be untrue when somebody takes its port on this host: it is served no longer', async () => {
    for (const options of [['--prove'], undefined]) { // asked for, and by itself
      const port = await freePort();
      const gate = await start({ one: python(port) });
      await untilState(gate, 'one', 'ready');
      const stranger = await occupy(port);
      if (options) assert.equal((await isolation(gate, ...options)).evidence, 'claimed');
      const line = await gate.audited(0, { event: 'service_exposed', surface: 'one', cause: 'exposed' }, GATE_MS);
      assert.match(line.why, new RegExp(`127\\.0\\.0\\.1:${port}.* past the gate`));
      await new Promise((resolve) => stranger.close(resolve));
      await untilState(gate, 'one', 'ready');
    }
  });

  it('is found out to be untrue when one of its processes has a listener of this host', async () => {
    const gate = await start({ one: python(await freePort()) });
    const given = path.join(scratchDir(), 'given.sock');
    const giver = spawn('python3', [serviceFile('listener_giver.py'), given], { stdio: ['ignore', 'pipe', 'inherit'] });
    keep({ stop: () => giver.kill() });
    const [port] = await once(giver.stdout, 'data');
    await get(gate, 'one', `/receive?${given}`);
    assert.equal((await isolation(gate, '--prove')).evidence, 'claimed');
    const line = await gate.audited(0, { event: 'service_exposed', surface: 'one' });
    assert.match(line.why, new RegExp(`its process \\d+ has a listener at 127\\.0\\.0\\.1:${Number(port)} `));
    await until(async () => (await stateOf(gate, 'one')).restarts > 0, 'another one', GATE_MS);
    await untilState(gate, 'one', 'ready');
  });
});

// One that is in a message which nobody receives is in no process.
const HIDE = `import signal, socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
ends = socket.socketpair()
socket.send_fds(ends[0], [b"x"], [listener.fileno()])
listener.close()
print("hidden", flush=True)
signal.pause()`;

describe('a listener of this host that is no process\'s', () => {
  const all = process.getuid() === 0 && readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]';

  async function hide() {
    const hider = spawn('python3', ['-c', HIDE], { stdio: ['ignore', 'pipe', 'inherit'] });
    keep({ stop: () => hider.kill('SIGKILL') });
    let said = '';
    hider.stdout.on('data', (chunk) => (said += chunk));
    await until(() => said.includes('hidden'), 'a listener');
    return { hider, port: Number.parseInt(said, 10) };
  }

  it('was there before the service: nothing is said of it', async () => {
    await hide();
    const gate = await start({ one: python(await freePort()) });
    const { sight } = await untilState(gate, 'one', 'ready');
    assert.equal(sight, all ? 'host' : sight);
    await gate.do('register', '--prove');
    assert.equal((await stateOf(gate, 'one')).restarts, 0);
  });

  it('comes after it, of the same user: a failure, where everybody can be looked into; else so much is not claimed', async () => {
    const gate = await start({ one: python(await freePort()) });
    await untilState(gate, 'one', 'ready');
    const { hider, port } = await hide();
    const told = JSON.stringify(await gate.doJson('register', '--prove'));
    if (!all) {
      assert.notEqual((await stateOf(gate, 'one')).sight, 'host');
      assert.match(told, /is not known; UDP|which not all may; UDP/);
      return;
    }
    const line = await gate.audited(0, { event: 'service_exposed', surface: 'one' });
    assert.match(line.why, new RegExp(`a listener of uid 0 at 127\\.0\\.0\\.1:${port} on this host came after the service and is no process's`));
    hider.kill('SIGKILL');
    await untilState(gate, 'one', 'ready');
    assert.match(JSON.stringify(await gate.doJson('register', '--prove')), /those of its user that came after it are other processes'/);
  });
});

describe('sidelock restart', () => {
  it('is told when the next one is served; other surfaces\' connections live', async () => {
    const gate = await start({ one: python(await freePort()), two: python(await freePort()) }, { echoes: true });
    const { token } = await gate.session('echo');
    const client = await Client.open(gate, 'echo', '/ws', { token });
    const [before, other] = [await untilState(gate, 'one', 'ready'), await untilState(gate, 'two', 'ready')];
    await get(gate, 'one', '/stay');
    const tree = treeOf(before.pid);
    const mark = gate.auditLines().length;
    const said = await gate.do('restart', 'one');
    assert.deepEqual(alive(tree), [], 'nothing of the one before is left');
    const { state, pid, restarts } = await stateOf(gate, 'one');
    assert.deepEqual([state, restarts], ['ready', 1]);
    assert.match(said, new RegExp(`^one is served by a new process, pid ${pid}\\.$`, 'm'));
    assert.notEqual(pid, before.pid);
    assert.equal((await stateOf(gate, 'two')).pid, other.pid);
    client.send('still there');
    assert.equal((await client.next()).toString(), 'still there');
    const events = eventsOf(gate, 'one').filter((line) => line.seq > mark).map((line) => line.event);
    assert.deepEqual(events, ['service_restart', 'service_ended', 'service_started', 'service_ready']);
    assert.equal(eventsOf(gate, 'one').find((line) => line.event === 'service_restart').operator_uid, process.getuid());
    await client.close();
  });

  it('loses nobody who comes meanwhile', async () => {
    const gate = await start({ one: python(await freePort()) });
    const { token } = await gate.session('one');
    const before = await untilState(gate, 'one', 'ready');
    const restart = gate.do('restart', 'one');
    await gate.audited(0, { event: 'service_restart' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gate, 'one', '/facts', { token, timeoutMs: 2 * GATE_MS })));
    await restart;
    for (const answer of answers) assert.equal(answer.status, 200);
    assert.notEqual((await stateOf(gate, 'one')).pid, before.pid);
  });

  it('is shown to be ending as long as it takes its time', async () => {
    const port = await freePort();
    const gate = await start({ one: launched(['python3', '-c', `import http.server, signal; signal.signal(15, signal.SIG_IGN); http.server.test(port=${port}, bind="127.0.0.1")`]) });
    await untilState(gate, 'one', 'ready');
    const restart = gate.cli('restart', 'one');
    await untilState(gate, 'one', 'ending');
    await gate.do('kill', 'one'); // which waits for nothing
    await restart;
    await untilState(gate, 'one', 'gone');
  });

  it('is shown to be ending, too, where it was not ready yet', async () => {
    const gate = await start({ one: launched(['python3', '-c', 'import signal; signal.signal(15, signal.SIG_IGN); print("is deaf", flush=True); signal.pause()']) });
    await until(() => gate.stderr.includes('one: is deaf'), 'the service');
    const restart = gate.cli('restart', 'one');
    await untilState(gate, 'one', 'ending');
    await gate.do('kill', 'one');
    await restart;
    await untilState(gate, 'one', 'gone');
  });

  it('says why the next one is not served', async () => {
    const gate = await start({ one: launched(['sh', '-c', 'exit 9']) }, { echoes: true });
    await untilState(gate, 'one', 'waiting');
    const failed = await gate.cli('restart', 'one');
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /one is not served again: its service ended with exit code 9/);
    await gate.audited(0, { event: 'operation_failed', operation: 'service_restart' });
    const socket = await gate.cli('restart', 'echo');
    assert.match(socket.stderr, /is not started by Sidelock/);
    await gate.do('kill', 'one');
    assert.match((await gate.cli('restart', 'one')).stderr, /is killed; `sidelock arm one`/);
    assert.match((await gate.cli('restart', 'nobody')).stderr, /there is no surface nobody/);
  });
});

describe('a service that is started on demand', () => {
  const lazy = (port, more = {}) => python(port, { upstream: { start: 'on_demand', ...more } });

  it('is not there until somebody asks, who waits for it', async () => {
    const gate = await start({ one: lazy(await freePort()) });
    assert.deepEqual([(await stateOf(gate, 'one')).state, (await stateOf(gate, 'one')).pid], ['idle', null]);
    assert.equal((await get(gate, 'one')).status, 200);
    assert.equal((await stateOf(gate, 'one')).state, 'ready');
    assert.deepEqual(eventsOf(gate, 'one').map((line) => line.event), ['service_started', 'service_ready']);
  });

  it('ends when nobody is connected any more, and whoever comes at that moment is served', async () => {
    const gate = await start({ one: lazy(await freePort(), { idle_stop_s: 5 }) });
    const { token } = await gate.session('one');
    assert.equal((await ask(gate, 'one', '/facts', { token, timeoutMs: 2 * GATE_MS })).status, 200);
    await gate.audited(0, { event: 'service_idle', surface: 'one' }, GATE_MS);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gate, 'one', '/facts', { token, timeoutMs: 2 * GATE_MS })));
    for (const answer of answers) assert.equal(answer.status, 200);
    await untilState(gate, 'one', 'idle');
    const began = eventsOf(gate, 'one').filter((line) => line.event === 'service_started');
    const ended = eventsOf(gate, 'one').filter((line) => line.event === 'service_ended');
    assert.deepEqual([began.length, ended.length], [2, 2]);
  });

  it('stays as long as somebody is connected', async () => {
    const gate = await start({
      one: launched(['node', serviceFile('websocket_service.mjs'), await freePort()], {
        routes: [{ path: '/ws', kind: 'websocket' }], upstream: { start: 'on_demand', idle_stop_s: 5 },
      }),
      two: lazy(await freePort(), { idle_stop_s: 5 }),
    });
    const { token } = await gate.session('one');
    const client = await Client.open(gate, 'one', '/ws', { token });
    const { pid } = await stateOf(gate, 'one');
    await get(gate, 'two'); // which was asked for later, and ends
    await gate.audited(0, { event: 'service_idle', surface: 'two' }, GATE_MS);
    client.send('still there');
    assert.equal((await client.next()).toString(), 'still there');
    assert.equal((await stateOf(gate, 'one')).pid, pid);
    await client.close();
    await untilState(gate, 'one', 'idle');
  });
});

describe('a service that ends by itself', () => {
  const ends = async (restart, code) => {
    const gate = await start({ one: python(await freePort(), { upstream: { restart } }) });
    const { pid } = await untilState(gate, 'one', 'ready');
    await get(gate, 'one', `/exit?${code}`).catch(() => {});
    await gate.audited(0, { event: 'service_ended', pid, exit_code: code });
    return gate;
  };

  it('stays away where the configuration says so', async () => {
    for (const [restart, code] of [['never', 3], ['on-failure', 0]]) {
      const gate = await ends(restart, code);
      assert.match((await untilState(gate, 'one', 'stopped')).why, new RegExp(`exit code ${code}`));
      const answer = await get(gate, 'one');
      assert.deepEqual([answer.status, answer.json.cause], [502, 'ended']);
      await gate.do('restart', 'one');
      assert.equal((await get(gate, 'one')).status, 200);
    }
  });

  it('is started again after a failure', async () => {
    const gate = await ends('on-failure', 1);
    assert.equal((await until(async () => {
      const said = await get(gate, 'one');
      return said.status === 200 && said;
    }, 'the next one')).status, 200);
  });
});

describe('a program that is replaced while it runs', () => {
  it('is noticed, said once in the log and in the status until it is started again', async () => {
    const program = path.join(scratchDir(), 'program');
    const write = (comment) => {
      writeFileSync(`${program}.new`, `#!/bin/sh\n${comment}\nexec python3 ${serviceFile('launched.py')} "$@"\n`, { mode: 0o755 });
      renameSync(`${program}.new`, program);
    };
    write('# the first');
    const gate = await start({ one: launched([program, await freePort()], { upstream: { executables: ['/usr/bin/python3'] } }) });
    await untilState(gate, 'one', 'ready');
    write('# the second');
    const said = /its program \S+ was replaced since it was started/;
    const { state, why } = await until(async () => {
      const now = await stateOf(gate, 'one');
      return now.why !== null && now;
    }, 'the status', GATE_MS);
    assert.equal(state, 'ready');
    assert.match(why, said);
    assert.match(gate.stderr, said);
    await gate.do('restart', 'one');
    assert.equal((await stateOf(gate, 'one')).why, null);
    assert.equal(gate.stderr.split(said).length, 2, 'once');
  });
});
