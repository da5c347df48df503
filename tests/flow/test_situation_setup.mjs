// Setting up: what a host has or lacks, what lies around there, and who holds what we want.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { NOBODY, cannotBecome } from './lib/as_uid.mjs';
import { Client } from './lib/client.mjs';
import { subdirectory } from './lib/faults.mjs';
import {
  Gate,
  SANITIZED,
  SIDELOCK,
  opaqueSurface,
  residentBytes,
  scratchDir,
} from './lib/gate.mjs';
import { configured, keep } from './lib/kept.mjs';
import { until, within } from './lib/wait.mjs';

const modeOf = (file) => statSync(file).mode & 0o7777;

describe('directories', () => {
  it('situation 13: are made on the way to what is Sidelock\'s own, closed to others', async () => {
    const gate = configured();
    const sockets = path.join(gate.dir, 'run/of/sidelock');
    gate.stateDir = path.join(gate.dir, 'var/lib/sidelock');
    gate.controlSocket = path.join(sockets, 'control.sock');
    gate.auditPath = path.join(gate.stateDir, 'audit.jsonl');
    gate.configure({ surfaces: gate.config.surfaces });
    const before = process.umask(0);
    await keep(gate).launch();
    process.umask(before);
    for (const made of ['var', 'var/lib', 'var/lib/sidelock', 'run', 'run/of', 'run/of/sidelock']) {
      assert.equal(modeOf(path.join(gate.dir, made)), 0o700, made);
    }
    await gate.do('status');
  });

  it('situation 13: that are open to others are named with their owner', async () => {
    const gate = configured();
    chmodSync(subdirectory(gate.dir, 'state', 0o700), 0o750);
    const { code, stderr } = await gate.cli('serve');
    assert.equal(code, 78, stderr);
    assert.match(stderr, /state is open to others; run chmod 700 on it; it belongs to .*uid \d+ and has mode 0750/);
  });
});

describe('a port', () => {
  it('situation 13: that is taken is told with who holds it', async () => {
    const holder = net.createServer().unref();
    await new Promise((resolve) => holder.listen(0, '::1', resolve));
    const { port } = holder.address();
    const gate = configured({}, { listen: [`localhost:${port}`] });
    const { code, stderr } = await gate.cli('serve');
    holder.close();
    assert.notEqual(code, 0);
    const who = `held by uid ${process.getuid()}, process ${process.pid} \\(node`;
    assert.match(stderr, new RegExp(`cannot listen on ::1 port ${port}: Address already in use; it is ${who}`));
  });
});

describe('check', () => {
  const faultsOf = async (gate, ...more) => {
    const { code, stdout } = await gate.cli('check', '--json', ...more);
    const said = JSON.parse(stdout);
    assert.equal(code, said.faults.length > 0 ? 78 : 0);
    return said;
  };

  const only = async (gate, pointer, words) => {
    const { faults } = await faultsOf(gate);
    assert.deepEqual(faults.map((fault) => fault.pointer), [pointer]);
    assert.match(faults[0].text, words);
    assert.ok(faults[0].line > 1, 'with its line');
  };

  it('situation 13: finds a port that somebody else has, and one on ::1 alone', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const holder = net.createServer().unref();
      await new Promise((resolve) => holder.listen(0, host, resolve));
      const gate = configured({}, { listen: ['localhost:0', `localhost:${holder.address().port}`] });
      await only(gate, '/surfaces/echo/listen/1', new RegExp(`cannot listen on ${host} port .*held by uid \\d+, process`));
      await new Promise((resolve) => holder.close(resolve));
      assert.deepEqual((await faultsOf(gate)).faults, [], 'and lets go of what it tried');
      assert.deepEqual((await faultsOf(gate)).faults, []);
    }
  });

  it('situation 13: finds what cannot be made, another Sidelock, an open key, and no socket', async () => {
    const gate = configured();
    writeFileSync(path.join(gate.dir, 'file'), '');
    gate.stateDir = path.join(gate.dir, 'file/state');
    gate.controlSocket = path.join(gate.dir, 'run/control.sock');
    gate.configure({ surfaces: gate.config.surfaces });
    await only(gate, '/state_dir', /file cannot be opened: Not a directory/);

    const running = keep(configured());
    await running.launch();
    const second = configured();
    second.stateDir = running.stateDir;
    second.configure({ surfaces: second.config.surfaces, control_socket: second.controlSocket });
    await only(second, '/state_dir', /another Sidelock is using the state directory/);
    await running.stop();
    running.child = undefined;
    chmodSync(path.join(running.stateDir, 'key'), 0o640);
    await only(running, '/state_dir', /key is open to others; run chmod 600 on it; it belongs to .*uid \d+ and has mode 0640/);

    const blocked = configured();
    blocked.controlSocket = path.join(blocked.dir, 'plain');
    writeFileSync(blocked.controlSocket, '');
    blocked.configure({ surfaces: blocked.config.surfaces });
    await only(blocked, '/control_socket', /plain is not a socket/);
    assert.equal((await blocked.cli('serve')).code, 78);
  });

  it('is content with what the gate that runs with it holds, and makes nothing', async () => {
    const fresh = configured();
    assert.deepEqual((await faultsOf(fresh)).faults, []);
    assert.equal(existsSync(fresh.stateDir), false);
    const gate = keep(configured());
    await gate.launch();
    const port = gate.port('echo');
    await gate.stop();
    gate.configure({ surfaces: { echo: { ...gate.config.surfaces.echo, listen: [`localhost:${port}`] } } });
    await gate.launch();
    assert.deepEqual((await faultsOf(gate)).faults, []);
  });

  it('situation 13: names a clock that is far back, a service that is not there, tokens that others read', async () => {
    const gate = configured({}, { allow_non_loopback: true, listen: ['0.0.0.0:0'] });
    mkdirSync(gate.stateDir, { mode: 0o700 });
    const ahead = new Date(Date.now() + 86_400_000);
    writeFileSync(gate.auditPath, '', { mode: 0o600 });
    utimesSync(gate.auditPath, ahead, ahead);
    const { faults, warnings } = await faultsOf(gate);
    assert.deepEqual(faults, []);
    const told = warnings.join('\n');
    assert.match(told, /The clock is 86[34]\d\d seconds behind .*audit\.jsonl, which was written at/);
    assert.match(told, /The service of "echo" does not answer at ".*echo\.sock" now: No such file/);
    assert.match(told, /has no "tls": whoever is on the way to "0\.0\.0\.0:0" reads its tokens/);
    await keep(gate).launch();
    assert.match(gate.stderr, /warning: The clock is 86[34]\d\d seconds behind/);
  });

  it('looks at nothing here for a file that is for another machine', async () => {
    const gate = configured();
    gate.stateDir = '/proc/sidelock/state';
    gate.configure({ surfaces: gate.config.surfaces });
    const { faults, warnings } = await faultsOf(gate, '--elsewhere');
    assert.deepEqual([faults, warnings], [[], []]);
  });
});

describe('reload', () => {
  let gate;

  const startAll = async () => {
    const dir = scratchDir();
    const service = keep(new WebSocketService(path.join(dir, 'echo.sock')));
    await service.start();
    const echo = opaqueSurface(path.join(dir, 'echo.sock'));
    gate = keep(new Gate(dir, { surfaces: { echo, other: opaqueSurface(path.join(dir, 'other.sock')) } }));
    await gate.launch();
    const { token } = await gate.session('echo');
    return Client.open(gate, 'echo', '/ws', { token });
  };

  const lives = async (client, text) => {
    client.send(text);
    assert.equal((await client.next()).toString(), text);
  };

  it('situation 13: of a file with faults changes nothing, and says what `check` says', async () => {
    const client = await startAll();
    const good = readFileSync(gate.configPath, 'utf8');
    const faulty = {
      'no JSON': '{"state_dir": ',
      'a key that is none': good.replace('"surfaces"', '"surfases": {}, "surfaces"'),
      'a dialect that is none': good.replace('"opaque"', '"opaqe"'),
      'a pack that is not there': good.replace('"opaque"', '"./missing.json"'),
      'a port that is none': good.replace('localhost:0', 'localhost:70000'),
      'a place that others can bend': good.replace(path.join(gate.dir, 'other.sock'), '/tmp/other.sock'),
    };
    const sorted = (text) => text.split('\n').filter((line) => / \/|JSON|json:/.test(line)).sort();
    for (const [name, text] of Object.entries(faulty)) {
      writeFileSync(gate.configPath, text);
      const checked = await gate.cli('check');
      const { code, stderr } = await gate.cli('reload', '--control', gate.controlSocket);
      assert.equal(code, 78, `${name}: ${stderr}`);
      assert.deepEqual(sorted(stderr), sorted(checked.stderr), name);
      await lives(client, name);
    }
    chmodSync(gate.configPath, 0o666);
    writeFileSync(gate.configPath, good);
    const open = await gate.cli('reload', '--control', gate.controlSocket);
    assert.equal(open.code, 78);
    assert.match(open.stderr, /sidelock\.json can be changed by others/);
    chmodSync(gate.configPath, 0o600);
    await gate.do('reload');
    await lives(client, 'after all of them');
    await client.close();
  });

  it('situation 13: does not report success for what only a restart can change', async () => {
    const client = await startAll();
    const { echo, other } = gate.config.surfaces;
    const differences = [
      [{ surfaces: { echo, other }, executables: ['/bin/true'] }, /\/executables: This has changed/],
      [{ surfaces: { echo, other }, workers: 2 }, /\/workers: This has changed/],
    ];
    for (const [config, words] of differences) {
      gate.configure(config);
      const { code, stderr } = await gate.cli('reload');
      assert.equal(code, 78, stderr);
      assert.match(stderr, words);
      assert.match(stderr, /restart it/);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
      await lives(client, 'still');
    }
    const { surfaces } = await gate.doJson('status');
    assert.deepEqual(surfaces.map(({ name }) => name), ['echo', 'other']);
    process.kill(gate.pid, 'SIGHUP');
    await until(() => /error: .*\/workers: This has changed/.test(gate.stderr), 'a word in the log');
    await client.close();
  });

  it('situation 13: reads what a surface is for, and a hundred of them leave nothing behind', async () => {
    const client = await startAll();
    const { echo, other } = gate.config.surfaces;
    const both = [gate.pid, gate.broker];
    const descriptors = () => both.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
    const memory = () => both.reduce((sum, pid) => sum + residentBytes(pid), 0);
    const reload = async (i) => {
      gate.configure({ surfaces: { echo: { ...echo, why: `the reason ${i}` }, other } });
      await gate.do('reload');
      await lives(client, `${i}`);
    };
    await reload(0);
    const before = descriptors();
    for (let i = 1; i < 20; i++) await reload(i);
    const bytes = memory();
    for (let i = 20; i <= 100; i++) await reload(i);
    // One of them may be the connection that asked last.
    await until(() => descriptors() <= before, 'no descriptor is left');
    if (!SANITIZED) assert.ok(memory() < bytes + 2 * 1024 * 1024, 'no memory');
    assert.match(await gate.do('register'), /the reason 100/);
    await client.close();
  });
});

describe('a private key', () => {
  async function withKey(mode, group) {
    const gate = configured();
    await gate.do('certs', 'init', '--dir', gate.dir);
    const key = path.join(gate.dir, 'server.key');
    if (group !== undefined) chownSync(key, -1, group);
    chmodSync(key, mode);
    const tls = { certificate: path.join(gate.dir, 'server.pem'), key };
    gate.configure({ surfaces: { echo: opaqueSurface(path.join(gate.dir, 'echo.sock'), { tls }) } });
    return gate;
  }

  it('situation 13: may be for a group of ours to read', async () => {
    for (const mode of [0o440, 0o640]) {
      const gate = await withKey(mode);
      await gate.launch();
      await gate.stop();
    }
  });

  it('situation 13: is for no other group', { skip: cannotBecome() }, async () => {
    const gate = await withKey(0o640, NOBODY);
    const { code, stderr } = await gate.cli('serve');
    assert.equal(code, 78);
    assert.match(stderr, /server\.key is open to others; run chmod 640 \(or 600\) on it; it belongs to root, uid 0/);
  });

  it('is for nobody else', async () => {
    const gate = await withKey(0o644);
    assert.equal((await gate.cli('serve')).code, 78);
  });
});

// A network of its own, of whose ::1 the test disposes. The gate is there; `inside` runs there, too.
const mapped = process.getuid() === 0 ? [] : ['-r'];
const V6 = '/proc/sys/net/ipv6/conf/lo/disable_ipv6';
const script = `ip link set lo up && echo 1 >${V6} && exec "$0" "$@"`;

class Isolated extends Gate {
  launch() {
    return super.launch({ command: 'unshare', prefix: [...mapped, '-n', 'sh', '-c', script, SIDELOCK] });
  }

  inside(command) {
    const user = mapped.length > 0 ? ['-U', '--preserve-credentials'] : [];
    return execFileSync('nsenter', [...user, '-t', String(this.pid), '-n', 'sh', '-c', command]).toString();
  }

  answers(address) {
    const url = `http://${address}:${this.port('echo')}/ws`;
    return this.inside(`curl -s -o /dev/null -w '%{http_code}' '${url}' || true`).trim();
  }
}

describe('a host without ::1', () => {
  const isolated = () => {
    const gate = configured();
    return keep(new Isolated(gate.dir, { surfaces: gate.config.surfaces }));
  };

  it('situation 13: is served on 127.0.0.1, with a warning, and on ::1 once it has one', async () => {
    const gate = await isolated().launch();
    assert.deepEqual(gate.addresses('echo').map((text) => text.replace(/:\d+$/, '')), ['127.0.0.1']);
    assert.match(gate.stderr, /warning: surface echo: this host has no ::1/);
    assert.equal(gate.answers('127.0.0.1'), '401');
    assert.equal(gate.answers('[::1]'), '000');
    gate.inside(`echo 0 >${V6}`);
    await until(() => gate.answers('[::1]') === '401', 'an answer on ::1', 20_000);
    const { surfaces } = await gate.doJson('status');
    assert.equal(surfaces[0].listen.length, 2);
    // And so it is with the next worker.
    process.kill(gate.workers()[0], 'SIGKILL');
    await until(() => gate.answers('[::1]') === '401', 'an answer of the next worker', 20_000);
  });

  it('situation 13: says who was quicker when it has one', async () => {
    const gate = await isolated().launch();
    const port = gate.port('echo');
    gate.inside(`echo 0 >${V6}`);
    const squatter = `require('net').createServer().listen(${port}, '::1', () => console.log('there'))`;
    const user = mapped.length > 0 ? ['-U', '--preserve-credentials'] : [];
    const child = spawn('nsenter', [...user, '-t', String(gate.pid), '-n', process.execPath, '-e', squatter]);
    keep({ stop: () => child.kill('SIGKILL') });
    const taken = new RegExp(`surface echo: cannot listen on ::1 port ${port}: .*held by uid \\d+`);
    const first = await within(
      Promise.race([
        new Promise((resolve) => child.stdout.once('data', () => resolve('there'))),
        new Promise((resolve) => child.once('exit', () => resolve('late'))),
      ]),
      'the squatter',
    );
    if (first === 'there') await until(() => taken.test(gate.stderr), 'a word about it', 20_000);
    else await until(() => gate.answers('[::1]') === '401', 'an answer on ::1', 20_000);
    assert.equal(gate.answers('127.0.0.1'), '401');
  });
});
