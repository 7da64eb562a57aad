/** Both ends of a stream, over RTMP or bare: who sends it, and who measures how long it was under way. */
import type { Socket } from 'node:net';
import { ChunkReader, defaultChunkLimits } from '../../host/rtmp/chunk-reader.ts';
import { ChunkStreamId, serializeMessage } from '../../host/rtmp/chunk-writer.ts';
import { controlMessage, encodeSetChunkSize, MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { openSocket } from '../support/client.ts';
import { ageMsOf } from '../support/media.ts';
import { OUT_CHUNK_BYTES, StreamClient } from '../support/stream-client.ts';
import type { Target } from './targets.ts';

export interface Publisher {
  send(message: RtmpMessage): void;
  close(): void;
}

export async function openPublisher({ port, app, window }: Target, stream: string): Promise<Publisher> {
  if (app === undefined) return new WindowedSender(await openSocket(port), window ?? 0);
  const client = await StreamClient.open(port, app);
  await client.publish(stream);
  return client;
}

/** Merges what a window holds, as the server does it, and sends it in pieces of four bytes of length and as many. */
class WindowedSender implements Publisher {
  readonly #socket: Socket;
  readonly #windowMs: number;
  #pending: Buffer[] = [];

  constructor(socket: Socket, windowMs: number) {
    this.#socket = socket;
    this.#windowMs = windowMs;
  }

  send(message: RtmpMessage): void {
    const id = message.type === MessageType.Audio ? ChunkStreamId.Audio : ChunkStreamId.Video;
    this.#pending.push(serializeMessage(message, id, OUT_CHUNK_BYTES));
    if (this.#windowMs === 0) this.#flush();
    else if (this.#pending.length === 1)
      setTimeout(() => this.#flush(), this.#windowMs - (performance.now() % this.#windowMs));
  }

  close(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(this.#pending.reduce((sum, bytes) => sum + bytes.length, 0));
    this.#socket.write(Buffer.concat([length, ...this.#pending]));
    this.#pending = [];
  }
}

/** One of the viewers, who looks at what comes. */
export class Sampler {
  /** How long each message was under way, since `begin`. */
  agesMs: number[] = [];
  #since = 0;
  readonly #end: { close(): void };

  private constructor(end: { close(): void }) {
    this.#end = end;
  }

  static async open({ port, app }: Target, stream: string): Promise<Sampler> {
    if (app === undefined) {
      const socket = await openSocket(port);
      const sampler = new Sampler({ close: () => socket.destroy() });
      const reader = new ChunkReader({ ...defaultChunkLimits }, (message) => sampler.#look(message));
      reader.push(chunkSizeFirst);
      socket.on('data', (bytes: Buffer) => reader.push(bytes));
      return sampler;
    }
    const client = await StreamClient.open(port, app);
    const sampler = new Sampler(client);
    client.onAudio = (message) => sampler.#look(message);
    client.onVideo = client.onAudio;
    await client.play(stream);
    return sampler;
  }

  /** From now on messages that are sent from now on count. */
  begin(): void {
    this.agesMs = [];
    this.#since = performance.now();
  }

  close(): void {
    this.#end.close();
  }

  #look({ payload }: RtmpMessage): void {
    const ageMs = ageMsOf(payload);
    if (ageMs !== undefined && performance.now() - ageMs > this.#since) this.agesMs.push(ageMs);
  }
}

/** The floors pass on chunks of a size that nobody has announced. */
const chunkSizeFirst = serializeMessage(
  controlMessage(MessageType.SetChunkSize, encodeSetChunkSize(OUT_CHUNK_BYTES)),
  ChunkStreamId.Control,
  128,
);
