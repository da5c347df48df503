// Every way in which the gate itself ends a request without its answer, over every transport: what
// it refuses, and what it lacks. What a service, an operator or a client ends is in
// test_situation_endings.mjs.
import { ID, TRANSPORTS, service, walkEndings } from './lib/endings.mjs';

const WEBSOCKETS = ['WebSocket', 'CDP'];
const CROWD = 8; // connections of a session: each is slowed down, and all of them together sooner cut
const REFUSED = 1000; // messages on each, more than a while lets pass without a pause

const LIMITS = {
  usual: {},
  strict: { on_refusal: 'close' },
};

const envelope = ({ cdp }) => (cdp ? '' : '"jsonrpc":"2.0",');
const refused = (place, id) => `{${envelope(place)}"id":${id},"method":"ping","params":{},"extra":1}`;
const refusedAnswer = (place) => `{${envelope(place)}"id":${ID},"result":{},"extra":1}`;

const ENDINGS = {
  'an answer that is refused, where that closes': {
    limits: 'strict',
    act: (place) => service.call.say(refusedAnswer(place)),
    reason: 'message_key',
  },
  // Over HTTP it is no other request's end.
  'a message of the client that is refused, where that closes': {
    limits: 'strict',
    act: (place) => place.say(refused(place, ID + 1)),
    reason: 'message_key',
    told: 'cancelled',
    only: [...WEBSOCKETS, 'connect over a WebSocket'],
  },
  // Over HTTP whoever POSTs what is refused is cut where nothing else waits, and what a service says is
  // not its client's doing. Others come to the session of `connect` by another token.
  'a session of which too much is refused': {
    act: async (place) => {
      const { at, name, id, transport } = place;
      const token = place.token ?? (await at.do('session', 'renew', id)).trim();
      const { stay } = transport.own ? TRANSPORTS.WebSocket : transport;
      const crowd = [place];
      while (crowd.length < CROWD) {
        const client = await stay(at, name, token);
        crowd.push({ say: (text) => client.send(text) });
      }
      for (const { say } of crowd) for (let i = 1; i <= REFUSED; i++) say(refused(place, ID + i));
    },
    reason: 'refusals_exceeded',
    told: 'cancelled',
    only: [...WEBSOCKETS, 'connect over a WebSocket'],
  },
};

walkEndings(ENDINGS, LIMITS);
