/** Both ends of a stream, over RTMP, WebSocket or bare: who sends it, and who measures how long it was under way. */
import type { Socket } from 'node:net';
import { ChunkReader, defaultChunkLimits } from '../../host/rtmp/chunk-reader.ts';
import { ChunkStreamId, serializeMessage } from '../../host/rtmp/chunk-writer.ts';
import { controlMessage, encodeSetChunkSize, MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { openSocket } from '../support/client.ts';
import { ageMsOf } from '../support/media.ts';
import { OUT_CHUNK_BYTES, StreamClient } from '../support/stream-client.ts';
import type { Target } from './targets.ts';
import { type End, openPacketSender, watchPackets, watchStream } from './web-ends.ts';

export interface Publisher {
  send(message: RtmpMessage): void;
  close(): void;
}

/** Where viewers connect. */
export function viewerPortOf({ port, webPort, transport }: Target): number {
  return (transport === 'ws' ? webPort : undefined) ?? port;
}

/** Publishers of ours and of the peers come over RTMP. */
export async function openPublisher(target: Target, stream: string): Promise<Publisher> {
  const { port, app, transport } = target;
  const window = target.window === 'adaptive' ? undefined : target.window;
  if (app === undefined && transport === 'ws') return openPacketSender(port);
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
  #end: End | undefined;

  static async open(target: Target, stream: string): Promise<Sampler> {
    const sampler = new Sampler();
    sampler.#end = await watch(target, stream, (payload) => sampler.#look(payload));
    return sampler;
  }

  /** From now on messages that are sent from now on count. */
  begin(): void {
    this.agesMs = [];
    this.#since = performance.now();
  }

  close(): void {
    this.#end?.close();
  }

  #look(payload: Uint8Array): void {
    const ageMs = ageMsOf(payload);
    if (ageMs !== undefined && performance.now() - ageMs > this.#since) this.agesMs.push(ageMs);
  }
}

/** Hears the bodies of audio and video. */
async function watch(target: Target, stream: string, onBody: (payload: Uint8Array) => void): Promise<End> {
  const { port, app, transport } = target;
  if (transport === 'ws') {
    const webPort = viewerPortOf(target);
    return app === undefined
      ? watchPackets(webPort, onBody)
      : watchStream(`ws://127.0.0.1:${webPort}/${app}`, stream, onBody);
  }
  if (app === undefined) {
    const socket = await openSocket(port);
    const reader = new ChunkReader({ ...defaultChunkLimits }, ({ payload }) => onBody(payload));
    reader.push(chunkSizeFirst);
    socket.on('data', (bytes: Buffer) => reader.push(bytes));
    return { close: () => socket.destroy() };
  }
  const client = await StreamClient.open(port, app);
  client.onAudio = ({ payload }) => onBody(payload);
  client.onVideo = client.onAudio;
  await client.play(stream);
  return client;
}

/** The floors pass on chunks of a size that nobody has announced. */
const chunkSizeFirst = serializeMessage(
  controlMessage(MessageType.SetChunkSize, encodeSetChunkSize(OUT_CHUNK_BYTES)),
  ChunkStreamId.Control,
  128,
);
