// The units that the build made: systemd understands them, and they take as much from a gate as is said.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';

import { SIDELOCK, scratchDir } from './lib/gate.mjs';

const MADE = path.join(path.dirname(SIDELOCK), 'contrib');
const CONTRIB = path.join(new URL('.', import.meta.url).pathname, '../../contrib');
const missing = spawnSync('systemd-analyze', ['--version']).status !== 0 && 'systemd-analyze is not installed';

// A copy of a unit that starts this build; with a drop-in, if there is one.
function place(kind, name, dropIn) {
  const dir = scratchDir();
  const file = path.join(dir, name);
  const unit = readFileSync(path.join(MADE, kind, name), 'utf8');
  assert.match(unit, /^ExecStart=\/\S+\/bin\/sidelock serve -c \S+$/m);
  assert.doesNotMatch(unit, /@[A-Za-z_]+@/, 'all of it is filled in');
  writeFileSync(file, unit.replaceAll(/^(Exec\w+)=\S+/gm, `$1=${SIDELOCK}`));
  if (dropIn) {
    mkdirSync(`${file}.d`);
    cpSync(path.join(CONTRIB, 'systemd', dropIn), path.join(`${file}.d`, dropIn));
  }
  return file;
}

function verify(file, ...more) {
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...more, file], { encoding: 'utf8' });
  assert.doesNotMatch(stderr, /sidelock/);
}

function exposure(file) {
  const args = ['security', '--offline=yes', '--no-pager', file];
  const { stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)[1]);
}

it('units: systemd understands them', { skip: missing }, () => {
  for (const name of ['sidelock.service', 'sidelock@.service']) verify(place('system', name));
  verify(place('system', 'sidelock.service', 'launch.conf'));
  verify(place('user', 'sidelock.service'), '--user');
});

it('units: a gate without launched services is exposed by 1.5 at most, with them by 2.6', { skip: missing }, () => {
  for (const name of ['sidelock.service', 'sidelock@.service']) {
    assert.ok(exposure(place('system', name)) <= 1.5, name);
    assert.ok(exposure(place('system', name, 'launch.conf')) <= 2.6, `${name} with launch.conf`);
  }
});

it('units: launch.conf permits the namespaces that a service is made of', () => {
  const source = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
  const names = { NEWNS: 'mnt', NEWUSER: 'user', NEWPID: 'pid', NEWNET: 'net', NEWIPC: 'ipc', NEWUTS: 'uts', NEWCGROUP: 'cgroup' };
  const made = ['nest', 'settle'].flatMap((name) => [...source(`proxy/launch/keeper/${name}.c`).matchAll(/\bCLONE_(NEW[A-Z]+)/g)].map(([, flag]) => names[flag]));
  const [, permitted] = /^RestrictNamespaces=(.*)$/m.exec(source('contrib/systemd/launch.conf'));
  assert.deepEqual([...new Set(made)].sort(), permitted.split(' ').sort());
});

it('units: they are started again but with a wrong configuration, and their comments name the instance', () => {
  for (const [kind, name] of [['system', 'sidelock.service'], ['system', 'sidelock@.service'], ['user', 'sidelock.service']]) {
    const unit = readFileSync(path.join(MADE, kind, name), 'utf8');
    assert.match(unit, /^RestartSec=5$[^]*^RestartPreventExitStatus=78$/m);
    assert.doesNotMatch(unit, /^#.*(%i|sidelock@[^N])/m);
  }
  const another = readFileSync(path.join(MADE, 'system', 'sidelock@.service'), 'utf8');
  assert.match(another, /^#.*-s USR2 sidelock@NAME, .*\/var\/lib\/sidelock-gates\/NAME\/lockdown/m);
  assert.match(another, /^# sidelock check -c \/etc\/sidelock\/NAME\.json`/m);
});

it('units: one more gate has nothing of the first', () => {
  const first = readFileSync(path.join(MADE, 'system', 'sidelock.service'), 'utf8');
  const another = readFileSync(path.join(MADE, 'system', 'sidelock@.service'), 'utf8');
  for (const key of ['ExecStart', 'StateDirectory', 'RuntimeDirectory', 'ConditionPathExists']) {
    const [, one] = new RegExp(`^${key}=(.*)$`, 'm').exec(first);
    const [, other] = new RegExp(`^${key}=(.*)$`, 'm').exec(another);
    assert.notEqual(one, other, key);
    assert.match(other, /%i/, key);
  }
});

// proxy/setup/hidden.c has these four, and what is not there when a service starts cannot be hidden from it.
it('units: what a gate has is in a place that services of other gates never find', () => {
  const kept = readFileSync(path.join(CONTRIB, 'systemd/tmpfiles.conf'), 'utf8');
  for (const name of ['sidelock.service', 'sidelock@.service']) {
    const unit = readFileSync(path.join(MADE, 'system', name), 'utf8');
    for (const [key, above] of [['StateDirectory', '/var/lib'], ['RuntimeDirectory', '/run']]) {
      const [, place] = new RegExp(`^${key}=([^/\\n]*)`, 'm').exec(unit);
      assert.match(place, /^sidelock(-gates)?$/);
      assert.match(kept, new RegExp(`^d ${above}/${place} `, 'm'));
    }
    assert.match(unit, /^RuntimeDirectoryPreserve=yes$/m);
  }
});

it('units: logrotate takes its file', (t) => {
  const dir = scratchDir();
  const file = path.join(dir, 'sidelock');
  const text = readFileSync(path.join(CONTRIB, 'sidelock.logrotate'), 'utf8');
  writeFileSync(file, text.replace(/^ +su .*$/m, ''), { mode: 0o644 });
  const said = spawnSync('logrotate', ['-d', '-s', path.join(dir, 'state'), file], { encoding: 'utf8' });
  if (said.error) return t.skip('logrotate is not installed');
  assert.equal(said.status, 0, said.stderr);
  assert.doesNotMatch(said.stderr, /error/);
});
