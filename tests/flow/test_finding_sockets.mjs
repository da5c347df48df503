// Who is at the other end of a Unix socket: a stranger who listens in the place of a
// service, or of Sidelock itself, is told nothing. Needs root, to be several users.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { NOBODY, cannotBecome } from './lib/as_uid.mjs';
import { onlyFault, subdirectory } from './lib/faults.mjs';
import { Gate, opaqueSurface, run, scratchDir } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import { denied } from './lib/raw.mjs';
import { Squatter } from './lib/squatter.mjs';

const MARK = 'stored-and-secret';
const skip = cannotBecome();

/** A directory that others can go through. */
function passage() {
  const dir = scratchDir();
  chmodSync(dir, 0o711);
  return dir;
}

/** A surface that puts the session's record into each request for its service. */
function telling(socket) {
  const query = { inject: { secret: { from: '/secret', encoding: 'text' } } };
  return opaqueSurface(socket, {
    routes: [
      { path: '/ws', kind: 'websocket', query },
      { path: '/api', kind: 'http', methods: ['GET'], query },
    ],
  });
}

async function startTelling(socket) {
  const gate = keep(await Gate.start(scratchDir(), { surfaces: { plane: telling(socket) } }));
  await gate.putParams('kept', { secret: MARK });
  return { gate, token: (await gate.session('plane', '--params', 'kept')).token };
}

function configured(config) {
  return new Gate(scratchDir(), config);
}

describe('the socket of a service', { skip }, () => {
  it('finding 10: a stranger who listens there is not told the record', async () => {
    const socket = path.join(subdirectory(passage(), 'services', 0o755), 'plane.sock');
    const squatter = keep(await Squatter.startBehindRoot(NOBODY, socket));
    const { gate, token } = await startTelling(socket);
    const mark = gate.mark();
    const answer = await ask(gate, 'plane', '/api', { token }).catch((error) => ({ error }));
    assert.ok(!squatter.heard.includes(MARK), `the squatter heard ${squatter.heard}`);
    assert.equal(answer.status, 502);
    assert.equal(JSON.parse(answer.body).reason, 'upstream_owner');
    await denied(gate, 'plane', { token }, 502, 'upstream_owner');
    assert.equal(squatter.heard, '');
    const line = await gate.audited(mark, { event: 'upstream_refused' });
    assert.equal(line.surface, 'plane');
    assert.match(line.why, new RegExp(`plane\\.sock is uid ${NOBODY}`));
    assert.match(gate.stderr, /error: surface plane: Whoever listens at/);
  });

  it('finding 10: a place that a stranger takes before the service is there is not gone to', async () => {
    const parent = subdirectory(passage(), 'shared', 0o1777);
    const socket = path.join(parent, 'later', 'plane.sock');
    const { gate, token } = await startTelling(socket);
    mkdirSync(path.dirname(socket));
    chownSync(path.dirname(socket), NOBODY, NOBODY);
    const squatter = keep(await Squatter.start(NOBODY, socket));
    const answer = await ask(gate, 'plane', '/api', { token }).catch((error) => ({ error }));
    assert.ok(!squatter.heard.includes(MARK), `the squatter heard ${squatter.heard}`);
    assert.equal(JSON.parse(answer.body).reason, 'upstream_owner');
    assert.match(gate.stderr, new RegExp(`later belongs to uid ${NOBODY}`));
  });

  it('finding 10: a stranger\'s link does not lead to another service of root', async () => {
    const parent = subdirectory(passage(), 'shared', 0o1777);
    const elsewhere = path.join(subdirectory(parent, 'own', 0o755), 'other.sock');
    const other = keep(await Squatter.start(0, elsewhere));
    const { gate, token } = await startTelling(path.join(parent, 'link', 'other.sock'));
    symlinkSync('own', path.join(parent, 'link'));
    lchownSync(path.join(parent, 'link'), NOBODY, NOBODY);
    await ask(gate, 'plane', '/api', { token }).catch(() => {});
    assert.ok(!other.heard.includes(MARK), 'the record went where a stranger\'s link leads');
    unlinkSync(path.join(parent, 'link'));
    symlinkSync('own', path.join(parent, 'link')); // root's own is followed
    await ask(gate, 'plane', '/api', { token }).catch(() => {});
    await other.hears(MARK);
  });

  it('finding 10: check and serve refuse a directory that others can change', async () => {
    const open = subdirectory(scratchDir(), 'open', 0o775);
    const inside = subdirectory(open, 'inside', 0o755);
    const sticky = subdirectory(scratchDir(), 'sticky', 0o1777);
    for (const [dir, words] of [
      [open, /The directory .*open can be changed by others; run chmod go-w on it/],
      [inside, /The directory .*open can be changed by others; run chmod go-w on it/],
      [sticky, /Anybody can put a socket of his own into the directory of .*mkdir -m 700/],
    ]) {
      const gate = configured({ surfaces: { plane: telling(path.join(dir, 'plane.sock')) } });
      await onlyFault(gate, '/surfaces/plane/upstream/socket', words);
    }
  });

  it('finding 10: a socket of another user is refused before anybody connects', async () => {
    const socket = path.join(subdirectory(passage(), 'services', 0o755), 'plane.sock');
    keep(await Squatter.startBehindRoot(NOBODY, socket));
    chownSync(socket, NOBODY, NOBODY);
    const gate = configured({ surfaces: { plane: telling(socket) } });
    await onlyFault(gate, '/surfaces/plane/upstream/socket', /belongs to uid 65534.*"owner"/);
  });

  it('may belong to whom "owner" names, by number or by name', async () => {
    const dir = subdirectory(passage(), 'services', 0o755);
    const socket = path.join(dir, 'plane.sock');
    chownSync(dir, NOBODY, NOBODY);
    const service = keep(await Squatter.start(NOBODY, socket));
    for (const owner of [NOBODY, 'nobody']) {
      const surface = { ...telling(socket), upstream: { socket, owner } };
      const gate = keep(await Gate.start(scratchDir(), { surfaces: { plane: surface } }));
      await gate.putParams('kept', { secret: `${MARK}-${owner}` });
      const { token } = await gate.session('plane', '--params', 'kept');
      await ask(gate, 'plane', '/api', { token }).catch(() => {});
      await service.hears(`${MARK}-${owner}`);
    }
    const surface = { ...telling(socket), upstream: { socket, owner: 'no-such-user' } };
    const gate = configured({ surfaces: { plane: surface } });
    await onlyFault(gate, '/surfaces/plane/upstream/owner', /There is no user called "no-such-user"/);
  });
});

describe('the control socket', { skip }, () => {
  const store = (options, env = {}) =>
    run(['params', 'put', 'kept', ...options, '-'], { input: JSON.stringify({ secret: MARK }), env });

  it('finding 10: a stranger who listens there is not told a record', async () => {
    const socket = path.join(subdirectory(passage(), 'run', 0o755), 'control.sock');
    const squatter = keep(await Squatter.startBehindRoot(NOBODY, socket));
    const { code, stderr } = await store(['--control', socket]);
    assert.ok(!squatter.heard.includes(MARK), `the squatter heard ${squatter.heard}`);
    assert.equal(code, 77, stderr);
    assert.match(stderr, /nothing was said on the control socket: .*control\.sock is uid 65534/);
    const connected = await run(['connect', 'plane', '--control', socket]);
    assert.equal(connected.code, 77, connected.stderr);
    assert.equal(squatter.heard, '');
  });

  it('finding 10: a name that a stranger took in a shared directory is not spoken to', async () => {
    const sticky = subdirectory(passage(), 'sticky', 0o1777);
    const theirs = subdirectory(sticky, 'sidelock', 0o755);
    chownSync(theirs, NOBODY, NOBODY);
    for (const socket of [path.join(sticky, 'control.sock'), path.join(theirs, 'control.sock')]) {
      const squatter = keep(await Squatter.start(NOBODY, socket));
      const { code, stderr } = await store([], { SIDELOCK_CONTROL: socket });
      assert.ok(!squatter.heard.includes(MARK), `the squatter heard ${squatter.heard}`);
      assert.equal(code, 77, stderr);
    }
  });

  it('finding 10: check and serve refuse one that others could put theirs in the place of', async () => {
    const open = subdirectory(scratchDir(), 'open', 0o777);
    const sticky = subdirectory(scratchDir(), 'sticky', 0o1777);
    const surfaces = { plane: telling(path.join(scratchDir(), 'plane.sock')) };
    for (const [dir, words] of [
      [open, /open can be changed by others; run chmod go-w on it/],
      [sticky, /Anybody can put a socket of his own into the directory of/],
    ]) {
      const control = path.join(dir, 'control.sock');
      await onlyFault(configured({ surfaces, control_socket: control }), '/control_socket', words);
    }
  });

  it('may be of a user whom root gave the directory to', async () => {
    const dir = subdirectory(passage(), 'sidelock', 0o755);
    const socket = path.join(dir, 'control.sock');
    chownSync(dir, NOBODY, NOBODY);
    const gate = keep(await Squatter.start(NOBODY, socket));
    await store(['--control', socket]);
    await gate.hears(MARK);
  });
});
