// The pages of the stand-in for AutoGen Studio: as little as a browser needs to do what the real
// ones do. They ask the API for a server's parameters, POST them, open the address that comes back
// as it stands, and open a run's socket with the token that they do not have.
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>AutoGen Studio</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/styles.css">
<h1>AutoGen Studio</h1>
<p id="version">loading</p>
<button id="connect">Connect</button>
<button id="run">Run</button>
<ul id="log"></ul>
<script src="/app.js"></script>
`;

const STYLE = 'h1 { color: rgb(4, 5, 6); }';

const SCRIPT = `
const note = (text) => {
  const row = document.createElement('li');
  row.textContent = text;
  document.getElementById('log').append(row);
};
const get = async (path) => (await fetch(path)).json();
const open = (path) => {
  const proto = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(proto + '//' + location.host + path);
  socket.onerror = () => note('no WebSocket at ' + path);
  return socket;
};
async function connect() {
  const { data } = await get('/api/gallery/?user_id=guestuser@gmail.com');
  const answer = await fetch('/api/mcp/ws/connect', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ server_params: data[0].config.server_params }),
  });
  if (!answer.ok) return note('refused ' + answer.status);
  const { websocket_url } = await answer.json();
  note('url ' + websocket_url);
  const socket = open(websocket_url);
  socket.onmessage = ({ data: text }) => {
    const message = JSON.parse(text);
    note(message.type + ' ' + JSON.stringify(message.data ?? {}));
    if (message.type === 'initialized') {
      socket.send(JSON.stringify({
        type: 'operation', operation: 'call_tool', tool_name: 'echo', arguments: { text: 'hello' },
      }));
    }
  };
}
async function run() {
  const session = await (await fetch('/api/sessions/?user_id=guestuser@gmail.com', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'first', team_id: 1 }),
  })).json();
  const socket = open('/api/ws/runs/' + session.data.id + '?token=' + localStorage.getItem('auth_token'));
  socket.onopen = () => { note('run open'); socket.send(JSON.stringify({ type: 'ping' })); };
  socket.onmessage = ({ data: text }) => note('run ' + JSON.parse(text).type);
}
document.getElementById('connect').onclick = connect;
document.getElementById('run').onclick = run;
get('/api/version').then(({ data }) => {
  document.getElementById('version').textContent = 'version ' + data.version;
});
`;

// Path -> [type, body]
export const UI = {
  '/': ['text/html; charset=utf-8', PAGE],
  '/mcp/': ['text/html; charset=utf-8', PAGE],
  '/styles.css': ['text/css; charset=utf-8', STYLE],
  '/app.js': ['text/javascript; charset=utf-8', SCRIPT],
};
