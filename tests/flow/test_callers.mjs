// Who may call by a group that he is in, as the group database says. The gate here has a database
// of its own: a mount that nobody else sees.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import net from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { NOBODY, cannotBecome, requestAs } from './lib/as_uid.mjs';
import { Gate, SIDELOCK, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';
import { denied, requestText } from './lib/raw.mjs';
import { within } from './lib/wait.mjs';

const CLIENTS = 4711; // the group
const OTHERS = 4712;
const DAEMON = 1;
const BIN = 2;

const dir = scratchDir();
const groupFile = path.join(dir, 'group');
const service = new WebSocketService(path.join(dir, 'echo.sock'));
const skip = cannotBecome() || cannotMount();
const gates = [];
let gate;

function cannotMount() {
  const probe = spawnSync('unshare', ['-m', 'mount', '--bind', '/etc/group', '/etc/group']);
  return probe.status === 0 ? false : 'needs a mount namespace of its own';
}

class GateWithGroups extends Gate {
  launch() {
    const script = 'mount --bind "$0" /etc/group && exec "$@"';
    return super.launch({ command: 'unshare', prefix: ['-m', 'sh', '-c', script, groupFile, SIDELOCK] });
  }

  // Runs a command where the gate's group database is.
  inside(command, ...args) {
    return execFileSync('nsenter', ['-t', String(this.pid), '-m', command, ...args]).toString();
  }
}

function surfaces(gids = [CLIENTS]) {
  return {
    mine: opaqueSurface(service.socketPath, { callers: { uids: ['self'] } }),
    members: opaqueSurface(service.socketPath, { callers: { gids } }),
    either: opaqueSurface(service.socketPath, { callers: { uids: [BIN], gids: [OTHERS, CLIENTS] } }),
  };
}

async function start(where) {
  const started = new GateWithGroups(where, { surfaces: surfaces() });
  gates.push(started);
  return started.launch();
}

before(async () => {
  if (skip) return;
  const known = readFileSync('/etc/group', 'utf8').replace(/\n*$/, '\n');
  writeFileSync(groupFile, `${known}clients:x:${CLIENTS}:nobody\nothers:x:${OTHERS}:\n`, { mode: 0o644 });
  await service.start();
  gate = await start(dir);
});

after(() => stopAll(...gates, skip ? undefined : service));

beforeEach(() => service.forget());

function as(uid, surface, token, at = gate) {
  const port = at.port(surface);
  return requestAs(uid, port, requestText({ host: `localhost:${port}`, token }));
}

describe('callers by group', { skip }, () => {
  it('lets a member in, and says for which group', async () => {
    for (const surface of ['members', 'either']) {
      const { token } = await gate.session(surface);
      const mark = gate.mark();
      assert.equal((await as(NOBODY, surface, token)).status, 101);
      const line = await gate.audited(mark, { event: 'admitted', surface });
      assert.deepEqual([line.caller_uid, line.caller_gid], [NOBODY, CLIENTS]);
    }
  });

  it('refuses another user with a stolen token, and says who it was', async () => {
    const { token } = await gate.session('members');
    const mark = gate.mark();
    await denied(gate, 'members', { token }, 403, 'caller_mismatch');
    const line = await gate.audited(mark, { event: 'denied', reason: 'caller_mismatch' });
    assert.equal(line.caller_uid, process.getuid());
    assert.equal('caller_gid' in line, false);
    assert.equal(service.connectionCount, 0);
  });

  it('needs a token of a member, too', async () => {
    assert.equal((await as(NOBODY, 'members')).status, 401);
    assert.equal(service.connectionCount, 0);
  });

  it('lets a user in who is named, in no such group', async () => {
    const { token } = await gate.session('either');
    const mark = gate.mark();
    assert.equal((await as(BIN, 'either', token)).status, 101);
    const line = await gate.audited(mark, { event: 'admitted', surface: 'either' });
    assert.equal('caller_gid' in line, false);
  });

  it('refuses whoever has hung up before he could be told', async () => {
    const [worker] = gate.workers();
    for (const surface of ['mine', 'members']) {
      const { token } = await gate.session(surface);
      const port = gate.port(surface);
      const mark = gate.mark();
      process.kill(worker, 'SIGSTOP');
      const socket = net.connect({ port, host: '127.0.0.1' });
      const gone = new Promise((resolve) => {
        socket.on('close', resolve);
      });
      socket.write(requestText({ host: `localhost:${port}`, token }), () => socket.destroy());
      await within(gone, 'the end of the client');
      process.kill(worker, 'SIGCONT');
      const line = await gate.audited(mark, { event: 'denied', surface });
      assert.equal(line.reason, 'caller_unknown');
      assert.equal('caller_uid' in line, false);
    }
    assert.equal(service.connectionCount, 0);
  });

  it('is explained, and told in the register', async () => {
    const explain = (uid, surface) => {
      const args = ['explain', '--surface', surface, '--caller', `uid=${uid}`, '--json', '-c', gate.configPath, '/ws'];
      const asked = spawnSync('nsenter', ['-t', String(gate.pid), '-m', path.resolve(SIDELOCK), ...args], { encoding: 'utf8' });
      return JSON.parse(asked.stdout).steps.find((step) => step.step === 'caller');
    };
    const member = explain(NOBODY, 'members');
    assert.equal(member.verdict, 'allow');
    assert.match(member.rule, new RegExp(`uid ${NOBODY} is in group ${CLIENTS}: "gids" permits it`));
    const named = explain(BIN, 'either');
    assert.equal(named.verdict, 'allow');
    assert.match(named.rule, /"uids" permits it/);
    const other = explain(DAEMON, 'either');
    assert.deepEqual([other.verdict, other.reason], ['deny', 'caller_mismatch']);
    assert.match(other.rule, /not in "uids", and none of its \d+ groups is in "gids"/);
    assert.match(await gate.do('register'), new RegExp(`uid ${BIN}, and members of gids ${OTHERS}, ${CLIENTS}`));
  });

  it('goes by the rules that a reload brings', async () => {
    const { token } = await gate.session('members');
    gate.configure({ surfaces: surfaces([OTHERS]) });
    await gate.do('reload');
    assert.equal((await as(NOBODY, 'members', token)).status, 403);
    gate.configure({ surfaces: surfaces() });
    await gate.do('reload');
    assert.equal((await as(NOBODY, 'members', token)).status, 101);
  });

  it('refuses whose groups cannot be found out in time, and nobody else', async () => {
    const slow = await start(scratchDir());
    const fifo = path.join(slow.dir, 'hangs');
    const { token } = await slow.session('either');
    assert.equal((await as(NOBODY, 'either', token, slow)).status, 101);
    execFileSync('mkfifo', [fifo]);
    slow.inside('mount', '--bind', fifo, '/etc/group'); // as a directory on another machine may
    const mark = slow.mark();
    const late = as(DAEMON, 'either', token, slow);
    assert.equal((await as(BIN, 'either', token, slow)).status, 101); // is named
    assert.equal((await as(NOBODY, 'either', token, slow)).status, 101); // is known
    assert.equal((await late).status, 403);
    const line = await slow.audited(mark, { event: 'denied' });
    assert.deepEqual([line.reason, line.caller_uid], ['caller_groups', DAEMON]);
    assert.equal((await as(DAEMON, 'either', token, slow)).status, 403);
    await slow.stop();
  });
});
