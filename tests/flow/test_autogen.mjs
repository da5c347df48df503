// AutoGen Studio's wire, before and after its fix: whatever a client puts into
// its URL, the service launches what is stored; a team that starts is the stored one.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { AutogenStudio, PREPARED_ROUTE } from '../services/autogen_studio.mjs';
import { encodeFrame } from '../services/frames.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SANITIZED, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { Raw, denied, requestText } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const QUERIES = 10_000;
const AT_ONCE = 32;
const TOUCH = '/usr/bin/touch';

const dir = scratchDir();
const granted = path.join(dir, 'granted');
const attacked = path.join(dir, 'attacked');

// Names and values that a careless encoder would damage.
const record = {
  type: 'StdioServerParams',
  command: TOUCH,
  args: [granted],
  env: { TEXT: 'a+b/c=d&e?f#g%20h ü 🦊 ~~~???>>>' },
  cwd: null,
};
const team = {
  provider: 'autogen_agentchat.teams.RoundRobinGroupChat',
  config: { participants: [{ name: 'assistant', max: 3, ratio: 0.5 }], nothing: null },
};

const studios = {};
let gate;

const preparedRoutes = [PREPARED_ROUTE, { path: '/api/ws/runs/{id}', kind: 'websocket', messages: 'runs', match_from: '' }];

before(async () => {
  for (const mode of ['old', 'new']) {
    studios[mode] = new AutogenStudio(path.join(dir, `${mode}.sock`), mode);
    await studios[mode].start();
  }
  const studio = (mode, more = {}) =>
    surface(studios[mode].socketPath, {
      dialect: 'autogen-studio',
      allow: { verbs: ['list_tools', 'call_tool', 'start', 'stop'], targets: ['echo'] },
      limits: { max_connections: 1000 },
      ...more,
    });
  gate = await Gate.start(dir, {
    executables: [{ path: TOUCH, args: [`${dir}/granted`] }],
    surfaces: { old: studio('old'), new: studio('new', { routes: preparedRoutes }) },
  });
  await gate.putParams('everything', record);
  await gate.putParams('team', team);
});

after(async () => {
  await stopAll(gate, ...Object.values(studios));
  assert.equal(existsSync(attacked), false);
});

afterEach(() => {
  hangUp();
});

function attack() {
  const params = { type: 'StdioServerParams', command: TOUCH, args: [attacked] };
  return Buffer.from(JSON.stringify(params)).toString('base64');
}

for (const mode of ['old', 'new']) {
  describe(`the MCP socket, ${mode} wire`, () => {
    it('launches the stored record, not the URL’s', async () => {
      const studio = studios[mode];
      const { token } = await gate.session(mode, '--params', 'everything');
      studio.launched.length = 0;
      const client = await Client.open(
        gate,
        mode,
        `/api/mcp/ws/any-id?server_params=${attack()}`,
        { token },
      );
      assert.equal((await client.nextJson()).type, 'initialized');
      assert.deepEqual(studio.launched, [record]);
      await Promise.all(studio.exits);
      assert.equal(existsSync(granted), true);
      assert.equal(existsSync(attacked), false);
      await client.close();
    });

    it('operations: allowed, refused in the dialect’s words, and alive after', async () => {
      const studio = studios[mode];
      const { token } = await gate.session(mode, '--params', 'everything');
      const client = await Client.open(gate, mode, '/api/mcp/ws/x', { token });
      await client.next();
      const link = studio.last;
      client.sendJson({ type: 'operation', operation: 'list_tools' });
      assert.equal((await client.nextJson()).data.tools.length, 2);
      client.sendJson({ type: 'operation', operation: 'call_tool', tool_name: 'echo', arguments: {} });
      assert.equal((await client.nextJson()).data.content[0].text, 'called echo');
      const seen = link.messages.length;

      const mark = gate.mark();
      client.sendJson({ type: 'operation', operation: 'call_tool', tool_name: 'shell', arguments: {} });
      const refusal = await client.nextJson();
      assert.equal(refusal.type, 'operation_error');
      assert.equal(refusal.operation, 'call_tool');
      assert.equal(typeof refusal.error, 'string');
      await gate.audited(mark, {
        event: 'message_refused',
        reason: 'target_not_allowed',
        verb: 'call_tool',
        target: 'shell',
      });
      client.sendJson({ type: 'operation', operation: 'read_resource', uri: 'file:///etc/passwd' });
      assert.equal((await client.nextJson()).operation, 'read_resource');
      client.sendJson({ type: 'operation', operation: 'spawn', command: TOUCH });
      assert.equal((await client.nextJson()).type, 'operation_error');
      assert.equal(link.messages.length, seen, 'nothing of it reached the service');

      client.sendJson({ type: 'ping' });
      assert.equal((await client.nextJson()).type, 'pong');
      await client.close();
    });

    it('without a record, or a token, nothing is launched', async () => {
      const studio = studios[mode];
      await gate.untilIdle(mode);
      studio.launched.length = 0;
      studio.forget();
      const target = `/api/mcp/ws/x?server_params=${attack()}`;
      await denied(gate, mode, { path: target }, 401, 'credential_missing');
      const { token } = await gate.session(mode);
      await denied(gate, mode, { path: target, token }, 403, 'params_required');
      assert.deepEqual(studio.launched, []);
      assert.equal(studio.connectionCount, 0);
    });
  });

  describe(`the runs socket, ${mode} wire`, () => {
    async function run() {
      const { token } = await gate.session(mode, '--params', 'team');
      const studio = studios[mode];
      studio.runs.length = 0;
      // Without login the UI sends this literally; it is no token.
      const client = await Client.open(gate, mode, '/api/ws/runs/7?token=null', { token });
      const link = await until(() => studio.last?.upgraded && studio.last, 'the link');
      assert.equal(link.request.target, '/api/ws/runs/7');
      return { client, studio, link };
    }

    it('the stored team may start, however it is written', async () => {
      const { client, studio } = await run();
      client.sendJson({ type: 'start', task: 'hello', files: [], team_config: team });
      assert.equal((await client.nextJson()).status, 'start');
      client.send(
        '{ "team_config" : {"config":{"nothing":null,"participants":[ {"ratio":0.5,"max":3,' +
          '"name":"\\u0061ssistant"} ]}, "provider":"autogen_agentchat.teams.RoundRobinGroupChat"},' +
          ' "task":"again", "type":"start" }',
      );
      assert.equal((await client.nextJson()).status, 'start');
      assert.deepEqual(studio.runs, [team, team]);
      await client.close();
    });

    it('another team may not, however it is disguised', async () => {
      const { client, studio, link } = await run();
      const changed = structuredClone(team);
      changed.config.participants.push({ provider: 'LocalCommandLineCodeExecutor' });
      const disguises = [
        { type: 'start', task: 'x', team_config: changed },
        { type: 'start', task: 'x', team_config: {} },
        { type: 'start', task: 'x', team_config: null },
        { type: 'start', task: 'x', team_config: JSON.stringify(team) },
        { type: 'start', task: 'x', team_config: [team] },
        { type: 'start', task: 'x', team_config: { ...team, config: { ...team.config, nothing: 0 } } },
        { type: 'start', task: 'x' },
      ];
      for (const message of disguises) {
        const mark = gate.mark();
        client.sendJson(message);
        assert.equal((await client.nextJson()).type, 'error', JSON.stringify(message));
        const line = await gate.audited(mark, { event: 'message_refused', verb: 'start' });
        assert.ok(['value_mismatch', 'message_shape'].includes(line.reason), line.reason);
      }
      assert.deepEqual(studio.runs, []);
      assert.deepEqual(link.messages, []);
      client.sendJson({ type: 'stop', reason: 'done' });
      assert.equal((await client.nextJson()).status, 'stop');
      await client.close();
    });

    it('a key that resembles team_config is refused', async () => {
      for (const key of ['Team_Config', 'TEAM_CONFIG', 'team_con\\u0066ig', 'team_config\\u0000']) {
        const { client, studio, link } = await run();
        client.send(`{"type":"start","task":"x","team_config":${JSON.stringify(team)},"${key}":{}}`);
        await until(() => client.messages.length > 0 || client.closed, 'a refusal');
        assert.deepEqual(studio.runs, [], key);
        assert.deepEqual(link.messages, [], key);
        client.terminate();
      }
    });
  });
}

// While the service is asked for a session, the grant can end.
describe('the time between the POST and its answer', () => {
  // Starts an upgrade whose POST the service holds back; answer() lets it go on.
  async function held(token) {
    const studio = studios.new;
    studio.forget();
    studio.launched.length = 0;
    const usual = studio.defaults.request;
    let answer;
    studio.behave({
      request: (peer, request) => {
        if (request.method !== 'POST') return usual(peer, request);
        answer = () => usual(peer, request);
      },
    });
    const port = gate.port('new');
    const raw = await Raw.connect(port);
    raw.send(requestText({ host: `localhost:${port}`, token, path: '/api/mcp/ws/x' }));
    await until(() => answer, 'the POST');
    return { raw, answer, studio };
  }

  async function assertNeverOpened({ raw, studio }, status, reason) {
    const response = await raw.response();
    assert.equal(response.status, status, response.line);
    assert.equal(response.json.reason, reason);
    assert.deepEqual(studio.launched, []);
    assert.equal(studio.messageCount, 0);
    await gate.untilIdle('new');
    raw.destroy();
  }

  afterEach(async () => {
    studios.new.behave();
    await gate.do('arm', 'new');
  });

  it('revoked meanwhile: nothing is launched, nothing opens', async () => {
    const { id, token } = await gate.session('new', '--params', 'everything');
    const attempt = await held(token);
    await gate.revoke(id);
    attempt.answer();
    await assertNeverOpened(attempt, 401, 'session_revoked');
  });

  it('killed meanwhile: nothing is launched, nothing opens', async () => {
    const { token } = await gate.session('new', '--params', 'everything');
    const attempt = await held(token);
    await gate.do('kill', 'new');
    attempt.answer();
    await assertNeverOpened(attempt, 503, 'surface_killed');
  });

  it('record changed meanwhile: nothing is launched, nothing opens', async () => {
    await gate.putParams('fickle', record);
    const { token } = await gate.session('new', '--params', 'fickle');
    const attempt = await held(token);
    await gate.putParams('fickle', { ...record, cwd: '/' });
    attempt.answer();
    await assertNeverOpened(attempt, 401, 'params_changed');
  });

  it('client gone meanwhile: the log blames the right surface, no link is left', async () => {
    const { id, token } = await gate.session('new', '--params', 'everything');
    const mark = gate.mark();
    const { raw, answer, studio } = await held(token);
    raw.destroy();
    await until(() => raw.socket.destroyed, 'the end of the client');
    answer();
    const line = await gate.audited(mark, { reason: 'client_closed', session: id });
    assert.equal(line.surface, 'new');
    await until(() => studio.open.size === 0, 'the links to end');
    await gate.untilIdle('new');
  });
});

describe('random queries', () => {
  // Only what RFC 3986 lets stand in a query: anything else is no request at all.
  const PIECES = [
    'server_params', 'server%5fparams', 'Server_Params', 'token', 'a', '', '=', '&', '&&', '?', ';',
    '%00', '%0d%0a', '%3F', '%26', '%3D', '%23', '+', '%20', '/', '..', '%2e%2e', '[]', '%7B%7D',
    '%22', "'", '%60', '%7C', '$()', '~', '!', '@', '*', ':', ',', '%', '%zz', '%c3%28', '%ff',
  ];

  function pick(list) {
    return list[Math.floor(Math.random() * list.length)];
  }

  function randomQuery() {
    switch (Math.floor(Math.random() * 5)) {
      case 0:
        return `server_params=${attack()}`;
      case 1:
        return `server_params=${encodeURIComponent(attack())}&server_params=${randomBytes(6).toString('hex')}`;
      case 2:
        return randomBytes(Math.floor(Math.random() * 200)).toString('base64');
      case 3:
        return Array.from({ length: 1 + Math.floor(Math.random() * 12) }, () => pick(PIECES)).join('');
      default:
        return Array.from(
          { length: 1 + Math.floor(Math.random() * 20) },
          () => `${pick(PIECES)}=${pick(PIECES)}${pick(PIECES)}`,
        ).join('&');
    }
  }

  // One upgrade with this query, up to the service's first frame.
  async function visit(mode, token, query) {
    const port = gate.port(mode);
    const raw = await Raw.connect(port);
    const target = `/api/mcp/ws/${randomBytes(8).toString('hex')}?${query}`;
    raw.send(requestText({ host: `localhost:${port}`, token, path: target }));
    const response = await raw.response();
    assert.equal(response.status, 101, `${query}: ${response.line} ${response.body}`);
    const frame = await raw.frame();
    assert.equal(JSON.parse(frame.payload.toString()).type, 'initialized');
    raw.send(encodeFrame({ opcode: 8, payload: Buffer.from([3, 232]), mask: true }));
    await raw.closeFrame();
    raw.destroy();
  }

  for (const [mode, count] of [['old', QUERIES], ['new', QUERIES / 10]]) {
    const queries = SANITIZED ? count / 10 : count;
    it(`${queries} of them, ${mode} wire: the service gets the stored record each time`, async () => {
      const studio = studios[mode];
      const { token } = await gate.session(mode, '--params', 'everything', '--ttl', '1h');
      studio.launched.length = 0;
      studio.launchedText.length = 0;
      studio.forget();
      studio.launch = () => {}; // recorded, not started ten thousand times
      let left = queries;
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          while (left-- > 0) await visit(mode, token, randomQuery());
        }),
      );
      assert.equal(studio.launched.length, queries);
      const stored = studio.launchedText[0];
      assert.deepEqual(JSON.parse(stored), record);
      assert.ok(studio.launchedText.every((text) => text === stored));
      if (mode === 'old') {
        const queriesSeen = new Set(studio.peers.map((peer) => peer.request.target.split('?')[1]));
        assert.equal(queriesSeen.size, 1, 'every query the service saw is the same');
        assert.match([...queriesSeen][0], /^server_params=[A-Za-z0-9%._~-]+$/);
      } else {
        assert.ok(studio.peers.every((peer) => !peer.request.target.includes('?')));
      }
      await gate.untilIdle(mode);
    });
  }
});
