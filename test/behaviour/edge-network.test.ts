import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { Namespace, whyNoNamespaces } from '../support/namespaces.ts';
import { type ClientStream, connect, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

/** Three machines, as far as the network goes: an origin, its edge, and an edge of that. */
const edgeSecret = 'what edges and origins share';
const PORT = 1935;
const VIEWERS = 100;
const room = {
  'main.js': `
    const counts = new Map();
    application.onConnect = (client) => {
      client.count = (id) => { counts.set(id, (counts.get(id) ?? 0) + 1); return id; };
      client.most = () => Math.max(...counts.values());
      client.hasCounted = (ids) => ids.filter((id) => counts.get(id) !== 1);
      return true;
    };`,
};

const why = whyNoNamespaces();
if (why !== undefined) console.warn(`edge-network.test.ts is left out: no network namespaces here (${why})`);

/** The numbers of a viewer's pictures, in order. */
function picturesOf(stream: ClientStream): number[] {
  return stream.media
    .filter(({ type, payload }) => type === 9 && payload[1] === 1)
    .map(({ payload }) => Buffer.from(payload).readUInt32BE(payload.length - 4));
}

test.skipIf(why !== undefined)(
  'origin, edge, and edge of the edge: every frame in order for all; the origin is killed, and a cable pulled',
  async () => {
    const [a, b, c] = [new Namespace(), new Namespace(), new Namespace()];
    const cable = a.connect(b);
    const second = b.connect(c);
    const start = (namespace: Namespace, edgeOf?: string) =>
      startServer({
        apps: edgeOf === undefined ? { room } : {},
        edgeSecret,
        namespace: namespace.name,
        rtmp: PORT,
        ...(edgeOf && { edgeOf }),
      });
    const origin = await start(a);
    const edges = [await start(b, `rtmp://${cable.address}`), await start(c, `rtmp://${second.address}`)];
    for (const edge of edges) await edge.waitForLog('is an edge of');
    const urlOf = ({ address }: Namespace) => `rtmp://${address}:${PORT}/room/one`;

    const clients = new Map<Namespace, RtmpClient[]>();
    const viewers = new Map<Namespace, ClientStream[]>();
    for (const place of [a, b, c]) {
      const here = await Promise.all(Array.from({ length: VIEWERS }, () => connect(urlOf(place))));
      clients.set(place, here);
      viewers.set(
        place,
        await Promise.all(
          here.map(async (client) => {
            const stream = await client.createStream();
            expect((await stream.play('show')).code).toBe('NetStream.Play.Start');
            return stream;
          }),
        ),
      );
    }
    let source = await publish(urlOf(a));
    let n = 0;
    const next = () => {
      source.video(n * 20, n % 50 === 0 ? keyFrame(n) : interFrame(n));
      return n++;
    };
    const everybody = [...viewers.values()].flat();
    for (; n < 200; next()) if (n % 20 === 0) await source.settled();
    await Promise.all(everybody.map((viewer) => viewer.waitForMedia(interFrame(199))));
    for (const viewer of everybody)
      expect(picturesOf(viewer)).toEqual(Array.from({ length: 200 }, (_, id) => id));

    // The cable is pulled, longer than anybody waits for a sign of life.
    const far = clients.get(c)![0]!;
    const answers: (number | 'failed')[] = [];
    const asked: number[] = [];
    const ask = async (id: number) => {
      asked.push(id);
      answers.push(await far.call('count', id).then(Number, () => 'failed' as const));
    };
    const asking: Promise<void>[] = [];
    cable.down();
    const isDown = eventually('the edge to notice', () =>
      edges[0]!.log.entries.some(({ message }) => message.includes('lost the origin')),
    );
    for (let id = 0; id < 50; id++) asking.push(ask(id));
    for (let frames = 0; frames < 100; frames++) next();
    await isDown;
    for (let id = 50; id < 100; id++) asking.push(ask(id));
    cable.up();
    await eventually('an answer', async () => (await far.call('count', 1000).catch(() => 0)) === 1000);
    await Promise.all(asking);
    expect(answers.length).toBe(100);
    expect(answers.filter((answer) => answer !== 'failed' && !asked.includes(answer))).toEqual([]);
    const done = answers.filter((answer) => answer !== 'failed');
    expect(await clients.get(a)![0]!.call('hasCounted', done)).toEqual([]);
    while (n % 50 !== 0) next();
    const marked = next();
    await Promise.all(everybody.map((viewer) => viewer.waitForMedia(keyFrame(marked))));
    for (const viewer of everybody) {
      const seen = picturesOf(viewer);
      expect(seen).toEqual([...new Set(seen)].sort((one, other) => one - other));
    }
    expect(everybody.every(({ codes }) => !codes.includes('NetStream.Play.Failed'))).toBe(true);

    // The origin dies, and comes back at the same address.
    origin.kill('SIGKILL');
    await origin.exited;
    const again = await startServer({ apps: { room }, edgeSecret, namespace: a.name, rtmp: PORT });
    await again.waitForLog((r) => r.message.startsWith('the edge ') && r.message.includes('is connected'));
    source = await publish(urlOf(a));
    const beganAt = performance.now();
    const marks = [b, c]
      .flatMap((place) => viewers.get(place)!)
      .map((viewer) => ({ viewer, from: viewer.mark }));
    source.video(0, keyFrame(5000));
    await Promise.all(marks.map(({ viewer, from }) => viewer.waitForMedia(keyFrame(5000), from)));
    console.info(
      `first frame at all viewers of the edges ${Math.round(performance.now() - beganAt)} ms after it was sent`,
    );
    for (const place of [b, c]) expect(clients.get(place)!.filter(({ isClosed }) => isClosed)).toEqual([]);
  },
  120_000,
);

async function publish(url: string): Promise<ClientStream> {
  const stream = await (await connect(url)).createStream();
  expect((await stream.publish('show')).code).toBe('NetStream.Publish.Start');
  stream.video(0, avcHeader);
  return stream;
}
