// What a launched service may execute is what its operator named, whatever its processes try; each try is one way of
// executions.c. What remains to an interpreter on the list is measured as well.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { scratchDir } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { launched, startLaunched, stateOf } from './lib/launched.mjs';
import { serviceFile } from './lib/programs.mjs';
import { PEOPLE, Tree, executions, freePort, get } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const LOADER = realpathSync(process.arch === 'x64' ? '/lib64/ld-linux-x86-64.so.2' : '/lib/ld-linux-aarch64.so.1');
const BELOW = existsSync('/usr/lib/apt/methods/store');
// A memfd can be sealed from kernel 6.3 on.
const SEALS = spawnSync('python3', ['-c', 'import os; os.memfd_create("x", 8)']).status === 0;

const permitted = (...files) => [...files, LOADER].map((file) => `--execute=${file}`);

function place() {
  const dir = mkdtempSync(path.join(scratchDir(), 'place-'));
  chmodSync(dir, 0o777);
  chmodSync(path.dirname(dir), 0o755);
  return dir;
}

for (const who of PEOPLE) {
  // Runs all ways to their end and returns what became of each.
  const tryAll = async (t, limit) => {
    const dir = place();
    const hidden = path.join(dir, 'hidden.sock');
    const accomplicePath = path.join(dir, 'accomplice.sock');
    const control = net.createServer().listen(hidden);
    t.after(() => control.close());
    await until(() => existsSync(hidden), 'the hidden socket');
    chmodSync(hidden, 0o777);
    const [program, ...give] = [...who.prefix, ...executions('give', accomplicePath)];
    const accomplice = spawn(program, give, { cwd: '/' });
    t.after(() => accomplice.kill('SIGKILL'));
    let said = '';
    accomplice.stderr.on('data', (chunk) => (said += chunk));
    await until(() => said.includes('giving'), 'the accomplice');
    const command = executions(dir, accomplicePath, hidden, accomplice.pid);
    const tree = new Tree(command, { who, options: [`--hide=${hidden}`, ...(limit ? permitted(command[0]) : [])] });
    await tree.said('end: done', 60_000);
    await tree.end();
    assert.equal(accomplice.exitCode ?? accomplice.signalCode, null, 'the neighbour lives');
    const results = Object.fromEntries([...tree.stderr.matchAll(/^(.*): (.*)$/gm)].map(([, way, what]) => [way, what]));
    const told = tree.events.filter((event) => event.event === 'refused' && event.path !== '').map((event) => event.path);
    return { results, told, dir };
  };

  describe(`executables, launched by ${who.name}`, () => {
    it('that are not named are refused in every way, and told; the named one runs', async (t) => {
      const { results, told, dir } = await tryAll(t, true);
      const expected = {
        descriptors: '3',
        itself: 'ran',
        '/proc/self/exe': 'ran',
        'the loader, on itself': 'ran',
        sh: 'EACCES',
        bash: existsSync('/bin/bash') ? 'EACCES' : 'ENOENT',
        python3: existsSync('/usr/bin/python3') ? 'EACCES' : 'ENOENT',
        'systemd-run': existsSync('/usr/bin/systemd-run') ? 'EACCES' : 'ENOENT',
        'the loader, on sh': 'failed',
        'a program below /usr/lib': BELOW ? 'EACCES' : 'ENOENT',
        'the loader, on that': 'failed',
        'a copy': 'EACCES',
        'the loader, on a copy': 'failed',
        'a link to a program': results['a link to a program'],
        'a link to a copy': 'EACCES',
        'a link to itself': 'EXDEV',
        'a script': 'EACCES',
        'a copy mapped as code': 'EPERM',
        'its own program changed': 'EROFS',
        'a file moved to another directory': 'done',
        'a memfd': 'EACCES',
        'a memfd, by its path': 'EACCES',
        'a memfd, by /dev/fd': 'EACCES',
        'a memfd made executable': SEALS ? 'EPERM' : 'done',
        // Code, and not a program: what a permitted program loads into itself is not judged.
        'the loader, on a memfd': 'ran',
        'a memfd that is to be executed': SEALS ? 'EACCES' : 'EINVAL',
        'a memfd received': 'EACCES',
        'a memfd received, by its path': 'EACCES',
        'a memfd received, by /dev/fd': 'EACCES',
        'a hidden socket': 'ECONNREFUSED',
        'a neighbour traced': 'ESRCH',
        'a neighbour ended': 'ESRCH',
        'a file system of its own': 'EPERM',
        'a file system that is mounted nowhere': 'ENOSYS',
        'its place mounted anew': 'EPERM',
        end: 'done',
      };
      assert.deepEqual(results, expected);
      // Whether it can be made depends on fs.protected_hardlinks and on where the programs lie.
      assert.match(results['a link to a program'], /^(EACCES|EPERM|EXDEV)$/);
      for (const file of ['/bin/sh', path.join(dir, 'copy'), path.join(dir, 'script')]) assert.ok(told.includes(file), file);
    });

    it('are all there is where none are named', async (t) => {
      const { results, told } = await tryAll(t, false);
      for (const way of ['itself', 'sh', 'the loader, on sh', ...(BELOW ? ['a program below /usr/lib', 'the loader, on that'] : []), 'a copy', 'the loader, on a copy', 'a link to a copy', 'a script', 'a memfd', 'a memfd, by its path', 'a memfd received']) {
        assert.equal(results[way], 'ran', way);
      }
      assert.equal(results['a hidden socket'], 'ECONNREFUSED');
      assert.deepEqual(told, []);
    });

    it('leave an interpreter what its scripts do by themselves: its own code, files, connections, itself again', async () => {
      const dir = place();
      const port = await freePort();
      const script = path.join(dir, 'script.cjs');
      writeFileSync(script, `
        const { spawnSync } = require('node:child_process');
        const { readFileSync, writeFileSync } = require('node:fs');
        const net = require('node:net');
        const say = (what, done) => console.error(what + ': ' + done);
        const attempt = (what, act) => { try { act(); say(what, 'done'); } catch (error) { say(what, error.code); } };
        attempt('reads', () => readFileSync('/etc/passwd'));
        attempt('writes', () => writeFileSync(${JSON.stringify(path.join(dir, 'written'))}, 'x'));
        const run = (file, args) => { const { error, status } = spawnSync(file, args); return error?.code ?? status; };
        say('itself', run(process.execPath, ['-e', '']));
        say('a script that names it', run(${JSON.stringify(path.join(dir, 'named'))}, []));
        say('sh', run('/bin/sh', ['-c', '']));
        net.connect(${port}, '127.0.0.1').on('error', (error) => say('connects', error.code)).on('connect', () => say('connects', 'done'))
          .on('close', () => say('end', 'done'));
      `);
      writeFileSync(path.join(dir, 'named'), `#!${process.execPath}\n`);
      chmodSync(path.join(dir, 'named'), 0o755);
      const server = net.createServer((socket) => socket.end()).listen(port, '127.0.0.1');
      const node = realpathSync(process.execPath);
      const tree = new Tree([node, script], { who, options: permitted(node) });
      await tree.said('end: done');
      await tree.end();
      server.close();
      assert.equal(tree.stderr, 'reads: done\nwrites: done\nitself: 0\na script that names it: EACCES\nsh: EACCES\nconnects: done\nend: done\n');
    });
  });
}

it("a surface's executables: what starts them is found, what is refused is in the log", async () => {
  const port = await freePort();
  const dir = scratchDir();
  const script = path.join(dir, 'serve.cjs');
  writeFileSync(script, `#!/usr/bin/env node
    const { execFileSync } = require('node:child_process');
    const strange = require('node:path').join(__dirname, 'a "b"\\n\\u202ec');
    const run = (file, ...args) => { try { return execFileSync(file, args).toString(); } catch (error) { return error.code; } };
    require('node:http').createServer((request, answer) => answer.setHeader('Content-Type', 'application/json').end(JSON.stringify([run('/usr/bin/id', '-u'), run('/bin/sh', '-c', 'echo x'), run(strange), run('/bin/sh')]))).listen(${port});
  `);
  chmodSync(script, 0o755);
  const strange = path.join(dir, 'a "b"\n\u202ec');
  copyFileSync('/usr/bin/true', strange);
  const gate = await startLaunched({ one: launched([script], { upstream: { executables: ['/usr/bin/id'] } }) });
  const { token } = await gate.session('one');
  const { json } = await ask(gate, 'one', '/', { token });
  assert.deepEqual(json, [`${process.getuid()}\n`, 'EACCES', 'EACCES', 'EACCES']);
  await until(() => gate.stderr.includes('of its service may not execute "/bin/sh": "executables" does not name it'), () => gate.stderr);
  const { pid } = await stateOf(gate, 'one');
  const refused = { event: 'execution_refused', surface: 'one', reason: 'executable_refused', cause: 'service', pid };
  await gate.audited(0, { ...refused, path: strange });
  const lines = gate.auditLines().filter((line) => line.event === 'execution_refused').map((line) => line.path);
  assert.deepEqual(lines, ['/bin/sh', strange], 'once each');
});

it('of many that are refused 32 are told, and once that there are more', async () => {
  const port = await freePort();
  const dir = scratchDir();
  const files = Array.from({ length: 35 }, (_, i) => path.join(dir, `file${i}`));
  for (const file of files) writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 });
  const script = path.join(dir, 'serve.cjs');
  writeFileSync(script, `#!/usr/bin/env node
    const run = (file) => { try { require('node:child_process').execFileSync(file); } catch { /* refused */ } };
    require('node:http').createServer((request, answer) => (${JSON.stringify(files)}.forEach(run), answer.end())).listen(${port});
  `, { mode: 0o755 });
  const gate = await startLaunched({ one: launched([script]) });
  const { token } = await gate.session('one');
  assert.equal((await ask(gate, 'one', '/', { token })).status, 200);
  await gate.audited(0, { event: 'execution_refused', why: 'more files, which are not told until it starts again' });
  const lines = gate.auditLines().filter((line) => line.event === 'execution_refused');
  assert.deepEqual(lines.map((line) => line.path), [...files.slice(0, 32), undefined]);
  assert.equal(gate.stderr.split('its service was refused 32 files, and now others, which are not told until it starts again').length, 2);
});

// The host here is a mount namespace of the test's, whose mounts go on to others as systemd has them.
describe('what the host mounts later', { skip: PEOPLE[0].uid !== 0 && 'needs root to mount' }, () => {
  const python = realpathSync('/usr/bin/python3');
  const host = { prefix: ['unshare', '--mount', '--propagation', 'shared'] };
  const service = readFileSync(serviceFile('launched.py'), 'utf8');
  const cases = [
    ['is not there for a service whose executables are named', permitted(python), '1 entries'],
    ['is not there for one that may write nothing', ['--write-nothing'], '1 entries'],
    ['is there for one that may do either', [], '2 entries'],
  ];

  for (const [what, options, expected] of cases) {
    it(what, async (t) => {
      const folder = mkdtempSync('/var/lib/sidelock-later-'); // what writes nothing has a /tmp of its own
      t.after(() => rmSync(folder, { recursive: true }));
      chmodSync(folder, 0o755);
      writeFileSync(path.join(folder, 'before'), '');
      const port = await freePort();
      const tree = new Tree(['python3', '-c', service, port], { who: host, options });
      await tree.port(port);
      const socketPath = await tree.expose(port);
      const read = async () => JSON.parse((await get(socketPath, `/read?${folder}`)).body);
      assert.equal(await read(), '1 entries');
      const mounted = spawnSync('nsenter', [`--target=${tree.child.pid}`, '--mount', 'sh', '-ec', 'mount -t tmpfs none "$1"; touch "$1/a" "$1/b"', 'sh', folder], { encoding: 'utf8' });
      assert.equal(mounted.status, 0, mounted.stderr);
      assert.equal(await read(), expected);
      await tree.kill();
    });
  }
});
