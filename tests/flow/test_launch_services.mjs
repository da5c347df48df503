// Services that know only TCP, launched as they are: each answers through its tree, and its port
// exists nowhere in the host's network.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';

import { reaches } from './lib/as_uid.mjs';
import { ESBUILD, NODE_CLUSTER, NODE_SERVER, PYTHON_APP, home, lacks, node, runLine } from './lib/known_services.mjs';
import { NODE, module } from './lib/programs.mjs';
import { PEOPLE, Tree, freePort, get, openOutside, staticService } from './lib/tree.mjs';
import { until } from './lib/wait.mjs';

// Starts it and waits for its port: the tree and the Unix socket that leads there.
async function launch(command, port, options) {
  const tree = new Tree(command, options);
  await tree.port(port);
  assert.equal(await openOutside(port), false, 'its own port is open beside the tree');
  return { tree, socketPath: await tree.expose(port) };
}

for (const who of PEOPLE) {
  describe(`launched by ${who.name}`, () => {
    const answering = async (command, port, options) => {
      const { tree, socketPath } = await launch(command, port, { who, ...options });
      const answer = await until(
        () => get(socketPath).catch(() => false),
        () => `an answer of ${tree.log}`,
      );
      assert.equal(answer.status, 200, tree.log);
      await tree.kill();
      return answer.body;
    };

    it("python's http.server", async () => {
      const port = await freePort();
      const directory = home({ 'index.html': 'python' });
      assert.equal(await answering(['python3', '-m', 'http.server', String(port)], port, { directory }), 'python');
    });

    it("python's http.server on ::1 alone", async () => {
      const port = await freePort();
      const directory = home({ 'index.html': 'python' });
      assert.equal(await answering(['python3', '-m', 'http.server', '--bind', '::1', String(port)], port, { directory }), 'python');
    });

    for (const workers of [[], ['--workers', '2']]) {
      it(`uvicorn ${workers.join(' ')}`, { skip: lacks('uvicorn') }, async () => {
        const port = await freePort();
        const directory = home({ 'app.py': PYTHON_APP });
        assert.equal(await answering(['/usr/bin/uvicorn', '--port', String(port), ...workers, 'app:app'], port, { directory }), 'uvicorn');
      });
    }

    it('Node', async () => {
      const port = await freePort();
      assert.equal(await answering(node(NODE_SERVER, port), port), 'node');
    });

    it("Node on one of the host's own addresses", async () => {
      const port = await freePort();
      const address = spawnSync('hostname', ['-I'], { encoding: 'utf8' }).stdout.split(' ')[0] || '127.0.0.2';
      assert.equal(await answering(node(NODE_SERVER, port, `'${address}'`), port), 'node');
    });

    it("an address that the host does not have is refused as it would be", async () => {
      const tree = new Tree(node(NODE_SERVER, 0, "'192.0.2.1'"), { who });
      await tree.said('EADDRNOTAVAIL');
      assert.equal((await tree.end()).code, 1);
    });

    it("Node's cluster", async () => {
      const port = await freePort();
      const directory = home({ 'cluster.cjs': NODE_CLUSTER.replace('PORT', port) });
      assert.equal(await answering([process.execPath, 'cluster.cjs'], port, { directory }), 'worker');
    });

    it('a static program, which reaches itself at its own port', async () => {
      const port = await freePort();
      assert.equal(await answering(staticService(port), port), 'itself');
    });

    // What npm installed lies in the checkout.
    const skip = process.getuid() !== who.uid && !reaches(who.uid, NODE) && 'the checkout is closed to him';
    it('a static program in Go, which ends where its input does', { skip }, async () => {
      const port = await freePort();
      const directory = home({ 'index.html': 'esbuild' });
      assert.equal(await answering([ESBUILD, `--serve=${port}`, '--servedir=.'], port, { directory }), 'esbuild');
    });

    it('two trees at the same port', async () => {
      const port = await freePort();
      const first = await launch(node(NODE_SERVER, port), port, { who });
      const second = await launch(node(NODE_SERVER.replace("'node'", "'second'"), port), port, { who });
      assert.equal((await get(first.socketPath)).body, 'node');
      assert.equal((await get(second.socketPath)).body, 'second');
      await Promise.all([first.tree.kill(), second.tree.kill()]);
    });

    it('what is taken by the gate is free for the service', async () => {
      const gate = net.createServer((socket) => socket.end('gate'));
      await new Promise((resolve) => gate.listen(0, '127.0.0.1', resolve));
      const { port } = gate.address();
      const tree = new Tree(staticService(port), { who });
      await tree.port(port);
      assert.equal((await get(await tree.expose(port))).body, 'itself');
      await tree.kill();
      await new Promise((resolve) => gate.close(resolve));
    });

    it('Vite', { skip }, async () => {
      const port = await freePort();
      const directory = home({ 'index.html': '<h1>vite</h1>', 'package.json': '{}' });
      // Where Vite keeps what it makes; else it takes the next one above, whosever that is.
      mkdirSync(path.join(directory, 'node_modules'));
      chmodSync(path.join(directory, 'node_modules'), 0o777);
      const command = [NODE, module('vite6/bin/vite.js'), '--port', String(port), '--strictPort', '--host', '127.0.0.1'];
      assert.match(await answering(command, port, { directory, env: { HOME: directory } }), /vite/);
    });

    it("Node's inspector", async () => {
      const port = await freePort();
      const { tree, socketPath } = await launch([process.execPath, `--inspect=127.0.0.1:${port}`, '-e', 'setInterval(() => {}, 1e6)'], port, { who });
      const [target] = JSON.parse((await get(socketPath, '/json/list')).body);
      assert.equal(target.type, 'node');
      await tree.kill();
    });

    it("Chromium's DevTools", { skip: lacks('chromium') }, async () => {
      const port = await freePort();
      const directory = home();
      const sandbox = who.uid === 0 ? ['--no-sandbox'] : [];
      const { tree, socketPath } = await launch(
        ['chromium', '--headless=new', ...sandbox, '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage',
          `--remote-debugging-port=${port}`, `--user-data-dir=${path.join(directory, 'profile')}`, 'about:blank'],
        port,
        { who, env: { HOME: directory }, directory },
      );
      const version = JSON.parse((await get(socketPath, '/json/version')).body);
      assert.match(version.Browser, /Chrom/);
      const opened = await get(socketPath, '/json/new?data:text/html,hello', { method: 'PUT' });
      assert.equal(JSON.parse(opened.body).type, 'page');
      await tree.kill();
    });

    it('Jupyter runs a cell: its server reaches its kernel', { skip: lacks('jupyter-server') }, async () => {
      const port = await freePort();
      const directory = home();
      mkdirSync(path.join(directory, 'notebooks'));
      chmodSync(path.join(directory, 'notebooks'), 0o777);
      const { tree, socketPath } = await launch(
        ['jupyter-server', `--port=${port}`, '--ServerApp.token=', '--ServerApp.password=', '--allow-root', '--no-browser',
          '--ServerApp.disable_check_xsrf=True', `--ServerApp.root_dir=${path.join(directory, 'notebooks')}`],
        port,
        { who, directory, env: { HOME: directory, JUPYTER_RUNTIME_DIR: path.join(directory, 'run'), JUPYTER_PLATFORM_DIRS: '0' } },
      );
      assert.equal(await runCell(socketPath), '42\n', tree.log);
      const kernels = (await tree.list()).filter((row) => row.port !== port);
      assert.ok(kernels.length >= 5, "a kernel's five ports are private as well");
      for (const row of kernels) assert.equal(await openOutside(row.port), false);
      await tree.kill();
    });

    it('a program that watches its socket before it binds it, and changes its mind afterwards', async () => {
      const port = await freePort();
      const script =
        `import select, socket\ns = socket.socket(); s.setblocking(False)\n` +
        `others = [one for _ in range(20) for one in socket.socketpair()]\nfirst, second = select.epoll(), select.epoll()\n` +
        `for e, flags in ((first, select.EPOLLIN), (second, select.EPOLLIN | select.EPOLLET)):\n` +
        `    e.register(s, flags)\n    for o in others: e.register(o, 0)\n` +
        `s.bind(('127.0.0.1', ${port})); s.listen()\n` +
        `assert first.poll() == second.poll() == [(s.fileno(), 1)] and second.poll(0) == []\n` +
        `c, _ = s.accept(); c.setblocking(True); first.modify(s, 0); first.unregister(s); second.unregister(s)\n` +
        // It reads what it is asked, and stays: else what is unread ends the connection.
        `c.recv(9999); c.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nepoll'); select.select([], [], [])\n`;
      assert.equal(await answering(['python3', '-c', script], port), 'epoll');
    });

    it('a socket that was bound connects outward', async () => {
      const server = net.createServer((socket) => socket.end('outside'));
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      const source = await freePort();
      const { port } = server.address();
      const script =
        `import socket, sys\n` +
        `for source in (0, ${source}):\n` +
        `    s = socket.create_connection(('127.0.0.1', ${port}), source_address=('127.0.0.1', source))\n` +
        `    print(s.recv(99).decode(), s.getsockname()[1] == source or source == 0, file=sys.stderr)\n`;
      const tree = new Tree(['python3', '-c', script], { who });
      assert.equal((await tree.end()).code, 0, tree.log);
      assert.equal(tree.stderr, 'outside True\noutside True\n');
      await new Promise((resolve) => server.close(resolve));
    });
  });
}

// Through the kernel's channels, a WebSocket.
async function runCell(socketPath) {
  const kernel = JSON.parse((await get(socketPath, '/api/kernels', { method: 'POST', body: '{}', headers: { host: 'localhost', 'content-type': 'application/json' } })).body);
  const { WebSocket } = await import(module('ws/wrapper.mjs'));
  const socket = new WebSocket(`ws+unix:${socketPath}:/api/kernels/${kernel.id}/channels?session_id=flow`, { headers: { host: 'localhost' } });
  return new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify(runLine('print(6 * 7)'))));
    socket.on('error', reject);
    socket.on('message', (data) => {
      const { msg_type: type, content } = JSON.parse(data);
      if (type !== 'stream') return;
      socket.close();
      resolve(content.text);
    });
  });
}
