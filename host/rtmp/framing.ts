import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import type { Limits } from '../base/limits.ts';
import { ChunkReader } from './chunk-reader.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { chunkStreamFor, rtmpFormat } from './format.ts';
import { type Handshake, ServerHandshake } from './handshake.ts';
import type { WireFormat } from './ports.ts';

/** Finds messages in the bytes of a peer. */
export interface MessageReader {
  /** All that were pushed so far. */
  readonly pushedBytes: number;
  readonly limits: {
    /** Of a message that is no media: small until the connection was accepted. */
    maxOtherBytes: number;
  };
  /** Throws StagewireError for what is malformed or too large; nothing is read after that. */
  push(bytes: Uint8Array): void;
  /** No further message is handed out; what has been pushed is kept. May be called from `onMessage`. */
  pause(): void;
  /** Hands out what was kept. Not from `onMessage`. */
  resume(): void;
  close(): void;
}

/** Collects what is said in one round of the event loop. */
export interface MessageWriter {
  /** Bytes that wait to be taken. */
  readonly length: number;
  writeMessage(message: RtmpMessage): void;
  /** Memory of its own. */
  take(): Buffer;
}

/** How messages become bytes and bytes messages, on one kind of connection. */
export interface Framing {
  /** What scripts read as `client.protocol`, but for what is behind it. */
  readonly protocol: string;
  /** Messages come in chunks (RTMP 1.0, section 5.3). */
  readonly hasChunks: boolean;
  /** What comes before the first message (section 5.2). */
  readonly handshake?: Handshake | undefined;
  readonly format: WireFormat;
  readonly writer: MessageWriter;
  makeReader(onMessage: (message: RtmpMessage) => void): MessageReader;
}

/** Chunks (RTMP 1.0, section 5.3). */
export class ChunkFraming implements Framing {
  readonly protocol = 'rtmp';
  readonly hasChunks = true;
  readonly handshake: Handshake | undefined;
  readonly format: WireFormat;
  readonly #limits: Limits;
  readonly writer: MessageWriter;

  /** `handshake`: null for none. */
  constructor(limits: Limits, handshake: Handshake | null = new ServerHandshake()) {
    this.#limits = limits;
    this.handshake = handshake ?? undefined;
    this.format = rtmpFormat(limits.outChunkBytes);
    const chunks = new ChunkWriter();
    this.writer = {
      get length() {
        return chunks.length;
      },
      writeMessage: (message) => {
        chunks.writeMessage(message, chunkStreamFor(message.type));
        if (message.type === MessageType.SetChunkSize) chunks.chunkBytes = limits.outChunkBytes;
      },
      take: () => chunks.take(),
    };
  }

  makeReader(onMessage: (message: RtmpMessage) => void): MessageReader {
    const { mediaMessageBytes, pendingCommandBytes, chunkStreams, interruptedMessages } = this.#limits;
    const limits = {
      maxMediaBytes: mediaMessageBytes,
      maxOtherBytes: pendingCommandBytes,
      maxBufferedBytes: mediaMessageBytes * 2,
      maxChunkStreams: chunkStreams,
      maxBrokenMessages: interruptedMessages,
    };
    return new ChunkReader(limits, onMessage);
  }
}
