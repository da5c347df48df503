// Two services whose answers a test ends as it likes, behind a WebSocket and behind HTTP, and a gate
// in front. They begin before the first test, are as new for each, and end after the last.
import path from 'node:path';
import { after, afterEach, before } from 'node:test';

import { EndingService } from '../../services/mcp_endings.mjs';
import { WebSocketService } from '../../services/websocket_service.mjs';
import { scratchDir, stopAll } from './gate.mjs';
import { hangUp } from './hang_up.mjs';

/** `begin(dir)` starts the gate there, once both serve. */
export function endingServices(begin) {
  const dir = scratchDir();
  const sockets = new WebSocketService(path.join(dir, 'ws.sock'));
  const http = new EndingService(path.join(dir, 'http.sock'));
  let gate;

  before(async () => {
    await sockets.start();
    await http.start();
    gate = await begin(dir);
  });
  afterEach(() => {
    hangUp();
    sockets.forget();
    http.forget();
  });
  after(() => stopAll(gate, sockets, http));
  return { sockets, http };
}
