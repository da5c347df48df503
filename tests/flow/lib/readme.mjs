// The fenced blocks of a Markdown text, and a terminal to type them into.
import { spawn } from 'node:child_process';

import { within } from './wait.mjs';

// [{language, text, line}]; `line` is where the fence opens.
export function fencedBlocks(markdown) {
  const blocks = [];
  let open;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (fence && open) {
      blocks.push({ ...open, text: open.lines.join('\n') });
      open = undefined;
    } else if (fence) {
      open = { language: fence[1].trim(), line: index + 1, lines: [] };
    } else {
      open?.lines.push(line);
    }
  }
  if (open) throw new Error(`line ${open.line}: a block that is not closed`);
  return blocks.map(({ language, line, text }) => ({ language, line, text }));
}

// [{command, printed: [line]}] of a console block: commands after `$ `, their further
// lines after `> `, everything else is what they print.
export function consoleCommands(text) {
  const commands = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('$ ')) commands.push({ command: line.slice(2), printed: [] });
    else if (commands.length === 0) throw new Error(`a console block begins with a command, not with: ${line}`);
    else if (line.startsWith('> ') && commands.at(-1).printed.length === 0)
      commands.at(-1).command += `\n${line.slice(2)}`;
    else if (line !== '') commands.at(-1).printed.push(line);
  }
  return commands;
}

// The first line of `printed` that `output` lacks, in this order; `…` stands for any text.
export function missingLine(printed, output) {
  const lines = output.split('\n').map((line) => line.trimEnd());
  let from = 0;
  return printed.find((wanted) => {
    const parts = wanted.trimEnd().split('…');
    const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*');
    const at = lines.findIndex((line, index) => index >= from && new RegExp(`^${pattern}$`).test(line));
    from = at + 1;
    return at < 0;
  });
}

const END = '\u001e';

// One bash that lives as long as the blocks: what one sets, the next one has.
export class Terminal {
  constructor({ cwd, env }) {
    // A process group of its own, so that what it has started ends with it.
    this.bash = spawn('bash', ['--noprofile', '--norc'], { cwd, env, detached: true });
    this.output = '';
    for (const stream of [this.bash.stdout, this.bash.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
        this.heard?.();
      });
    this.bash.stdin.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.bash.on('close', resolve);
    });
    this.bash.stdin.write('exec 2>&1\n');
  }

  // Types a command: {status, output}. One that ends in `&` has come up when it listens.
  async type(command, timeoutMs = 300_000) {
    this.output = '';
    const wait = /&\s*$/.test(command) ? 'listening $!\n' : '';
    this.bash.stdin.write(`${command}\n${wait}printf '${END}%d${END}' $?\n`);
    const pattern = new RegExp(`${END}(\\d+)${END}`);
    const ended = new Promise((resolve, reject) => {
      this.heard = () => pattern.test(this.output) && resolve();
      this.closed.then(() => reject(new Error(`bash ended: ${this.output}`)));
    });
    await within(ended, () => `${command}\n${this.output}`, timeoutMs);
    const [marker, status] = pattern.exec(this.output);
    return { status: Number(status), output: this.output.replace(marker, '') };
  }

  async close() {
    try {
      process.kill(-this.bash.pid, 'SIGTERM');
    } catch {
      // Everything has ended by itself.
    }
    await within(this.closed, 'everything the blocks have started to end');
  }
}

// A shell function: waits until the process, or a child of it, listens on a socket.
export const LISTENING = `
listening() {
  local pid fd inode tries
  for tries in $(seq 100); do
    kill -0 "$1" 2>/dev/null || return 1
    for pid in "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
      for fd in /proc/"$pid"/fd/*; do
        inode=$(readlink "$fd") || continue
        [[ $inode == socket:* ]] || continue
        inode=\${inode//[^0-9]/}
        grep -qsE ": [0-9A-F]+ [0-9A-F]+ 0A .* $inode |00010000 0001 01 +$inode " /proc/net/tcp /proc/net/unix && return 0
      done
    done
    sleep 0.1
  done
  return 1
}
`;
