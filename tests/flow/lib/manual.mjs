// The pages of the manual as the build made them, and what stands in them.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { SIDELOCK } from './gate.mjs';

export const MANUAL = path.join(path.dirname(SIDELOCK), 'manual');

// ["sidelock-serve.1", path] of each.
export function pages() {
  return ['man1', 'man5', 'man7'].flatMap((section) =>
    readdirSync(path.join(MANUAL, section)).map((name) => [name, path.join(MANUAL, section, name)]),
  );
}

export function page(name) {
  return readFileSync(path.join(MANUAL, `man${name.at(-1)}`, name), 'utf8');
}

// A page between two of its headings, the second being any if it is not said.
export function part(text, heading) {
  const start = text.search(new RegExp(`^\\.S[hs] ${heading}$`, 'm'));
  if (start < 0) return '';
  const rest = text.slice(text.indexOf('\n', start) + 1);
  const end = rest.search(/^\.S[hs] /m);
  return end < 0 ? rest : rest.slice(0, end);
}

// What lists have before the text: "Fl c Ar FILE", without roff's own signs.
export function items(text) {
  return [...text.matchAll(/^\.It (.*)$/gm)].map(([, line]) => line.replaceAll('\\-', '-').replaceAll('\\~', ' '));
}
