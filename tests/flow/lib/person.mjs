// Somebody with an empty home, who runs what stands in the pages: `sidelock init`, `add`, `serve`.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';

import { scratchDir } from './gate.mjs';
import { PEOPLE } from './tree.mjs';
import { within } from './wait.mjs';
import { sidelockFor } from './wrapped.mjs';

const running = new Set();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

// Somebody with a home of his own and nothing else in his environment.
export class Person {
  constructor(who = PEOPLE[0], env = {}) {
    this.who = who;
    this.home = scratchDir();
    if (who.uid !== process.getuid()) chownSync(this.home, who.uid, who.uid);
    this.program = sidelockFor(who);
    this.env = { PATH: process.env.PATH, HOME: this.home, ...env };
    for (const [name, value] of Object.entries(this.env)) this.env[name] = value.replace('@', this.home);
    this.config = path.join(this.env.XDG_CONFIG_HOME ?? path.join(this.home, '.config'), 'sidelock/sidelock.json');
    this.state = path.join(this.env.XDG_STATE_HOME ?? path.join(this.home, '.local/state'), 'sidelock');
  }

  run(...words) {
    const [file, ...args] = [...this.who.prefix, ...words];
    const { status, stdout, stderr } = spawnSync(file, args, { cwd: this.home, env: this.env, encoding: 'utf8', timeout: 60_000 });
    return { code: status, stdout, stderr };
  }

  sidelock(...words) {
    return this.run(this.program, ...words.map(String));
  }

  do(...words) {
    const { code, stdout, stderr } = this.sidelock(...words);
    assert.equal(code, 0, `sidelock ${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  // Refused with a code and a sentence, and the configuration is what it was.
  refused(words, code, sentence, text = this.text()) {
    const result = this.sidelock(...words);
    assert.match(result.stderr, sentence);
    assert.equal(result.code, code, result.stderr);
    assert.equal(this.text(), text);
    assert.deepEqual(this.text() === undefined ? [] : readdirSync(path.dirname(this.config)).filter((name) => name.startsWith('.')), [], 'nothing is left beside it');
  }

  text() {
    return existsSync(this.config) ? readFileSync(this.config, 'utf8') : undefined;
  }

  async serve() {
    const [file, ...args] = [...this.who.prefix, this.program, 'serve', '--ready-fd', '3'];
    const child = spawn(file, args, { cwd: '/', env: this.env, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    running.add(child);
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    const ended = new Promise((resolve) => child.on('close', () => resolve(running.delete(child))));
    const ready = new Promise((resolve, reject) => {
      child.stdio[3].once('data', resolve);
      ended.then(() => reject(new Error(`it ended:\n${said}`)));
    });
    await within(ready, () => `a gate that is ready; it said:\n${said}`);
    return { stop: () => child.kill('SIGTERM') && within(ended, 'the end of the gate') };
  }

  // What curl has for an answer, as whoever this is.
  async get(port, token) {
    const words = ['curl', '-s', '-w', '\n%{http_code}', ...(token ? ['-H', `Authorization: Bearer ${token}`] : []), `http://localhost:${port}/`];
    const [file, ...args] = [...this.who.prefix, ...words];
    const child = spawn(file, args, { cwd: '/', env: this.env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    await within(new Promise((resolve) => child.on('close', resolve)), 'curl');
    return { status: Number(text.slice(text.lastIndexOf('\n') + 1)), text };
  }
}

export const server = (port) => ['python3', '-m', 'http.server', port];
export const add = (name, port, ...more) => ['add', name, '--listen', `localhost:${port}`, '--dialect', 'opaque', ...more, '--', ...server(port)];
