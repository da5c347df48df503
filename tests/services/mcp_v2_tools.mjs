// The tools, prompts and resources of mcp_v2_server.mjs that need nothing of
// their client.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../flow/package.json', import.meta.url));
const { ResourceTemplate, ResourceNotFoundError, fromJsonSchema } = require(
  '@modelcontextprotocol/server',
);

// One red pixel, and a WAV file without samples.
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=';

const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

export function text(value) {
  return { content: [{ type: 'text', text: value }] };
}

// A JSON Schema of an object with these properties, all of them required.
export function object(properties = {}, required = Object.keys(properties)) {
  return { type: 'object', properties, required };
}

export function tool(server, name, schema, handler, description = `The tool ${name}`) {
  const config = { description, inputSchema: fromJsonSchema(schema) };
  server.registerTool(name, config, handler);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function registerContentTools(server) {
  tool(server, 'test_simple_text', object(), () =>
    text('This is a simple text response for testing.'),
  );
  // As JSON.stringify() writes them: no Unicode text, no 64-bit integer.
  tool(server, 'test_odd_values', object(), () => ({
    ...text('half \ud83d and \u0000'),
    structuredContent: { half: '\ud83d', huge: 2 ** 63, huger: 1e300 },
  }));
  tool(server, 'echo', object({ message: { type: 'string' } }), ({ message }) => text(message));
  tool(server, 'test_image_content', object(), () => ({
    content: [{ type: 'image', data: PNG, mimeType: 'image/png' }],
  }));
  tool(server, 'test_audio_content', object(), () => ({
    content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
  }));
  const embedded = (uri, mimeType, value) => ({
    type: 'resource',
    resource: { uri, mimeType, text: value },
  });
  tool(server, 'test_embedded_resource', object(), () => ({
    content: [
      embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ],
  }));
  tool(server, 'test_multiple_content_types', object(), () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  }));
  tool(server, 'test_error_handling', object(), () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  tool(server, 'json_schema_2020_12_tool', SCHEMA_2020_12, (args) => text(JSON.stringify(args)));
  const region = { type: 'string', description: 'Where', 'x-mcp-header': 'Region' };
  tool(server, 'test_x_mcp_header', object({ region }), (args) => text(JSON.stringify(args)));
}

// Tools that say something before they are done.
function registerStreamingTools(server) {
  tool(server, 'test_tool_with_progress', object(), async (_, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await ctx.mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken, progress, total: 100 },
        });
      }
      if (progress < 100) await pause(50);
    }
    return text('Progress was made');
  });
  const log = async (_, ctx) => {
    const lines = ['Tool execution started', 'Tool processing data', 'Tool execution completed'];
    for (const line of lines) {
      await ctx.mcpReq.log('info', line);
      if (line !== lines.at(-1)) await pause(50);
    }
    return text('Logged three lines');
  };
  tool(server, 'test_tool_with_logging', object(), log);
  tool(server, 'test_logging_tool', object(), log);
  tool(server, 'test_reconnection', object(), async (_, ctx) => {
    ctx.http?.closeSSE?.();
    await pause(100);
    return text('The stream was closed and resumed');
  });
}

function registerPrompts(server) {
  const say = (...contents) => ({
    messages: contents.map((content) => ({ role: 'user', content })),
  });
  const words = (value) => ({ type: 'text', text: value });
  const prompt = (name, properties, handler) =>
    server.registerPrompt(
      name,
      {
        description: `The prompt ${name}`,
        ...(properties ? { argsSchema: fromJsonSchema(object(properties)) } : {}),
      },
      handler,
    );
  prompt('test_simple_prompt', null, () => say(words('This is a simple prompt for testing.')));
  const argument = { type: 'string', description: 'An argument' };
  prompt('test_prompt_with_arguments', { arg1: argument, arg2: argument }, ({ arg1, arg2 }) =>
    say(words(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  prompt('test_prompt_with_embedded_resource', { resourceUri: argument }, ({ resourceUri }) =>
    say(
      {
        type: 'resource',
        resource: {
          uri: resourceUri,
          mimeType: 'text/plain',
          text: 'Embedded resource content for testing.',
        },
      },
      words('Please process the embedded resource above.'),
    ),
  );
  prompt('test_prompt_with_image', null, () =>
    say({ type: 'image', data: PNG, mimeType: 'image/png' }, words('Please analyze the image above.')),
  );
}

function registerResources(server) {
  const fixed = (name, mimeType, content) =>
    server.registerResource(
      name,
      `test://${name}`,
      { description: `The resource ${name}`, mimeType },
      (uri) => ({ contents: [{ uri: uri.href, mimeType, ...content }] }),
    );
  fixed('static-text', 'text/plain', { text: 'This is the content of the static text resource.' });
  fixed('static-binary', 'image/png', { blob: PNG });
  fixed('watched-resource', 'text/plain', { text: 'Watched' });
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'A resource with a parameter', mimeType: 'application/json' },
    (uri, { id }) => {
      if (!id) throw new ResourceNotFoundError(uri.href);
      const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { contents: [{ uri: uri.href, mimeType: 'application/json', text: data }] };
    },
  );
}

export function registerContents(server) {
  registerContentTools(server);
  registerStreamingTools(server);
  registerPrompts(server);
  registerResources(server);
}
