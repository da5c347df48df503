// An MCP server of both eras, built on the TypeScript SDK's second version, with
// the tools, prompts and resources that the conformance suite asks for.
//
// Modern requests (2026-07-28) are each answered on their own; the handshake of
// the older revisions opens a session (Mcp-Session-Id), so that the server can
// ask its client things in the middle of a call.
//
// Run on its own (needs Node 20): node mcp_v2_server.mjs SOCKET, or --stdio: the same over standard input and output.
import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { inputTools } from './mcp_v2_input.mjs';
import { object, registerContents, text, tool } from './mcp_v2_tools.mjs';

const require = createRequire(new URL('../flow/package.json', import.meta.url));
const { McpServer, createMcpHandler, isLegacyRequest } = require('@modelcontextprotocol/server');
const { serveStdio } = require('@modelcontextprotocol/server/stdio');
const { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } = require(
  '@modelcontextprotocol/node',
);

// Makes the servers of one process; they share the key of their states.
export class McpV2Server {
  constructor(socketPath) {
    this.socketPath = socketPath;
    this.input = inputTools(randomBytes(32));
    this.sessions = new Map(); // by Mcp-Session-Id: the transport
    this.modern = createMcpHandler(() => this.#create(), { legacy: 'reject' });
    this.serveModern = toNodeHandler(this.modern);
  }

  // `notify` tells whoever listens what has changed.
  #create(notify = () => this.modern.notify) {
    const server = new McpServer(
      { name: 'sidelock-test-server', version: '1.0.0' },
      {
        capabilities: {
          tools: { listChanged: true },
          prompts: { listChanged: true },
          resources: { subscribe: true, listChanged: true },
          completions: {},
          logging: {},
        },
        cacheHints: { 'tools/list': { ttlMs: 1000, cacheScope: 'private' } },
        ...this.input.options,
      },
    );
    registerContents(server);
    this.input.register(server);
    this.#registerTriggers(server, notify);
    server.server.setRequestHandler('completion/complete', ({ params }) => {
      const all = ['paris', 'park', 'party', 'test'];
      const values = all.filter((word) => word.startsWith(params.argument.value));
      return { completion: { values, total: values.length, hasMore: false } };
    });
    for (const method of ['resources/subscribe', 'resources/unsubscribe']) {
      server.server.setRequestHandler(method, () => ({}));
    }
    return server;
  }

  // Tools that make the lists of tools and prompts seem to change.
  #registerTriggers(server, notify) {
    tool(server, 'test_trigger_tool_change', object(), () => {
      notify(server).toolsChanged();
      return text('Told everybody that tools changed');
    });
    tool(server, 'test_trigger_prompt_change', object(), () => {
      notify(server).promptsChanged();
      return text('Told everybody that prompts changed');
    });
  }

  serveStdio() {
    serveStdio(() => this.#create((server) => ({
      toolsChanged: () => server.sendToolListChanged(),
      promptsChanged: () => server.sendPromptListChanged(),
    })));
  }

  async #serveLegacy(request, response, body) {
    const id = request.headers['mcp-session-id'];
    let transport = this.sessions.get(id);
    if (id !== undefined && !transport) {
      const error = { code: -32001, message: 'Session not found' };
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
      return;
    }
    if (!transport) {
      transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: new EventStore(),
        retryInterval: 50,
        onsessioninitialized: (sessionId) => this.sessions.set(sessionId, transport),
        onsessionclosed: (sessionId) => this.sessions.delete(sessionId),
      });
      await this.#create().connect(transport);
    }
    await transport.handleRequest(request, response, body);
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks).toString();
    let body;
    try {
      body = bytes === '' ? undefined : JSON.parse(bytes);
    } catch {
      body = bytes; // the SDK says what is wrong with it
    }
    if (await isLegacyRequest(await toWebRequest(request, body), body)) {
      await this.#serveLegacy(request, response, body);
    } else {
      await this.serveModern(request, response, body);
    }
  }

  async start() {
    this.server = http.createServer((request, response) => {
      if (!fromHere(request)) {
        response.writeHead(403).end();
        return;
      }
      this.#serve(request, response).catch((error) => {
        process.stderr.write(`${error.stack}\n`);
        response.destroy();
      });
    });
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.socketPath, resolve);
    });
    return this;
  }
}

// Host and Origin must be of this machine, as a server without a gate has to check.
function fromHere({ headers }) {
  const local = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  if (!local.test(headers.host ?? '')) return false;
  return headers.origin === undefined || local.test(headers.origin.replace(/^https?:\/\//, ''));
}

// Keeps what was sent, for clients that come back with Last-Event-ID.
class EventStore {
  #events = []; // {id, streamId, message}

  async storeEvent(streamId, message) {
    const id = `${streamId}/${this.#events.length}`;
    this.#events.push({ id, streamId, message });
    return id;
  }

  async getStreamIdForEventId(eventId) {
    return this.#events.find(({ id }) => id === eventId)?.streamId;
  }

  async replayEventsAfter(lastEventId, { send }) {
    const index = this.#events.findIndex(({ id }) => id === lastEventId);
    const { streamId } = this.#events[index];
    for (const event of this.#events.slice(index + 1)) {
      if (event.streamId === streamId && Object.keys(event.message).length > 0) {
        await send(event.id, event.message);
      }
    }
    return streamId;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const server = new McpV2Server(process.argv[2]);
  if (process.argv[2] === '--stdio') server.serveStdio();
  else await server.start();
}
