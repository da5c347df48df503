// Files that decide what Sidelock does count only while nobody else could change them, or a
// directory or link on the way to them: at start, in `check`, and when they are read anew.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lchownSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { NOBODY, cannotBecome } from './lib/as_uid.mjs';
import { onlyFault, subdirectory } from './lib/faults.mjs';
import { opaqueSurface, run, scratchDir } from './lib/gate.mjs';
import { configured, keep } from './lib/kept.mjs';
import { until } from './lib/wait.mjs';

const PACK = fileURLToPath(new URL('../../config/dialects/opaque.json', import.meta.url));
const skip = cannotBecome();

/** Makes a certificate in a directory; what "tls" says of it. */
async function certificates(dir) {
  await configured().do('certs', 'init', '--dir', dir);
  return tls(dir);
}

function tls(dir) {
  return { certificate: path.join(dir, 'server.pem'), key: path.join(dir, 'server.key') };
}

async function accepted(gate) {
  const { code, stdout } = await gate.cli('check', '--json');
  assert.equal(code, 0, stdout);
}

describe('the configuration', () => {
  it('finding 19: counts while nobody else can write it', async () => {
    const gate = configured();
    for (const mode of [0o666, 0o664, 0o620]) {
      chmodSync(gate.configPath, mode);
      await onlyFault(gate, '', /sidelock\.json can be changed by others; run chmod go-w on it/);
    }
    chmodSync(gate.configPath, 0o644);
    await accepted(gate);
  });

  it('finding 19: counts while nobody else can replace it', async () => {
    const gate = configured();
    chmodSync(gate.dir, 0o775);
    await onlyFault(gate, '', /The directory .* can be changed by others; run chmod go-w on it/);
    chmodSync(gate.dir, 0o755);
    await accepted(gate);
  });

  it('finding 19: counts if no stranger owns it, or a link or directory on the way', { skip }, async () => {
    const gate = configured();
    const real = gate.configPath;
    const sticky = subdirectory(gate.dir, 'sticky', 0o1777);
    const link = path.join(sticky, 'linked.json');
    symlinkSync(real, link);
    gate.configPath = link;
    await accepted(gate); // our own link
    lchownSync(link, NOBODY, NOBODY);
    await onlyFault(gate, '', /linked\.json belongs to uid 65534; .*run chown on it/);
    gate.configPath = real;
    chownSync(real, NOBODY, NOBODY);
    await onlyFault(gate, '', /sidelock\.json belongs to uid 65534/);
  });

  it('finding 19: a stranger\'s does not lead the command line to his socket', { skip }, async () => {
    const gate = configured();
    const sticky = subdirectory(gate.dir, 'sticky', 0o1777);
    const theirs = path.join(sticky, 'sidelock.json');
    copyFileSync(gate.configPath, theirs);
    chownSync(theirs, NOBODY, NOBODY);
    const { code, stderr } = await run(['status', '-c', theirs]);
    assert.equal(code, 78, stderr);
    assert.match(stderr, /sticky\/sidelock\.json belongs to uid 65534/);
  });

  it('may be of the user whom root gave its directory to, for those who only ask', { skip }, async () => {
    const gate = configured();
    const given = subdirectory(gate.dir, 'given', 0o755);
    const theirs = path.join(given, 'sidelock.json');
    copyFileSync(gate.configPath, theirs);
    chownSync(given, NOBODY, NOBODY);
    chownSync(theirs, NOBODY, NOBODY);
    assert.equal((await run(['status', '-c', theirs])).code, 69);
    assert.equal((await run(['check', '-c', theirs])).code, 78);
  });
});

describe('what the configuration names', () => {
  it('finding 19: a pack counts while nobody else can replace it', async () => {
    const gate = configured();
    const packs = subdirectory(gate.dir, 'packs', 0o755);
    const pack = path.join(packs, 'own.json');
    writeFileSync(pack, readFileSync(PACK), { mode: 0o644 });
    gate.configure({ surfaces: { own: opaqueSurface(path.join(gate.dir, 'own.sock'), { dialect: pack }) } });
    await accepted(gate);
    chmodSync(packs, 0o757);
    await onlyFault(gate, '/surfaces/own/dialect', /The directory .*packs can be changed by others/);
  });

  it('finding 19: certificates count while nobody else can replace them', async () => {
    const certs = subdirectory(scratchDir(), 'certs', 0o700);
    const gate = configured({}, { tls: await certificates(certs) });
    await accepted(gate);
    chmodSync(certs, 0o775);
    await onlyFault(gate, '/surfaces/echo/tls/certificate', /certs can be changed by others; run chmod go-w/);
  });

  it('finding 19: state is kept where nobody else can put another in its place', async () => {
    const open = subdirectory(scratchDir(), 'open', 0o777);
    const gate = configured({ state_dir: path.join(open, 'state') });
    await onlyFault(gate, '/state_dir', /The directory .*open can be changed by others/);
    chmodSync(open, 0o755);
    await accepted(gate);
    subdirectory(open, 'state', 0o750);
    await onlyFault(gate, '/state_dir', /state is open to others; run chmod 700 on it/);
  });

  it('finding 19: the audit log and the database are not written where others can write', async () => {
    const gate = await keep(configured()).launch();
    await gate.stop();
    for (const name of ['audit.jsonl', 'sidelock.db']) {
      const file = path.join(gate.stateDir, name);
      chmodSync(file, 0o666);
      await assert.rejects(gate.launch(), new RegExp(`${name} can be changed by others; run chmod go-w`));
      gate.child = undefined; // it has ended
      chmodSync(file, 0o600);
    }
  });

  it('finding 19: the folder of the authority is not one that others could bend', async () => {
    const open = subdirectory(scratchDir(), 'open', 0o777);
    const gate = configured();
    const { code, stderr } = await gate.cli('certs', 'init', '--dir', path.join(open, 'certs'));
    assert.equal(code, 65, stderr);
    assert.match(stderr, /The directory .*open can be changed by others; run chmod go-w on it/);
  });

  it('a program that others can replace is warned of', async () => {
    const gate = configured();
    const open = subdirectory(gate.dir, 'open', 0o777);
    const program = path.join(open, 'tool');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    gate.configure({ ...gate.config, executables: [{ path: program, args: [] }] });
    const { warnings } = JSON.parse((await gate.cli('check', '--json')).stdout);
    assert.ok(warnings.some((text) => /tool" will not run: The directory .*open can be changed/.test(text)));
  });
});

describe('what is read anew', () => {
  it('finding 19: reload takes no certificate that others could have put there', async () => {
    const certs = subdirectory(scratchDir(), 'certs', 0o700);
    const gate = await keep(configured({}, { tls: await certificates(certs) })).launch();
    const before = await gate.do('reload');
    await gate.do('certs', 'init', '--dir', certs);
    chmodSync(certs, 0o777);
    const { code, stderr, stdout } = await gate.cli('reload');
    assert.equal(code, 78, `reload took ${stdout}`);
    assert.match(stderr, /\/surfaces\/echo\/tls\/certificate: The directory .*certs can be changed by others/);
    chmodSync(certs, 0o700);
    assert.notEqual(await gate.do('reload'), before, 'the new one, once it is ours alone again');
  });

  it('finding 19: reload is not led elsewhere by a link that changes meanwhile', { skip }, async () => {
    const dir = scratchDir();
    const [ours, other] = [subdirectory(dir, 'ours', 0o700), subdirectory(dir, 'other', 0o700)];
    await certificates(ours);
    await certificates(other);
    const sticky = subdirectory(dir, 'sticky', 0o1777);
    const way = path.join(sticky, 'way');
    symlinkSync(ours, way);
    const gate = await keep(configured({}, { tls: tls(way) })).launch();
    const good = await gate.do('reload');
    const swapper = keep(new Swapper(way, ours, other));
    const seen = new Set();
    const refusals = new Set();
    await until(async () => {
      const { stdout, stderr } = await gate.cli('reload');
      if (stdout !== '') seen.add(stdout);
      else refusals.add(stderr);
      return seen.size > 1 || (seen.size > 0 && refusals.size > 0 && swapper.swaps > 2000);
    }, () => `reloads of both kinds; ${seen.size} good and ${refusals.size} refused`, 120_000);
    assert.deepEqual([...seen], [good], 'a certificate was taken that a stranger chose');
    for (const text of refusals) assert.match(text, /way belongs to uid 65534|cannot be opened/);
  });
});

/** A program that makes `way` lead to the one and the other in turn; the other link is a stranger's. */
class Swapper {
  static SCRIPT = `
    const fs = require('node:fs');
    const [way, ours, other] = process.argv.slice(1);
    for (let i = 0; ; i++) {
      const link = way + '.' + i;
      fs.symlinkSync(i % 2 ? ours : other, link);
      if (i % 2 === 0) fs.lchownSync(link, ${NOBODY}, ${NOBODY});
      fs.renameSync(link, way);
      if (i % 100 === 0) fs.writeSync(1, '.');
    }
  `;

  constructor(way, ours, other) {
    this.swaps = 0;
    this.child = spawn(process.execPath, ['-e', Swapper.SCRIPT, way, ours, other]);
    this.child.stdout.on('data', (chunk) => (this.swaps += 100 * chunk.length));
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}

describe('the key of a client', () => {
  it('finding 19: is not used by connect while others can read it', async () => {
    const gate = configured();
    await gate.do('certs', 'init');
    await gate.do('certs', 'init', '--client', 'me');
    const certs = path.join(gate.stateDir, 'certs');
    const own = (name) => path.join(certs, name);
    gate.configure({
      surfaces: {
        secure: opaqueSurface(path.join(gate.dir, 'echo.sock'), {
          tls: { ...tls(certs), client_ca: own('ca.pem') },
        }),
      },
    });
    keep(await gate.launch());
    chmodSync(own('client-me.key'), 0o644);
    const { code, stderr } = await gate.cli(
      'connect', 'secure', '--websocket', '--path', '/ws',
      '--cert', own('client-me.pem'), '--key', own('client-me.key'),
      { input: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n' },
    );
    assert.match(stderr, /client-me\.key is open to others; run chmod 600 on it/);
    assert.equal(code, 78);
  });
});
