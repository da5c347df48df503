// A stand-in for AutoGen Studio that speaks its wire, before ("old") and after
// ("new") its fix, as far as a client can tell:
//
//   POST /api/mcp/ws/connect    hands out a session id; old: with server_params in the URL
//   WS   /api/mcp/ws/{sid}      old: spawns the query's server_params, any sid;
//                               new: 403 unless the sid was handed out; single use
//   WS   /api/ws/runs/{id}      start{task, files, team_config} and friends
//   POST /api/validate/ and others make components of what they are sent
//   GET  its pages, and as much of its API as they ask for
//
// It records every request, every server_params it would launch, every team_config it would run
// and every component that it was asked to make.
// Run on its own: node autogen_studio.mjs SOCKET old|new
import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

import { decodeServerParams, launch, queryValue } from './control_plane.mjs';
import { UI } from './autogen_studio_ui.mjs';
import { WebSocketService } from './websocket_service.mjs';

const MAKERS = /^\/api\/(validate|mcp(?!\/ws\/status\/)|workflow|workflows\/run)(\/|$)/i;

// A route on which the gate does the POST itself and opens the socket that it names: the wire since the fix.
export const PREPARED_ROUTE = {
  path: '/api/mcp/ws/{sid}',
  kind: 'websocket',
  messages: 'mcp-socket',
  prepare: {
    path: '/api/mcp/ws/connect',
    member: 'server_params',
    from: '',
    answer: 'session_id',
    then: '/api/mcp/ws/{answer}',
  },
};

function now() {
  return new Date().toISOString();
}

export class AutogenStudio extends WebSocketService {
  // `launch(params)` is called for each server_params; by default it spawns.
  constructor(socketPath, mode, launch) {
    super(socketPath, {});
    this.mode = mode;
    this.launch = launch ?? ((params) => this.#spawn(params));
    this.defaults = {
      request: (peer, request) => this.#request(peer, request),
      message: (peer, data) => this.#message(peer, data),
    };
    this.behave();
    this.launchedText = []; // the same as the bytes that arrived
    this.runs = []; // team_config of every start
    this.sessions = new Map(); // new: sid -> server_params text
    this.exits = [];
    this.gallery = []; // server_params that its pages offer
  }

  forget() {
    super.forget();
    this.launched = []; // server_params, parsed
    this.seen = []; // every request: {method, target, headers, body}
    this.made = []; // "METHOD path" of requests that make a component of what they carry
  }

  #spawn(params) {
    if (params.type !== 'StdioServerParams') return;
    this.exits.push(launch(params));
  }

  #request(peer, request) {
    const path = request.target.split('?')[0];
    this.seen.push(request);
    if (request.method === 'POST' && path === '/api/mcp/ws/connect') {
      this.#connect(peer, request);
    } else if (peer.header('upgrade') && path.startsWith('/api/mcp/ws/')) {
      this.#openMcp(peer, request, decodeURIComponent(path.slice('/api/mcp/ws/'.length)));
    } else if (peer.header('upgrade') && path.startsWith('/api/ws/runs/')) {
      peer.run = path.slice('/api/ws/runs/'.length);
      peer.accept();
    } else if (MAKERS.test(path)) {
      this.made.push(`${request.method} ${path}`);
      peer.respond('200 OK', '{"is_valid":true}');
    } else if (path.startsWith('/api/')) {
      this.#api(peer, request, path);
    } else if (UI[path]) {
      peer.respond('200 OK', UI[path][1], UI[path][0]);
    } else {
      peer.respond('404 Not Found', '{"detail":"Not Found"}');
    }
  }

  #api(peer, request, path) {
    const answers = {
      'GET /api/version': { version: '0.4.3' },
      'GET /api/gallery/': this.gallery.map((params) => ({ config: { server_params: params } })),
      'GET /api/settings/': { config: { environment: [] } },
      'GET /api/mcp/ws/status/x': { connected: false },
      'POST /api/sessions/': { id: 7 },
    };
    const data = answers[`${request.method} ${path}`];
    if (data) peer.respond('200 OK', JSON.stringify({ status: true, message: 'found', data }));
    else peer.respond('404 Not Found', '{"detail":"Not Found"}');
  }

  #connect(peer, request) {
    let params;
    try {
      // Whatever its Content-Type, like the real one.
      params = JSON.parse(request.body.toString()).server_params;
    } catch {
      params = undefined;
    }
    if (typeof params?.type !== 'string') {
      peer.respond('422 Unprocessable Entity', '{"detail":"server_params"}');
      return;
    }
    const sid = randomUUID();
    const text = JSON.stringify(params);
    let url = `/api/mcp/ws/${sid}`;
    if (this.mode === 'old') {
      url += `?server_params=${Buffer.from(text).toString('base64')}`;
    } else {
      this.sessions.set(sid, text);
    }
    peer.respond(
      '200 OK',
      JSON.stringify({
        status: true,
        message: 'Session created',
        session_id: sid,
        websocket_url: url,
        timestamp: now(),
      }),
    );
  }

  #openMcp(peer, request, sid) {
    let text;
    if (this.mode === 'old') {
      const encoded = queryValue(request.target, 'server_params');
      text = encoded === null ? undefined : JSON.stringify(decodeServerParams(encoded));
    } else {
      text = this.sessions.get(sid);
      this.sessions.delete(sid);
      if (text === undefined) {
        peer.respond('403 Forbidden', '', 'text/plain');
        peer.socket.end();
        return;
      }
    }
    peer.mcpSession = sid;
    peer.accept();
    if (text === undefined) {
      this.#send(peer, { type: 'error', error: 'Missing server parameters' });
      return;
    }
    const params = JSON.parse(text);
    this.launched.push(params);
    this.launchedText.push(text);
    this.launch(params);
    this.#send(peer, { type: 'initialized', session_id: sid, capabilities: {} });
  }

  #send(peer, message) {
    peer.send(JSON.stringify({ ...message, timestamp: now() }));
  }

  #message(peer, data) {
    const message = JSON.parse(data.toString());
    if (message.type === 'ping') {
      this.#send(peer, { type: 'pong' });
    } else if (peer.run !== undefined) {
      if (message.type === 'start') this.runs.push(message.team_config);
      this.#send(peer, { type: 'system', status: message.type });
    } else if (message.type === 'operation') {
      this.#operation(peer, message);
    }
  }

  #operation(peer, message) {
    const answers = {
      list_tools: { tools: [{ name: 'echo' }, { name: 'shell' }] },
      call_tool: { content: [{ type: 'text', text: `called ${message.tool_name}` }] },
    };
    const result = answers[message.operation];
    if (result) {
      this.#send(peer, { type: 'operation_result', operation: message.operation, data: result });
    } else {
      this.#send(peer, {
        type: 'operation_error',
        operation: message.operation,
        error: 'Unknown operation',
      });
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await new AutogenStudio(process.argv[2], process.argv[3]).start();
}
