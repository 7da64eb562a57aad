import type { AmfValue } from '../../wire/values.ts';
import { parseStreamName } from './names.ts';
import type { StreamEnd } from './ports.ts';

export type StreamCommand = (stream: StreamEnd, args: readonly AmfValue[]) => void;

/** NetStream commands by name (RTMP 1.0, section 7.2.2). Arguments that are missing or of another type take defaults. */
export const streamCommands: ReadonlyMap<string, StreamCommand> = new Map<string, StreamCommand>([
  ['publish', publish],
  ['play', play],
  ['play2', play2],
  ['pause', (stream, [isPaused]) => stream.pause(isPaused === true)],
  // Flash Player 10 buffers by itself and says so.
  ['pauseRaw', (stream, [isPaused]) => stream.pause(isPaused === true)],
  ['seek', (stream, [positionMs]) => stream.seek(typeof positionMs === 'number' ? positionMs : 0)],
  ['receiveAudio', (stream, [isWanted]) => stream.receive('audio', isWanted !== false)],
  // receiveVideo also takes frames per second, 0 for none.
  ['receiveVideo', (stream, [isWanted]) => stream.receive('video', isWanted !== false && isWanted !== 0)],
  ['closeStream', (stream) => stream.close()],
]);

/** `publish(false)` stops. */
function publish(stream: StreamEnd, [wanted, mode]: readonly AmfValue[]): void {
  if (typeof wanted !== 'string') return stream.close();
  const { name, query } = nameOrNone(wanted);
  stream.publish(name, query, typeof mode === 'string' ? mode : 'live');
}

/** `play(false)` stops. On the wire times are milliseconds, whatever the specification says. */
function play(stream: StreamEnd, [wanted, start, , reset]: readonly AmfValue[]): void {
  if (typeof wanted !== 'string') return stream.close();
  const startMs = typeof start === 'number' ? start : -2000;
  stream.play({ ...nameOrNone(wanted), startMs, isReset: reset !== false && reset !== 0 && reset !== 2 });
}

function play2(stream: StreamEnd, [options]: readonly AmfValue[]): void {
  const wanted = isObject(options) ? options.streamName : undefined;
  if (typeof wanted === 'string') stream.play({ ...nameOrNone(wanted), startMs: -2000, isReset: true });
}

/** An empty name for one that cannot be: the stream refuses it with a status of its own. */
function nameOrNone(text: string): { name: string; query: string } {
  try {
    return parseStreamName(text);
  } catch {
    return { name: '', query: '' };
  }
}

export function isObject(value: AmfValue): value is Record<string, AmfValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
