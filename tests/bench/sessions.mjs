// Makes sessions: a line of token and id for each.
//
// sessions.mjs CONTROL_SOCKET SURFACE COUNT
import { makeSession } from './control.mjs';

const AT_ONCE = 16;
const TTL_S = 24 * 3600;

const [socketPath, surface, count] = process.argv.slice(2);
let left = Number(count);

async function some() {
  for (; left > 0; ) {
    left -= 1;
    const { token, id } = await makeSession(socketPath, surface, { ttl_s: TTL_S });
    console.log(`${token} ${id}`);
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, some));
