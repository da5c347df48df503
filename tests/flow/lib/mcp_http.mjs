// MCP over HTTP said by hand, for what no SDK would say: one JSON-RPC message a
// POST, and the answer read as JSON or as an event stream.
import { ask } from './http.mjs';

export const REFUSED = -31403;
export const MODERN = '2026-07-28';

const ACCEPT = 'application/json, text/event-stream';

// The messages in an answer, in the order they came.
export function messages(answer) {
  if (answer.json !== undefined) return [answer.json];
  return answer.body
    .split(/\r?\n\r?\n/)
    .map((block) =>
      block
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).replace(/^ /, ''))
        .join('\n'),
    )
    .filter(Boolean)
    .map((data) => JSON.parse(data));
}

// POSTs a message (an object, or text as it is). Options: token, session
// (Mcp-Session-Id), version, headers. The answer has `messages` and `message`, the
// last of them.
export async function post(gate, surface, message, options = {}) {
  const { token, session, version, headers = {}, path = '/mcp' } = options;
  const answer = await ask(gate, surface, path, {
    method: 'POST',
    token,
    body: typeof message === 'string' ? message : JSON.stringify(message),
    headers: {
      'content-type': 'application/json',
      accept: ACCEPT,
      ...(session ? { 'mcp-session-id': session } : {}),
      ...(version ? { 'mcp-protocol-version': version } : {}),
      ...headers,
    },
  });
  const list = /json|event-stream/.test(answer.headers['content-type'] ?? '') ? messages(answer) : [];
  return { ...answer, messages: list, message: list.at(-1) };
}

export function call(id, method, params = {}) {
  return { jsonrpc: '2.0', id, method, params };
}

// A request of 2026-07-28: POSTed with the envelope and the headers it needs.
export function modern(gate, surface, message, options = {}) {
  const name = message.params?.name ?? message.params?.uri;
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, sampling: {} },
  };
  const whole = { ...message, params: { ...message.params, _meta: meta } };
  const headers = {
    'mcp-method': message.method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
    ...options.headers,
  };
  return post(gate, surface, whole, { ...options, version: MODERN, headers });
}

// The handshake of the older revisions: the Mcp-Session-Id.
export async function initialize(gate, surface, token, version = '2025-11-25') {
  const params = {
    protocolVersion: version,
    capabilities: { elicitation: {}, sampling: {} },
    clientInfo: { name: 'flow', version: '1.0.0' },
  };
  const answer = await post(gate, surface, call(0, 'initialize', params), { token });
  const session = answer.headers['mcp-session-id'];
  if (!session) throw new Error(`no MCP session: ${answer.status} ${answer.body}`);
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
  const accepted = await post(gate, surface, initialized, { token, session, version });
  if (accepted.status !== 202) throw new Error(`not accepted: ${accepted.status} ${accepted.body}`);
  return session;
}
