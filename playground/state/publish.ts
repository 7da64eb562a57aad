import { signal } from '@preact/signals';
import { type Info, NetStream } from '../../client/index.ts';
import type { Publishing } from '../../client/media/publish-media.ts';
import type { Source } from '../text/snippets.ts';
import { addStatus, told } from './journal.ts';
import { bitsText, Rate } from './rate.ts';
import { connection, whenLeft } from './session.ts';

const LOOK_MS = 500;
const CODECS: Readonly<Record<string, string>> = {
  avc1: 'H.264',
  hvc1: 'HEVC',
  vp09: 'VP9',
  av01: 'AV1',
  vp08: 'VP8',
  mp4a: 'AAC',
};

export type Mode = 'live' | 'record' | 'append';

export const name = signal('');
export const source = signal<Source>('camera');
export const mode = signal<Mode>('live');
export const state = signal<'idle' | 'asking' | 'starting' | 'on air'>('idle');
export const problem = signal('');
export const figures = signal<readonly (readonly [name: string, value: string])[]>([]);

/** The preview. */
export const mirror: { element: HTMLVideoElement | null } = { element: null };

let media: MediaStream | undefined;
let stream: NetStream | undefined;
let published: Publishing | undefined;
let timer: ReturnType<typeof setInterval> | undefined;

whenLeft(stop);

export async function publish(): Promise<void> {
  stop();
  problem.value = '';
  const to = connection.value;
  if (!to || name.value === '') return;
  // Of pages that came without TLS from elsewhere browsers hide it.
  if (!navigator.mediaDevices) {
    problem.value = 'Browsers give camera and screen to pages of https:// and of this machine only.';
    return;
  }
  state.value = 'asking';
  try {
    const [{ publishMedia }, opened] = await Promise.all([
      import('../../client/media/publish-media.ts'),
      openMedia(source.value),
    ]);
    if (state.value !== 'asking' || connection.value !== to) return closeMedia(opened);
    begin(to, opened, publishMedia);
  } catch (error) {
    stop();
    problem.value = `The browser gives nothing: ${(error as Error).message}`;
  }
}

export function stop(): void {
  clearInterval(timer);
  stream?.close();
  closeMedia(media);
  if (mirror.element) mirror.element.srcObject = null;
  stream = media = published = undefined;
  state.value = 'idle';
  figures.value = [];
}

type PublishMedia = typeof import('../../client/media/publish-media.ts').publishMedia;

function begin(
  to: NonNullable<typeof connection.value>,
  opened: MediaStream,
  publishMedia: PublishMedia,
): void {
  media = opened;
  const made = new NetStream(to);
  const title = `stream ${name.value}`;
  stream = made;
  state.value = 'starting';
  if (mirror.element) mirror.element.srcObject = opened;
  made.onStatus = (info) => {
    addStatus(title, info);
    if (stream === made) hear(info);
  };
  // The browser has a button of its own to end it.
  for (const track of opened.getTracks())
    track.onended = () => {
      if (stream === made) stop();
    };
  published = publishMedia(made, opened);
  made.publish(name.value, mode.value);
  const rate = new Rate();
  timer = setInterval(() => look(rate), LOOK_MS);
}

function hear(info: Info): void {
  if (info.code === 'NetStream.Publish.Start') state.value = 'on air';
  else if (info.level === 'error') {
    stop();
    problem.value = told(info).description;
  }
}

function look(rate: Rate): void {
  if (!stream) return;
  const { videoCodec = '', audioCodec = '', encodedFrames = 0, droppedFrames = 0 } = published?.stats ?? {};
  const named = (fourCc: string) => (fourCc === '' ? '–' : (CODECS[fourCc] ?? fourCc));
  figures.value = [
    ['Video', named(videoCodec)],
    ['Audio', named(audioCodec)],
    ['Rate', bitsText(rate.next(stream.stats.bytesOut))],
    ['Frames', `${encodedFrames}`],
    ['Left out', `${droppedFrames}`],
  ];
}

function openMedia(from: Source): Promise<MediaStream> {
  const { mediaDevices } = navigator;
  if (from === 'screen') return mediaDevices.getDisplayMedia({ video: true, audio: true });
  return mediaDevices.getUserMedia({ video: from !== 'microphone', audio: from !== 'video' });
}

function closeMedia(opened: MediaStream | undefined): void {
  for (const track of opened?.getTracks() ?? []) track.stop();
}
