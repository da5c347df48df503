// Methods that are newer than the pack: what it knows of them is off until it is named, the operator adds
// what it does not know, and neither needs a copy of it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask as askHttp } from './lib/http.mjs';

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'service.sock'));
const pages = new HttpService(path.join(dir, 'pages.sock'));
const CARD = '/mcp/server-card';
const CATALOG = '/.well-known/mcp/catalog.json';
let gate;

const mcp = (more) => surface(service.socketPath, { dialect: 'mcp', ...more });
const acme = { verbs: { c2s: { 'acme/search': { targets: [{ name: ['params', 'index'] }] } } } };

const subscribed = { _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } };
const said = (what, params) => ({ jsonrpc: '2.0', method: `notifications/events/${what}`, params: { ...params, ...subscribed } });
const happened = (name) => said('event', { eventId: `of ${name}`, name, timestamp: '2026-01-01T00:00:00Z', data: {} });
const card = (host) => JSON.stringify({ name: 'org.example/tools', remotes: [{ type: 'streamable-http', url: `http://${host}/mcp` }] });

before(async () => {
  service.behave({
    message: (peer, data) => {
      const { id, method } = JSON.parse(data);
      const said_ = method === 'events/stream'
        ? [said('active', { cursor: 'a' }), happened('build.done'), happened('payroll.run'), said('heartbeat', { cursor: 'b' })]
        : [];
      for (const message of [...said_, { jsonrpc: '2.0', id, result: {} }]) peer.send(JSON.stringify(message));
    },
  });
  await service.start();
  pages.routes[CARD] = (exchange) =>
    exchange.respond(200, [['Content-Type', 'application/mcp-server-card+json']], card(exchange.header('host')));
  pages.routes[CATALOG] = (exchange) => exchange.respond(200, [['Content-Type', 'application/json']], '{"entries":[]}');
  await pages.start();
  gate = await Gate.start(dir, {
    surfaces: {
      plain: mcp({}),
      extended: mcp({
        extensions: { skills: {}, events: {}, acme },
        allow: {
          verbs: ['skills/get', 'resources/directory/read', 'events/subscribe', 'events/stream', 'acme/search'],
          targets: ['skill://team/*', 'https://hooks.example/*', 'papers', 'build.*'],
          server_verbs: [],
        },
      }),
      cards: surface(pages.socketPath, {
        dialect: 'mcp',
        routes: [
          { path: '/mcp', kind: 'mcp-http' },
          ...[CARD, CATALOG].map((at) => ({ path: at, kind: 'http', methods: ['GET'] })),
        ],
      }),
    },
  });
});

after(() => stopAll(gate, service, pages));

async function ask(name, method, params) {
  const { token } = await gate.session(name);
  const client = await Client.open(gate, name, '/mcp', { token });
  client.sendJson({ jsonrpc: '2.0', id: 1, method, params });
  let answer;
  do answer = await client.nextJson();
  while (answer.id !== 1);
  await client.close();
  return answer.result ? 'passed' : answer.error.data.reason;
}

const hook = (name, url) => ({ name, arguments: {}, delivery: { mode: 'webhook', url, secret: 'whsec_AAAA' } });

describe('extensions', () => {
  for (const [method, good, bad] of [
    ['skills/get', { uri: 'skill://team/a/SKILL.md' }, { uri: 'skill://other/SKILL.md' }],
    ['resources/directory/read', { uri: 'skill://team/a' }, { uri: 'file:///etc' }],
    ['events/subscribe', hook('build.done', 'https://hooks.example/a'), hook('build.done', 'https://evil.example/')],
    ['events/subscribe', hook('build.done', 'https://hooks.example/a'), hook('payroll.run', 'https://hooks.example/a')],
    ['events/stream', { name: 'build.done' }, { name: 'payroll.run' }],
    ['acme/search', { index: 'papers' }, { index: 'payroll' }],
  ]) {
    it(`situation 12: ${method} passes where the operator names it, but ${JSON.stringify(bad)} does not`, async () => {
      assert.equal(await ask('extended', method, good), 'passed');
      assert.equal(await ask('extended', method, bad), 'target_not_allowed');
      assert.equal(await ask('extended', method, {}), 'target_missing');
    });
  }

  it('situation 12: a stream of events brings those that may be asked for, whatever else the service may say', async () => {
    const { token } = await gate.session('extended');
    const client = await Client.open(gate, 'extended', '/mcp', { token });
    client.sendJson({ jsonrpc: '2.0', id: 1, method: 'events/stream', params: { name: 'build.done' } });
    assert.deepEqual(await client.nextJson(), said('active', { cursor: 'a' }));
    assert.deepEqual(await client.nextJson(), happened('build.done'));
    assert.deepEqual(await client.nextJson(), said('heartbeat', { cursor: 'b' }));
    assert.equal((await client.nextJson()).id, 1);
    await client.close();
  });

  it('what is not named, or not on the list, stays where it was', async () => {
    assert.equal(await ask('plain', 'skills/list'), 'extension_off');
    assert.equal(await ask('plain', 'acme/search', { index: 'papers' }), 'verb_unknown');
    assert.equal(await ask('extended', 'skills/list'), 'verb_not_allowed');
    assert.equal(service.faults?.length ?? 0, 0);
  });

  it('explain says what is known, and the register what is named', async () => {
    const explain = async (name, verb) =>
      JSON.parse((await gate.cli('explain', '--surface', name, '--verb', verb, '/mcp', '--json')).stdout);
    assert.deepEqual(await explain('extended', 'skills/get'), {
      verdict: 'allow', reason: 'allowed', detail: 'admitted', rule: 'of the extension skills', targets: ['params.uri'],
    });
    assert.equal((await explain('plain', 'events/subscribe')).reason, 'extension_off');
    const unknown = await explain('plain', 'acme/search');
    assert.equal(unknown.reason, 'verb_unknown');
    assert.match(unknown.rule, /neither mcp nor an extension that it or the surface has \(skills, events\) knows the verb/);
    assert.match((await explain('plain', 'skills/get')).rule, /skills, which "extensions" of the surface would have to name/);
    assert.deepEqual((await explain('extended', 'events/subscribe')).targets, ['params.name', 'params.delivery.url']);
    const register = await gate.doJson('register', '--format', 'json');
    const row = register.rows.find((one) => one.surface === 'extended');
    assert.match(row.what_can_it_do.value, /extensions: skills, events, acme/);
  });
});

describe('server cards', () => {
  it('situation 12: are read where the operator routes them, with a token, and name the gate', async () => {
    const { token } = await gate.session('cards');
    assert.equal((await askHttp(gate, 'cards', CARD)).status, 401);
    const answer = await askHttp(gate, 'cards', CARD, { token, headers: { accept: 'application/mcp-server-card+json' } });
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.headers['content-type'], 'application/mcp-server-card+json');
    assert.equal(answer.json.remotes[0].url, `http://localhost:${gate.port('cards')}/mcp`);
    assert.equal((await askHttp(gate, 'cards', CATALOG, { token })).status, 200);
    assert.equal((await askHttp(gate, 'cards', CARD, { token, method: 'POST' })).json.reason, 'method_refused');
  });
});
