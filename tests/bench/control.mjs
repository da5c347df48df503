// Asks the gate's control socket, as the command line would, without starting it each time.
import http from 'node:http';

export function control(socketPath, method, target, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'Content-Type': 'application/json' } : {};
    const request = http.request({ socketPath, method, path: target, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode >= 300) reject(new Error(`${method} ${target}: ${answer.statusCode} ${text}`));
        else resolve(text ? JSON.parse(text) : undefined);
      });
    });
    request.on('error', reject);
    request.end(body ? JSON.stringify(body) : undefined);
  });
}

export const makeSession = (socketPath, surface, more = {}) =>
  control(socketPath, 'POST', '/v1/sessions', { surface, ...more });
