// A small example control plane with the hole this project closes: a WebSocket
// whose query says what to start. It believes `server_params` (standard base64
// of JSON {command, args, env}) and spawns it, as AutoGen Studio did.
//
// Once connected it answers JSON-RPC: tools/list and tools/call "echo", so that
// a legitimate session has something to do.
//
// Run on its own: node control_plane.mjs SOCKET
import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';

import { WebSocketService } from './websocket_service.mjs';

// What a starlette query parser makes of a raw query: `+` becomes a space.
export function queryValue(target, name) {
  const query = target.split('?').slice(1).join('?');
  return new URLSearchParams(query).get(name);
}

// Starts the program that somebody has sent; a promise of its end.
export function launch(params) {
  const child = spawn(params.command, params.args ?? [], { stdio: 'ignore' });
  return new Promise((resolve) => {
    child.on('error', resolve);
    child.on('exit', resolve);
  });
}

export function decodeServerParams(text) {
  return JSON.parse(Buffer.from(text.replaceAll(' ', '+'), 'base64').toString());
}

export class ControlPlane extends WebSocketService {
  constructor(socketPath) {
    super(socketPath, {});
    this.defaults = {
      request: (peer, request) => this.#open(peer, request),
      message: (peer, data) => this.#answer(peer, data),
    };
    this.behave();
    this.spawned = []; // {command, args} of every process started
    this.exits = []; // resolve when the process ended
  }

  #open(peer, request) {
    const text = queryValue(request.target, 'server_params');
    peer.accept();
    if (text === null) return;
    const params = decodeServerParams(text);
    peer.serverParams = params;
    this.spawned.push({ command: params.command, args: params.args ?? [] });
    this.exits.push(launch(params));
  }

  #answer(peer, data) {
    const message = JSON.parse(data.toString());
    if (message.id === undefined) return;
    const reply = { jsonrpc: '2.0', id: message.id };
    if (message.method === 'tools/list') {
      reply.result = { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] };
    } else if (message.method === 'tools/call' && message.params.name === 'echo') {
      reply.result = {
        content: [{ type: 'text', text: String(message.params.arguments?.message ?? '') }],
      };
    } else {
      reply.error = { code: -32601, message: 'Method not found' };
    }
    peer.send(JSON.stringify(reply));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await new ControlPlane(process.argv[2]).start();
}
