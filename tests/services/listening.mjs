// Starting and ending a net.Server.
import net from 'node:net';

export async function listen(server, ...where) {
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(...where, resolve);
  });
}

// Ends it with the connections it has.
export async function close(server, sockets) {
  const closed = new Promise((resolve) => server.close(resolve));
  for (const socket of sockets) socket.destroy();
  await closed;
}

// A port that nobody has, for what must come back to the same one.
export async function freePort() {
  const server = net.createServer();
  await listen(server, 0, '127.0.0.1');
  const { port } = server.address();
  await close(server, []);
  return port;
}
