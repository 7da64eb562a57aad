import { describe, expect, test } from 'vitest';
import type { Transport, WireFormat } from '../../../host/rtmp/ports.ts';
import { LiveStream } from '../../../host/streams/live-stream.ts';
import { Viewer } from '../../../host/streams/viewer.ts';
import { Windows } from '../../../host/streams/windows.ts';
import { CodecSupport } from '../../../wire/codecs.ts';
import { encodeData } from '../../../wire/commands.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { DEADLINE_MS, eventually } from '../../support/journal.ts';

const windows = new Windows();
const limits = { gopBytes: 1000, viewerQueueBytes: 1000, viewerDelayMs: 1000, slowViewerMs: 50 };

/** One word a message, of a fixed length. */
class NotingFormat implements WireFormat {
  readonly name: string;
  serialized = 0;
  readonly kept: ArrayBufferLike[] = [];

  constructor(name: string) {
    this.name = name;
  }

  lengthOf(): number {
    return 16;
  }

  serializeInto(target: Uint8Array, at: number, message: RtmpMessage, streamId: number): number {
    this.serialized++;
    this.kept.push(message.payload.buffer);
    const word = `${nameOf(message)}@${message.timestamp}${streamId === 1 ? '' : `#${streamId}`}`;
    target.set(Buffer.from(word.padEnd(16)), at);
    return at + 16;
  }
}

const plain = new NotingFormat('test');

/** A transport that notes what is written, one word a message, and can be told to be slow. */
class NotingTransport implements Transport {
  readonly protocol = 'test';
  readonly isSecure = false;
  readonly address = '';
  readonly format: NotingFormat;
  queuedBytes = 0;
  codecs = CodecSupport.all;
  readonly writes: string[] = [];

  constructor(format = plain) {
    this.format = format;
  }

  get words(): string[] {
    return this.writes.flatMap((write) => write.trim().split(/ +/));
  }

  write(bytes: Buffer, _messages: number, onWritten?: () => void): void {
    this.writes.push(bytes.toString());
    onWritten?.();
  }

  readonly traffic = {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    messagesDropped: 0,
    pingMs: 0,
  };
  ping(): boolean {
    return true;
  }
  isAlive(): Promise<boolean> {
    return Promise.resolve(true);
  }
  limitBandwidth(): void {}
  send(): void {}
  setReading(): void {}
  accepted(): void {}
  fail(error: unknown): void {
    throw error;
  }
  close(): void {}
}

const bodies: Record<string, { type: number; payload: number[] }> = {
  config: { type: MessageType.Video, payload: [0x17, 0, 0, 0, 0, 1, 2] },
  key: { type: MessageType.Video, payload: [0x17, 1, 0, 0, 0, 9] },
  inter: { type: MessageType.Video, payload: [0x27, 1, 0, 0, 0, 9] },
  aac: { type: MessageType.Audio, payload: [0xaf, 0, 0x12, 0x10] },
  sound: { type: MessageType.Audio, payload: [0xaf, 1, 9] },
};

function media(name: keyof typeof bodies, timestamp: number): RtmpMessage {
  const { type, payload } = bodies[name]!;
  return { type, streamId: 1, timestamp, payload: Uint8Array.from(payload) };
}

function nameOf({ type, payload }: RtmpMessage): string {
  if (type === MessageType.DataAmf0) return 'meta';
  const found = Object.entries(bodies).find(
    ([, body]) => body.type === type && body.payload.every((byte, i) => payload[i] === byte),
  );
  return found?.[0] ?? 'unknown';
}

const meta: RtmpMessage = {
  type: MessageType.DataAmf0,
  streamId: 1,
  timestamp: 0,
  payload: encodeData('onMetaData', {}),
};
const publisherOf = (clientId: string) => ({ clientId, evicted() {}, isAlive: async () => true });
const publisher = publisherOf('a');
const silent = { published() {}, unpublished() {}, tooSlow() {}, refused() {} };
/** What streams said that went wrong. */
const failures: string[] = [];
const failed = (stream: string, error: unknown) => failures.push(`${stream}: ${(error as Error).message}`);
/** When windows of no length have ended. */
const moment = () => new Promise<void>((resolve) => queueMicrotask(resolve));
/** And when it was sent: on a busy machine what takes too long goes on in the next rounds of the event loop. */
const settle = async () => {
  await moment();
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
};

function watch(stream: LiveStream, transport = new NotingTransport(), streamId = 1, events = silent) {
  const viewer = new Viewer(transport, streamId, events);
  stream.join(viewer);
  return { transport, viewer };
}

function onAir(): LiveStream {
  const stream = new LiveStream(
    's',
    { windows, limits, windowMs: 0, codecPolicy: 'drop', erasesOnPublish: false, failed },
    () => {},
  );
  stream.publish(publisher);
  stream.setDataFrame('onMetaData', meta);
  stream.push(media('config', 0));
  stream.push(media('aac', 0));
  return stream;
}

describe('a live stream', () => {
  test('sends to many slow sockets in several rounds of the event loop, to each all of it in order', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    const SLOW_MS = 3;
    class SlowTransport extends NotingTransport {
      override write(bytes: Buffer, messages: number, onWritten?: () => void): void {
        const until = performance.now() + SLOW_MS;
        while (performance.now() < until);
        super.write(bytes, messages, onWritten);
      }
    }
    const viewers = Array.from({ length: 40 }, () => watch(stream, new SlowTransport()));
    const starts = viewers.map(({ transport }) => transport.words.length);
    const sent = () => viewers.filter(({ transport }, i) => transport.words.length > starts[i]!).length;
    stream.push(media('inter', 40));
    await moment();
    expect(sent()).toBeLessThan(viewers.length);

    // Meanwhile more comes, one leaves, and one joins, which everybody's turn is to come before.
    const left = viewers.pop()!;
    stream.leave(left.viewer);
    stream.push(media('inter', 80));
    await moment();
    const late = watch(stream);
    stream.push(media('inter', 120));
    await expect.poll(() => late.transport.words.at(-1), { timeout: DEADLINE_MS }).toBe('inter@120');
    for (const [i, { transport }] of viewers.entries())
      expect(transport.words.slice(starts[i])).toEqual(['inter@40', 'inter@80', 'inter@120']);
    expect(left.transport.words).toHaveLength(starts.at(-1)!);
    expect(late.transport.words.filter((word) => word.startsWith('inter'))).toEqual([
      'inter@40',
      'inter@80',
      'inter@120',
    ]);
    await expect.poll(() => windows.pool.used, { timeout: DEADLINE_MS }).toBe(0);
  });

  test('ends while its windows are sent, when the viewer that is too slow is who publishes', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    const slow = new NotingTransport();
    const told: string[] = [];
    const events = { ...silent, tooSlow: () => stream.unpublish(publisher) };
    watch(stream, slow, 1, events);
    const other = watch(stream, undefined, 1, { ...silent, unpublished: () => told.push('unpublished') });
    slow.queuedBytes = 2000;
    let at = 40;
    await eventually('the end of the stream', () => {
      stream.push(media('inter', at));
      at += 40;
      return told.length > 0;
    });
    expect(told).toEqual(['unpublished']);
    expect(other.transport.words).toContain('inter@40');
    expect(stream.publisher).toBeUndefined();
  });

  test('loses a viewer with whom something goes wrong, and no other', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    class BrokenTransport extends NotingTransport {
      readonly failures: unknown[] = [];
      override write(bytes: Buffer, messages: number, onWritten?: () => void): void {
        if (bytes.includes('@40')) throw new Error('no write');
        super.write(bytes, messages, onWritten);
      }
      override fail(error: unknown): void {
        this.failures.push(error);
      }
    }
    const broken = watch(stream, new BrokenTransport()).transport as BrokenTransport;
    const other = watch(stream).transport;
    stream.push(media('inter', 40));
    await settle();
    expect(broken.failures).toEqual([expect.objectContaining({ message: 'no write' })]);
    expect(other.words.at(-1)).toBe('inter@40');
  });

  test('of which a window cannot be written, or a tap fails, goes on, tells it once, and holds no other up', async () => {
    failures.length = 0;
    class BrokenFormat extends NotingFormat {
      override serializeInto(target: Uint8Array, at: number, message: RtmpMessage, streamId: number): number {
        if (message.timestamp === 40 || message.timestamp === 80) throw new Error('no bytes');
        return super.serializeInto(target, at, message, streamId);
      }
    }
    const [stream, beside] = [onAir(), onAir()];
    for (const each of [stream, beside]) each.push(media('key', 0));
    const broken = watch(stream, new NotingTransport(new BrokenFormat('broken'))).transport;
    const [other, third] = [watch(stream).transport, watch(beside).transport];
    const used = windows.pool.used;
    const tap = {
      take({ timestamp }: RtmpMessage) {
        if (timestamp === 120) throw new Error('no tap');
      },
      sourceChanged() {},
    };
    stream.tap(tap);
    for (const timestamp of [40, 80, 120]) {
      for (const each of [stream, beside]) each.push(media('inter', timestamp));
      await settle();
    }
    const all = ['inter@40', 'inter@80', 'inter@120'];
    expect(broken.words.filter((word) => all.includes(word))).toEqual(['inter@120']);
    for (const { words } of [other, third]) expect(words.filter((word) => all.includes(word))).toEqual(all);
    expect(failures).toEqual(['s: no bytes']);
    expect(windows.pool.used).toBe(used);
  });

  test('gives a late joiner metadata at time 0, headers at the time of the key frame, and all since it', async () => {
    const stream = onAir();
    for (const [name, at] of [
      ['key', 0],
      ['inter', 40],
      ['key', 5000],
      ['sound', 5010],
      ['inter', 5040],
    ] as const) {
      stream.push(media(name, at));
    }
    await settle();
    const { transport } = watch(stream);
    expect(transport.words).toEqual([
      'meta@0',
      'config@5000',
      'aac@5000',
      'key@5000',
      'sound@5010',
      'inter@5040',
    ]);
    stream.push(media('inter', 5080));
    await settle();
    expect(transport.words.at(-1)).toBe('inter@5080');
  });

  test('keeps inter frames from a viewer that has no key frame yet, not its sound', async () => {
    const stream = onAir();
    const { transport } = watch(stream);
    for (const [name, at] of [
      ['inter', 40],
      ['sound', 50],
      ['inter', 80],
      ['key', 120],
      ['inter', 160],
    ] as const) {
      stream.push(media(name, at));
    }
    await settle();
    expect(transport.words).toEqual(['meta@0', 'config@50', 'aac@50', 'sound@50', 'key@120', 'inter@160']);
  });

  test('writes one round as one buffer that viewers of a format and stream id share', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    await settle();
    const formats = [new NotingFormat('a'), new NotingFormat('b')] as const;
    const viewers = [
      watch(stream, new NotingTransport(formats[0])),
      watch(stream, new NotingTransport(formats[0])),
      watch(stream, new NotingTransport(formats[0]), 2),
      watch(stream, new NotingTransport(formats[1])),
    ];
    for (const { transport } of viewers) transport.writes.length = 0;
    for (const format of formats) format.serialized = 0;
    for (const at of [40, 80, 120]) stream.push(media('inter', at));
    await settle();
    expect(viewers.map(({ transport }) => transport.words)).toEqual([
      ['inter@40', 'inter@80', 'inter@120'],
      ['inter@40', 'inter@80', 'inter@120'],
      ['inter@40#2', 'inter@80#2', 'inter@120#2'],
      ['inter@40', 'inter@80', 'inter@120'],
    ]);
    expect(viewers.map(({ transport }) => transport.writes.length)).toEqual([1, 1, 1, 1]);
    expect(formats.map(({ serialized }) => serialized)).toEqual([6, 3]);
  });

  test('drops the pictures it keeps when they outgrow their bound, and begins again at the next key frame', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    for (let at = 1; at <= 200; at++) stream.push(media('inter', at));
    await settle();
    expect(watch(stream).transport.words).toEqual(['meta@0']);
    stream.push(media('key', 300));
    await settle();
    expect(watch(stream).transport.words.at(-1)).toBe('key@300');
  });

  test('counts what a kept message costs beside its payload', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    // Six bytes each: by payload alone more than a hundred would fit.
    for (let at = 1; at <= 10; at++) stream.push(media('inter', at));
    await settle();
    expect(watch(stream).transport.words).toEqual(['meta@0']);
  });

  test('keeps no more data and headers than pictures', () => {
    const stream = onAir();
    const text = 'x'.repeat(100);
    for (let i = 0; i < 50; i++)
      stream.setDataFrame(`onText${i}`, { ...meta, payload: encodeData(`onText${i}`, text) });
    const { words } = watch(stream).transport;
    expect(words.length).toBeGreaterThan(3);
    expect(words.length).toBeLessThan(10);
    for (let i = 0; i < 50; i++) stream.clearDataFrame(`onText${i}`);
    stream.setDataFrame('onText', { ...meta, payload: encodeData('onText', text) });
    expect(watch(stream).transport.words).toEqual(['meta@0', 'meta@0']);
  });

  test('keeps small payloads in memory of their own, not the buffers that they were read into', () => {
    const { kept } = new NotingFormat('kept');
    const transport = new NotingTransport(Object.assign(new NotingFormat('kept'), { kept }));
    const house = {
      windows,
      limits: { ...limits, gopBytes: 10_000 },
      windowMs: 0,
      codecPolicy: 'drop',
      erasesOnPublish: false,
      failed,
    } as const;
    const stream = new LiveStream('s', house, () => {});
    stream.publish(publisher);
    const read = new Uint8Array(65_536);
    read.set(bodies.key!.payload, 1000);
    stream.push({ ...media('key', 0), payload: read.subarray(1000, 1006) });
    watch(stream, transport);
    expect(kept.map(({ byteLength }) => byteLength)).toEqual([6]);
  });

  test('skips a slow viewer to the next key frame but leaves it the sound, and gives up after a time', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    await settle();
    let slow = 0;
    const { transport } = watch(stream, new NotingTransport(), 1, { ...silent, tooSlow: () => slow++ });
    transport.writes.length = 0;
    const round = async (name: keyof typeof bodies, at: number) => {
      stream.push(media(name, at));
      await settle();
    };
    transport.queuedBytes = 1200;
    await round('inter', 40);
    await round('key', 80);
    await round('sound', 90);
    expect(transport.words).toEqual(['sound@90']);
    transport.queuedBytes = 100;
    await round('inter', 120);
    await round('key', 160);
    await round('inter', 200);
    expect(transport.words).toEqual(['sound@90', 'key@160', 'inter@200']);

    transport.queuedBytes = 5000;
    const end = performance.now() + 5000;
    for (let at = 1000; slow === 0 && performance.now() < end; at += 10) {
      await round('sound', at);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(slow).toBe(1);
    expect(transport.words).toEqual(['sound@90', 'key@160', 'inter@200']);
  });

  test('keeps its viewers when the publisher goes, and shows them the next one from its key frame', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    await settle();
    const heard: string[] = [];
    const events = {
      ...silent,
      published: () => heard.push('published'),
      unpublished: () => heard.push('unpublished'),
    };
    const { transport } = watch(stream, new NotingTransport(), 1, events);
    stream.unpublish(publisher);
    transport.writes.length = 0;
    expect(stream.publish(publisherOf('b'))).toBe(true);
    for (const [name, at] of [
      ['config', 0],
      ['inter', 10],
      ['key', 20],
    ] as const)
      stream.push(media(name, at));
    await settle();
    expect(heard).toEqual(['unpublished', 'published']);
    expect(transport.words).toEqual(['config@0', 'key@20']);
  });

  test('has one publisher, and only that one can end it', () => {
    const stream = onAir();
    const other = publisherOf('b');
    expect(stream.publish(other)).toBe(false);
    stream.unpublish(other);
    expect(stream.publisher).toBe(publisher);
  });

  test('ends when nobody publishes and nobody views', () => {
    let idle = 0;
    const stream = new LiveStream(
      's',
      { windows, limits, windowMs: 0, codecPolicy: 'drop', erasesOnPublish: false, failed },
      () => idle++,
    );
    stream.publish(publisher);
    const { viewer } = watch(stream);
    stream.unpublish(publisher);
    expect(idle).toBe(0);
    stream.leave(viewer);
    expect(idle).toBe(1);
  });

  test('gives a viewer who paused a fresh start at the key frame', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    await settle();
    const { transport, viewer } = watch(stream);
    viewer.pause();
    transport.writes.length = 0;
    for (const [name, at] of [
      ['key', 1000],
      ['inter', 1040],
    ] as const)
      stream.push(media(name, at));
    await settle();
    expect(transport.writes).toEqual([]);
    stream.resume(viewer);
    expect(transport.words).toEqual(['config@1000', 'aac@1000', 'key@1000', 'inter@1040']);
  });

  test('spares a viewer the medium it does not want', async () => {
    const stream = onAir();
    stream.push(media('key', 0));
    await settle();
    const { transport, viewer } = watch(stream);
    transport.writes.length = 0;
    viewer.receive('video', false);
    for (const [name, at] of [
      ['inter', 10],
      ['sound', 20],
    ] as const)
      stream.push(media(name, at));
    await settle();
    viewer.receive('video', true);
    viewer.receive('audio', false);
    for (const [name, at] of [
      ['inter', 30],
      ['sound', 40],
      ['key', 50],
    ] as const)
      stream.push(media(name, at));
    await settle();
    expect(transport.words).toEqual(['sound@20', 'key@50']);
  });
});
