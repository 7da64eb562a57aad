import type { StreamRequest } from '../../runtime/wall/fields.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import { describe, type StatusCode } from '../../wire/status.ts';
import { NAME_RULE, type StreamName } from '../../wire/stream-name.ts';
import { StagewireError } from '../base/errors.ts';
import type { PlayRequest, StreamEnd, Transport } from '../rtmp/ports.ts';
import { IdleWatch } from './idle-watch.ts';
import type { LiveStream, Publisher } from './live-stream.ts';
import type { Wants } from './play/item.ts';
import { Playback, type PlaybackOwner } from './play/playback.ts';
import type { Recording, RecordMode } from './recording/recording.ts';
import { relay } from './relay.ts';
import { Voice } from './voice.ts';

export interface Verdict {
  isAllowed: boolean;
  description: string;
}

/** What a stream asks of the instance it belongs to. */
export interface StreamOwner extends PlaybackOwner {
  readonly clientId: string;
  readonly limits: { readonly publishTimeoutMs: number; readonly publishIdleMs: number };
  /** The script's verdict. Always settles; refuses when the script cannot say. */
  authorize(action: 'publish' | 'play', stream: StreamRequest): Promise<Verdict>;
  published(stream: StreamRequest): void;
  unpublished(stream: StreamRequest): void;
}

/** Messages that an encoder sends before it heard whether it may publish. */
const MAX_EARLY_MESSAGES = 256;
const MAX_EARLY_BYTES = 1024 * 1024;
/** Requests to play whose verdict is awaited. */
const MAX_ASKING = 1000;
const RECORD_MODES: readonly string[] = ['record', 'append', 'appendWithGap'] satisfies RecordMode[];

const NO_NAME = `That is no name of a stream: ${NAME_RULE}.`;

type State =
  | { at: 'idle' }
  /** The script is deciding; `early` is what an impatient encoder has sent meanwhile. */
  | { at: 'asking'; early: RtmpMessage[]; earlyBytes: number }
  | {
      at: 'publishing';
      request: StreamRequest;
      stream: LiveStream;
      publisher: Publisher;
      recording: Recording | undefined;
      idle: IdleWatch;
    }
  /** `asking`: requests that the script decides about, in order; `waiting`: what is asked of the first meanwhile. */
  | { at: 'playing'; playback: Playback; asking: number; waiting: number; order: Promise<void> };

/** One NetStream of one client: its state, and the statuses that the client hears (RTMP 1.0, section 7.2.2). */
export class NetStream implements StreamEnd {
  readonly #voice: Voice;
  readonly #owner: StreamOwner;
  /** Flash Player says what it wants before it plays. */
  readonly #wants: Wants = { audio: true, video: true, fps: undefined };
  #bufferMs = 0;
  #state: State = { at: 'idle' };

  constructor(id: number, transport: Transport, owner: StreamOwner) {
    this.#voice = new Voice(transport, id, owner.clientId);
    this.#owner = owner;
  }

  get hasBegun(): boolean {
    return this.#state.at === 'publishing';
  }

  get isPublishing(): boolean {
    return this.#state.at === 'publishing' || this.#state.at === 'asking';
  }

  publish(stream: StreamName, mode: string): void {
    const { name, query } = stream;
    const voice = this.#voice;
    if (this.isPublishing) {
      voice.status('NetStream.Failed', 'This NetStream is publishing already.', name);
      return;
    }
    this.close();
    if (name === '') return voice.status('NetStream.Publish.BadName', NO_NAME, name);
    // Players have published with anything else than what records.
    const request = { name, query, mode: RECORD_MODES.includes(mode) ? mode : 'live' };
    const asking: State = { at: 'asking', early: [], earlyBytes: 0 };
    this.#state = asking;
    void this.#decide(stream, request, asking);
  }

  play(request: PlayRequest): void {
    const { name, query } = request.stream;
    if (request.isReset || this.#state.at !== 'playing') this.close();
    if (name === '') return this.#voice.status('NetStream.Play.Failed', NO_NAME, name);
    if (this.#state.at !== 'playing') {
      const playback = new Playback(this.#voice, this.#owner, this.#wants, this.#bufferMs);
      this.#state = { at: 'playing', playback, asking: 0, waiting: 0, order: Promise.resolve() };
    }
    const state = this.#state;
    if (state.asking >= MAX_ASKING)
      return this.#voice.status('NetStream.Play.Failed', 'Too many requests to play wait.', name);
    state.asking++;
    const verdict = this.#owner.authorize('play', { name, query, mode: '' });
    // A playlist has the order in which it was asked for, whoever is decided about first.
    state.order = state.order.then(async () => {
      const { isAllowed, description } = await verdict;
      state.asking--;
      if (this.#state !== state) return;
      if (isAllowed) state.playback.add(request);
      else this.#voice.status('NetStream.Play.Failed', description, name);
    });
  }

  pause(isPaused: boolean, positionMs?: number): void {
    this.#whenAllowed((playback) => playback.pause(isPaused, positionMs));
  }

  seek(positionMs: number): void {
    this.#whenAllowed((playback) => playback.seek(positionMs));
  }

  /** Who plays, seeks and pauses in one breath means what is to be played. */
  #whenAllowed(run: (playback: Playback) => void): void {
    const state = this.#state;
    if (state.at !== 'playing') return;
    if (state.asking === 0 || !state.playback.isEmpty) return run(state.playback);
    if (state.waiting >= MAX_ASKING) return;
    state.waiting++;
    state.order = state.order.then(() => {
      state.waiting--;
      if (this.#state === state) run(state.playback);
    });
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#wants[medium] = isWanted;
    if (this.#state.at === 'playing') this.#state.playback.receive(medium, isWanted);
  }

  limitFrames(fps: number | undefined): void {
    if (fps === this.#wants.fps) return;
    this.#wants.fps = fps;
    if (this.#state.at === 'playing') this.#state.playback.limitFrames(fps);
  }

  setBuffer(bufferMs: number): void {
    this.#bufferMs = bufferMs;
    if (this.#state.at === 'playing') this.#state.playback.setBuffer(bufferMs);
  }

  played(timestamp: number): void {
    if (this.#state.at === 'playing') this.#state.playback.played(timestamp);
  }

  makesKeyFrames(): void {
    if (this.#state.at === 'publishing')
      this.#state.publisher.forceKeyFrame = () => this.#voice.event('KeyFrame');
  }

  media(message: RtmpMessage): void {
    const state = this.#state;
    if (state.at === 'publishing') {
      state.idle.heard();
      try {
        relay(state.stream, message);
      } catch (error) {
        // Data that cannot be read is dropped, the stream goes on.
        if (!(error instanceof StagewireError)) throw error;
      }
    } else if (state.at === 'asking' && state.early.length < MAX_EARLY_MESSAGES) {
      state.earlyBytes += message.payload.length;
      if (state.earlyBytes <= MAX_EARLY_BYTES) state.early.push(message);
    }
  }

  close(): void {
    const state = this.#state;
    this.#state = { at: 'idle' };
    if (state.at === 'playing') {
      state.playback.close();
    } else if (state.at === 'publishing') {
      const { request, stream, publisher, recording, idle } = state;
      idle.stop();
      stream.unpublish(publisher);
      if (recording) stream.stopRecording(recording);
      this.#owner.unpublished(request);
      const { name } = request;
      this.#voice.status('NetStream.Unpublish.Success', describe.unpublished(name), name);
      this.#owner.streams.tell(name, 'NetStream.Unpublish.Success', describe.unpublished(name));
    }
  }

  /** The name is to be free, and the script to agree; meanwhile the client may close, or ask for something else. */
  async #decide(stream: StreamName, request: StreamRequest, asking: State & { at: 'asking' }): Promise<void> {
    const { name } = request;
    const present = () => this.#owner.streams.find(name)?.publisher;
    const before = present();
    let refusal = before && (await this.#isThere(before)) ? describe.alreadyPublishing(name) : undefined;
    if (refusal === undefined && this.#state === asking) {
      const verdict = await this.#owner.authorize('publish', request);
      const now = present();
      if (!verdict.isAllowed) refusal = verdict.description;
      // Somebody else may have been allowed meanwhile.
      else if (now && now !== before) refusal = describe.alreadyPublishing(name);
      else if (this.#state === asking) now?.evicted();
    }
    if (this.#state !== asking) return;
    this.#state = { at: 'idle' };
    if (refusal === undefined) this.#startPublishing(stream, request, asking.early);
    else this.#voice.status('NetStream.Publish.BadName', refusal, name);
  }

  /** A publisher that gives no sign of life has lost its connection, and often comes back under the same name. */
  async #isThere(publisher: Publisher): Promise<boolean> {
    const { publishTimeoutMs } = this.#owner.limits;
    if (publishTimeoutMs === 0 || publisher.clientId === this.#owner.clientId) return true;
    return publisher.isAlive(publishTimeoutMs);
  }

  #startPublishing(named: StreamName, request: StreamRequest, early: readonly RtmpMessage[]): void {
    const { name, mode } = request;
    const stream = this.#owner.streams.open(name);
    const publisher: Publisher = {
      clientId: this.#owner.clientId,
      isAlive: (withinMs) => this.#voice.transport.isAlive(withinMs),
      evicted: () => this.close(),
      reader: this.#voice.transport.reader,
    };
    stream.publish(publisher);
    const { streams } = this.#owner;
    if (mode === 'live' && streams.erasesOnPublish) void streams.clear(named);
    const recording = mode === 'live' ? undefined : this.#record(stream, named, mode as RecordMode);
    const idle = new IdleWatch(this.#owner.limits.publishIdleMs, () =>
      this.#voice.status('NetStream.Publish.Idle', describe.idle(name), name),
    );
    this.#state = { at: 'publishing', request, stream, publisher, recording, idle };
    this.#voice.event('StreamBegin');
    this.#voice.status('NetStream.Publish.Start', describe.published(name), name);
    this.#owner.streams.tell(name, 'NetStream.Publish.Start', describe.published(name));
    this.#owner.published(request);
    for (const message of early) this.media(message);
  }

  /** What the script records already stays as it is. */
  #record(stream: LiveStream, named: StreamName, mode: RecordMode): Recording | undefined {
    const { streams } = this.#owner;
    const tell = (code: StatusCode, description: string) => this.#voice.status(code, description, named.name);
    if (!stream.recording) return streams.recordStream(stream, named, mode, { maxMs: 0, maxBytes: 0 }, tell);
    tell('NetStream.Record.NoAccess', `${named.name}: ${named.name} is being recorded already.`);
    return undefined;
  }
}
