// Dialect packs are policy: the shipped ones are part of the program, and a file of
// one's own counts only while nobody else can change it.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Gate, scratchDir, surface } from './lib/gate.mjs';

const SHIPPED = fileURLToPath(new URL('../../config/dialects/', import.meta.url));
const dir = scratchDir();
const pack = path.join(dir, 'own.json');

writeFileSync(
  pack,
  readFileSync(path.join(SHIPPED, 'mcp.json'), 'utf8').replace('"ping"', '"own/verb"'),
  { mode: 0o600 },
);

function gateOf(dialect, more = {}) {
  return new Gate(scratchDir(), {
    surfaces: { own: surface(path.join(dir, 'service.sock'), { dialect, ...more }) },
  });
}

async function faultsOf(gate) {
  const { code, stdout } = await gate.cli('check', '--json');
  const report = JSON.parse(stdout);
  assert.equal(code, report.valid ? 0 : 78);
  return report.faults;
}

/** The one fault of a configuration that names the pack as it is now. */
async function refused(words) {
  const gate = gateOf(pack);
  const faults = await faultsOf(gate);
  assert.equal(faults.length, 1);
  assert.equal(faults[0].pointer, '/surfaces/own/dialect');
  assert.match(faults[0].text, words);
  assert.ok(faults[0].text.includes(pack));
  const served = await gate.cli('serve');
  assert.equal(served.code, 78, 'and it is not served with');
  assert.match(served.stderr, words);
}

describe('a pack of one\'s own', () => {
  it('is read by its path', async () => {
    assert.deepEqual(await faultsOf(gateOf(pack, { allow: { verbs: ['own/verb'] } })), []);
  });

  it('has its faults told at their own place in it', async () => {
    const faulty = path.join(dir, 'faulty.json');
    writeFileSync(faulty, readFileSync(pack, 'utf8').replace('"json-rpc"', '"xml"'), { mode: 0o600 });
    for (const name of [faulty, path.relative(path.dirname(gateOf(pack).configPath), faulty)]) {
      const { code, stderr } = await gateOf(name).cli('check');
      assert.equal(code, 78);
      assert.match(stderr, /faulty\.json:\d+: \/vocabularies\/0\/envelope: A vocabulary needs one of/);
    }
  });

  it('is refused while its group can change it', async () => {
    chmodSync(pack, 0o620);
    await refused(/can be changed by others; run chmod go-w on it/);
  });

  it('is refused while anybody can change it', async () => {
    chmodSync(pack, 0o602);
    await refused(/can be changed by others; run chmod go-w on it/);
  });

  it('is refused if it belongs to somebody else', async (test) => {
    if (process.getuid() !== 0) {
      test.skip('only root can give a file away');
      return;
    }
    chmodSync(pack, 0o600);
    chownSync(pack, 65534, 65534);
    await refused(/belongs to uid 65534; it must belong to the user who runs Sidelock, or root/);
    chownSync(pack, 0, 0);
  });

  it('is named where it is missing', async () => {
    const faults = await faultsOf(gateOf('./nowhere.json'));
    assert.equal(faults[0].pointer, '/surfaces/own/dialect');
    assert.match(faults[0].text, /nowhere\.json cannot be opened: No such file/);
  });
});

describe('a bare name', () => {
  for (const name of ['mcp', 'autogen-studio', 'cdp', 'node-inspector', 'json-rpc', 'opaque']) {
    it(`is the shipped pack ${name}`, async () => {
      const gate = gateOf(name);
      mkdirSync(path.join(path.dirname(gate.configPath), 'dialects'));
      writeFileSync(path.join(path.dirname(gate.configPath), 'dialects', `${name}.json`), 'no pack');
      assert.deepEqual(await faultsOf(gate), []);
    });
  }

  it('is no file, wherever one lies', async () => {
    const gate = gateOf('mine');
    mkdirSync(path.join(path.dirname(gate.configPath), 'dialects'));
    for (const folder of ['dialects', '.']) {
      writeFileSync(path.join(path.dirname(gate.configPath), folder, 'mine.json'), readFileSync(pack));
    }
    const faults = await faultsOf(gate);
    assert.match(faults[0].text, /no dialect pack "mine".*autogen-studio, cdp, json-rpc, mcp, node-inspector, opaque/);
  });
});

describe('check', () => {
  const warningsOf = async (more) => {
    const gate = gateOf('autogen-studio', more);
    return JSON.parse(await gate.do('check', '--json')).warnings.filter((text) => /^The route/.test(text));
  };
  const route = {
    path: '/start', kind: 'http', methods: ['POST'], body: { member: 'server', from: '' },
  };

  it('finding 23: warns of a body that is compared beside a query that is not', async () => {
    assert.deepEqual(await warningsOf({ routes: [route] }), [
      'The route "/start" of the surface "own" compares the body with the stored record and lets any ' +
        'query pass; say "query": {}, or what may.',
    ]);
    assert.deepEqual(await warningsOf({ routes: [{ ...route, query: {} }] }), []);
    assert.deepEqual(await warningsOf({}), [], 'the shipped pack');
  });

  it('finding 17: warns of a header that says who asks', async () => {
    const headers = ['Accept-Language', 'Remote-User', 'X-HTTP-Method-Override'];
    const warnings = await warningsOf({ routes: [{ path: '/start', kind: 'http', headers }] });
    assert.equal(warnings.length, 2);
    assert.match(warnings[0], /^The route "\/start" of the surface "own" lets a client write "remote-user"/);
    assert.match(warnings[1], /"x-http-method-override"/);
  });
});
