import { CodecSupport } from '../../../wire/codecs.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { describe, type StatusCode, status } from '../../../wire/status.ts';
import type { Link, LinkPlace, LinkUser } from '../../links/link.ts';
import { type RemoteStatus, RemoteStream, type RemoteStreamOwner } from '../../links/remote-stream.ts';
import type { StreamDirectory } from '../directory.ts';
import type { LiveStream } from '../live-stream.ts';
import { LoopMark } from '../loop-mark.ts';
import { Viewer } from '../viewer.ts';
import { PushTransport } from './push-transport.ts';

export interface PushRequest {
  readonly place: LinkPlace;
  /** As the other side is to have it, with what it may keep secret. */
  readonly name: string;
  readonly mode: string;
  /** For each answer of the other side. */
  readonly patienceMs: number;
}

/** Who is told what becomes of it. */
export interface PushOwner {
  /** The other side takes it. */
  began(status: RemoteStatus): void;
  status(status: RemoteStatus): void;
  /** It is over. Nothing is told afterwards. */
  over(status: RemoteStatus): void;
}

/** A stream that the server publishes at another instance, here or elsewhere (class NetStream on the server). */
export class Push implements RemoteStreamOwner {
  readonly #streams: StreamDirectory;
  readonly #request: PushRequest;
  readonly #remote: RemoteStream;
  readonly #mark = new LoopMark();
  #owner: PushOwner | undefined;
  /** By name: the stream that it sends; empty for none. */
  #source: string;
  #bufferMs: number;
  #transport: PushTransport | undefined;
  /** What it joins the stream as. */
  #viewer: { readonly at: LiveStream; readonly viewer: Viewer } | undefined;
  #isPublished = false;
  #isOver = false;
  #beganAt = 0;
  /** The connection of a later script, which has taken it over. */
  #heir: { readonly place: LinkPlace; readonly user: LinkUser } | undefined;

  constructor(
    streams: StreamDirectory,
    request: PushRequest,
    source: string,
    bufferMs: number,
    owner: PushOwner,
  ) {
    this.#streams = streams;
    this.#request = request;
    this.#source = source;
    this.#bufferMs = bufferMs;
    this.#owner = owner;
    this.#remote = new RemoteStream(request.place, this, request.patienceMs);
  }

  start(): void {
    this.#streams.pushes.add(this);
    this.#remote.start();
  }

  /** Another stream, or none for an empty name. */
  attach(source: string): void {
    if (source === this.#source) return;
    this.#source = source;
    this.#leave();
    if (this.#isPublished) this.#join();
  }

  setBuffer(bufferMs: number): void {
    this.#bufferMs = bufferMs;
    if (this.#transport) this.#transport.bufferMs = bufferMs;
  }

  /** A data message: its values, the name of the handler first. */
  sendData(values: Uint8Array): void {
    if (!this.#isPublished) return;
    const { at } = this.#viewer ?? {};
    at?.flush();
    const timestamp = at ? at.nowOnTimeline : Math.round(performance.now() - this.#beganAt);
    this.#remote.send(MessageType.DataAmf0, values, timestamp);
  }

  stop(): void {
    const { name } = this.#request;
    this.#end('NetStream.Unpublish.Success', describe.unpublished(name));
  }

  /** The script is over: what is sent goes on, as long as the stream does. */
  abandon(): void {
    this.#owner = undefined;
    this.#heir?.place.leave(this.#heir.user);
    this.#heir = undefined;
    if (!this.#viewer?.at.publisher) this.stop();
  }

  /** A later script publishes the same at the same place: it has this one, and the other side notices nothing. */
  takeOver({ place, name }: PushRequest, source: string, bufferMs: number, owner: PushOwner): boolean {
    const isIt = place.address === this.#request.place.address && name === this.#request.name;
    if (this.#owner || this.#isOver || !isIt) return false;
    this.#owner = owner;
    const user = { message: () => {}, ended: () => this.#closed() };
    this.#heir = { place, user };
    this.attach(source);
    this.setBuffer(bufferMs);
    owner.began(status('NetStream.Publish.Start', describe.published(name)));
    place.join(user);
    return true;
  }

  opening(link: Link): void {
    const { name } = this.#request;
    // As encoders do, for servers that know a name by it.
    link.ask('releaseStream', [name]);
    link.ask('FCPublish', [name]);
    this.#transport = new PushTransport(link.transport, this.#bufferMs, (message) => this.#pass(message));
  }

  opened(): void {
    const { name, mode } = this.#request;
    this.#remote.command('publish', name, mode);
    this.#remote.expect('publish');
  }

  status(said: RemoteStatus): void {
    const { code, level } = said;
    const isRefusal = level === 'error' && !code.startsWith('NetStream.Record.');
    if (code === 'NetStream.Publish.Start' && !this.#isPublished) this.#begin(said);
    else if (ENDS.includes(code) || (isRefusal && !this.#isPublished)) this.#finish(said);
    else this.#owner?.status(said);
  }

  /** Publishers are sent none. */
  media(): void {}

  failed(why: string): void {
    this.#end('NetStream.Failed', `${this.#shownName}: ${why}.`);
  }

  #begin(said: RemoteStatus): void {
    this.#isPublished = true;
    this.#beganAt = performance.now();
    this.#remote.heard();
    this.#owner?.began(said);
    this.#join();
    const { type, payload } = this.#mark.message;
    this.#remote.send(type, payload);
  }

  #join(): void {
    if (this.#isOver || this.#source === '' || !this.#transport) return;
    const viewer = new Viewer(
      this.#transport,
      this.#remote.id,
      {
        published: () => {},
        unpublished: () => {
          if (!this.#owner) this.stop();
        },
        behind: () => {
          const why = `${this.#shownName}: the other side is slower than the stream.`;
          this.#owner?.status(status('NetStream.Play.InsufficientBW', why));
        },
        tooSlow: () => this.failed('the other side has been slower than the stream for too long'),
        refused: () => {},
      },
      CodecSupport.all,
    );
    const at = this.#streams.open(this.#source);
    this.#viewer = { at, viewer };
    at.join(viewer);
  }

  #leave(): void {
    const { at, viewer } = this.#viewer ?? {};
    this.#viewer = undefined;
    if (viewer) at?.leave(viewer);
  }

  #pass(message: RtmpMessage): void {
    if (this.#mark.is(message)) this.failed('it would publish what it publishes');
    else this.#remote.send(message.type, message.payload, message.timestamp);
  }

  /** The script's connection, for one that was made by an earlier script. */
  #closed(): void {
    this.failed('the connection is closed');
  }

  #end(code: StatusCode, description: string): void {
    this.#finish(status(code, description));
  }

  #finish(said: RemoteStatus): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#streams.pushes.delete(this);
    this.#leave();
    const { link, id } = this.#remote;
    if (id !== 0) link?.ask('FCUnpublish', [this.#request.name]);
    this.#remote.close();
    const heir = this.#heir;
    this.#heir = undefined;
    heir?.place.leave(heir.user);
    this.#owner?.over(said);
    this.#owner = undefined;
  }

  /** What follows `?` may be secret. */
  get #shownName(): string {
    return this.#request.name.replace(/\?.*/s, '');
  }
}

/** After these it is not published any more. */
const ENDS: readonly string[] = [
  'NetStream.Publish.BadName',
  'NetStream.Unpublish.Success',
  'NetStream.Failed',
] satisfies StatusCode[];
