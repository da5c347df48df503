// Nothing on the broker's loop waits for the disk. The program is tests/flow/synced.c: it dies of
// the first fsync(2) or fdatasync(2) there.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { Gate, SIDELOCK, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';
import { request } from './lib/raw.mjs';

const dir = scratchDir();
const program = path.join(dir, 'sidelock-synced');
copyFileSync(path.join(path.dirname(SIDELOCK), 'tests', 'sidelock_synced'), program);

describe('the loop', () => {
  it('never waits for the disk, whatever is asked for', async (t) => {
    const service = await new WebSocketService(path.join(dir, 'echo.sock')).start();
    const gate = new Gate(scratchDir(), { surfaces: { echo: opaqueSurface(service.socketPath) } });
    t.after(() => stopAll(gate, service));
    await gate.launch({ command: program });
    await gate.putParams('record', { a: 1 });
    const session = await gate.session('echo', '--params', 'record');
    const client = await Client.open(gate, 'echo', '/ws', { token: session.token });
    await gate.putParams('record', { a: 2 });
    await client.end();
    await gate.do('params', 'rm', 'record');
    const once = await gate.session('echo', '--once');
    const { raw, response } = await request(gate, 'echo', { token: once.token });
    assert.equal(response.status, 101);
    raw.destroy();
    const plain = await gate.session('echo');
    await gate.do('session', 'renew', plain.id);
    await gate.do('session', 'revoke', plain.id);
    await gate.do('session', 'revoke', '--all');
    await gate.do('kill', 'echo');
    await gate.do('arm', 'echo');
    await gate.do('reload');
    process.kill(gate.pid, 'SIGHUP');
    // More than SQLite leaves in its log before it writes it into the database.
    for (let i = 0; i < 40; i++) await gate.putParams('record', { filler: 'x'.repeat(60_000), i });
    await gate.do('status');
    assert.doesNotMatch(gate.stderr, /waits for the disk/);
  });
});
