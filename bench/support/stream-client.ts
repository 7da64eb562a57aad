/** A client that publishes or plays one live stream, and parses what comes. */
import type { Socket } from 'node:net';
import { ChunkReader, defaultChunkLimits } from '../../host/rtmp/chunk-reader.ts';
import { ChunkStreamId, serializeMessage } from '../../host/rtmp/chunk-writer.ts';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import {
  controlMessage,
  encodeAcknowledgement,
  encodeSetChunkSize,
  MessageType,
  type RtmpMessage,
} from '../../wire/messages.ts';
import { commandFrame, connectCommand, openSocket, shakeHands } from './client.ts';

/** Of what we send: few chunks, as encoders do it. */
export const OUT_CHUNK_BYTES = 60_000;
const ACK_BYTES = 2_500_000;
const ACK_MS = 16_000;

export class StreamClient {
  readonly #socket: Socket;
  readonly #reader: ChunkReader;
  readonly #acks: NodeJS.Timeout;
  #streamId = 1;
  #acknowledged = 0;
  #onCommand: (command: unknown[]) => void = () => {};
  #onEnd: (error: Error) => void = () => {};
  onAudio: (message: RtmpMessage) => void = () => {};
  onVideo: (message: RtmpMessage) => void = () => {};
  isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new ChunkReader({ ...defaultChunkLimits }, (message) => this.#message(message));
    this.#acks = setInterval(() => this.#acknowledge(), ACK_MS).unref();
  }

  /** Connects to an application and makes a stream. */
  static async open(port: number, app: string): Promise<StreamClient> {
    const socket = await openSocket(port);
    const client = new StreamClient(socket);
    const rest = await shakeHands(socket);
    socket.on('data', (bytes: Buffer) => client.#push(bytes));
    socket.on('error', () => {});
    socket.on('close', () => client.#closed());
    socket.write(serializeMessage(setChunkSize, ChunkStreamId.Control, 128));
    const connected = client.#answerTo(1);
    const command = {
      type: MessageType.CommandAmf0,
      streamId: 0,
      timestamp: 0,
      payload: connectCommand(app),
    };
    socket.write(serializeMessage(command, ChunkStreamId.Command, OUT_CHUNK_BYTES));
    if (rest.length > 0) client.#push(rest);
    await connected;
    const created = client.#answerTo(2);
    socket.write(commandFrame(encodeAmf0(['createStream', 2, null])));
    client.#streamId = Number(await created);
    return client;
  }

  async publish(name: string): Promise<void> {
    const started = this.#status('NetStream.Publish.Start');
    this.#command(encodeAmf0(['publish', 3, null, name, 'live']));
    await started;
  }

  async play(name: string): Promise<void> {
    const started = this.#status('NetStream.Play.Start');
    this.#command(encodeAmf0(['play', 3, null, name]));
    await started;
  }

  send(message: RtmpMessage): void {
    const id = message.type === MessageType.Audio ? ChunkStreamId.Audio : ChunkStreamId.Video;
    this.#socket.write(serializeMessage({ ...message, streamId: this.#streamId }, id, OUT_CHUNK_BYTES));
  }

  close(): void {
    clearInterval(this.#acks);
    this.#socket.destroy();
  }

  #command(payload: Uint8Array): void {
    const message = { type: MessageType.CommandAmf0, streamId: this.#streamId, timestamp: 0, payload };
    this.#socket.write(serializeMessage(message, ChunkStreamId.Command, OUT_CHUNK_BYTES));
  }

  #answerTo(transaction: number): Promise<unknown> {
    return this.#commandThat((command) => {
      if (command[1] !== transaction) return undefined;
      if (command[0] !== '_result') throw new Error(`the server answered ${JSON.stringify(command)}`);
      return { value: command[3] };
    });
  }

  #status(code: string): Promise<unknown> {
    return this.#commandThat((command) => {
      if (command[0] !== 'onStatus') return undefined;
      const info = command[3] as { level?: string; code?: string };
      if (info.level === 'error') throw new Error(`the server said ${JSON.stringify(info)}`);
      return info.code === code ? { value: info } : undefined;
    });
  }

  #commandThat(matches: (command: unknown[]) => { value: unknown } | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#onEnd = reject;
      this.#onCommand = (command) => {
        try {
          const found = matches(command);
          if (found) resolve(found.value);
        } catch (error) {
          reject(error);
        }
      };
    });
  }

  #push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    if (this.#reader.pushedBytes - this.#acknowledged > ACK_BYTES) this.#acknowledge();
  }

  #acknowledge(): void {
    this.#acknowledged = this.#reader.pushedBytes;
    const payload = encodeAcknowledgement(this.#acknowledged);
    const message = controlMessage(MessageType.Acknowledgement, payload);
    this.#socket.write(serializeMessage(message, ChunkStreamId.Control, 128));
  }

  #message(message: RtmpMessage): void {
    const { type, payload } = message;
    if (type === MessageType.Audio) this.onAudio(message);
    else if (type === MessageType.Video) this.onVideo(message);
    else if (type === MessageType.CommandAmf0) this.#onCommand(decodeAmf0(payload));
  }

  #closed(): void {
    this.isClosed = true;
    clearInterval(this.#acks);
    this.#onEnd(new Error('the server closed the connection'));
  }
}

const setChunkSize = controlMessage(MessageType.SetChunkSize, encodeSetChunkSize(OUT_CHUNK_BYTES));
