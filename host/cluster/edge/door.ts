import type { RtmpMessage } from '../../../wire/messages.ts';
import type { MessageHandler, RtmpConnection } from '../../rtmp/connection.ts';
import { type EdgeHouse, EdgePort } from './edge-port.ts';
import { EdgeType } from './messages.ts';

/** Whoever connects is a client, or an edge: the first message tells. */
export class Door implements MessageHandler {
  readonly #connection: RtmpConnection;
  readonly #house: EdgeHouse;
  #handler: MessageHandler;
  #isKnown = false;

  constructor(connection: RtmpConnection, client: MessageHandler, house: EdgeHouse) {
    this.#connection = connection;
    this.#handler = client;
    this.#house = house;
  }

  onMessage(message: RtmpMessage): void {
    if (!this.#isKnown) {
      this.#isKnown = true;
      if (message.type === EdgeType.Control) this.#handler = new EdgePort(this.#connection, this.#house);
    }
    this.#handler.onMessage(message);
  }

  onBuffer(streamId: number, bufferMs: number): void {
    this.#handler.onBuffer(streamId, bufferMs);
  }

  onPlayed(streamId: number, timestamp: number): void {
    this.#handler.onPlayed(streamId, timestamp);
  }

  onMakesKeyFrames(streamId: number): void {
    this.#handler.onMakesKeyFrames(streamId);
  }

  onIdle(): void {
    this.#handler.onIdle();
  }

  onClose(): void {
    this.#handler.onClose();
  }
}
