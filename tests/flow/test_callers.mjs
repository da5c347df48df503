// Who may call by a group that he is in, as the group database says. The gate here has a database
// of its own: a mount that nobody else sees.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import net from 'node:net';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { NOBODY, cannotBecome, requestAs } from './lib/as_uid.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SIDELOCK, opaqueSurface, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { denied, requestText } from './lib/raw.mjs';
import { until, within } from './lib/wait.mjs';

const CLIENTS = 4711; // the group
const OTHERS = 4712;
const SOURCE = fileURLToPath(new URL('../..', import.meta.url));
const DAEMON = 1;
const BIN = 2;

const execute = promisify(execFile);
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

// ---- Programs of a user who may call ----

// It tells its fences once it is there.
const lookerOf = (gate) =>
  until(async () => (await gate.doJson('status')).fences.find((row) => row.process === 'looker')?.pid, 'a looker');

describe('callers by program', () => {
  const curl = '/usr/bin/curl';
  let programs;

  before(async () => {
    if (skip) await service.start();
    const callers = { uids: ['self', NOBODY], executables: [curl] };
    programs = await Gate.start(scratchDir(), {
      surfaces: {
        ruled: opaqueSurface(service.socketPath, { callers }),
        noted: opaqueSurface(service.socketPath, { callers: { uids: ['self'], note_executable: true } }),
      },
    });
    gates.push(programs);
  });
  after(() => (skip ? service.stop() : undefined));

  // What `command` is told, which is curl by whichever name: a status.
  async function asked(surface, token, command, ...wrapper) {
    const address = `http://localhost:${programs.port(surface)}/ws`;
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const headers = [...upgrade, 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==', `Authorization: Bearer ${token}`];
    const told = ['-sS', '-o', '/dev/null', '-D', '-', ...headers.flatMap((text) => ['-H', text]), address];
    const child = spawn(wrapper[0] ?? command, wrapper.length > 0 ? [...wrapper.slice(1), command, ...told] : told);
    const head = await within(
      new Promise((resolve, reject) => {
        let text = '';
        child.on('error', reject);
        child.stdout.on('data', (chunk) => {
          text += chunk;
          if (text.includes('\n')) resolve(text);
        });
        child.on('close', () => reject(new Error(`no answer to ${command}`)));
      }),
      `an answer to ${command}`,
    );
    child.kill();
    return Number(head.split(' ')[1]);
  }

  it('lets the program in that is named, and says which it was', async () => {
    const { token } = await programs.session('ruled');
    const mark = programs.mark();
    assert.equal(await asked('ruled', token, curl), 101);
    const line = await programs.audited(mark, { event: 'admitted' });
    assert.equal(line.caller_executable_hint, realpathSync(curl));
  });

  it('refuses another program of the same user', async () => {
    const { token } = await programs.session('ruled');
    const mark = programs.mark();
    await denied(programs, 'ruled', { token }, 403, 'caller_executable');
    const line = await programs.audited(mark, { event: 'denied' });
    assert.deepEqual([line.cause, line.caller_executable_hint], [undefined, realpathSync(process.execPath)]);
    assert.equal(service.connectionCount, 0);
  });

  it('refuses another program that lies at that path elsewhere', { skip }, async () => {
    const { token } = await programs.session('ruled');
    const copy = path.join(scratchDir(), 'curl');
    copyFileSync(curl, copy);
    const mark = programs.mark();
    const hidden = ['unshare', '-m', 'sh', '-c', `mount --bind ${copy} ${curl} && exec "$0" "$@"`];
    assert.equal(await asked('ruled', token, curl, ...hidden), 403);
    const line = await programs.audited(mark, { event: 'denied' });
    assert.deepEqual([line.reason, line.cause, line.caller_executable_hint], ['caller_executable', 'unknown', undefined]);
  });

  it('lets nobody in whom the rules about users do not', { skip }, async () => {
    const { token } = await programs.session('ruled');
    const mark = programs.mark();
    assert.equal(await asked('ruled', token, curl, 'setpriv', '--reuid', String(BIN), '--clear-groups'), 403);
    const line = await programs.audited(mark, { event: 'denied' });
    assert.deepEqual([line.reason, line.caller_uid], ['caller_mismatch', BIN]);
    assert.equal(await asked('ruled', token, curl, 'setpriv', '--reuid', String(NOBODY), '--clear-groups'), 101);
  });

  it('notes the program where there is no rule', async () => {
    const { token } = await programs.session('noted');
    const mark = programs.mark();
    const client = await Client.open(programs, 'noted', '/ws', { token });
    await client.close();
    const line = await programs.audited(mark, { event: 'admitted' });
    assert.equal(line.caller_executable_hint, realpathSync(process.execPath));
  });

  it('is explained, and told in the register', async () => {
    const explain = async (...args) => {
      const { stdout } = await programs.cli('explain', '--surface', 'ruled', '--json', ...args, '/ws');
      return JSON.parse(stdout).steps.find((step) => step.step === 'caller');
    };
    assert.equal((await explain()).verdict, 'unknown');
    assert.equal((await explain('--executable', curl)).verdict, 'allow');
    const other = await explain('--executable', '/usr/bin/wget');
    assert.deepEqual([other.verdict, other.reason], ['deny', 'caller_executable']);
    assert.match(other.rule, /\/usr\/bin\/wget is not in "executables"/);
    assert.match(await programs.do('register'), /of them only 1 program, each with a session token/);
  });

  it('is nobody as long as nobody looks; another looker is asked', async () => {
    const callers = { uids: ['self'], executables: [realpathSync(process.execPath)] };
    const blind = await Gate.start(scratchDir(), { surfaces: { one: opaqueSurface(service.socketPath, { callers }) } });
    gates.push(blind);
    const { token } = await blind.session('one');
    const looker = await lookerOf(blind);
    process.kill(looker, 'SIGSTOP');
    const mark = blind.mark();
    await denied(blind, 'one', { token }, 403, 'caller_executable');
    assert.equal((await blind.audited(mark, { event: 'denied' })).cause, 'unknown');
    process.kill(looker, 'SIGKILL');
    await until(async () => (await lookerOf(blind)) !== looker, 'another looker');
    await (await Client.open(blind, 'one', '/ws', { token })).close();
    assert.match(blind.stderr, /launcher: error: the looker was ended by signal 9; another one follows/);
  });

  it('needs a looker that is fenced, and the status shows it', async () => {
    const { fences } = await programs.doJson('status');
    const { held, missing, unknown, pid } = fences.find((row) => row.process === 'looker');
    assert.deepEqual([held.sort(), missing, unknown], [['calls', 'dumps', 'privileges'], [], []]);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Seccomp:\t2$/m);
  });

  it('is looked for after a reload, where no surface had such a rule', async () => {
    const config = (callers) => ({ surfaces: { one: opaqueSurface(service.socketPath, { callers }) } });
    const plain = await Gate.start(scratchDir(), config({ uids: ['self'] }));
    gates.push(plain);
    assert.equal((await plain.doJson('status')).fences.some((row) => row.process === 'looker'), false);
    plain.configure(config({ uids: ['self'], executables: [curl] }));
    await plain.do('reload');
    const { token } = await plain.session('one');
    const mark = plain.mark();
    await denied(plain, 'one', { token }, 403, 'caller_executable');
    const line = await plain.audited(mark, { event: 'denied' });
    assert.equal(line.caller_executable_hint, realpathSync(process.execPath));
  });

  it('may have any name', async () => {
    const folder = scratchDir();
    const odd = Buffer.concat([Buffer.from(`${folder}/a "b\n\u00e9`), Buffer.from([0xff])]);
    copyFileSync(curl, odd);
    const { token } = await programs.session('ruled');
    const mark = programs.mark();
    const link = path.join(folder, 'link'); // such a name is no argument of spawn()
    symlinkSync(odd, link);
    assert.equal(await asked('ruled', token, link), 403);
    const line = await programs.audited(mark, { event: 'denied' });
    assert.deepEqual([line.reason, line.cause], ['caller_executable', undefined]);
    assert.match(line.caller_executable_hint, /a "b/);
    assert.match(await programs.do('audit', 'verify'), /ok|intact|holds/i);
  });

  it('is warned of where it is a link', async () => {
    const link = path.join(scratchDir(), 'link');
    symlinkSync(curl, link);
    const callers = { uids: ['self'], executables: [link, `${link}s`] };
    const linked = new Gate(scratchDir(), { surfaces: { one: opaqueSurface(service.socketPath, { callers }) } });
    const { warnings } = JSON.parse((await linked.cli('check', '--json')).stdout);
    assert.ok(warnings.some((text) => text.includes(`is a link: write "${realpathSync(curl)}"`)), warnings);
    assert.ok(warnings.some((text) => /links" that may call "one" is not there/.test(text)), warnings);
  });
});

// ---- Users who need no token ----

describe('callers who could take the keys', () => {
  const self = process.getuid();
  const STRANGER = 54321;

  // What is said of them, for surfaces with these rules about callers.
  async function told(rules, more = {}) {
    const named = Object.entries(rules).map(([name, callers]) => [name, opaqueSurface(service.socketPath, { callers })]);
    const asked = new Gate(scratchDir(), { surfaces: Object.fromEntries(named), ...more });
    const { warnings } = JSON.parse((await asked.cli('check', '--json')).stdout);
    return warnings.filter((text) => /may call/.test(text));
  }

  it('are told of: who runs the gate, by uid or by group', async () => {
    const rules = { one: { uids: ['self', STRANGER] }, two: { gids: [process.getgid()] }, three: { uids: [STRANGER] } };
    const [warning, ...others] = await told(rules);
    assert.match(warning, new RegExp(`^uid ${self} may call "one", "two", and can read the state directory and use the`));
    assert.deepEqual(others, []);
  });

  it('are told of: operators', async () => {
    const [warning, ...others] = await told({ one: { uids: [STRANGER] } }, { operators: { uids: [STRANGER] } });
    assert.match(warning, new RegExp(`^uid ${STRANGER} may call "one", and can use the control socket:`));
    assert.deepEqual(others, []);
  });

  it('are nobody where a client has a user of its own', async () => {
    assert.deepEqual(await told({ one: { uids: [STRANGER] }, two: { gids: [STRANGER] } }), []);
  });

  it('are told of when the gate starts', async () => {
    const one = { one: opaqueSurface(service.socketPath, { callers: { uids: ['self'] } }) };
    const started = await Gate.start(scratchDir(), { surfaces: one });
    gates.push(started);
    assert.match(started.stderr, new RegExp(`warning: uid ${self} may call "one", and can read the state directory`));
  });
});

// ---- The worked example of contrib/clients.md, line by line ----

const guide = readFileSync(path.join(SOURCE, 'contrib', 'clients.md'), 'utf8');
const chapter = guide.split(/^## /m).find((text) => text.startsWith('A user of its own'));
const [makeUser, giveToken, runClient] = chapter
  .split('\n\n')
  .filter((text) => /^ {4}\S/.test(text))
  .map((text) => text.replace(/^ {4}/gm, ''));

describe('a user of its own for the client', { skip }, () => {
  const home = scratchDir();
  const places = ['etc', 'lib', 'bin'].map((name) => path.join(home, name));
  const [etc, lib, bin] = places;
  const web = new HttpService(path.join(home, 'http.sock'));
  // The host's users stay as they are: those of the test are in a mount that nobody else sees.
  const enter = 'mount --bind "$0/etc" /etc && mount --bind "$0/lib" /var/lib && PATH="$0/bin:$PATH" && exec "$@"';
  const env = () => ({ ...process.env, SIDELOCK_CONFIG: owned.configPath, PATH: `${bin}:${process.env.PATH}` });
  let owned;

  // The services of this process answer meanwhile.
  async function inside(script) {
    const asked = execute('unshare', ['-m', 'sh', '-c', enter, home, 'sh', '-ec', script], { env: env() });
    return (await within(asked, script)).stdout;
  }

  class GateWithUser extends Gate {
    launch() {
      return super.launch({ command: 'unshare', prefix: ['-m', 'sh', '-c', enter, home, SIDELOCK] });
    }
  }

  before(async () => {
    chmodSync(home, 0o755); // its own modes keep others from the state directory
    for (const place of places) mkdirSync(place, { mode: 0o755 });
    execFileSync('cp', ['-a', '/etc/.', etc]);
    symlinkSync(path.resolve(SIDELOCK), path.join(bin, 'sidelock'));
    await web.start();
    owned = new GateWithUser(home, {});
    gates.push(owned);
  });
  after(() => web.stop());

  it('works as it is written', async () => {
    const [uid, gid] = (await inside(makeUser)).trim().split('\n').map(Number);
    assert.ok(uid > 0 && gid > 0);
    const open = { dialect: 'opaque', routes: [{ path: '/{any...}', kind: 'http' }] };
    owned.configure({
      surfaces: {
        tools: surface(web.socketPath, { ...open, callers: { uids: [uid] } }),
        group: surface(web.socketPath, { ...open, callers: { gids: [gid] } }),
      },
    });
    await owned.launch();
    assert.doesNotMatch(owned.stderr, /may call/);
    for (const name of ['tools', 'group']) {
      await inside(giveToken.replace('create tools', `create ${name}`));
      const address = `http://localhost:${owned.port(name)}/echo`;
      const client = runClient.replace('http://localhost:8081/', `-o /dev/null -w '%{http_code}' ${address}`);
      assert.match(client, /%\{http_code\}/);
      assert.equal(await inside(client), '200');
      const mark = owned.mark();
      assert.equal(await inside(client.replace('runuser -u browsing-agent -- ', '')), '403'); // root, with the same token
      const line = await owned.audited(mark, { event: 'denied' });
      assert.deepEqual([line.reason, line.caller_uid], ['caller_mismatch', 0]);
    }
  });

  it('keeps the client from what is not its own', async () => {
    const attempts = [
      `cat ${owned.stateDir}/key`,
      `ls ${owned.stateDir}`,
      `curl -sS --unix-socket ${owned.controlSocket} http://localhost/v1/status`,
    ];
    for (const attempt of attempts) {
      await inside(attempt); // as root it can be done
      const refused = `if runuser -u browsing-agent -- ${attempt}; then exit 1; fi`;
      await inside(refused);
    }
  });

  it('has a unit that systemd understands', (t) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return t.skip('needs systemd-analyze');
    const unit = readFileSync(path.join(SOURCE, 'contrib', 'browsing-agent.service'), 'utf8');
    const file = path.join(home, 'browsing-agent.service');
    writeFileSync(file, unit.replace('/usr/local/bin/browsing-agent', '/bin/true'));
    const said = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    assert.doesNotMatch(said.stderr, /browsing-agent\.service/);
  });
});
