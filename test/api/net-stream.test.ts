import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame, metadata } from '../support/media.ts';
import { type ClientStream, connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { TestServer, useServer } from '../support/server.ts';

const FAR = { 'main.js': 'application.onConnect = () => true;' };
const far = await new TestServer({ apps: { far: FAR } }).ready();
afterAll(() => far.destroy());

const near = useServer({
  apps: {
    near: {
      'main.js': runsCode,
      'app.json': JSON.stringify({ connect: { hosts: [new URL(far.rtmp).host], apps: ['far'] } }),
    },
    far: FAR,
  },
});

const begins = `
  const told = (stream, code) => new Promise((done) => {
    const look = () => { if (stream.heard.some((info) => info.code === code)) done(); else setTimeout(look, 5); };
    look();
  });
  const make = (nc) => {
    const ns = new NetStream(nc);
    ns.heard = [];
    ns.onStatus = (info) => void ns.heard.push(info);
    return ns;
  };`;
/** Runs code of the script with `nc`, a connection to that address, and `ns`, a NetStream over it that remembers what it heard. */
function linked(client: RtmpClient, uri: string, code: string, ...args: unknown[]): Promise<unknown> {
  const whole = `${begins}
    const nc = new NetConnection();
    const [uri, ...rest] = args;
    nc.connect(uri);
    const ns = application.ns = make(nc);
    return (async () => { ${code} })();`;
  return run(client, whole, uri, ...args);
}
/** Further code, with `ns` as it was. */
const later = (client: RtmpClient, code: string) =>
  run(client, `${begins} const ns = application.ns; return (async () => { ${code} })();`);

function show(stream: ClientStream, from: number): void {
  if (from === 0) {
    stream.data(0, '@setDataFrame', 'onMetaData', metadata);
    stream.video(0, avcHeader);
    stream.audio(0, aacHeader);
  }
  stream.video(from, keyFrame(from));
  stream.audio(from + 10, aacFrame(from));
  stream.video(from + 40, interFrame(from));
}

let rooms = 0;

describe.each([
  ['over a socket', () => `${far.rtmp}/far/`, () => far],
  ['on the same server', () => 'rtmp:/far/', () => near],
])('%s', (_, to, server) => {
  /** A client of the script, one that publishes `cam` there, and a viewer of `out` on the other side. */
  async function enter() {
    const room = `room${rooms++}`;
    const client = await connect(`${near.rtmp}/near/${room}`);
    const cam = await client.createStream();
    await cam.publish('cam');
    const there = await connect(`${server().rtmp}/far/${room}`);
    const viewer = await there.createStream();
    await viewer.play('out', -1000);
    return { room, client, cam, there, viewer, uri: `${to()}${room}` };
  }

  test('SNS-01: new NetStream needs a NetConnection, and several may share one', async () => {
    const { client, cam, there, viewer, uri } = await enter();
    expect(
      await linked(
        client,
        uri,
        `const other = make(nc);
        for (const [stream, name] of [[ns, 'out'], [other, 'more']]) {
          stream.attach(Stream.get('cam'));
          stream.publish(name);
          await told(stream, 'NetStream.Publish.Start');
        }
        let refusal = '';
        try { new NetStream({}); } catch (error) { refusal = String(error); }
        return [ns instanceof NetStream, refusal];`,
      ),
    ).toEqual([true, 'TypeError: NetStream: expected a NetConnection, got an object']);
    const more = await there.createStream();
    await more.play('more', -1000);
    show(cam, 0);
    await viewer.waitForMedia(interFrame(0));
    await more.waitForMedia(interFrame(0));
  });

  test('STR-17: play with a NetConnection takes a stream of the other side', async () => {
    const { client, there, uri } = await enter();
    const source = await there.createStream();
    await source.publish('show');
    expect(await linked(client, uri, `return Stream.get('mirror').play('show', -1, -1, true, nc);`)).toBe(
      true,
    );
    const viewer = await client.createStream();
    await viewer.play('mirror', -1000);
    show(source, 0);
    await viewer.waitForMedia(interFrame(0));
    expect((await viewer.waitForData('onMetaData')).args[0]).toMatchObject(metadata);
  });

  test('SNS-02: attach sends a stream from its last key frame on, with what goes before; false sends nothing', async () => {
    const { client, cam, viewer, uri } = await enter();
    await linked(client, uri, `ns.publish('out'); await told(ns, 'NetStream.Publish.Start');`);
    show(cam, 0);
    show(cam, 1000);
    await cam.settled();
    expect(await later(client, `return ns.attach(Stream.get('cam'));`)).toBe(true);
    await viewer.waitForMedia(interFrame(1000));
    expect((await viewer.waitForData('onMetaData')).args[0]).toMatchObject(metadata);
    expect(viewer.media.map(({ payload }) => Buffer.from(payload).toString('hex'))).not.toContain(
      Buffer.from(keyFrame(0)).toString('hex'),
    );
    await viewer.waitForMedia(avcHeader);
    await viewer.waitForMedia(aacHeader);
    expect(await later(client, `return ns.attach(false);`)).toBe(true);
    show(cam, 2000);
    await cam.settled();
    await later(client, `ns.send('end');`);
    await viewer.waitForData('end');
    const hex = Buffer.from(keyFrame(2000)).toString('hex');
    expect(viewer.media.filter(({ payload }) => Buffer.from(payload).toString('hex') === hex)).toEqual([]);
  });

  test('SNS-03: publish makes the stream there, recorded when it says so; false ends it', async () => {
    const { room, client, cam, viewer, uri } = await enter();
    const code = `
      ns.attach(Stream.get('cam'));
      const asked = [ns.publish('out', 'record'), ns.publish('out')];
      await told(ns, 'NetStream.Record.Start');
      return asked;`;
    expect(await linked(client, uri, code)).toEqual([true, false]);
    show(cam, 0);
    await viewer.waitForMedia(interFrame(0));
    expect(
      await later(
        client,
        `const was = ns.publish(false); await told(ns, 'NetStream.Unpublish.Success'); return [was, ns.publish(false)];`,
      ),
    ).toEqual([true, false]);
    await viewer.status('NetStream.Play.UnpublishNotify');
    const file = join(server().appsFolder, 'far/streams', room, 'out.flv');
    await eventually('the recording', () => existsSync(file) && statSync(file).size > 100);
    const from = viewer.mark;
    for (const mode of ['append', 'appendWithGap', 'live'])
      await later(
        client,
        `ns.heard.length = 0; ns.publish('out', '${mode}'); await told(ns, 'NetStream.Publish.Start'); ns.publish(false); await told(ns, 'NetStream.Unpublish.Success');`,
      );
    await viewer.status('NetStream.Play.PublishNotify', from);
  });

  test('SNS-04: send calls a handler of who plays it there, and sets data frames', async () => {
    const { client, viewer, there, uri } = await enter();
    const code = `
      const early = ns.send('cue', 0);
      ns.publish('out');
      await told(ns, 'NetStream.Publish.Start');
      return [early, ns.send('cue', 1, { a: [2] }), ns.send('@setDataFrame', 'onMetaData', { width: 5 })];`;
    expect(await linked(client, uri, code)).toEqual([false, true, true]);
    expect((await viewer.waitForData('cue')).args).toEqual([1, { a: [2] }]);
    await viewer.waitForData('onMetaData');
    const late = await there.createStream();
    await late.play('out', -1000);
    expect((await late.waitForData('onMetaData')).args[0]).toMatchObject({ width: 5 });
  });

  test('SNS-05: setBufferTime takes seconds, before and while it is published', async () => {
    const { client, cam, viewer, uri } = await enter();
    const code = `
      ns.attach(Stream.get('cam'));
      const asked = [ns.setBufferTime(3.5)];
      ns.publish('out');
      await told(ns, 'NetStream.Publish.Start');
      asked.push(ns.setBufferTime(2), ns.bufferTime);
      return asked;`;
    expect(await linked(client, uri, code)).toEqual([true, true, 2]);
    show(cam, 0);
    await viewer.waitForMedia(interFrame(0));
  });

  test('SNS-06: bufferTime is 0, or what was set, and cannot be set itself', async () => {
    const { client, uri } = await enter();
    const code =
      'const seen = [ns.bufferTime]; ns.setBufferTime(1.5); ns.bufferTime = 9; return [...seen, ns.bufferTime];';
    expect(await linked(client, uri, code)).toEqual([0, 1.5]);
  });

  test('SNS-07: time is how long the other side takes it', async () => {
    const { client, uri } = await enter();
    const code = `
      const wait = (is) => new Promise((done) => { const look = () => { if (is()) done(); else setTimeout(look, 5); }; look(); });
      const before = ns.time;
      ns.publish('out');
      const asked = ns.time;
      await told(ns, 'NetStream.Publish.Start');
      await wait(() => ns.time > 0.05);
      ns.publish(false);
      await told(ns, 'NetStream.Unpublish.Success');
      const ended = ns.time;
      const now = Date.now();
      await wait(() => Date.now() > now + 20);
      return [before, asked, ended > 0.05, ns.time === ended];`;
    expect(await linked(client, uri, code)).toEqual([0, 0, true, true]);
  });

  test('SNS-08: onStatus hears what the other side says, and why it has ended', async () => {
    const { client, there, uri } = await enter();
    const taken = await there.createStream();
    await taken.publish('taken');
    const code = `
      ns.publish('taken');
      await told(ns, 'NetStream.Publish.BadName');
      ns.publish('out');
      await told(ns, 'NetStream.Publish.Start');
      ns.publish('twice');
      await told(ns, 'NetStream.Failed');
      nc.close();
      await new Promise((done) => { const look = () => { if (ns.heard.length === 4) done(); else setTimeout(look, 5); }; look(); });
      const closed = ns.publish('out');
      return [...ns.heard.map(({ level, code, description }) => [level, code, description]), closed];`;
    expect(await linked(client, uri, code)).toEqual([
      ['error', 'NetStream.Publish.BadName', 'taken is already publishing'],
      ['status', 'NetStream.Publish.Start', 'out is now published.'],
      ['error', 'NetStream.Failed', 'This NetStream is publishing already.'],
      ['error', 'NetStream.Failed', 'out: the connection is closed.'],
      false,
    ]);
  });
});
