import { signal } from '@preact/signals';
import { type Info, NetStream } from '../../client/index.ts';
import type { Attached } from '../../client/media/attach.ts';
import { addStatus, everyMethod, told } from './journal.ts';
import { bitsText, Rate } from './rate.ts';
import { connection, whenLeft } from './session.ts';

const LOOK_MS = 500;

export const name = signal('');
/** What plays, or is waited for; empty when nothing does. */
export const playing = signal('');
export const state = signal('');
export const problem = signal('');
export const isPaused = signal(false);
/** What the player says of itself, to be read. */
export const figures = signal<readonly (readonly [name: string, value: string])[]>([]);

/** The video of the panel. */
export const screen: { element: HTMLVideoElement | null } = { element: null };

let stream: NetStream | undefined;
let player: Attached | undefined;
let timer: ReturnType<typeof setInterval> | undefined;

const STATES: Readonly<Record<string, string>> = {
  'NetStream.Play.Start': 'waiting',
  'NetStream.Play.PublishNotify': 'live',
  'NetStream.Play.UnpublishNotify': 'off air',
  'NetStream.Play.Complete': 'ended',
  'NetStream.Play.Stop': 'ended',
  'NetStream.Buffer.Full': 'playing',
};
const PROBLEMS =
  /^NetStream\.Play\.(Failed|StreamNotFound|NoSupportedTrackFound|FileStructureInvalid)$|^NetStream\.Failed$/;

whenLeft(stop);

export async function play(): Promise<void> {
  stop();
  const { element } = screen;
  const to = connection.value;
  if (!to || !element || name.value === '') return;
  const wanted = name.value;
  playing.value = wanted;
  state.value = 'loading';
  const { attachVideo } = await import('../../client/media/attach-video.ts');
  if (playing.value !== wanted || connection.value !== to) return;
  const title = `stream ${wanted}`;
  const made = new NetStream(to);
  stream = made;
  stream.client = everyMethod(title);
  stream.onStatus = (info) => {
    addStatus(title, info);
    if (stream === made) hear(info);
  };
  player = attachVideo(stream, element);
  element.onplaying = () => {
    if (stream === made && state.value !== 'off air') state.value = 'playing';
  };
  stream.play(wanted);
  const rate = new Rate();
  timer = setInterval(() => look(rate), LOOK_MS);
}

export function stop(): void {
  clearInterval(timer);
  player?.close();
  stream?.close();
  player = stream = undefined;
  playing.value = state.value = problem.value = '';
  isPaused.value = false;
  figures.value = [];
}

export function togglePause(): void {
  isPaused.value = !isPaused.value;
  if (isPaused.value) stream?.pause();
  else stream?.resume();
}

function hear(info: Info): void {
  const { code, description } = told(info);
  if (PROBLEMS.test(code)) problem.value = description;
  else if (code === 'NetStream.Play.AutoplayBlocked')
    problem.value = 'The browser wants a click first: press play in the picture.';
  else if (STATES[code]) state.value = STATES[code];
}

function look(rate: Rate): void {
  if (!player || !stream) return;
  const { delayMs, decodedFrames, droppedFrames, stalls } = player.stats;
  const { videoWidth, videoHeight } = screen.element ?? { videoWidth: 0, videoHeight: 0 };
  figures.value = [
    ['Delay', delayMs > 0 ? `${Math.round(delayMs)} ms` : '–'],
    ['Picture', videoWidth > 0 ? `${videoWidth}×${videoHeight}` : '–'],
    ['Rate', bitsText(rate.next(stream.stats.bytesIn))],
    ['Frames', `${decodedFrames}`],
    ['Dropped', `${droppedFrames}`],
    ['Ran dry', `${stalls} ×`],
  ];
}
