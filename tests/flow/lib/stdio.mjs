// `sidelock connect` with its standard input and output in our hands, line by line.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after } from 'node:test';

import { SIDELOCK } from './gate.mjs';
import { until, within } from './wait.mjs';

// What a failed test may leave behind would keep the program from ending.
const started = new Set();
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

export class Connected {
  constructor(args, env = {}) {
    this.lines = []; // every line of its output, parsed
    this.stderr = '';
    this.child = spawn(SIDELOCK, ['connect', ...args], { env: { ...process.env, ...env } });
    started.add(this.child);
    let rest = [];
    this.child.stdout.on('data', (chunk) => {
      rest.push(chunk);
      if (!chunk.includes('\n')) return;
      const parts = Buffer.concat(rest).toString().split('\n');
      rest = [Buffer.from(parts.pop())];
      for (const part of parts) this.lines.push(JSON.parse(part));
    });
    this.child.stderr.on('data', (chunk) => (this.stderr += chunk));
    this.child.stdin.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        started.delete(this.child);
        assert.equal(Buffer.concat(rest).toString(), '', 'the output ends with a whole line');
        assert.doesNotMatch(this.stderr, /Sanitizer|runtime error:/);
        resolve({ code, signal });
      });
    });
  }

  // Through a gate's own control socket.
  static to(gate, ...args) {
    return new Connected([...args, '--control', gate.controlSocket]);
  }

  say(message) {
    this.child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  // The first message that fits, taken out of `lines`.
  async hear(fits, what = 'a message', timeoutMs) {
    let at = -1;
    await until(
      () => (at = this.lines.findIndex(fits)) >= 0,
      () => `${what}; there are:\n${this.lines.map((l) => JSON.stringify(l)).join('\n')}\n${this.stderr}`,
      timeoutMs,
    );
    return this.lines.splice(at, 1)[0];
  }

  answer(id, timeoutMs) {
    return this.hear((line) => line.id === id && !line.method, `the answer to ${id}`, timeoutMs);
  }

  ask(id, method, params, timeoutMs) {
    this.say({ jsonrpc: '2.0', id, method, ...(params ? { params } : {}) });
    return this.answer(id, timeoutMs);
  }

  // The handshake of the older revisions, as any client does it.
  async initialize(protocolVersion = '2025-11-25') {
    const answer = await this.ask(0, 'initialize', {
      protocolVersion,
      capabilities: { elicitation: {} },
      clientInfo: { name: 'flow', version: '1.0.0' },
    });
    assert.ok(answer.result, JSON.stringify(answer));
    this.say({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return answer.result;
  }

  // Ends its input and waits: {code, signal}.
  async finish(timeoutMs) {
    this.child.stdin.end();
    return this.end(timeoutMs);
  }

  end(timeoutMs) {
    return within(this.ended, () => `the end of connect: ${this.stderr}`, timeoutMs);
  }
}
