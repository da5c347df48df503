// A launched tree connects to where its operator permits it, and to nothing else, in whatever way it is tried
// (reaching_service.c); where nothing is limited it connects as ever.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';

import { Gate, scratchDir } from './lib/gate.mjs';
import { get, launched, startLaunched, untilState } from './lib/launched.mjs';
import { Program } from './lib/programs.mjs';
import { PEOPLE, Tree, freePort, oldKernel, reaching } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';
import { Wrapped } from './lib/wrapped.mjs';

const ALLOWED = '127.0.0.1';
const REFUSED = '127.0.0.2';
const NETWORK = '127.0.0.2/31';
const ROUNDS = 3000;
// Says at which port nobody can connect any more.
const FULL = `
import socket, sys
listener = socket.create_server(("127.0.0.1", 0), backlog=0)
kept = []
while True:
    client = socket.socket()
    client.settimeout(0.3)
    kept.append(client)
    try:
        client.connect(listener.getsockname())
    except TimeoutError:
        break
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
`;

// One on each address, and both on another port: who was connected to.
const reached = [];
const servers = [];
let port, other;

before(async () => {
  port = await freePort();
  other = await freePort();
  for (const [host, at] of [[ALLOWED, port], [REFUSED, port], [ALLOWED, other]]) {
    const server = net.createServer((socket) => {
      reached.push(`${host}:${at}`);
      socket.on('error', () => {});
      socket.end('hello');
    });
    server.listen(at, host);
    await once(server, 'listening');
    const echo = dgram.createSocket('udp4');
    echo.on('message', (bytes, from) => {
      reached.push(`udp ${host}:${at}`);
      echo.send(bytes, from.port, from.address);
    });
    echo.bind(at, host);
    await once(echo, 'listening');
    servers.push(server, echo);
  }
});
after(() => servers.forEach((server) => server.close()));

const run = async (who, options, ...words) => {
  reached.length = 0;
  const tree = new Tree(reaching(...words), { who, options });
  await tree.end(180_000);
  assert.match(tree.stderr, /^end: done$/m, tree.log);
  const results = Object.fromEntries([...tree.stderr.matchAll(/^(.*?): (.*)$/gm)].map(([, way, result]) => [way, result]));
  return { results, refused: tree.events.filter((event) => event.event === 'refused'), held: tree.events[0].held.split(', ') };
};

const PERMITTED = ['allowed', 'allowed, without blocking', 'allowed, by the other family', 'allowed, by datagrams', 'its own', 'no delay', 'a path'];
const FORBIDDEN = ['refused', 'refused, without blocking', 'refused, by the other family', 'refused, by a translator', 'refused, of a child', 'refused, with a used socket'];
const CLOSED = {
  'fast open': 'EOPNOTSUPP',
  'fast open of a message': 'EOPNOTSUPP',
  'fast open of messages': 'EOPNOTSUPP',
  'fast open later': 'ENOPROTOOPT',
  'by another address': 'ENOPROTOOPT',
  'by another address of IPv6': 'ENOPROTOOPT',
};

for (const who of PEOPLE) {
  const old = { ...who, prefix: [...who.prefix, ...oldKernel(3)] };

  describe(`connects, launched by ${who.name}`, () => {
    it('lead in no way into a network that is refused, and everywhere else as ever', async () => {
      const { results, refused, held } = await run(who, [`--refuse-network=${NETWORK}`], 'ways', `${ALLOWED}:${port}`, `${REFUSED}:${port}`);
      for (const way of PERMITTED) assert.equal(results[way], 'done', way);
      for (const way of [...FORBIDDEN, 'refused, by datagrams']) assert.equal(results[way], 'EACCES', way);
      for (const [way, result] of Object.entries(CLOSED)) assert.equal(results[way], result, way);
      assert.equal(results['allowed, again'], 'EISCONN');
      assert.equal(results['allowed, by datagrams with an address'], 'done');
      assert.equal(results['an abstract name'], 'done', 'its own');
      assert.deepEqual(reached.filter((place) => place.includes(REFUSED)), []);
      assert.ok(refused.some((event) => event.path === REFUSED && event.port === port && event.error === 'EACCES' && event.program === 'reaching_servic'));
      assert.ok(refused.some((event) => event.path === `64:ff9b::7f00:2`), JSON.stringify(refused));
      assert.ok(['connect', 'tcp_connect', 'abstract_sockets'].every((fence) => held.includes(fence)), held.join());
    });

    it('lead by TCP to no port but those that are named', async () => {
      const { results, refused, held } = await run(who, [`--connect-port=${port}`], 'ways', `${ALLOWED}:${port}`, `${ALLOWED}:${other}`);
      for (const way of PERMITTED) assert.equal(results[way], 'done', way);
      for (const way of FORBIDDEN) assert.equal(results[way], 'EACCES', way);
      assert.equal(results['refused, by datagrams'], 'done', 'ports are of TCP');
      for (const [way, result] of Object.entries(CLOSED)) assert.equal(results[way], result, way);
      assert.equal(reached.includes(`${ALLOWED}:${other}`), false);
      assert.ok(refused.every((event) => event.port === other));
      assert.ok(held.includes('connect'), held.join());
    });

    it('lead nowhere by UDP where none of it is to leave, whoever connected the socket', async () => {
      const { results, held } = await run(who, ['--no-udp'], 'ways', `${ALLOWED}:${port}`, `${REFUSED}:${port}`);
      for (const way of ['allowed', 'its own', 'refused', 'refused, of a child']) assert.equal(results[way], 'done', way);
      assert.equal(results['allowed, by datagrams'], 'EACCES');
      assert.equal(results['allowed, by datagrams with an address'], 'ETIMEDOUT', 'no answer comes from the private network');
      assert.deepEqual(reached.filter((place) => place.startsWith('udp')), []);
      assert.ok(held.includes('connect'), held.join());
    });

    it('lead wherever they want where nothing is limited', async () => {
      const { results, refused, held } = await run(who, [], 'ways', `${ALLOWED}:${port}`, `${REFUSED}:${port}`);
      for (const way of [...PERMITTED, 'refused', 'refused, of a child', 'refused, with a used socket', 'fast open later']) assert.equal(results[way], 'done', way);
      assert.deepEqual([refused.length, held.includes('connect')], [0, false]);
    });

    for (const [kernel, runner] of [['', who], [', without the second lock of Landlock', old]]) {
      it(`are judged once, whatever another thread changes meanwhile${kernel}`, async () => {
        const { results } = await run(runner, [`--refuse-network=${NETWORK}`], 'race', `${ALLOWED}:${port}`, `${REFUSED}:${port}`, ROUNDS);
        assert.equal(results.addresses, '0 got through, some were made: yes');
        assert.match(results.sockets, /^0 got through/);
        assert.deepEqual(reached.filter((place) => place.includes(REFUSED)), []);
      });
    }

    it('keep whoever waits for them waiting, until he is interrupted, and nobody else', async () => {
      // Its queue is full, and nobody takes from it: who connects now waits.
      const full = new Program(['python3', '-c', FULL], { stdin: 'pipe' });
      await until(() => full.stdout.endsWith('\n'), () => full.stderr);
      const at = Number(full.stdout);
      const { results } = await run(who, ['--refuse-network=192.0.2.0/24'], 'wait', `${ALLOWED}:${port}`, `${ALLOWED}:${at}`);
      assert.deepEqual(results, {
        'beside one that waits': 'done',
        'without blocking': 'EINPROGRESS',
        'once more': 'EALREADY',
        interrupted: 'EINTR',
        'with a limit of its own': 'EINPROGRESS',
        end: 'done',
      });
      full.child.kill();
    });
  });
}

// As whoever asks it says, a client that is no friend of ours connects.
const CLIENTS = `
import http.server, json, subprocess, sys, urllib.request

def python(url):
    try:
        return urllib.request.urlopen(url, timeout=20).read().decode()
    except OSError as error:
        return getattr(error.reason, "strerror", str(error))

def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout or done.stderr

NODE = "fetch(process.argv[1]).then((r) => r.text()).then(console.log, (e) => console.log(e.cause.code))"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = {}
        for url in sys.argv[3:]:
            found[url] = {"python": python(url), "curl": run("/usr/bin/curl", "-sS", "--max-time", "20", url).strip(), "node": run(sys.argv[2], "-e", NODE, url).strip()}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`;

describe('the connects of a service of a gate', () => {
  const python = (...words) => ['/usr/bin/python3', '-c', CLIENTS, ...words];
  let http, web;

  before(async () => {
    http = (await import('node:http')).createServer((request, response) => response.end('hello'));
    http.listen(0, '0.0.0.0');
    await once(http, 'listening');
    web = http.address().port;
  });
  after(() => http.close());

  it('are those of honest clients where they are permitted, and status, register, log and audit log know of the others', async () => {
    const urls = [`http://localhost:${web}/`, `http://${REFUSED}:${web}/`, `http://127.0.0.1:${other}/`];
    const upstream = { connect: { ports: [web], refuse: [NETWORK] }, executables: ['/usr/bin/curl', process.execPath], require: ['connect'] };
    const gate = await startLaunched({ one: launched(python(await freePort(), process.execPath, ...urls), { upstream }) });
    await untilState(gate, 'one', 'ready');
    const { json } = await get(gate, 'one', '/');
    assert.deepEqual(json[urls[0]], { python: 'hello', curl: 'hello', node: 'hello' });
    for (const url of urls.slice(1)) {
      assert.equal(json[url].python, 'Permission denied');
      assert.match(json[url].curl, /^curl: \(7\)/);
      assert.equal(json[url].node, 'EACCES');
    }
    const line = { event: 'connection_refused', surface: 'one', reason: 'connection_refused', protocol: 'tcp' };
    await gate.audited(0, { ...line, address: REFUSED, port: web });
    await gate.audited(0, { ...line, address: '127.0.0.1', port: other });
    assert.equal(gate.auditLines().filter(({ event, address, port }) => event === line.event && address === REFUSED && port === web).length, 1, 'once');
    assert.ok(gate.stderr.includes(`of its service may not connect to ${REFUSED} port ${web} by TCP: "connect" does not permit it`), gate.stderr);
    const row = (await gate.doJson('status')).fences.find((fences) => fences.process === 'service one');
    assert.deepEqual([row.held.includes('connect'), row.held.includes('tcp_connect'), row.missing.length], [true, true, 0], JSON.stringify(row));
    const explained = JSON.parse((await gate.cli('explain', '--surface', 'one', '--json')).stdout);
    assert.deepEqual([explained.connect_ports, explained.refused_networks, explained.udp, explained.memory_mib], [[web], [NETWORK], 'leaves', null]);
    assert.match((await gate.cli('explain', '--surface', 'one')).stdout, new RegExp(`^TCP leads to  ${web}\nnever into    ${NETWORK}$`, 'm'));
    const isolation = (await gate.doJson('register')).rows[0].isolation_boundary.value;
    assert.ok(isolation.includes(`; by TCP it may connect to these ports alone, ${web}; it may connect to nothing in ${NETWORK}; `), isolation);
  });

  it('are refused a configuration that says what cannot be', async () => {
    const faultsOf = async (upstream) => {
      const gate = new Gate(scratchDir(), { surfaces: { one: launched(python('8081'), { upstream }) } });
      const { stdout } = await gate.cli('check', '--json');
      return JSON.parse(stdout).faults.map(({ pointer, text }) => `${pointer.replace('/surfaces/one/upstream/', '')}: ${text}`);
    };
    assert.deepEqual(await faultsOf({ connect: { ports: [443], refuse: ['::1'], udp: false }, require: ['connect', 'tcp_connect'] }), []);
    assert.match((await faultsOf({ connect: { refuse: ['10.0.0.1/8'] } }))[0], /^connect\/refuse\/0: "10.0.0.1\/8" must have no bits set behind those of the network/);
    assert.match((await faultsOf({ connect: { ports: [0] } }))[0], /^connect\/ports\/0: /);
    assert.match((await faultsOf({ connect: { udp: 'no' } }))[0], /^connect\/udp: /);
    assert.match((await faultsOf({ connect: {}, require: ['connect'] }))[0], /^require\/0: This service is promised no fence "connect"/);
  });

  it('are what the options of wrap say', async () => {
    const wrapped = await new Wrapped(python(await freePort(), process.execPath, `http://127.0.0.1:${web}/`, `http://${REFUSED}:${web}/`), { options: ['--connect-port', web, '--refuse-network', NETWORK, '--allow-exec', '/usr/bin/curl', '--allow-exec', process.execPath].map(String) }).ready();
    const found = JSON.parse((await wrapped.get('/', { token: await wrapped.token() })).text);
    assert.deepEqual(Object.values(found).map((clients) => clients.python), ['hello', 'Permission denied']);
    await until(() => wrapped.text.includes(`may not connect to ${REFUSED} port ${web} by TCP: --connect-port or --refuse-network does not permit it`), () => wrapped.text);
    const wrong = new Wrapped(['/usr/bin/true'], { options: ['--refuse-network', '10.1.0.0/8'] });
    assert.equal(await wrong.end(), 64);
    assert.ok(wrong.text.includes('must have no bits set behind those of the network'), wrong.text);
  });
});
