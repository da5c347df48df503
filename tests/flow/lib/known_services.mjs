// Small services as people write them, each in a few lines, that know only ports; and what is said to Jupyter.
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { scratchDir } from './gate.mjs';
import { module } from './programs.mjs';

// Why a test cannot be run, or false.
export const lacks = (program) => (spawnSync(program, ['--version']).error ? `needs ${program}` : false);

// A directory that whoever runs the service may write.
export function home(files = {}) {
  const dir = scratchDir();
  chmodSync(dir, 0o777);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text);
  return dir;
}

export const PYTHON_APP = `
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'uvicorn'})
`;
export const NODE_SERVER = `require('http').createServer((q, r) => r.end('node')).listen(PORT, HOST)`;
export const NODE_CLUSTER = `
const cluster = require('cluster');
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else require('http').createServer((q, r) => r.end('worker')).listen(PORT);
`;
export const node = (text, port, host = "'127.0.0.1'") => [process.execPath, '-e', text.replace('PORT', port).replace('HOST', host)];

// A static program in Go, of Vite's own packages.
export const ESBUILD = module(`vite6/node_modules/@esbuild/linux-${process.arch}/bin/esbuild`);

// Each by its name: what it answers, and {command, cwd} at a port.
export const SMALL = {
  "python's http.server": [/python/, (port) => ({ command: ['/usr/bin/python3', '-m', 'http.server', port], cwd: home({ 'index.html': 'python' }) })],
  uvicorn: [/uvicorn/, (port) => ({ command: ['uvicorn', '--port', port, 'app:app'], cwd: home({ 'app.py': PYTHON_APP }) })],
  'uvicorn --workers': [/uvicorn/, (port) => ({ command: ['uvicorn', '--port', port, '--workers', '2', 'app:app'], cwd: home({ 'app.py': PYTHON_APP }) })],
  Node: [/node/, (port) => ({ command: node(NODE_SERVER, port) })],
  "Node's cluster": [/worker/, (port) => ({ command: [process.execPath, 'cluster.cjs'], cwd: home({ 'cluster.cjs': NODE_CLUSTER.replace('PORT', port) }) })],
  'esbuild, a static program in Go': [/esbuild/, (port) => ({ command: [ESBUILD, `--serve=${port}`, '--servedir=.'], cwd: home({ 'index.html': 'esbuild' }) })],
};

// What a notebook's page says to a kernel to have a line run.
export const runLine = (code) => ({
  header: { msg_id: 'm1', username: 'u', session: 'flow', msg_type: 'execute_request', version: '5.3', date: '2026-01-01T00:00:00Z' },
  parent_header: {}, metadata: {}, channel: 'shell',
  content: { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false },
});
