// From an empty home to a client that is served, without an editor: `sidelock init`, `add`, `serve`, `session create`; and
// what becomes of a configuration that cannot be made or changed.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { cannotBecome } from './lib/as_uid.mjs';
import { scratchDir } from './lib/gate.mjs';
import { Person, add } from './lib/person.mjs';
import { PEOPLE, freePort } from './lib/tree.mjs';

describe('from an empty home', () => {
  const elsewhere = { XDG_CONFIG_HOME: '@/c', XDG_STATE_HOME: '@/s $HOME', XDG_RUNTIME_DIR: '@/r' };
  for (const who of PEOPLE) {
    for (const [where, env] of Object.entries({ 'without XDG_*': {}, 'with XDG_*': elsewhere })) {
      it(`five commands serve a client, for ${who.name}, ${where}`, async () => {
        const person = new Person(who, env);
        const port = await freePort();
        writeFileSync(path.join(person.home, 'page'), 'hello');
        assert.match(person.do('init'), /next: sidelock add NAME/);
        for (const [place, mode] of [[person.config, 0o600], [path.dirname(person.config), 0o700], [person.state, 0o700]])
          assert.equal(statSync(place).mode & 0o7777, mode, place);
        assert.match(person.do(...add('docs', port)), /next: sidelock serve/);
        const gate = await person.serve();
        const token = person.do('session', 'create', 'docs').trim();
        assert.equal((await person.get(port)).status, 401);
        const { status, text } = await person.get(port, token);
        assert.equal(status, 200);
        assert.match(text, /href="page"/, 'it is started where `add` was said');
        assert.ok(existsSync(path.join(person.state, 'audit.jsonl')));
        await gate.stop();
      });
    }
  }

  for (const who of PEOPLE)
    it(`the service of one gate finds neither the key nor the control socket of another, for ${who.name}`, async () => {
      const person = new Person(who);
      const [one, two] = [await freePort(), await freePort()];
      const other = { ...person, env: { ...person.env, SIDELOCK_CONFIG: path.join(person.home, 'other.json') } };
      Object.setPrototypeOf(other, Person.prototype);
      for (const [gate, name, port] of [[other, 'two', two], [person, 'one', one]]) {
        gate.do('init');
        gate.do(...add(name, port));
      }
      const second = await other.serve();
      const place = '.local/state/sidelock-other';
      assert.ok(['key', 'control.sock'].every((name) => existsSync(path.join(person.home, place, name))));
      const first = await person.serve();
      const token = person.do('session', 'create', 'one').trim();
      const { status, text } = await person.get(`${one}/${place}`, token);
      assert.equal(status, 200);
      assert.doesNotMatch(text, /key|control\.sock/);
      await Promise.all([first.stop(), second.stop()]);
    });

  it('a gate that runs takes up what is added and taken away by a reload', async () => {
    const person = new Person();
    const [one, two] = [await freePort(), await freePort()];
    person.do('init');
    person.do(...add('one', one));
    const gate = await person.serve();
    assert.match(person.do(...add('two', two)), /next: sidelock reload/);
    assert.match(person.do('reload'), /added: two/);
    const token = person.do('session', 'create', 'two').trim();
    assert.equal((await person.get(two, token)).status, 200);
    assert.match(person.do('rm', 'two'), /sessions are revoked\.\nnext: sidelock reload/);
    assert.match(person.do('reload'), /removed: two/);
    assert.match(person.do('rm', 'one'), /the last one/);
    assert.equal((await person.get(one, person.do('session', 'create', 'one', '--control', path.join(person.state, 'control.sock')).trim())).status, 200);
    await gate.stop();
  });
});

describe('sidelock init', () => {
  it('changes nothing that is there', () => {
    const person = new Person();
    person.do('init');
    person.do('add', 'a', '--listen', '127.0.0.1:1', '--elsewhere', '--dialect', 'mcp', '--socket', '/run/a.sock');
    const text = person.text();
    assert.match(person.do('init'), /is there already, and stays as it is\nnext: sidelock check/);
    assert.equal(person.text(), text);
    assert.deepEqual(JSON.parse(person.do('init', '--json')), { config: person.config, made: false, state_dir: person.state });
  });

  it('makes the file that is named, or that a link names', () => {
    const person = new Person();
    person.config = path.join(person.home, 'a/b/mine.json');
    person.do('init', '-c', person.config);
    assert.match(person.text(), /"state_dir": "~\/\.local\/state\/sidelock-mine"/);
    const link = path.join(person.home, 'link.json');
    symlinkSync('dotfiles/sidelock.json', link);
    mkdirSync(path.join(person.home, 'dotfiles'));
    person.do('init', '-c', link);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.match(readFileSync(path.join(person.home, 'dotfiles/sidelock.json'), 'utf8'), /"surfaces"/);
  });

  it('leaves no two configurations with the same state, and what is next is said with its file', () => {
    const person = new Person();
    person.do('init');
    const first = person.env;
    person.env = { ...first, SIDELOCK_CONFIG: path.join(person.home, 'my w/r.json') };
    assert.match(person.do('init'), /--dialect DIALECT -c '\/.*\/my w\/r\.json' -- COMMAND/);
    assert.match(readFileSync(person.env.SIDELOCK_CONFIG, 'utf8'), /"state_dir": "~\/\.local\/state\/sidelock-r"/);
    assert.match(person.do('add', 'a', '--listen', '127.0.0.1:1', '--elsewhere', '--dialect', 'mcp', '--socket', '/run/a.sock'), /next: sidelock serve -c '\/.*\/my w\/r\.json'\n/);
    assert.match(person.do('init'), /next: sidelock check -c '/);
    person.env = first;
    writeFileSync(path.join(`${person.state}-r`, 'generation'), '1');
    const { code, stderr } = person.sidelock('init', '-c', 'other/r.json');
    assert.equal(code, 65);
    assert.match(stderr, /sidelock-r is the state of a gate already: give the configuration another name/);
    assert.match(person.do('init', '-c', '.config/sidelock/sidelock.json'), /stays as it is/);
    assert.deepEqual(JSON.parse(person.do('init', '--json', '-c', '.config/sidelock/sidelock.json')).state_dir, person.state);
  });

  it('refuses a directory', () => {
    const person = new Person();
    person.refused(['init', '-c', person.home], 65, /is a directory: name the file in it/);
    person.refused(['init', '-c', 'missing/'], 65, /names no file/);
  });

  it('makes no path of a home in a file outside it', () => {
    const person = new Person();
    const outside = path.join(scratchDir(), 'x.json');
    person.do('init', '-c', outside);
    assert.ok(readFileSync(outside, 'utf8').includes(`"state_dir": "${person.home}/.local/state/sidelock-x"`));
    person.do('add', 'a', '-c', outside, '--listen', '127.0.0.1:1', '--elsewhere', '--dialect', 'opaque', '--', './program');
    assert.ok(readFileSync(outside, 'utf8').includes(`"cwd": "${person.home}"`));
    assert.ok(readFileSync(outside, 'utf8').includes(`"command": ["${person.home}/program"]`));
  });

  const cannotMount = spawnSync('unshare', ['-m', 'true']).status !== 0 && 'needs to mount';
  const withoutEtc = (person, ...script) => {
    const { code, stdout, stderr } = person.run('unshare', '-m', 'sh', '-euc', `mount -t tmpfs -o mode=755 none /etc; umask 022; ${script.join('; ')}`, 'sh', person.program);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  it('makes what the units of the system go by', { skip: cannotMount }, () => {
    const person = new Person();
    const said = withoutEtc(person, '"$1" init -c /etc/sidelock/sidelock.json', 'cd /etc/sidelock', '"$1" init -c more.json', 'stat -c "%a %n" /etc/sidelock *.json', 'cat *.json');
    assert.match(said, /--dialect DIALECT -c \/etc\/sidelock\/sidelock\.json --elsewhere -- COMMAND[^]*\nthen: systemctl enable --now sidelock\n/);
    assert.match(said, /\nthen: systemctl enable --now sidelock@more\n/);
    assert.match(said, /755 \/etc\/sidelock\n644 more\.json\n644 sidelock\.json\n/);
    for (const place of ['sidelock', 'sidelock-gates/more'])
      assert.ok(said.includes(`"state_dir": "/var/lib/${place}",\n  "control_socket": "/run/${place}/control.sock",`), said);
    assert.equal(existsSync(person.state), false);
  });

  it('says that it comes before the one of the system', { skip: cannotMount }, () => {
    const person = new Person();
    const said = withoutEtc(person, 'mkdir /etc/sidelock', 'echo {} >/etc/sidelock/sidelock.json', '"$1" init');
    assert.match(said, /Your commands go by it from now on: by \/etc\/sidelock\/sidelock\.json only with -c/);
  });

  it('says what is missing of the environment', () => {
    const person = new Person();
    delete person.env.HOME;
    person.refused(['init', '-c', path.join(person.home, 'x.json')], 78, /neither HOME nor XDG_STATE_HOME/, undefined);
    assert.match(person.sidelock('init').stderr, /neither HOME nor XDG_CONFIG_HOME/);
  });

  it('finds a place for the control socket where paths are long', () => {
    const person = new Person(PEOPLE[0], { XDG_STATE_HOME: `@/${'x'.repeat(100)}` });
    assert.match(person.sidelock('init').stderr, /no socket's path may be as long as one in .*x\/sidelock: set XDG_STATE_HOME or XDG_RUNTIME_DIR/);
    person.env.XDG_RUNTIME_DIR = person.home;
    person.do('init');
    assert.match(person.text(), /"control_socket": "~\/sidelock\/control\.sock"/);
  });

  it('uses no directory that is open to others', () => {
    const person = new Person();
    mkdirSync(person.state, { recursive: true });
    chmodSync(person.state, 0o755);
    const { code, stderr } = person.sidelock('init');
    assert.equal(code, 77, stderr);
    assert.match(stderr, /is open to others; run chmod 700/);
    assert.equal(person.text(), undefined);
  });
});

describe('sidelock add and rm', () => {
  const socket = (name, ...more) => ['add', name, '--listen', '127.0.0.1:1', '--elsewhere', '--dialect', 'mcp', '--socket', '/run/a.sock', ...more];
  const begun = (who) => {
    const person = new Person(who);
    person.do('init');
    return person;
  };

  it('leave no trace together', () => {
    const person = begun();
    const first = person.text();
    person.do(...socket('a', '--why', 'Tools', '--can-do', 'What they "can"', '--allow', 'tools/call', '--tool', 'get-*', '--caller', 'uid=7'));
    const second = person.text();
    for (const line of first.split('\n')) assert.ok(second.includes(line), line);
    assert.match(second, /"callers": \{"uids": \["self", 7\]\},\n {6}"allow": \{"verbs": \["tools\/call"\], "targets": \["get-\*"\]\}/);
    person.do(...socket('b').map((word) => (word === '127.0.0.1:1' ? '127.0.0.1:3' : word)));
    person.do('rm', 'b');
    assert.equal(person.text(), second);
    person.do('rm', 'a');
    assert.equal(person.text(), first);
  });

  it('write whatever the configuration knows of a command and of a surface', () => {
    const person = begun();
    const file = path.join(person.home, 'plain.json');
    writeFileSync(file, JSON.stringify({ state_dir: person.state, surfaces: {} }), { mode: 0o600 });
    const words = [
      ...add('a', 1).slice(0, 6), '-c', file, '--elsewhere', '--mode', 'observe', '--host', 'a.example', '--origin', 'https://a.example',
      '--env', 'A=1', '--env', 'B=x=y', '--env', 'A=2', '--env-file', '/etc/secret', '--cwd', '/srv', '--user', '1000', '--port', '8002', '--ready', '/up',
      '--restart', 'on-failure', '--start', 'on_demand', '--idle-stop', '15m', '--allow-exec', '/usr/bin/env', '--allow-library', '/opt/lib',
      '--write', '/srv/data', '--write', '~/more', '--require', 'write', '--memory-mib', '512', '--processes', '64',
      '--connect-port', '443', '--connect-port', '5432', '--refuse-network', '169.254.0.0/16', '--no-udp', '--', 'server', '--port', '8002',
    ];
    person.do(...words);
    const made = JSON.parse(readFileSync(file, 'utf8')).surfaces.a;
    assert.deepEqual(made.upstream, {
      command: ['server', '--port', '8002'], cwd: '/srv', env: { A: '2', B: 'x=y' }, env_files: ['/etc/secret'], user: 1000, port: 8002, ready: { path: '/up' },
      restart: 'on-failure', start: 'on_demand', idle_stop_s: 900, executables: ['/usr/bin/env'], libraries: ['/opt/lib'], write: ['/srv/data', '~/more'], require: ['write'], limits: { memory_mib: 512, processes: 64 },
      connect: { ports: [443, 5432], refuse: ['169.254.0.0/16'], udp: false },
    });
    assert.deepEqual([made.mode, made.hosts, made.origins], ['observe', ['a.example'], ['https://a.example']]);
    person.do(...add('b', 2).slice(0, 6), '-c', file, '--elsewhere', '--user', 'nobody', '--allow-exec', 'any', '--write', 'none', '--', 'server');
    const other = JSON.parse(readFileSync(file, 'utf8')).surfaces.b.upstream;
    assert.deepEqual([other.user, other.executables, other.write], ['nobody', 'any', []]);
    person.do(...socket('c', '-c', file, '--owner', 'root').map((word) => (word === '127.0.0.1:1' ? '127.0.0.1:3' : word)));
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')).surfaces.c.upstream, { socket: '/run/a.sock', owner: 'root' });
    person.do(...add('d', 4).slice(0, 6), '-c', file, '--elsewhere', '--tcp', '127.0.0.1:8081', '--namespace', 'shared', '--owner', '7');
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')).surfaces.d.upstream, { tcp: '127.0.0.1:8081', namespace: 'shared', owner: 7 });
    person.do('add', 'f', '-c', file, '--listen', '0.0.0.0:5', '--dialect', 'opaque', '--elsewhere', '--tcp', '127.0.0.1:8082', '--allow-non-loopback', '--network', '172.18.0.0/16', '--network', 'fd00::/8');
    const far = JSON.parse(readFileSync(file, 'utf8')).surfaces.f;
    assert.deepEqual([far.allow_non_loopback, far.callers, far.listen], [true, { networks: ['172.18.0.0/16', 'fd00::/8'] }, ['0.0.0.0:5']]);
    person.do('add', 'g', '-c', file, '--listen', '0.0.0.0:6', '--dialect', 'opaque', '--elsewhere', '--tcp', '127.0.0.1:8082', '--allow-non-loopback');
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).surfaces.g.callers, undefined);
    for (const over of [['--allow-non-loopback'], ['--network', '10.0.0.0/8']])
      person.refused([...socket('e'), ...over, '--caller', 'uid=7'], 64, /--caller names a user.*name clients by --network/);
    person.refused([...socket('e'), '--network', '10.0.0.1/8'], 78, /whose address ends where its prefix does/);
    person.refused([...socket('e'), '--namespace', 'shared'], 64, /--namespace goes with --tcp/);
  });

  // A key that no option writes is said here, so that one that is new is thought of.
  it('have an option for each key of an upstream', () => {
    const schema = JSON.parse(readFileSync(new URL('../../config/sidelock.schema.json', import.meta.url), 'utf8'));
    const written = { command: '--', env_files: '--env-file', executables: '--allow-exec', libraries: '--allow-library', idle_stop_s: '--idle-stop', limits: '--memory-mib', connect: '--connect-port' };
    const help = new Person().do('help', 'add');
    for (const key of Object.keys(schema.definitions.surface.properties.upstream.properties))
      assert.ok(help.includes(`  ${written[key] ?? `--${key}`} `) || written[key] === '--', `no option of \`sidelock add\` writes "${key}"`);
  });

  for (const who of PEOPLE)
    it(`a command with a port, variables and one place to write is served, for ${who.name}`, async () => {
      const person = begun(who);
      const [outside, inside] = [await freePort(), await freePort()];
      const program = 'import http.server, os; open(os.environ["PLACE"] + "/seen", "w").close(); os.chdir(os.environ["PLACE"]); http.server.test(http.server.SimpleHTTPRequestHandler, port=int(os.environ["PORT"]))';
      person.run('mkdir', '-m', '700', path.join(person.home, 'data'));
      const place = path.join(person.home, 'data');
      person.do(...add('docs', outside).slice(0, 6), '--port', inside, '--env', `PORT=${inside}`, '--env', `PLACE=${place}`, '--write', place, '--', 'python3', '-c', program);
      const gate = await person.serve();
      const { status, text } = await person.get(outside, person.do('session', 'create', 'docs').trim());
      assert.equal(status, 200);
      assert.match(text, /href="seen"/);
      await gate.stop();
    });

  it('refuse what is no surface, and say what is missing', () => {
    const person = begun();
    person.do(...socket('a'));
    for (const name of ['', '../a', 'a b', 'ä', 'a/b', 'x'.repeat(65), 'a\nb', '\x1b[2J'])
      person.refused(socket(name), 65, /name of a surface/);
    person.refused(socket('a'), 65, /there is a surface a in .*; `sidelock rm a` takes it away/);
    person.refused(['rm', 'b'], 65, /there is no surface b in/);
    person.refused(['add', 'b', '--dialect', 'mcp', '--socket', '/x'], 64, /--listen says where/);
    person.refused(['add', 'b', '--listen', '1', '--socket', '/x'], 64, /--dialect says what it speaks: autogen-studio, /);
    person.refused(['add', 'b', '--listen', '1', '--dialect', 'mcp'], 64, /say where the service is/);
    person.refused([...socket('b'), '--', 'true'], 64, /say where the service is/);
    person.refused([...socket('b', '--cwd', '/')], 64, /--cwd goes with a command/);
    person.refused([...socket('b', '--port', '1')], 64, /--port goes with a command/);
    person.refused(['add', 'b', '--listen', '2', '--stdio', '--port', '1', '--', 'cat'], 64, /--port goes with a command that listens/);
    person.refused([...add('b', 2).slice(0, 6), '--owner', 'root', '--', 'true'], 64, /--owner goes with --socket or --tcp/);
    person.refused([...add('b', 2).slice(0, 6), '--env', 'TOKEN', '--', 'true'], 64, /--env takes NAME=VALUE, not TOKEN/);
    person.refused([...add('b', 2).slice(0, 6), '--port', '-1', '--', 'true'], 64, /--port takes a number/);
    person.refused([...add('b', 2).slice(0, 6), '--idle-stop', 'soon', '--', 'true'], 64, /--idle-stop takes a time/);
    person.refused(['add', 'b', '--listen', '2', '--dialect', 'mcp', '--'], 64, /after `--` comes/);
    person.refused(socket('b', '--caller', 'me'), 64, /--caller takes uid=N/);
  });

  it('refuse what check would find, with its line and pointer', async () => {
    const person = begun();
    const faulty = (changed, sentence) => person.refused(socket('b').map((word) => changed[word] ?? word), 78, sentence);
    faulty({ '/run/a.sock': './a.sock' }, /sidelock\.json:\d+: \/surfaces\/b\/upstream\/socket: .*absolute path[^]*nothing was changed/);
    faulty({ '/run/a.sock': '/run/\x07' }, /without control characters/);
    faulty({ '/run/a.sock': '/$NOBODY/a' }, /variable NOBODY is not set/);
    faulty({ '/run/a.sock': `/${'x'.repeat(107)}` }, /107 bytes/);
    faulty({ mcp: 'mpc' }, /no dialect pack "mpc"/);
    faulty({ '127.0.0.1:1': '0.0.0.0:1' }, /allow_non_loopback/);
    const { code, stderr } = person.run('sh', '-c', `${person.program} ${socket('b').join(' ')} --why "$(printf '\\377')"`);
    assert.equal(code, 65);
    assert.match(stderr, /must be UTF-8/);
    const port = await freePort();
    const other = net.createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => other.on('listening', resolve));
    person.refused(add('b', port), 78, new RegExp(`/surfaces/b/listen/0: .*${port}`));
    other.close();
  });

  it('follow a link, and keep the mode', () => {
    const person = begun();
    const real = path.join(person.home, 'real.json');
    renameSync(person.config, real);
    chmodSync(real, 0o640);
    symlinkSync(real, person.config);
    person.do(...socket('a'));
    assert.equal(readlinkSync(person.config), real);
    assert.equal(statSync(real).mode & 0o7777, 0o640);
    assert.match(person.text(), /"a": \{/);
  });

  it('say that there is no configuration, or none that may be changed', { skip: cannotBecome() }, () => {
    const person = new Person(PEOPLE[1]);
    assert.match(person.sidelock(...socket('a')).stderr, /`sidelock init` makes one/);
    person.do('init');
    chmodSync(person.config, 0o400);
    person.refused(socket('a'), 77, /cannot be written: Permission denied/);
    chmodSync(person.config, 0o600);
    chmodSync(path.dirname(person.config), 0o500);
    person.refused(socket('a'), 77, /cannot be written anew: Permission denied/);
    chmodSync(path.dirname(person.config), 0o700);
    chownSync(person.config, 1234, 1234);
    person.refused(socket('a'), 77, /uid 1234|denied/);
  });

  const cannotMount = spawnSync('unshare', ['-m', 'true']).status !== 0 && 'needs to mount';
  it('lose nothing where the disk is full or read-only', { skip: cannotMount }, () => {
    const person = begun();
    const dir = path.dirname(person.config);
    const script = (prepare) => `set -e; cp "$1" "$1.kept"; mount -t tmpfs -o size=64k,mode=700 none "$2"; cp "$3" "$1"; ${prepare}
      set +e; shift 3; "$@"; code=$?; cmp "$CONFIG" "$KEPT" >&2 && test -z "$(ls -A "$DIR" | grep '^\\.')" || code=99; exit $code`;
    const kept = path.join(person.home, 'kept.json');
    writeFileSync(kept, person.text());
    Object.assign(person.env, { CONFIG: person.config, KEPT: kept, DIR: dir });
    for (const [prepare, sentence, code] of [['! cat /dev/zero >"$2/zero" 2>/dev/null', /cannot be written anew: No space left/, 71], ['mount -o remount,ro "$2"', /Read-only file system/, 77]]) {
      const words = ['unshare', '-m', 'sh', '-c', script(prepare), 'sh', person.config, dir, kept, person.program, ...socket('a')];
      const result = person.run(...words);
      assert.match(result.stderr, sentence);
      assert.equal(result.code, code, result.stderr);
    }
  });

  it('wait for nobody who holds the file for long', () => {
    const person = begun();
    const holder = spawn('flock', [person.config, 'sh', '-c', 'echo held; read x'], { stdio: ['pipe', 'pipe', 'ignore'] });
    return new Promise((resolve) => holder.stdout.once('data', resolve)).then(() => {
      person.refused(socket('a'), 75, /Somebody else holds a lock/);
      holder.stdin.end();
    });
  });
});
