// Every command and configuration of README.md, run as it stands and in its order.
//
// A fence's language says what becomes of its block:
//   console  `$ ` begins a command (`> ` its further lines) that must end with status 0.
//            Other lines must be among what it prints, in this order; `…` is any text.
//            All blocks share one bash. A command that ends in `&` has begun when it listens.
//   json     with "surfaces": it passes `sidelock check` and lies in the folder as
//            sidelock.json from then on. With "mcpServers": each server answers
//            `initialize`; $NAME in it is an exported variable of that bash.
//   js       a program that Node runs, with that bash's exported variables; it has the
//            packages of tests/flow.
//   text     shown, not run. A fence without a language is a fault.
// A block may rely on: a copy of the sources as the current folder, an empty $HOME,
// $HOME/.local/bin and the `sidelock` under test in $PATH (what the blocks install goes
// first), python3, node and curl. `contrib/quickstart` and `tests/run` are passed over: the
// first is a stage of the second, and the second is what runs this. So is `sudo apt install`: the section
// Install is run as it stands, with the package, in fresh systems by contrib/package/test.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { SIDELOCK, scratchDir } from './lib/gate.mjs';
import { LISTENING, Terminal, consoleCommands, fencedBlocks, missingLine } from './lib/readme.mjs';
import { within } from './lib/wait.mjs';

const FLOW = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(FLOW, '../..');
const PASSED_OVER = /^(contrib\/quickstart|tests\/run|sudo apt install)\b/;
const INSTALL_COMMANDS_MAX = 5;
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'readme', version: '1' } },
};

// The sources without what was built of them.
function copySources(into) {
  cpSync(ROOT, into, {
    recursive: true,
    filter: (from) => !/\/(build|node_modules|\.git|__pycache__)$/.test(from),
  });
}

class Reader {
  constructor() {
    const folder = scratchDir();
    this.sources = path.join(folder, 'sidelock');
    const home = path.join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    copySources(this.sources);
    symlinkSync(path.join(FLOW, 'node_modules'), path.join(folder, 'node_modules'));
    this.terminal = new Terminal({
      cwd: this.sources,
      env: {
        HOME: home,
        LANG: 'C.UTF-8',
        PATH: [path.join(home, '.local/bin'), path.dirname(path.resolve(SIDELOCK)), process.env.PATH].join(':'),
      },
    });
  }

  async run(command) {
    const { status, output } = await this.terminal.type(command);
    assert.equal(status, 0, `$ ${command}\n${output}`);
    return output;
  }

  async console(text) {
    for (const { command, printed } of consoleCommands(text)) {
      if (PASSED_OVER.test(command)) continue;
      const output = await this.run(command);
      const missing = missingLine(printed, output);
      assert.equal(missing, undefined, `$ ${command}\nprints no such line: ${missing}\nbut:\n${output}`);
    }
  }

  async json(text) {
    const value = JSON.parse(text);
    if (value.surfaces) {
      writeFileSync(path.join(this.sources, 'sidelock.json'), text);
      await this.run('sidelock check -c sidelock.json');
    } else {
      assert.ok(value.mcpServers, 'a json block is a configuration of Sidelock or of an MCP client');
      const environment = await this.environment();
      const filled = text.replace(/\$(\w+)/g, (_, name) => environment[name] ?? assert.fail(`${name} is not exported`));
      for (const server of Object.values(JSON.parse(filled).mcpServers)) {
        const answer = server.url ? await overHttp(server) : await overStdio(server, environment, this.sources);
        assert.match(answer, /"serverInfo"/);
      }
    }
  }

  async js(text) {
    const file = path.join(path.dirname(this.sources), 'block.mjs');
    writeFileSync(file, text);
    const options = { env: await this.environment(), encoding: 'utf8', timeout: 30_000 };
    execFileSync(process.execPath, [file], options);
  }

  text() {}

  // The variables that the terminal's own programs get.
  async environment() {
    const output = await this.run('env -0');
    return Object.fromEntries(
      output
        .split('\0')
        .filter((entry) => entry.includes('='))
        .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
  }
}

async function overHttp({ url, headers }) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(INITIALIZE),
    signal: AbortSignal.timeout(10_000),
  });
  const { value } = await answer.body.getReader().read();
  return Buffer.from(value).toString();
}

async function overStdio({ command, args }, env, cwd) {
  const child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const line = new Promise((resolve, reject) => {
    let output = '';
    child.on('error', reject);
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes('\n')) resolve(output);
    });
    child.on('close', (code) => reject(new Error(`${command} ended with ${code}: ${output}`)));
  });
  child.stdin.write(`${JSON.stringify(INITIALIZE)}\n`);
  try {
    return await within(line, `${command}'s answer`);
  } finally {
    child.stdin.end();
    child.kill();
  }
}

test('every block of README.md does what it says', async (t) => {
  const reader = new Reader();
  try {
    await reader.run(LISTENING);
    for (const { language, text, line } of fencedBlocks(readFileSync(path.join(ROOT, 'README.md'), 'utf8')))
      await t.test(`line ${line}: ${language}`, async () => {
        assert.ok(['console', 'json', 'js', 'text'].includes(language), `what is a block of ${language || 'nothing'}?`);
        await reader[language](text);
      });
  } finally {
    await reader.terminal.close();
  }
});

test('it is few commands from a package to a client that is served', () => {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const install = readme.slice(readme.indexOf('\n## Install\n'));
  const { language, text } = fencedBlocks(install.slice(0, install.indexOf('\n## ', 1)))[0];
  const commands = consoleCommands(text).map(({ command }) => command);
  assert.equal(language, 'console');
  assert.match(commands[0], /^sudo apt install /);
  assert.match(commands.at(-1), /^curl /);
  assert.ok(commands.length <= INSTALL_COMMANDS_MAX, commands.join('\n'));
});

test('what a block prints is looked at, and how it ends', async () => {
  const reader = new Reader();
  try {
    await reader.console('$ echo one; echo two three\none\ntwo …');
    await reader.console('$ cat <<X\n> $HOME\n> X\n/…/home');
    await assert.rejects(reader.console('$ echo one\ntwo'), /prints no such line: two/);
    await assert.rejects(reader.console('$ echo one; echo two\ntwo\none'), /prints no such line: one/);
    await assert.rejects(reader.console('$ false'), /\$ false/);
    await assert.rejects(reader.json('{"surfaces": {"x": {}}}'), /sidelock check/);
    await assert.rejects(reader.js('process.exit(1)'));
    assert.throws(() => fencedBlocks('```console\n$ true\n'), /line 1: a block that is not closed/);
  } finally {
    await reader.terminal.close();
  }
});
