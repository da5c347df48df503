// Tokens that must not open anything, over the wire: each is answered 401 with the very
// reason, which the audit log has as well, and the service does not hear of it.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { WebSocketService } from '../services/websocket_service.mjs';
import { Gate, opaqueSurface, scratchDir, stopAll } from './lib/gate.mjs';
import { assertProblem, open, request } from './lib/raw.mjs';

const dir = scratchDir();
const service = await new WebSocketService(path.join(dir, 'echo.sock')).start();
const surface = opaqueSurface(service.socketPath);
const gate = await Gate.start(dir, { surfaces: { echo: surface, other: surface } });
const { token } = await gate.session('echo');

after(async () => {
  await stopAll(gate, service);
});

const encode = (value) => Buffer.from(value).toString('base64url');
const parts = () => token.split('.');
const claims = () => JSON.parse(Buffer.from(parts()[1], 'base64url').toString());

// A token in one of our own headers, signed with a key that is not ours.
function forged(header, payload, key = randomBytes(32), hash = 'sha256') {
  const text = `${encode(JSON.stringify(header))}.${encode(
    typeof payload === 'string' ? payload : JSON.stringify(payload),
  )}`;
  return `${text}.${createHmac(hash, key).update(text).digest('base64url')}`;
}

function unsigned(header, payload, signature = '') {
  return `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}.${signature}`;
}

const HS256 = { alg: 'HS256', typ: 'JWT' };

// Of another form than ours: not even the signature is looked at.
const malformed = {
  'alg none, no signature': () => unsigned({ alg: 'none', typ: 'JWT' }, claims()),
  'alg none, our signature': () => unsigned({ alg: 'none', typ: 'JWT' }, claims(), parts()[2]),
  'alg None': () => unsigned({ alg: 'None', typ: 'JWT' }, claims(), parts()[2]),
  'alg in lower case, our signature': () => unsigned({ alg: 'hs256', typ: 'JWT' }, claims(), parts()[2]),
  'no alg, our signature': () => unsigned({ typ: 'JWT' }, claims(), parts()[2]),
  'a crit header': () => forged({ ...HS256, crit: ['exp'] }, claims()),
  'a kid and a jku': () => forged({ ...HS256, kid: '../../dev/null', jku: 'http://x' }, claims()),
  HS384: () => forged({ alg: 'HS384', typ: 'JWT' }, claims(), randomBytes(48), 'sha384'),
  HS512: () => forged({ alg: 'HS512', typ: 'JWT' }, claims(), randomBytes(64), 'sha512'),
  RS256: () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const text = `${encode(JSON.stringify({ alg: 'RS256', typ: 'JWT' }))}.${encode(JSON.stringify(claims()))}`;
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
  },
  'the signature cut short': () => token.slice(0, -4),
  'the signature made longer': () => `${token}AAAA`,
  'no signature': () => `${parts()[0]}.${parts()[1]}.`,
  'no payload': () => `${parts()[0]}..${parts()[2]}`,
  'no header': () => `.${parts()[1]}.${parts()[2]}`,
  'only dots': () => '..',
  'two segments': () => parts().slice(0, 2).join('.'),
  'four segments': () => `${token}.${parts()[2]}`,
  'five segments': () => `${token}..`,
  'padding after the signature': () => `${token}=`,
  'standard base64': () => `${parts()[0]}.${parts()[1]}.${parts()[2].replaceAll('-', '+').replaceAll('_', '/')}+/`,
  'a space inside': () => `${token.slice(0, 20)} ${token.slice(20)}`,
  'two tokens': () => `${token} ${token}`,
  'not a token': () => 'hunter2',
  'a session id': () => claims().sid,
  'three KiB': () => `${parts()[0]}.${'A'.repeat(3000)}.${parts()[2]}`,
};

// In form, but nobody with the key has said it.
const forgeries = {
  'signed with another key': () => forged(HS256, claims()),
  'signed with an empty key': () => forged(HS256, claims(), ''),
  'signed with zeros': () => forged(HS256, claims(), Buffer.alloc(32)),
  'another surface in aud, our signature': () =>
    unsignedAs(parts()[0], { ...claims(), aud: 'other' }, parts()[2]),
  'a later exp, our signature': () =>
    unsignedAs(parts()[0], { ...claims(), exp: claims().exp + 3600 }, parts()[2]),
  'one bit of the signature changed': () => {
    const bytes = Buffer.from(parts()[2], 'base64url');
    bytes[0] ^= 1;
    return [...parts().slice(0, 2), bytes.toString('base64url')].join('.');
  },
  'the same signature in another spelling': () => {
    // The last of 43 characters carries two bits that decoding drops.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)) ^ 1];
  },
  'claims that are an array': () => forged(HS256, '[]'),
  'claims that are not JSON': () => forged(HS256, 'x'),
  'a payload of 64 nested arrays': () => forged(HS256, '['.repeat(64) + ']'.repeat(64)),
};

function unsignedAs(header, payload, signature) {
  return `${header}.${encode(JSON.stringify(payload))}.${signature}`;
}

// 401 with this very reason, here and in the audit log.
async function refused(reason, options) {
  const mark = gate.mark();
  const { raw, response } = await request(gate, 'echo', options);
  assertProblem(response, 401, reason);
  await raw.gone();
  raw.destroy();
  assert.equal(service.connectionCount, 0);
  await gate.audited(mark, { event: 'denied', surface: 'echo' });
  const denied = gate.auditLines().slice(mark).filter((line) => line.event === 'denied');
  assert.deepEqual(denied.map((line) => line.reason), [reason]);
}

describe('tokens', () => {
  it('the genuine one opens, so that the rest means something', async () => {
    assert.deepEqual(JSON.parse(Buffer.from(parts()[0], 'base64url').toString()).alg, 'HS256');
    assert.deepEqual(Object.keys(claims()).sort(), [
      'aud', 'exp', 'gen', 'iat', 'iss', 'jti', 'nbf', 'prm', 'sid', 'sub',
    ]);
    const raw = await open(gate, 'echo', { token });
    raw.destroy();
    service.forget();
  });

  for (const [reason, tokens] of Object.entries({ token_malformed: malformed, token_signature: forgeries })) {
    for (const [name, make] of Object.entries(tokens)) {
      it(`${reason}: ${name}`, async () => {
        const value = make();
        assert.notEqual(value, token);
        await refused(reason, { token: value });
      });
    }
  }
});

describe('the Authorization header', () => {
  const schemes = {
    'another scheme': () => `Basic ${Buffer.from(`x:${token}`).toString('base64')}`,
    'no scheme': () => token,
    'a scheme and nothing': () => 'Bearer',
    'a scheme and a space': () => 'Bearer ',
    'a prefix of the scheme': () => `Bear ${token}`,
    'Digest': () => `Digest token="${token}"`,
  };
  for (const [name, make] of Object.entries(schemes)) {
    it(name, () => refused('token_malformed', { headers: [['Authorization', make()]] }));
  }
});
