// Services that the gate starts itself (`upstream.command`): nobody but the gate reaches them, they are
// started again when they end, and they end whole.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { PREPARED_ROUTE } from '../services/autogen_studio.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import {
  GATE_MS, alive, findAddresses, get, launched, launcherOf, startLaunched as start, stateOf, treeOf, untilState,
} from './lib/launched.mjs';
import { ESBUILD } from './lib/known_services.mjs';
import { NODE, module, serviceFile } from './lib/programs.mjs';
import { freePort, openOutside } from './lib/tree.mjs';
import { until, within } from './lib/wait.mjs';

const python = (port, more) => launched(['python3', serviceFile('launched.py'), port], more);
const facts = async (gate, name) => (await get(gate, name)).json;

describe('a service that is launched', () => {
  it('is reached through the gate alone, on the very port that it asks for', async () => {
    const port = await freePort();
    const gate = await start({ files: launched(['python3', '-m', 'http.server', port], { listen: [`localhost:${port}`], upstream: { cwd: '/usr/share/doc' } }) });
    const answer = await get(gate, 'files', '/');
    assert.equal(answer.status, 200);
    assert.match(answer.bytes.toString(), /Directory listing/);
    assert.equal((await ask(gate, 'files', '/')).status, 401, 'the port is the gate');
    const { state, ports } = await untilState(gate, 'files', 'ready');
    assert.deepEqual({ state, ports }, { state: 'ready', ports: [`${port}/tcp`] });
    assert.match(await gate.do('status'), new RegExp(`files: its service is ready, pid \\d+, on ${port}/tcp, restarted 0 times`));
  });

  it('has its port nowhere else, nor those that it opens later', async () => {
    const [port, second] = [await freePort(), await freePort()];
    const gate = await start({ one: python(port) });
    await get(gate, 'one', `/listen?${second}`);
    const { ports } = await until(async () => {
      const now = await stateOf(gate, 'one');
      return now.ports.length === 2 && now;
    }, 'both ports in the status');
    assert.deepEqual([...ports].sort(), [`${port}/tcp`, `${second}/tcp`].sort());
    assert.equal(await openOutside(port), false);
    assert.equal(await openOutside(second), false);
  });

  it('is Node, with WebSockets, and AutoGen Studio after its fix, which is asked twice', async () => {
    const [port, studio] = [await freePort(), await freePort()];
    const gate = await start({
      echo: launched(['node', serviceFile('websocket_service.mjs'), port], { routes: [{ path: '/ws', kind: 'websocket' }] }),
      studio: launched(['node', serviceFile('autogen_studio.mjs'), studio, 'new'], { dialect: 'autogen-studio', routes: [PREPARED_ROUTE], allow: { verbs: ['list_tools'] } }),
    }, { executables: [{ path: '/usr/bin/cat', args: [] }] });
    await gate.putParams('cat', { type: 'StdioServerParams', command: '/usr/bin/cat', args: [] });
    const { token } = await gate.session('echo');
    const clients = await Promise.all(Array.from({ length: 100 }, () => Client.open(gate, 'echo', '/ws', { token })));
    for (const [i, client] of clients.entries()) client.send(`${i}`);
    for (const [i, client] of clients.entries()) assert.equal((await client.next()).toString(), `${i}`);
    await Promise.all(clients.map((client) => client.close()));
    const prepared = await gate.session('studio', '--params', 'cat');
    const client = await Client.open(gate, 'studio', '/api/mcp/ws/1', { token: prepared.token });
    assert.ok((await client.nextJson()).type, 'the service speaks first');
    await client.close();
    assert.equal(await openOutside(port) || await openOutside(studio), false);
  });

  it('is Vite, whose pages and HMR socket are where they ever were', async () => {
    const root = scratchDir();
    writeFileSync(path.join(root, 'index.html'), '<script type=module src=/main.js></script>');
    writeFileSync(path.join(root, 'main.js'), 'import.meta.hot.accept();');
    const port = await freePort();
    const { vite } = JSON.parse(readFileSync(new URL('../../config/vite.json', import.meta.url), 'utf8')).surfaces;
    const command = [NODE, module('vite6/bin/vite.js'), '--port', `${port}`, '--strictPort', '--host', '127.0.0.1', root];
    const gate = await start({
      vite: { ...vite, listen: [`localhost:${port}`], limits: { upstream_timeout_ms: GATE_MS }, upstream: { command, cwd: root, env: { HOME: root, NO_COLOR: '1' }, executables: [ESBUILD], libraries: [path.dirname(module('vite6'))] } },
    });
    assert.match((await get(gate, 'vite', '/')).bytes.toString(), /@vite\/client/);
    const token = /wsToken = "([^"]+)"/.exec((await get(gate, 'vite', '/@vite/client')).bytes.toString())[1];
    await get(gate, 'vite', '/main.js');
    const session = await gate.session('vite');
    const client = await Client.open(gate, 'vite', `/?token=${token}`, { token: session.token, protocols: ['vite-hmr'] });
    assert.equal((await client.nextJson()).type, 'connected');
    let edits = 0;
    await until(() => {
      writeFileSync(path.join(root, 'main.js'), `import.meta.hot.accept(); // ${(edits += 1)}`);
      return client.messages.some((message) => JSON.parse(message).type === 'update');
    }, 'an update', GATE_MS);
    await client.close();
  });

  it('finds the environment, directory and user that it is to have, and nothing that is the gate\'s', async () => {
    const dir = scratchDir();
    const secrets = path.join(dir, 'secrets');
    writeFileSync(secrets, '# a remark\nSECRET="s3cr3t value"\nPLAIN=from the file\n\n', { mode: 0o600 });
    const port = await freePort();
    const gate = await start({ one: python(port, { upstream: { env: { PLAIN: 'from the configuration', EMPTY: '' }, env_files: [secrets], cwd: dir } }) });
    const { env, cwd } = await facts(gate, 'one');
    assert.deepEqual([env.SECRET, env.PLAIN, env.EMPTY, cwd], ['s3cr3t value', 'from the configuration', '', dir]);
    assert.equal(env.SIDELOCK_CONFIG, undefined);
    for (const pid of treeOf(gate.pid))
      assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('s3cr3t'), 'no argument has it');
    assert.ok(!gate.stderr.includes('s3cr3t'), 'nor the log');
    const read = async (file) => (await get(gate, 'one', `/read?${file}`)).json;
    assert.equal(await read(gate.stateDir), '0 entries');
    assert.match(await read(gate.controlSocket), /No such file/);
    assert.equal(await read(gate.configPath), '0 bytes');
    assert.equal(await read(secrets), '0 bytes');
  });

  it('says what it says in the log, under its name, and nothing that acts on a terminal', async () => {
    const gate = await start({ one: python(await freePort()) });
    await get(gate, 'one', '/say?%1b[31mred%0aone:%20error:%20not%20a%20line%20of%20the%20gate');
    await until(() => gate.stderr.includes('not a line'), 'its words');
    assert.ok(!gate.stderr.includes('\x1b'));
    assert.match(gate.stderr, /^one: .*red$/m);
    assert.match(gate.stderr, /^one: one: error: not a line of the gate$/m);
  });

  it('may listen, stop, and listen again', async () => {
    const port = await freePort();
    const script = 'import socket,subprocess,sys,time\n' +
      `s = socket.create_server(("", ${port})); time.sleep(0.3); s.close(); time.sleep(0.3)\n` +
      `subprocess.run(["python3", "${serviceFile('launched.py')}", "${port}"])`;
    const gate = await start({ one: launched(['python3', '-c', script]) });
    await untilState(gate, 'one', 'ready');
    assert.equal((await until(async () => {
      const said = await get(gate, 'one').catch(() => undefined); // what the first took ends unanswered
      return said?.status === 200 && said;
    }, 'an answer')).json.cwd, '/');
  });

  it('is waited for while it starts', async () => {
    const port = await freePort();
    const gate = await start({ late: launched(['sh', '-c', `sleep 1; exec python3 ${serviceFile('launched.py')} ${port}`], { upstream: { executables: ['/usr/bin/sleep', '/usr/bin/python3'] } }) });
    assert.equal((await get(gate, 'late')).status, 200);
  });
});

describe('the end of a service that is launched', () => {
  it('is followed by a new start, and told until then', async () => {
    const gate = await start({ one: python(await freePort()) });
    await get(gate, 'one', '/exit?7').catch(() => {});
    await until(() => /ended with exit code 7; it is started again/.test(gate.stderr), 'the log');
    await until(async () => (await get(gate, 'one')).status === 200, 'an answer of the next one');
    assert.ok((await stateOf(gate, 'one')).restarts >= 1);
  });

  it('is told to whoever asks while it cannot be started', async () => {
    const gate = await start({ one: launched(['false']) });
    await untilState(gate, 'one', 'waiting');
    const { token } = await gate.session('one');
    const answer = await until(async () => {
      const said = await ask(gate, 'one', '/', { token });
      return said.json.cause === 'ended' && said;
    }, 'the reason');
    assert.deepEqual([answer.status, answer.json.reason], [502, 'upstream_unreachable']);
    assert.match((await stateOf(gate, 'one')).why ?? '', /exit code 1|^$/);
  });

  it('is whole when the surface is killed, and it begins anew when it is armed', async () => {
    const gate = await start({ one: python(await freePort()) });
    await get(gate, 'one', '/stay');
    const { pid } = await untilState(gate, 'one', 'ready');
    const tree = treeOf(pid);
    assert.ok(tree.length >= 3, 'the keeper, the service, what it forked');
    await gate.do('kill', 'one');
    assert.deepEqual(alive(tree), [], 'nothing is left when it is acknowledged');
    assert.equal((await stateOf(gate, 'one')).state, 'gone');
    await gate.do('arm', 'one');
    assert.equal((await get(gate, 'one')).status, 200);
    assert.notEqual((await untilState(gate, 'one', 'ready')).pid, pid);
  });

  it('is true when the kill is acknowledged, also where the launcher stands still', async () => {
    const gate = await start({ one: python(await freePort()), two: python(await freePort()) });
    await get(gate, 'one', '/stay');
    const tree = treeOf((await untilState(gate, 'one', 'ready')).pid);
    process.kill(launcherOf(gate), 'SIGSTOP');
    await gate.do('kill', 'one');
    assert.deepEqual(alive(tree), []);
    assert.equal((await until(() => get(gate, 'two').catch(() => undefined), 'the other')).status, 200);
  });

  it('comes with a lockdown, also where broker and launcher stand still', async () => {
    const gate = await start({ one: python(await freePort()) });
    await get(gate, 'one', '/stay');
    const { pid } = await untilState(gate, 'one', 'ready');
    const tree = treeOf(pid);
    process.kill(gate.broker, 'SIGSTOP');
    process.kill(launcherOf(gate), 'SIGSTOP');
    const order = path.join(gate.stateDir, 'lockdown');
    writeFileSync(order, '');
    await until(() => alive(tree).length === 0, () => `the end of ${alive(tree)}`);
    await until(async () => (await gate.cli('status')).code === 0, 'another broker');
    assert.equal((await stateOf(gate, 'one')).state, 'gone');
    rmSync(order);
    await gate.do('arm', 'one');
    await findAddresses(gate);
    assert.equal((await get(gate, 'one')).status, 200);
  });

  it('comes with the gate\'s, also where the gate is killed', async () => {
    for (const end of ['stop', 'crash']) {
      const gate = await start({ one: python(await freePort()) });
      await get(gate, 'one', '/stay');
      const tree = treeOf(gate.pid);
      await gate[end]();
      await until(() => alive(tree).length === 0, () => `the end of ${alive(tree)} after ${end}`);
    }
  });

  it('comes with the broker\'s, also where another launcher has begun before the parent knows', async () => {
    const gate = await start({ one: python(await freePort()) });
    await get(gate, 'one', '/stay');
    const tree = treeOf((await untilState(gate, 'one', 'ready')).pid);
    const launcher = launcherOf(gate);
    process.kill(gate.pid, 'SIGSTOP');
    process.kill(gate.broker, 'SIGKILL');
    await until(() => ![launcher, undefined].includes(launcherOf(gate)), 'another launcher');
    process.kill(gate.pid, 'SIGCONT');
    gate.child = undefined;
    await within(gate.exited, () => `the end of the gate: ${gate.stderr}`);
    assert.deepEqual(alive(tree), []);
  });

  it('comes with the launcher\'s; others\' connections live, and it begins anew', async () => {
    const gate = await start({ one: python(await freePort()) }, { echoes: true });
    const { token } = await gate.session('echo');
    const client = await Client.open(gate, 'echo', '/ws', { token });
    await get(gate, 'one', '/stay');
    for (let round = 0; round < 5; round++) {
      const { pid } = await untilState(gate, 'one', 'ready');
      const tree = treeOf(pid);
      const launcher = launcherOf(gate);
      process.kill(launcher, 'SIGKILL');
      await until(() => alive(tree).length === 0, 'the end of its tree');
      assert.equal((await get(gate, 'one')).status, 200);
      assert.notEqual(launcherOf(gate), launcher);
      client.send('still there');
      assert.equal((await client.next()).toString(), 'still there');
    }
  });

  it('does not come with a worker\'s', async () => {
    const gate = await start({ one: python(await freePort()) });
    const { pid } = await facts(gate, 'one');
    const before = await untilState(gate, 'one', 'ready');
    process.kill(gate.workers()[0], 'SIGKILL');
    await until(async () => (await gate.doJson('status')).workers.restarts === 1, 'another worker');
    assert.equal((await until(() => facts(gate, 'one').catch(() => undefined), 'an answer')).pid, pid);
    assert.equal((await stateOf(gate, 'one')).pid, before.pid);
  });
});

describe('a port that somebody else has on this host', () => {
  it('is not served, and the log, the status and the client are told why', async () => {
    const port = await freePort();
    const stranger = net.createServer();
    await new Promise((resolve) => stranger.listen(port, '127.0.0.1', resolve));
    keep({ stop: () => new Promise((resolve) => (stranger.listening ? stranger.close(resolve) : resolve())) });
    const gate = await start({ one: python(port) });
    const { why } = await untilState(gate, 'one', 'exposed');
    assert.match(why, new RegExp(`answers at 127\\.0\\.0\\.1:${port}`));
    assert.match(gate.stderr, /surface one: its service is not served/);
    const { token } = await gate.session('one');
    const answer = await until(async () => {
      const said = await ask(gate, 'one', '/facts', { token, timeoutMs: 2 * GATE_MS });
      return said.json.cause === 'exposed' && said;
    }, 'the reason');
    assert.equal(answer.status, 502);
    const { rows } = await gate.doJson('register');
    assert.match(JSON.stringify(rows), /answers at/);
    await new Promise((resolve) => stranger.close(resolve));
    assert.equal((await until(async () => {
      const said = await get(gate, 'one');
      return said.status === 200 && said;
    }, 'the service', 2 * GATE_MS)).status, 200);
  });
});

describe('reload', () => {
  it('starts what is new, ends what is gone, and touches nothing else', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const surfaces = { stays: python(ports[0]), goes: python(ports[1]) };
    const gate = await start(surfaces);
    const stays = await facts(gate, 'stays');
    await get(gate, 'goes');
    const gone = treeOf((await untilState(gate, 'goes', 'ready')).pid);
    gate.configure({ surfaces: { stays: surfaces.stays, comes: python(ports[2], { upstream: { env: { NEW: '1' } } }) } });
    const { added, removed } = await gate.doJson('reload');
    assert.deepEqual([added, removed], [['comes'], ['goes']]);
    await findAddresses(gate);
    await until(() => alive(gone).length === 0, 'the end of what is gone');
    assert.equal((await facts(gate, 'comes')).env.NEW, '1');
    assert.equal((await facts(gate, 'stays')).pid, stays.pid);
    assert.equal((await stateOf(gate, 'stays')).restarts, 0);
  });

  it('starts the launcher where there was none, and what has changed anew', async () => {
    const port = await freePort();
    const gate = await start({}, { echoes: true });
    const echo = gate.config.surfaces.echo;
    for (const value of ['1', '2']) {
      gate.configure({ surfaces: { echo, one: python(port, { upstream: { env: { VALUE: value } } }) } });
      await gate.doJson('reload');
      await findAddresses(gate);
      assert.equal((await facts(gate, 'one')).env.VALUE, value);
    }
  });
});

describe('check', () => {
  const gateWith = (upstream) => {
    const gate = new Gate(scratchDir(), { surfaces: { one: launched(['true'], { upstream }) } });
    return gate;
  };

  it('finds what cannot be started', async () => {
    const file = path.join(scratchDir(), 'open');
    writeFileSync(file, 'A=1\n');
    chmodSync(file, 0o666);
    const bad = path.join(scratchDir(), 'bad');
    writeFileSync(bad, 'A=1\nSECRET s3cr3t\n', { mode: 0o600 });
    const faults = [
      [{ command: ['no-such-program'] }, 'command/0', /no program "no-such-program" in the service's PATH/],
      [{ command: [path.dirname(file)] }, 'command/0', /no program that can be run/],
      [{ cwd: '/nowhere' }, 'cwd', /No such file/],
      [{ user: 'nobody-at-all' }, 'user', /knows no user/],
      [{ env_files: [file] }, 'env_files/0', /chmod/],
      [{ env_files: [bad] }, 'env_files/0', /line 2: this is not NAME=value/],
    ];
    for (const [upstream, member, words] of faults) {
      const gate = gateWith(upstream);
      const { code, stdout } = await gate.cli('check', '--json');
      assert.equal(code, 78);
      const found = JSON.parse(stdout).faults;
      assert.deepEqual(found.map(({ pointer }) => pointer), [`/surfaces/one/upstream/${member}`]);
      assert.match(found[0].text, words);
      assert.ok(!stdout.includes('s3cr3t'));
      const served = await gate.cli('serve');
      assert.equal(served.code, 78, 'and it is not served with');
    }
  });
});
