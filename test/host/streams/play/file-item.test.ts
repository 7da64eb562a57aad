import { expect, onTestFinished, test } from 'vitest';
import { rtmpFormat } from '../../../../host/rtmp/format.ts';
import type { Transport } from '../../../../host/rtmp/ports.ts';
import type { MediaFile } from '../../../../host/streams/files/media-files.ts';
import { FileItem } from '../../../../host/streams/play/file-item.ts';
import { Pacer } from '../../../../host/streams/play/pacer.ts';
import { Voice } from '../../../../host/streams/voice.ts';
import { CodecSupport } from '../../../../wire/codecs.ts';
import { keyFrame } from '../../../support/media.ts';

const SEGMENTS = 200;

/** A file of which everything is in memory: nothing that it is asked for takes time. */
const inMemory: MediaFile = {
  kind: 'flv',
  durationMs: SEGMENTS * 500,
  bytes: 0,
  metadata: undefined,
  hasVideo: true,
  hasAudio: false,
  seek: async () => ({ position: 0, timestampMs: 0, isBeyondEnd: false }),
  headersAt: async () => [],
  read: async (position) => ({
    messages: [{ type: 9, streamId: 0, timestamp: position * 500, payload: keyFrame(position) }],
    next: position + 1 < SEGMENTS ? position + 1 : undefined,
    endMs: position * 500,
  }),
  release: () => {},
};

test('a file that is in memory is not sent in one go, however much of it the client wants', async () => {
  let written = 0;
  const transport = {
    format: rtmpFormat(4096),
    codecs: CodecSupport.all,
    queuedBytes: 0,
    send() {},
    write: (_bytes: Buffer, _messages: number, onWritten?: () => void) => {
      written++;
      onWritten?.();
    },
    fail(error: unknown) {
      throw error;
    },
  } as unknown as Transport;
  let hasEnded = false;
  const item = new FileItem(
    'film',
    inMemory,
    { startMs: 0, durationMs: -1 },
    new Voice(transport, 1, 'client'),
    { audio: true, video: true, fps: undefined },
    new Pacer(100),
    'drop',
    { ended: () => (hasEnded = true), failed: () => {} },
  );
  onTestFinished(() => item.close());
  item.setBuffer(Number.POSITIVE_INFINITY);
  item.start(0);
  let most = 0;
  for (let before = 0; !hasEnded; before = written) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, written - before);
  }
  expect(written).toBe(SEGMENTS);
  expect(most).toBeLessThanOrEqual(2);
});
