// What services put into their answers: strings that are JSON but no Unicode text, numbers that no
// parser of ours can hold, objects of a hundred thousand members, pages nested hundreds deep, pictures
// of tens of megabytes. They arrive byte for byte, over each transport, and to real clients.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client as Sdk } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { HttpService } from '../services/http_service.mjs';
import { WebSocketService } from '../services/websocket_service.mjs';
import { Client } from './lib/client.mjs';
import { startDevtools } from './lib/devtools.mjs';
import { Gate, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { ask } from './lib/http.mjs';
import { call, post } from './lib/mcp_http.mjs';
import { NODE, runProgram, startEverything, startMcpV2 } from './lib/programs.mjs';
import { until, within } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const noChromium = spawnSync('chromium', ['--version']).error ? 'needs chromium' : false;
const v2Client = fileURLToPath(new URL('./lib/v2_client.mjs', import.meta.url));

const dir = scratchDir();
const sockets = new WebSocketService(path.join(dir, 'ws.sock'));
const http = new HttpService(path.join(dir, 'http.sock'));
const paths = { v1: path.join(dir, 'v1.sock'), v2: path.join(dir, 'v2.sock') };
const services = [];
const tokens = {};
let gate;

before(async () => {
  await sockets.start();
  await http.start();
  services.push(await startEverything(paths.v1, 'streamableHttp'));
  services.push(await startMcpV2(paths.v2));
  const routes = [{ path: '/mcp', kind: 'mcp-http' }];
  gate = await Gate.start(dir, {
    surfaces: {
      socket: surface(sockets.socketPath, { dialect: 'mcp' }),
      limited: surface(sockets.socketPath, { dialect: 'mcp', allow: { targets: ['kept_*'] } }),
      pages: surface(sockets.socketPath, { dialect: 'cdp' }),
      lists: surface(http.socketPath, { dialect: 'cdp' }),
      mcp: surface(http.socketPath, { dialect: 'mcp', routes }),
      v1: surface(paths.v1, { dialect: 'mcp', routes }),
      v2: surface(paths.v2, { dialect: 'mcp', routes }),
    },
  });
  for (const name of Object.keys(gate.config.surfaces)) tokens[name] = (await gate.session(name)).token;
});

after(() => stopAll(gate, sockets, http, ...services));

// Every odd value that is legal JSON, as it stands in a result.
const ODD = {
  'a high surrogate alone': '"\\ud83d"',
  'a low surrogate alone': '"x\\uDE00y"',
  'surrogates the wrong way round': '"\\ude00\\ud83d"',
  'half a pair before an escape': '"\\ud83d\\n"',
  'U+0000': '"a\\u0000b"',
  'one more than 64 bits hold': '9223372036854775808',
  'the same, negative': '-9223372036854775809',
  'more than a double holds': '1e309',
  'forty digits': '1234567890123456789012345678901234567890',
};
// What passed always.
const PLAIN = {
  'minus zero': '-0',
  'an integer with a fraction': '1.0',
  'more digits than count': '0.1000000000000000055511151231257827',
};

const result = (value, id = 1) =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"x"}],"structuredContent":{"value": ${value} }}}`;

// A client whose requests are answered with a text, as it stands.
async function asks(name, where, text) {
  sockets.behave({ message: (peer) => peer.send(text) });
  return Client.open(gate, name, where, { token: tokens[name] });
}

describe('odd values in an answer', () => {
  for (const [name, value] of Object.entries({ ...ODD, ...PLAIN })) {
    it(`${name in ODD ? 'situation 2: ' : ''}${name} passes over a WebSocket byte for byte`, async () => {
      const client = await asks('socket', '/ws', result(value));
      client.sendJson(call(1, 'tools/call', { name: 'echo' }));
      assert.equal(await client.next(), result(value));
      await client.close();
    });
  }

  for (const type of ['application/json', 'text/event-stream']) {
    it(`situation 2: they pass over HTTP as ${type}, byte for byte`, async () => {
      for (const [name, value] of Object.entries(ODD)) {
        const text = type === 'application/json' ? result(value) : `data: ${result(value)}\n\n`;
        http.routes['/mcp'] = async (exchange) => {
          await exchange.whole;
          exchange.respond(200, [['Content-Type', type]], text);
        };
        const answer = await post(gate, 'mcp', call(1, 'tools/call', { name: 'echo' }), { token: tokens.mcp });
        assert.equal(answer.status, 200, `${name}: ${answer.body}`);
        assert.ok(answer.body.includes(result(value)), `${name}: ${answer.body}`);
      }
    });
  }

  it('situation 2: in what a client says they pass as well, where nothing goes by them', async () => {
    const client = await asks('socket', '/ws', result('1'));
    sockets.forget();
    for (const [i, value] of Object.values(ODD).entries()) {
      const text = `{"jsonrpc":"2.0","id":${i},"method":"tools/call","params":{"name":"echo","arguments":{"v":${value}}}}`;
      sockets.behave({ message: (peer) => peer.send(result('1', i)) });
      client.send(text);
      assert.equal((await client.nextJson()).id, i);
    }
    await client.close();
  });

  it('verbs, targets, ids and keys are never odd, and nothing of such a message is forwarded', async () => {
    const client = await asks('socket', '/ws', result('1'));
    await until(() => sockets.last?.upgraded, 'the link');
    const before = sockets.last.messages.length;
    for (const [text, reason] of [
      ['{"jsonrpc":"2.0","id":1,"method":"tools/call\\u0000","params":{"name":"echo"}}', 'verb_unknown'],
      ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo\\u0000"}}', 'target_ambiguous'],
      ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud83d"}}', 'target_ambiguous'],
      ['{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///\\ud83d"}}', 'target_ambiguous'],
      ['{"jsonrpc":"2.0","id":"\\ud83d","method":"tools/list"}', 'message_id'],
      ['{"jsonrpc":"2.0","id":9007199254740992,"method":"tools/list"}', 'message_id'],
      ['{"jsonrpc":"2.0","id":1e309,"method":"tools/list"}', 'message_id'],
    ]) {
      client.send(text);
      assert.equal((await client.nextJson()).error.data.reason, reason, text);
    }
    client.send('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"\\ud83d":1}}}');
    assert.deepEqual(await client.end(), { code: 1007, reason: 'json_surrogate' });
    assert.equal(sockets.last.messages.length, before);
  });

  it('situation 2: a list is cut, and what is kept of it stays as it was', async () => {
    const kept = Object.values(ODD).map((value, i) => `{ "name":"kept_${i}","inputSchema":{"default": ${value} }}`);
    const list = (tools) => `{"jsonrpc":"2.0","id":1,"result":{"tools":[${tools.join(',')}],"x":"\\udead"}}`;
    const client = await asks('limited', '/ws', list([...kept, '{"name":"cut"}', '{"name":"kept_\\ud83d"}']));
    client.sendJson(call(1, 'tools/list'));
    const text = await client.next();
    for (const one of kept) assert.ok(text.includes(one), `${one} in ${text}`);
    assert.deepEqual(JSON.parse(text).result.tools.map(({ name }) => name), kept.map((_, i) => `kept_${i}`));
    await client.close();
  });

  it("situation 2: a page's title is no reason to lose DevTools' list of pages", async () => {
    const page = '{"id":"1","title":"\\ud83d\\u0000","n":1e309,"webSocketDebuggerUrl":"ws://HOST/devtools/page/1"}';
    http.routes['/json/list'] = (exchange) => {
      exchange.respond(200, [['Content-Type', 'application/json']], `[${page.replace('HOST', exchange.header('host'))}]`);
    };
    const answer = await ask(gate, 'lists', '/json/list', { token: tokens.lists });
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.body, `[${page.replace('HOST', `localhost:${gate.port('lists')}`)}]`);
  });

  it('situation 2: the SDK of either version calls a server of either, with a half of a pair in it', async () => {
    const said = { name: 'echo', arguments: { message: 'half \ud83d and \u0000' } };
    for (const name of ['v1', 'v2']) {
      const client = new Sdk({ name: 'flow', version: '1.0.0' }, { capabilities: {} });
      const url = `http://localhost:${gate.port(name)}/mcp`;
      const headers = { authorization: `Bearer ${tokens[name]}` };
      await within(
        client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })),
        'the SDK to connect',
      );
      const answer = await within(client.callTool(said), `the answer of ${name}`);
      assert.ok(answer.content[0].text.endsWith(said.arguments.message), JSON.stringify(answer));
      const odd = name === 'v2' ? await within(client.callTool({ name: 'test_odd_values', arguments: {} }), 'values') : undefined;
      if (odd) assert.deepEqual(odd.structuredContent, { half: '\ud83d', huge: 2 ** 63, huger: 1e300 });
      await client.close();
      const { stdout } = await runProgram([NODE, v2Client], {
        input: JSON.stringify({ url, mode: name === 'v1' ? 'legacy' : 'auto', token: tokens[name], calls: [['callTool', said]] }),
      });
      const told = JSON.parse(stdout);
      assert.ok(told.results?.[0]?.value?.content[0].text.endsWith(said.arguments.message), stdout);
    }
  });
});

describe('large answers', () => {
  const nested = (depth) => '{"a":'.repeat(depth - 2) + '1' + '}'.repeat(depth - 2);

  async function passes(text) {
    const client = await asks('socket', '/ws', text);
    client.sendJson(call(1, 'tools/call', { name: 'echo' }));
    const got = await client.next(60_000);
    assert.ok(got === text, `${got.length} of ${text.length} bytes`);
    await client.close();
  }

  it('situation 3: 100,000 members, of one object and of many, pass in 0.7 MB', async () => {
    const members = Array.from({ length: 100_000 }, (_, i) => `"${i.toString(36)}":1`);
    await passes(result(`{${members.join(',')}}`));
    const rows = Array.from({ length: 5_000 }, (_, i) => `{${members.slice(i, i + 20).join(',')}}`);
    await passes(result(`[${rows.join(',')}]`));
  });

  it('situation 3: what is refused all the same is told to whoever waits for it, and the connection stays', async () => {
    const members = Array.from({ length: 100_000 }, (_, i) => `"${i.toString(36)}":1`);
    const client = await asks('socket', '/ws', '');
    for (const [value, reason] of [
      [`{${members.join(',')},"a\\u0031":2}`, 'json_duplicate_key'],
      [nested(1100), 'json_depth'],
      ['"\u0001"', 'json_syntax'],
      ['{"\\ud83d":1}', 'json_surrogate'],
      ['{"\\u0000":1}', 'json_nul'],
    ]) {
      const mark = gate.mark();
      // The id before what is wrong, and behind it.
      for (const text of [result(value), `{"result":${value},"jsonrpc":"2.0","id":1}`]) {
        sockets.behave({ message: (peer) => peer.send(text) });
        client.sendJson(call(1, 'tools/call', { name: 'echo' }));
        const { id, error } = await client.nextJson();
        assert.deepEqual([id, error.data.reason], [1, reason]);
      }
      await gate.audited(mark, { surface: 'socket', direction: 's2c', verb: 'tools/call', reason });
    }
    // An event is let go of.
    sockets.behave({
      message: (peer) => {
        peer.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":${nested(1100)}}}`);
        peer.send(result('1'));
      },
    });
    client.sendJson(call(1, 'tools/call', { name: 'echo' }));
    assert.deepEqual(JSON.parse(result('1')), await client.nextJson());
    await client.close();
  });

  it('situation 3: a page of 300 elements within each other passes', async () => {
    await passes(result(nested(600)));
    await passes(result('['.repeat(600) + ']'.repeat(600)));
  });

  it('situation 3: a picture of 70 MiB passes', { timeout: 120_000 }, async () => {
    await passes(result(`"${'QUJD'.repeat((70 * MIB) / 4)}"`));
  });
});

describe('DevTools', { skip: noChromium }, () => {
  let chromium;
  let pipe;
  let own;
  let client;

  before(async () => {
    ({ chromium, pipe } = await startDevtools(dir, path.join(dir, 'devtools.sock')));
    own = await Gate.start(scratchDir(), {
      surfaces: { devtools: surface(path.join(dir, 'devtools.sock'), { dialect: 'cdp' }) },
    });
  });

  // The page's socket, anew for each test.
  beforeEach(async () => {
    client?.terminate();
    const { token } = await own.session('devtools');
    const answer = await ask(own, 'devtools', '/json/list', { token });
    const url = new URL(answer.json.find(({ type }) => type === 'page').webSocketDebuggerUrl);
    client = await Client.open(own, 'devtools', url.pathname, { token });
    let id = 0;
    client.call = async (method, params = {}, events = []) => {
      client.sendJson({ id: ++id, method, params });
      for (;;) {
        const message = await client.nextJson(30_000);
        if (message.id === id) return message;
        events.push(message);
      }
    };
  });

  after(async () => {
    client?.terminate();
    await stopAll(own, pipe, chromium);
  });

  it('situation 2: what a page logs ends no connection', async () => {
    const events = [];
    await client.call('Runtime.enable');
    await client.call('Runtime.evaluate', { expression: 'console.log("\\ud83d", "\\u0000")' }, events);
    const sum = await client.call('Runtime.evaluate', { expression: '6 * 7' }, events);
    assert.equal(sum.result.result.value, 42);
    const logged = events.find(({ method }) => method === 'Runtime.consoleAPICalled');
    assert.deepEqual(logged.params.args.map(({ value }) => value), ['\ud83d', '\u0000']);
    const title = await client.call('Runtime.evaluate', { expression: 'document.title = "\\ud83d"' });
    assert.equal(title.result.result.value, '\ud83d');
  });

  it('situation 3: DOM.getDocument gives all of a page that is nested as deep as Chromium tells', async () => {
    for (const depth of [29, 140]) {
      const expression = `document.body.innerHTML = '<div>'.repeat(${depth})`;
      await client.call('Runtime.evaluate', { expression });
      const answer = await client.call('DOM.getDocument', { depth: -1 });
      let deep = 0;
      for (let node = answer.result.root; node; node = node.children?.at(-1)) deep++;
      assert.equal(deep, depth + 3, 'document, html, body and all of them');
    }
  });
});
