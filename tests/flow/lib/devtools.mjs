// Chromium with its DevTools on a Unix socket: it knows only ports, so a pipe gives it one.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { Pipe } from '../../services/pipe.mjs';
import { Program } from './programs.mjs';
import { until } from './wait.mjs';

/** Its profile is in `dir`. What is started is to be stopped by whoever asked. */
export async function startDevtools(dir, socketPath) {
  const profile = path.join(dir, 'profile');
  const chromium = new Program([
    'chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
    '--disable-dev-shm-usage', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank',
  ]);
  const file = path.join(profile, 'DevToolsActivePort');
  await until(
    () => existsSync(file) && readFileSync(file, 'utf8').includes('\n'),
    () => `chromium: ${chromium.log}`,
    60_000,
  );
  const port = Number(readFileSync(file, 'utf8').split('\n')[0]);
  return { chromium, pipe: await new Pipe({ path: socketPath }, { host: '127.0.0.1', port }).start() };
}
