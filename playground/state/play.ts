import { signal } from '@preact/signals';
import { type Info, NetStream } from '../../client/index.ts';
import type { Attached } from '../../client/media/attach.ts';
import { present } from './house.ts';
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
/** On a canvas, closer to what is live. */
export const isFast = signal(false);
/** Seconds: how long what plays is, 0 for what is live; where it is; and where the user drags it to. */
export const length = signal(0);
export const time = signal(0);
export const dragged = signal<number | undefined>(undefined);
/** What the player says of itself, to be read. */
export const figures = signal<readonly (readonly [name: string, value: string])[]>([]);

/** What the panel shows it on. */
export const screen: { video: HTMLVideoElement | null; canvas: HTMLCanvasElement | null } = {
  video: null,
  canvas: null,
};

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
  const to = connection.value;
  if (!to || name.value === '') return;
  const wanted = name.value;
  playing.value = wanted;
  state.value = 'loading';
  const attach = await (isFast.value ? loadFast() : loadUsual());
  if (playing.value !== wanted || connection.value !== to) return;
  const title = `stream ${wanted}`;
  const made = new NetStream(to);
  stream = made;
  stream.client = everyMethod(title);
  stream.onStatus = (info) => {
    addStatus(title, info);
    if (stream === made) hear(info);
  };
  player = attach(stream);
  stream.play(wanted);
  void to.invoke<number>('getStreamLength', wanted).then(
    (seconds) => {
      if (stream === made && !isLive(wanted)) length.value = seconds;
    },
    () => {}, // what it may not read cannot be sought
  );
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
  length.value = time.value = 0;
  dragged.value = undefined;
  figures.value = [];
}

/** Plays the same on the other of the two. */
export function setFast(isWanted: boolean): void {
  isFast.value = isWanted;
  if (playing.value === '') return;
  name.value = playing.value;
  void play();
}

export function seek(seconds: number): void {
  dragged.value = undefined;
  time.value = seconds;
  stream?.seek(seconds);
}

async function loadUsual(): Promise<(stream: NetStream) => Attached> {
  const { attachVideo } = await import('../../client/media/attach-video.ts');
  return (made) => {
    const video = screen.video!;
    video.onplaying = () => {
      if (stream === made && state.value !== 'off air') state.value = 'playing';
    };
    return attachVideo(made, video);
  };
}

async function loadFast(): Promise<(stream: NetStream) => Attached> {
  const { attachCanvas } = await import('../../client/media/attach-canvas.ts');
  return (made) => attachCanvas(made, screen.canvas!);
}

function isLive(wanted: string): boolean {
  return present.value?.streams?.some((one) => one.name === wanted && one.source !== null) ?? false;
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
    problem.value = isFast.value
      ? 'The browser wants a click first: press Play again.'
      : 'The browser wants a click first: press play in the picture.';
  else if (STATES[code]) state.value = STATES[code];
}

function look(rate: Rate): void {
  if (!player || !stream) return;
  const { delayMs, decodedFrames, droppedFrames, stalls } = player.stats;
  const { video, canvas } = screen;
  const [width, height] = isFast.value
    ? [canvas?.width ?? 0, canvas?.height ?? 0]
    : [video?.videoWidth ?? 0, video?.videoHeight ?? 0];
  const { playedTime, bytesIn } = stream.stats;
  if (playedTime !== undefined) time.value = playedTime / 1000;
  // The player of low latency does not tell when it begins.
  if (isFast.value && decodedFrames > 0 && /^(waiting|live)$/.test(state.value)) state.value = 'playing';
  figures.value = [
    ['Delay', delayMs > 0 ? `${Math.round(delayMs)} ms` : '–'],
    ['Picture', decodedFrames > 0 && width > 0 ? `${width}×${height}` : '–'],
    ['Rate', bitsText(rate.next(bytesIn))],
    ['Frames', `${decodedFrames}`],
    ['Dropped', `${droppedFrames}`],
    ['Ran dry', `${stalls} ×`],
  ];
}
