// The audit log as a witness: what a client sends cannot act on the terminal of
// whoever reads it, and what happened last is in it as well.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, run, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { Raw, open as upgraded } from './lib/raw.mjs';
import { smallDisk } from './lib/small_disk.mjs';
import { until, within } from './lib/wait.mjs';

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'service.sock'));

before(() => service.start());
const gates = [];
after(async () => {
  for (const gate of gates) gate.child?.kill('SIGKILL'); // what a failed test left behind
  await service.stop();
});

function config(more = {}) {
  return {
    surfaces: { mcp: surface(service.socketPath, { dialect: 'mcp', allow: { verbs: ['tools/list'] } }) },
    ...more,
  };
}

// What a terminal may act on, or what hides or turns text around; the last is a tag.
const HIDDEN = [
  0x80, 0x85, 0x9b, 0x9d, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069,
  0xfeff, 0xfff9, 0xfffb, 0xe0041,
].map((code) => String.fromCodePoint(code));
const EVIL = `x${HIDDEN.join('31m')}é`;
const ACTS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]|\u{e0041}/u;

function harmless(text, what) {
  assert.doesNotMatch(text, ACTS, `${what}: ${JSON.stringify(text)}`);
}

describe('finding 13: what a client sends cannot act on a terminal', () => {
  let gate;
  before(async () => (gate = await Gate.start(scratchDir(), config())));
  after(() => stopAll(gate));

  it('finding 13: paths, headers and verbs are escaped in the audit log, and read back as they were', async () => {
    const port = gate.port('mcp');
    const raw = await Raw.connect(port);
    raw.send(`GET /${encodeURIComponent(EVIL)} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
    assert.equal((await raw.response()).status, 401);
    raw.destroy();
    const { token } = await gate.session('mcp');
    const client = await Client.open(gate, 'mcp', '/ws', { token });
    client.sendJson({ jsonrpc: '2.0', id: 1, method: EVIL });
    assert.equal((await client.nextJson()).error.code, -31403);
    await client.close();
    const refused = await gate.audited(0, { event: 'message_refused' });
    harmless(readFileSync(gate.auditPath, 'utf8'), 'the log');
    const denied = await gate.audited(0, { event: 'denied' });
    assert.equal(denied.path, `/${EVIL}`);
    assert.ok(refused.verb.length > 10 && EVIL.startsWith(refused.verb.replace(/…$/, '')), refused.verb);
    assert.equal((await gate.cli('audit', 'verify')).code, 0);
  });

  it('finding 13: what the command line prints is escaped, in tables and in JSON', async () => {
    const { id } = await gate.session('mcp', '--tool', `${EVIL}*`);
    for (const args of [
      ['session', 'show', id],
      ['session', 'show', id, '--json'],
      ['session', 'list'],
      ['session', 'list', '--json'],
    ]) {
      harmless(await gate.do(...args), args.join(' '));
    }
    const shown = await gate.doJson('session', 'show', id);
    assert.deepEqual(shown.targets, [`${EVIL}*`]);
    for (const more of [[], ['--json']]) {
      const told = await gate.cli('explain', '--surface', 'mcp', `/${EVIL}`, '-H', `Origin: http://${EVIL}`, ...more);
      harmless(told.stdout + told.stderr, 'explain');
    }
    const vetted = await gate.cli('vet', '--surface', 'mcp', {
      input: `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: EVIL })}\n`,
    });
    harmless(vetted.stdout, 'vet');
    const named = await gate.cli('session', 'create', `mcp${EVIL}`);
    assert.notEqual(named.code, 0);
    harmless(named.stderr, 'an error');
  });

  it('finding 13: `audit tail` escapes what an older log holds raw', async () => {
    const log = path.join(scratchDir(), 'old.jsonl');
    const prev = '0'.repeat(64);
    writeFileSync(log, `{"seq":1,"time":"2026-01-02T03:04:05.678Z","event":"denied","path":"/${EVIL}","prev":"${prev}"}\n`);
    const told = await run(['audit', 'tail', '--no-follow', log]);
    assert.equal(told.code, 0, told.stderr);
    harmless(told.stdout, 'tail');
    assert.equal(JSON.parse(told.stdout).path, `/${EVIL}`);
  });

  it('finding 13: a fault of a configuration is printed on one line', async () => {
    const bad = new Gate(scratchDir(), { ...config(), [`unknown${EVIL}\n`]: 1 });
    const told = await bad.cli('check');
    assert.equal(told.code, 78);
    harmless(told.stderr, 'check');
    assert.equal(told.stderr.trimEnd().split('\n').length, 1);
  });
});

describe('a shutdown writes down what was told last', () => {
  it('each that was admitted has its end, and each refusal its line', async () => {
    const CLIENTS = 450; // more than a socket between two processes holds ends of
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    const clients = [];
    for (let done = 0; done < CLIENTS; done += 50) {
      const { token } = await gate.session('mcp');
      clients.push(...(await Promise.all(Array.from({ length: 50 }, () => upgraded(gate, 'mcp', { token })))));
    }
    for (const client of clients) {
      client.sendFrame({ opcode: 1, payload: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call' }) });
    }
    // They never say goodbye, so that all ends are told in the worker's last moment; and while they
    // are, the broker is slow.
    gate.child.kill('SIGTERM');
    await Promise.all(clients.map((client) => client.frame())); // the refusal
    await Promise.all(clients.map((client) => client.frame())); // the goodbye
    gate.child.kill('SIGSTOP');
    await Promise.all(clients.map((client) => until(() => client.ended, 'the end of a connection')));
    gate.child.kill('SIGCONT');
    assert.deepEqual(await within(gate.exited, 'the end of the gate'), { code: 0, signal: null }, gate.stderr);
    const lines = gate.auditLines();
    const count = (event) => lines.filter((line) => line.event === event).length;
    assert.equal((await gate.cli('audit', 'verify')).code, 0);
    assert.equal(count('admitted'), CLIENTS);
    assert.equal(count('closed'), CLIENTS);
    assert.equal(count('message_refused'), CLIENTS);
    assert.equal(lines.at(-1).event, 'stopped');
    for (const client of clients) client.destroy();
  });

  it('finding 24: a shutdown that cannot wait for a worker writes the ends that it did not tell', async (t) => {
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    const { token } = await gate.session('mcp');
    const clients = [];
    for (let i = 0; i < 10; i++) clients.push(await upgraded(gate, 'mcp', { token }));
    const [worker] = gate.workers();
    process.kill(worker, 'SIGSTOP');
    t.after(() => gate.child.exitCode === null && process.kill(worker, 'SIGKILL')); // a broker that does not end it
    gate.child.kill('SIGTERM');
    await gate.do('status'); // it has heard of the first
    gate.child.kill('SIGTERM');
    await within(gate.exited, 'the end of the gate');
    const lines = gate.auditLines();
    const ends = lines.filter((line) => line.event === 'closed');
    assert.equal(ends.length, clients.length);
    for (const { reason } of ends) assert.equal(reason, 'shutting_down');
    assert.equal(lines.at(-1).event, 'stopped');
    assert.equal((await gate.cli('audit', 'verify')).code, 0);
    for (const client of clients) client.destroy();
  });

  it('finding 24: a worker that is killed leaves an end for each of its connections', async () => {
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    const { token } = await gate.session('mcp');
    const client = await Client.open(gate, 'mcp', '/ws', { token });
    const { connection } = await gate.audited(0, { event: 'admitted' });
    process.kill(gate.workers()[0], 'SIGKILL');
    await client.end();
    const closed = await gate.audited(0, { event: 'closed' });
    assert.equal(closed.connection, connection);
    assert.equal(closed.reason, 'worker_lost');
    await gate.audited(0, { event: 'worker_exited' });
    await gate.stop();
  });
});

async function metric(gate, name) {
  const text = await new Promise((resolve, reject) => {
    http
      .get({ socketPath: gate.controlSocket, path: '/v1/metrics' }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve(body));
      })
      .on('error', reject);
  });
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

describe('a log that cannot be written', () => {
  let small;
  after(() => small?.end());

  async function onFullDisk(more) {
    small?.end();
    small = smallDisk();
    const gate = await Gate.start(small.disk, config(more));
    gates.push(gate);
    const { token } = await gate.session('mcp');
    await small.fill(gate, () => ask(gate, 'mcp', '/ws'));
    return { gate, token };
  }

  it('finding 20: is said once, counted, told of when it can be, and no proof', async () => {
    const { gate, token } = await onFullDisk();
    const REQUESTS = 300;
    for (let i = 0; i < REQUESTS; i++) assert.equal((await ask(gate, 'mcp', '/ws')).status, 401);
    const refused = await ask(gate, 'mcp', '/ws', { token, headers: { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'c2lkZWxvY2stc25pcHBldA==' } });
    assert.equal(refused.status, 503);
    assert.equal(refused.json.reason, 'audit_unavailable');
    const said = gate.stderr.split('\n').filter((line) => /audit log .*cannot be written/.test(line));
    assert.ok(said.length <= 2, `said ${said.length} times`);
    small.free(gate);
    const mark = gate.mark();
    await ask(gate, 'mcp', '/ws');
    const lost = await gate.audited(mark, { event: 'audit_lost' });
    assert.ok(lost.count > REQUESTS, `${lost.count} lines are told of`);
    assert.match(lost.since, /^\d{4}-.*Z$/);
    await gate.audited(mark, { event: 'denied' });
    const told = gate.auditLines().filter((line) => line.event === 'audit_lost');
    const total = told.reduce((sum, line) => sum + line.count, 0);
    assert.equal(await metric(gate, 'sidelock_audit_lost_total'), total);
    const verdict = await gate.cli('audit', 'verify');
    assert.notEqual(verdict.code, 0);
    assert.match(verdict.stdout, new RegExp(`${total} lines could not be written`));
    gate.child.kill('SIGTERM');
    assert.deepEqual(await within(gate.exited, 'the end of the gate'), { code: 0, signal: null });
  });

  it('is gone on without where the configuration says so', async () => {
    const { gate, token } = await onFullDisk({ on_audit_failure: 'continue' });
    const client = await Client.open(gate, 'mcp', '/ws', { token });
    await client.close();
    small.free(gate);
    await ask(gate, 'mcp', '/ws');
    await gate.audited(0, { event: 'audit_lost' });
    gate.child.kill('SIGTERM');
    await within(gate.exited, 'the end of the gate');
  });
});

// How `audit verify` tells what was done to a log: its exit codes.
const VERDICT = { whole: 0, changed: 1, removed: 2, cut: 3, rewritten: 4, foreign: 5, torn: 6 };

describe('a log that somebody else wrote in', () => {
  const digest = (line) => createHash('sha256').update(line).digest('hex');

  // A stopped gate with so many denials in its log, and the log's lines.
  async function stopped(denials = 12) {
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    for (let i = 0; i < denials; i++) await ask(gate, 'mcp', `/path-${i}`);
    await gate.stop();
    return { gate, lines: readFileSync(gate.auditPath, 'utf8').trimEnd().split('\n') };
  }

  const write = (file, lines) => writeFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });

  async function expectVerdict(gate, verdict, files = []) {
    const told = await gate.cli('audit', 'verify', ...files);
    assert.equal(told.code, VERDICT[verdict], `${verdict}: ${told.stdout}${told.stderr}`);
    const json = (await gate.cli('audit', 'verify', '--json', ...files)).stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
    const fault = json.find((file) => !file.intact) ?? json.at(-1);
    if (fault.fault !== undefined) assert.equal(fault.fault, verdict);
    return { stdout: told.stdout, json };
  }

  // The chain, mended as anybody can without the key.
  function mend(lines, from) {
    const mended = [...lines];
    for (let i = Math.max(from, 1); i < mended.length; i++) {
      mended[i] = mended[i].replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${digest(mended[i - 1])}"`);
    }
    return mended;
  }

  it('finding 14: lines cut off at its end are missed', async () => {
    const { gate, lines } = await stopped();
    await expectVerdict(gate, 'whole');
    for (const kept of [lines.length - 1, 3, 0]) {
      write(gate.auditPath, lines.slice(0, kept));
      await expectVerdict(gate, 'cut');
    }
  });

  it('finding 14: a log that was written anew as a whole is no chain of this gate', async () => {
    const { gate, lines } = await stopped();
    const forged = mend(lines.map((line) => line.replace('path-3', 'path-X')), 0);
    write(gate.auditPath, forged);
    await expectVerdict(gate, 'rewritten');
    // Nor without MACs, as a log of before would be.
    write(gate.auditPath, mend(forged.map((line) => line.replace(/,"mac":"[0-9a-f]{64}"/, '')), 0));
    await expectVerdict(gate, 'rewritten');
  });

  it('finding 14: the last line is protected as others are', async () => {
    const { gate, lines } = await stopped();
    write(gate.auditPath, [...lines.slice(0, -1), lines.at(-1).replace('stopped', 'STOPPED')]);
    await expectVerdict(gate, 'changed');
  });

  it('what was done is told apart', async () => {
    const { gate, lines } = await stopped();
    const other = await stopped();
    const changed = lines.map((line) => line.replace('path-3', 'path-X'));
    for (const [verdict, text] of [
      ['changed', changed],
      ['removed', [...lines.slice(0, 4), ...lines.slice(5)]],
      ['removed', [...lines.slice(0, 4), ...lines.slice(7)]],
      ['foreign', [...lines.slice(0, 4), other.lines[4], ...lines.slice(4)]],
      ['foreign', [...lines.slice(0, 4), lines[2], ...lines.slice(4)]],
      ['torn', [...lines.slice(0, 4), 'not a line', ...lines.slice(4)]],
      ['rewritten', [...lines.slice(0, 6), ...mend(changed, 5).slice(6)]],
    ]) {
      write(gate.auditPath, text);
      await expectVerdict(gate, verdict);
    }
  });

  it('finding 14: a start finds that the log was cut, says so, and verify goes on saying so', async () => {
    const { gate, lines } = await stopped();
    write(gate.auditPath, lines.slice(0, 5));
    await gate.launch();
    assert.match(gate.stderr, /was cut or written anew/);
    const line = await gate.audited(0, { event: 'audit_mismatch' });
    assert.deepEqual([line.found, line.anchored], [5, lines.length]);
    gate.child.kill('SIGTERM');
    await within(gate.exited, 'the end of the gate');
    await expectVerdict(gate, 'cut');
  });

  it('finding 14: what is anchored while the gate runs is not lost by a crash', async () => {
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    const DENIALS = 300; // more than an anchor may be behind
    for (let i = 0; i < DENIALS; i += 50) {
      await Promise.all(Array.from({ length: 50 }, () => ask(gate, 'mcp', '/ws')));
    }
    await gate.crash();
    const lines = readFileSync(gate.auditPath, 'utf8').trimEnd().split('\n');
    write(gate.auditPath, lines.slice(0, 10));
    await expectVerdict(gate, 'cut');
  });

  it('finding 14: rotation while the gate stands still goes on from the file that was moved', async () => {
    const { gate } = await stopped();
    const moved = `${gate.auditPath}.1`;
    renameSync(gate.auditPath, moved);
    await gate.launch();
    await gate.stop(); // verifies the new one alone
    await expectVerdict(gate, 'whole', [moved, gate.auditPath]);
    // Also a packed one.
    writeFileSync(`${moved}.gz`, gzipSync(readFileSync(moved)));
    await expectVerdict(gate, 'whole', [`${moved}.gz`, gate.auditPath]);
    writeFileSync(`${moved}.gz`, readFileSync(`${moved}.gz`).subarray(0, -20));
    await expectVerdict(gate, 'torn', [`${moved}.gz`, gate.auditPath]);
    // Without what came before, but with its own end.
    await expectVerdict(gate, 'whole', [gate.auditPath]);
  });

  it('after a crash, what was not anchored of a log that was moved is no tampering', async () => {
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    for (let i = 0; i < 20; i++) await ask(gate, 'mcp', '/ws');
    await gate.crash();
    const moved = `${gate.auditPath}.1`;
    renameSync(gate.auditPath, moved);
    await gate.launch();
    await gate.audited(0, { event: 'audit_resumed' });
    await gate.stop();
    await expectVerdict(gate, 'whole', [moved, gate.auditPath]);
  });

  it('copytruncate goes on in the same file, and lines lost by it are told', async () => {
    const gate = await Gate.start(scratchDir(), config());
    gates.push(gate);
    for (let i = 0; i < 5; i++) await ask(gate, 'mcp', '/ws');
    const copy = `${gate.auditPath}.1`;
    copyFileSync(gate.auditPath, copy);
    truncateSync(gate.auditPath);
    await ask(gate, 'mcp', '/ws');
    await gate.stop();
    await expectVerdict(gate, 'whole', [copy, gate.auditPath]);
    write(copy, readFileSync(copy, 'utf8').trimEnd().split('\n').slice(0, -2));
    await expectVerdict(gate, 'removed', [copy, gate.auditPath]);
  });

  it('a log of before there was a key is what it is; elsewhere only the chain is checked', async () => {
    const { gate, lines } = await stopped();
    const old = mend(lines.map((line) => line.replace(/,"mac":"[0-9a-f]{64}"/, '')), 0);
    const home = scratchDir();
    const later = new Gate(home, config());
    gates.push(later);
    mkdirSync(later.stateDir, { mode: 0o700 });
    write(later.auditPath, old);
    await later.launch();
    await later.stop();
    const all = readFileSync(later.auditPath, 'utf8').trimEnd().split('\n');
    assert.ok(all.length > old.length && all.slice(old.length).every((line) => line.includes('"mac"')));
    const elsewhere = path.join(scratchDir(), 'copy.jsonl');
    write(elsewhere, lines);
    const told = await run(['audit', 'verify', elsewhere]);
    assert.equal(told.code, 0);
    assert.match(told.stdout, /only the chain was checked/);
    assert.match((await gate.cli('audit', 'verify')).stdout, /anchored up to number/);
  });
});
