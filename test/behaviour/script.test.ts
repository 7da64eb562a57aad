import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  apps: {
    prints: {
      'main.ts': `
        trace('top level');
        application.onAppStart = () => { trace('started ' + application.name); };
        application.onConnect = () => true;
        Object.assign(Client.prototype, {
          print() {
            trace({ toString: () => 'as String does' });
            console.log('log', 1, { a: [1, 'x'] }, null, undefined);
            console.info('info');
            console.warn('warn');
            console.error('error');
            console.debug('not shown');
            const loop = {}; loop.self = loop;
            console.log(loop, new Map([[1, 2]]), new Error('inspected').message);
            trace('forged\\n{"level":"error","message":"forged"}');
          },
        });`,
    },
    timers: {
      'main.ts': `
        const seen = [];
        const target = { label: 'target', tick(...args) { seen.push(['method', this === target, ...args]); } };
        application.onConnect = () => true;
        Object.assign(Client.prototype, {
          order() {
            seen.length = 0;
            return new Promise((resolve) => {
              setTimeout((...args) => { seen.push(['late', ...args]); resolve(seen); }, 30, 'x', 'y');
              setTimeout(() => seen.push('second'), 10);
              setTimeout(() => seen.push('first'), 5);
              setTimeout(() => seen.push('same, later'), 10);
              setTimeout(() => seen.push('zero'), 0);
              seen.push('now');
            });
          },
          intervals() {
            seen.length = 0;
            return new Promise((resolve) => {
              let ticks = 0;
              const byFunction = setInterval((a) => {
                seen.push(['function', a]);
                if (++ticks === 3) { clearInterval(byFunction); resolve(seen.slice(0)); }
              }, 5, 'arg');
            });
          },
          methods() {
            seen.length = 0;
            const id = setInterval(target, 'tick', 5, 1, 'two');
            return new Promise((resolve) => setTimeout(() => { clearInterval(id); resolve([typeof id, ...seen]); }, 40));
          },
          replaced() {
            const holder = { m() { holder.m = () => resolveWith('new method'); } };
            let resolveWith;
            const id = setInterval(holder, 'm', 2);
            return new Promise((resolve) => { resolveWith = (value) => { clearInterval(id); resolve(value); }; });
          },
          cleared() {
            const fired = [];
            const a = setTimeout(() => fired.push('a'), 5);
            const b = setInterval(() => fired.push('b'), 5);
            clearTimeout(a); clearInterval(b); clearTimeout(undefined); clearInterval(12345);
            return new Promise((resolve) => setTimeout(() => resolve(fired), 30));
          },
          throwing() {
            let ticks = 0;
            return new Promise((resolve) => {
              const id = setInterval(() => { if (++ticks === 3) { clearInterval(id); resolve(ticks); } throw new Error('tick ' + ticks); }, 3);
            });
          },
        });`,
    },
    errors: {
      'main.ts': [
        'interface Named { name: string }',
        'const statuses: unknown[] = [];',
        'application.onConnect = () => true;',
        'application.onStatus = (info) => { statuses.push(info); };',
        "const fail = (who: Named): void => { throw new TypeError('no ' + who.name); };",
        'Object.assign(Client.prototype, {',
        "  boom() { fail({ name: 'luck' }); },",
        "  async boomLater() { await null; fail({ name: 'patience' }); },",
        "  floating() { Promise.reject(new Error('adrift')); return 'answered'; },",
        "  floatingTwice() { void Promise.reject(new Error('one')); void Promise.reject(new Error('two')); },",
        "  handledLater() { const p = Promise.reject(new Error('caught')); p.catch(() => {}); },",
        '  statuses() { return statuses; },',
        '});',
      ].join('\n'),
    },
    rethrows: {
      'main.ts': `
        application.onConnect = () => true;
        application.onStatus = () => { throw new Error('in onStatus'); };
        Client.prototype.boom = () => { throw new Error('first'); };
        Client.prototype.fine = () => 'fine';`,
    },
    order: {
      'main.ts': `
        const log = [];
        application.onConnect = () => true;
        Object.assign(Client.prototype, {
          promises(n) {
            log.push('start ' + n);
            Promise.resolve().then(() => log.push('then ' + n)).then(() => log.push('then then ' + n));
            queueMicrotask(() => log.push('microtask ' + n));
            (async () => { await null; log.push('async ' + n); })();
          },
          plain(n) { log.push('plain ' + n); },
          log() { return log; },
        });`,
    },
    patched: {
      'main.js': `
        application.onConnect = () => true;
        Object.defineProperty = Reflect.defineProperty = () => { throw new TypeError('patched'); };
        Client.prototype.zone = () => Temporal.Now.timeZoneId() + Temporal[Symbol.toStringTag];`,
    },
    sandbox: {
      'main.ts': `
        application.onConnect = () => true;
        const missing = ['WebAssembly', 'Atomics', 'SharedArrayBuffer', 'WeakRef', 'FinalizationRegistry',
          'process', 'require', 'Buffer', 'global', 'XMLHttpRequest', '_ivm', 'ivm'];
        const firstDraws = [Math.random(), crypto.randomUUID(), ...crypto.getRandomValues(new Uint32Array(2))];
        Object.assign(Client.prototype, {
          firstDraws: () => firstDraws,
          missing() { return missing.filter((name) => name in globalThis || typeof globalThis[name] !== 'undefined'); },
          moment() {
            const start = [Date.now(), performance.now(), new Date().getTime()];
            for (let i = 0; i < 2e6; i++) Math.sqrt(i);
            return [start, [Date.now(), performance.now(), new Date().getTime()]];
          },
          chance() { return [Math.random(), Math.random(), crypto.randomUUID(), crypto.randomUUID()]; },
          bytes() { return [...crypto.getRandomValues(new Uint8Array(16))]; },
          dates() {
            return [new Date(0).getTimezoneOffset(), new Date.prototype.constructor().getTime() === Date.now(),
              Intl.DateTimeFormat().resolvedOptions().timeZone, String(new Date(0))];
          },
          temporal() {
            const { Now } = Temporal;
            const members = Object.getOwnPropertyNames(Temporal).concat(Object.getOwnPropertyNames(Now));
            const day = Temporal.PlainDate.from('2024-02-28').add({ days: 2 });
            const months = day.toPlainYearMonth() instanceof Temporal.PlainYearMonth &&
              day.toPlainMonthDay() instanceof Temporal.PlainMonthDay;
            const span = Now.instant().since(Temporal.Instant.fromEpochMilliseconds(Date.now()));
            return {
              members: members.join(' '),
              tags: Object.prototype.toString.call(Temporal) + Object.prototype.toString.call(Now),
              keys: Object.keys(Temporal).length,
              day: String(day),
              isSame: months && Now.plainDateISO() instanceof Temporal.PlainDate &&
                Now.zonedDateTimeISO() instanceof Temporal.ZonedDateTime && span instanceof Temporal.Duration,
              aside: span.total('milliseconds'),
              time: String(Now.plainTimeISO()) + String(Now.plainDateTimeISO()).slice(10, 11) + Now.timeZoneId(),
              own: typeof Object.getOwnPropertyDescriptor(globalThis, 'Temporal').value,
            };
          },
          escape() {
            const outer = this.constructor.constructor;
            return outer('return typeof process')();
          },
          escapes() { return Function('return typeof process + typeof require')(); },
        });`,
    },
  },
});

test('Temporal tells the time of the turn, and is otherwise what V8 offers', async () => {
  const client = await connect(`${server.rtmp}/sandbox/room`);
  const { time, ...told } = (await client.call('temporal')) as { time: string };
  const ours = Reflect.get(globalThis, 'Temporal') as { Now: object };
  expect(told).toEqual({
    members: [...Object.getOwnPropertyNames(ours), ...Object.getOwnPropertyNames(ours.Now)].join(' '),
    tags: '[object Temporal][object Temporal.Now]',
    keys: 0,
    day: '2024-03-01',
    isSame: true,
    aside: 0,
    own: 'object',
  });
  expect(time).toMatch(/^\d\d:\d\d(:\d\d(\.\d+)?)?TUTC$/);
});

test('Temporal does not need what a script has patched before it asked for it', async () => {
  const client = await connect(`${server.rtmp}/patched`);
  expect(await client.call('zone')).toBe('UTCTemporal');
});

test('trace and console print lines that name instance and build', async () => {
  const client = await connect(`${server.rtmp}/prints/room`);
  await client.call('print');
  await server.expectTraces('prints/room', [
    'top level',
    'started prints/room',
    'as String does',
    'log 1 { a: [1, "x"] } null undefined',
    'info',
    'warn',
    'error',
    '{ self: [circular] } Map { 1 => 2 } inspected',
    'forged\\n{"level":"error","message":"forged"}',
  ]);
  const records = server.log.entries.filter((r) => r.instance === 'prints/room');
  expect(records.map(({ level }) => level)).toEqual([
    'info',
    'info',
    'info',
    'info',
    'info',
    'warn',
    'error',
    'info',
    'info',
  ]);
  const builds = new Set(records.map(({ build }) => build));
  expect([...builds]).toEqual([expect.stringMatching(/^[0-9a-f]{4,}$/)]);
});

test('timers fire in the order of their times, each with its arguments', async () => {
  const client = await connect(`${server.rtmp}/timers`);
  expect(await client.call('order')).toEqual([
    'now',
    'zero',
    'first',
    'second',
    'same, later',
    ['late', 'x', 'y'],
  ]);
});

test('both forms of setInterval tick until they are cleared', async () => {
  const client = await connect(`${server.rtmp}/timers`);
  expect(await client.call('intervals')).toEqual(Array.from({ length: 3 }, () => ['function', 'arg']));
  const [type, ...ticks] = (await client.call('methods')) as unknown[];
  expect(type).toBe('number');
  expect(ticks.length).toBeGreaterThan(1);
  for (const tick of ticks) expect(tick).toEqual(['method', true, 1, 'two']);
});

test('setInterval with an object looks its method up at each tick', async () => {
  const client = await connect(`${server.rtmp}/timers`);
  expect(await client.call('replaced')).toBe('new method');
});

test('a cleared timer does not fire', async () => {
  const client = await connect(`${server.rtmp}/timers`);
  expect(await client.call('cleared')).toEqual([]);
});

test('a timer that throws is reported and ticks on', async () => {
  const client = await connect(`${server.rtmp}/timers/throwing`);
  expect(await client.call('throwing')).toBe(3);
  const record = await server.waitForLog((r) => r.code === 'E_SCRIPT' && r.message.includes('tick 3'));
  expect(record.message).toMatch(/^setInterval: /);
});

const errors = [
  { method: 'boom', message: 'boom: TypeError: no luck (main.ts:5:', text: 'no luck' },
  { method: 'boomLater', message: 'boomLater: TypeError: no patience (main.ts:5:', text: 'no patience' },
];
for (const { method, message, text } of errors) {
  test(`what ${method} throws is logged with file, line and source line, and told to onStatus`, async () => {
    const client = await connect(`${server.rtmp}/errors/${method}`);
    await client.callFails(method);
    const record = await server.waitForLog((r) => r.code === 'E_SCRIPT' && r.instance === `errors/${method}`);
    expect(record.message).toContain(message);
    expect(record).toMatchObject({ level: 'error', build: expect.any(String) });
    expect(record.detail).toMatch(/^5 \| const fail = .*\n {2}\| +\^$/);
    expect(await client.call('statuses')).toEqual([
      {
        code: 'Application.Script.Error',
        level: 'error',
        description: `TypeError: ${text}`,
        filename: 'main.ts',
        lineno: 5,
        linebuf: expect.stringMatching(/^const fail = /),
      },
    ]);
  });
}

test('a rejection that nobody handles is reported under the name of its handler', async () => {
  const client = await connect(`${server.rtmp}/errors/floating`);
  expect(await client.call('floating')).toBe('answered');
  const record = await server.waitForLog(
    (r) => r.instance === 'errors/floating' && r.message.includes('adrift'),
  );
  expect(record.message).toMatch(/^floating: adrift \(main\.ts:9:\d+\)$/);
  await client.call('floatingTwice');
  for (const text of ['one', 'two']) {
    await server.waitForLog((r) => r.message.startsWith(`floatingTwice: ${text} `));
  }
  await client.call('handledLater');
  await client.call('statuses');
  expect(server.log.entries.filter((r) => r.message.includes('caught'))).toEqual([]);
});

test('an error in onStatus is reported once and not told to onStatus', async () => {
  const client = await connect(`${server.rtmp}/rethrows`);
  await client.callFails('boom');
  await server.waitForLog((r) => r.message.startsWith('application.onStatus: in onStatus'));
  expect(await client.call('fine')).toBe('fine');
  const reports = server.log.entries.filter(
    (r) => r.instance?.startsWith('rethrows') && r.code === 'E_SCRIPT',
  );
  expect(reports).toHaveLength(2);
});

test('the continuations of an event run before the next event', async () => {
  const client = await connect(`${server.rtmp}/order`);
  for (const n of [1, 2]) {
    client.send('promises', n);
    client.send('plain', n);
  }
  const log = (await client.call('log')) as string[];
  const at = (entry: string) => log.indexOf(entry);
  for (const n of [1, 2]) {
    for (const step of ['then', 'then then', 'microtask', 'async']) {
      expect(at(`${step} ${n}`), `${step} ${n} in ${log.join(', ')}`).toBeGreaterThan(at(`start ${n}`));
      expect(at(`${step} ${n}`), `${step} ${n} in ${log.join(', ')}`).toBeLessThan(at(`plain ${n}`));
    }
  }
  expect(at('plain 1')).toBeLessThan(at('start 2'));
});

test('time stands still within a turn and moves between turns', async () => {
  const client = await connect(`${server.rtmp}/sandbox`);
  const before = Date.now();
  const [first, second] = (await client.call('moment')) as [number[], number[]];
  expect(first).toEqual(second);
  expect(first[0]).toBe(first[2]);
  expect(Math.abs(first[0]! - before)).toBeLessThan(60_000);
  const [later] = (await client.call('moment')) as [number[], number[]];
  expect(later[0]).toBeGreaterThanOrEqual(first[0]!);
  expect(later[1]).toBeGreaterThan(first[1]!);
});

test('randomness differs from draw to draw and from turn to turn', async () => {
  const client = await connect(`${server.rtmp}/sandbox`);
  const draws = [await client.call('chance'), await client.call('chance')] as (number | string)[][];
  expect(new Set(draws.flat()).size).toBe(8);
  for (const [a, , uuid] of draws) {
    expect(Number(a) >= 0 && Number(a) < 1).toBe(true);
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  expect(await client.call('bytes')).not.toEqual(await client.call('bytes'));
});

test('what the top level draws differs from instance to instance', async () => {
  const rooms = await Promise.all(['a', 'b', 'c'].map((room) => connect(`${server.rtmp}/sandbox/${room}`)));
  const draws = await Promise.all(rooms.map((client) => client.call('firstDraws')));
  expect(new Set(draws.flat() as unknown[]).size).toBe(12);
});

test('the sandbox lacks what would reach out of it or escape its limits', async () => {
  const client = await connect(`${server.rtmp}/sandbox`);
  expect(await client.call('missing')).toEqual([]);
  expect(await client.call('escapes')).toBe('undefinedundefined');
  expect(await client.call('escape')).toBe('undefined');
});

test('zone and locale are the same everywhere', async () => {
  const client = await connect(`${server.rtmp}/sandbox`);
  expect(await client.call('dates')).toEqual([
    0,
    true,
    'UTC',
    'Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)',
  ]);
});
