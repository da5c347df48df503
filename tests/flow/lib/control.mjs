// Operators, without a program in between.
import http from 'node:http';

import { within } from './wait.mjs';

// One request on the control socket: {status, json}.
export function control(gate, method, requestPath, body) {
  const answer = new Promise((resolve, reject) => {
    const asked = http.request({ socketPath: gate.controlSocket, method, path: requestPath }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode, json: JSON.parse(Buffer.concat(chunks).toString()) }),
      );
    });
    asked.on('error', reject);
    asked.end(body && JSON.stringify(body));
  });
  return within(answer, `${method} ${requestPath}`, 60_000);
}
