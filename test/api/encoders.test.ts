import { expect, test } from 'vitest';
import { aacFrame, aacHeader } from '../support/media.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { bandwidthCheckMs: 500 },
  apps: {
    rows: { 'main.js': runsCode },
    empty: { 'README.md': 'No script here.' },
    hooked: {
      'main.asc': `
        application.onConnect = function (client) { application.acceptConnection(client); };
        function hook(name) { Client.prototype[name] = function (wanted) { this.call("hooked", null, name, wanted); return "mine"; }; }
        hook("releaseStream"); hook("FCPublish"); hook("FCUnpublish"); hook("_checkbw"); hook("checkBandwidth");`,
    },
  },
});

const hooks = async (name: string) => {
  const client = await connect(`${server.rtmp}/hooked/room`);
  expect(await client.call(name, 'feed?key=1')).toBe('mine');
  expect(client.callsOf('hooked')).toEqual([[name, 'feed?key=1']]);
};

test('ENC-01: releaseStream is answered, or goes to the script that has it, query included', async () => {
  const client = await connect(`${server.rtmp}/rows/release`);
  expect(await client.call('releaseStream', 'feed')).toBeUndefined();
  await hooks('releaseStream');
});

test('ENC-02: FCPublish is answered and followed by onFCPublish, or goes to the script that has it', async () => {
  const client = await connect(`${server.rtmp}/rows/fcpublish`);
  expect(await client.call('FCPublish', 'feed')).toBeUndefined();
  expect((await client.waitForCall('onFCPublish')).args).toMatchObject([
    { code: 'NetStream.Publish.Start', level: 'status', description: 'feed' },
  ]);
  await hooks('FCPublish');
});

test('ENC-03: FCUnpublish is answered and followed by onFCUnpublish, or goes to the script that has it', async () => {
  const client = await connect(`${server.rtmp}/rows/fcunpublish`);
  expect(await client.call('FCUnpublish', 'feed')).toBeUndefined();
  expect((await client.waitForCall('onFCUnpublish')).args).toMatchObject([
    { code: 'NetStream.Unpublish.Success', description: 'feed' },
  ]);
  await hooks('FCUnpublish');
});

test('ENC-04: FCSubscribe is answered and followed by onFCSubscribe', async () => {
  const client = await connect(`${server.rtmp}/rows/fcsubscribe`);
  expect(await client.call('FCSubscribe', 'feed')).toBeUndefined();
  expect((await client.waitForCall('onFCSubscribe')).args).toMatchObject([
    { code: 'NetStream.Play.Start', description: 'feed' },
  ]);
});

test('ENC-05: FCUnsubscribe is answered and followed by onFCUnsubscribe', async () => {
  const client = await connect(`${server.rtmp}/rows/fcunsubscribe`);
  expect(await client.call('FCUnsubscribe', 'feed')).toBeUndefined();
  expect((await client.waitForCall('onFCUnsubscribe')).args).toMatchObject([{ description: 'feed' }]);
});

test('ENC-06: _checkbw is answered quietly, or goes to the script that has it', async () => {
  const client = await connect(`${server.rtmp}/rows/checkbw`);
  expect(await client.call('_checkbw')).toBeUndefined();
  await hooks('_checkbw');
});

const measured = { onBWCheck: () => 0 };

test('ENC-07: checkBandwidth measures the client with onBWCheck and tells it with onBWDone', async () => {
  const client = await connect(`${server.rtmp}/rows/bandwidth`, { methods: measured });
  await client.call('checkBandwidth');
  const { args } = await client.waitForCall('onBWDone');
  expect(args).toHaveLength(4);
  const [kbps, kilobits] = args as number[];
  expect(kbps).toBeGreaterThan(0);
  expect(kilobits).toBeGreaterThan(100);
  const sizes = client.callsOf('onBWCheck').map(([data]) => String(data).length);
  expect(sizes.slice(0, 3)).toEqual([0, 16_384, 32_768]);
  const plain = await connect(`${server.rtmp}/empty/bandwidth`, { methods: measured });
  await plain.call('checkBandwidth');
  await plain.waitForCall('onBWDone');
  await hooks('checkBandwidth');
});

test('CLI-24: client.checkBandwidth does so from the script; a client that knows no onBWCheck is told at once', async () => {
  const client = await connect(`${server.rtmp}/rows/by-script`, { methods: measured });
  await run(client, 'client.checkBandwidth(); client.checkBandwidth();');
  await client.waitForCall('onBWDone');
  await run(client, 'return 1');
  expect(client.callsOf('onBWDone')).toHaveLength(1);
  const plain = await connect(`${server.rtmp}/rows/by-script`);
  await run(plain, 'client.checkBandwidth()');
  expect((await plain.waitForCall('onBWDone')).args).toEqual([0, 0, 0, 0]);
});

test('CFG-33: limits.bandwidthCheckMs bounds how long that takes', async () => {
  const slow = () => new Promise((resolve) => setTimeout(resolve, 200, 0));
  const client = await connect(`${server.rtmp}/rows/slow`, { methods: { onBWCheck: slow } });
  await client.call('checkBandwidth');
  await client.waitForCall('onBWDone');
  expect(client.callsOf('onBWCheck').length).toBeLessThanOrEqual(4);
});

for (const [id, medium, other] of [
  ['CLI-02', 'audio', 'video'],
  ['CLI-03', 'video', 'audio'],
] as const) {
  test(`${id}: ${medium}SampleAccess names the streams whose ${medium} the player may read raw`, async () => {
    const publisher = await connect(`${server.rtmp}/rows/${medium}`);
    for (const name of ['open/feed', 'closed']) {
      const feed = await publisher.createStream();
      await feed.publish(name);
      feed.audio(0, aacHeader);
      feed.audio(10, aacFrame(1));
    }
    const player = await connect(`${server.rtmp}/rows/${medium}`);
    expect(await run(player, `return client.${medium}SampleAccess`)).toBe('');
    await run(player, `client.${medium}SampleAccess = 'open'`);
    const told = async (name: string) => {
      const stream = await player.createStream();
      await stream.play(name);
      await run(player, 'return 1');
      return player.received.entries
        .filter(({ name }) => name === '|RtmpSampleAccess')
        .map(({ args }) => ['|RtmpSampleAccess', ...args]);
    };
    const allowed = { audio: medium === 'audio', video: other === 'audio' };
    expect(await told('closed')).toEqual([]);
    expect(await told('open/feed')).toEqual([['|RtmpSampleAccess', allowed.audio, allowed.video]]);
  });
}
