// For tests of one gate before one HTTP service: after each, nothing is left open, no worker
// has died and the service has forgotten; after the last, both end.
import assert from 'node:assert/strict';
import { after, afterEach } from 'node:test';

import { stopAll } from './gate.mjs';
import { hangUp } from './hang_up.mjs';

// `theGate` returns the gate, which the caller's own `before` starts.
export function sameWorkers(theGate, service) {
  afterEach(() => {
    hangUp();
    assert.deepEqual(theGate().workers(), theGate().firstWorkers, 'no worker died');
    service.release();
    service.hold();
    service.forget();
  });
  after(() => stopAll(theGate(), service));
}
