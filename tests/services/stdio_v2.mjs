// An MCP server of both eras on standard input and output, built on the TypeScript SDK's second
// version: node stdio_v2.mjs
import { createRequire } from 'node:module';

import { registerContents, text, tool, object } from './mcp_v2_tools.mjs';

const require = createRequire(new URL('../flow/package.json', import.meta.url));
const { McpServer } = require('@modelcontextprotocol/server');
const { serveStdio } = require('@modelcontextprotocol/server/stdio');

let waiting = 0;
let aborted = 0;

serveStdio(() => {
  const server = new McpServer({ name: 'stdio_v2', version: '1.0.0' }, { capabilities: { tools: { listChanged: true }, prompts: {}, resources: {} } });
  registerContents(server);
  // Ends only when it is cancelled.
  tool(server, 'wait', object(), (_, context) => {
    waiting++;
    const { signal } = context.mcpReq ?? context;
    return new Promise((resolve) => signal.addEventListener('abort', () => {
      aborted++;
      resolve(text('cancelled'));
    }));
  });
  tool(server, 'counts', object(), () => text(JSON.stringify({ waiting, aborted, pid: process.pid })));
  return server;
});
