// What one client can do to another: while each load of adversary.mjs runs at its fixed rate, from other sessions or from
// strangers, how soon a revocation and the kill switch cut, and what a good client's slowest answers are, compared with
// those while the same load is sent to a listener that only takes it.
//
// loads.mjs [--quick] [LOAD...]: rows for tests/bench/run to judge (rows.mjs). The program under test
// is named by the environment variable SIDELOCK, the processors by PROXY_ON and LOAD_ON (commands to put in front).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { WebSocketService } from '../services/websocket_service.mjs';
import { NOBODY, cannotBecome } from '../flow/lib/as_uid.mjs';
import { Client } from '../flow/lib/client.mjs';
import { Gate, SIDELOCK, scratchDir, stopAll, surface } from '../flow/lib/gate.mjs';
import { pause, until } from '../flow/lib/wait.mjs';
import { control, makeSession } from './control.mjs';
import { median, quantile, row } from './rows.mjs';

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const wanted = words.filter((word) => word !== '--quick');
const SAMPLES = quick ? 50 : 1000;
const ROUNDS = quick ? 1 : 7; // dummy and gate in turn
const CUTS = quick ? 1 : 3; // a round
const PACE_MS = 2;
const SETTLE_MS = quick ? 200 : 700;
const PROXY_ON = process.env.PROXY_ON?.split(' ').filter(Boolean) ?? [];
const LOAD_ON = process.env.LOAD_ON?.split(' ').filter(Boolean) ?? [];
const ADVERSARY = fileURLToPath(new URL('adversary.mjs', import.meta.url));
const MOST_MS = 100;
const MOST_TIMES = 1.5;

// What each load is, in the words of the report, how many sessions it has, and on which surface.
const LOADS = {
  refusals: ['5,000 refused messages a second', 200],
  rates: ['5,000 messages a second of a session that may send 500', 1, 'paced'],
  admissions: ['20 admissions a second with a pinned executable of 99 MB', 1],
  strangers: ['1,500 denied connections that stay', 0],
  tickets: ['500 tickets a second for one session', 1],
  halves: ['100 half-sent messages of 4 MiB', 4],
  operators: ['8,000 refused connections a second to the control socket', 0],
  bodies: ['600 bodies that come slowly', 1],
};

const children = new Set();
process.on('exit', () => children.forEach((one) => one.kill('SIGKILL')));

// One line from a child that runs until it is killed.
async function child(command, args) {
  const started = spawn(command[0], [...command.slice(1), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(started);
  let text = '';
  started.stdout.on('data', (chunk) => (text += chunk));
  await until(() => text.includes('\n') || started.exitCode !== null, `a word from ${args.join(' ')}`);
  assert.ok(text.includes('\n'), `${args.join(' ')} ended`);
  const end = () =>
    new Promise((resolve) => {
      started.on('close', resolve);
      started.kill('SIGKILL');
      children.delete(started);
    });
  return { said: text.trim(), end };
}

const session = (gate, name, more = {}) => makeSession(gate.controlSocket, name, more);

class Bench {
  constructor() {
    this.dir = scratchDir();
    this.service = new WebSocketService(path.join(this.dir, 'service.sock'), {
      request: (peer, { method }) => (method === 'GET' ? peer.accept() : peer.respond('200 OK', '{}')),
      message: (peer, data) => peer.send(data.toString().replace(/"method".*$/, '"result":{}}')),
    });
    this.service.keepMessages = false;
  }

  // 99 MB that may run, by digest.
  executable() {
    const name = path.join(this.dir, 'large');
    const bytes = Buffer.alloc(99 * 1000 * 1000, 'x');
    writeFileSync(name, bytes, { mode: 0o755 });
    return { path: name, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  async start() {
    await this.service.start();
    const control = path.join(this.dir, 'control');
    mkdirSync(control);
    chmodSync(this.dir, 0o711);
    chmodSync(control, 0o711);
    const rules = (more) =>
      surface(this.service.socketPath, {
        dialect: 'json-rpc',
        allow: { verbs: ['echo'] },
        routes: [
          { path: '/ws', kind: 'websocket' },
          { path: '/echo', kind: 'http', methods: ['POST'] },
        ],
        ...more,
      });
    const pinned = this.executable();
    this.gate = new Gate(this.dir, {
      executables: [pinned],
      operators: { uids: [NOBODY + 1] }, // somebody else: the socket is there for other users
      surfaces: { busy: rules(), cut: rules(), paced: rules({ limits: { messages_per_second: 500 } }) },
    });
    this.gate.controlSocket = path.join(control, 'control.sock');
    this.gate.configure({ ...this.gate.config, control_socket: this.gate.controlSocket });
    await this.gate.launch(PROXY_ON.length ? { command: PROXY_ON[0], prefix: [...PROXY_ON.slice(1), SIDELOCK] } : {});
    await this.gate.putParams('large', { type: 'StdioServerParams', command: pinned.path, args: [] });
    this.dummy = await child(PROXY_ON.concat('node'), [ADVERSARY, 'listen']);
    this.dummySocket = path.join(control, 'dummy.sock');
    this.dummyControl = await child(PROXY_ON.concat('node'), [ADVERSARY, 'listen', this.dummySocket]);
    chmodSync(this.dummySocket, 0o666);
    this.tokens = [];
    for (let i = 0; i < 200; i++) this.tokens.push((await session(this.gate, 'busy')).token);
    this.paced = (await session(this.gate, 'paced')).token;
    this.pinned = (await session(this.gate, 'busy', { params: 'large' })).token;
  }

  async stop() {
    await this.dummy?.end();
    await this.dummyControl?.end();
    await stopAll(this.gate, this.service);
  }

  load(name, atGate) {
    const [, count, where = 'busy'] = LOADS[name];
    const own = { admissions: [this.pinned], rates: [this.paced] };
    const options = {
      host: `localhost:${this.gate.port(where)}`,
      port: atGate ? this.gate.port(where) : Number(this.dummy.said),
      tokens: own[name] ?? this.tokens.slice(0, count),
    };
    const as = name === 'operators' ? ['setpriv', '--reuid', `${NOBODY}`, '--clear-groups'] : [];
    if (name === 'operators') options.socket = atGate ? this.gate.controlSocket : this.dummySocket;
    return child([...LOAD_ON, ...as, 'node'], [ADVERSARY, name, JSON.stringify(options)]);
  }

  // Milliseconds of a call and its answer, one after the other at a steady pace.
  async calls(where = 'busy') {
    const { token } = await session(this.gate, where);
    const client = await Client.open(this.gate, where, '/ws', { token });
    const times = [];
    for (let id = 0; id < SAMPLES; id++) {
      const begin = performance.now();
      client.socket.send(`{"jsonrpc":"2.0","id":${id},"method":"echo"}`);
      const answer = await new Promise((resolve) => client.socket.once('message', resolve));
      times.push(performance.now() - begin);
      assert.equal(JSON.parse(answer).id, id);
      await pause(PACE_MS);
    }
    client.terminate();
    return quantile(times, 0.99);
  }

  // Milliseconds from a command to the end of a connection, and to its own answer, whichever is later.
  async cut(command) {
    const one = await session(this.gate, 'cut');
    const client = await Client.open(this.gate, 'cut', '/ws', { token: one.token });
    const ended = new Promise((resolve) => client.socket.once('close', resolve));
    const begin = performance.now();
    await Promise.all([command(one), ended]);
    return performance.now() - begin;
  }

  async measure(name) {
    const [words, , where] = LOADS[name];
    const beside = { dummy: [], gate: [] };
    const revoked = [];
    const killed = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const side of ['dummy', 'gate']) {
        const load = await this.load(name, side === 'gate');
        await pause(SETTLE_MS);
        beside[side].push(await this.calls(where));
        for (let i = 0; side === 'gate' && i < CUTS; i++) {
          revoked.push(await this.cut(({ id }) => control(this.gate.controlSocket, 'DELETE', `/v1/sessions/${id}`)));
          killed.push(await this.cut(() => control(this.gate.controlSocket, 'POST', '/v1/surfaces/cut/kill')));
          await control(this.gate.controlSocket, 'POST', '/v1/surfaces/cut/arm');
        }
        await load.end();
        await pause(SETTLE_MS);
      }
    }
    row(`ms of a revocation beside ${words}, the slowest of ${revoked.length}`, Math.max(...revoked), MOST_MS);
    row(`ms of the kill switch beside ${words}, the slowest of ${killed.length}`, Math.max(...killed), MOST_MS);
    row(
      `p99 of a good client beside ${words} (${median(beside.gate).toFixed(2)} ms), against a dummy that takes it`,
      median(beside.gate.map((ms, round) => ms / beside.dummy[round])),
      MOST_TIMES,
    );
  }
}

const bench = new Bench();
try {
  await bench.start();
  for (const name of wanted.length ? wanted : Object.keys(LOADS)) {
    const cannot = name === 'operators' && cannotBecome();
    if (cannot) console.error(`bench: no load of operators: it ${cannot}`);
    else await bench.measure(name);
  }
} finally {
  await bench.stop();
}
