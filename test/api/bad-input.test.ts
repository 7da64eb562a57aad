import { afterAll, expect, test } from 'vitest';
import { apiMembers } from '../support/api-members.ts';
import { eventually } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { connect, connectRefused, RtmpClient } from '../support/rtmp-client.ts';
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
export {}; // a module, which has all members
`;

const handled = `
const values = { ${values} };
${FIXTURES}
const usual = { onConnect: () => true, authorizePublish: () => true, authorizePlay: () => true, onAppStop() {} };
Object.assign(application, usual);
Object.assign(application, { onAppStart: application.name.endsWith('/badly') ? 7 : undefined });
application.expose({
  alive: () => 'alive',
  set(names, value) { for (const name of names) application[name] = values[value](); },
  unset(names) { for (const name of names) application[name] = usual[name]; },
  give: (value) => values[value](),
  returns(name, value) { application[name] = (...args) => { waiting.push(args[0]); return values[value](); }; },
  accept() { for (const each of waiting) application.acceptConnection(each); waiting.length = 0; },
  ask(value) {
    this.call('add', { onResult: values[value]() });
    this.call('gone', { onStatus: values[value]() });
  },
  async: { args: async () => false, call: () => 'reached' },
  parse: { args: { parse: async () => [] }, call: () => 'reached' },
  standard: { args: { '~standard': { validate: async () => ({ issues: [{ message: 'no' }] }) } }, call: () => 'reached' },
  empty: { args: { '~standard': { validate() {} } }, call: () => 'reached' },
  end: () => application.shutdown(throwing(), revoked({}), Symbol('s')),
});
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
    handlers: { 'main.js': handled },
    resolves: {
      'main.js': `
        const values = { ${values} };
        ${FIXTURES}
        application.onConnect = () => true;
        Client.prototype.resolve = function (value, how) {
          this.__resolve = how === 'returns' ? () => values[value]() : values[value]();
        };`,
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

const room = (name: string) => `${server.rtmp}/handlers/${name}`;
const errorsOf = (name: string, from = 0) =>
  server.log.entries
    .slice(from)
    .filter((r) => r.instance === `handlers/${name}` && r.level === 'error')
    .map(({ message }) => message);
/** All but functions, and what stands for none. */
const uncallable = Object.keys(VALUES).filter((name) => !/^(undefined|null|function|dead)$/.test(name));
const handlersOf = (...names: string[]) =>
  names.map(
    (name) =>
      new RegExp(`^application\\.${name}: TypeError: application\\.${name}: expected a function, got `),
  );

test('a handler of application that is no function is an error when it is due, and refuses what it would decide', async () => {
  const client = await connect(room('set'));
  const decide = ['onConnect', 'authorizePublish', 'authorizePlay'];
  for (const value of uncallable) {
    const from = server.log.mark;
    await client.call('set', ['onPublish', 'onUnpublish', 'onDisconnect', ...decide], value);
    expect(await connectRefused(room('set')), value).toMatchObject({ description: 'Script error' });
    const stream = await client.createStream();
    stream.command('publish', `by-${value}`, 'live');
    expect((await stream.status('NetStream.Publish.BadName')).description).toContain('script error');
    stream.command('play', `by-${value}`, -2);
    await stream.status('NetStream.Play.Failed');
    await client.call('unset', decide);
    const other = await connect(room('set'));
    const published = await other.createStream();
    await published.publish(`by-${value}`);
    published.video(0, keyFrame(1));
    await other.close();
    const due = handlersOf(
      'onConnect',
      'authorizePublish',
      'authorizePlay',
      'onPublish',
      'onUnpublish',
      'onDisconnect',
    );
    await eventually(`${value}: six errors`, () => errorsOf('set', from).length >= due.length);
    for (const each of due) expect(errorsOf('set', from)).toContainEqual(expect.stringMatching(each));
    expect(errorsOf('set', from)).toHaveLength(due.length);
    expect(await client.call('alive')).toBe('alive');
  }
});

test('application.onStatus that is no function is told in the log beside the error that it was for', async () => {
  const client = await connect(room('status'));
  for (const value of uncallable) {
    const from = server.log.mark;
    await client.call('set', ['onStatus', 'onDisconnect'], value);
    await (await connect(room('status'))).close();
    await eventually(`${value}: two errors`, () => errorsOf('status', from).length === 2);
    expect(errorsOf('status', from)).toEqual(
      handlersOf('onDisconnect', 'onStatus').map((each) => expect.stringMatching(each)),
    );
  }
  expect(await client.call('alive')).toBe('alive');
});

test('an instance whose onAppStart is no function does not start; one whose onAppStop is none ends all the same', async () => {
  await connectRefused(room('badly'));
  const [wanted] = handlersOf('onAppStart');
  await eventually('the error', () => errorsOf('badly').some((message) => wanted!.test(message)));
  const client = await connect(room('ends'));
  await client.call('set', ['onAppStop'], 'seven');
  client.send('end');
  await client.closed;
  await eventually('the error', () => errorsOf('ends').length > 0);
  expect(errorsOf('ends')).toEqual([expect.stringMatching(handlersOf('onAppStop')[0]!)]);
});

test('what onConnect returns: only true and false decide; what cannot be read refuses', async () => {
  const client = await connect(room('returns'));
  for (const value of Object.keys(VALUES)) {
    const from = server.log.mark;
    await client.call('returns', 'onConnect', value);
    const other = await RtmpClient.open(room('returns'));
    const answer = other.startConnect();
    if (/^(revoked|traps|trappedList)$/.test(value)) {
      expect((await answer).args[0], value).toMatchObject({ description: 'Script error' });
      await eventually('the error', () => errorsOf('returns', from).length > 0);
      expect(errorsOf('returns', from), value).toEqual([expect.stringMatching(/^application\.onConnect: /)]);
    } else {
      expect(await client.call('alive')).toBe('alive');
      if (value !== 'true')
        expect(other.received.entries.filter(({ name }) => name === '_result')).toEqual([]);
      await client.call('accept');
      expect((await answer).name, value).toBe('_result');
      expect(errorsOf('returns', from), value).toEqual([]);
    }
    await other.close();
  }
});

test('what authorizePublish returns: only true allows, and a text says why not', async () => {
  const client = await connect(room('authorizes'));
  for (const value of Object.keys(VALUES)) {
    await client.call('returns', 'authorizePublish', value);
    const stream = await client.createStream();
    stream.command('publish', `of-${value}`, 'live');
    if (value === 'true') await stream.status('NetStream.Publish.Start');
    else await stream.status('NetStream.Publish.BadName');
    await client.call('deleteStream', stream.id).catch(() => {});
  }
  expect(await client.call('alive')).toBe('alive');
});

test("what a method returns and AMF cannot say is its caller's failed call, and an error that names the method", async () => {
  const client = await connect(room('gives'));
  const sayable = new Set(['missing', ...namesOf('amf')]);
  for (const value of Object.keys(VALUES)) {
    const from = server.log.mark;
    const answer = await client.startCall('give', value);
    if (sayable.has(value)) expect(answer.name, value).toBe('_result');
    else {
      expect(answer, value).toMatchObject({ name: '_error', args: [{ code: 'NetConnection.Call.Failed' }] });
      await eventually('the error', () => errorsOf('gives', from).length > 0);
      expect(errorsOf('gives', from), value).toEqual([expect.stringMatching(/^give: /)]);
    }
  }
  expect(await client.call('alive')).toBe('alive');
});

test('what takes an answer and is no function is an error when the answer is there', async () => {
  const client = await connect(room('answers'), { methods: { add: () => 3 } });
  for (const value of uncallable) {
    const from = server.log.mark;
    await client.call('ask', value);
    await eventually(`${value}: two errors`, () => errorsOf('answers', from).length > 1);
    expect(errorsOf('answers', from).sort(), value).toEqual([
      expect.stringMatching(
        /^onResult of add \(ask\): TypeError: client\.call: onResult: expected a function, got /,
      ),
      expect.stringMatching(
        /^onStatus of gone \(ask\): TypeError: client\.call: onStatus: expected a function, got /,
      ),
    ]);
  }
  expect(await client.call('alive')).toBe('alive');
});

test('a check of arguments that answers with what is no answer lets no call through, and is told to the author', async () => {
  const client = await connect(room('checks'));
  for (const method of ['async', 'parse', 'standard', 'empty']) {
    const from = server.log.mark;
    const answer = method === 'empty' ? 'undefined' : 'a promise';
    const message = `application.expose: the args of "${method}" answered with ${answer}`;
    expect(await client.callFails(method, 1)).toMatchObject({
      description: expect.stringContaining(message),
    });
    await eventually('the error', () => errorsOf('checks', from).length > 0);
    expect(errorsOf('checks', from)).toEqual([`${method}: TypeError: ${message}`]);
  }
  expect(await client.call('alive')).toBe('alive');
});

test('client.__resolve that is no function, or returns what is none, is told to the author', async () => {
  const client = await connect(`${server.rtmp}/resolves/room`);
  for (const value of uncallable) {
    for (const [how, message] of [
      ['', 'client\\.__resolve: expected a function'],
      ['returns', 'client\\.__resolve: what it returned: expected a function'],
    ] as const) {
      const from = server.log.mark;
      await client.call('resolve', value, how);
      expect(await client.callFails('nothing')).toMatchObject({ description: 'Method not found (nothing).' });
      const errors = () =>
        server.log.entries.slice(from).filter((r) => r.instance === 'resolves/room' && r.level === 'error');
      await eventually('the error', () => errors().length > 0);
      expect(errors()[0]!.message, value).toMatch(
        new RegExp(`^client\\.__resolve: TypeError: ${message}, got `),
      );
    }
  }
});
