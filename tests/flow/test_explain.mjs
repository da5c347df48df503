// `sidelock explain` and `sidelock vet` on surfaces that carry HTTP, from the
// configuration alone and with a session of a running gate.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';

const dir = scratchDir();
let gate;

before(async () => {
  const socket = path.join(dir, 'nobody.sock');
  gate = await Gate.start(dir, {
    executables: ['/bin/true'],
    surfaces: {
      mixed: surface(socket, {
        dialect: 'mcp',
        allow: { verbs: ['tools/call'], targets: ['echo'] },
        routes: [
          { path: '/both', kind: 'websocket' },
          { path: '/both', kind: 'http' },
          { path: '/files/secret', kind: 'closed' },
          { path: '/files/{file...}', kind: 'http', methods: ['GET', 'PUT'] },
          { path: '/mcp/{id}', kind: 'mcp-http' },
          { path: '/run', kind: 'http', query: { pass: { id: '[0-9]{1,4}' }, bearer: 'token' } },
          {
            path: '/start',
            kind: 'http',
            methods: ['POST'],
            body: { member: 'server', from: '/command' },
            answer: { urls: ['url'] },
          },
        ],
      }),
      files: surface(socket, { dialect: 'opaque', routes: [{ path: '/', kind: 'http' }] }),
    },
  });
});

after(() => stopAll(gate));

// {verdict, reason, step(name)} of what explain says.
async function explain(target, ...more) {
  const { code, stdout, stderr } = await gate.cli(
    'explain', '--surface', 'mixed', target, '-H', 'Authorization: Bearer x', '--json', ...more,
  );
  assert.ok(code === 0 || code === 1, stderr);
  const explained = JSON.parse(stdout);
  return { ...explained, step: (name) => explained.steps.find((row) => row.step === name) };
}

describe('explain', () => {
  it('takes the request for an upgrade only where that can be', async () => {
    assert.match((await explain('/both')).step('method').rule, /GET with an upgrade; .*WebSocket/);
    assert.match((await explain('/both', '--plain')).step('route').rule, /^\/both, plain HTTP$/);
    assert.match((await explain('/files/a/b')).step('method').rule, /^GET without an upgrade/);
    assert.equal((await explain('/files/a/b')).step('method').verdict, 'allow');
    const upgrade = await explain('/files/a', '-H', 'Upgrade: websocket');
    assert.equal(upgrade.step('method').reason, 'upgrade_invalid');
  });

  it('names the kind and the methods', async () => {
    const put = await explain('/files/x', '--method', 'PUT');
    assert.equal(put.step('route').rule, '/files/{file...}, plain HTTP');
    assert.equal(put.step('method').verdict, 'allow');
    const wrong = await explain('/files/x', '--method', 'DELETE');
    assert.equal(wrong.step('method').reason, 'method_refused');
    assert.match(wrong.step('method').rule, /GET, PUT, HEAD/);
    assert.equal((await explain('/files/secret')).step('route').reason, 'route_unknown');
    const mcp = await explain('/mcp/7', '--method', 'POST');
    assert.equal(mcp.step('route').rule, '/mcp/{id}, MCP over HTTP');
    assert.match(mcp.step('method').rule, /POST, GET, DELETE/);
  });

  it('says what passes of the query', async () => {
    assert.match((await explain('/files/x?a=1')).step('query').rule, /passes as it is/);
    const run = await explain('/run?id=12&x=1');
    assert.match(run.step('query').rule, /id=12 passes; as Authorization: Bearer goes on token/);
    assert.equal((await explain('/run?id=x')).step('query').reason, 'query_invalid');
  });

  it('says what becomes of bodies', async () => {
    assert.match((await explain('/files/x')).step('body').rule, /unvetted/);
    assert.match((await explain('/mcp/7')).step('body').rule, /vetted before they pass/);
    const start = await explain('/start', '--method', 'POST');
    assert.match(start.step('body').rule, /member server is compared with \/command/);
    assert.match(start.step('body').rule, /URLs in the answer are rewritten/);
    assert.equal(start.step('body').verdict, 'unknown');
    assert.match(start.step('executables').rule, /files that the session's record names/);
    assert.equal(start.step('executables').verdict, 'unknown');
    assert.equal((await explain('/both')).step('body'), undefined);
  });

  it('runs the very steps of the gate, those before the gate\'s own paths too', async () => {
    const token = ['eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9', 'eyJhIjoxfQ', 'A'.repeat(43)].join('.');
    const login = await explain(`/.sidelock/login?x=${token}`);
    assert.equal(login.verdict, 'deny');
    assert.equal(login.reason, 'token_in_query');
    assert.equal(login.step('kill switch').verdict, 'unknown');
    assert.equal((await explain('/.sidelock/login')).verdict, 'allow');
    const made = await explain('/.sidelock/ticket', '--method', 'POST');
    assert.equal(made.step('session').reason, 'token_malformed');
  });

  it('knows whether a session has the record that a body is compared with', async () => {
    await gate.putParams('record', { command: '/bin/true' });
    const bare = await gate.session('mixed');
    const full = await gate.session('mixed', '--params', 'record');
    const start = (id) => explain('/start', '--method', 'POST', '--session', id);
    assert.equal((await start(bare.id)).step('body').reason, 'params_required');
    assert.equal((await start(full.id)).verdict, 'allow');
  });
});

describe('explain without a path', () => {
  it('has nothing to say of a service that others start', async () => {
    const { code, stderr } = await gate.cli('explain', '--surface', 'files');
    assert.deepEqual([code, /the service of files is not started by Sidelock: name the PATH/.test(stderr)], [65, true]);
  });
});

describe('vet', () => {
  const line = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shell"}}\n';
  const vet = (...more) => gate.cli('vet', '--surface', 'mixed', ...more, { input: line });

  it('takes a route of MCP over HTTP by its path', async () => {
    for (const route of ['/mcp/{id}', '/mcp/7', '/both']) {
      const { code, stdout, stderr } = await vet('--route', route);
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).reason, 'target_not_allowed');
    }
  });

  it('has nothing to say of plain HTTP', async () => {
    const { code, stderr } = await vet('--route', '/files/x');
    assert.equal(code, 65);
    assert.match(stderr, /plain HTTP/);
    const other = await gate.cli('vet', '--surface', 'files', { input: line });
    assert.equal(other.code, 65);
    assert.match(other.stderr, /no route with messages/);
  });
});

describe('register', () => {
  it('says that a surface carries HTTP', async () => {
    const text = await gate.do('register');
    assert.match(text, /1 of WebSocket, 1 of MCP over HTTP, 4 of plain HTTP \(GET, HEAD, PUT, POST\)/);
    assert.match(text, /login cookie on every route \(6\)/);
  });
});
