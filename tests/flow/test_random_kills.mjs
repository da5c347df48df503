// Workers and whatever launches services, killed at random under load: each is replaced, who has to do with none of it
// notices nothing, nothing is reachable past the gate meanwhile and nothing is left behind. KILLS=200 for as many.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { Client } from './lib/client.mjs';
import { GATE_MS, alive, launched, launcherOf, startLaunched, stateOf, treeOf, untilState } from './lib/launched.mjs';
import { ask } from './lib/http.mjs';
import { serviceFile } from './lib/programs.mjs';
import { call, childrenOf, connect, newMark, python } from './lib/stdio_surface.mjs';
import { freePort, openOutside } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

const KILLS = Number(process.env.KILLS ?? 6);
const PATIENCE_MS = 3 * GATE_MS; // one that fails again and again is started again later each time
const CLIENTS = 4;

// A small generator with a seed, so that a failure can be run again.
function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Who may be killed, and what is true once another is there.
const VICTIMS = {
  worker: (gate, next) => {
    const workers = gate.workers();
    return workers[next(workers.length)];
  },
  launcher: (gate) => launcherOf(gate),
  spawner: (gate) => childrenOf(launcherOf(gate))[0],
  keeper: async (gate) => (await stateOf(gate, 'one')).pid,
};

// A WebSocket of a surface that has nothing to do with launching; another after the end of one.
class Bystander {
  constructor(gate, token) {
    Object.assign(this, { gate, token, lost: 0 });
  }

  async open() {
    this.client = await until(() => Client.open(this.gate, 'echo', '/ws', { token: this.token }).catch(() => undefined), 'a connection', PATIENCE_MS);
    this.client.socket.on('close', () => { this.lost++; });
    return this;
  }

  async echo(text) {
    this.client.send(text);
    assert.equal(await this.client.next(), text);
  }

  // As one whose worker may have gone.
  async echoAgain(text) {
    await this.echo(text).catch(async () => {
      await this.open();
      await this.echo(text);
    });
  }
}

// Asks for something as long as it is to; what is answered does not matter, that it is answered does.
function load(once) {
  let on = true;
  const done = (async () => {
    for (let i = 0; on; i++) {
      await once(i).catch(() => {});
      await new Promise(setImmediate);
    }
  })();
  return () => { on = false; return done; };
}

describe('killed at random', () => {
  it(`${KILLS} times: replaced, and nothing else ends, is open or stays`, async (t) => {
    const seed = Number(process.env.FLOW_SEED ?? Date.now() % 2 ** 31);
    t.diagnostic(`FLOW_SEED=${seed}`);
    const next = random(seed);
    const port = await freePort();
    const surfaces = { one: launched(['python3', serviceFile('launched.py'), port]), tools: python('serve', newMark()) };
    const gate = await startLaunched(surfaces, { echoes: true, workers: 2 });
    await untilState(gate, 'one', 'ready');
    const tokens = Object.fromEntries(await Promise.all(['one', 'tools', 'echo'].map(async (name) => [name, (await gate.session(name)).token])));
    const bystanders = await Promise.all(Array.from({ length: CLIENTS }, () => new Bystander(gate, tokens.echo).open()));
    const stops = [
      load(() => ask(gate, 'one', '/facts', { token: tokens.one })),
      load(async () => {
        const session = await connect(gate, 'tools', tokens.tools);
        await call(session, 'echo', { text: 'x' }).finally(() => session.client.close());
      }),
    ];
    const seen = new Set();
    const counts = {};
    for (let round = 0; round < KILLS; round++) {
      const kind = Object.keys(VICTIMS)[next(Object.keys(VICTIMS).length)];
      counts[kind] = (counts[kind] ?? 0) + 1;
      const before = (await stateOf(gate, 'one')).pid;
      const victim = await VICTIMS[kind](gate, next);
      for (const pid of treeOf(gate.pid)) seen.add(pid);
      const below = treeOf(victim);
      const lost = bystanders.map((one) => one.lost);
      process.kill(victim, 'SIGKILL');
      assert.equal(await openOutside(port), false, `open past the gate without its ${kind}`);
      await until(() => alive(below).length === 0, () => `what the ${kind} leaves behind to end: ${alive(below)}`, PATIENCE_MS);
      if (kind === 'worker') {
        await until(() => gate.workers().length === 2 && !gate.workers().includes(victim), 'another worker', PATIENCE_MS);
        await Promise.all(bystanders.map((one) => one.echoAgain('again')));
      } else {
        assert.deepEqual(bystanders.map((one) => one.lost), lost, `who has nothing to do with the ${kind} is cut`);
        await until(async () => {
          const now = await stateOf(gate, 'one');
          return now.state === 'ready' && now.pid !== before;
        }, () => `another ${kind}:\n${gate.stderr.slice(-2000)}`, PATIENCE_MS);
      }
      await Promise.all(bystanders.map((one, i) => one.echo(`round ${round} of ${i}`)));
      await until(async () => (await ask(gate, 'one', '/facts', { token: tokens.one }).catch(() => ({}))).status === 200, 'the service to answer', PATIENCE_MS);
      assert.equal(await openOutside(port), false, 'open past the gate');
    }
    await Promise.all(stops.map((stop) => stop()));
    t.diagnostic(JSON.stringify(counts));
    for (const pid of treeOf(gate.pid)) seen.add(pid);
    await gate.stop();
    await until(() => alive([...seen].filter((pid) => isOf(pid))).length === 0, () => `processes that stay: ${alive([...seen])}`, PATIENCE_MS);
  });
});

// Numbers come again: whether one is still a process of a gate's, or of its services.
function isOf(pid) {
  try {
    return /sidelock|launched\.py|stdio_mcp\.py/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}
