// The manual says what the program does: no verb, option, endpoint, metric, reason, key, event or
// member is missing, and none is there that is not the program's.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, it } from 'node:test';

import { control } from './lib/control.mjs';
import { Gate, run, scratchDir, stopAll, surface } from './lib/gate.mjs';
import { items, page, pages, part } from './lib/manual.mjs';

const SOURCES = path.join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../proxy');
const dir = scratchDir();
let gate;

before(async () => {
  const at = path.join(dir, 'nobody.sock');
  gate = await Gate.start(dir, { surfaces: { quiet: surface(at, { dialect: 'opaque', routes: [{ path: '/ws' }] }) } });
});

after(() => stopAll(gate));

function sources(folder) {
  return readdirSync(path.join(SOURCES, folder), { recursive: true })
    .filter((name) => name.endsWith('.c') || name.endsWith('.h'))
    .map((name) => readFileSync(path.join(SOURCES, folder, name), 'utf8'));
}

function captures(texts, pattern) {
  return texts.flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1]));
}

function sorted(names) {
  return [...new Set(names)].sort();
}

async function verbs() {
  const { stdout } = await run(['help']);
  return captures([stdout], /^ {2}([a-z]+) +\S/gm);
}

it('manual: mandoc has nothing to say, and every page that is named is there', (t) => {
  if (spawnSync('mandoc', ['-h']).error) return t.skip('mandoc is not installed');
  const names = new Set(pages().map(([name]) => name));
  for (const [name, file] of pages()) {
    const { stdout } = spawnSync('mandoc', ['-Tlint', file], { encoding: 'utf8' });
    // It looks for pages where they are installed, which ours need not be.
    const rest = stdout.split('\n').filter((line) => line && !/referenced manual not found: Xr sidelock/.test(line));
    assert.deepEqual(rest, [], name);
    const text = readFileSync(file, 'utf8');
    for (const [, other, section] of text.matchAll(/Xr (sidelock[\w.-]*) (\d)/g))
      assert.ok(names.has(`${other}.${section}`), `${name} names ${other}(${section})`);
    assert.doesNotMatch(text, /^@/m, name);
  }
});

it('manual: a page for each verb', async () => {
  const known = await verbs();
  const own = pages().map(([name]) => /^sidelock-([a-z]+)\.1$/.exec(name)?.[1]);
  assert.deepEqual(sorted(own.filter(Boolean)), sorted(known));
  const listed = captures([page('sidelock.1')], /^\.It Xr sidelock-([a-z]+) 1$/gm);
  assert.deepEqual(listed, known, 'in the order of `help`');
  for (const verb of known) {
    const { stdout } = await run(['help', verb]);
    const calls = stdout.slice(0, stdout.indexOf('\n\n')).match(/^sidelock/gm).length;
    const synopsis = part(page(`sidelock-${verb}.1`), 'SYNOPSIS');
    assert.equal(synopsis.match(/^\.Nm sidelock/gm).length, calls, verb);
  }
});

it('manual: the options that are read, and no others', async () => {
  const all = [];
  for (const verb of await verbs()) {
    for (const item of items(part(page(`sidelock-${verb}.1`), 'OPTIONS'))) {
      const [, option, value] = /^Fl (\S+)( Ar .*)?$/.exec(item);
      const given = [`-${option}`, ...(value ? ['7'] : []), '--nothing-of-ours'];
      const { code, stderr } = await run([verb, ...given]);
      assert.equal(code, 64, `${verb} -${option}`);
      assert.match(stderr, /there is no option --nothing-of-ours/, `${verb} -${option}`);
      all.push(`-${option}`);
    }
  }
  assert.deepEqual(sorted(all), sorted(captures(sources('cli'), /\.name = "(-[^"]+)"/g)));
});

it('manual: the endpoints of the control socket', async () => {
  const rows = items(page('sidelock-control.7')).map((item) => {
    const [, method, before, behind = '', query] =
      /^Sy ([A-Z]+) (\S+)(?: Ns Ar \w+ Ns Sy "\\&([^"]*)")?((?: Oo Cm \w+ Oc)*)$/.exec(item);
    const path = before.endsWith('/') ? `${before}x${behind}` : before;
    return { method, path, query: captures([query], /Cm (\w+)/g) };
  });
  for (const { method, path: asked, query } of rows) {
    const known = query.map((name) => `${name}=1&`).join('');
    const { status, json } = await control(gate, method, `${asked}?${known}nothing-of-ours=1`);
    assert.equal(status, 400, `${method} ${asked}`);
    assert.match(json.detail, /names a parameter/, 'it is the query that is wrong');
  }
  const table = captures(sources('broker/control'), /\{"[A-Z]+",\s*("\/v1\/[^"]*")/g);
  assert.equal(rows.length, table.length);
});

it('manual: the metrics', async () => {
  const { stdout } = spawnSync('curl', ['-s', '--unix-socket', gate.controlSocket, 'http://localhost/v1/metrics'], {
    encoding: 'utf8',
  });
  const told = [...stdout.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const listed = items(page('sidelock-metrics.7')).map((item) => /^Sy (\w+) No (\w+)/.exec(item).slice(1, 3).join(' '));
  assert.deepEqual(listed, told);
});

it('manual: the reasons, with their codes', async () => {
  const list = JSON.parse((await run(['help', 'reasons', '--json'])).stdout);
  const text = page('sidelock-reasons.7');
  const listed = items(text.slice(0, text.indexOf('.Ss Quotas'))).map((item) => {
    const [, reason, cause = null, http, close] =
      /^Sy (\w+)(?: Em (\w+))?(?: No HTTP (\d+))?(?: No WebSocket (\d+))?$/.exec(item);
    return { reason, cause, http_status: http ? Number(http) : null, close_code: close ? Number(close) : null };
  });
  assert.deepEqual(listed, list.map(({ text: meaning, ...row }) => row));
});

function propertyNames(node) {
  if (node === null || typeof node !== 'object') return [];
  const own = node.properties && node.properties.constructor === Object ? Object.keys(node.properties) : [];
  return [...own, ...Object.values(node).flatMap(propertyNames)];
}

it('manual: the keys of the configuration', () => {
  const schema = JSON.parse(readFileSync(path.join(SOURCES, '../config/sidelock.schema.json'), 'utf8'));
  const keys = propertyNames(schema);
  const listed = items(page('sidelock.json.5')).map((item) => /^Cm (\S+)$/.exec(item)[1]);
  assert.deepEqual(sorted(listed), sorted(keys));
});

it('manual: the keys of a dialect', () => {
  const texts = sources('dialect').filter((text) => /struct json_table \w+_table/.test(text));
  const rows = captures(texts, /(?:ROW_[A-Z]+|[A-Z]+_ROW)\("(\w+)"|\.name = "(\w+)"/g);
  const named = captures(texts, /\.name = "(\w+)"/g);
  const kinds = captures(texts, /\{"(\w+)", TARGET_/g);
  const listed = items(page('sidelock-dialect.5')).flatMap((item) => item.replace(/^Cm /, '').split(' , '));
  assert.deepEqual(sorted(listed), sorted([...rows, ...named, ...kinds, 'name'].filter(Boolean)));
});

const LINE =
  /\b(?:log_event|log_outcome|log_session|operation_(?:kept|undo|line)|journal_begin|begin|(?:question_)?begin_line|commit|audit_begin)\(((?:[^()]|\([^()]*\))*)\)/g;

// What begins a line of the audit log is given its event, or one of two.
function events(texts) {
  return captures(texts, LINE).flatMap((given) => /"([a-z_]+)"(?:\s*:\s*"([a-z_]+)")?/.exec(given)?.slice(1) ?? []);
}

it('manual: the events and members of the audit log', () => {
  const text = page('sidelock-audit.5');
  const texts = [...sources('broker'), ...sources('system'), ...sources('policy')];
  const known = [...events(texts), ...captures(texts, /#define AUDIT_EVENT_\w+ +"(\w+)"/g), 'denied'].filter(Boolean);
  const names = (heading) => items(part(text, heading)).map((item) => /^Cm (\S+)$/.exec(item)[1]);
  assert.deepEqual(sorted(names('Events')), sorted(known));
  const members = captures(texts, /\baudit_(?:text|bytes|number|flag)\(\s*[^,;"(]+,\s*"(\w+)"/g);
  for (const member of [...members, 'seq', 'time', 'event', 'prev', 'mac', 'reason', 'cause', 'cut'])
    assert.ok(names('Members').includes(member), `the member ${member} is not in sidelock-audit(5)`);
  const everything = texts.join('\n');
  for (const member of names('Members')) assert.ok(everything.includes(`"${member}`) || everything.includes(`${member}\\"`), member);
});

it('manual: the files of a gate are where sidelock(1) says', () => {
  for (const name of ['audit.jsonl', 'control.sock']) {
    assert.ok(existsSync(path.join(gate.stateDir, name)), name);
    assert.match(part(page('sidelock.1'), 'FILES'), new RegExp(`^\\.It Pa ${name}$`, 'm'));
  }
});
