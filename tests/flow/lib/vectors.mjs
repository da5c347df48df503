// Vectors kept as lines: fields with a tab between, `#` starts a comment line.
// Their texts are latin1: | is CRLF, <HH> the byte HH, <HH*N> the same N times,
// {N*TEXT} a text N times, {NAME} what the test says.
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../vectors/', import.meta.url);

export function vectors(file, fieldCount) {
  return readFileSync(new URL(file, FOLDER), 'utf8')
    .split('\n')
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
    .map(({ line, number }) => {
      const fields = line.split('\t');
      if (fields.length !== fieldCount) throw new Error(`${file}:${number}: ${fields.length} fields`);
      return { fields, number };
    });
}

export function vectorText(text, names = {}) {
  return text
    .replace(/\{(\d+)\*([^{}]*)\}/g, (_, times, part) => part.repeat(Number(times)))
    .replace(/\{([A-Z]+)\}/g, (_, name) => {
      if (names[name] === undefined) throw new Error(`no {${name}} in ${text}`);
      return names[name];
    })
    .replaceAll('|', '\r\n')
    .replace(/<([0-9A-F]{2})(?:\*(\d+))?>/g, (_, hex, times = '1') =>
      String.fromCharCode(parseInt(hex, 16)).repeat(Number(times)),
    );
}
