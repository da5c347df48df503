// Sockets of a launched service are as it knows them: tests/services/sockets.py asserts it, and is
// run without a launcher as well, so that it promises nothing that the kernel does not keep.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

import { NOBODY } from './lib/as_uid.mjs';
import { scratchDir } from './lib/gate.mjs';
import { serviceFile } from './lib/programs.mjs';
import { PEOPLE, Tree, freePort, oldKernel } from './lib/tree.mjs';

const CASES = [...readFileSync(serviceFile('sockets.py'), 'utf8').matchAll(/^def (case_\w+)/gm)].map(([, name]) => name);

function script() {
  const dir = scratchDir();
  chmodSync(dir, 0o755);
  copyFileSync(serviceFile('sockets.py'), path.join(dir, 'sockets.py'));
  return path.join(dir, 'sockets.py');
}

describe('what a service relies on', () => {
  it('holds without a launcher', { skip: process.getuid() !== 0 && 'needs root for a low port' }, () => {
    // In a network of its own, whose low ports nobody has.
    const { stderr } = spawnSync('unshare', ['-n', 'sh', '-c', `ip link set lo up; exec /usr/bin/python3 ${script()}`], { encoding: 'utf8' });
    assert.deepEqual(stderr.trim().split('\n'), CASES);
  });

  // Its Unix sockets are made for it; as another user's, too, where root can say so.
  const old = (who) => ({ ...who, name: `${who.name} without Landlock`, prefix: [...who.prefix, ...oldKernel(0)] });
  const other = PEOPLE.filter(({ uid }) => uid === 0).map((who) => ({ ...old(who), name: `${old(who).name} as another`, options: [`--uid=${NOBODY}`] }));
  // On a host where more datagrams wait than in a network that is new, where root can make one.
  const QUEUE = 'ip link set lo up; echo 77 > /proc/sys/net/unix/max_dgram_qlen; exec "$@"';
  const busy = (who) => (process.getuid() === 0 ? { ...who, prefix: ['unshare', '-n', 'sh', '-c', QUEUE, 'sh', ...who.prefix] } : who);
  for (const who of [...PEOPLE, ...PEOPLE.map(old), ...other]) {
    it(`launched by ${who.name}`, async () => {
      const tree = new Tree(['/usr/bin/python3', script()], { who: busy(who), options: who.options });
      const ended = await tree.end();
      assert.deepEqual(tree.stderr.trim().split('\n'), CASES);
      assert.equal(ended.code, 0);
      assert.deepEqual(tree.events.filter((event) => event.event === 'refused'), []);
    });
  }
});

// Sockets of both families with that port, one of which hears a datagram of its own tree; then one with another port
// that connects to ours.
const DATAGRAMS = `
import socket, sys
port, other, ours = map(int, sys.argv[1:])
four, six = (socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6))
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
four.bind(("0.0.0.0", port))
six.bind(("::", port))
tree = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tree.connect(("127.0.0.1", port))
tree.send(b"tree")
assert four.recv(9) == b"tree"
connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connected.bind(("127.0.0.1", other))
connected.connect(("127.0.0.1", ours))
connected.send(b"hello")
assert connected.recv(9) == b"answer"
print("bound", file=sys.stderr, flush=True)
sys.stdin.read()
`;
// The kernel says of each whether anybody takes datagrams there.
const PROBE = `
import socket, sys
for to in sys.argv[1:]:
    host, port = to.split("#")
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    probe.settimeout(20)
    probe.connect((host, int(port)))
    probe.send(b"host")
    try:
        print("answered", to, probe.recv(9))
    except ConnectionRefusedError:
        print("refused")
    except TimeoutError:
        print("taken", to)
`;

describe('datagrams', () => {
  const probe = (doors) => spawnSync('/usr/bin/python3', ['-c', PROBE, ...doors], { encoding: 'utf8' }).stdout.trim().split('\n');

  for (const who of PEOPLE)
    it(`that a service takes at a port come from its tree alone, launched by ${who.name}`, async () => {
      const [port, other] = [await freePort(), await freePort()];
      const ours = dgram.createSocket('udp4').on('message', (text, from) => ours.send(String(text) === 'hello' ? 'answer' : text, from.port));
      await new Promise((resolve) => ours.bind(0, '127.0.0.1', resolve));
      const tree = new Tree(['/usr/bin/python3', '-c', DATAGRAMS, ...[port, other, ours.address().port].map(String)], { who });
      try {
        await tree.said('bound');
        const hosts = Object.values(networkInterfaces()).flat().filter(({ scopeid }) => !scopeid).map(({ address }) => address);
        const doors = [...hosts.map((host) => `${host}#${port}`), `127.0.0.1#${other}`];
        assert.deepEqual(probe(doors), doors.map(() => 'refused'));
        assert.deepEqual((await tree.list()).map((event) => [event.protocol, event.port]), [['udp', port], ['udp', port]]);
      } finally {
        ours.close();
        await tree.kill();
      }
    });

  it('would be taken without a launcher', async () => {
    const port = await freePort();
    const here = dgram.createSocket('udp4').on('message', (text, from) => here.send('here', from.port));
    await new Promise((resolve) => here.bind(port, '127.0.0.1', resolve));
    try {
      const { stdout } = await promisify(execFile)('/usr/bin/python3', ['-c', PROBE, `127.0.0.1#${port}`]);
      assert.match(stdout, /answered .* b'here'/);
    } finally {
      here.close();
    }
  });
});
