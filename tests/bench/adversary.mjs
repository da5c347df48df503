// One load of a hostile or careless client at a fixed rate, in a process of its own, or the dummy it is compared with.
//
//   adversary.mjs listen [SOCKET]   a listener that takes whatever it is sent; prints its port
//   adversary.mjs LOAD OPTIONS      until it is killed; OPTIONS is JSON: {port | socket, host, tokens}
//
// It says its bytes whatever is answered, so that a dummy gets the same. It prints "running" once it has begun.
import net from 'node:net';

import { encodeFrame } from '../services/frames.mjs';
import { requestText } from '../flow/lib/raw.mjs';

const MIB = 1024 * 1024;
const TICK_MS = 5;
const MASK = Buffer.from([1, 2, 3, 4]);

const [load, argument] = process.argv.slice(2);

if (load === 'listen') {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(argument ?? { port: 0, host: '127.0.0.1' }, () => console.log(server.address().port ?? argument));
} else {
  const options = JSON.parse(argument);
  LOADS()[load](options);
  console.log('running');
}

// Calls `once` so many times a second, evenly.
function paced(perSecond, once) {
  const begin = performance.now();
  let done = 0;
  setInterval(() => {
    for (const due = ((performance.now() - begin) * perSecond) / 1000; done < due; done++) once(done);
  }, TICK_MS);
}

// A connection that says `text` and throws away what comes back.
function say({ port, socket: path }, text) {
  const socket = net.connect(path ? { path } : { port, host: '127.0.0.1' });
  socket.on('error', () => {}).resume();
  socket.write(text);
  return socket;
}

// Keeps so many connections at most; the oldest gives way.
function keeper(most) {
  const kept = [];
  return (socket) => {
    kept.push(socket);
    if (kept.length > most) kept.shift().destroy();
    return socket;
  };
}

// Four WebSockets say 5,000 messages a second between them, the nth as it is made.
function talk(options, make) {
  const { host, tokens } = options;
  const sockets = [];
  paced(5000, (n) => {
    const at = n % 4;
    if (!sockets[at] || sockets[at].destroyed) {
      if (n % 200 >= 4 && sockets[at]) return; // a new one every 40 ms at most
      sockets[at] = say(options, requestText({ host, path: '/ws', token: tokens[(n >> 2) % tokens.length] }));
    }
    sockets[at].write(make(n));
  });
}

function LOADS() {
  const upgrade = ({ host, path = '/ws' }, token) => requestText({ host, path, token });
  const message = (id, method) => encodeFrame({ mask: MASK, payload: `{"jsonrpc":"2.0","id":${id},"method":"${method}"}` });
  const refused = message(7, 'not_this');
  return {
    // Four WebSockets say 5,000 forbidden messages a second between them.
    refusals: (options) => talk(options, () => refused),
    // And 5,000 good ones of a session that may say a tenth of it.
    rates: (options) => talk(options, (n) => message(n, 'echo')),
    // Twenty admissions a second of a session whose record names a large pinned executable.
    admissions(options) {
      const keep = keeper(20);
      paced(20, () => keep(say(options, upgrade(options, options.tokens[0]))));
    },
    // A hundred strangers a second are denied and stay.
    strangers(options) {
      const keep = keeper(1500);
      for (let i = 0; i < 1500; i++) keep(say(options, upgrade(options)));
      paced(100, () => keep(say(options, upgrade(options))));
    },
    // One session asks for 500 tickets a second.
    tickets(options) {
      const keep = keeper(100);
      const text = requestText({ ...options, method: 'POST', path: '/.sidelock/ticket', token: options.tokens[0], upgrade: false });
      paced(500, () => keep(say(options, text.replace(/\r\n\r\n$/, '\r\nContent-Length: 0\r\n\r\n'))));
    },
    // Messages of 4 MiB, five a second, of which the end never comes; a hundred stay.
    halves(options) {
      const keep = keeper(100);
      const whole = encodeFrame({ mask: MASK, payload: `{"jsonrpc":"2.0","method":"echo","params":"${'x'.repeat(4 * MIB - 1024)}"}` });
      const half = whole.subarray(0, whole.length - 100);
      paced(5, (n) => keep(say(options, upgrade(options, options.tokens[n % options.tokens.length]))).write(half));
    },
    // Another user knocks on the control socket 8,000 times a second.
    operators(options) {
      const keep = keeper(50);
      paced(8000, () => keep(say(options, 'GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n')));
    },
    // Bodies of which ten bytes come each second: sixty new ones a second, 600 stay.
    bodies(options) {
      const open = [];
      const text = requestText({ ...options, method: 'POST', path: '/echo', token: options.tokens[0], upgrade: false });
      const head = text.replace(/\r\n\r\n$/, '\r\nContent-Length: 100000\r\n\r\n');
      const keep = keeper(600);
      paced(60, () => {
        const socket = keep(say(options, head));
        socket.write('0123456789');
        open.push(socket);
        if (open.length > 600) open.shift();
      });
      setInterval(() => open.filter((socket) => !socket.destroyed).forEach((socket) => socket.write('0123456789')), 1000);
    },
  };
}
