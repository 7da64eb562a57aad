import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { codesOf, connectClient, status } from '../support/own-client.ts';
import { type ClientStream, connect, connectRefused, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { WireCutter } from '../support/wire-cutter.ts';

/** What clients of an edge do, good and bad: it comes to the same as at the origin, and costs nobody else anything. */
const edgeSecret = 'what edges and origins share';

const room = {
  'main.js': `
    application.onConnect = (client, ...args) => {
      client.args = args;
      client.add = (a, b) => a + b;
      client.shout = (size) => { application.broadcastMsg('said', 'x'.repeat(size)); return true; };
      if (args[0] === 'counts') client.FCPublish = (name) => 'script ' + name;
      if (args[0] !== 'late') return true;
      setTimeout(() => application.acceptConnection(client), 2500);
    };`,
};

async function startPair(limits = {}): Promise<{ origin: TestServer; edge: TestServer }> {
  const origin = await startServer({ apps: { room }, edgeSecret, limits });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret, edgeName: 'near' });
  await edge.waitForLog('is an edge of');
  return { origin, edge };
}

/** The same with a way between them that can be cut. The limits are the edge's. */
async function startApart(limits = {}): Promise<{ origin: TestServer; edge: TestServer; way: WireCutter }> {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const way = await WireCutter.to(origin.rtmpPort);
  const edge = await startServer({ edgeOf: `rtmp://127.0.0.1:${way.port}`, edgeSecret, limits });
  await edge.waitForLog('is an edge of');
  return { origin, edge, way };
}

async function reconnectsOf(edge: TestServer): Promise<number> {
  const { origin } = (await (await fetch(`${edge.http}/api/edges`)).json()) as {
    origin: { reconnects: number; state: string };
  };
  return origin.state === 'connected' ? origin.reconnects : -1;
}

/** How many streams each edge has. */
async function edgesOf(origin: TestServer): Promise<string[]> {
  const { edges } = (await (await fetch(`${origin.http}/api/edges`)).json()) as {
    edges: { name: string; streams: number }[];
  };
  return edges.map(({ name, streams }) => `${name} ${streams}`);
}

async function publish(client: RtmpClient, name: string) {
  const stream = await client.createStream();
  expect((await stream.publish(name)).code).toBe('NetStream.Publish.Start');
  return stream;
}

const oddities: [string, (client: RtmpClient) => Promise<void>][] = [
  ['a transaction that is no number', async (client) => client.command(0, 'add', Number.NaN, null, 1, 2)],
  ['a transaction without end', async (client) => client.command(0, 'add', Infinity, null, 1, 2)],
  [
    'a seek without end in a recording',
    async (client) => {
      const stream = await client.createStream();
      await stream.play('nothing', 0);
      stream.command('seek', Infinity);
    },
  ],
  [
    'endless pictures per second',
    async (client) => {
      const stream = await client.createStream();
      stream.command('receiveVideo', Infinity);
      await stream.publish('mine');
    },
  ],
  [
    'a mode of 5,000 characters',
    async (client) => void (await (await client.createStream()).publish('odd', 'x'.repeat(5000))),
  ],
  [
    'a query of 200,000 characters',
    async (client) => void (await (await client.createStream()).play(`odd?${'x'.repeat(200_000)}`)),
  ],
  [
    'a query of control characters',
    async (client) => void (await (await client.createStream()).play(`odd?${'\u0001'.repeat(60_000)}`)),
  ],
  ['a method of 60,000 control characters', async (client) => client.send('\u0001'.repeat(60_000), 1)],
];

test.each(oddities)(
  'a client of an edge says %s: the link stays, and so do all others',
  async (_what, say) => {
    const { edge } = await startPair();
    const other = await connect(`${edge.rtmp}/room/one`);
    const odd = await connect(`${edge.rtmp}/room/one`);
    await say(odd);
    expect(await odd.call('add', 1, 1).catch(() => 2)).toBe(2);
    expect(await other.call('add', 2, 3)).toBe(5);
    expect(await reconnectsOf(edge)).toBe(0);
  },
);

test('a client that connects with odd properties to an edge costs it nothing', async () => {
  const { edge } = await startPair();
  const other = await connect(`${edge.rtmp}/room/one`);
  for (const properties of [
    { capsEx: Number.NaN, fourCcList: ['hvc1'] },
    { capsEx: Number.POSITIVE_INFINITY },
    { fourCcList: Array.from({ length: 500 }, (_, n) => `c${n}`) },
    { fourCcList: ['a codec with a name that is much too long'] },
    { swfUrl: '\u0001'.repeat(50_000), pageUrl: '\u0001'.repeat(50_000), flashVer: '\u0001'.repeat(50_000) },
  ]) {
    const client = await connect(`${edge.rtmp}/room/one`, { properties });
    const stream = await client.createStream();
    await stream.publish(`of-${JSON.stringify(properties).length}`);
    expect(await client.call('add', 1, 2)).toBe(3);
    client.destroy();
  }
  await connectRefused(`${edge.rtmp}/room/one?${'x'.repeat(40_000)}\u0001`).catch(() => {});
  expect(await other.call('add', 2, 3)).toBe(5);
  expect(await reconnectsOf(edge)).toBe(0);
});

test('a method of the script that stands in for one of the server is called through an edge, however often', async () => {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret, limits: { unansweredCalls: 20 } });
  await edge.waitForLog('is an edge of');
  const client = await connect(`${edge.rtmp}/room/one`, { args: ['counts'] });
  for (let n = 0; n < 50; n++) client.send('FCPublish', `quiet${n}`);
  for (let n = 0; n < 50; n++) expect(await client.call('FCPublish', `s${n}`)).toBe(`script s${n}`);
});

test('who publishes under a name is gone with its connection to the edge: the next one has the name', async () => {
  const { origin, edge } = await startPair();
  for (let n = 0; n < 20; n++) {
    const client = await connect(`${edge.rtmp}/room/one`);
    const first = await publish(client, 'show');
    first.video(0, avcHeader);
    const next = await (await connect(`${n % 2 ? origin.rtmp : edge.rtmp}/room/one`)).createStream();
    const answer = next.publish('show');
    client.destroy();
    expect(['NetStream.Publish.Start', 'NetStream.Publish.BadName']).toContain((await answer).code);
    next.command('closeStream');
    await next.settled();
  }
});

test('a playlist of live streams plays the second through an edge when its turn comes', async () => {
  const { origin, edge } = await startPair();
  const source = await connect(`${origin.rtmp}/room/one`);
  const [one, two] = [await publish(source, 'one'), await publish(source, 'two')];
  for (const [n, stream] of [one, two].entries()) {
    stream.video(0, avcHeader);
    stream.audio(0, aacHeader);
    stream.video(0, keyFrame(n));
  }
  const viewer = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await viewer.play('one', -1000, 6000);
  viewer.command('play', 'two', -1000, -1, false);
  await viewer.waitForMedia(keyFrame(0));
  await viewer.waitForData('onPlayStatus');
  two.video(40, interFrame(5));
  await viewer.waitForMedia(keyFrame(1));
});

test('a live stream, then a recording: a playlist through an edge plays both', async () => {
  const { origin, edge } = await startPair();
  const source = await connect(`${origin.rtmp}/room/one`);
  const film = await source.createStream();
  await film.publish('film', 'record');
  film.video(0, avcHeader);
  for (let n = 0; n < 10; n++) film.video(n * 40, keyFrame(n));
  film.command('closeStream');
  await film.status('NetStream.Unpublish.Success');
  await eventually('the recording', async () => Number(await source.call('getStreamLength', 'film')) > 0);
  const one = await publish(source, 'one');
  one.video(0, avcHeader);
  one.video(0, keyFrame(100));
  const viewer = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await viewer.play('one', -1000, 1000);
  viewer.command('play', 'film', 0, -1, false);
  await viewer.waitForMedia(keyFrame(100));
  await viewer.waitForMedia(keyFrame(9));
});

test('more clients than may wait for an instance are all taken again when the origin comes back', async () => {
  const limits = { pendingClients: 20 };
  const { origin, edge } = await startPair(limits);
  const all: RtmpClient[] = [];
  for (let n = 0; n < 15; n++)
    all.push(...(await Promise.all(Array.from({ length: 10 }, () => connect(`${edge.rtmp}/room/one`)))));
  origin.kill('SIGKILL');
  await edge.waitForLog('lost the origin');
  await startServer({ apps: { room }, edgeSecret, limits, rtmp: origin.rtmpPort });
  await eventually('all to be answered', async () => {
    const answers = await Promise.all(all.map((client) => client.call('add', 1, 1).catch(() => 0)));
    return answers.every((answer) => answer === 2);
  });
  expect(all.filter(({ isClosed }) => isClosed)).toEqual([]);
});

test('an instance that is unloaded while an edge has its streams, and comes back: they are carried again', async () => {
  const { origin, edge } = await startPair();
  const second = await startServer({ edgeOf: edge.rtmp, edgeSecret, edgeName: 'far' });
  await second.waitForLog('is an edge of');
  for (const server of [edge, second]) {
    const viewer = await (await connect(`${server.rtmp}/room/one`)).createStream();
    await viewer.play('show', -1000);
  }
  // Clients come while others are sent away: the edge has the instance all the time.
  const comes = async () => {
    for (;;) {
      const client = await connect(`${edge.rtmp}/room/one`).catch(() => undefined);
      if (client) return client;
    }
  };
  const stays = await connect(`${edge.rtmp}/room/one`);
  void stays.closed.then(comes).catch(() => {});
  await fetch(`${origin.http}/api/instances/room/one`, { method: 'DELETE' });
  const source = await publish(await comes(), 'show');
  source.video(0, avcHeader);
  source.video(0, keyFrame(3));
  for (const server of [edge, second]) {
    const viewer = await (await connect(`${server.rtmp}/room/one`)).createStream();
    await viewer.play('show', -1000);
    await viewer.waitForMedia(keyFrame(3));
  }
});

test('what is broadcast goes over the link once: 170 MB in all do not end it', async () => {
  const { origin, edge } = await startPair();
  const all = await Promise.all(Array.from({ length: 170 }, () => connect(`${edge.rtmp}/room/one`)));
  const far = await connect(`${origin.rtmp}/room/one`);
  expect(await far.call('shout', 1_000_000)).toBe(true);
  for (const client of all) expect(String((await client.waitForCall('said')).args[0]).length).toBe(1_000_000);
  expect(await reconnectsOf(edge)).toBe(0);
}, 90_000);

test('a script takes its time to accept a client: it has as long at an edge as at the origin', async () => {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret, limits: { outgoingConnectMs: 1000 } });
  await edge.waitForLog('is an edge of');
  const late = await connect(`${edge.rtmp}/room/one`, { args: ['late'] });
  expect(await late.call('add', 1, 2)).toBe(3);
});

test('what an application says of codecs that players did not announce holds at its edges', async () => {
  const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
  const [header, key] = [hex('90 68766331 0101600000'), hex('93 68766331 00000005 26011122')];
  const apps = Object.fromEntries(
    ['drop', 'refuse', 'send'].map((codecs) => [
      codecs,
      { 'app.json': JSON.stringify({ streams: { codecs } }) },
    ]),
  );
  const origin = await startServer({ apps, edgeSecret });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret });
  await edge.waitForLog('is an edge of');
  const play = async (app: string) => {
    const source = await publish(await connect(`${origin.rtmp}/${app}/one`), 'cam');
    source.video(0, header);
    source.video(0, key);
    source.audio(0, aacHeader);
    const player = await (await connect(`${edge.rtmp}/${app}/one`)).createStream();
    player.command('play', 'cam', -1000);
    return { source, player };
  };
  await (await play('send')).player.waitForMedia(key);
  await (await play('refuse')).player.status('NetStream.Play.NoSupportedTrackFound');
  const dropping = await play('drop');
  await dropping.player.status('NetStream.Play.NoSupportedTrackFound');
  dropping.source.audio(20, aacFrame(1));
  await dropping.player.waitForMedia(aacFrame(1));
  expect(dropping.player.media.filter(({ type }) => type === 9)).toEqual([]);
});

test('a player of an edge, and of an edge of that, hears of a live stream what it would at the origin, and changes over to another', async () => {
  const { origin, edge } = await startPair();
  const second = await startServer({ edgeOf: edge.rtmp, edgeSecret, edgeName: 'far' });
  await second.waitForLog('is an edge of');
  const source = await connect(`${origin.rtmp}/room/one`);
  for (const [n, name] of ['low', 'high'].entries()) {
    const stream = await publish(source, name);
    stream.video(0, avcHeader);
    stream.video(0, keyFrame(n));
  }
  for (const server of [second, edge, origin]) {
    const viewer = await (await connect(`${server.rtmp}/room/one`)).createStream();
    await viewer.play('low', -1000);
    await viewer.waitForMedia(keyFrame(0));
    viewer.command('play2', {
      streamName: 'high',
      oldStreamName: 'low',
      transition: 'switch',
      start: -1000,
      len: -1,
    });
    await viewer.status('NetStream.Play.Transition');
    expect(viewer.codes).toEqual(
      ['Play.Reset', 'Play.Start', 'Play.Transition'].map((code) => `NetStream.${code}`),
    );
  }
});

test('two edges have one stream: all of it at both, also when one has given it up for a while', async () => {
  const { origin, edge } = await startPair();
  const other = await startServer({ edgeOf: origin.rtmp, edgeSecret, edgeName: 'far' });
  await other.waitForLog('is an edge of');
  const show = await publish(await connect(`${origin.rtmp}/room/1`), 'show');
  const second = await publish(await connect(`${origin.rtmp}/room/1`), 'second');
  for (const stream of [show, second]) stream.video(0, avcHeader);
  const watch = async ({ rtmp }: TestServer, name: string) => {
    const stream = await (await connect(`${rtmp}/room/1`)).createStream();
    expect((await stream.play(name)).code).toBe('NetStream.Play.Start');
    return stream;
  };
  // In another order, so that the edges number them differently.
  const near = [await watch(edge, 'show'), await watch(edge, 'second')];
  const far = [await watch(other, 'second'), await watch(other, 'show')].reverse();
  const send = async (frame: number) => {
    show.video(frame * 40, keyFrame(frame));
    second.video(frame * 40, keyFrame(frame + 100));
    await second.settled();
  };
  for (let frame = 1; frame <= 5; frame++) await send(frame);
  for (const [shown, seconded] of [near, far]) {
    await shown!.waitForMedia(keyFrame(5));
    await seconded!.waitForMedia(keyFrame(105));
    const numbers = (stream: ClientStream) =>
      stream.media.filter(({ payload }) => payload[1] === 1).map(({ payload }) => payload.at(-1));
    expect(numbers(shown!)).toEqual([1, 2, 3, 4, 5]);
    expect(numbers(seconded!)).toEqual([101, 102, 103, 104, 105]);
  }

  near[0]!.command('closeStream');
  await eventually('the edge gives it up', async () => (await edgesOf(origin)).includes('near 1'));
  await send(6);
  await far[0]!.waitForMedia(keyFrame(6));
  const again = await watch(edge, 'show');
  await send(7);
  for (const stream of [again, far[0]!]) await stream.waitForMedia(keyFrame(7));
  await near[1]!.waitForMedia(keyFrame(107));
});

test('who plays or publishes while the way to the origin is cut has it when that is back', async () => {
  const { origin, edge, way } = await startApart();
  const live = await publish(await connect(`${origin.rtmp}/room/1`), 'live');
  const there = await connect(`${edge.rtmp}/room/1`);
  const [player, publisher] = [await there.createStream(), await there.createStream()];

  way.cut();
  await edge.waitForLog('lost the origin');
  const begins = player.play('live');
  const published = publisher.publish('back');
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(1));
  await expect(there.call('add', 1, 1)).rejects.toThrow('cannot be reached');
  expect([...player.codes, ...publisher.codes]).toEqual([]);
  way.heal();
  expect((await begins).code).toBe('NetStream.Play.Start');
  expect((await published).code).toBe('NetStream.Publish.Start');
  live.video(0, keyFrame(2));
  await player.waitForMedia(keyFrame(2));
  const watches = await (await connect(`${origin.rtmp}/room/1`)).createStream();
  await watches.play('back');
  await watches.waitForMedia(avcHeader);
  await watches.waitForMedia(keyFrame(1));
});

test('a recording of which the origin had not heard when the link was lost begins anew', async () => {
  const { origin, edge, way } = await startApart();
  const old = await connect(`${origin.rtmp}/room/1`);
  const lengthOf = async () => Number(await old.call('getStreamLength', 'film'));
  const record = async (stream: ClientStream, pictures: number) => {
    await stream.status('NetStream.Record.Start');
    stream.video(0, avcHeader);
    for (let n = 0; n <= pictures; n++) stream.video(n * 1000, keyFrame(n));
    stream.command('closeStream');
    await stream.status('NetStream.Unpublish.Success');
  };
  const before = await old.createStream();
  await before.publish('film', 'record');
  await record(before, 8);
  await eventually('the old recording', async () => (await lengthOf()) === 8);

  const publisher = await (await connect(`${edge.rtmp}/room/1`)).createStream();
  way.swallow();
  const published = publisher.publish('film', 'record');
  // It is on its way, and does not come.
  await new Promise((resolve) => setTimeout(resolve, 200));
  way.cut();
  await edge.waitForLog('lost the origin');
  way.heal();
  expect((await published).code).toBe('NetStream.Publish.Start');
  await record(publisher, 2);
  await expect.poll(lengthOf).toBe(2);
});

test('who plays or publishes while the way to the origin is cut hears of it when that takes too long', async () => {
  const { edge, way } = await startApart({ outgoingConnectMs: 300 });
  const there = await connect(`${edge.rtmp}/room/1`);
  const [player, publisher] = [await there.createStream(), await there.createStream()];
  way.cut();
  await edge.waitForLog('lost the origin');
  expect((await player.play('live')).code).toBe('NetStream.Play.Failed');
  expect((await publisher.publish('back')).code).toBe('NetStream.Publish.BadName');
  expect(there.isClosed).toBe(false);
});

test('a page that lost its edge comes back, however long the origin is away', async () => {
  const { edge, way: far } = await startApart({ outgoingConnectMs: 300 });
  const near = await WireCutter.to(Number(new URL(edge.http).port));
  const page = await connectClient(`ws://127.0.0.1:${near.port}/room/1`);
  page.reconnectMs = 200;
  const codes = codesOf(page);
  far.cut();
  await edge.waitForLog('lost the origin');
  near.cut();
  near.heal();
  await status(codes, 'NetConnection.Connect.AppShutdown');
  expect(page.reconnecting).toBe(true);
  far.heal();
  await status(codes, 'NetConnection.Connect.Success');
  expect(await page.invoke('add', 1, 2)).toBe(3);
});
