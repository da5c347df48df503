// Clients of other machines and containers: whence they may come, and what is said of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Gate, SIDELOCK, opaqueSurface, scratchDir } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { keep } from './lib/kept.mjs';
import { Network, cannotMakeNetworks } from './lib/network.mjs';
import { Client } from './lib/client.mjs';

const skip = cannotMakeNetworks();
const PORT = 8443;

// A gate in a network of its own, which the host reaches at its address: whoever runs the test is another machine.
async function start(callers, more = {}) {
  const network = keep(new Network());
  const dir = scratchDir();
  const service = keep(new WebSocketService(path.join(dir, 'echo.sock')));
  await service.start();
  const surface = opaqueSurface(service.socketPath, { listen: [`${network.address}:${PORT}`], allow_non_loopback: true, ...more });
  if (callers) surface.callers = callers(network);
  const gate = keep(new Gate(dir, { surfaces: { one: surface } }));
  gate.network = network;
  const [command, ...prefix] = [...network.inside(), path.resolve(SIDELOCK)];
  await gate.launch({ command, prefix });
  return gate;
}

const get = (gate, token, headers = {}) =>
  ask(gate, 'one', '/ws', { token, address: gate.network.address, headers });

describe('clients that come over a network', { skip }, () => {
  it('are let in from where they may come, and every line says whence', async () => {
    const gate = await start((network) => ({ networks: ['192.0.2.0/24', `${network.host}/32`] }));
    const { token } = await gate.session('one');
    const mark = gate.mark();
    const client = await Client.open(gate, 'one', '/ws', { address: gate.network.address, token });
    await client.close();
    for (const event of ['admitted', 'closed']) {
      const line = await gate.audited(mark, { event, surface: 'one' });
      assert.equal(line.peer, gate.network.host);
      assert.equal('caller_uid' in line, false);
    }
    assert.equal((await get(gate)).status, 401);
    assert.equal((await gate.audited(mark, { event: 'denied', surface: 'one' })).peer, gate.network.host);
  });

  it('are refused from elsewhere, whatever they hold', async () => {
    const gate = await start(() => ({ networks: ['192.0.2.0/24', 'fd00::/8'] }));
    const { token } = await gate.session('one');
    const mark = gate.mark();
    const answer = await get(gate, token);
    assert.equal(answer.status, 403);
    assert.equal(JSON.parse(answer.body).reason, 'caller_network');
    assert.equal((await gate.audited(mark, { event: 'denied', reason: 'caller_network' })).peer, gate.network.host);
    const explain = (...more) => gate.cli('explain', '--surface', 'one', '/ws', '--json', ...more);
    for (const [peer, verdict] of [['192.0.2.7', 'allow'], ['::ffff:192.0.2.7', 'allow'], ['fd12::1', 'allow'], ['198.51.100.1', 'deny']]) {
      const { steps } = JSON.parse((await explain('--peer', peer)).stdout);
      assert.equal(steps.find((step) => step.step === 'caller').verdict, verdict, peer);
    }
    assert.match((await explain('--peer', 'here')).stderr, /--peer takes an address/);
  });

  it('are named where the worker alone saw them', async () => {
    const gate = await start();
    const mark = gate.mark();
    const socket = net.connect({ host: gate.network.address, port: PORT });
    socket.write('GET / HTTP/1.1\r\nHost:\tx\r\nHost: y\r\n\r\n');
    const line = await gate.audited(mark, { event: 'denied', surface: 'one' });
    assert.equal(line.peer_told, gate.network.host);
    socket.destroy();
  });

  it('have in the log which name is to be among the hosts', async () => {
    const gate = await start();
    const { token } = await gate.session('one');
    for (let i = 0; i < 2; i++) assert.equal((await get(gate, token, { host: `gate.example:${PORT}` })).status, 403);
    const told = gate.stderr.split('\n').filter((line) => line.includes('gate.example:8443'));
    assert.equal(told.length, 1, 'once a minute');
    assert.match(told[0], /surface one: a client asked for the host "gate\.example:8443", which is none of its names: if it is one of yours, add it to "hosts"/);
  });

  it('are in the register and among the warnings as what they are', async () => {
    const gate = await start((network) => ({ networks: [`${network.host}/32`] }));
    const { rows } = await gate.doJson('register');
    assert.match(rows[0].who_can_reach_it.value, /^Other machines too, and containers: .*; without TLS, so whoever is on the way reads tokens/);
    assert.match(rows[0].allowed_callers.value, new RegExp(`Anybody who holds a session token, from ${gate.network.host}/32`));
    const check = spawnSync(path.resolve(SIDELOCK), ['check', '--elsewhere', '-c', gate.configPath], { encoding: 'utf8' });
    assert.match(check.stderr, /has no "tls": whoever is on the way to ".*" reads its tokens/);
  });
});
