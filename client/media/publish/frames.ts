/** Not in TypeScript's library: Chromium has it in pages, Safari in workers only. */
interface TrackProcessor<Frame> {
  readonly readable: ReadableStream<Frame>;
}

type TrackProcessorClass = new <Frame>(options: {
  track: MediaStreamTrack;
  maxBufferSize?: number;
}) => TrackProcessor<Frame>;

/** Frames that wait inside of the browser. It leaves out the oldest when there are more. */
const MAX_WAITING = { audio: 50, video: 2 } as const;

export function canReadTracks(): boolean {
  return 'MediaStreamTrackProcessor' in globalThis;
}

/**
 * Every frame of a track, until it ends or `signal` is aborted. The frame is closed after `take`, which may keep a copy; while
 * it takes its time, the browser leaves frames out.
 */
export async function readFrames<Frame extends { close(): void }>(
  track: MediaStreamTrack,
  signal: AbortSignal,
  take: (frame: Frame) => Promise<void> | void,
): Promise<void> {
  const { MediaStreamTrackProcessor } = globalThis as unknown as {
    MediaStreamTrackProcessor: TrackProcessorClass;
  };
  const maxBufferSize = MAX_WAITING[track.kind as 'audio' | 'video'];
  const reader = new MediaStreamTrackProcessor<Frame>({ track, maxBufferSize }).readable.getReader();
  signal.addEventListener('abort', () => void reader.cancel().catch(() => {}), { once: true });
  for (;;) {
    const { value: frame, done } = await reader.read();
    if (done || signal.aborted) return void frame?.close();
    try {
      await take(frame);
    } finally {
      frame.close();
    }
  }
}
