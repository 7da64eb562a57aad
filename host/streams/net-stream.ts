import type { StreamRequest } from '../../runtime/wall/fields.ts';
import { decodeValues, encodeCommand, encodeData } from '../../wire/commands.ts';
import { controlMessage, MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { describe, type StatusCode, status } from '../../wire/status.ts';
import { encodeUserControl, UserControlType } from '../../wire/user-control.ts';
import { type AmfLimits, type AmfValue, EcmaArray } from '../../wire/values.ts';
import { StagewireError } from '../base/errors.ts';
import type { PlayRequest, StreamEnd, Transport } from '../rtmp/ports.ts';
import type { StreamDirectory } from './directory.ts';
import type { LiveStream, Publisher } from './live-stream.ts';
import { Viewer } from './viewer.ts';

export interface Verdict {
  isAllowed: boolean;
  description: string;
}

/** What a stream asks of the instance it belongs to. */
export interface StreamOwner {
  readonly clientId: string;
  readonly streams: StreamDirectory;
  /** The script's verdict. Always settles; refuses when the script cannot say. */
  authorize(action: 'publish' | 'play', stream: StreamRequest): Promise<Verdict>;
  /** Whether the player may read the raw samples of that stream. */
  sampleAccess(name: string): { audio: boolean; video: boolean };
  published(stream: StreamRequest): void;
  unpublished(stream: StreamRequest): void;
  /** The client reads too slowly for what it plays: it is disconnected. */
  tooSlow(): void;
}

/** Messages that an encoder sends before it heard whether it may publish. */
const MAX_EARLY_MESSAGES = 256;
const MAX_EARLY_BYTES = 1024 * 1024;
/** Metadata of a file with a key-frame index has some thousand values. */
const METADATA_LIMITS: AmfLimits = { depth: 16, values: 32_768 };

type State =
  | { at: 'idle' }
  /** The script is deciding; `early` is what an impatient encoder has sent meanwhile. */
  | { at: 'asking'; early: RtmpMessage[]; earlyBytes: number }
  | { at: 'publishing'; request: StreamRequest; stream: LiveStream; publisher: Publisher }
  | { at: 'playing'; request: PlayRequest; stream: LiveStream; viewer: Viewer };

/** One NetStream of one client: its state, and the statuses that the client hears (RTMP 1.0, section 7.2.2). */
export class NetStream implements StreamEnd {
  readonly #id: number;
  readonly #transport: Transport;
  readonly #owner: StreamOwner;
  /** Flash Player says what it wants before it plays. */
  readonly #wants = { audio: true, video: true };
  #state: State = { at: 'idle' };

  constructor(id: number, transport: Transport, owner: StreamOwner) {
    this.#id = id;
    this.#transport = transport;
    this.#owner = owner;
  }

  get isPublishing(): boolean {
    return this.#state.at === 'publishing' || this.#state.at === 'asking';
  }

  publish(name: string, query: string, mode: string): void {
    if (this.#state.at === 'publishing' || this.#state.at === 'asking') {
      this.#status('NetStream.Failed', 'This NetStream is publishing already.', name);
      return;
    }
    this.close();
    if (name === '') return this.#status('NetStream.Publish.BadName', 'That is no name for a stream.', name);
    if (this.#isTaken(name)) return;

    const request = { name, query, mode };
    const asking: State = { at: 'asking', early: [], earlyBytes: 0 };
    this.#state = asking;
    void this.#owner.authorize('publish', request).then((verdict) => {
      if (this.#state !== asking) return; // closed, or asked for something else
      this.#state = { at: 'idle' };
      if (!verdict.isAllowed) this.#status('NetStream.Publish.BadName', verdict.description, name);
      else if (!this.#isTaken(name)) this.#startPublishing(request, asking.early);
    });
  }

  play(request: PlayRequest): void {
    this.close();
    const { name, query } = request;
    if (name === '') return this.#status('NetStream.Play.Failed', 'That is no name of a stream.', name);
    const asking: State = { at: 'asking', early: [], earlyBytes: 0 };
    this.#state = asking;
    void this.#owner.authorize('play', { name, query, mode: '' }).then((verdict) => {
      if (this.#state !== asking) return;
      this.#state = { at: 'idle' };
      if (!verdict.isAllowed) this.#status('NetStream.Play.Failed', verdict.description, name);
      else if (request.startMs >= 0)
        this.#status('NetStream.Play.StreamNotFound', describe.streamNotFound(name), name);
      else this.#startPlaying(request);
    });
  }

  pause(isPaused: boolean): void {
    const state = this.#state;
    if (state.at !== 'playing') return;
    const { name } = state.request;
    if (isPaused) {
      state.viewer.pause();
      this.#status('NetStream.Pause.Notify', describe.paused(name), name);
    } else {
      this.#status('NetStream.Unpause.Notify', describe.unpaused(name), name);
      if (state.viewer.isPaused) state.stream.resume(state.viewer);
    }
  }

  seek(_positionMs: number): void {
    if (this.#state.at !== 'playing') return;
    const { name } = this.#state.request;
    this.#status('NetStream.Seek.Failed', `${name} is live: it cannot be sought.`, name);
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#wants[medium] = isWanted;
    if (this.#state.at === 'playing') this.#state.viewer.receive(medium, isWanted);
  }

  media(message: RtmpMessage): void {
    const state = this.#state;
    if (state.at === 'publishing') {
      try {
        this.#relay(state.stream, message);
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
      state.stream.leave(state.viewer);
    } else if (state.at === 'publishing') {
      const { name } = state.request;
      state.stream.unpublish(state.publisher);
      this.#owner.unpublished(state.request);
      this.#status('NetStream.Unpublish.Success', describe.unpublished(name), name);
    }
  }

  #isTaken(name: string): boolean {
    if (!this.#owner.streams.find(name)?.publisher) return false;
    this.#status('NetStream.Publish.BadName', describe.alreadyPublishing(name), name);
    return true;
  }

  #startPublishing(request: StreamRequest, early: readonly RtmpMessage[]): void {
    const { name } = request;
    const stream = this.#owner.streams.open(name);
    const publisher: Publisher = { clientId: this.#owner.clientId };
    stream.publish(publisher);
    this.#state = { at: 'publishing', request, stream, publisher };
    this.#control(UserControlType.StreamBegin);
    this.#status('NetStream.Publish.Start', describe.published(name), name);
    if (request.mode !== 'live') {
      this.#status('NetStream.Record.Failed', 'This server does not record yet; the stream is live.', name);
    }
    this.#owner.published(request);
    for (const message of early) this.media(message);
  }

  #startPlaying(request: PlayRequest): void {
    const { name } = request;
    const stream = this.#owner.streams.open(name);
    const viewer = new Viewer(this.#transport, this.#id, {
      published: () => this.#status('NetStream.Play.PublishNotify', describe.published(name), name),
      unpublished: () => this.#status('NetStream.Play.UnpublishNotify', describe.unpublished(name), name),
      tooSlow: () => {
        this.#status('NetStream.Play.InsufficientBW', 'The connection is too slow for this stream.', name);
        this.#owner.tooSlow();
      },
    });
    viewer.receive('audio', this.#wants.audio);
    viewer.receive('video', this.#wants.video);
    this.#state = { at: 'playing', request, stream, viewer };
    this.#control(UserControlType.StreamBegin);
    if (request.isReset) this.#status('NetStream.Play.Reset', describe.playReset(name), name);
    this.#status('NetStream.Play.Start', describe.playStarted(name), name);
    this.#allowSamples(name);
    stream.join(viewer);
  }

  /** Flash Player lets nobody at the samples unless it is told so (the reference's section 6.1, audioSampleAccess). */
  #allowSamples(name: string): void {
    const { audio, video } = this.#owner.sampleAccess(name);
    if (!audio && !video) return;
    const payload = encodeData('|RtmpSampleAccess', audio, video);
    this.#transport.send({ type: MessageType.DataAmf0, streamId: this.#id, timestamp: 0, payload });
  }

  /** A publisher's message on its way to the viewers: metadata is kept and loses its `@setDataFrame`. */
  #relay(stream: LiveStream, message: RtmpMessage): void {
    if (message.type === MessageType.Audio || message.type === MessageType.Video) {
      stream.push(message);
      return;
    }
    const [first] = decodeValues(message, METADATA_LIMITS, 1);
    if (first === '@setDataFrame' || first === '@clearDataFrame') {
      const [, key, value] = decodeValues(message, METADATA_LIMITS, 3);
      if (typeof key !== 'string') return;
      if (first === '@clearDataFrame') stream.clearDataFrame(key);
      else stream.setDataFrame(key, dataMessage(message.timestamp, key, asEcmaArray(value)));
    } else if (first === 'onMetaData') {
      const [, value] = decodeValues(message, METADATA_LIMITS, 2);
      stream.setDataFrame(first, dataMessage(message.timestamp, first, asEcmaArray(value)));
    } else {
      stream.push(message);
    }
  }

  #control(type: typeof UserControlType.StreamBegin): void {
    const payload = encodeUserControl({ type, streamId: this.#id });
    this.#transport.send(controlMessage(MessageType.UserControl, payload));
  }

  #status(code: StatusCode, description: string, details: string): void {
    const info = { ...status(code, description), details, clientid: this.#owner.clientId };
    const payload = encodeCommand('onStatus', 0, null, info);
    this.#transport.send({ type: MessageType.CommandAmf0, streamId: this.#id, timestamp: 0, payload });
  }
}

function dataMessage(timestamp: number, name: string, value: AmfValue): RtmpMessage {
  return { type: MessageType.DataAmf0, streamId: 0, timestamp, payload: encodeData(name, value) };
}

/** FFmpeg as a player looks for stream properties in an ECMA array only. */
function asEcmaArray(value: AmfValue): AmfValue {
  const isPlain =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? new EcmaArray(value as Record<string, AmfValue>) : value;
}
