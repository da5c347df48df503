// What shells offer at a command line: bash and fish are asked, zsh reads its file without running it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, it } from 'node:test';

import { SIDELOCK, run, scratchDir } from './lib/gate.mjs';
import { MANUAL } from './lib/manual.mjs';

const dir = scratchDir();
const files = path.join(MANUAL, 'completions');
const env = { ...process.env, PATH: `${path.dirname(SIDELOCK)}:${process.env.PATH}`, HOME: dir };
let verbs;

before(async () => {
  const at = path.join(dir, 'nobody.sock');
  const surface = { why: 'w', can_do: 'c', dialect: 'opaque', listen: ['localhost:0'], upstream: { socket: at } };
  const config = path.join(dir, 'sidelock.json');
  const surfaces = { studio: surface, tools: surface };
  for (const each of Object.values(surfaces)) each.routes = [{ path: '/ws' }];
  writeFileSync(config, JSON.stringify({ state_dir: path.join(dir, 'state'), surfaces }));
  mkdirSync(path.join(dir, 'folder'));
  env.SIDELOCK_CONFIG = config;
  verbs = [...(await run(['help'])).stdout.matchAll(/^ {2}([a-z]+) +\S/gm)].map((match) => match[1]);
});

function lines(text) {
  return text.split('\n').filter(Boolean).sort();
}

// What bash offers for the last of these words.
function bash(...words) {
  const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sidelock; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['--norc', '-euc', script, path.join(files, 'sidelock.bash'), 'sidelock', ...words];
  const { stdout, stderr } = spawnSync('bash', args, { env, cwd: dir, encoding: 'utf8' });
  assert.equal(stderr, '');
  return lines(stdout);
}

function fish(line) {
  const script = `source $argv[1]; complete -C "$argv[2]"`;
  const args = ['--no-config', '-c', script, path.join(files, 'sidelock.fish'), line];
  const { stdout, stderr } = spawnSync('fish', args, { env, cwd: dir, encoding: 'utf8' });
  assert.equal(stderr, '');
  return lines(stdout).map((row) => row.split('\t')[0]);
}

async function options(verb) {
  const { stdout } = await run(['help', verb]);
  return [...stdout.slice(stdout.indexOf('\nOptions:')).matchAll(/^ {2}(-\S+)/gm)].map((match) => match[1]);
}

it('bash: verbs, actions, options, and what they take', async () => {
  assert.deepEqual(bash(''), [...verbs, '--version'].sort());
  assert.deepEqual(bash('re'), verbs.filter((verb) => verb.startsWith('re')).sort());
  assert.deepEqual(bash('session', 're'), ['renew', 'revoke']);
  assert.deepEqual(bash('session', '-c', 'x', 're'), ['renew', 'revoke'], 'what an option takes is no action');
  assert.deepEqual(bash('session', 'create', '--pr', 'x'), [], 'it is no option');
  assert.deepEqual(bash('session', 'create', '--print', ''), ['curl', 'env', 'mcp-json']);
  assert.deepEqual(bash('session', 'renew', '--'), ['--control', '--json', '--ttl'], 'those of the action');
  assert.deepEqual(bash('register', '--format', 'm'), ['md']);
  assert.deepEqual(bash('certs', 'init', '--dir', ''), ['folder']);
  assert.deepEqual(bash('status', '-c', 'side'), ['sidelock.json']);
  assert.deepEqual(bash('audit', 'tail', 'side'), ['sidelock.json']);
  for (const verb of verbs.filter((name) => !['params', 'session', 'audit', 'certs'].includes(name)))
    assert.deepEqual(bash(verb, '-'), (await options(verb)).sort(), verb);
});

it('bash: surfaces by the configuration, and commands behind --', () => {
  for (const call of [['kill'], ['kill', '--rehearse'], ['session', 'create'], ['restart'], ['vet', '--surface']])
    assert.deepEqual(bash(...call, ''), ['studio', 'tools'], call.join(' '));
  assert.deepEqual(bash('kill', 'studio', ''), [], 'it takes one');
  assert.deepEqual(bash('wrap', '--', 'bas').includes('bash'), true);
  assert.deepEqual(bash('wrap', '--', 'bash', 'fol'), ['folder']);
  assert.deepEqual(bash('kill', '--', 'bas'), []);
  assert.deepEqual(bash('nothing', ''), []);
});

it('fish: the same', async (t) => {
  if (spawnSync('fish', ['--version']).error) return t.skip('fish is not installed');
  assert.deepEqual(fish('sidelock '), [...verbs].sort());
  assert.deepEqual(fish('sidelock session re'), ['renew', 'revoke']);
  assert.deepEqual(fish('sidelock kill '), ['studio', 'tools']);
  assert.deepEqual(fish('sidelock session create '), ['studio', 'tools']);
  assert.deepEqual(fish('sidelock session create --print '), ['curl', 'env', 'mcp-json']);
  assert.deepEqual(fish('sidelock session renew --'), ['--control', '--json', '--ttl']);
  for (const verb of ['serve', 'wrap', 'explain'])
    assert.deepEqual(fish(`sidelock ${verb} -`), (await options(verb)).sort(), verb);
});

it('zsh: its file has no mistake, and names every verb', (t) => {
  if (spawnSync('zsh', ['--version']).error) return t.skip('zsh is not installed');
  const file = path.join(files, '_sidelock');
  const { status, stderr } = spawnSync('zsh', ['-fn', file], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  const script = 'autoload -Uz compinit; compinit -D -u; source $1 2>/dev/null; functions _sidelock';
  const { stdout } = spawnSync('zsh', ['-fc', script, 'zsh', file], { encoding: 'utf8', env });
  for (const verb of verbs) assert.match(stdout, new RegExp(`'${verb}:`), verb);
});
