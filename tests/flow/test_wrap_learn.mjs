// `sidelock wrap --learn`: what a service does is said at its end, and the policy that is printed is one with which it works, and does nothing else.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import net from 'node:net';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { get, launched, startLaunched } from './lib/launched.mjs';
import { PEOPLE, freePort } from './lib/tree.mjs';
import { Wrapped, runtimeDir, service } from './lib/wrapped.mjs';

// A place that no service has to itself, as it has /tmp.
const ELSEWHERE = mkdtempSync(path.join(process.getuid() === 0 ? '/var/lib' : homedir(), 'sidelock-learn-'));
chmodSync(ELSEWHERE, 0o755);
after(() => rmSync(ELSEWHERE, { recursive: true }));

function place(who) {
  const dir = mkdtempSync(path.join(ELSEWHERE, 'place-'));
  for (const name of ['', 'data', 'data/a', 'data/b', 'else']) {
    mkdirSync(path.join(dir, name), { recursive: true });
    if (process.getuid() === 0) chownSync(path.join(dir, name), who.uid, who.uid);
  }
  copyFileSync(service('learnt.py'), path.join(dir, 'learnt.py'));
  chmodSync(path.join(dir, 'learnt.py'), 0o644);
  return dir;
}

// The words of the command line that was printed, as a shell reads them, without "sidelock wrap".
async function printed(wrapped) {
  const line = /^sidelock wrap .*$/m.exec(wrapped.text)?.[0];
  assert.ok(line, wrapped.text);
  const { stdout } = await wrapped.as(['sh', '-c', `set -- ${line}\nprintf '%s\\0' "$@"`]);
  const words = stdout.split('\0').slice(2, -1);
  const end = words.indexOf('--');
  return { options: words.slice(0, end), command: words.slice(end + 1) };
}

const upstreamOf = (wrapped) => JSON.parse(/"upstream":\n(\{\n[^]*?\n\})\n/.exec(wrapped.text)[1]);
const asked = async (wrapped, token, ...targets) => {
  const said = [];
  for (const target of targets) said.push((await wrapped.get(target, { token })).text);
  return said;
};

async function learn(command, targets, { who, cwd, options = [], runtime = runtimeDir(who), expect = /^done/ }) {
  const wrapped = await new Wrapped(command, { options: ['--learn', ...options], runtime, who, cwd }).ready();
  const token = await wrapped.token();
  assert.equal((await wrapped.get('/')).status, 401);
  for (const said of await asked(wrapped, token, ...targets)) assert.match(said, expect);
  wrapped.child.kill('SIGTERM');
  await wrapped.end();
  return wrapped;
}

for (const who of PEOPLE) {
  describe(`what a server needs, learnt by ${who.name}`, () => {
    it('is printed, and with that it works and does nothing else', async () => {
      const dir = place(who);
      const [port, inner] = [await freePort(), await freePort()];
      const outside = net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => outside.on('listening', resolve));
      const outer = outside.address().port;
      const data = path.join(dir, 'data');
      const same = ['/run?git+--version', `/write?${data}/file`, `/move?${data}/a/new+${data}/b/new`, '/temporary', `/listen?${inner}`, `/connect?${inner}`];
      const policy = path.join(runtimeDir(who), 'policy.json');
      const learnt = await learn(['/usr/bin/python3', 'learnt.py', port], [...same, `/make?${data}/deep/er`, `/connect?${outer}`], { who, cwd: dir, options: ['--policy', policy] });
      outside.close();
      const report = /what python3 did in this run:\n([^]*?)sidelock: nothing else is known of it/.exec(learnt.text)[1];
      for (const line of ['executed /usr/bin/git', `wrote ${data}`, 'wrote temporary files', `listened on ${port}/tcp`, `listened on ${inner}/tcp`, `connected to 127.0.0.1:${outer}/tcp`])
        assert.ok(report.includes(`sidelock:   ${line}`), `${line} in:\n${report}`);
      assert.ok(!report.includes(`127.0.0.1:${inner}`), 'what it connects to of its own is none');
      assert.ok(!report.includes('connected to @'), `nor what its fences are tried with:\n${report}`);
      assert.doesNotMatch(learnt.stdout, /sidelock/);

      const { options, command } = await printed(learnt);
      assert.deepEqual(command, ['/usr/bin/python3', 'learnt.py', String(port)]);
      const upstream = upstreamOf(learnt);
      assert.deepEqual(upstream, { command, cwd: dir, executables: ['/usr/bin/git'], write: [data], port });
      assert.deepEqual(JSON.parse(readFileSync(policy, 'utf8')), upstream);
      assert.equal(statSync(policy).mode & 0o777, 0o600);

      const other = ['/run?/usr/bin/true', `/write?${dir}/else/file`, `/write?${dir}/file`];
      const refusals = [/PermissionError/, /Read-only file system/, /Read-only file system/];
      const wrapped = await new Wrapped(command, { options, who, cwd: dir, runtime: runtimeDir(who) }).ready();
      assert.equal(wrapped.port, port);
      const token = await wrapped.token();
      for (const said of await asked(wrapped, token, ...same)) assert.match(said, /^done/);
      for (const [i, said] of (await asked(wrapped, token, ...other)).entries()) assert.match(said, refusals[i]);
      await wrapped.stop();

      if (who.uid !== process.getuid()) return; // a gate of a configuration is whoever runs the tests
      const gate = await startLaunched({ learnt: { ...launched([]), upstream } });
      for (const target of same) assert.match((await get(gate, 'learnt', target)).body, /^done/);
      for (const [i, target] of other.entries()) assert.match((await get(gate, 'learnt', target)).body, refusals[i]);
      await gate.stop();
    });

    // Two directories that are named apart are two file systems to it (EXDEV).
    it('is the directory above two between which it moves a file', async () => {
      const dir = place(who);
      const port = await freePort();
      const command = ['/usr/bin/python3', 'learnt.py', String(port)];
      const target = `/move?${dir}/data/a/new+${dir}/data/b/new`;
      const learnt = await learn(command, [target], { who, cwd: dir });
      assert.deepEqual(upstreamOf(learnt).write, [path.join(dir, 'data')]);
      const { options } = await printed(learnt);
      const wrapped = await new Wrapped(command, { options, who, cwd: dir, runtime: runtimeDir(who) }).ready();
      assert.deepEqual(await asked(wrapped, await wrapped.token(), target), ['done ']);
      await wrapped.stop();
    });

    // Node maps its own program as code, which is no library that would have to be named.
    it('is nothing for a Node that answers', async () => {
      const port = await freePort();
      const command = ['node', '-e', `require('node:http').createServer((ask, answer) => answer.end('done')).listen(${port}, '127.0.0.1')`];
      const learnt = await learn(command, ['/'], { who, cwd: '/usr' });
      assert.deepEqual(upstreamOf(learnt), { command, cwd: '/usr', write: [] });
      const { options } = await printed(learnt);
      assert.deepEqual(options, ['--read-only']);
      const wrapped = await new Wrapped(command, { options, who, cwd: '/usr', runtime: runtimeDir(who) }).ready();
      assert.deepEqual(await asked(wrapped, await wrapped.token(), '/'), ['done']);
      await wrapped.stop();
    });
  });
}

describe('what is learnt', () => {
  it('is of a server with a port, and goes to a file only then', async () => {
    for (const [options, why] of [[['--learn', '--stdio'], /--learn is for a server with a port/], [['--policy', 'x'], /--policy goes with --learn/]]) {
      const wrapped = new Wrapped(['true'], { options });
      assert.equal(await wrapped.end(), 64);
      assert.match(wrapped.text, why);
    }
  });
});
