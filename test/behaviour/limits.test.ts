import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { aacFrame, interFrame, keyFrame } from '../support/media.ts';
import { connect, connectRefused, RtmpClient, Type } from '../support/rtmp-client.ts';
import { type LogRecord, startServer, useServer } from '../support/server.ts';

const server = useServer({
  limits: {
    idleInstanceMs: 300,
    gcIntervalMs: 300,
    clientsPerInstance: 5,
    timers: 3,
    logBytesPerSecond: 4096,
    mailboxRecords: 64,
    viewerQueueBytes: 65_536,
    slowViewerMs: 1500,
    handlerMs: 2000,
  },
  apps: {
    idle: {
      'main.ts': `
        let asked = 0;
        application.onAppStart = () => trace('loaded');
        application.onConnect = () => true;
        application.onDisconnect = () => trace('empty');
        application.onAppStop = (info) => { trace('asked ' + info.code); return ++asked > 2; };`,
    },
    app: {
      'main.ts': `
        application.onConnect = (client, name) => { client.name = name; return true; };
        let served = 0;
        Object.assign(Client.prototype, {
          timers() {
            const ids = [];
            try { for (let i = 0; i < 10; i++) ids.push(setTimeout(() => {}, 1e6)); }
            catch (error) { ids.forEach(clearTimeout); return [ids.length, error.name, error.message]; }
          },
          chatter() { for (let i = 0; i < 1000; i++) trace('a line of chatter ' + i); },
          blank() { for (let i = 0; i < 1000; i++) trace(''); },
          bells() { trace('\\u0007'.repeat(1000)); },
          longLine() { trace('x'.repeat(100_000)); },
          slow() { let x = 0; for (let i = 0; i < 3e5; i++) x += i; return ++served; },
          pour(bytes) { for (let i = 0; i < 100; i++) this.call('poured', null, 'x'.repeat(bytes)); },
          hi() { return 'hi'; },
        });`,
    },
    live: { 'README.md': 'no script' },
  },
});

test('an instance without clients is asked, may refuse, and is unloaded in the end', async () => {
  const client = await connect(`${server.rtmp}/idle/room`);
  await client.close();
  await server.expectTraces('idle/room', [
    'loaded',
    'empty',
    'asked Application.GC',
    'asked Application.GC',
    'asked Application.GC',
    expect.stringMatching(/^unloaded after /),
  ]);
  await connect(`${server.rtmp}/idle/room`);
  await eventually('the instance to be loaded anew', () => {
    return (
      server.log.entries.filter((r) => r.instance === 'idle/room' && r.message === 'loaded').length === 2
    );
  });
});

test('an instance with a client is not unloaded', async () => {
  const stays = await connect(`${server.rtmp}/idle/busy`);
  const leaves = await connect(`${server.rtmp}/idle/busy`);
  await leaves.close();
  const other = await connect(`${server.rtmp}/idle/other`);
  await other.close();
  await server.waitForLog((r) => r.instance === 'idle/other' && r.message.startsWith('unloaded'));
  expect(stays.isClosed).toBe(false);
  await server.expectTraces('idle/busy', ['loaded', 'empty']);
});

test('an instance takes no more clients than it may', async () => {
  const room = `${server.rtmp}/live/full`;
  const clients = await Promise.all(Array.from({ length: 5 }, () => connect(room)));
  const info = await connectRefused(room);
  expect(info).toMatchObject({ code: 'NetConnection.Connect.Rejected' });
  expect(info.description).toContain('Resource.Limit.Exceeded');
  await clients[0]!.close();
  await eventually('a free seat', async () => {
    const client = await RtmpClient.open(room);
    return (await client.startConnect()).name === '_result';
  });
});

test('a server takes no more connections than it may', async () => {
  const small = await startServer({ limits: { connections: 3 }, apps: { live: { 'README.md': '' } } });
  const url = `${small.rtmp}/live`;
  const clients = [await connect(url), await connect(url), await connect(url)];
  await expect(connect(url)).rejects.toThrow();
  expect(await small.waitForLog((r) => r.code === 'E_TOO_MANY_CONNECTIONS')).toMatchObject({ level: 'warn' });
  await clients[0]!.close();
  await eventually('a free place', () =>
    connect(url).then(
      () => true,
      () => false,
    ),
  );
});

test('timers beyond the limit throw into the script', async () => {
  const client = await connect(`${server.rtmp}/app/timers`);
  expect(await client.call('timers')).toEqual([3, 'RangeError', expect.stringContaining('3 timers')]);
});

test('a script that prints too much is cut off, and the loss is counted', async () => {
  const client = await connect(`${server.rtmp}/app/chatter`);
  await client.call('chatter');
  await eventually('the count of lost lines', async () => {
    await client.call('chatter');
    return server.log.entries.some((r) => r.code === 'E_LOG_FLOOD' && r.instance === 'app/chatter');
  });
  const lines = server.log.entries.filter(
    (r) => r.instance === 'app/chatter' && r.message.includes('chatter'),
  );
  expect(lines.length).toBeGreaterThan(20);
  expect(lines[0]!.message).toBe('a line of chatter 0');
});

test('instances that are ever new print no more together than the application may, and the loss is counted once', async () => {
  const logBytesPerSecond = 4096;
  const all = 16 * logBytesPerSecond;
  const loud = await startServer({
    limits: { logBytesPerSecond },
    apps: { loud: { 'main.ts': "trace('x'.repeat(3900));" }, calm: { 'main.ts': "trace('calm');" } },
  });
  let rooms = 0;
  const isFlood = (r: LogRecord) => r.code === 'E_LOG_FLOOD';
  await eventually('the count of lost lines', async () => {
    await Promise.all(Array.from({ length: 40 }, () => connect(`${loud.rtmp}/loud/${rooms++}`)));
    return loud.log.entries.some(isFlood);
  });
  const floods = loud.log.entries.filter(isFlood);
  expect(new Set(floods.map((r) => r.instance))).toEqual(new Set(['loud']));
  expect(floods[0]!.message).toMatch(new RegExp(`^\\d+ lines? .* not printed: over ${all} bytes a second$`));

  const printed = loud.log.entries.filter((r) => r.message.startsWith('xxx'));
  const timeOf = (r: LogRecord | undefined) => Date.parse(String(r?.time));
  const seconds = (timeOf(printed.at(-1)) - timeOf(printed[0])) / 1000;
  expect(printed.length).toBeGreaterThanOrEqual(16);
  expect(printed.length).toBeLessThan(rooms);
  expect(printed.length * 3900).toBeLessThanOrEqual((seconds + 2) * all);
  await connect(`${loud.rtmp}/calm`);
  await loud.waitForLog((r) => r.message === 'calm');
});

test('instances that do not start, and are ever new, do not fill the log', async () => {
  const loud = await startServer({
    apps: {
      loud: { 'main.ts': "application.onAppStart = () => { throw new Error('x'.repeat(8000)); };" },
      calm: { 'main.ts': '' },
    },
  });
  let rooms = 0;
  // What the scripts themselves print has another bound.
  const isFlood = (r: LogRecord) => r.instance === 'loud' && r.message.endsWith(' over 65536 bytes a second');
  await eventually('the count of lost lines', async () => {
    const refused = () => connect(`${loud.rtmp}/loud/${rooms++}`).catch(() => {});
    await Promise.all(Array.from({ length: 40 }, refused));
    return loud.log.entries.some(isFlood);
  });
  const printed = loud.log.entries.filter((r) => r.code === 'E_APP_START');
  expect(printed.length).toBeGreaterThan(4);
  expect(printed.length).toBeLessThan(rooms);
});

const prints = [
  { what: 'lines without a letter', call: 'blank' },
  { what: 'letters that are many in the log', call: 'bells' },
];
for (const { what, call } of prints) {
  test(`${what} count as what they measure in the log`, async () => {
    const client = await connect(`${server.rtmp}/app/${call}`);
    await client.call(call);
    await server.waitForLog((r) => r.code === 'E_LOG_FLOOD' && r.instance === `app/${call}`);
  });
}

test('a flood of calls waits in the sockets, not in memory, and every call is answered', async () => {
  const client = await connect(`${server.rtmp}/app/flood`);
  const calls = Array.from({ length: 2000 }, () => client.call('slow'));
  const other = await connect(`${server.rtmp}/app/calm`);
  expect(await other.call('hi')).toBe('hi');
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1));
});

test('a client that does not read what it is sent is dropped; its neighbour is not', async () => {
  const client = await connect(`${server.rtmp}/app/pour`);
  const other = await connect(`${server.rtmp}/app/pour`);
  const from = server.log.mark;
  client.pauseReading();
  for (let i = 0; i < 100; i++) client.send('pour', 10_000);
  const record = await server.waitForLog((r) => r.code === 'E_SLOW_READER', from);
  expect(record).toMatchObject({ level: 'warn', message: expect.stringContaining('does not read') });
  expect(await other.call('hi')).toBe('hi');
});

test('a viewer that does not read costs neither the publisher nor the other viewers a frame', async () => {
  const room = `${server.rtmp}/live/slow`;
  const client = await connect(room);
  const stream = await client.createStream();
  await stream.publish('cam');
  const quick = await (await connect(room)).createStream();
  await quick.play('cam');
  const lazyClient = await connect(room);
  const lazy = await lazyClient.createStream();
  await lazy.play('cam');
  lazyClient.pauseReading();

  const picture = (frame: number, body: Uint8Array) =>
    Buffer.concat([body, Buffer.alloc(100_000, frame & 0xff)]);
  let frame = 0;
  const viewers = async () => {
    const { instances } = (await (await fetch(`${server.http}/api/instances`)).json()) as {
      instances: { instance: string; streams: { viewers: number }[] }[];
    };
    return instances.find(({ instance }) => instance === 'slow')?.streams[0]?.viewers;
  };
  await eventually('the slow viewer to be given up', async () => {
    for (let burst = 0; burst < 10; burst++, frame++) {
      const body = picture(frame, frame % 10 === 0 ? keyFrame(frame) : interFrame(frame));
      stream.video(frame * 40, body);
      stream.audio(frame * 40, aacFrame(frame));
      await quick.waitForMedia(aacFrame(frame));
    }
    return (await viewers()) === 1;
  });
  const videos = quick.media.filter(({ type }) => type === Type.Video);
  expect(videos.map(({ timestamp }) => timestamp)).toEqual(
    Array.from({ length: frame }, (_, index) => index * 40),
  );
  expect(client.isClosed).toBe(false);
});

test('a viewer that falls behind and comes back goes on at a key frame', async () => {
  const room = `${server.rtmp}/live/behind`;
  const stream = await (await connect(room)).createStream();
  await stream.publish('cam');
  const client = await connect(room);
  const viewer = await client.createStream();
  await viewer.play('cam');
  const big = (id: number) => Buffer.concat([interFrame(id), Buffer.alloc(400_000, 7)]);
  stream.video(0, keyFrame(0));
  await viewer.waitForMedia(keyFrame(0));
  client.pauseReading();
  for (let frame = 1; frame <= 60; frame++) stream.video(frame * 10, big(frame));
  await stream.settled();
  client.resumeReading();
  await eventually('the queue to be empty', async () => {
    stream.video(5000, keyFrame(99));
    await stream.settled();
    await client.settled();
    return viewer.media.some(({ timestamp }) => timestamp === 5000);
  });
  stream.video(5040, interFrame(100));
  await viewer.waitForMedia(interFrame(100));
  const videos = viewer.media.filter(({ type }) => type === Type.Video);
  const heads = videos.map(({ timestamp, payload }) => ({ timestamp, isKey: payload[0] === 0x17 }));
  for (const [index, { timestamp, isKey }] of heads.entries()) {
    const previous = heads[index - 1];
    if (previous && timestamp - previous.timestamp > 40)
      expect(isKey, `after the gap at ${timestamp}`).toBe(true);
  }
  expect(heads.length).toBeLessThan(60);
});
