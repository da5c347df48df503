// Speaks to a port as another user, for rules about callers. Only root can.
import { spawn, spawnSync } from 'node:child_process';

import { parseHead } from '../../services/websocket_service.mjs';
import { within } from './wait.mjs';

export const NOBODY = 65534;

// Why it cannot be done here, or false.
export function cannotBecome() {
  if (process.getuid() !== 0) return 'needs root to become another user';
  const probe = spawnSync('setpriv', ['--reuid', String(NOBODY), '--clear-groups', 'true']);
  return probe.status === 0 ? false : 'setpriv cannot become another user here';
}

// Whether that user can read the file: whoever has the checkout below /root lets nobody in.
export const reaches = (uid, file) => runAs(uid, 'test', ['-r', file]).code === 0;

// Sends a request from a process of that uid and returns the head of the
// answer: {status, headers}. bash, because it needs to read no file of ours.
export async function requestAs(uid, port, text) {
  const script =
    `exec 3<>/dev/tcp/127.0.0.1/${port} && cat >&3 && ` +
    `while IFS= read -r -t 5 line <&3; do printf '%s\\n' "$line"; ` +
    `[ "$line" = $'\\r' ] && break; done`;
  const child = spawn(
    'setpriv',
    ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'bash', '-c', script],
    { cwd: '/' },
  );
  const out = [];
  const err = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stderr.on('data', (chunk) => err.push(chunk));
  child.stdin.end(text);
  await within(new Promise((resolve) => child.on('close', resolve)), 'an answer to another user');
  const head = Buffer.concat(out).toString('latin1').trimEnd();
  if (head === '') throw new Error(`no answer: ${Buffer.concat(err)}`);
  const { line, headers } = parseHead(head);
  return { status: Number(line.split(' ')[1]), headers };
}

// Runs a program as that uid: {code, stdout, stderr}.
export function runAs(uid, command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(
    'setpriv',
    ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', command, ...args],
    { cwd: '/', encoding: 'utf8', timeout: 20_000, ...options },
  );
  return { code: status, stdout, stderr };
}
