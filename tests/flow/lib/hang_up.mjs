// Every connection of a test, whichever client opened it, so that a test that failed
// leaves none behind: connection -> how it is closed for good.
export const open = new Map();

export function hangUp() {
  for (const [connection, close] of open) close(connection);
}
