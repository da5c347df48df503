// A small web application on a Unix socket: a page with its assets, an API that changes something,
// and an echoing WebSocket. It remembers every request that reaches it.
import { WebSocketService } from './websocket_service.mjs';

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Studio</title>
<link rel="stylesheet" href="/assets/style.css">
<h1>Studio</h1>
<img src="/assets/pixel.png" alt="">
<p id="state">loading</p>
<script src="/assets/app.js"></script>
`;

const SCRIPT = `
async function ticketSocket() {
  const answer = await fetch('/.sidelock/ticket', { method: 'POST' });
  const { subprotocol } = await answer.json();
  return echo([subprotocol]);
}
function echo(protocols) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws', protocols);
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => { socket.close(); resolve(data); };
    socket.onerror = () => reject(new Error('no WebSocket'));
  });
}
document.getElementById('state').textContent = 'ready';
`;

const ASSETS = {
  '/': ['text/html; charset=utf-8', PAGE],
  '/assets/style.css': ['text/css', 'h1 { color: rgb(1, 2, 3); }'],
  '/assets/app.js': ['text/javascript', SCRIPT],
  '/assets/pixel.png': ['image/png', PIXEL],
  '/api/secret': ['application/json', '{"secret":"very"}'],
};

export class WebApp extends WebSocketService {
  constructor(socketPath) {
    super(socketPath, { request: (peer, request) => this.#answer(peer, request) });
  }

  forget() {
    super.forget();
    this.seen = []; // {method, target, headers: [name, value] rows}
  }

  #answer(peer, { method, target, headers }) {
    this.seen.push({ method, target, headers });
    const [type, body] = ASSETS[target] ?? [];
    if (peer.header('upgrade')) peer.accept();
    else if (method === 'POST') peer.respond('200 OK\r\nSet-Cookie: theme=dark; Path=/', '{}');
    else if (type) peer.respond('200 OK', body, type);
    else peer.respond('404 Not Found', 'nothing here', 'text/plain');
  }
}
