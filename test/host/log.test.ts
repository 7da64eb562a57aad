import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../host/base/clock.ts';
import { codeFrame, describeError, printable, StagewireError } from '../../host/base/errors.ts';
import { createLog, type Log, type LogOptions } from '../../host/base/log.ts';
import { eventually, inTime } from '../support/journal.ts';

function capture(options: LogOptions = {}): { log: Log; lines: () => string[]; text: () => string } {
  let written = '';
  const out = { write: (text: string) => (written += text) };
  const clock = new ManualClock(new Date(2026, 0, 2, 21, 4, 7).getTime());
  const log = createLog({ color: false, clock, out, ...options });
  return { log, lines: () => written.split('\n').slice(0, -1), text: () => written };
}

test('a record for people names time, level, instance, build and code before the message', () => {
  const { log, lines } = capture();
  log.info('listening', { address: '127.0.0.1:1935' });
  const instance = log.child({ instance: 'chat/lobby', build: '7f3a90c1' });
  instance.warn('two words', { reason: 'a b', count: 3, client: '17' });
  instance.error('onMessage ran for 100 ms and was stopped', {
    code: 'E_HANDLER_TIMEOUT',
    detail: 'Raise limits.handlerMs in app.json,\nor move the loop into a timer.',
  });
  expect(lines()).toEqual([
    '21:04:07 info  listening address=127.0.0.1:1935',
    '21:04:07 warn  chat/lobby 7f3a90c1 client 17  two words reason="a b" count=3',
    '21:04:07 error chat/lobby 7f3a90c1  E_HANDLER_TIMEOUT  onMessage ran for 100 ms and was stopped',
    '               Raise limits.handlerMs in app.json,',
    '               or move the loop into a timer.',
  ]);
});

test('a record for machines is one JSON object a line', () => {
  const { log, lines } = capture({ format: 'json' });
  log.child({ instance: 'chat/lobby' }).info('hello', { build: '7f3a90c1', detail: 'a\nb' });
  expect(lines().map((line) => JSON.parse(line))).toEqual([
    {
      level: 'info',
      time: new Date(2026, 0, 2, 21, 4, 7).toISOString(),
      instance: 'chat/lobby',
      build: '7f3a90c1',
      detail: 'a\nb',
      message: 'hello',
    },
  ]);
});

for (const format of ['pretty', 'json'] as const) {
  test(`text from peers cannot steer a terminal or forge a record (${format})`, () => {
    const { log, lines, text } = capture({ format });
    const evil = 'x\u001b[2J\n21:04:07 info  all is well\u009b1m\u202e\r\ud800\u{e0041}\u00ad';
    log.info(evil, { instance: evil, client: evil, name: evil, [evil]: evil, detail: evil, deep: { evil } });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for control characters.
    const unfit = /[\u0000-\u001f\u007f-\u009f\u00ad\u202e\u{e0041}]|\p{Cs}/u;
    expect(text().replaceAll('\n', '')).not.toMatch(unfit);
    expect(lines().filter((line) => line.startsWith('21:04:07 info  all'))).toEqual([]);
    expect(lines().length).toBe(format === 'json' ? 1 : 3);
  });
}

test('long text is cut and says how much is missing', () => {
  const { log, text } = capture();
  log.info('a'.repeat(1_000_000), { name: 'b'.repeat(1_000_000), detail: 'c'.repeat(1_000_000) });
  expect(text().length).toBeLessThan(40_000);
  expect(text()).toContain('... (991808 more characters)');
});

test('fields can neither throw nor replace what the log says itself', () => {
  const { log, lines } = capture({ format: 'json' });
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const hostile = { toJSON: () => BigInt(1), toString: () => assert() };
  log.info('kept', { cyclic, hostile, time: 'x', level: 'x', message: 'x', big: 1n, symbol: Symbol('s') });
  expect(JSON.parse(lines()[0]!)).toMatchObject({
    level: 'info',
    message: 'kept',
    time_: 'x',
    symbol: 'Symbol(s)',
  });
});

function assert(): string {
  throw new Error('toString was called');
}

test('a deliberate error gives its code, a bug its stack', () => {
  const { log, text } = capture();
  log.error('no luck', { error: new StagewireError('E_CONFIG', 'host', 'port 1935 is taken') });
  log.error('a bug', { error: new TypeError('x is undefined') });
  expect(text()).toContain('E_CONFIG  no luck error="E_CONFIG  port 1935 is taken"');
  expect(text()).toMatch(
    /a bug error="TypeError: x is undefined"\n {15}TypeError: x is undefined\n {15} {4}at /,
  );
});

test('records below the level are not written', () => {
  const { log, lines } = capture();
  log.debug('unseen');
  expect(lines()).toEqual([]);
  const verbose = capture({ level: 'debug' });
  verbose.log.debug('seen');
  expect(verbose.lines()).toEqual(['21:04:07 debug seen']);
});

test('colours are used only when asked for', () => {
  const { log, text } = capture({ color: true });
  log.info('hello', { instance: 'chat' });
  expect(text()).toContain('\u001b[36mchat\u001b[0m');
});

test('what was logged just before the process ends is written', () => {
  const code = `import { createLog } from ${JSON.stringify(new URL('../../host/base/log.ts', import.meta.url))};
    createLog().info('last words'); createLog({ format: 'json' }).info('indeed'); process.exit(3);`;
  const env = { ...process.env, FORCE_COLOR: '0' };
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', env });
  expect(run).toMatchObject({ status: 3, stderr: '' });
  expect(run.stdout).toMatch(/^\d\d:\d\d:\d\d info {2}last words$/m);
  expect(run.stdout).toMatch(/^\{"level":"info".*"message":"indeed"\}$/m);
});

test('a log that finds no room goes on when there is some again, and holds up no end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stagewire-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'log');
  const code = `import { createLog } from ${JSON.stringify(new URL('../../host/base/log.ts', import.meta.url))};
    const log = createLog({ format: 'json' });
    process.once('SIGTERM', () => setTimeout(() => process.exit(0), 100));
    process.on('uncaughtException', (error) => log.error('as the server does', { error }));
    setInterval(() => { for (let i = 0; i < 1200; i++) log.info('x'.repeat(8000)); }, 100);`;
  // A file that may not grow beyond 64 KiB is a full disk.
  const command = 'ulimit -f 128; exec "$0" --input-type=module -e "$1" >> "$2"';
  const child = spawn('sh', ['-c', command, process.execPath, code, file]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await eventually('the file to be full', () => existsSync(file) && statSync(file).size >= 65_536);
  const isGoneOn = () => readFileSync(file, 'utf8').startsWith('x');
  await eventually('the log to go on', () => {
    if (statSync(file).size >= 65_536) truncateSync(file);
    return isGoneOn() && child.exitCode === null;
  });
  await eventually('the file to be full again', () => statSync(file).size >= 65_536);
  const left = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await inTime('the end', left)).toBe(0);
});

test('anything thrown can be described', () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  expect(describeError(new StagewireError('E_X', 'app', 'seen 3'))).toBe('E_X  seen 3');
  expect(describeError(new Error('a', { cause: new Error('b') }))).toBe('a (b)');
  expect(describeError('text\u0007')).toBe('text\\x07');
  expect(describeError(undefined)).toBe('thrown value: undefined');
  expect(describeError(revoked.proxy)).toBe('an error that cannot be described');
});

test('printable text keeps letters of every language', () => {
  expect(printable('žluťoučký 日本 👩‍👩‍👧 \t')).toBe('žluťoučký 日本 👩‍👩‍👧 \\t');
});

test('a code frame points at the column, whatever stands before it', () => {
  expect(codeFrame('\tx = = 2', 41, 6)).toBe('41 |   x = = 2\n   |       ^');
  const [line, caret] = codeFrame(`${'a'.repeat(5000)}!${'b'.repeat(5000)}`, 7, 5001).split('\n');
  expect(line!.length).toBeLessThan(120);
  expect(line![caret!.indexOf('^')]).toBe('!');
});
