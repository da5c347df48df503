// Preload (node --require) for servers that only know TCP ports: the first
// number passed to listen() becomes the Unix socket named in LISTEN_SOCKET.
'use strict';
const net = require('node:net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const byOptions = given[0] !== null && typeof given[0] === 'object' && given[0].port !== undefined;
  if (process.env.LISTEN_SOCKET && (typeof given[0] === 'number' || byOptions)) {
    const callbacks = given.filter((argument) => typeof argument === 'function');
    return listen.call(this, process.env.LISTEN_SOCKET, ...callbacks);
  }
  return listen.apply(this, given);
};
