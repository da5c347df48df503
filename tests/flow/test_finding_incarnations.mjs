// What a worker asked dies with it: no verdict, link or session reaches the process that takes
// its place, and no worker's word counts for a connection of another.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { AutogenStudio, PREPARED_ROUTE } from '../services/autogen_studio.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { Raw, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const TRUE = '/bin/true';
const dir = scratchDir();
const studio = new AutogenStudio(path.join(dir, 'studio.sock'), 'new');
let gate;

const record = (mark) => ({ type: 'StdioServerParams', command: TRUE, args: [], env: { MARK: mark } });

before(async () => {
  await studio.start();
  studio.launch = () => {}; // recorded, not started
  gate = await Gate.start(dir, {
    executables: [TRUE],
    surfaces: {
      studio: surface(studio.socketPath, {
        dialect: 'autogen-studio',
        allow: { verbs: ['list_tools'] },
        routes: [PREPARED_ROUTE],
      }),
    },
  });
});

after(() => stopAll(gate, studio));

afterEach(() => {
  hangUp();
  studio.behave();
});

// The service answers a POST when it is told to: the answers, in the order of the questions.
function holdAnswers() {
  const usual = studio.defaults.request;
  const held = [];
  studio.behave({
    request: (peer, request) => {
      if (request.method !== 'POST') return usual(peer, request);
      held.push(() => usual(peer, request));
    },
  });
  return held;
}

// A client whose question is on its way to the service.
async function ask(token, held) {
  const port = gate.port('studio');
  const before = held.length;
  const raw = await Raw.connect(port);
  raw.send(requestText({ host: `localhost:${port}`, token, path: '/api/mcp/ws/x' }));
  await until(() => held.length > before, 'the POST');
  return raw;
}

describe('a question that waits', () => {
  it('finding 1: is not answered to the process that took the place of the one that asked', async () => {
    await gate.putParams('first', record('first'));
    await gate.putParams('second', record('second'));
    const first = await gate.session('studio', '--params', 'first');
    const second = await gate.session('studio', '--params', 'second');
    const held = holdAnswers();
    await ask(first.token, held);
    const [pid] = gate.workers();
    process.kill(pid, 'SIGKILL');
    await until(() => gate.workers().some((one) => one !== pid), 'another worker');
    const raw = await ask(second.token, held);
    const mark = gate.mark();
    held[0](); // what the first session asked for
    await gate.do('status'); // the broker has turned
    held[1]();
    const response = await raw.response();
    assert.equal(response.status, 101, response.line);
    const frame = await raw.frame();
    assert.equal(JSON.parse(frame.payload.toString()).type, 'initialized');
    assert.deepEqual(
      studio.launched.map((one) => one.env.MARK),
      ['second'],
      'the second session speaks with what was launched for the first',
    );
    const admitted = gate.auditLines().slice(mark).filter((line) => line.event === 'admitted');
    assert.deepEqual(admitted.map((line) => line.session), [second.id]);
    raw.destroy();
    await gate.untilIdle('studio');
  });
});
