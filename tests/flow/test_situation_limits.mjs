// What a surface's limits say: `check` holds them against what a worker may keep, and strings that
// spell no Unicode text are refused where the surface wants that, in either direction, by id.
import assert from 'node:assert/strict';
import { it } from 'node:test';

import { Client } from './lib/client.mjs';
import { endingServices } from './lib/ending_services.mjs';
import { Gate, scratchDir, surface } from './lib/gate.mjs';
import { call, post } from './lib/mcp_http.mjs';
import { until } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const ODD = { '"\\ud83d"': 'json_surrogate', '"a\\u0000b"': 'json_nul' };

let gate;
const { sockets, http } = endingServices(async (dir) => {
  gate = await Gate.start(dir, {
    surfaces: {
      socket: surface(sockets.socketPath, { dialect: 'mcp', unpaired: 'refuse', routes: [{ path: '/ws', kind: 'websocket' }] }),
      http: surface(http.socketPath, { dialect: 'mcp', unpaired: 'refuse', routes: [{ path: '/json', kind: 'mcp-http' }] }),
    },
  });
  return gate;
});

const asked = (id, value) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{"v":${value}}}}`;
const answered = (id, value) => `{"jsonrpc":"2.0","id":${id},"result":{"v":${value}}}`;

it('situation 2: what is refused for its strings is told by its id, in either direction, over a WebSocket', async () => {
  const { token } = await gate.session('socket');
  const client = await Client.open(gate, 'socket', '/ws', { token });
  let id = 0;
  for (const [value, reason] of Object.entries(ODD)) {
    const heard = [];
    sockets.behave({ message: (_, data) => heard.push(data.toString()) });
    client.send(asked(++id, value));
    const request = await client.nextJson();
    assert.deepEqual([request.id, request.error.data.reason], [id, reason]);
    assert.deepEqual(heard, []);
    sockets.behave({ message: (peer, data) => peer.send(answered(JSON.parse(data).id, value)) });
    client.send(asked(++id, '1'));
    const answer = await client.nextJson();
    assert.deepEqual([answer.id, answer.error.data.reason], [id, reason]);
  }
  await client.close();
});

it('situation 2: and over HTTP', async () => {
  const { token } = await gate.session('http');
  for (const [value, reason] of Object.entries(ODD)) {
    const request = await post(gate, 'http', asked(1, value), { token, path: '/json' });
    assert.deepEqual([request.message.id, request.message.error.data.reason], [1, reason]);
    assert.equal(http.seen.length, 0);
    const waits = post(gate, 'http', asked(2, '1'), { token, path: '/json' });
    await until(() => http.call, 'the service to be asked');
    http.call.say(answered(2, value));
    const { message } = await waits;
    assert.deepEqual([message.id, message.error.data.reason], [2, reason]);
    http.forget();
  }
});

it('check says which limit a worker has no memory for, and what to write', async () => {
  const one = (limits, memory) =>
    new Gate(scratchDir(), {
      ...(memory ? { worker_memory_bytes: memory } : {}),
      surfaces: { one: surface(sockets.socketPath, { dialect: 'mcp', limits }) },
    });
  for (const [limits, memory, fault] of [
    [{ max_answer_bytes: 96 * MIB }, undefined, undefined],
    [{ max_answer_bytes: 96 * MIB + 1 }, undefined, 'max_answer_bytes'],
    [{ max_answer_bytes: 256 * MIB }, 512 * MIB, undefined],
    [{ max_answer_bytes: 256 * MIB }, 511 * MIB, 'max_answer_bytes'],
    [{ max_message_bytes: 8 * MIB }, 15 * MIB, 'max_message_bytes'],
    [{}, 8 * MIB, undefined],
  ]) {
    const { code, stdout } = await one(limits, memory).cli('check', '--json');
    if (fault === undefined) {
      assert.equal(code, 0, stdout);
      continue;
    }
    assert.equal(code, 78, stdout);
    const said = JSON.parse(stdout).faults.find(({ pointer }) => pointer === `/surfaces/one/limits/${fault}`);
    assert.ok(said, stdout);
    assert.match(JSON.stringify(said), /worker_memory_bytes/);
  }
});
