// Preload (node --require) for clients that have no option for a header: puts
// `Authorization: Bearer` on every request to one origin. STAMP_ORIGIN names it,
// STAMP_TOKEN_FILE is where the token is.
'use strict';
const { readFileSync } = require('node:fs');
const http = require('node:http');
const { createRequire } = require('node:module');

const origin = process.env.STAMP_ORIGIN;
const authorization = `Bearer ${readFileSync(process.env.STAMP_TOKEN_FILE, 'utf8').trim()}`;

function isOurs(url) {
  return new URL(String(url)).origin === origin;
}

const { fetch: plainFetch } = globalThis;
globalThis.fetch = (input, init) => {
  const request = new Request(input, init);
  if (isOurs(request.url)) request.headers.set('authorization', authorization);
  return plainFetch(request);
};

const { request: plainHttp } = http;
http.request = (options, ...given) => {
  const { hostname, port } = options;
  if (`http://${hostname}:${port}` !== origin) return plainHttp(options, ...given);
  return plainHttp({ ...options, headers: { ...options.headers, authorization } }, ...given);
};

// The undici package of the program that is run: its request() may name another
// Host than the address it goes to.
const undici = createRequire(process.argv[1])('undici');
const { request: plainRequest } = undici;
undici.request = (url, options = {}) => {
  if (!isOurs(url)) return plainRequest(url, options);
  return plainRequest(url, { ...options, headers: { ...options.headers, authorization } });
};
