// Methods that are newer than the pack: what it knows of them is off until it is named, the operator adds
// what it does not know, and neither needs a copy of it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'service.sock'));
let gate;

const mcp = (more) => surface(service.socketPath, { dialect: 'mcp', ...more });
const acme = { verbs: { c2s: { 'acme/search': { targets: [{ name: ['params', 'index'] }] } } } };

before(async () => {
  service.behave({
    message: (peer, data) => peer.send(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(data).id, result: {} })),
  });
  await service.start();
  gate = await Gate.start(dir, {
    surfaces: {
      plain: mcp({}),
      extended: mcp({
        extensions: { skills: {}, events: {}, acme },
        allow: {
          verbs: ['skills/get', 'resources/directory/read', 'events/subscribe', 'acme/search'],
          targets: ['skill://team/*', 'https://hooks.example/*', 'papers'],
        },
      }),
    },
  });
});

after(() => stopAll(gate, service));

async function ask(name, method, params) {
  const { token } = await gate.session(name);
  const client = await Client.open(gate, name, '/mcp', { token });
  client.sendJson({ jsonrpc: '2.0', id: 1, method, params });
  const answer = await client.nextJson();
  await client.close();
  return answer.result ? 'passed' : answer.error.data.reason;
}

describe('extensions', () => {
  for (const [method, good, bad] of [
    ['skills/get', { uri: 'skill://team/a/SKILL.md' }, { uri: 'skill://other/SKILL.md' }],
    ['resources/directory/read', { uri: 'skill://team/a' }, { uri: 'file:///etc' }],
    ['events/subscribe', { name: 'n', delivery: { url: 'https://hooks.example/a' } }, { name: 'n', delivery: { url: 'https://evil.example/' } }],
    ['acme/search', { index: 'papers' }, { index: 'payroll' }],
  ]) {
    it(`situation 12: ${method} passes where the operator names it, with its target vetted`, async () => {
      assert.equal(await ask('extended', method, good), 'passed');
      assert.equal(await ask('extended', method, bad), 'target_not_allowed');
      assert.equal(await ask('extended', method, {}), 'target_missing');
    });
  }

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
    assert.match(unknown.rule, /neither mcp nor an extension that it or the surface has knows the verb/);
    const register = await gate.doJson('register', '--format', 'json');
    const row = register.rows.find((one) => one.surface === 'extended');
    assert.match(row.what_can_it_do.value, /extensions: skills, events, acme/);
  });
});
