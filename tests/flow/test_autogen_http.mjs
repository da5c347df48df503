// AutoGen Studio's HTTP through the shipped pack as it stands, before and after its fix: the POST
// that names what to launch, the socket it leads to, the run socket's token, and what is closed.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { AutogenStudio } from '../services/autogen_studio.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { ask, keepAlive } from './lib/http.mjs';
import { denied, request } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const CONNECT = '/api/mcp/ws/connect';
const JSON_TYPE = { 'content-type': 'application/json' };
const TRUE = '/usr/bin/true';
const MAX_MESSAGE_BYTES = 64 * 1024;
const MODES = ['old', 'new'];

const dir = scratchDir();
const record = {
  type: 'StdioServerParams',
  command: TRUE,
  args: ['--stored', 'ü/🦊?a+b'],
  env: { TEXT: 'a+b/c=d&e?f#g%20h ~~~???>>>', EMPTY: '' },
  cwd: null,
};
const other = { ...record, args: ['--other'] };

const studios = {};
const tokens = {};
let gate;

before(async () => {
  const surfaces = {};
  for (const mode of MODES) {
    const studio = new AutogenStudio(path.join(dir, `${mode}.sock`), mode, () => {});
    studios[mode] = await studio.start();
    surfaces[mode] = surface(studio.socketPath, {
      dialect: 'autogen-studio',
      allow: { verbs: ['list_tools', 'call_tool', 'start', 'stop'], targets: ['echo'] },
      limits: { max_message_bytes: MAX_MESSAGE_BYTES },
    });
  }
  gate = await Gate.start(dir, { executables: [TRUE], surfaces });
  await gate.putParams('everything', record);
  await gate.putParams('other', other);
  for (const mode of MODES) tokens[mode] = (await gate.session(mode, '--params', 'everything')).token;
});

after(() => stopAll(gate, ...Object.values(studios)));

afterEach(() => {
  hangUp();
  for (const studio of Object.values(studios)) studio.forget();
});

function post(mode, body, options = {}) {
  const { headers = {}, ...more } = options;
  return ask(gate, mode, CONNECT, {
    method: 'POST', token: tokens[mode], body, headers: { ...JSON_TYPE, ...headers }, ...more,
  });
}

const wrapped = (params) => JSON.stringify({ server_params: params });

// A request that the gate itself must answer, and of which the service hears nothing.
async function refused(mode, where, options, status, reason) {
  const mark = gate.mark();
  const before = studios[mode].seen.length;
  const answer = await ask(gate, mode, where, { token: tokens[mode], ...options });
  assert.equal(answer.status, status, `${options.method ?? 'GET'} ${where}: ${answer.body}`);
  assert.equal(answer.json.reason, reason);
  await gate.audited(mark, { event: 'denied', surface: mode, reason });
  assert.equal(studios[mode].seen.length, before, 'nothing reached the service');
  return answer;
}

const refusedPost = (mode, body, status, reason, headers = {}, more = {}) =>
  refused(mode, CONNECT, { method: 'POST', body, headers: { ...JSON_TYPE, ...headers }, ...more },
    status, reason);

// The same value in other words: what JSON permits and no encoder writes.
const SPELLINGS = {
  plain: wrapped(record),
  'other order and white space':
    `\n{ "server_params" :\t{"cwd": null , "env" :{"EMPTY":"", "TEXT":${JSON.stringify(record.env.TEXT)}},\r\n` +
    ` "args":[ "--stored" , ${JSON.stringify(record.args[1])} ],"command":"${TRUE}",` +
    '"type":"StdioServerParams" } } ',
  escapes:
    '{"server_params":{"\\u0074ype":"Stdio\\u0053erverParams","command":"\\/usr\\/bin\\/true",' +
    '"args":["\\u002d-stored","\\u00fc\\/\\ud83e\\udd8a?a\\u002bb"],"cwd":null,' +
    '"env":{"TEXT":"a\\u002bb/c=d&e?f#g%20h ~~~???>>>","EMPTY":""}}}',
  'members that mean nothing': JSON.stringify({
    marker: { command: '/bin/sh' }, server_params: record, session_id: 'marker', websocket_url: '//marker',
  }),
};

for (const mode of MODES) {
  describe(`the POST, ${mode} wire`, () => {
    it('sends the stored record on, whatever the client wrote', async () => {
      const bodies = [];
      for (const [name, body] of Object.entries(SPELLINGS)) {
        const answer = await post(mode, body);
        assert.equal(answer.status, 200, `${name}: ${answer.body}`);
        const seen = studios[mode].seen.at(-1);
        const header = (wanted) => seen.headers.filter(([key]) => key === wanted).map(([, value]) => value);
        assert.equal(seen.target, CONNECT);
        assert.deepEqual(JSON.parse(seen.body), { server_params: record }, name);
        assert.deepEqual(header('content-length'), [String(seen.body.length)]);
        assert.deepEqual(header('content-type'), ['application/json']);
        assert.deepEqual(header('authorization'), []);
        assert.doesNotMatch(seen.body.toString(), /marker/);
        bodies.push(seen.body.toString('latin1'));
      }
      assert.equal(bodies.length, Object.keys(SPELLINGS).length);
      assert.equal(new Set(bodies).size, 1, 'the same bytes each time');
    });

    it('in chunks, with a charset, and with a query that goes nowhere further', async () => {
      const chunked = await post(mode, undefined, {
        headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/json; charset=UTF-8' },
        send: (out) => {
          for (const byte of Buffer.from(SPELLINGS.plain)) out.write(Buffer.of(byte));
          out.end();
        },
      });
      assert.equal(chunked.status, 200, chunked.body);
      const seen = studios[mode].seen.at(-1);
      assert.deepEqual(JSON.parse(seen.body), { server_params: record });
      assert.ok(!seen.headers.some(([name]) => name === 'transfer-encoding'));
    });

    it('finding 23: no query goes along with the stored body', async () => {
      for (const query of ['server_params=EVIL', '%73erver_params=EVIL', 'x=1&server_params=EVIL', 'EVIL']) {
        const answer = await ask(gate, mode, `${CONNECT}?${query}`, {
          method: 'POST', token: tokens[mode], body: SPELLINGS.plain, headers: JSON_TYPE,
        });
        assert.equal(studios[mode].seen.at(-1).target, CONNECT, query);
        assert.deepEqual(JSON.parse(studios[mode].seen.at(-1).body), { server_params: record });
        assert.equal(answer.status, 200, answer.body);
      }
    });

    it('answers with an address that leads through the gate to what is stored', async () => {
      const { status, json } = await post(mode, SPELLINGS.plain);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(json), ['status', 'message', 'session_id', 'websocket_url', 'timestamp']);
      assert.equal(json.websocket_url, `/api/mcp/ws/${json.session_id}`, 'no query');
      assert.equal(json.status, true);
      const client = await Client.open(gate, mode, json.websocket_url, { token: tokens[mode] });
      assert.equal((await client.nextJson()).session_id, json.session_id);
      assert.deepEqual(studios[mode].launched, [record]);
      client.sendJson({ type: 'operation', operation: 'call_tool', tool_name: 'echo', arguments: {} });
      assert.equal((await client.nextJson()).data.content[0].text, 'called echo');
      await client.close();
      const used = Client.open(gate, mode, json.websocket_url, { token: tokens[mode] });
      if (mode === 'old') await (await used).close();
      else await assert.rejects(used, { status: 502, reason: 'upstream_refused' }, 'single use');
    });

    it('refuses every other value', async () => {
      const nested = (change) => wrapped({ ...record, ...change });
      const values = {
        command: nested({ command: '/bin/sh' }),
        'command in another case': nested({ command: TRUE.toUpperCase() }),
        'one argument more': nested({ args: [...record.args, '-c'] }),
        'one argument less': nested({ args: record.args.slice(0, 1) }),
        'arguments in another order': nested({ args: [...record.args].reverse() }),
        'arguments as text': nested({ args: record.args.join(' ') }),
        'an environment variable more': nested({ env: { ...record.env, LD_PRELOAD: '/tmp/x.so' } }),
        'another value of one': nested({ env: { ...record.env, EMPTY: ' ' } }),
        'no environment': nested({ env: null }),
        'another type': nested({ type: 'SseServerParams' }),
        'another folder': nested({ cwd: '/' }),
        'a member more': nested({ read_timeout_seconds: 5 }),
        'a member less': wrapped({ type: record.type, command: record.command }),
        'a nested record': wrapped({ server_params: record }),
        'another stored record': wrapped(other),
        'the record as text': wrapped(JSON.stringify(record)),
        'a list of it': wrapped([record]),
        nothing: wrapped(null),
        'a number': wrapped(0),
        'the record alone': JSON.stringify(record),
        'no such member': '{}',
        'a list around everything': `[${wrapped(record)}]`,
      };
      for (const [name, body] of Object.entries(values)) {
        await refusedPost(mode, body, 403, 'value_mismatch').catch((error) => {
          throw new Error(`${name}: ${error.message}`);
        });
      }
      const chunked = { 'transfer-encoding': 'chunked' };
      const send = (out) => out.end(values.command);
      await refusedPost(mode, undefined, 403, 'value_mismatch', chunked, { send });
    });

    it('refuses what resembles the member, before and after it', async () => {
      const good = JSON.stringify(record);
      const evil = JSON.stringify({ ...record, command: '/bin/sh' });
      for (const key of ['Server_Params', 'SERVER_PARAMS', '\\u017ferver_params', 'Server\\u005fparams']) {
        for (const pair of [`"server_params":${good},"${key}":${evil}`, `"${key}":${evil},"server_params":${good}`]) {
          await refusedPost(mode, `{${pair}}`, 403, 'value_mismatch');
        }
      }
      for (const twice of [
        `{"server_params":${good},"server_params":${evil}}`,
        `{"server_params":${evil},"server_params":${good}}`,
        `{"server_params":${good},"server\\u005fparams":${evil}}`,
        `{"server_params":${good.replace('"command"', '"command":"/bin/sh","command"')}}`,
      ]) {
        await refusedPost(mode, twice, 400, 'json_duplicate_key');
      }
      await refusedPost(mode, `{"server_params":${good},"server_params\\u0000":1}`, 400, 'json_nul');
      // In other words than the service's own it is another member.
      await refusedPost(mode, `{"\\u0073erver_params":${good}}`, 403, 'value_mismatch');
    });

    it('refuses bodies that two readers could take for two things', async () => {
      const good = SPELLINGS.plain;
      const types = [
        'text/plain', 'text/plain; charset=application/json', 'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x', 'application/json; charset=utf-16',
        'application/json; charset=latin1', 'application/json, text/plain', 'application/jsonp', '',
      ];
      for (const type of types) {
        await refusedPost(mode, good, 415, 'content_type', { 'content-type': type });
      }
      await refused(mode, CONNECT, { method: 'POST', body: good }, 415, 'content_type');
      const zipped = { 'content-encoding': 'gzip' };
      await refusedPost(mode, gzipSync(good), 415, 'content_encoding', zipped);
      await refusedPost(mode, good, 415, 'content_encoding', { 'content-encoding': 'identity, gzip' });
      for (const text of ['', ' ', '{', JSON.stringify(good), `${good}x`, `${good}${good}`, good.replace('}', ',}'), '\ufeff' + good]) {
        await refusedPost(mode, text, 400, 'json_syntax');
      }
      await refusedPost(mode, Buffer.from(good, 'utf16le'), 400, 'json_nul');
      await refusedPost(mode, Buffer.from(good, 'latin1'), 400, 'json_utf8');
      await refusedPost(mode, good.replace('ü', '\\ud800'), 400, 'json_surrogate');
    });

    it('refuses what is too big, declared or not, and a body that is not there', async () => {
      const big = JSON.stringify({ server_params: record, pad: 'x'.repeat(MAX_MESSAGE_BYTES) });
      await refusedPost(mode, big, 413, 'message_too_big');
      const raw = (headers, body = '') => denied(gate, mode, {
        method: 'POST', path: CONNECT, token: tokens[mode], upgrade: false, body,
        headers: [['Content-Type', 'application/json'], ...headers],
      }, ...(body === '' ? [400, 'json_syntax'] : [413, 'message_too_big']));
      await raw([['Transfer-Encoding', 'chunked']], `10400\r\n${big.slice(0, 0x10400)}`);
      await raw([]);
      await raw([['Content-Length', '0']]);
      assert.deepEqual(studios[mode].seen, []);
    });

    it('needs a token, a session with a record, and the record as it was', async () => {
      await refusedPost(mode, SPELLINGS.plain, 401, 'credential_missing', {}, { token: undefined });
      const { token: none } = await gate.session(mode);
      await refusedPost(mode, SPELLINGS.plain, 403, 'params_required', {}, { token: none });
      const { token: its } = await gate.session(mode, '--params', 'other');
      await refusedPost(mode, SPELLINGS.plain, 403, 'value_mismatch', {}, { token: its });
      assert.equal((await post(mode, wrapped(other), { token: its })).status, 200);

      await gate.putParams('fickle', record);
      const { token } = await gate.session(mode, '--params', 'fickle');
      const agent = keepAlive();
      assert.equal((await post(mode, SPELLINGS.plain, { token, agent })).status, 200);
      await gate.putParams('fickle', other);
      for (const params of [record, other]) {
        await refusedPost(mode, wrapped(params), 401, 'params_changed', {}, { token });
      }
    });

    it('on a connection that asked for something else before, and without a record there', async () => {
      const { token } = await gate.session(mode);
      const agent = keepAlive();
      assert.equal((await ask(gate, mode, '/api/version', { token, agent })).status, 200);
      await refusedPost(mode, SPELLINGS.plain, 403, 'params_required', {}, { token, agent });
      const again = keepAlive();
      const good = { token: tokens[mode], agent: again };
      assert.equal((await ask(gate, mode, '/api/version', good)).status, 200);
      assert.equal((await post(mode, SPELLINGS.plain, good)).status, 200);
      await refusedPost(mode, wrapped(other), 403, 'value_mismatch', {}, good);
    });

    it('no other method does it', async () => {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        await refused(mode, CONNECT, { method, headers: JSON_TYPE }, 405, 'method_refused');
      }
    });
  });

  describe(`the run socket's token, ${mode} wire`, () => {
    async function arrived(query) {
      const client = await Client.open(gate, mode, `/api/ws/runs/7${query}`, { token: tokens[mode] });
      const peer = await until(() => studios[mode].last?.upgraded && studios[mode].last, 'the link');
      assert.equal(peer.request.target, '/api/ws/runs/7', 'no query');
      await client.close();
      return peer.request.headers.filter(([name]) => name === 'authorization').map(([, value]) => value);
    }

    it('moves from the query to a header, alone', async () => {
      assert.deepEqual(await arrived('?token=abc'), ['Bearer abc']);
      assert.deepEqual(await arrived('?x=1&token=a.b-c_d~e%2Bf%2F%3D%3D&y=2'), ['Bearer a.b-c_d~e+f/==']);
      assert.deepEqual(await arrived('?%74oken=abc'), ['Bearer abc']);
    });

    it('is dropped if it is none, two, or no token at all', async () => {
      const none = [
        '', '?', '?token', '?token=', '?token=null', '?token=undefined', '?token=abc&token=def',
        '?token=abc&%74oken=abc', '?Token=abc', '?token=a%20b', '?token=a+b', '?token=a%0d%0aX:%20y',
        '?token=%00', '?token=%ff', '?token=a%2Cb', '?token==', `?token=${'a'.repeat(5000)}`,
      ];
      for (const query of none) assert.deepEqual(await arrived(query), [], query.slice(0, 40));
    });

    it('a session token there is refused, and its session ends', async () => {
      for (const hide of [(token) => `token=${token}`, (token) => `token=Bearer%20${token}`, (token) => `${token}`]) {
        const { id, token } = await gate.session(mode, '--params', 'everything');
        const target = `/api/ws/runs/7?${hide(token)}`;
        await denied(gate, mode, { path: target, token: tokens[mode] }, 401, 'token_in_query');
        assert.equal((await gate.doJson('session', 'show', id)).state, 'revoked');
        await denied(gate, mode, { path: '/api/ws/runs/7', token }, 401, 'session_revoked');
      }
      assert.deepEqual(studios[mode].seen, []);
    });
  });

  describe(`what is closed, ${mode} wire`, () => {
    const CLOSED = [
      '/api/validate', '/api/validate/', '/api/validate/test', '/api/validate/a/b/c', '/api/%76alidate/',
      '/api/valid%61te/test', '/%61pi/validate/', '/api/validate/?x=1', '/api/mcp/', '/api/mcp/ws',
      '/api/mcp/ws/connect/', '/api/mcp/ws/connect/x', '/api/mcp/tools', '/api/workflow/ws/7',
      '/api/workflow/ws/status/7', '/api/workflows/run',
    ];
    const body = JSON.stringify({ component: { provider: 'x', config: { command: '/bin/sh' } } });

    it('what makes components is not there, for anybody', async () => {
      for (const where of CLOSED) {
        for (const method of ['GET', 'POST', 'PUT', 'OPTIONS']) {
          const options = { method, headers: JSON_TYPE, ...(method === 'GET' ? {} : { body }) };
          await refused(mode, where, options, 404, 'route_unknown');
        }
        await refused(mode, where, { method: 'POST', token: undefined, body }, 401, 'credential_missing');
      }
      for (const where of ['/api/validate/', '/api/workflow/ws/7']) {
        await denied(gate, mode, { path: where, token: tokens[mode] }, 404, 'route_unknown');
      }
      assert.deepEqual([studios[mode].seen, studios[mode].made], [[], []]);
    });

    it('other spellings of it are no way in', async () => {
      const malformed = [
        '//api/validate/', '/api//validate/', '/api/validate//', '/./api/validate/', '/api/./validate/',
        '/api/x/../validate/', '/api/validate%2f', '/api%2fvalidate/', '/api/%2e/validate/',
        '/api/validate/%2e%2e/validate/', '/api/validate;x=1/', '/api\\validate/', '/api/validate%00/',
        '/api/%c1%b6alidate/', '/api/%2576alidate/',
      ];
      for (const where of malformed) {
        const mark = gate.mark();
        const { raw, response } = await request(gate, mode, {
          method: 'POST', path: where, token: tokens[mode], upgrade: false, body,
          headers: [['Content-Type', 'application/json'], ['Content-Length', String(body.length)]],
        });
        assert.equal(response.status, 400, `${where}: ${response.line}`);
        raw.destroy();
        await gate.audited(mark, { event: 'denied', reason: response.json.reason });
      }
      // Another path to the service: a file at most, which is only read.
      for (const where of ['/api/Validate/', '/API/validate/', '/API/VALIDATE/test', '/api/validates/', '/api/ validate/'.replace(' ', '%20'), '/validate/']) {
        await refused(mode, where, { method: 'POST', headers: JSON_TYPE, body }, 405, 'method_refused');
      }
      assert.deepEqual([studios[mode].seen, studios[mode].made], [[], []]);
    });

    it('what later runs take up is only read', async () => {
      for (const where of ['/api/settings/', '/api/teams/', '/api/gallery/', '/api/gallery/1', '/api/workflows', '/api/workflows/1']) {
        for (const method of ['POST', 'PUT', 'DELETE']) {
          await refused(mode, where, { method, headers: JSON_TYPE, body }, 405, 'method_refused');
        }
      }
      const get = (where) => ask(gate, mode, where, { token: tokens[mode] });
      assert.equal((await get('/api/settings/')).status, 200);
      assert.equal((await get('/api/mcp/ws/status/x')).json.data.connected, false);
      assert.deepEqual(studios[mode].made, []);
    });
  });
}
