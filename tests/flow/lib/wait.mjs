// Waiting for a condition with a deadline; nothing here sleeps and hopes.
const POLL_MS = 5;

// Only so that what never comes does not hang the tests: a loaded machine may take its time.
export const DEADLINE_MS = 30_000;

// `what` is text, or a function that makes it when it is needed.
function late(what, timeoutMs) {
  return new Error(`waited ${timeoutMs} ms in vain for ${typeof what === 'function' ? what() : what}`);
}

// Polls until `probe` returns something truthy, and returns that.
export async function until(probe, what, timeoutMs = DEADLINE_MS) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadline) {
      throw late(what, timeoutMs);
    }
    await pause(POLL_MS);
  }
}

// Waits until a number has not changed for a while, and returns it.
export async function settled(read, quietMs = 300) {
  let last = read();
  let since = performance.now();
  await until(
    () => {
      const value = read();
      if (value !== last) since = performance.now();
      last = value;
      return performance.now() - since > quietMs;
    },
    'a number to settle',
    2 * DEADLINE_MS,
  );
  return last;
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// The promise's value, or an error that says what took too long.
export async function within(promise, what, timeoutMs = DEADLINE_MS) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late(what, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
