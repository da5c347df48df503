// The local authority that `sidelock certs` keeps, and certificate files that
// `check` and `serve` refuse.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { Gate, opaqueSurface, scratchDir } from './lib/gate.mjs';

const dir = scratchDir();
const certs = path.join(dir, 'state', 'certs'); // where `certs init` puts them by itself
const gate = new Gate(dir, { surfaces: { echo: secure({}) } });

function secure(more) {
  return opaqueSurface(path.join(dir, 'echo.sock'), {
    tls: {
      certificate: path.join(certs, 'server.pem'),
      key: path.join(certs, 'server.key'),
      ...more,
    },
  });
}

function certificates(...args) {
  return gate.doJson('certs', ...args);
}

before(async () => {
  await certificates('init', '--name', 'further.localhost');
  await certificates('init', '--client', 'alice');
  await certificates('init', '--client', 'bob');
});

describe('certs', () => {
  it('makes a folder and files for their owner alone', async () => {
    assert.equal(statSync(certs).mode & 0o777, 0o700);
    for (const name of ['ca.pem', 'ca.key', 'server.pem', 'server.key', 'client-alice.key']) {
      assert.equal(statSync(path.join(certs, name)).mode & 0o777, 0o600, name);
    }
  });

  it('names localhost, the surfaces and what it was asked for', async () => {
    const { server, authority, clients } = await certificates('show');
    assert.deepEqual(server.names.slice(0, 3), ['localhost', '127.0.0.1', '::1']);
    assert.ok(server.names.includes('echo.localhost'));
    assert.ok(server.names.includes('further.localhost'));
    assert.equal(server.expired, false);
    const days = (Date.parse(server.not_after) - Date.now()) / 86_400_000;
    assert.ok(days > 29 && days <= 30, `${days} days`);
    assert.match(authority.subject, /Sidelock local authority/);
    assert.deepEqual(
      clients.map((client) => path.basename(client.certificate)),
      ['client-alice.pem', 'client-bob.pem'],
    );
  });

  it('says what to write and whom to tell', async () => {
    const text = await gate.do('certs', 'show');
    assert.match(text, /"tls": \{"certificate": "\/.*\/server\.pem"/);
    assert.match(text, /NODE_EXTRA_CA_CERTS=\/.*\/ca\.pem/);
    assert.match(text, /curl --cacert/);
    assert.match(text, /Chromium/);
  });

  it('refuses names that are not this machine', async () => {
    for (const name of ['example.com', '192.0.2.1', 'localhost.example.com', '*.localhost']) {
      const { code, stderr } = await gate.cli('certs', 'init', '--name', name);
      assert.equal(code, 64, name);
      assert.match(stderr, /--name takes localhost/);
    }
  });

  it('renews the certificate and keeps the authority, unless it is told not to', async () => {
    const first = await certificates('show');
    const second = await certificates('init', '--days', '3');
    assert.equal(second.authority.sha256, first.authority.sha256);
    assert.notEqual(second.server.sha256, first.server.sha256);
    assert.ok(Date.parse(second.server.not_after) < Date.parse(first.server.not_after));
    const third = await certificates('init', '--force');
    assert.notEqual(third.authority.sha256, first.authority.sha256);
    assert.equal(third.server.issuer, third.authority.subject);
  });

  it('refuses a folder that others can enter, and half an authority', async () => {
    const other = path.join(scratchDir(), 'certs');
    await gate.do('certs', 'init', '--dir', other);
    chmodSync(other, 0o750);
    const open = await gate.cli('certs', 'init', '--dir', other);
    assert.equal(open.code, 65);
    assert.match(open.stderr, /open to others; chmod 700/);
    chmodSync(other, 0o700);
    rmSync(path.join(other, 'ca.key'));
    const half = await gate.cli('certs', 'init', '--dir', other);
    assert.equal(half.code, 65);
    assert.match(half.stderr, /ca\.key is missing/);
  });

  it('has nothing to show where there is nothing', async () => {
    const { code, stderr } = await gate.cli('certs', 'show', '--dir', path.join(dir, 'nowhere'));
    assert.equal(code, 65);
    assert.match(stderr, /`sidelock certs init` makes them/);
  });
});

describe('files that are not fit', () => {
  // A configuration of its own, whose files are copies.
  function prepare() {
    const folder = scratchDir();
    const file = (name) => path.join(folder, name);
    for (const name of ['server.pem', 'server.key', 'ca.pem']) {
      copyFileSync(path.join(certs, name), file(name));
      chmodSync(file(name), 0o600);
    }
    const other = new Gate(folder, {
      surfaces: {
        echo: secure({
          certificate: file('server.pem'),
          key: file('server.key'),
          client_ca: file('ca.pem'),
        }),
      },
    });
    return { other, file };
  }

  async function faulty(spoil, member, words) {
    const { other, file } = prepare();
    assert.equal((await other.cli('check')).code, 0);
    spoil(file);
    const { code, stdout } = await other.cli('check', '--json');
    assert.equal(code, 78);
    const report = JSON.parse(stdout);
    assert.equal(report.valid, false);
    assert.equal(report.faults.length, 1);
    const [fault] = report.faults;
    assert.equal(fault.pointer, `/surfaces/echo/tls/${member}`);
    assert.match(fault.text, words);
    const lines = readFileSync(other.configPath, 'utf8').split('\n');
    assert.match(lines[fault.line - 1], new RegExp(`"${member}"`));
    const served = await other.cli('serve');
    assert.equal(served.code, 78, 'and it is not served with');
    assert.match(served.stderr, words);
  }

  it('missing', () => faulty((file) => rmSync(file('server.pem')), 'certificate', /No such file/));

  it('a key that others can read', () =>
    faulty((file) => chmodSync(file('server.key'), 0o644), 'key', /open to others/));

  it('a key of another certificate', () =>
    faulty(
      (file) => copyFileSync(path.join(certs, 'ca.key'), file('server.key')),
      'key',
      /does not belong to the certificate/,
    ));

  it('no certificate', () =>
    faulty(
      (file) => copyFileSync(file('server.key'), file('server.pem')),
      'certificate',
      /does not hold certificates/,
    ));

  it('an authority that is none', () =>
    faulty(
      (file) => copyFileSync(file('server.pem'), file('ca.pem')),
      'client_ca',
      /not an authority's/,
    ));
});
