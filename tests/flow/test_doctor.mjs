// `sidelock doctor`: what it finds of machines, configurations and gates, well and not; that it changes nothing, and ends.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { SANITIZED } from './lib/gate.mjs';
import { Person, add } from './lib/person.mjs';
import { PEOPLE, freePort, oldKernel } from './lib/tree.mjs';
import { until, within } from './lib/wait.mjs';

const servers = new Set();
after(() => {
  for (const server of servers) server.close();
});

const ROW = /^ {2}(ok|warn|fail) +(\S+) +(\S.*)$/;

// What it says as JSON: {code, document, of(area, name)}, and in lines it says the same.
async function doctor(person, { before = [], words = [], env = {} } = {}) {
  const run = async (...more) => {
    const [file, ...args] = [...person.who.prefix, ...before, person.program, 'doctor', ...words, ...more];
    const child = spawn(file, args, { cwd: person.home, env: { ...person.env, ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const code = await within(new Promise((resolve) => child.on('close', resolve)), () => `the end of doctor; it said:\n${stdout}${stderr}`);
    assert.equal(stderr, '');
    return { code, stdout };
  };
  const { code, stdout } = await run('--json');
  const document = JSON.parse(stdout);
  assert.deepEqual(Object.keys(document), ['ok', 'version', 'configuration', 'findings']);
  for (const finding of document.findings) assert.deepEqual(Object.keys(finding), ['area', 'name', 'state', 'text', 'remedy']);
  assert.equal(document.ok, code === 0);
  assert.equal(document.ok, document.findings.every(({ state }) => state !== 'fail'));
  const text = await run();
  assert.equal(text.code, code);
  const rows = text.stdout.split('\n').map((line) => line.match(ROW)).filter(Boolean);
  assert.deepEqual(rows.map((row) => row.slice(1, 3)), document.findings.map(({ name, state }) => [state, name]));
  const of = (area, name) => document.findings.find((finding) => finding.area === area && finding.name === name);
  const is = (area, name, state, sentence, remedy) => {
    const finding = of(area, name);
    assert.ok(finding, `${area} ${name} among ${JSON.stringify(document.findings, null, 1)}`);
    assert.match(finding.text, sentence);
    assert.equal(finding.state, state, finding.text);
    if (remedy) assert.match(finding.remedy, remedy);
    else assert.equal(finding.remedy, null);
  };
  return { code, document, of, is };
}

// All below a directory, and when it was changed.
function everything(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name);
    const { mtimeMs, ctimeMs, size } = lstatSync(file);
    return [[file, mtimeMs, ctimeMs, size], ...(entry.isDirectory() ? everything(file) : [])];
  });
}

const give = (person, file) => person.who.uid !== process.getuid() && chownSync(file, person.who.uid, person.who.uid);

// A configuration that launches a service.
async function configured(person) {
  const port = await freePort();
  person.do('init');
  person.do(...add('docs', port));
  return port;
}

describe('on a machine', () => {
  for (const who of PEOPLE)
    it(`nothing is configured, and nothing is wrong, for ${who.name}`, async () => {
      const person = new Person(who);
      const { code, is, of, document } = await doctor(person);
      assert.equal(code, 0);
      assert.equal(document.configuration, null);
      is('configuration', 'file', 'warn', /there is none/, /sidelock init/);
      is('machine', 'namespaces', 'ok', /namespaces of its own/);
      is('machine', 'seccomp_notify', 'ok', /system calls/);
      for (const name of ['kernel', 'landlock', 'sealed_memfds', 'ipv6_loopback', 'cgroups']) assert.ok(of('machine', name), name);
      for (const name of ['system_unit', 'user_unit']) assert.ok(of('units', name), name);
      assert.deepEqual(everything(person.home), []);
    });

  const lacks = [
    ['container', 'namespaces', /Operation not permitted: a filter of system calls/, /seccomp=FILE/],
    ['no-userns', 'namespaces', /making the namespaces/, /seccomp|sysctl/],
    ['listened', 'seccomp_notify', /another supervisor/, /outside of/],
  ];
  for (const [answers, name, sentence, remedy] of lacks)
    it(`${answers}: worth knowing where nothing needs it, and wrong where a service does`, async () => {
      const person = new Person(PEOPLE.at(-1));
      const before = oldKernel(answers);
      const without = await doctor(person, { before });
      without.is('machine', name, 'warn', sentence, remedy);
      assert.equal(without.code, 0);
      await configured(person);
      const with_ = await doctor(person, { before });
      with_.is('machine', name, 'fail', sentence, remedy);
      assert.equal(with_.code, 1);
    });

  it('an older Landlock is told with what it lacks', { skip: SANITIZED && 'traced' }, async () => {
    const person = new Person(PEOPLE.at(-1));
    (await doctor(person, { before: oldKernel(2) })).is('machine', 'landlock', 'warn', /ABI 2: .*: truncate, tcp_bind/, /newer kernel/);
  });

  it('a kernel without Landlock is told with what it lacks', async () => {
    const person = new Person(PEOPLE.at(-1));
    (await doctor(person, { before: oldKernel(0) })).is('machine', 'landlock', 'warn', /has none: .*: .*write/, /lsm/);
  });

  it('units count by their files', async () => {
    const person = new Person();
    const units = path.join(person.home, '.config/systemd/user');
    mkdirSync(path.join(units, 'default.target.wants'), { recursive: true });
    writeFileSync(path.join(units, 'sidelock.service'), '');
    (await doctor(person)).is('units', 'user_unit', 'ok', /not enabled/, /systemctl --user enable --now sidelock/);
    writeFileSync(path.join(units, 'default.target.wants/sidelock.service'), '');
    (await doctor(person)).is('units', 'user_unit', 'ok', /and enabled/);
  });
});

describe('of a configuration', () => {
  it('says which one counts, and why', async () => {
    const person = new Person();
    await configured(person);
    const { is, document } = await doctor(person);
    is('configuration', 'file', 'ok', /sidelock\.json, your own/);
    assert.equal(document.configuration, person.config);
    const other = path.join(person.home, 'other.json');
    writeFileSync(other, readFileSync(person.config));
    (await doctor(person, { words: ['-c', other] })).is('configuration', 'file', 'ok', /other\.json, named with -c/);
    (await doctor(person, { env: { SIDELOCK_CONFIG: other } })).is('configuration', 'file', 'ok', /named by SIDELOCK_CONFIG/);
  });

  for (const who of PEOPLE)
    it(`a good one passes, and nothing is changed, for ${who.name}`, async () => {
      const person = new Person(who);
      await configured(person);
      const was = everything(person.home);
      const { code, is } = await doctor(person);
      is('configuration', 'check', 'ok', /surfaces: 1/);
      is('gate', 'control', 'warn', /no gate runs/, /^run `sidelock serve`/);
      assert.equal(code, 0);
      assert.deepEqual(everything(person.home), was);
    });

  it('what `check` finds wrong is found', async () => {
    const person = new Person();
    const port = await configured(person);
    const taken = net.createServer();
    servers.add(taken);
    await new Promise((resolve) => taken.listen(port, '127.0.0.1', resolve));
    const text = person.text();
    for (const broken of [text, text.replace('"dialect"', '"dialekt"'), text.replace('python3', 'no-such-program'), '{']) {
      writeFileSync(person.config, broken);
      const checked = person.sidelock('check', '--json');
      assert.equal(checked.code, 78);
      const { code, document } = await doctor(person);
      assert.equal(code, 1);
      const faults = document.findings.filter(({ name }) => name === 'fault').map(({ text: said }) => said);
      const expected = JSON.parse(checked.stdout).faults;
      assert.equal(faults.length, expected.length);
      expected.forEach((fault, i) => assert.ok(faults[i].endsWith(fault.text), `${faults[i]}: ${fault.text}`));
    }
  });

  // Each is made at a path.
  const hostile = {
    'that nobody may read': (file) => writeFileSync(file, '{}', { mode: 0 }),
    'that is a FIFO': (file) => execFileSync('mkfifo', ['-m', '600', file]),
    'that is a directory': (file) => mkdirSync(file),
    'of 100 MB': (file) => (writeFileSync(file, '', { mode: 0o600 }), truncateSync(file, 100e6)),
    'that is deep': (file) => writeFileSync(file, '['.repeat(500_000), { mode: 0o600 }),
    'that others may write': (file) => (writeFileSync(file, '{}'), chmodSync(file, 0o666)),
    'that is not there': () => {},
  };
  for (const [which, make] of Object.entries(hostile))
    it(`one ${which} is said to be wrong`, async () => {
      const person = new Person(PEOPLE.at(-1));
      const file = path.join(person.home, 'hostile.json');
      make(file);
      if (which !== 'that is not there') give(person, file);
      const { code, is } = await doctor(person, { words: ['-c', file] });
      is('configuration', 'fault', 'fail', /hostile\.json/);
      assert.equal(code, 1);
    });

  it('of another user is looked at by what is written in it', { skip: PEOPLE.length < 2 }, async () => {
    const [root, other] = PEOPLE.map((who) => new Person(who));
    await configured(root);
    for (const directory of ['', '.config', '.config/sidelock', '.local', '.local/state']) chmodSync(path.join(root.home, directory), 0o755);
    chmodSync(root.config, 0o644);
    const { code, is } = await doctor(other, { words: ['-c', root.config], env: { HOME: root.home } });
    is('configuration', 'check', 'warn', /another user's/, /sudo -u/);
    assert.equal(code, 0);
  });
});

describe('of a gate', () => {
  for (const who of PEOPLE)
    it(`what runs is told, and what is wrong with it, for ${who.name}`, async () => {
      const person = new Person(who);
      await configured(person);
      const gate = await person.serve();
      const token = person.do('session', 'create', 'docs').trim();
      assert.ok(token);
      await until(() => JSON.parse(person.do('status', '--json')).surfaces[0].service.state === 'ready', 'a service that is ready');
      const well = await doctor(person);
      assert.equal(well.code, 0, JSON.stringify(well.document.findings, null, 1));
      well.is('gate', 'control', 'ok', /a gate runs, pid \d+/);
      well.is('gate', 'version', 'ok', /as this/);
      well.is('surfaces', 'docs', 'ok', /it is served, enforce, and its service is ready/);
      well.is('configuration', 'check', 'ok', /surfaces: 1/);
      person.do(...add('more', await freePort()));
      (await doctor(person)).is('surfaces', 'more', 'warn', /not taken it up/, /`sidelock reload`/);
      person.do('kill', 'docs');
      const killed = await doctor(person);
      killed.is('surfaces', 'docs', 'warn', /is killed/, /sidelock arm docs/);
      writeFileSync(path.join(person.state, 'lockdown'), '');
      const status = () => JSON.parse(person.sidelock('status', '--json').stdout || '{}');
      await until(() => status().lockdown, 'a gate that says it is locked down');
      const down = await doctor(person);
      down.is('gate', 'lockdown', 'fail', /nothing is served/, /remove it/);
      assert.equal(down.code, 1);
      await gate.stop();
      const stopped = await doctor(person);
      stopped.is('gate', 'control', 'warn', /no gate runs/, /sidelock serve/);
      stopped.is('gate', 'lockdown', 'fail', /nothing is served/, /remove it/);
      rmSync(path.join(person.state, 'lockdown'));
    });

  it('one whose service is gone is not well', async () => {
    const person = new Person();
    person.do('init');
    person.do('add', 'gone', '--listen', `localhost:${await freePort()}`, '--dialect', 'opaque', '--restart', 'never', '--', 'false');
    const gate = await person.serve();
    await until(() => !['starting', 'ready'].includes(JSON.parse(person.do('status', '--json')).surfaces[0].service.state), 'an end of the service');
    const { code, is } = await doctor(person);
    is('surfaces', 'gone', 'fail', /its service/, /sidelock restart gone/);
    assert.equal(code, 1);
    await gate.stop();
  });

  it('one whose service starts, and is not served yet, is told apart', async () => {
    const person = new Person();
    person.do('init');
    person.do('add', 'slow', '--listen', `localhost:${await freePort()}`, '--dialect', 'opaque', '--', 'sleep', '600');
    const gate = await person.serve();
    await until(() => JSON.parse(person.do('status', '--json')).surfaces[0].service.state === 'starting', 'a start of the service');
    const { code, is } = await doctor(person);
    is('surfaces', 'slow', 'warn', /its service is starting, and is not served now/, /again in a while/);
    assert.equal(code, 0);
    await gate.stop();
  });

  // What is done with a client of the control socket.
  const silent = {
    'that says nothing': () => {},
    'that trickles': (socket) => {
      const timer = setInterval(() => socket.write('H'), 100);
      socket.on('close', () => clearInterval(timer));
    },
  };
  for (const [which, serve] of Object.entries(silent))
    it(`one ${which} is waited for, but not for long`, async () => {
      const person = new Person();
      await configured(person);
      const server = net.createServer((socket) => {
        socket.on('error', () => {});
        serve(socket);
      });
      servers.add(server);
      await new Promise((resolve) => server.listen(path.join(person.state, 'control.sock'), resolve));
      chmodSync(path.join(person.state, 'control.sock'), 0o600);
      const { code, is } = await doctor(person);
      is('gate', 'control', 'fail', /has given no answer within 3 s/, /lockdown/);
      assert.equal(code, 1);
      server.close();
    });

  it('one that is none is told apart', async () => {
    const person = new Person();
    await configured(person);
    const server = net.createServer((socket) => socket.on('error', () => {}).end('SSH-2.0\r\n'));
    servers.add(server);
    await new Promise((resolve) => server.listen(path.join(person.state, 'control.sock'), resolve));
    (await doctor(person)).is('gate', 'control', 'fail', /is no gate/, /ss -xlp/);
    server.close();
  });
});
