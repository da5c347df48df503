// A service that listens by itself at an address of loopback, in a network namespace that it shares with the gate, as
// containers of a pod or a compose project do: served while its port is open at no other address there, and only there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { NOBODY, reaches, runAs } from './lib/as_uid.mjs';
import { Gate, SIDELOCK, scratchDir, surface } from './lib/gate.mjs';
import { keepAlive, ask } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import { EVERYWHERE, GATE_MS, untilState } from './lib/launched.mjs';
import { Network, NetworkService, cannotMakeNetworks, opens } from './lib/network.mjs';
import { until } from './lib/wait.mjs';

const skip = cannotMakeNetworks();
const PORT = 8081; // nobody else's in a namespace of its own
const GATE_PORT = 8443;
const DAEMON = 1;
const MACHINE = 0xeffffff9; // the inode of the first network namespace, from Linux 6.18 on

const behind = (network, upstream = {}, more = {}) => ({
  ...surface('', {
    dialect: 'opaque',
    listen: [`${network?.address ?? '127.0.0.1'}:${GATE_PORT}`],
    allow_non_loopback: true,
    routes: [EVERYWHERE],
    ...more,
  }),
  upstream: { tcp: `127.0.0.1:${PORT}`, ...upstream },
});

const network = () => keep(new Network());
const service = async (...args) => keep(await NetworkService.start(...args));

function gateIn(network, upstream, more) {
  const gate = new Gate(scratchDir(), { surfaces: { one: behind(network, upstream, more) } });
  gate.network = network;
  return gate;
}

async function start(network, { uid, upstream, more } = {}) {
  const gate = keep(gateIn(network, upstream, more));
  const [command, ...prefix] = [...network.inside(uid), path.resolve(SIDELOCK)];
  if (uid !== undefined) {
    for (const entry of [gate.dir, gate.configPath]) chownSync(entry, uid, uid);
    gate.cli = (...args) => runAs(uid, path.resolve(SIDELOCK), [...args, '-c', gate.configPath]);
  }
  await gate.launch({ command, prefix });
  return gate;
}

// `check` or `serve`, as whoever runs the test, in that network: {code, stderr}.
function refused(gate, verb) {
  const [first, ...rest] = [...gate.network.inside(), path.resolve(SIDELOCK), verb, '-c', gate.configPath];
  const { status, stderr } = spawnSync(first, rest, { encoding: 'utf8', timeout: GATE_MS });
  return { code: status, stderr };
}

const get = (gate, token, options = {}) =>
  ask(gate, 'one', '/hello', { token, address: gate.network.address, timeoutMs: GATE_MS, ...options });

const doctorSays = async (gate) => JSON.parse((await gate.cli('doctor', '--json')).stdout).findings.find(({ area, name }) => area === 'surfaces' && name === 'one');
const isolation = async (gate) => (await gate.doJson('register')).rows[0].isolation_boundary;

describe('an upstream at an address of loopback', { skip }, () => {
  it('is served where only the namespace reaches its port, and the register says who that is', async () => {
    const inside = network();
    await service(inside, PORT, '127.0.0.1');
    const gate = await start(inside);
    const { token } = await gate.session('one');
    const answer = await get(gate, token);
    assert.deepEqual([answer.status, answer.body], [200, 'uid 0 served /hello']);
    assert.equal((await get(gate, undefined)).status, 401);
    assert.equal(await opens(inside.address, PORT), false);
    const { evidence, value, finding, how } = await isolation(gate);
    assert.deepEqual([evidence, finding], ['proven', false]);
    assert.match(value, /every process of this network namespace reaches it past the gate, as containers do that share it/);
    assert.match(how, /from inside/);
    const state = await untilState(gate, 'one', 'ready');
    assert.deepEqual([state.ports, state.pid, state.why], [[`${PORT}/tcp`], null, null]);
  });

  it('is refused by check and serve, with the remedy, where the port is open at another address', async () => {
    for (const host of ['0.0.0.0', '::']) {
      const inside = network();
      await service(inside, PORT, host);
      const gate = gateIn(inside);
      assert.equal(await opens(inside.address, PORT), true);
      for (const verb of ['check', 'serve']) {
        const { code, stderr } = refused(gate, verb);
        assert.equal(code, 78, stderr);
        assert.match(stderr, /\/surfaces\/one\/upstream\/tcp.*Somebody answers at \S+:8081.*have it listen at 127\.0\.0\.1 alone, or let no connection begin/s);
      }
    }
  });

  it('is served behind a fence, is denied when that goes, is cut, and is served when it is back', async () => {
    const inside = network();
    await service(inside, PORT, '::');
    inside.fence(GATE_PORT);
    assert.equal(await opens(inside.address, PORT), false);
    const gate = await start(inside);
    const { token } = await gate.session('one');
    const agent = keepAlive();
    assert.equal((await get(gate, token, { agent })).status, 200);
    assert.equal((await isolation(gate)).evidence, 'proven');

    let mark = gate.mark();
    inside.unfence();
    // Whoever goes on asking has no link that is left over.
    const asks = async () => (await get(gate, token, { agent }).catch(() => ({}))).status === 502;
    await until(asks, 'it to be denied', GATE_MS);
    const line = await gate.audited(mark, { event: 'service_exposed', surface: 'one' }, GATE_MS);
    assert.deepEqual([line.reason, line.cause], ['upstream_unreachable', 'exposed']);
    assert.match(line.why, /Somebody answers at/);
    await gate.audited(mark, { event: 'closed', cause: 'exposed' }, GATE_MS);
    mark = gate.mark();
    const denied = await get(gate, token, { agent });
    assert.equal(denied.status, 502);
    assert.equal(JSON.parse(denied.body).reason, 'upstream_unreachable');
    await gate.audited(mark, { event: 'denied', reason: 'upstream_unreachable', cause: 'exposed' });
    gate.configure({ surfaces: { one: behind(inside, {}, { limits: { max_connections: 9 } }) } });
    await gate.do('reload'); // begins anew, and does not serve what was not looked at
    assert.equal((await get(gate, token)).status, 502);
    await untilState(gate, 'one', 'exposed');
    const said = await doctorSays(gate);
    assert.equal(said.state, 'fail');
    assert.match(said.text, /Somebody answers at/);
    assert.match(said.remedy, /^mend that where/); // it is not ours to restart
    const cell = await isolation(gate);
    assert.deepEqual([cell.evidence, cell.finding], ['claimed', true]);
    assert.match(cell.value, /Somebody answers at/);

    mark = gate.mark();
    inside.fence(GATE_PORT);
    await gate.audited(mark, { event: 'service_ready', surface: 'one' }, GATE_MS);
    assert.equal((await get(gate, token)).status, 200);
  });

  it('is not served before it was looked at, where one that comes later is open to others', async () => {
    const inside = network();
    const gate = await start(inside);
    const { token } = await gate.session('one');
    const idle = await untilState(gate, 'one', 'ready');
    assert.deepEqual([idle.why, idle.ports], ['Nobody listens at 127.0.0.1:8081.', []]);
    const cell = await isolation(gate);
    assert.deepEqual([cell.evidence, /proven at/.test(cell.value)], ['claimed', false]);
    const mark = gate.mark();
    await service(inside, PORT, '0.0.0.0');
    const answers = await Promise.all([1, 2, 3].map(() => get(gate, token)));
    assert.deepEqual(answers.map(({ status }) => status), [502, 502, 502]);
    await gate.audited(mark, { event: 'service_exposed' }, GATE_MS);
    assert.equal(gate.auditLines().some(({ event }) => event === 'upstream_refused'), false);
  });

  it('is denied where another user listens in the place of the service', async () => {
    const inside = network();
    const first = await NetworkService.start(inside, PORT, '127.0.0.1', NOBODY);
    const gate = await start(inside, { upstream: { owner: NOBODY } });
    const { token } = await gate.session('one');
    assert.equal((await get(gate, token)).body, `uid ${NOBODY} served /hello`);
    await first.stop();
    let mark = gate.mark();
    const gone = await get(gate, token);
    assert.equal(JSON.parse(gone.body).reason, 'upstream_unreachable');
    const denied = await gate.audited(mark, { event: 'denied', reason: 'upstream_unreachable' });
    assert.deepEqual([denied.cause, denied.address, denied.errno, denied.socket], ['not_listening', `127.0.0.1:${PORT}`, 'ECONNREFUSED', undefined]);

    mark = gate.mark();
    await service(inside, PORT, '127.0.0.1', DAEMON);
    const answer = await get(gate, token);
    assert.equal(answer.status, 502);
    assert.equal(JSON.parse(answer.body).reason, 'upstream_owner');
    const line = await gate.audited(mark, { event: 'upstream_refused', surface: 'one' });
    assert.match(line.why, /Whoever listens at 127\.0\.0\.1:8081 is uid 1, who is not to/);
    assert.match((await untilState(gate, 'one', 'ready')).why, /uid 1/);
    const said = await doctorSays(gate);
    assert.deepEqual([said.state, said.remedy], ['fail', 'mend that where the service is started: the gate looks again by itself']);
    assert.match(said.text, /clients are denied: Whoever listens at 127\.0\.0\.1:8081 is uid 1/);
  });

  it('takes packets from outside in no way', async () => {
    const inside = network();
    await service(inside, PORT, '127.0.0.1');
    const gate = await start(inside);
    await untilState(gate, 'one', 'ready');
    const mark = gate.mark();
    inside.do('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet');
    const line = await gate.audited(mark, { event: 'service_exposed' }, GATE_MS);
    assert.match(line.why, /"eth0" takes packets for loopback from outside.*route_localnet to 0/);
    assert.equal(refused(gate, 'check').code, 78);
  });

  it('is proven by a gate that has no privileges, too', { skip: !skip && !reaches(NOBODY, path.resolve(SIDELOCK)) && 'an ordinary user cannot reach the program' }, async () => {
    const inside = network();
    const served = await service(inside, PORT, '0.0.0.0', NOBODY);
    inside.fence(GATE_PORT);
    const gate = await start(inside, { uid: NOBODY });
    const { token } = await gate.session('one');
    assert.equal((await get(gate, token)).status, 200);
    const mark = gate.mark();
    inside.unfence();
    await gate.audited(mark, { event: 'service_exposed' }, GATE_MS);
    await served.stop();
    await gate.audited(mark, { event: 'service_ready' }, GATE_MS);
  });

  it('waits for a service that comes later, and knows the gate\'s own port at another address', async () => {
    const inside = network();
    const more = { listen: [`${inside.address}:${PORT}`] };
    const gate = await start(inside, { more });
    const { token } = await gate.session('one');
    assert.equal((await get(gate, token)).status, 502);
    assert.match((await gate.cli('check')).stderr, /The gate that runs is in another network namespace; what is found out here/);
    assert.doesNotMatch(refused(gate, 'check').stderr, /network namespace/);
    assert.match(refused(gate, 'check').stderr, /The service of "one" does not answer at "127\.0\.0\.1:8081" now: nobody listens there\./);
    await service(inside, PORT, '127.0.0.1');
    assert.equal((await get(gate, token)).status, 200);
    assert.doesNotMatch(refused(gate, 'check').stderr, /does not answer/);
    gate.configure({ surfaces: { one: behind(inside, {}, { ...more, limits: { max_connections: 7 } }) } });
    await gate.do('reload');
    assert.equal((await get(gate, token)).status, 200);
    await gate.do('kill', 'one');
    assert.equal((await get(gate, token)).status, 503);
    await gate.do('arm', 'one');
    await until(async () => (await get(gate, (await gate.session('one')).token)).status === 200, 'it to be served again', GATE_MS);
    const { code, stderr } = await gate.cli('restart', 'one');
    assert.notEqual(code, 0);
    assert.match(stderr, /is not started by Sidelock: it listens by itself, at 127\.0\.0\.1:8081/);
  });
});

describe('the network of the machine itself', () => {
  const here = statSync('/proc/self/ns/net').ino === MACHINE;

  it('is none for it, whatever the operator says', { skip: !here && 'this is not known to be the first network namespace' }, async () => {
    for (const upstream of [{}, { namespace: 'shared' }]) {
      const gate = new Gate(scratchDir(), { surfaces: { one: behind(undefined, upstream, { allow_non_loopback: false }) } });
      for (const verb of ['check', 'serve']) {
        const { code, stderr } = await gate.cli(verb);
        assert.equal(code, 78, stderr);
        assert.match(stderr, /The network namespace is this machine's own.*in a container or a pod of their own, or give the service a "socket", or a "command"/s);
      }
    }
  });
});
