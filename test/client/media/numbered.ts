import { onTestFinished } from 'vitest';
import { MessageType } from '../../../wire/messages.ts';
import { makeMedia } from '../../host/streams/files/clips.ts';
import { RunningTool } from '../../support/media-tools.ts';
import type { ClientStream } from '../../support/rtmp-client.ts';
import { type Message, messagesOfFlv } from './fmp4/sources.ts';

const BITS = 12;

/** Pictures whose number is drawn in them, 25 in a second: a square for each of 12 bits along the upper edge. */
export function numbered(width = 480, height = 360): string[] {
  const square = width / BITS;
  const boxes = Array.from({ length: BITS }, (_, bit) => {
    const at = `x=${bit * square}:y=0:w=${square}:h=${square}:t=fill`;
    return `drawbox=${at}:color=white:enable='mod(floor(n/${2 ** bit}),2)'`;
  });
  const black = `drawbox=x=0:y=0:w=${width}:h=${square}:t=fill:color=black`;
  const source = `testsrc=size=${width}x${height}:rate=25,${black},${boxes.join(',')}`;
  return ['-f', 'lavfi', '-i', source];
}

export const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'];
export const avc =
  '-c:v libx264 -preset ultrafast -tune zerolatency -bf 0 -g 50 -pix_fmt yuv420p -b:v 800k'.split(' ');
export const aac = '-c:a aac -b:a 64k'.split(' ');

/** Encodes and publishes in real time until it is stopped. */
export function publishLive(url: string, ...options: string[]): RunningTool {
  const inputs = options.flatMap((option) => (option === '-f' ? ['-re', option] : [option]));
  return new RunningTool('ffmpeg', ['-v', 'error', ...inputs, '-f', 'flv', url]);
}

/** Makes a clip with all that, to be published message by message. */
export function clip(folder: string, name: string, seconds: number, ...options: string[]): Message[] {
  return messagesOfFlv(makeMedia(folder, name, ...options, '-t', String(seconds)));
}

/** Publishes messages at the speed of their timestamps. */
export function publishMessages(stream: ClientStream, messages: readonly Message[]): void {
  const start = performance.now();
  let at = 0;
  const timer = setInterval(() => {
    for (; at < messages.length && messages[at]!.timestamp <= performance.now() - start; at++) {
      const { type, timestamp, payload } = messages[at]!;
      if (type === MessageType.Video) stream.video(timestamp, payload);
      if (type === MessageType.Audio) stream.audio(timestamp, payload);
    }
    if (at === messages.length) clearInterval(timer);
  }, 10);
  onTestFinished(() => clearInterval(timer));
}
