// A launched tree has no listener in the host's network, whatever its processes try; each try is
// one way of hostile_service.c. LAUNCH_TRIES says how often what is raced for is tried.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { describe, it } from 'node:test';

import { SANITIZED, scratchDir } from './lib/gate.mjs';
import { LANDLOCK } from './lib/landlock.mjs';
import { PEOPLE, Tree, freePort, hostile, oldKernel, openOutside } from './lib/tree.mjs';
import { until, within } from './lib/wait.mjs';

const TRIES = Number(process.env.LAUNCH_TRIES ?? 3000);
const NO_SUCH = 'not on this kernel';

const ABSTRACT = `
import socket, sys
name = "\\0" + sys.argv[1]
stream, datagrams = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
stream.bind(name)
stream.listen()
datagrams.bind(name + "d")
print("there", flush=True)
sys.stdin.read()
`;

const STRANGER = `
import errno, socket, sys
name = "\\0" + sys.argv[1]
def say(call):
    try:
        call(name)
        print("had")
    except OSError as error:
        print(errno.errorcode[error.errno])
say(socket.socket(socket.AF_UNIX).connect)
say(socket.socket(socket.AF_UNIX).bind)
`;

const onlyChildOf = (pid) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim());
// The launcher's child is the spawner, whose child is the keeper.
const keeperOf = (tree) => onlyChildOf(onlyChildOf(tree.child.pid));

for (const who of PEOPLE) {
  // Runs one way to its end and returns what it said.
  const escape = async (way, argument, options = []) => {
    const tree = new Tree(hostile(way, argument), { who, options });
    await tree.said('end: done', 580_000);
    assert.doesNotMatch(tree.stderr, /LEAK/);
    return tree;
  };

  describe(`launched by ${who.name}`, () => {
    it('every family, type and protocol', async () => {
      const port = await freePort();
      const tree = await escape('every_socket', port);
      const made = [...tree.stderr.matchAll(/^socket (\d+) (\d+) (\d+):/gm)].map(([, ...numbers]) => numbers.map(Number));
      // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; of the internet's TCP and UDP, and ping where it is permitted.
      for (const [family, type, protocol] of made) {
        assert.ok([1, 2, 10, 16].includes(family), `family ${family}`);
        if (family !== 2 && family !== 10) continue;
        assert.ok(type === 1 ? [0, 6].includes(protocol) : type === 2 && [0, 1, 17, 58].includes(protocol), `${type} ${protocol}`);
      }
      assert.match(tree.stderr, /^socket 2 1 0: bind done, listen done, held$/m);
      assert.match(tree.stderr, /^socket 10 1 6: bind done, listen done, held$/m);
      assert.match(tree.stderr, /^socket 1 1 0: bind done, listen done, held$/m);
      assert.equal((await tree.end()).code, 0);
    });

    it('listen without bind', async () => {
      const tree = await escape('listen_unbound');
      assert.equal([...tree.stderr.matchAll(/listen: done\nport [1-9]\d*: held/g)].length, 2, tree.stderr);
    });

    for (const way of ['race_listen', 'race_bind']) {
      it(`${way}: another thread changes descriptor and address meanwhile`, async () => {
        const tree = await escape(way, TRIES);
        // So often, and on until a call has succeeded: else there was no race.
        assert.match(tree.stderr, new RegExp(`^tries ${TRIES}, succeeded [1-9]\\d*, leaked 0$`, 'm'));
      });
    }

    it('a ring of io_uring', async () => {
      const tree = await escape('io_uring');
      assert.equal(tree.stderr, 'io_uring_setup: ENOSYS\nio_uring_enter: ENOSYS\nio_uring_register: ENOSYS\nend: done\n');
    });

    it('calls of another architecture', { skip: process.arch !== 'x64' && NO_SUCH }, async () => {
      const tree = await escape('foreign');
      assert.equal(tree.stderr, 'x32: SYS\ni386: SYS\nend: done\n');
    });

    it('a second listener of notifications, and a filter that allows everything', async () => {
      const tree = await escape('second_listener');
      assert.match(tree.stderr, /new listener: EBUSY\nnew filter: done\nlisten: done\nport \d+: held/);
    });

    it('a network namespace of its own', async () => {
      const port = await freePort();
      const tree = await escape('own_network', port);
      assert.equal(await openOutside(port), false);
      assert.match(tree.stderr, /held/);
    });

    it('a grandchild after setsid', async () => {
      const port = await freePort();
      const tree = await escape('grandchild', port);
      assert.match(tree.stderr, /bind: done\nlisten: done\nheld/);
      assert.equal(await openOutside(port), false);
      await tree.kill();
    });

    it('sockets received from outside', async () => {
      const dir = scratchDir();
      chmodSync(dir, 0o777);
      const socketPath = path.join(dir, 'accomplice.sock');
      const [program, ...args] = [...who.prefix, ...hostile('give', socketPath)];
      const accomplice = spawn(program, args, { cwd: '/' });
      const closed = new Promise((resolve) => accomplice.on('close', resolve));
      let said = '';
      accomplice.stderr.on('data', (chunk) => (said += chunk));
      await until(() => said.includes('giving'), 'the accomplice');
      const tree = await escape('receive', socketPath);
      assert.match(tree.stderr, /bind: done\nlisten: done\nprotocol 6: held/);
      if (tree.stderr.includes('protocol 262')) assert.match(tree.stderr, /bind: EACCES\nlisten: EACCES\nprotocol 262: held/);
      await within(closed, 'its end');
    });

    it('sockets of the host have no name', { skip: spawnSync('unshare', ['-Urn', 'true']).status !== 0 && 'needs user namespaces' }, async (t) => {
      const dir = scratchDir();
      chmodSync(dir, 0o777);
      const socketPath = path.join(dir, 'x.sock');
      const tree = new Tree(hostile('occupy', socketPath), { who });
      t.after(() => tree.kill());
      await tree.said('giving');
      const client = net.connect(socketPath);
      t.after(() => client.destroy());
      await tree.said('a pair of ');
      assert.equal(
        tree.stderr,
        'giving: done\none of a pair: EACCES\none of packets: EACCES\none that was accepted: EACCES\n' +
          'one of its own network: done\nthere: done\nof that network\na pair of that\n',
      );
      assert.equal(spawnSync('python3', ['-c', STRANGER, socketPath], { encoding: 'utf8' }).stdout, 'ECONNREFUSED\nhad\n');
    });

    it('the keeper is neither traced, read nor signalled, and goes on answering', async () => {
      const tree = await escape('keeper');
      assert.equal(
        tree.stderr.slice(0, tree.stderr.indexOf('listen:')),
        'ptrace: EPERM\nread its memory: EPERM\nopen its memory: EACCES\nopen its network: EACCES\n' +
          'list its descriptors: EACCES\ntake a descriptor: EPERM\nit lives: done\n' +
          `signal it: ${LANDLOCK >= 6 ? 'EPERM' : 'done'}\n`,
      );
    });

    // Binds are performed by the keeper, so that the tree itself has no right to any; what was tried says so.
    it('second locks: no bind by TCP, and no signals to others', async (t) => {
      const tree = new Tree(['sleep', '1000'], { who });
      t.after(() => tree.kill());
      const { held } = await tree.event((event) => event.event === 'started');
      assert.ok(['privileges', 'calls'].every((fence) => held.split(', ').includes(fence)), held);
      assert.equal(held.split(', ').includes('tcp_bind'), LANDLOCK >= 4, held);
      assert.equal(held.split(', ').includes('signals'), LANDLOCK >= 6, held);
    });

    // As the display's, a session bus's or a container engine's are. The tree's names are its own, whatever Landlock could do.
    for (const version of [undefined, 5, 0])
      it(`sockets of the host that have no path${version === undefined ? '' : `, with Landlock of version ${version}`}`, { skip: SANITIZED && version > 0 && 'traced' }, async (t) => {
        const name = `sidelock-test-${process.pid}-${who.name.replaceAll(' ', '-')}-${version}`;
        const host = spawn('python3', ['-c', ABSTRACT, name], { stdio: ['pipe', 'pipe', 'inherit'] });
        const closed = new Promise((resolve) => host.on('close', resolve));
        t.after(() => host.stdin.end());
        await once(host.stdout, 'data');
        const tree = new Tree(hostile('abstract', name), { who: version === undefined ? who : { ...who, prefix: [...who.prefix, ...oldKernel(version)] } });
        t.after(() => tree.kill());
        await tree.said('connect to that: ');
        const { held } = tree.events.find((event) => event.event === 'started');
        assert.ok(held.split(', ').includes('abstract_sockets'), held);
        const refused = 'ECONNREFUSED';
        assert.equal(
          tree.stderr,
          `connect: ${refused}\nsend: ${refused}\nconnect for datagrams: ${refused}\nconnect one of a pair: ${refused}\n` +
            `send from one of a pair: ${refused}\nconnect one of a raw pair: ${refused}\nsend from there: done\nbind one of its own: done\n` +
            'listen: done\nconnect to that: done\n',
        );
        // And it listens there: for nobody of the host, who may have that name himself.
        const { stdout } = spawnSync('python3', ['-c', STRANGER, `${name}do`], { encoding: 'utf8' });
        assert.equal(stdout, 'ECONNREFUSED\nhad\n');
        host.stdin.end();
        await within(closed, 'its end');
      });

    it('the keeper is fenced as well', async () => {
      const tree = new Tree(['sleep', '1000'], { who });
      await tree.event((event) => event.event === 'started');
      const keeper = keeperOf(tree);
      const status = readFileSync(`/proc/${keeper}/status`, 'utf8');
      assert.match(status, /^NoNewPrivs:\t1$/m);
      if (!SANITIZED) assert.match(status, /^Seccomp:\t2$/m);
      // CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, NET_BIND_SERVICE, SYS_CHROOT, SYS_PTRACE.
      const kept = [0n, 1n, 5n, 6n, 7n, 10n, 18n, 19n].reduce((set, capability) => set | (1n << capability), 0n);
      assert.equal(BigInt(`0x${/^CapEff:\t(\w+)$/m.exec(status)[1]}`), kept);
      // What is not dumpable is root's, whoever it runs as.
      assert.equal(statSync(`/proc/${keeper}/status`).uid, 0);
      await tree.kill();
    });

    it('without a keeper, calls fail', async () => {
      const port = await freePort();
      const script =
        `import socket, sys, time\nprint('ready', file=sys.stderr, flush=True)\n` +
        `for i in range(1000):\n    s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', ${port})); s.listen(); s.close()\n    time.sleep(0.01)\n`;
      const tree = new Tree(['python3', '-c', script], { who });
      await tree.port(port);
      const keeper = keeperOf(tree);
      process.kill(keeper, 'SIGSTOP');
      assert.equal(await openOutside(port), false, 'whoever waits for the answer has no listener');
      process.kill(keeper, 'SIGKILL');
      assert.equal((await tree.end()).signal, 9);
      assert.equal(await openOutside(port), false);
    });

    it('more listeners than its quota', async () => {
      const script =
        `import socket, sys\nheld = []\n` +
        `try:\n    while True:\n        s = socket.socket(); s.listen(); held.append(s)\n` +
        `except OSError as e:\n    print(len(held), e.errno, file=sys.stderr)\n` +
        `held.pop().close()\ns = socket.socket(); s.listen()\nprint('again', file=sys.stderr)\n`;
      const tree = new Tree(['python3', '-c', script], { who, options: ['--listeners=5'] });
      assert.equal((await tree.end()).code, 0, tree.log);
      assert.equal(tree.stderr, '5 24\nagain\n');
      const refused = tree.events.find((event) => event.event === 'refused');
      assert.equal(refused.error, 'EMFILE');
      assert.match(refused.program, /^python/);
    });

    it('memory that becomes a program', async () => {
      const tree = await escape('memfds', 0, ['--seal']);
      assert.equal(
        tree.stderr,
        'memfd: done\nmemfd that may be executed: done\nclose on exec: done\nfexecve: EACCES\nfexecve of that: EACCES\nmap its code: done\nend: done\n',
      );
    });

    it("does not find what is hidden from it, and nobody else misses it", async () => {
      const dir = scratchDir();
      chmodSync(dir, 0o777);
      mkdirSync(path.join(dir, 'runtime'));
      chmodSync(path.join(dir, 'runtime'), 0o777);
      writeFileSync(path.join(dir, 'runtime', 'bus'), 'bus');
      writeFileSync(path.join(dir, 'control'), 'control');
      const script =
        'ls -A runtime >&2; cat control >&2; echo mine > runtime/mine && cat runtime/mine >&2; umount runtime 2>/dev/null; umount control 2>/dev/null; ls -A runtime >&2; ' +
        'unshare -Ur --map-root-user sh -c "umount runtime; umount control" 2>/dev/null; ls runtime >&2; echo 1 > /proc/sys/vm/drop_caches || echo refused >&2';
      const options = ['runtime', 'control', 'nothing'].map((name) => `--hide=${path.join(dir, name)}`);
      // A directory that is its user's: that of the ordinary user's session.
      if (process.getuid() === 0) spawnSync('chown', ['-R', String(who.uid), dir]);
      const tree = new Tree(['sh', '-c', script], { who, options, directory: dir });
      assert.equal((await tree.end()).code, 0, tree.log);
      assert.equal(tree.stderr.replace(/^sh: .*\n/gm, ''), 'mine\nmine\nmine\nrefused\n');
      assert.equal(readFileSync(path.join(dir, 'runtime', 'bus'), 'utf8'), 'bus');
    });

    it('has none of our descriptors, no capability and no environment but its own', async () => {
      const script = 'ls -l /proc/self/fd >&2; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status >&2; env >&2; ps ax >&2';
      const tree = new Tree(['sh', '-c', script], { who, env: { ONLY: 'this' } });
      assert.equal((await tree.end()).code, 0);
      const fds = [...tree.stderr.matchAll(/ (\d+) -> /g)].map(([, fd]) => Number(fd));
      assert.deepEqual(fds, [0, 1, 2, 3], 'its standard ones, and the directory that ls reads');
      assert.match(tree.stderr, /NoNewPrivs:\t1\n/);
      assert.match(tree.stderr, /Seccomp:\t2\n/);
      const bounding = BigInt(`0x${/CapBnd:\t(\w+)/.exec(tree.stderr)[1]}`);
      const held = BigInt(`0x${/CapEff:\t(\w+)/.exec(tree.stderr)[1]}`);
      // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID
      const roots = 0b11111011n;
      assert.equal(bounding & ~(who.uid === 0 ? roots : 0n), 0n);
      assert.equal(held & ~(who.uid === 0 ? roots : 0n), 0n);
      assert.equal(tree.stderr.match(/^(\w+)=/gm).filter((name) => !/^(PATH|HOME|ONLY|PWD|OLDPWD|SHLVL|_)=/.test(name)).length, 0);
      assert.doesNotMatch(tree.stderr, /node --test/, "it sees the host's processes");
    });
  });
}

describe('Unix sockets', () => {
  // A path is looked up from where the service stands, made with its umask, as its user.
  const SCRIPT = `
import os, socket, stat, struct, sys
os.chdir(sys.argv[1]); os.mkdir('sub'); os.symlink('sub', 'link'); os.umask(0o027)
def serve(path):
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); return s
held = [serve('link/one.sock'), serve(os.path.join(sys.argv[1], 'two.sock')), serve('\\0three.' + sys.argv[1])]
print(oct(stat.S_IMODE(os.stat('sub/one.sock').st_mode)), os.stat('two.sock').st_uid, file=sys.stderr)
c = socket.socket(socket.AF_UNIX); c.connect('sub/one.sock')
print(struct.unpack('3i', c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1], file=sys.stderr)
for path in ('two.sock', '/nowhere/x.sock', 'x' * 200):
    try: serve(path); print('served', file=sys.stderr)
    except OSError as e: print(e.errno or str(e), file=sys.stderr)
try: serve('/sys/kernel/x.sock'); print('served', file=sys.stderr)
except OSError as e: print(e.errno in (1, 13, 30), file=sys.stderr)
`;
  const cases = PEOPLE.map((who) => ({ ...who, options: [], service: who.uid }));
  if (process.getuid() === 0) cases.push({ ...PEOPLE[0], name: 'root for another user', options: ['--uid=12345'], service: 12345 });
  for (const who of cases) {
    it(`launched by ${who.name}`, async () => {
      const dir = scratchDir();
      chmodSync(dir, 0o777);
      const tree = new Tree(['/usr/bin/python3', '-c', SCRIPT, dir], { who, options: who.options });
      assert.equal((await tree.end()).code, 0, tree.log);
      assert.equal(tree.stderr, `0o750 ${who.service}\n${who.service}\n98\n2\nAF_UNIX path too long\nTrue\n`);
    });
  }

  for (const who of PEOPLE) {
    it(`in a root of its own, launched by ${who.name}`, async () => {
      const dir = scratchDir();
      mkdirSync(path.join(dir, 'in'));
      for (const each of [dir, path.join(dir, 'in')]) chmodSync(each, 0o777);
      const tree = new Tree(hostile('other_root', dir), { who });
      assert.equal((await tree.end()).code, 0, tree.log);
      assert.equal(tree.stderr, 'unshare: done\nchroot: done\nbind: done\nlisten: done\nit is there: done\nend: done\n');
      assert.deepEqual(readdirSync(path.join(dir, 'in')), ['made.sock']);
    });
  }

  it('another user needs root', { skip: PEOPLE.length < 2 && 'needs root to be both' }, async () => {
    const tree = new Tree(['true'], { who: PEOPLE[1], options: ['--uid=12345'] });
    assert.equal((await tree.end()).why, "becoming the service's user: Operation not permitted; only root can run a service as another user");
  });
});

it('where no namespace may be made, the reason is named', { skip: spawnSync('unshare', ['-Ur', 'true']).status !== 0 && 'needs user namespaces' }, async () => {
  // An ordinary user in a user namespace that may have none below it.
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all -- "$@"';
  const who = { prefix: ['unshare', '-Ur', 'sh', '-c', script, 'sh'] };
  const tree = new Tree(['true'], { who });
  const ended = await tree.end();
  assert.match(ended.why, /^making the namespaces of the service: .*; unprivileged user namespaces must be permitted/);
});

// A user who is none of the kernel's own: in his tree, root's directories are nobody's.
describe('another ordinary user', { skip: process.getuid() !== 0 && 'needs root to become one' }, () => {
  it('does not find what is hidden though it is not his', async () => {
    const uid = 4321;
    const dir = scratchDir();
    chmodSync(dir, 0o755);
    mkdirSync(path.join(dir, 'sockets'));
    writeFileSync(path.join(dir, 'sockets', 'one'), '');
    const who = { name: 'another', uid, prefix: ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'] };
    const tree = new Tree(['sh', '-c', 'ls -A sockets >&2; echo done >&2'], { who, options: [`--hide=${path.join(dir, 'sockets')}`], directory: dir });
    assert.equal((await tree.end()).code, 0, tree.log);
    assert.equal(tree.stderr, 'done\n');
  });
});
