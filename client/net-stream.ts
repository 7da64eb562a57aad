import { ByteWriter } from '../wire/bytes.ts';
import { decodeValues, encodeCommand, encodeData } from '../wire/commands.ts';
import { controlMessage, encodeAcknowledgement, MessageType, type RtmpMessage } from '../wire/messages.ts';
import { AMF_LIMITS } from '../wire/values.ts';
import { type CallError, guarded, type Info, Notifier } from './events.ts';
import type { NetConnection } from './net-connection.ts';
import { ACKNOWLEDGED_EVERY, type MediaOutput, type MediaSink, type MediaSource } from './sink.ts';

const ACKNOWLEDGE_MS = 500;
/** User control events (docs/websocket.md). */
const STREAM_BEGIN = 0;
const SET_BUFFER_LENGTH = 3;
const RECORDED = 4;
const KEY_FRAME = 100;
const MAX_VALUES = 4096;

/** What a stream has carried so far. */
export interface StreamStats {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of audio and video. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Of the last audio or video that came, and of what the sink has played; milliseconds. */
  readonly receivedTime: number;
  readonly playedTime: number | undefined;
}

/** What `play2` is asked for, as in ActionScript: `NetStreamPlayOptions`. Times are seconds, as of `play`. */
export interface PlayOptions {
  readonly streamName: string;
  /** In whose place it comes with `switch` and `swap`; by default that of the last that was begun. */
  readonly oldStreamName?: string;
  readonly start?: number;
  readonly len?: number;
  /**
   * `reset`, the default: now; `append`: when what plays has ended; `switch`: the same at another bit rate, from where it
   * is on; `swap`: another, of which nothing has been sent yet.
   */
  readonly transition?: 'reset' | 'append' | 'switch' | 'swap';
}

interface Command {
  readonly name: string;
  readonly args: unknown[];
}

/**
 * A stream that is published or played. What media it plays goes to `sink`, what it publishes comes from `source`. It may be
 * made before there is a connection; when that is lost and comes back, the stream goes on.
 *
 *     const stream = new NetStream(connection);
 *     stream.sink = player;
 *     stream.play('cam');
 */
export class NetStream extends Notifier {
  onMetaData: ((metadata: Readonly<Record<string, unknown>>) => void) | undefined;
  source: MediaSource | undefined;
  sink: MediaSink | undefined;
  readonly #connection: NetConnection;
  /** Of the message stream; 0 while there is none. */
  #id = 0;
  /** Each connection has its own. */
  #epoch = 0;
  /** What plays, in order, or is published: said again when the connection is there again. */
  #wanted: Command[] = [];
  /** What was said of it since. */
  readonly #settings = new Map<string, readonly unknown[]>();
  /** A recording plays: where in the file it goes on when the connection has been lost, and which time there is 0 for the sink. */
  #isRecorded = false;
  /** Of the server: what begins is a recording when it has just said so. */
  #lastEvent: number | undefined;
  #resumeMs = 0;
  #originMs = 0;
  #bufferTime = 0.1;
  #isPaused = false;
  #isPublishing = false;
  #acknowledger: ReturnType<typeof setTimeout> | undefined;
  /** When that was told last, by the times of what comes. */
  #toldAt: number | undefined;
  #toldTime: number | undefined;
  #publishTime = 0;
  #stats = { bytesIn: 0, bytesOut: 0, messagesIn: 0, messagesOut: 0, receivedTime: 0 };

  constructor(connection: NetConnection) {
    super(connection);
    this.#connection = connection;
    connection.admit(this);
  }

  /** What plays is a recording: a player shows all of it, and hurries after nothing. */
  get isRecorded(): boolean {
    return this.#isRecorded;
  }

  get stats(): StreamStats {
    return { ...this.#stats, playedTime: this.sink?.played };
  }

  /** Seconds: how far the sink has played, or the publisher has come. */
  get time(): number {
    return (this.sink?.played ?? this.#publishTime) / 1000;
  }

  /** Seconds that have come and are not played yet, by what the sink says of that; 0 while it says nothing. */
  get bufferLength(): number {
    const { receivedTime } = this.#stats;
    return Math.max(0, (receivedTime - (this.sink?.played ?? receivedTime)) | 0) / 1000;
  }

  /** Seconds that the player buffers; for recordings the server sends so much ahead. Default 0.1. */
  get bufferTime(): number {
    return this.#bufferTime;
  }

  set bufferTime(seconds: number) {
    this.#bufferTime = seconds;
    if (this.#id !== 0) this.#control(SET_BUFFER_LENGTH, Math.max(0, Math.round(seconds * 1000)));
  }

  /**
   * Plays a live or recorded stream; false stops. `start` in seconds: -2 live or recorded, -1 live only, from 0 on recorded
   * only. `length` in seconds, -1 for all. `reset` false: when what plays now has ended.
   */
  play(name: string | false, start = -2, length = -1, reset: boolean | number = true): void {
    if (name === false) return this.#stop();
    if (reset === true || reset === 1 || reset === 3) this.#begin();
    this.#originMs = Math.max(0, start * 1000);
    this.#want('play', name, start * 1000, length < 0 ? -1 : length * 1000, reset);
  }

  /** Changes what plays; `onPlayStatus` hears `NetStream.Play.TransitionComplete` when that has been done by `switch`. */
  play2({ streamName, start, len, transition = 'reset', ...options }: PlayOptions): void {
    if (transition === 'append' || transition === 'reset')
      return this.play(streamName, start, len, transition === 'reset');
    const { oldStreamName = this.#wanted.at(-1)?.args[0] } = options;
    for (const { args } of this.#wanted) if (args[0] === oldStreamName) args[0] = streamName;
    this.#command('play2', { streamName, oldStreamName, transition });
  }

  /** Publishes under that name; `type` is `live`, `record`, `append` or `appendWithGap`. False stops. */
  publish(name: string | false, type = 'live'): void {
    this.#stop();
    if (name !== false) this.#want('publish', name, type);
  }

  pause(): void {
    this.#pause(true);
  }

  resume(): void {
    this.#pause(false);
  }

  togglePause(): void {
    this.#pause(!this.#isPaused);
  }

  /** To that second of a recording. */
  seek(seconds: number): void {
    this.#resumeMs = seconds * 1000;
    this.#command('seek', this.#resumeMs);
  }

  receiveAudio(isWanted: boolean): void {
    this.#set('receiveAudio', isWanted);
  }

  receiveVideo(isWanted: boolean): void {
    this.#set('receiveVideo', isWanted);
  }

  /** At most so many pictures a second, as far as they can be left out. */
  receiveVideoFPS(fps: number): void {
    this.#set('receiveVideoFPS', fps);
  }

  /** Calls `handler` of all who play what this publishes. `@setDataFrame`, a name and a value: of those to come, too. */
  send(handler: string, ...args: unknown[]): void {
    if (this.#isPublishing)
      this.#media(MessageType.DataAmf0, this.#publishTime, encodeData(handler, ...args));
  }

  /** The stream is of no use any more. */
  close(): void {
    this.#stop();
    if (this.#id !== 0) {
      this.#connection.listen(this.#id, undefined);
      this.#delete(this.#id);
    }
    this.#connection.dismiss(this);
    this.disconnected();
  }

  connected(): void {
    const epoch = ++this.#epoch;
    this.#connection.invoke<number>('createStream').then(
      (id) => {
        if (epoch === this.#epoch) this.#created(id);
        else this.#delete(id);
      },
      ({ info }: CallError) => {
        if (epoch === this.#epoch) this.report(info);
      },
    );
  }

  /** Closed while it was made, or later: the connection may have only so many. */
  #delete(id: number): void {
    void this.#connection.call('deleteStream', null, id);
  }

  disconnected(): void {
    this.#epoch++;
    this.#id = 0;
    const played = this.sink?.played;
    if (played !== undefined) this.#resumeMs = played + this.#originMs;
    clearTimeout(this.#acknowledger);
    this.#unpublished();
  }

  #created(id: number): void {
    this.#id = id;
    this.#acknowledge();
    this.#connection.listen(id, (message) => this.#message(message));
    this.bufferTime = this.#bufferTime;
    for (const [name, args] of this.#settings) this.#command(name, ...args);
    if (this.#wanted.length > 0) this.#renew();
    for (const { name, args } of this.#wanted) this.#command(name, ...args);
    // Of a list nobody knows in which item it was.
    if (this.#isRecorded && this.#wanted.length === 1) this.#command('seek', this.#resumeMs);
    if (this.#isPaused) this.#pause(true);
  }

  #begin(): void {
    this.#unpublished();
    this.#wanted = [];
    this.#isPaused = this.#isRecorded = false;
    this.#resumeMs = 0;
    this.#renew();
  }

  #stop(): void {
    if (this.#wanted.length > 0) this.#command('closeStream');
    this.#begin();
  }

  #renew(): void {
    this.#toldTime = undefined;
    this.sink?.reset();
  }

  #want(name: string, ...args: unknown[]): void {
    this.#wanted.push({ name, args });
    this.#command(name, ...args);
  }

  #set(name: string, ...args: unknown[]): void {
    this.#settings.set(name, args);
    this.#command(name, ...args);
  }

  #pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.sink?.pause?.(isPaused);
    this.#command('pause', isPaused, this.sink?.played ?? this.#resumeMs);
  }

  #command(name: string, ...args: unknown[]): void {
    if (this.#id === 0) return;
    this.#send(MessageType.CommandAmf0, 0, encodeCommand(name, 0, null, ...args));
  }

  #control(event: number, value: number): void {
    const body = new ByteWriter(10);
    body.u16(event);
    body.u32(this.#id);
    body.u32(value);
    this.#connection.sendMessage(controlMessage(MessageType.UserControl, body.view));
  }

  #media(type: number, timestamp: number, payload: Uint8Array): void {
    const stats = this.#stats;
    stats.bytesOut += payload.length;
    if (type !== MessageType.DataAmf0) {
      stats.messagesOut++;
      this.#publishTime = timestamp;
    }
    this.#send(type, timestamp, payload);
  }

  #send(type: number, timestamp: number, payload: Uint8Array): void {
    this.#connection.sendMessage({ type, streamId: this.#id, timestamp, payload });
  }

  #message(message: RtmpMessage): void {
    const { type, timestamp, payload } = message;
    const stats = this.#stats;
    stats.bytesIn += payload.length;
    if (type === MessageType.Audio || type === MessageType.Video) {
      stats.messagesIn++;
      stats.receivedTime = timestamp;
      // Timers of a tab that nobody sees are slow, messages are not.
      if (!(Math.abs(timestamp - this.#toldAt!) < ACKNOWLEDGE_MS)) {
        this.#toldAt = timestamp;
        this.#acknowledge();
      }
      const { sink } = this;
      return guarded(() =>
        type === MessageType.Audio ? sink?.audio(timestamp, payload) : sink?.video(timestamp, payload),
      );
    }
    if (type === MessageType.UserControl) {
      const event = payload[1];
      if (event === STREAM_BEGIN) this.#isRecorded = this.#lastEvent === RECORDED;
      if (event === KEY_FRAME) guarded(() => this.source?.forceKeyFrame?.());
      this.#lastEvent = event;
      return;
    }
    const values = decodeValues(message, AMF_LIMITS, MAX_VALUES);
    const name = String(values[0]);
    if (type === MessageType.CommandAmf0 || type === MessageType.CommandAmf3)
      return name === 'onStatus' ? this.#status(values[3] as unknown as Info) : undefined;
    const args = values.slice(1);
    const own = name === 'onMetaData' ? this.onMetaData : undefined;
    guarded(() => own?.(args[0] as Record<string, unknown>));
    if (!own || this.method(name)) this.run(name, args).catch(() => {});
  }

  #status(info: Info): void {
    switch (info.code) {
      case 'NetStream.Publish.Start':
        this.#isPublishing = true;
        this.#connection.sendMessage(
          controlMessage(MessageType.WindowAckSize, encodeAcknowledgement(ACKNOWLEDGED_EVERY * 2)),
        );
        if (this.source?.forceKeyFrame) this.#control(KEY_FRAME, 0);
        guarded(() => this.source?.start(this.#output()));
        break;
      case 'NetStream.Unpublish.Success':
      case 'NetStream.Publish.BadName':
        this.#unpublished();
        break;
      case 'NetStream.Seek.Notify':
      case 'NetStream.Play.PublishNotify':
        // From here on times are those of the file.
        this.#originMs = 0;
        this.#renew();
    }
    this.report(info);
  }

  /** Of this publication only: what a source says when it is over is nothing. */
  #output(): MediaOutput {
    const epoch = this.#epoch;
    const send = (type: number, timestamp: number, payload: Uint8Array) => {
      if (this.#isPublishing && epoch === this.#epoch) this.#media(type, timestamp, payload);
    };
    const connection = this.#connection;
    return {
      audio: (timestamp, payload) => send(MessageType.Audio, timestamp, payload),
      video: (timestamp, payload) => send(MessageType.Video, timestamp, payload),
      get queuedBytes() {
        return connection.queuedBytes;
      },
      get sentBytes() {
        return connection.sentBytes;
      },
      get acknowledgedBytes() {
        return connection.acknowledgedBytes;
      },
    };
  }

  #unpublished(): void {
    if (!this.#isPublishing) return;
    this.#isPublishing = false;
    guarded(() => this.source?.stop());
  }

  /** How far it has been played, for the server to bound the delay (docs/websocket.md). */
  #acknowledge(): void {
    clearTimeout(this.#acknowledger);
    this.#acknowledger = setTimeout(() => this.#acknowledge(), ACKNOWLEDGE_MS * 2);
    const played = this.sink?.played;
    if (played === undefined || played === this.#toldTime) return;
    this.#toldTime = played;
    this.#send(MessageType.Acknowledgement, 0, encodeAcknowledgement(played));
  }
}
