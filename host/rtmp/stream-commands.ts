import { parseStreamName, type StreamName } from '../../wire/stream-name.ts';
import type { AmfValue } from '../../wire/values.ts';
import type { StreamEnd } from './ports.ts';

/** Of a timer of Node. */
const MAX_TIMER_MS = 0x7fffffff;

export type StreamCommand = (stream: StreamEnd, args: readonly AmfValue[]) => void;

/** NetStream commands by name (RTMP 1.0, section 7.2.2). Arguments that are missing or of another type take defaults. */
export const streamCommands: ReadonlyMap<string, StreamCommand> = new Map<string, StreamCommand>([
  ['publish', publish],
  ['play', play],
  ['play2', play2],
  ['pause', (stream, [isPaused, at]) => stream.pause(isPaused === true, timeOrNone(at))],
  // Flash Player 10 buffers by itself and says so.
  ['pauseRaw', (stream, [isPaused, at]) => stream.pause(isPaused === true, timeOrNone(at))],
  ['seek', (stream, [positionMs]) => stream.seek(positionOf(positionMs))],
  ['receiveAudio', (stream, [isWanted]) => stream.receive('audio', isWanted !== false)],
  ['receiveVideo', receiveVideo],
  // Flash Player says `receiveVideo` for both.
  ['receiveVideoFPS', receiveVideo],
  ['closeStream', (stream) => stream.close()],
]);

/** `publish(false)` stops. */
function publish(stream: StreamEnd, [wanted, mode]: readonly AmfValue[]): void {
  if (typeof wanted !== 'string') return stream.close();
  stream.publish(nameOrNone(wanted), typeof mode === 'string' ? mode : 'live');
}

/** `play(false)` stops. On the wire times are milliseconds, whatever the specification says. */
function play(stream: StreamEnd, [wanted, start, duration, reset]: readonly AmfValue[]): void {
  if (typeof wanted !== 'string') return stream.close();
  stream.play({
    stream: nameOrNone(wanted),
    startMs: startOf(start),
    durationMs: durationOf(duration),
    isReset: reset !== false && reset !== 0 && reset !== 2,
    isAtOnce: reset === 2 || reset === 3,
  });
}

/** A number is that of frames per second, 0 for none. */
function receiveVideo(stream: StreamEnd, [wanted]: readonly AmfValue[]): void {
  stream.receive('video', wanted !== false && wanted !== 0);
  stream.limitFrames(
    typeof wanted === 'number' && wanted > 0 && Number.isFinite(wanted) ? wanted : undefined,
  );
}

/** -1 and -2 in seconds, as the specification has them, and in milliseconds, as clients send them. */
function startOf(start: AmfValue): number {
  if (typeof start !== 'number' || Number.isNaN(start)) return -2000;
  if (start === -1 || start === -1000) return -1000;
  return start >= 0 ? Math.min(start, Number.MAX_SAFE_INTEGER) : -2000;
}

function positionOf(position: AmfValue): number {
  return typeof position === 'number' && position > 0 ? Math.min(position, Number.MAX_SAFE_INTEGER) : 0;
}

function durationOf(duration: AmfValue): number {
  return typeof duration === 'number' && duration >= 0 ? Math.min(duration, MAX_TIMER_MS) : -1;
}

function timeOrNone(at: AmfValue): number | undefined {
  return typeof at === 'number' && at >= 0 && Number.isFinite(at) ? at : undefined;
}

/** `NetStreamPlayOptions` (ActionScript 3.0 Reference, NetStream.play2). `resume`: as `reset`, from where the client is. */
function play2(stream: StreamEnd, [options]: readonly AmfValue[]): void {
  if (!isObject(options)) return;
  const { streamName, oldStreamName, start, len, transition } = options;
  if (transition === 'stop') return stream.close();
  if (typeof streamName !== 'string') return;
  const isChange = transition === 'swap' || transition === 'switch';
  const old = typeof oldStreamName === 'string' ? nameOrNone(oldStreamName).name : '';
  stream.play({
    stream: nameOrNone(streamName),
    startMs: startOf(start),
    durationMs: durationOf(len),
    isReset: !isChange && transition !== 'append' && transition !== 'appendAndWait',
    isAtOnce: false,
    change: isChange ? { kind: transition, old } : undefined,
  });
}

/** An empty name for one that cannot be: the stream refuses it with a status of its own. */
function nameOrNone(text: string): StreamName {
  try {
    return parseStreamName(text);
  } catch {
    return { name: '', container: '', query: '' };
  }
}

export function isObject(value: AmfValue): value is Record<string, AmfValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
