// A network namespace with two addresses of its own, as a pod or a compose project has one: who runs the test is the
// host it is on. Only root can make one.
import { spawn, spawnSync } from 'node:child_process';
import net from 'node:net';

import { within } from './wait.mjs';

let made = 0;

// Why none can be made here, or false.
export function cannotMakeNetworks() {
  if (process.getuid() !== 0) return 'needs root to make network namespaces';
  for (const program of ['ip', 'nft', 'nsenter', 'setpriv']) {
    if (spawnSync(program, ['--version']).error) return `needs ${program}`;
  }
  return false;
}

function run(command, args, options = {}) {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

export class Network {
  constructor() {
    const number = made++;
    this.name = `sidelock-${process.pid}-${number}`;
    this.link = `sl${process.pid % 100000}x${number}`;
    const low = process.pid % 250;
    this.host = `10.213.${low}.${4 * number + 1}`;
    this.address = `10.213.${low}.${4 * number + 2}`;
    this.address6 = `fd5d:510c::${low}:${number + 1}`;
    run('ip', ['netns', 'add', this.name]);
    run('ip', ['link', 'add', this.link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.name]);
    run('ip', ['address', 'add', `${this.host}/30`, 'dev', this.link]);
    run('ip', ['link', 'set', this.link, 'up']);
    run('ip', ['-n', this.name, 'address', 'add', `${this.address}/30`, 'dev', 'eth0']);
    run('ip', ['-n', this.name, 'address', 'add', `${this.address6}/64`, 'dev', 'eth0', 'nodad']);
    for (const device of ['lo', 'eth0']) run('ip', ['-n', this.name, 'link', 'set', device, 'up']);
  }

  // What a command begins with that is to run in there.
  inside(uid) {
    const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    return ['nsenter', `--net=/run/netns/${this.name}`, ...user];
  }

  do(...command) {
    const [first, ...rest] = [...this.inside(), ...command];
    run(first, rest);
  }

  // No connection begins to any address but loopback, except to one port.
  fence(port) {
    const rules = `table inet fence {
      chain input {
        type filter hook input priority 0;
        tcp flags & (syn|ack|rst) == syn ip daddr != 127.0.0.0/8 tcp dport != ${port} drop
        tcp flags & (syn|ack|rst) == syn ip6 daddr != ::1 tcp dport != ${port} drop
      }
    }
    `;
    const [first, ...rest] = [...this.inside(), 'nft', '-f', '-'];
    run(first, rest, { input: rules });
  }

  unfence() {
    this.do('nft', 'delete', 'table', 'inet', 'fence');
  }

  stop() {
    spawnSync('ip', ['netns', 'delete', this.name]);
    spawnSync('ip', ['link', 'delete', this.link]); // with the last process in there, if any is left
  }
}

// Whether a connection begins from out here, in a while that is enough for one that does.
export async function opens(host, port) {
  const socket = net.connect({ host, port });
  const opened = new Promise((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    setTimeout(resolve, 1000, false).unref();
  });
  const answer = await opened;
  socket.destroy();
  return answer;
}

const SERVICE = `
  const http = require('node:http');
  const [port, host] = process.argv.slice(1);
  const server = http.createServer((request, response) => response.end('uid ' + process.getuid() + ' served ' + request.url));
  server.keepAliveTimeout = 60000;
  server.listen(Number(port), host, () => console.log('listens'));`;

// An unmodified service in there: it listens at \`host\`, and runs as \`uid\`.
export class NetworkService {
  static async start(network, port, host, uid = 0) {
    const [first, ...rest] = [...network.inside(uid), process.execPath, '-e', SERVICE, String(port), host];
    const service = new NetworkService();
    service.child = spawn(first, rest, { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
    service.ended = new Promise((resolve) => {
      service.child.on('close', resolve);
    });
    await within(new Promise((resolve) => service.child.stdout.once('data', resolve)), 'the service to listen');
    return service;
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
