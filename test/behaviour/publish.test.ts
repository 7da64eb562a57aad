import { expect, test } from 'vitest';
import { keyFrame } from '../support/media.ts';
import { type ClientStream, connect, type Info, type RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { streamsPerConnection: 3, authorizeMs: 300 },
  apps: {
    open: { 'README.md': 'no script' },
    gate: {
      'main.ts': `
        const seen = [];
        const verdicts = {
          yes: () => true, no: () => false, why: () => 'wrong key', nothing: () => undefined, one: () => 1,
          throws: () => { throw new Error('hidden'); },
          later: async () => { await null; return true; },
          laterNo: () => new Promise((resolve) => setTimeout(() => resolve('too late'), 20)),
          rejects: () => Promise.reject(new Error('hidden')),
          never: () => new Promise(() => {}),
        };
        const decide = (client, stream) => {
          seen.push([stream.name, stream.publishQueryString]);
          stream.marked = true;
          return (verdicts[stream.name] ?? verdicts.yes)();
        };
        application.onConnect = () => true;
        application.authorizePublish = decide;
        application.authorizePlay = decide;
        application.onPublish = (client, stream) => {
          client.stream = stream;
          trace('publish ' + stream.name + '?' + stream.publishQueryString + ' ' + stream.marked + ' ' + (stream instanceof Stream));
        };
        application.onUnpublish = (client, stream) =>
          trace('unpublish ' + stream.name + ' ' + (stream === client.stream));
        Client.prototype.seen = () => seen.splice(0);
        Client.prototype.FCPublish = function (name) { return 'script ' + name; };
        Client.prototype.getStreamLength = (name) => name.length;`,
    },
    keys: {
      'main.asc': `
        application.onConnect = function (client) { client.writeAccess = ""; return true; };
        Client.prototype.FCPublish = function (name) {
          var me = this;
          return new Promise(function (resolve) {
            setTimeout(function () { if (name == "camera?key=1") me.writeAccess = "/"; resolve(); }, 50);
          });
        };
        Client.prototype.never = function () { return new Promise(function () {}); };`,
    },
    plain: {
      'main.ts': `
        application.onConnect = () => true;
        application.onPublish = (client, stream) => { trace('publish ' + stream.name); return false; };
        application.onUnpublish = (client, stream) => trace('unpublish ' + stream.name);`,
    },
  },
});

const open = (path = 'open') => connect(`${server.rtmp}/${path}`);

test('streams are numbered from 1, and a deleted number is used again', async () => {
  const client = await open();
  const ids = [await client.createStream(), await client.createStream(), await client.createStream()];
  expect(ids.map(({ id }) => id)).toEqual([1, 2, 3]);
  expect(await client.callFails('createStream')).toMatchObject({ level: 'error' });
  client.send('deleteStream', 2);
  expect((await client.createStream()).id).toBe(2);
});

test('a publisher that FCPublish gives access has it, however soon it publishes', async () => {
  const publish = async (key: string) => {
    const client = await open('keys');
    client.send('FCPublish', `camera?key=${key}`);
    const stream = await client.createStream();
    return (await stream.publish(`camera?key=${key}`)).code;
  };
  expect(await publish('1')).toBe('NetStream.Publish.Start');
  expect(await publish('2')).toBe('NetStream.Publish.BadName');
  // Nor does anybody wait for ever.
  const client = await open('keys');
  void client.startCall('never');
  const stream = await client.createStream();
  expect(await stream.publish('other')).toMatchObject({ description: 'No write access to other.' });
});

test('so many requests of a client wait for its calls, and others are refused at once', async () => {
  const client = await open('keys');
  void client.startCall('never');
  const [early, late] = [await client.createStream(), await client.createStream()];
  const refused: string[] = [];
  const first = early.publish('first').then(() => refused.push('first'));
  for (let i = 0; i < 15; i++) {
    late.command('publish', `other${i}`);
    late.command('closeStream');
  }
  await Promise.all([first, late.publish('last').then(() => refused.push('last'))]);
  expect(refused).toEqual(['last', 'first']);
});

test('the answer to createStream is null and a number', async () => {
  const client = await open();
  expect(await client.startCall('createStream')).toMatchObject({ name: '_result', object: null, args: [1] });
});

test('deleteStream of an unknown or odd number is harmless', async () => {
  const client = await open();
  for (const odd of [99, -1, 0.5, Number.NaN, 'name', null]) client.send('deleteStream', odd);
  expect(await client.startCall('deleteStream', 7)).toMatchObject({ name: '_result' });
  expect((await client.createStream()).id).toBe(1);
});

test('a publisher is told StreamBegin and Publish.Start on its stream', async () => {
  const client = await open();
  const stream = await client.createStream();
  expect(await stream.publish('cam')).toEqual({
    level: 'status',
    code: 'NetStream.Publish.Start',
    description: 'cam is now published.',
    details: 'cam',
    clientid: expect.anything(),
  });
  const begins = client.received.entries.filter(({ type }) => type === 4);
  expect(Buffer.from(begins.at(-1)!.payload).toString('hex')).toBe('000000000001');
  const status = client.received.entries.find(({ name }) => name === 'onStatus');
  expect(status).toMatchObject({ transaction: 0, object: null, streamId: 1 });
});

test('a name that is taken is BadName, and the first publisher goes on', async () => {
  const [first, second] = [await open('open/taken'), await open('open/taken')];
  const stream = await first.createStream();
  await stream.publish('cam');
  const other = await second.createStream();
  expect(await other.publish('cam')).toMatchObject({
    level: 'error',
    code: 'NetStream.Publish.BadName',
    details: 'cam',
  });
  const again = await first.createStream();
  expect((await again.publish('cam')).code).toBe('NetStream.Publish.BadName');

  const viewer = await second.createStream();
  await viewer.play('cam');
  stream.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  expect(stream.codes).toEqual(['NetStream.Publish.Start']);
  expect((await other.publish('other')).code).toBe('NetStream.Publish.Start');
});

test('the same name in another instance is free', async () => {
  const [a, b] = [await open('open/a'), await open('open/b')];
  expect((await (await a.createStream()).publish('cam')).code).toBe('NetStream.Publish.Start');
  expect((await (await b.createStream()).publish('cam')).code).toBe('NetStream.Publish.Start');
});

const endings: { name: string; end: (stream: ClientStream, client: RtmpClient) => void; hears: boolean }[] = [
  { name: 'closeStream', end: (stream) => stream.command('closeStream'), hears: true },
  { name: 'publish(false)', end: (stream) => stream.command('publish', false), hears: true },
  { name: 'deleteStream', end: (stream, client) => client.send('deleteStream', stream.id), hears: true },
  { name: 'a closed socket', end: (_, client) => void client.close(), hears: false },
  { name: 'a reset', end: (_, client) => void client.reset(), hears: false },
];
for (const [index, { name, end, hears }] of endings.entries()) {
  test(`${name} ends a publication: its viewers stay, and the name is free`, async () => {
    const path = `plain/end${index}`;
    const client = await open(path);
    const stream = await client.createStream();
    await stream.publish('cam');
    const watcher = await open(path);
    const viewer = await watcher.createStream();
    await viewer.play('cam');
    end(stream, client);
    expect(await viewer.status('NetStream.Play.UnpublishNotify')).toMatchObject({
      level: 'status',
      description: 'cam is now unpublished.',
      details: 'cam',
    });
    if (hears) expect(await stream.status('NetStream.Unpublish.Success')).toMatchObject({ details: 'cam' });
    await server.waitForLog((r) => r.instance === path && r.message === 'unpublish cam');

    const next = await open(path);
    expect((await (await next.createStream()).publish('cam')).code).toBe('NetStream.Publish.Start');
    await viewer.status('NetStream.Play.PublishNotify');
    await server.expectTraces(path, ['publish cam', 'unpublish cam', 'publish cam']);
  });
}

const allowed = [
  { name: 'yes', isAllowed: true },
  { name: 'later', isAllowed: true },
  { name: 'no', isAllowed: false },
  { name: 'why', isAllowed: false, description: 'wrong key' },
  { name: 'nothing', isAllowed: false },
  { name: 'one', isAllowed: false },
  { name: 'throws', isAllowed: false },
  { name: 'laterNo', isAllowed: false, description: 'too late' },
  { name: 'rejects', isAllowed: false },
  { name: 'never', isAllowed: false },
];
for (const { name, isAllowed, description } of allowed) {
  test(`a verdict of "${name}" ${isAllowed ? 'lets' : 'forbids'} publish and play`, async () => {
    const client = await open(`gate/${name}`);
    const publisher = await client.createStream();
    const viewer = await client.createStream();
    const published: Info = await publisher.publish(`${name}?key=a&b=c`);
    const played: Info = await viewer.play(`${name}?token=1`);
    expect(published.code).toBe(isAllowed ? 'NetStream.Publish.Start' : 'NetStream.Publish.BadName');
    expect(played.code).toBe(isAllowed ? 'NetStream.Play.Start' : 'NetStream.Play.Failed');
    if (description) expect([published.description, played.description]).toEqual([description, description]);
    expect(`${published.description} ${played.description}`).not.toContain('hidden');
    expect(await client.call('seen')).toEqual([
      [name, 'key=a&b=c'],
      [name, isAllowed ? 'key=a&b=c' : expect.any(String)],
    ]);
    if (isAllowed) return;
    expect((await publisher.publish('yes')).code).toBe('NetStream.Publish.Start');
    expect((await viewer.play('yes')).code).toBe('NetStream.Play.Start');
  });
}

test('onPublish and onUnpublish get the stream that authorizePublish saw', async () => {
  const client = await open('gate/same');
  const stream = await client.createStream();
  await stream.publish('cam?key=1');
  stream.command('closeStream');
  await server.waitForLog((r) => r.instance === 'gate/same' && r.message.startsWith('unpublish'));
  await server.expectTraces('gate/same', ['publish cam?key=1 true true', 'unpublish cam true']);
});

const names = ['show', 'show.flv', 'flv:show', 'flv:show.flv', 'mp4:show', 'mp4:show.mp4', 'f4v:show.f4v'];
names.push(
  'mp3:show',
  'mp3:show.mp3',
  'raw:show',
  'show.FLV',
  'show.mp4',
  'show.mov',
  'show.mp4.flv',
  'mp4:show.flv',
);
test.each(names)(
  'a script decides about %s as show, and the client hears the name that it said',
  async (name) => {
    const client = await open(`gate/${Buffer.from(name).toString('hex')}`);
    for (const act of ['play', 'publish'] as const) {
      const stream = await client.createStream();
      expect((await stream[act](`${name}?key=1`)).details).toBe(name.replace(/^\w+:/, ''));
      expect(await client.call('seen')).toEqual([['show', 'key=1']]);
    }
  },
);

test('a recording that may not be played may not be under any of its names', async () => {
  const client = await open('gate/no');
  const file = await client.createStream();
  await file.publish('yes', 'record');
  file.video(0, keyFrame(1));
  for (const name of ['no', 'no.flv', 'flv:no', 'mp4:no.mp4', 'mp4:no.flv', 'no.flv.flv']) {
    const stream = await client.createStream();
    expect((await stream.play(name, 0)).code).toBe('NetStream.Play.Failed');
    expect((await stream.publish(name, 'record')).code).toBe('NetStream.Publish.BadName');
    client.send('deleteStream', stream.id);
  }
});

test('media sent ahead of the verdict is not lost', async () => {
  const client = await open('gate/early');
  const watcher = await open('gate/early');
  const viewer = await watcher.createStream();
  await viewer.play('later');
  const stream = await client.createStream();
  const verdict = stream.publish('later');
  stream.video(0, keyFrame(9));
  expect((await verdict).code).toBe('NetStream.Publish.Start');
  await viewer.waitForMedia(keyFrame(9));
});

test('a NetStream that publishes cannot publish a second name', async () => {
  const client = await open('open/second');
  const stream = await client.createStream();
  await stream.publish('one');
  expect(await stream.publish('two')).toMatchObject({ level: 'error' });
  const viewer = await client.createStream();
  await viewer.play('one');
  stream.video(0, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
});

for (const name of ['', '../x', 'a//b', '/abs', 'a\\b', 'a\u0000b', '.x']) {
  test(`${JSON.stringify(name)} is no name for a stream`, async () => {
    const client = await open('open/names');
    expect((await (await client.createStream()).publish(name)).code).toBe('NetStream.Publish.BadName');
    expect((await (await client.createStream()).play(name)).code).toBe('NetStream.Play.Failed');
  });
}

test('names may have folders, prefixes and a query', async () => {
  const client = await open('open/folders');
  const stream = await client.createStream();
  expect((await stream.publish('flv:shows/late/cam?x=1')).code).toBe('NetStream.Publish.Start');
  const viewer = await client.createStream();
  await viewer.play('shows/late/cam');
  stream.video(0, keyFrame(3));
  await viewer.waitForMedia(keyFrame(3));
});

test('encoder commands have answers without a script', async () => {
  const client = await open('open/encoder');
  for (const name of [
    'releaseStream',
    'FCPublish',
    'FCUnpublish',
    'FCSubscribe',
    '_checkbw',
    'checkBandwidth',
  ]) {
    expect(await client.startCall(name, 'cam?key=1'), name).toMatchObject({ name: '_result', object: null });
  }
  expect(await client.call('getStreamLength', 'cam')).toBe(0);
  expect((await client.waitForCall('onFCPublish')).args[0]).toMatchObject({
    code: 'NetStream.Publish.Start',
  });
  expect((await client.waitForCall('onFCUnpublish')).args[0]).toMatchObject({
    code: 'NetStream.Unpublish.Success',
  });
  expect((await client.waitForCall('onFCSubscribe')).args[0]).toMatchObject({ code: 'NetStream.Play.Start' });
});

test('a script that defines an encoder command answers it, query and all', async () => {
  const client = await open('gate/override');
  expect(await client.call('FCPublish', 'cam?key=1')).toBe('script cam?key=1');
  expect(await client.call('getStreamLength', 'four')).toBe(4);
  expect(await client.startCall('releaseStream', 'cam')).toMatchObject({ name: '_result' });
  expect(client.callsOf('onFCPublish')).toEqual([]);
});

test('a stream command on stream 0 means the only stream', async () => {
  const client = await open('open/zero');
  const stream = await client.createStream();
  client.command(0, 'publish', 0, null, 'cam', 'live');
  expect(await stream.status('NetStream.Publish.Start')).toMatchObject({ details: 'cam' });
});

test('publishing on a stream that was never created fails the call', async () => {
  const client = await open('open/unknown');
  client.command(5, 'publish', 77, null, 'cam', 'live');
  const answer = await client.received.waitFor('an answer', (r) => r.transaction === 77);
  expect(answer).toMatchObject({ name: '_error', args: [{ level: 'error' }] });
});
