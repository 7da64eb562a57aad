import type { RtmpMessage } from '../../../wire/messages.ts';
import { MessageType } from '../../../wire/messages.ts';
import type { StreamName } from '../../../wire/stream-name.ts';
import type { PlayDecision, PlayRequest, StreamEnd, Transport } from '../../rtmp/ports.ts';
import { LateJoin } from '../../streams/late-join.ts';
import { NetStream, type StreamOwner } from '../../streams/net-stream.ts';
import { Voice } from '../../streams/voice.ts';
import type { EdgeInstance } from './edge-instance.ts';
import type { Upward } from './messages.ts';
import { Valve } from './valve.ts';

type StreamOp = Exclude<Upward, { op: 'hello' | 'proof' | 'connect' | 'carry' }>;

/** What a stream needs of its client and the link. */
export interface EdgeStreamHost {
  readonly clientId: string;
  readonly instance: EdgeInstance;
  /** Whether the origin knows the client at present. */
  readonly isAttached: boolean;
  /** The same, when it may have to be told again first: false when that takes too long. */
  attached(): Promise<boolean>;
  readonly gopBytes: number;
  /** It has something to do, or nothing any more. */
  setActive(stream: EdgeStream, isActive: boolean): void;
  readonly queuedBytes: number;
  decide(stream: StreamName, startMs: number): Promise<PlayDecision>;
  nextNumber(): number;
  tell(op: StreamOp, number: number): void;
  /** Media for the stream of that number at the origin. */
  send(message: RtmpMessage): void;
  /** The client of this edge: for the NetStream that plays here. */
  owner(authorized: () => PlayDecision): StreamOwner;
}

interface Publication {
  readonly stream: StreamName;
  readonly mode: string;
  /** The origin has been told of it, and it has begun there: then what it records goes on after a link that was lost. */
  isTold: boolean;
  isHeard: boolean;
  /** For an origin that has lost the beginning. */
  readonly late: LateJoin;
  readonly data: Map<string, RtmpMessage>;
  readonly valve: Valve;
}

/** Requests whose answer is awaited, and what is asked of them meanwhile. */
const MAX_WAITING = 1000;
/** What waits for the origin before pictures are left out. */
const STREAM_BYTES = 16 * 1024 * 1024;
/** Characters that go over the link. */
export const MAX_QUERY = 64 * 1024;
const MAX_MODE = 32;
const MAX_DATA = 16;
const MAX_DATA_BYTES = 64 * 1024;

/**
 * One NetStream of a client of an edge. Live streams are played from what the edge has of them; what is recorded, and what
 * the client publishes, goes over the link.
 */
export class EdgeStream implements StreamEnd {
  readonly #streamId: number;
  readonly #transport: Transport;
  readonly #host: EdgeStreamHost;
  readonly #voice: Voice;
  #local: NetStream | undefined;
  #decision: PlayDecision = REFUSED;
  #at: 'nothing' | 'here' | 'origin' = 'nothing';
  #publication: Publication | undefined;
  /** Of the stream at the origin, as long as there is one. */
  #number: number | undefined;
  #order: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** What was asked before the last `close` is void. */
  #epoch = 0;
  readonly #wants = { audio: true, video: true };
  #fps: number | undefined;
  #bufferMs = 0;
  #makesKeyFrames = false;

  constructor(streamId: number, transport: Transport, host: EdgeStreamHost) {
    this.#streamId = streamId;
    this.#transport = transport;
    this.#host = host;
    this.#voice = new Voice(transport, streamId, host.clientId);
  }

  get isPublishing(): boolean {
    return this.#publication !== undefined;
  }

  get hasBegun(): boolean {
    return this.#publication?.isHeard === true;
  }

  publish(stream: StreamName, mode: string): void {
    if (this.isPublishing)
      return this.#voice.status('NetStream.Failed', 'This NetStream is publishing already.', stream.name);
    this.close();
    if (stream.query.length > MAX_QUERY)
      return this.#voice.status('NetStream.Publish.BadName', TOO_LONG, stream.name);
    const publication: Publication = {
      stream,
      // Anything else is `live`, however long.
      mode: mode.slice(0, MAX_MODE),
      isTold: false,
      isHeard: false,
      late: new LateJoin(() => this.#host.gopBytes),
      data: new Map(),
      valve: new Valve(() => this.#host.queuedBytes, STREAM_BYTES),
    };
    this.#publication = publication;
    this.#at = 'origin';
    this.#host.setActive(this, true);
    if (this.#host.isAttached) return this.#begin(publication);
    // It begins when the origin is back.
    void this.#host.attached().then((isAttached) => {
      if (isAttached || this.#publication !== publication || publication.isTold) return;
      this.close();
      this.#voice.status('NetStream.Publish.BadName', NO_ORIGIN, stream.name);
    });
  }

  play(request: PlayRequest): void {
    if (request.isReset || this.#at === 'nothing' || this.isPublishing) this.close();
    const { stream, startMs, durationMs } = request;
    if (stream.query.length > MAX_QUERY)
      return this.#voice.status('NetStream.Play.Failed', TOO_LONG, stream.name);
    if (this.#waiting >= MAX_WAITING)
      return this.#voice.status('NetStream.Play.Failed', 'Too many requests to play wait.', stream.name);
    this.#host.setActive(this, true);
    this.#later(async (isStale) => {
      if (isStale()) return;
      // What others may follow is a playlist, which is all in one place; the script is asked once about each of it.
      const isThere = this.#at === 'origin' || (this.#at === 'nothing' && durationMs >= 0);
      const isAttached = await this.#host.attached();
      const decided = isThere && isAttached ? AT_ORIGIN : await this.#host.decide(stream, startMs);
      // Who plays what is there hears nothing of its coming, and can change over to it.
      if (decided.at === 'live' && decided.isAllowed && !isStale())
        await this.#host.instance.carry(stream.name).known;
      if (!isStale()) this.#play(request, decided);
    });
  }

  pause(isPaused: boolean, positionMs?: number): void {
    this.#now(() => {
      if (this.#at === 'here') this.#local?.pause(isPaused, positionMs);
      else if (this.#at === 'origin')
        this.#tell({ op: 'pause', isPaused, ...(positionMs !== undefined && { positionMs }) });
    });
  }

  seek(positionMs: number): void {
    this.#now(() => {
      if (this.#at === 'here') this.#local?.seek(positionMs);
      else if (this.#at === 'origin') this.#tell({ op: 'seek', positionMs });
    });
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#wants[medium] = isWanted;
    this.#local?.receive(medium, isWanted);
    if (this.#number !== undefined) this.#tell({ op: 'receive', medium, isWanted });
  }

  limitFrames(fps: number | undefined): void {
    this.#fps = fps;
    this.#local?.limitFrames(fps);
    if (this.#number !== undefined) this.#tell({ op: 'frames', ...(fps !== undefined && { fps }) });
  }

  setBuffer(bufferMs: number): void {
    this.#bufferMs = bufferMs;
    this.#local?.setBuffer(bufferMs);
    if (this.#number !== undefined) this.#tell({ op: 'buffer', bufferMs });
  }

  played(timestamp: number): void {
    if (this.#at === 'here') this.#local?.played(timestamp);
    else if (this.#number !== undefined) this.#tell({ op: 'played', timestamp });
  }

  makesKeyFrames(): void {
    this.#makesKeyFrames = true;
    if (this.#number !== undefined) this.#tell({ op: 'makes-key-frames' });
  }

  media(message: RtmpMessage): void {
    const publication = this.#publication;
    if (!publication) return;
    this.#keep(publication, message);
    if (this.#number !== undefined && this.#host.isAttached && publication.valve.admits(message))
      this.#host.send({ ...message, streamId: this.#number });
  }

  close(): void {
    this.#epoch++;
    this.#at = 'nothing';
    this.#publication = undefined;
    this.#local?.close();
    if (this.#number !== undefined) this.#host.tell({ op: 'close' }, this.#number);
    this.#number = undefined;
    this.#host.setActive(this, false);
  }

  isAlive(withinMs: number): Promise<boolean> {
    return this.#transport.isAlive(withinMs);
  }

  /** The link is gone, and what the origin had with it. */
  lost(): void {
    this.#number = undefined;
    if (this.#at !== 'origin' || this.#publication) return;
    this.#at = 'nothing';
    this.#epoch++;
    this.#voice.status('NetStream.Play.Failed', 'The connection to the origin was lost.', '');
  }

  /** The origin knows the client again: what it publishes goes on, with all that its viewers need first. */
  resume(): void {
    const publication = this.#publication;
    if (!publication || this.#number !== undefined) return;
    this.#begin(publication);
    const { late, data } = publication;
    const { headers, pictures } = late.catchUp;
    const timestamp = pictures[0]?.timestamp ?? 0;
    const before = [...data.values(), ...headers].map((message) => ({ ...message, timestamp }));
    for (const message of [...before, ...pictures])
      this.#host.send({ ...message, streamId: this.#number ?? 0 });
  }

  /** What the stream of that number publishes has begun at the origin. */
  heard(number: number): void {
    if (this.#publication && number === this.#number) this.#publication.isHeard = true;
  }

  /** Once more after the link was lost: a recording goes on then. */
  #begin(publication: Publication): void {
    const { stream, mode, isHeard } = publication;
    publication.isTold = true;
    this.#tell({ op: 'publish', stream, mode: isHeard && mode === 'record' ? 'append' : mode });
  }

  #play(request: PlayRequest, decision: PlayDecision): void {
    if (this.#at === 'nothing') this.#at = decision.at === 'live' ? 'here' : 'origin';
    if (this.#at === 'origin') {
      const { stream, startMs, durationMs, isReset, isAtOnce, change } = request;
      return this.#tell({
        op: 'play',
        stream,
        startMs,
        durationMs,
        isReset,
        isAtOnce,
        ...(change && { change }),
      });
    }
    this.#decision = decision;
    this.#localStream().play(request);
  }

  #localStream(): NetStream {
    if (this.#local) return this.#local;
    const local = new NetStream(
      this.#streamId,
      this.#transport,
      this.#host.owner(() => this.#decision),
    );
    local.receive('audio', this.#wants.audio);
    local.receive('video', this.#wants.video);
    local.limitFrames(this.#fps);
    local.setBuffer(this.#bufferMs);
    this.#local = local;
    return local;
  }

  /** Opens the stream at the origin, when it has none, and says how it is to be. */
  #tell(op: StreamOp): void {
    if (this.#number === undefined) {
      const number = this.#host.nextNumber();
      this.#number = number;
      const { codecs } = this.#transport;
      this.#host.tell({ op: 'open', client: 0, streamId: this.#streamId, codecs: codecs.told }, number);
      for (const medium of ['audio', 'video'] as const)
        if (!this.#wants[medium]) this.#host.tell({ op: 'receive', medium, isWanted: false }, number);
      if (this.#fps !== undefined) this.#host.tell({ op: 'frames', fps: this.#fps }, number);
      if (this.#bufferMs !== 0) this.#host.tell({ op: 'buffer', bufferMs: this.#bufferMs }, number);
      if (this.#makesKeyFrames) this.#host.tell({ op: 'makes-key-frames' }, number);
    }
    this.#host.tell(op, this.#number);
  }

  #keep({ late, data }: Publication, message: RtmpMessage): void {
    const { type, payload } = message;
    if (type === MessageType.Audio || type === MessageType.Video)
      late.remember({ ...message, payload: payload.slice() });
    else if (payload.length <= MAX_DATA_BYTES) {
      // What is set for late joiners begins alike (`@setDataFrame`, then its name).
      const key = Buffer.from(payload.subarray(0, 64)).toString('latin1');
      if (key.includes('@setDataFrame') && (data.has(key) || data.size < MAX_DATA))
        data.set(key, { ...message, payload: payload.slice() });
    }
  }

  /** In its order behind what is awaited. */
  #now(run: () => void): void {
    if (this.#waiting === 0) return run();
    if (this.#waiting < MAX_WAITING)
      this.#later(async (isStale) => {
        if (!isStale()) run();
      });
  }

  #later(run: (isStale: () => boolean) => Promise<void>): void {
    const epoch = this.#epoch;
    this.#waiting++;
    this.#order = this.#order
      .then(() => run(() => this.#epoch !== epoch))
      .catch((error: unknown) => this.#transport.fail(error))
      .finally(() => {
        this.#waiting--;
      });
  }
}

const TOO_LONG = `What follows the ? of the name has more than ${MAX_QUERY} characters.`;
const NO_ORIGIN = 'The origin cannot be reached.';
const AT_ORIGIN: PlayDecision = {
  at: 'recorded',
  isAllowed: false,
  description: '',
  audio: false,
  video: false,
};
export const REFUSED: PlayDecision = {
  at: 'live',
  isAllowed: false,
  description: NO_ORIGIN,
  audio: false,
  video: false,
};
