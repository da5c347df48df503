// Logging in as a browser does, by hand: for tests that send what no browser would.
import assert from 'node:assert/strict';

import { request } from './raw.mjs';

export const LOGIN = '/.sidelock/login';
export const LOGOUT = '/.sidelock/logout';
export const TICKET = '/.sidelock/ticket';

// The authority by which browsers call a surface.
export function authority(gate, surface) {
  return `${surface}.localhost:${gate.port(surface)}`;
}

// A one-time address as `sidelock open` prints it: {url, code}.
export async function openUrl(gate, surface, ...options) {
  const text = await gate.do('open', surface, ...options);
  assert.match(text, /^https?:\/\/[^\s#]+\/\.sidelock\/login#[A-Za-z0-9_-]{22}\n$/);
  const url = text.trim();
  return { url, code: url.slice(url.indexOf('#') + 1) };
}

// One plain request from the surface's own page, unless the options say otherwise; a null
// `origin` or `host` leaves the header out or as it is.
export async function ask(gate, surface, method, path, options = {}) {
  const own = authority(gate, surface);
  const { cookie, token, body = '', origin = `http://${own}`, host = own } = options;
  const headers = [['Host', host]];
  if (origin !== null) headers.push(['Origin', origin]);
  if (cookie) headers.push(['Cookie', cookie]);
  if (options.site) headers.push(['Sec-Fetch-Site', options.site]);
  if (method === 'POST' && options.length !== null) {
    headers.push(['Content-Length', String(options.length ?? Buffer.byteLength(body))]);
  }
  headers.push(...(options.headers ?? []));
  const { raw, response } = await request(gate, surface, {
    method, path, token, headers, body, upgrade: false,
  });
  await raw.gone();
  raw.destroy();
  return response;
}

// Redeems a code: the response.
export function redeem(gate, surface, code, options = {}) {
  return ask(gate, surface, 'POST', LOGIN, { body: code, ...options });
}

// Logs in: the cookie as a browser sends it, and the session's id.
export async function logIn(gate, surface, ...options) {
  const { code } = await openUrl(gate, surface, ...options);
  const response = await redeem(gate, surface, code);
  assert.equal(response.status, 200, response.body);
  const cookie = response.header('set-cookie').split(';')[0];
  return { cookie, id: cookie.slice(cookie.indexOf('=') + 1).split('.')[0] };
}
