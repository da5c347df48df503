// What a launched service may write is what its operator named, in whatever way it is tried (tests/services/writes.py);
// without a limit all of it can be done.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { Gate, scratchDir } from './lib/gate.mjs';
import { get, launched, startLaunched, untilState } from './lib/launched.mjs';
import { serviceFile } from './lib/programs.mjs';
import { stdio } from './lib/stdio_surface.mjs';
import { PEOPLE, Tree, freePort } from './lib/tree.mjs';

const SCRIPT = readFileSync(serviceFile('writes.py'), 'utf8');
const READ_ONLY = 'Read-only file system';
// A place that no service has to itself, as it has /tmp.
const ELSEWHERE = mkdtempSync(path.join(process.getuid() === 0 ? '/var/lib' : homedir(), 'sidelock-writes-'));
chmodSync(ELSEWHERE, 0o755);

after(() => rmSync(ELSEWHERE, { recursive: true }));

function place(who, base) {
  const dir = mkdtempSync(path.join(base, 'place-'));
  const made = [dir];
  for (const name of ['inside', 'outside']) {
    const directory = path.join(dir, name);
    mkdirSync(directory);
    made.push(directory);
    for (const file of ['file', 'other', 'script']) {
      writeFileSync(path.join(directory, file), 'content');
      made.push(path.join(directory, file));
    }
  }
  if (process.getuid() === 0) for (const file of made) chownSync(file, who.uid, who.uid);
  return { inside: path.join(dir, 'inside'), outside: path.join(dir, 'outside') };
}

for (const who of PEOPLE) {
  const tryAll = async ({ inside, outside }, ...options) => {
    const tree = new Tree(['python3', '-c', SCRIPT, inside, outside], { who, options });
    await tree.said('wrote: ');
    await tree.end();
    return { ...JSON.parse(/^wrote: (.*)$/m.exec(tree.stderr)[1]), held: tree.events[0].held.split(', ') };
  };
  const all = (results, what) => assert.deepEqual(results, Object.fromEntries(Object.keys(results).map((way) => [way, what(way)])));

  describe(`writes, launched by ${who.name}`, () => {
    it('are in no way possible but where they are named', async () => {
      const where = place(who, ELSEWHERE);
      const { inside, outside, else: others, entries, held } = await tryAll(where, `--write=${where.inside}`);
      all(inside, (way) => (way === "by the keeper's root" ? 'Permission denied' : 'done'));
      all(outside, (way) => (way === "by the keeper's root" ? 'Permission denied' : READ_ONLY));
      assert.deepEqual(others, { 'to another directory': 'done', 'out of it': 'Invalid cross-device link', temporary: 'done', memory: 'done', nothing: 'done', itself: 'done' });
      assert.deepEqual(readdirSync(where.outside).sort(), ['file', 'other', 'script']);
      assert.equal(readFileSync(path.join(where.outside, 'file'), 'utf8'), 'content');
      assert.deepEqual(entries, [], 'a /tmp of its own');
      assert.ok(held.includes('write'), held.join());
    });

    it('are nowhere possible but in what is its own, where nothing is named', async () => {
      const where = place(who, ELSEWHERE);
      const { inside, outside, else: others } = await tryAll(where, '--write-nothing');
      for (const results of [inside, outside]) all(results, (way) => (way === "by the keeper's root" ? 'Permission denied' : READ_ONLY));
      assert.deepEqual([others.temporary, others.memory], ['done', 'done']);
    });

    it("are possible below the host's /tmp where something there is named, and not beside it", async () => {
      const dir = scratchDir();
      chmodSync(dir, 0o755);
      const where = place(who, dir);
      const { inside, outside, entries } = await tryAll(where, `--write=${where.inside}`);
      assert.deepEqual([inside.make, outside.make, inside.socket, outside.socket], ['done', READ_ONLY, 'done', READ_ONLY]);
      assert.ok(entries.length > 0, "the host's");
    });

    it('are all possible where nothing is said', async () => {
      const { inside, outside, held } = await tryAll(place(who, ELSEWHERE));
      for (const results of [inside, outside]) all(results, (way) => (way === "by the keeper's root" ? 'Permission denied' : 'done'));
      assert.equal(held.includes('write'), false);
    });
  });
}

describe('the writes of a service of a gate', () => {
  const python = ['/usr/bin/python3', '-c', 'import http.server, sys; http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]))'];

  it('are limited beside its programs, and status, register and check know of it', async () => {
    const where = place(PEOPLE[0], ELSEWHERE);
    const gate = await startLaunched({ one: launched([...python, await freePort()], { upstream: { cwd: where.outside, write: [where.inside], require: ['write'] } }) });
    await untilState(gate, 'one', 'ready');
    assert.equal((await get(gate, 'one', '/file')).status, 200);
    const row = (await gate.doJson('status')).fences.find((fences) => fences.process === 'service one');
    assert.deepEqual([row.held.includes('write'), row.missing.includes('write')], [true, false]);
    const isolation = (await gate.doJson('register')).rows[0].isolation_boundary.value;
    assert.ok(isolation.includes(`; it may write nothing but what is its own, ${where.inside}; `), isolation);
  });

  it('are refused a configuration that names what is not there, a link, or nothing that it could find', async () => {
    const where = place(PEOPLE[0], ELSEWHERE);
    const warned = await new Gate(scratchDir(), { surfaces: { one: launched(python, { upstream: { write: [where.inside] } }) } }).cli('check', '--json');
    assert.equal(JSON.parse(warned.stdout).warnings.some((text) => text.includes('The service of "one" is root')), process.getuid() === 0, warned.stdout);
    const link = path.join(where.inside, 'link');
    symlinkSync(where.outside, link);
    const program = path.join(scratchDir(), 'program');
    writeFileSync(program, '#!/usr/bin/python3\n', { mode: 0o755 });
    const faultsOf = async (command, upstream) => {
      const gate = new Gate(scratchDir(), { surfaces: { one: launched(command, { upstream }) } });
      const { code, stdout } = await gate.cli('check', '--json');
      assert.equal(code, 78, stdout);
      return JSON.parse(stdout).faults.map(({ pointer, text }) => `${pointer.replace('/surfaces/one/upstream/', '')}: ${text}`);
    };
    assert.deepEqual(await faultsOf(python, { write: [`${where.inside}/none`] }), [`write/0: ${where.inside}/none: No such file or directory; make it first.`]);
    assert.deepEqual(await faultsOf(python, { write: [where.inside, link] }), [`write/1: ${link} leads by a link: name ${where.outside}.`]);
    assert.match((await faultsOf([program], { write: [] }))[0], /^command\/0: .* is in \/tmp, in whose place a service has an empty directory of its own/);
    const tool = path.join(where.inside, 'tool');
    writeFileSync(tool, '#!/usr/bin/python3\n', { mode: 0o755 });
    const [fault] = await faultsOf(python, { executables: [tool], write: [path.dirname(where.inside)] });
    assert.equal(fault, `write/0: Who may write ${path.dirname(where.inside)} can replace ${tool}, which this service may execute or have code from: name what lies beside it.`);
    // Where sessions' records say what is started, each session would be refused.
    const recorded = new Gate(scratchDir(), {
      executables: [{ path: '/usr/bin/python3' }],
      surfaces: { one: stdio(undefined, { upstream: { write: [where.inside] } }), two: launched([tool], {}) },
    });
    const judged = JSON.parse((await recorded.cli('check', '--json')).stdout);
    assert.deepEqual(
      judged.faults.map(({ pointer, text }) => `${pointer}: ${text}`),
      [`/surfaces/one/upstream/write/0: Who may write ${where.inside} can replace ${tool}, which the service of "two" may execute or have code from: name what lies beside it.`],
    );
    assert.match((await faultsOf(python, { require: ['write'] }))[0], /^require\/0: This service is promised no fence "write" that could be required; by its configuration these are: privileges, calls, /);
  });
});
