import { afterAll, expect, test } from 'vitest';
import { apiMembers } from '../support/api-members.ts';
import { eventually } from '../support/journal.ts';
import { connect, RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { openSite } from '../support/site.ts';
import { FIXTURES, GROUPS, HANDLERS, TABLE, VALUES } from './bad-input-table.ts';

interface Row {
  /** `Client.call method`. */
  readonly name: string;
  readonly member: string;
  readonly argument: string;
  /** With X for the argument. */
  readonly code: string;
  /** What its errors begin with. */
  readonly says: string;
  /** What values come to, by their names: `fine`, or the name of an error. All others come to a TypeError. */
  readonly outcomes: ReadonlyMap<string, string>;
}

function readTable(): Row[] {
  return TABLE.split('\n').flatMap((line) => {
    if (line.trim() === '') return [];
    const [left = '', code = '', fine = '', more = ''] = line.split('|').map((cell) => cell.trim());
    const [member = '', argument = ''] = left.split(/\s+/);
    let says = nameOf(member);
    const outcomes = new Map<string, string>();
    for (const each of [...more.split(';'), `fine: ${fine}`]) {
      const [outcome = '', names = ''] = each.split(':').map((part) => part.trim());
      if (outcome === 'says') says = names;
      else for (const name of namesOf(names)) if (!outcomes.has(name)) outcomes.set(name, outcome);
    }
    return [{ name: `${member} ${argument}`.trim(), member, argument, code, says, outcomes }];
  });
}

/** What messages call a member. */
function nameOf(member: string): string {
  if (member.endsWith('.constructor')) return `new ${member.slice(0, -'.constructor'.length)}`;
  return member.replace(/^(Application|Client)\./, (owner) => owner.toLowerCase());
}

/** The names of values that words of the table stand for. */
function namesOf(words: string): string[] {
  return words
    .split(' ')
    .filter(Boolean)
    .flatMap((word) => (GROUPS[word] ? namesOf(GROUPS[word]) : [word]));
}

const rows = readTable();
/** The line of the app's file on which the first row stands. */
const FIRST_LINE = 2;

/** One line of the app: the row's code by how it is called. */
function lineOf({ argument, code }: Row, at: number): string {
  const block = (call: string) => (/^[\w."()]+ = /.test(call) ? `{ ${call}; }` : call);
  const ways = [`given: (X) => ${block(code)}`];
  // Nothing in its place, and nothing after it.
  if (/^[^=]*[(,] ?X(, [^()]*)?\)$/.test(code))
    ways.push(`missing: () => ${block(code.replace(/(, )?X(, [^()]*)?\)$/, ')'))}`);
  const isLast = rows[at + 1]?.member !== rows[at]!.member && !['args', 'values'].includes(argument);
  if (isLast && code.endsWith('X)'))
    ways.push(`more: (X) => ${block(code.replace(/X\)$/, 'X, throwing(), revoked({}), Symbol("s"))'))}`);
  return `  ${at}: { ${ways.join(', ')} },`;
}

const values = Object.entries(VALUES)
  .map(([name, code]) => `${name}: () => (${code})`)
  .join(', ');
const app = `const rows = {
${rows.map(lineOf).join('\n')}
};
const values = { ${values} };
${FIXTURES}

application.onConnect = (client, how) => (how === 'wait' ? void waiting.push(client) : true);
let asked = 0;
application.expose({
  alive: () => ++asked,
  waiting: () => waiting.length,
  async prepare() {
    answer = await fetch(site);
    key = await crypto.subtle.importKey('raw', bytes(), raw, false, ['sign', 'verify']);
  },
  /** What each value comes to. Their errors are thrown once more, where nobody catches them: for the log. */
  async tryRow(at) {
    client = this;
    const { given, missing, more } = rows[at];
    const seen = missing ? { missing: await outcome(missing, true) } : {};
    const extra = {};
    for (const name of Object.keys(values)) {
      seen[name] = await outcome(() => given(values[name]()), true);
      if (more) extra[name] = await outcome(() => more(values[name]()), false);
    }
    return JSON.stringify({ seen, extra });
  },
});

async function outcome(run, isTold) {
  again = run;
  try {
    const value = run();
    if (isPromise(value)) await Promise.race([value, new Promise((_, reject) => setTimeout(reject, 5000, 'never'))]);
    return 'fine';
  } catch (error) {
    if (isTold) queueMicrotask(() => { throw error; });
    try { if (error instanceof Error) return error.name + ': ' + error.message; } catch {}
    return 'thrown: ' + typeof error;
  }
}
function isPromise(value) {
  try { return value instanceof Promise; } catch { return false; }
}
`;

const site = await openSite({ '/': { text: '{}' } });
afterAll(() => site.close());
const server = useServer({
  limits: {
    timers: 100_000,
    logBytesPerSecond: 64 * 1024 * 1024,
    fetches: 1000,
    outstandingCalls: 100_000,
    handlerMs: 5000,
  },
  apps: {
    table: {
      'app.json': JSON.stringify({ fetch: { hosts: [site.host] }, config: { site: `${site.url}/` } }),
      'main.js': app,
      'text.txt': 'text\n'.repeat(1000),
      'binary.txt': 'bytes',
      'folder/one.txt': '1',
    },
  },
});

test('the table has every argument of every member that scripts can call, make or set', () => {
  const members = apiMembers();
  const known = new Set(members.map(({ name }) => name));
  const missing = members.flatMap(({ name, parameters }) => {
    if (HANDLERS.includes(name)) return [];
    const own = rows.filter(({ member }) => member === name).map(({ argument }) => argument);
    if (own.length === 0) return [`no row for ${name}`];
    return [...parameters].filter((each) => !own.includes(each)).map((each) => `no row for ${name} ${each}`);
  });
  const unknown = [...rows.map(({ member }) => member), ...HANDLERS].filter((name) => !known.has(name));
  expect([...missing, ...unknown.map((name) => `there is no ${name}`)]).toEqual([]);
});

const owners = new Set(rows.map(({ member }) => member.replace(/\..*/, '')));
for (const owner of owners) {
  test(`${owner}: whatever an argument is, it is as documented, or a TypeError that names the member`, async () => {
    const url = `${server.rtmp}/table/${owner}`;
    const client = await connect(url);
    await client.call('prepare');
    const pending = owner === 'Application' ? 250 : 1;
    for (let i = 0; i < pending; i++)
      void (await RtmpClient.open(url, { args: ['wait'] })).startConnect().catch(() => {});
    while ((await client.call('waiting')) !== pending);
    const from = server.log.mark;
    const wrong: string[] = [];
    const told: { line: number; outcome: string; isOwn: boolean }[] = [];
    let calls = 0;
    for (const [at, row] of rows.entries()) {
      if (row.member.replace(/\..*/, '') !== owner) continue;
      const { seen, extra } = JSON.parse(String(await client.call('tryRow', at))) as Outcomes;
      expect(await client.call('alive')).toBe(++calls);
      for (const [value, outcome] of Object.entries(seen)) {
        const wanted = row.outcomes.get(value) ?? 'TypeError';
        if (!isAs(wanted, row.says, outcome))
          wrong.push(`${row.name}, ${value}: ${wanted} was wanted, ${outcome} came`);
        if (outcome !== (extra[value] ?? outcome))
          wrong.push(`${row.name}, ${value} and more: ${outcome} became ${extra[value]}`);
        if (outcome !== 'fine' && wanted !== 'CallError')
          told.push({ line: at + FIRST_LINE, outcome, isOwn: wanted === 'own' || wanted === 'thrown' });
      }
    }
    expect(wrong).toEqual([]);

    const records = () => server.log.entries.slice(from).filter((r) => r.instance === `table/${owner}`);
    const lines = () => new Set(records().map(({ message }) => message.replace(/:\d+\)$/, ')')));
    const missing = () => {
      const present = lines();
      return told.filter(({ line, outcome, isOwn }) => {
        // Errors of the server's own say what they have to without their class.
        const message = outcome.replace(/^StagewireError: /, '');
        if (!isOwn) return !present.has(`tryRow: ${message} (main.js:${line})`);
        return ![...present].some((text) => text.startsWith('tryRow: '));
      });
    };
    await eventually('the log to have them all', () => missing().length === 0).catch(() => {});
    expect(missing()).toEqual([]);
  });
}

interface Outcomes {
  readonly seen: Record<string, string>;
  /** With arguments that nobody asked for. */
  readonly extra: Record<string, string>;
}

/** `own` is what the application's own code threw. */
function isAs(wanted: string, says: string, outcome: string): boolean {
  if (outcome === 'fine' || wanted === 'fine') return outcome === wanted;
  if (wanted === 'own') return true;
  const named = outcome.startsWith(`${wanted}: `) ? outcome.slice(wanted.length + 2) : '';
  return /^(CallError|RpcError|thrown)$/.test(wanted) ? named !== '' : named.startsWith(says);
}
