import { isVideoKeyFrame, isVideoMetadata, isVideoSequenceHeader } from '../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import type { Transport } from '../rtmp/ports.ts';

export interface ViewerLimits {
  /** What may wait for one viewer. */
  viewerQueueBytes: number;
  slowViewerMs: number;
}

/** What a viewer gets before live messages. */
export interface CatchUp {
  /** To be sent with time 0: FFmpeg takes metadata with another time for a track of its own. */
  dataFrames: RtmpMessage[];
  /** To be sent with the time of the first media message that follows. */
  headers: RtmpMessage[];
  pictures: RtmpMessage[];
}

/** What a viewer's stream has to say of its source. */
export interface ViewerEvents {
  published(): void;
  unpublished(): void;
  /** Behind for longer than it may be. */
  tooSlow(): void;
}

/** One play of a live stream by one client. */
export class Viewer {
  readonly #transport: Transport;
  readonly #streamId: number;
  readonly #events: ViewerEvents;
  #wantsAudio = true;
  #wantsVideo = true;
  #isPaused = false;
  /** Sent with the time of the next message. */
  #headers: RtmpMessage[] = [];
  /** Inter frames are of no use before a key frame. */
  #needsKeyFrame = true;
  #behindSince: number | undefined;

  constructor(transport: Transport, streamId: number, events: ViewerEvents) {
    this.#transport = transport;
    this.#streamId = streamId;
    this.#events = events;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  published(): void {
    this.#needsKeyFrame = true;
    this.#headers = [];
    this.#events.published();
  }

  unpublished(): void {
    this.#events.unpublished();
  }

  pause(): void {
    this.#isPaused = true;
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    if (medium === 'audio') {
      this.#wantsAudio = isWanted;
    } else if (isWanted !== this.#wantsVideo) {
      this.#wantsVideo = isWanted;
      this.#needsKeyFrame = true;
    }
  }

  /** Begins, or begins again after a pause. */
  start({ dataFrames, headers, pictures }: CatchUp): void {
    this.#isPaused = false;
    for (const message of dataFrames) this.#write({ ...message, timestamp: 0 });
    this.#headers = headers;
    this.#needsKeyFrame = true;
    for (const message of pictures) this.#sendOne(message);
  }

  /** One round's messages. `shared` holds their bytes by format, for viewers who take all of them. */
  send(
    messages: readonly RtmpMessage[],
    shared: Map<string, Buffer>,
    now: number,
    limits: ViewerLimits,
  ): void {
    if (this.#isPaused) return;
    if (!this.#isKeepingUp(now, limits)) {
      this.#transport.traffic.messagesDropped += messages.length;
      return;
    }
    const takesAll =
      this.#wantsAudio && this.#wantsVideo && !this.#needsKeyFrame && this.#headers.length === 0;
    if (!takesAll || this.#behindSince !== undefined) {
      for (const message of messages) this.#sendOne(message);
      return;
    }
    const key = `${this.#transport.format}/${this.#streamId}`;
    let bytes = shared.get(key);
    if (!bytes) {
      bytes = Buffer.concat(messages.map((message) => this.#transport.serialize(message, this.#streamId)));
      shared.set(key, bytes);
    }
    this.#transport.write(bytes, messages.length);
  }

  /** Beyond its bound a viewer loses video until the next key frame; audio goes on up to twice the bound. */
  #isKeepingUp(now: number, limits: ViewerLimits): boolean {
    const queued = this.#transport.queuedBytes;
    if (queued <= limits.viewerQueueBytes) {
      if (this.#behindSince !== undefined && queued <= limits.viewerQueueBytes / 2)
        this.#behindSince = undefined;
    } else if (this.#behindSince === undefined) {
      this.#behindSince = now;
      this.#needsKeyFrame = true;
    }
    if (this.#behindSince === undefined) return true;
    if (now - this.#behindSince > limits.slowViewerMs) {
      this.#isPaused = true;
      this.#events.tooSlow();
      return false;
    }
    return queued <= limits.viewerQueueBytes * 1.5;
  }

  #sendOne(message: RtmpMessage): void {
    if (!this.#isDue(message)) {
      if (this.#behindSince !== undefined) this.#transport.traffic.messagesDropped++;
      return;
    }
    if (this.#headers.length > 0 && message.type !== MessageType.DataAmf0) {
      const headers = this.#headers;
      this.#headers = [];
      for (const header of headers) this.#write({ ...header, timestamp: message.timestamp });
    }
    this.#write(message);
  }

  #isDue({ type, payload }: RtmpMessage): boolean {
    if (type === MessageType.Audio) return this.#wantsAudio;
    if (type !== MessageType.Video) return true;
    if (!this.#wantsVideo) return false;
    if (isVideoSequenceHeader(payload) || isVideoMetadata(payload)) return true;
    if (!this.#needsKeyFrame) return true;
    if (!isVideoKeyFrame(payload) || this.#behindSince !== undefined) return false;
    this.#needsKeyFrame = false;
    return true;
  }

  #write(message: RtmpMessage): void {
    this.#transport.write(this.#transport.serialize(message, this.#streamId), 1);
  }
}
