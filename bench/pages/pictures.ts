/** What ffmpeg publishes to the pages: 720p, H.264 and AAC, and in each picture its number. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { startChild, stopChild } from '../support/children.ts';

export const FRAMES_PER_SECOND = 30;
const WIDTH = 1280;
const HEIGHT = 720;
/** Squares along the upper edge, the lowest bit first. */
const BITS = 12;
const CLIP_SECONDS = 20;

const avc = [
  '-c:v',
  'libx264',
  '-preset',
  'ultrafast',
  '-tune',
  'zerolatency',
  '-bf',
  '0',
  '-pix_fmt',
  'yuv420p',
];
const rates = ['-g', String(FRAMES_PER_SECOND), '-b:v', '2500k', '-c:a', 'aac', '-b:a', '128k'];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'];

const noisy = `testsrc2=size=${WIDTH}x${HEIGHT}:rate=${FRAMES_PER_SECOND},noise=alls=20:allf=t`;

/** Prints a line for each picture that goes on to the encoder. */
const tell = 'metadata=mode=add:key=n:value=1,metadata=mode=print:key=n:file=-:direct=1';

export function hasFfmpeg(): boolean {
  return spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' }).error === undefined;
}

/** An ffmpeg that encodes in real time and publishes. */
export interface LivePictures {
  /** By the number of the picture: when it went to the encoder. */
  readonly encodedAtMs: readonly number[];
  stop(): Promise<void>;
}

export function publishPictures(url: string): LivePictures {
  const child = startChild('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-re', '-f', 'lavfi', '-i', numbered(), '-re', ...tone],
    ...['-vf', tell, ...avc, ...rates, '-f', 'flv', url],
  ]);
  const encodedAtMs: number[] = [];
  let rest = '';
  child.stdout!.on('data', (bytes: Buffer) => {
    const now = performance.now();
    const lines = (rest + bytes.toString('latin1')).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const [, number] = /^frame:(\d+)/.exec(line) ?? [];
      if (number !== undefined) encodedAtMs[Number(number)] = now;
    }
  });
  child.stderr!.pipe(process.stderr);
  return { encodedAtMs, stop: () => stopChild(child) };
}

/** A file of the same kind, with pictures that have as much in them as the bit rate allows. */
export function makeClip(folder: string): string {
  const file = join(folder, 'clip.mp4');
  const { status, stderr } = spawnSync(
    'ffmpeg',
    [
      ...['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', noisy, ...tone, ...avc, ...rates],
      ...['-t', String(CLIP_SECONDS), '-movflags', '+faststart', file],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`ffmpeg could not make the clip: ${stderr}`);
  return file;
}

/** Publishes a file in real time, over and over, as it is: that costs little. */
export function publishFile(file: string, url: string): { stop(): Promise<void> } {
  const child = startChild('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-re', '-stream_loop', '-1', '-i', file, '-c', 'copy', '-f', 'flv', url],
  ]);
  child.stderr!.pipe(process.stderr);
  return { stop: () => stopChild(child) };
}

function numbered(): string {
  const square = WIDTH / BITS;
  const boxes = Array.from({ length: BITS }, (_, bit) => {
    const at = `x=${Math.round(bit * square)}:y=0:w=${Math.round(square)}:h=${Math.round(square)}:t=fill`;
    return `drawbox=${at}:color=white:enable='mod(floor(n/${2 ** bit}),2)'`;
  });
  const black = `drawbox=x=0:y=0:w=${WIDTH}:h=${Math.round(square)}:t=fill:color=black`;
  return `testsrc=size=${WIDTH}x${HEIGHT}:rate=${FRAMES_PER_SECOND},${black},${boxes.join(',')}`;
}
