// The official MCP conformance suite against one server, directly and through
// the gate: every single check that passes directly passes through the gate, for
// the requirements of both eras, and so it does where the gate speaks to the same
// server over its standard input and output.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Pipe } from '../services/pipe.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { NODE, module, runProgram, serviceFile, startMcpV2 } from './lib/programs.mjs';

// What the suite finds of the server itself. The failures are of an extension
// (tasks) that no requirement asks for and the server does not have.
const DIRECT = {
  '2025-11-25': { passed: 84, failed: 0 },
  '2026-07-28': { passed: 164, failed: 30 },
};

// What no server has that is spoken to over its standard input and output: streams that are gone on with
// (Last-Event-ID; what is answered at once is no stream), and headers that repeat arguments of tools.
const NOT_OVER_STDIO = /^(server-sse-polling|server-sse-multiple-streams server-sse-streams-functional|http-custom-header-server-validation) ?/;

const suite = module('@modelcontextprotocol/conformance/dist/index.js');
const stamp = fileURLToPath(new URL('./lib/stamp_token.cjs', import.meta.url));

const dir = scratchDir();
const socketPath = path.join(dir, 'v2.sock');
const tokenFile = (name) => path.join(dir, `${name}.token`);
const SHARED = {
  dialect: 'mcp',
  routes: [{ path: '/mcp', kind: 'mcp-http' }],
  limits: { max_connections: 200, max_connections_per_caller: 200 },
};
let server;
let pipe;
let gate;

before(async () => {
  server = await startMcpV2(socketPath);
  pipe = await new Pipe({ host: '127.0.0.1', port: 0 }, { path: socketPath }).start();
  gate = await Gate.start(dir, {
    surfaces: {
      mcp: surface(socketPath, SHARED),
      stdio: { ...surface('', SHARED), upstream: { stdio: true, command: [NODE, serviceFile('mcp_v2_server.mjs'), '--stdio'] } },
    },
  });
  for (const name of ['mcp', 'stdio']) {
    const { token } = await gate.session(name);
    writeFileSync(tokenFile(name), token, { mode: 0o600 });
  }
});

after(async () => {
  await stopAll(gate, pipe, server);
});

// The results of a run: a Map from "scenario check-id number" to {status, message}.
function readResults(folder) {
  const results = new Map();
  for (const name of readdirSync(folder)) {
    const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
    const seen = {};
    for (const check of JSON.parse(readFileSync(path.join(folder, name, 'checks.json'), 'utf8'))) {
      seen[check.id] = (seen[check.id] ?? 0) + 1;
      const message = check.errorMessage ?? '';
      results.set(`${scenario} ${check.id} ${seen[check.id]}`, { status: check.status, message });
    }
  }
  return results;
}

// `name` is a surface, or what stands for none.
async function runSuite(requirements, port, name) {
  const origin = `http://localhost:${port}`;
  const folder = path.join(dir, `${requirements}-${name}`);
  const preload = name === 'direct' ? [] : ['--require', stamp];
  const { stdout, stderr } = await runProgram(
    [NODE, ...preload, suite, 'server', '--url', `${origin}/mcp`,
      '--requirements', requirements, '-o', folder],
    { env: { STAMP_ORIGIN: origin, STAMP_TOKEN_FILE: tokenFile(name) }, cwd: dir, timeoutMs: 240_000 },
  );
  assert.match(stdout, /Total: \d+ passed, \d+ failed/, stderr);
  return readResults(folder);
}

function count(results, status) {
  return [...results.values()].filter((result) => result.status === status).length;
}

for (const [requirements, expected] of Object.entries(DIRECT)) {
  describe(`the requirements of ${requirements}`, () => {
    let direct;

    it('directly: as many checks pass as ever', async () => {
      direct = await runSuite(requirements, pipe.port, 'direct');
      const failures = [...direct].filter(([, { status }]) => status === 'FAILURE');
      assert.deepEqual(
        { passed: count(direct, 'SUCCESS'), failed: failures.length },
        expected,
        failures.map(([name, { message }]) => `${name}: ${message}`).join('\n'),
      );
      for (const [name] of failures) assert.match(name, /^tasks-/);
    });

    for (const name of ['mcp', 'stdio']) {
      it(`through the gate (${name}): each of them passes`, async (t) => {
        const gated = await runSuite(requirements, gate.port(name), name);
        const worse = [];
        for (const [check, { status }] of direct) {
          const { status: now, message } = gated.get(check) ?? { status: 'absent', message: '' };
          if (status === 'SUCCESS' && now !== 'SUCCESS') worse.push(`${check}: ${now} ${message}`);
        }
        const excused = name === 'stdio' ? worse.filter((check) => NOT_OVER_STDIO.test(check)) : [];
        assert.deepEqual(worse.filter((check) => !excused.includes(check)), []);
        assert.ok(excused.length <= 6, excused.join('\n'));
        t.diagnostic(`${count(gated, 'SUCCESS')} passed, ${count(gated, 'FAILURE')} failed`);
      });
    }

    it('through the gate without a token: it is told 401', async () => {
      const mark = gate.mark();
      const url = `http://localhost:${gate.port('mcp')}/mcp`;
      const { code, log } = await runProgram(
        [NODE, suite, 'server', '--url', url, '--scenario', 'tools-list', '--spec-version', requirements],
        { cwd: dir },
      );
      assert.notEqual(code, 0, log);
      assert.match(log, /401|credential_missing/);
      await gate.audited(mark, { event: 'denied', reason: 'credential_missing' });
    });
  });
}
