import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import type { StatusCode } from '../../wire/status.ts';
import type { StreamName } from '../../wire/stream-name.ts';
import { StagewireError } from '../base/errors.ts';
import { Broadcast, type BroadcastItem } from './broadcast/broadcast.ts';
import type { CodecPolicy } from './codec-filter.ts';
import type { Library } from './library.ts';
import { LiveStream, type StreamHouse } from './live-stream.ts';
import type { Pacer } from './play/pacer.ts';
import type { Push } from './push/push.ts';
import type { Recording, RecordMode } from './recording/recording.ts';
import { relay } from './relay.ts';

/** The instance's script, as far as it has streams open. */
export interface ScriptEnd {
  status(name: string, code: StatusCode, description: string, details: string): void;
  data(name: string, message: RtmpMessage): void;
}

/** What a script can say of a stream of its own. */
export interface StreamSettings {
  readonly isSynchronous: boolean;
  /** Of what it plays from other servers, ahead of its time. */
  readonly bufferMs: number;
  readonly receivesAudio: boolean;
  readonly receivesVideo: boolean;
}

/** What `Stream.bufferTime` is before it is set. */
export const BUFFER_MS = 2000;

/** The streams of one instance, by name. A live one exists while it has a source, viewers, or something that records it. */
export class StreamDirectory {
  readonly library: Library;
  readonly pacer: Pacer;
  readonly broadcastPacer: Pacer;
  /** What is published elsewhere. */
  readonly pushes = new Set<Push>();
  /** Whoever the script is at present. */
  script: ScriptEnd | undefined;
  readonly #house: StreamHouse;
  readonly #streams = new Map<string, LiveStream>();
  readonly #broadcasts = new Map<string, Broadcast>();
  readonly #settings = new Map<string, StreamSettings>();

  constructor(house: StreamHouse, library: Library) {
    this.#house = house;
    this.library = library;
    this.pacer = house.windows.pacer;
    this.broadcastPacer = house.windows.broadcastPacer;
  }

  get erasesOnPublish(): boolean {
    return this.#house.erasesOnPublish;
  }

  get codecPolicy(): CodecPolicy {
    return this.#house.codecPolicy;
  }

  /** The stream of that name, made when there is none. */
  open(name: string): LiveStream {
    let stream = this.#streams.get(name);
    if (!stream) {
      const made = new LiveStream(
        name,
        this.#house,
        () => {
          if (this.#streams.get(name) === made) this.#streams.delete(name);
        },
        (message) => this.script?.data(name, message),
      );
      stream = made;
      this.#streams.set(name, made);
    }
    return stream;
  }

  find(name: string): LiveStream | undefined {
    return this.#streams.get(name);
  }

  /** Tells the script what became of a stream. */
  tell(name: string, code: StatusCode, description: string, details = name): void {
    this.script?.status(name, code, description, details);
  }

  /**
   * The server plays something under that name; who publishes there is evicted. False when the playlist is full, or the
   * server the source of too many streams.
   */
  broadcast(name: string, item: BroadcastItem, isReset: boolean): boolean {
    let broadcast = this.#broadcasts.get(name);
    if (!broadcast) {
      if (!this.library.beginBroadcast(name)) return false;
      // First: a stream that nobody else has anything to do with goes with its publisher.
      this.#streams.get(name)?.publisher?.evicted();
      const made = new Broadcast(
        this.open(name),
        this,
        (code, description, details) => this.tell(name, code, description, details),
        () => {
          this.library.endBroadcast();
          if (this.#broadcasts.get(name) === made) this.#broadcasts.delete(name);
        },
      );
      broadcast = made;
      this.#broadcasts.set(name, made);
      this.#apply(name);
    }
    return broadcast.add(item, isReset);
  }

  /** False when the server plays nothing there. */
  stopBroadcast(name: string): boolean {
    const broadcast = this.#broadcasts.get(name);
    broadcast?.stop();
    return broadcast !== undefined;
  }

  /** Begins to record the stream of that name, whatever its source is; ends it for an empty mode. */
  record(named: StreamName, mode: string, maxMs: number, maxBytes: number): boolean {
    const { name } = named;
    const present = this.#streams.get(name)?.recording;
    if (mode === '') {
      if (present) void this.#streams.get(name)?.stopRecording(present);
      return present !== undefined;
    }
    this.recordStream(this.open(name), named, mode as RecordMode, { maxMs, maxBytes });
    return true;
  }

  /** Records a stream, from the end of what records it at present on; `tellMore` hears what the script does. */
  recordStream(
    stream: LiveStream,
    named: StreamName,
    mode: RecordMode,
    limits: { maxMs: number; maxBytes: number },
    tellMore: (code: StatusCode, description: string) => void = () => {},
  ): Recording {
    const { name } = named;
    const tell = (code: StatusCode, description: string) => {
      this.tell(name, code, description);
      tellMore(code, description);
    };
    const recording: Recording = this.library.record(
      named,
      mode,
      limits,
      {
        started: () => tell('NetStream.Record.Start', `Recording ${name}.`),
        cleared: () => stream.headers,
        failed: ({ code, description }) => tell(code, `${name}: ${description}.`),
        stopped: () => tell('NetStream.Record.Stop', `Recording ${name} has stopped.`),
        ended: () => void stream.stopRecording(recording),
      },
      () => this.#settings.get(name)?.isSynchronous === true,
      stream.recording?.stop(),
    );
    stream.record(recording);
    return recording;
  }

  /** Removes what was recorded under that name; a recording under way goes on with an empty file. */
  async clear(named: StreamName): Promise<boolean> {
    const { name } = named;
    const isGone = await this.library.remove(named);
    if (isGone) this.tell(name, 'NetStream.Clear.Success', `The recording of ${name} was removed.`);
    else this.tell(name, 'NetStream.Clear.Failed', `There is no recording of ${name} that can be removed.`);
    return isGone;
  }

  /** The same for all that a path stands for, such as `/`, `/shows/*` and `mp4:/shows/?`; true when all of it is gone. */
  async clearAll(path: string): Promise<boolean> {
    const [, container = '', names = path] = /^(flv|mp4|f4v|mp3):(.*)$/s.exec(path) ?? [];
    const { gone, kept } = await this.library.removeAll(names, container);
    for (const name of gone)
      this.tell(name, 'NetStream.Clear.Success', `The recording of ${name} was removed.`);
    for (const name of kept) this.tell(name, 'NetStream.Clear.Failed', `The recording of ${name} stays.`);
    return kept.length === 0 && (gone.length > 0 || /[*?]|^\/?$/.test(names));
  }

  /** Resolves when what was recorded so far is written; false when nothing is recorded. */
  async flush(name: string): Promise<boolean> {
    const recording = this.#streams.get(name)?.recording;
    await recording?.flush();
    return recording !== undefined;
  }

  /** A data message of the script's: its values, the name of the handler first. */
  inject(name: string, values: Uint8Array): void {
    const stream = this.open(name);
    const timestamp = stream.nowForData;
    try {
      relay(stream, { type: MessageType.DataAmf0, streamId: 0, timestamp, payload: values }, true);
    } catch (error) {
      if (!(error instanceof StagewireError)) throw error; // the script's own encoder made them
    }
    stream.checkIdle();
  }

  set(name: string, settings: StreamSettings): void {
    const { isSynchronous, bufferMs, receivesAudio, receivesVideo } = settings;
    if (isSynchronous || bufferMs !== BUFFER_MS || !receivesAudio || !receivesVideo)
      this.#settings.set(name, { isSynchronous, bufferMs, receivesAudio, receivesVideo });
    else this.#settings.delete(name);
    this.#apply(name);
  }

  /** The instance ends: what the server plays ends, and what is recorded is completed. */
  close(): void {
    for (const broadcast of [...this.#broadcasts.values()]) broadcast.stop();
    for (const push of [...this.pushes]) push.stop();
    for (const stream of [...this.#streams.values()])
      if (stream.recording) void stream.stopRecording(stream.recording);
  }

  [Symbol.iterator](): Iterator<LiveStream> {
    return this.#streams.values();
  }

  #apply(name: string): void {
    const broadcast = this.#broadcasts.get(name);
    if (!broadcast) return;
    const {
      bufferMs = BUFFER_MS,
      receivesAudio = true,
      receivesVideo = true,
    } = this.#settings.get(name) ?? {};
    broadcast.bufferMs = bufferMs;
    broadcast.receivesAudio = receivesAudio;
    broadcast.receivesVideo = receivesVideo;
  }
}
