// What a test starts and forgets: it is stopped after each, the last one first.
import path from 'node:path';
import { afterEach } from 'node:test';

import { Gate, opaqueSurface, scratchDir, stopAll } from './gate.mjs';

const started = [];

afterEach(() => stopAll(...started.splice(0).reverse()));

export function keep(thing) {
  started.push(thing);
  return thing;
}

/** A gate that is configured, but not started; what it needs is in `gate.dir`. */
export function configured(more = {}, surfaceMore = {}) {
  const dir = scratchDir();
  const surfaces = { echo: opaqueSurface(path.join(dir, 'echo.sock'), surfaceMore) };
  return new Gate(dir, { surfaces, ...more });
}
