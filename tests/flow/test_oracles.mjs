// What the gate reads in a message is what other parsers read in it: a million mutated messages, odd
// values among them, vetted by the gate's own code (mutate.c), and each accepted one read by Node
// and by Python too. Verb, target, id and keys agree in all of them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const MUTATE = path.join(path.dirname(process.env.SIDELOCK), 'tests/sidelock_mutate');
const PYTHON_READER = fileURLToPath(new URL('./lib/oracle.py', import.meta.url));
const BATCHES = 10;
const MESSAGES = 100_000; // of a batch

const TARGETS = {
  'tools/call': [['name']],
  'prompts/get': [['name']],
  'resources/read': [['uri']],
  'completion/complete': [['ref', 'name'], ['ref', 'uri']],
};

function run(command, args, input) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const out = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stdin.on('error', () => {}); // it may have found what it looks for
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(out) }));
  });
}

function* blocks(bytes) {
  for (let at = 0; ; ) {
    const length = bytes.readUInt32LE(at);
    if (length === 0xffffffff) return;
    yield bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function heard(message) {
  const targets = ((message.id !== undefined && TARGETS[message.method]) || [])
    .map((keys) => keys.reduce((value, key) => (isObject(value) ? value[key] : undefined), message.params))
    .filter((value) => value !== undefined);
  const keys = Object.keys(message);
  if (isObject(message.params)) keys.push(...Object.keys(message.params).map((key) => `params/${key}`));
  return {
    id: message.id ?? null,
    verb: message.method ?? null,
    target: targets.length === 0 ? null : targets.length === 1 ? targets[0] : targets,
    keys: keys.sort(),
  };
}

function said({ id, verb, target, keys }) {
  const read = id === null ? null : id.startsWith('"') ? id.slice(1, -1) : Number(id);
  return { id: read, verb, target, keys: keys.sort() };
}

describe('a million mutated messages', { skip: existsSync(MUTATE) ? false : 'needs the tests of the build' }, () => {
  it('Node and Python read what the gate read in every one that it accepts', { timeout: 600_000 }, async (t) => {
    const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    let accepted = 0;
    for (let seed = 1; seed <= BATCHES; seed++) {
      const { code, stdout } = await run(MUTATE, [String(seed), String(MESSAGES)], '');
      assert.equal(code, 0);
      const python = run('python3', [PYTHON_READER], stdout);
      const stream = blocks(stdout);
      let count = 0;
      for (const text of stream) {
        const reading = said(JSON.parse(stream.next().value));
        assert.deepEqual(heard(JSON.parse(utf8.decode(text))), reading, text.toString());
        count++;
      }
      const told = await python;
      assert.equal(told.stdout.toString().trim(), String(count), `seed ${seed}`);
      accepted += count;
    }
    t.diagnostic(`${accepted} of ${BATCHES * MESSAGES} accepted`);
    assert.ok(accepted > (BATCHES * MESSAGES) / 20, `${accepted} accepted`);
  });
});
