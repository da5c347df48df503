// HTTP with SSE: the endpoint that the service names belongs to the session whose
// stream it was named on, however another one spells it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { hangUp } from './lib/hang_up.mjs';
import { EventStream, ask } from './lib/http.mjs';
import { initialize } from './lib/mcp_http.mjs';
import { startEverything, startMcpV2 } from './lib/programs.mjs';

const dir = scratchDir();
const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
let services;
let gate;
let mine;
let others;

function mcp(name, routes) {
  return surface(path.join(dir, `${name}.sock`), {
    dialect: 'mcp',
    routes: routes.map((where) => ({ path: where, kind: 'mcp-http' })),
  });
}

before(async () => {
  services = [
    await startEverything(path.join(dir, 'sse.sock'), 'sse'),
    await startMcpV2(path.join(dir, 'v2.sock')),
  ];
  gate = await Gate.start(dir, {
    surfaces: { sse: mcp('sse', ['/sse', '/message']), v2: mcp('v2', ['/mcp']) },
  });
  mine = (await gate.session('sse')).token;
  others = (await gate.session('sse')).token;
});

afterEach(hangUp);
after(() => stopAll(gate, ...services));

const post = (where, token, headers = {}) =>
  ask(gate, 'sse', where, {
    method: 'POST',
    token,
    body: ping,
    headers: { 'content-type': 'application/json', ...headers },
  });

async function open(token) {
  const stream = await EventStream.open(gate, 'sse', '/sse', { token });
  await stream.has('endpoint');
  return stream.events.find(({ event }) => event === 'endpoint').data;
}

describe('an endpoint of HTTP with SSE', () => {
  it('serves the session whose stream named it, and no other', async () => {
    const endpoint = await open(mine);
    const [where, id] = /^(.+\?)sessionId=(.+)$/.exec(endpoint).slice(1);
    assert.equal((await post(endpoint, mine)).status, 202);
    for (const target of [
      endpoint,
      `${where}session%49d=${id}`,
      `${where}%73essionId=${id}`,
      `${where}sessionId=%${id.charCodeAt(0).toString(16)}${id.slice(1)}`,
      `${where}sessionId[]=${id}`.replace('[]', '%5B%5D'),
      `${where}x=1&sessionId=${id}`,
      `${where}SESSIONID=${id}`,
      `${where}session=${id}`,
      `${where}%ff=1&sessionId=${id}`,
    ]) {
      const mark = gate.mark();
      const answer = await post(target, others);
      assert.equal(answer.status, 404, target);
      assert.match(answer.body, /-32001/, target);
      await gate.audited(mark, { event: 'denied', reason: 'mcp_session_unknown' });
    }
    assert.equal((await post(endpoint, mine)).status, 202);
  });

  it('is not reached by way of a header either', async () => {
    const endpoint = await open(mine);
    const own = await open(others);
    assert.equal((await post(own, others)).status, 202);
    for (const target of [endpoint, own]) {
      const answer = await post(target, others, { 'mcp-session-id': own });
      assert.equal(answer.status, 404, target);
    }
  });

  it('does not stand in the way of sessions that a header names', async () => {
    const { token } = await gate.session('v2');
    assert.ok(await initialize(gate, 'v2', token));
  });
});
