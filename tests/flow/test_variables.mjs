// "~" and variables in the paths of a configuration: every process of the gate reads the same, whatever its environment.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';

const dir = scratchDir();
const service = new WebSocketService(path.join(dir, 'echo.sock'));
let gate;
after(() => stopAll(gate, service));

it('a gate whose paths are variables serves, and reloads', async () => {
  Object.assign(process.env, { HOME: dir, SIDELOCK_TEST: path.join(dir, '$x'), SIDELOCK_SECRET: 'of nobody' });
  await service.start();
  gate = await Gate.start(dir, {
    state_dir: '${SIDELOCK_TEST}/state',
    control_socket: '~/control/control.sock',
    workers: 2,
    surfaces: { echo: opaqueSurface('~/echo.sock') },
  });
  gate.auditPath = path.join(dir, '$x/state/audit.jsonl');
  const { token } = await gate.session('echo');
  const client = await Client.open(gate, 'echo', '/ws', { token });
  client.send('hello');
  assert.equal(await client.next(), 'hello');
  await client.close();
  gate.configure({ ...gate.config, surfaces: { ...gate.config.surfaces, other: opaqueSurface('$HOME/echo.sock') } });
  writeFileSync(gate.configPath, `${readFileSync(gate.configPath, 'utf8')} // with a remark`);
  assert.match(await gate.do('reload'), /added: other/);
});

it('who has another environment is told which variable is missing, and where', async () => {
  const { code, stderr } = await gate.cli('status', { env: { SIDELOCK_TEST: '' } });
  assert.equal(code, 78);
  assert.match(stderr, /sidelock\.json:2: \/state_dir: The variable SIDELOCK_TEST is not set/);
  assert.equal((await gate.cli('status')).code, 0);
});

it('a pack is found by a variable, and one by none is said', async () => {
  const pack = path.join(dir, 'my.json');
  writeFileSync(pack, readFileSync(new URL('../../config/dialects/opaque.json', import.meta.url), 'utf8').replace('"opaque"', '"my"'));
  const file = path.join(dir, 'other.json');
  for (const [dialect, said] of [['~/my.json', /ok, 1 surface/], ['./my.json', /ok, 1 surface/], ['$NOBODY/my.json', /\/surfaces\/echo\/dialect: The variable NOBODY is not set/]]) {
    writeFileSync(file, JSON.stringify({ state_dir: '~/other', surfaces: { echo: { ...opaqueSurface('~/echo.sock'), listen: ['127.0.0.1:1'], dialect } } }));
    const { stdout, stderr } = await gate.cli('check', '--elsewhere', '-c', file);
    assert.match(stdout + stderr, said);
  }
});
