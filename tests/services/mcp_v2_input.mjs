// The tools and the prompt of mcp_v2_server.mjs that ask their client for
// something: a person's answer, a sample, the client's roots. They return
// `input_required`; towards clients of the older revisions the SDK turns that
// into requests of the server's own.
import { createRequire } from 'node:module';

import { object, text, tool } from './mcp_v2_tools.mjs';

const require = createRequire(new URL('../flow/package.json', import.meta.url));
const { createRequestStateCodec, acceptedContent, inputRequired } = require(
  '@modelcontextprotocol/server',
);

const string = { type: 'string' };

function ask(message, properties, required) {
  return inputRequired.elicit({ message, requestedSchema: object(properties, required) });
}

function sample(prompt, maxTokens) {
  return inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
    maxTokens,
  });
}

// A response to a sampling request, as text; undefined if there is none.
function sampled(responses, key) {
  const content = responses?.[key]?.content;
  return content?.type === 'text' ? content.text : undefined;
}

function roots(responses, key) {
  const list = responses?.[key]?.roots;
  return Array.isArray(list) ? list : undefined;
}

// One round: asks `requests` until `read` makes something of the answers.
function once(server, name, requests, read) {
  tool(server, name, object(), (_, ctx) => {
    const answer = read(ctx.mcpReq.inputResponses);
    if (answer !== undefined) return text(answer);
    return inputRequired({ inputRequests: requests() });
  });
}

function registerOneRound(server) {
  const name = (responses) => {
    const given = acceptedContent(responses, 'user_name')?.name;
    return typeof given === 'string' ? `Hello, ${given}!` : undefined;
  };
  once(
    server,
    'test_input_required_result_elicitation',
    () => ({ user_name: ask('What is your name?', { name: string }) }),
    name,
  );
  once(server, 'test_streaming_elicitation', () => ({ user_name: ask('Name?', { name: string }) }), name);
  once(
    server,
    'test_input_required_result_sampling',
    () => ({ capital_question: sample('What is the capital of France?', 100) }),
    (responses) => sampled(responses, 'capital_question'),
  );
  once(
    server,
    'test_missing_capability',
    () => ({ answer: sample('Anything', 10) }),
    (responses) => sampled(responses, 'answer'),
  );
  once(
    server,
    'test_input_required_result_list_roots',
    () => ({ client_roots: inputRequired.listRoots() }),
    (responses) => roots(responses, 'client_roots')?.map(({ uri }) => uri).join(', '),
  );
}

// Tools with a state that the client carries and must not change.
function registerStates(server, codec) {
  const confirm = { ok: { type: 'boolean' } };
  const stateful = (name) =>
    tool(server, name, object(), async (_, ctx) => {
      const state = ctx.mcpReq.requestState();
      const answer = acceptedContent(ctx.mcpReq.inputResponses, 'confirm');
      if (state?.step === 'confirm' && answer) return text(`state-ok, confirmed: ${answer.ok}`);
      return inputRequired({
        inputRequests: { confirm: ask('Please confirm', confirm) },
        requestState: await codec.mint({ step: 'confirm' }),
      });
    });
  stateful('test_input_required_result_request_state');
  stateful('test_input_required_result_tampered_state');

  tool(server, 'test_input_required_result_multiple_inputs', object(), async (_, ctx) => {
    const responses = ctx.mcpReq.inputResponses;
    const name = acceptedContent(responses, 'user_name')?.name;
    const greeting = sampled(responses, 'greeting');
    const list = roots(responses, 'client_roots');
    if (name && greeting && list) return text(`${greeting} ${name}, with ${list.length} roots`);
    return inputRequired({
      inputRequests: {
        user_name: ask('What is your name?', { name: string }),
        greeting: sample('Generate a greeting', 50),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await codec.mint({ step: 'all' }),
    });
  });

  tool(server, 'test_input_required_result_multi_round', object(), async (_, ctx) => {
    const state = ctx.mcpReq.requestState();
    const name = acceptedContent(ctx.mcpReq.inputResponses, 'step1')?.name;
    const color = acceptedContent(ctx.mcpReq.inputResponses, 'step2')?.color;
    if (state?.step === 2 && color) return text(`${state.name} likes ${color}`);
    if (state?.step === 1 && name) {
      return inputRequired({
        inputRequests: { step2: ask('Step 2: What is your favorite color?', { color: string }) },
        requestState: await codec.mint({ step: 2, name }),
      });
    }
    return inputRequired({
      inputRequests: { step1: ask('Step 1: What is your name?', { name: string }) },
      requestState: await codec.mint({ step: 1 }),
    });
  });
}

// Asks only for what the client said it can do.
function registerCapabilities(server) {
  tool(server, 'test_input_required_result_capabilities', object(), (_, ctx) => {
    const responses = ctx.mcpReq.inputResponses;
    if (responses && Object.keys(responses).length > 0) return text('Thank you');
    const can = ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
    const inputRequests = {
      ...(can.elicitation ? { name: ask('What is your name?', { name: string }) } : {}),
      ...(can.sampling ? { greeting: sample('Generate a greeting', 50) } : {}),
      ...(can.roots ? { client_roots: inputRequired.listRoots() } : {}),
    };
    if (Object.keys(inputRequests).length === 0) return text('Nothing to ask with');
    return inputRequired({ inputRequests });
  });
}

// What the suite for the revisions with a handshake asks for.
function registerLegacy(server) {
  tool(server, 'test_sampling', object({ prompt: string }), async ({ prompt }, ctx) => {
    const answer = sampled(ctx.mcpReq.inputResponses, 'answer');
    if (answer !== undefined) return text(`LLM response: ${answer}`);
    return inputRequired({ inputRequests: { answer: sample(prompt, 100) } });
  });
  const answered = ({ action, content }) => `action=${action}, content=${JSON.stringify(content ?? {})}`;
  const elicit = (name, schema, message, properties, required, prefix) =>
    tool(server, name, schema, (args, ctx) => {
      const answer = ctx.mcpReq.inputResponses?.answer;
      if (answer) return text(`${prefix}: ${answered(answer)}`);
      const question = ask(args.message ?? message, properties, required);
      return inputRequired({ inputRequests: { answer: question } });
    });
  elicit(
    'test_elicitation',
    object({ message: string }),
    undefined,
    {
      username: { type: 'string', description: "User's response" },
      email: { type: 'string', description: "User's email address" },
    },
    ['username', 'email'],
    'User response',
  );
  elicit(
    'test_elicitation_sep1034_defaults',
    object(),
    'Please look over the defaults',
    {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    },
    [],
    'Elicitation completed',
  );
  elicit('test_elicitation_sep1330_enums', object(), 'Please choose', ENUMS, [], 'Elicitation completed');
}

const options = ['option1', 'option2', 'option3'];
const titled = (...titles) => titles.map((title, i) => ({ const: `value${i + 1}`, title }));
const ENUMS = {
  untitledSingle: { type: 'string', enum: options },
  titledSingle: { type: 'string', oneOf: titled('First Option', 'Second Option', 'Third Option') },
  legacyEnum: {
    type: 'string',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
  titledMulti: {
    type: 'array',
    items: { anyOf: titled('First Choice', 'Second Choice', 'Third Choice') },
  },
};

function registerPrompt(server) {
  const config = { description: 'The prompt test_input_required_result_prompt' };
  server.registerPrompt('test_input_required_result_prompt', config, (ctx) => {
    const context = acceptedContent(ctx.mcpReq.inputResponses, 'user_context')?.context;
    if (typeof context === 'string') {
      return { messages: [{ role: 'user', content: { type: 'text', text: `Context: ${context}` } }] };
    }
    return inputRequired({
      inputRequests: { user_context: ask('What context should the prompt use?', { context: string }) },
    });
  });
}

// Everything above; `key` protects the states (32 bytes or more).
export function inputTools(key) {
  const codec = createRequestStateCodec({ key });
  return {
    options: { requestState: { verify: codec.verify } },
    register(server) {
      registerOneRound(server);
      registerStates(server, codec);
      registerCapabilities(server);
      registerLegacy(server);
      registerPrompt(server);
    },
  };
}
