// The second version of the MCP SDK's client as a program, for it needs a newer
// Node than the tests may have. Reads a job from standard input and prints what came of it:
//   {url, mode, token, calls: [[method of Client, argument], …]}
//   -> {era, server, results: [{value} | {error: {code, message, data, status}}]} or {error}
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { url, mode, token, calls } = JSON.parse(Buffer.concat(chunks).toString());

function told({ code, message, data, status, cause }) {
  return { code, message: `${message}${cause ? ` ${cause.message}` : ''}`, data, status };
}

const client = new Client(
  { name: 'flow', version: '1.0.0' },
  {
    capabilities: { elicitation: { form: {} }, sampling: {}, roots: { listChanged: false } },
    versionNegotiation: { mode },
  },
);
client.setRequestHandler('elicitation/create', () => ({
  action: 'accept',
  content: { name: 'Ada', username: 'ada', email: 'ada@example.org' },
}));
client.setRequestHandler('sampling/createMessage', () => ({
  role: 'assistant',
  model: 'none',
  content: { type: 'text', text: 'Paris' },
}));
client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///tmp/here' }] }));

const out = { results: [] };
try {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  out.era = client.getProtocolEra();
  out.server = client.getServerVersion()?.name;
  for (const [name, argument] of calls) {
    const result = await client[name](argument).then(
      (value) => ({ value }),
      (error) => ({ error: told(error) }),
    );
    out.results.push(result);
  }
  await client.close();
} catch (error) {
  out.error = told(error);
}
process.stdout.write(JSON.stringify(out));
process.exit(0);
