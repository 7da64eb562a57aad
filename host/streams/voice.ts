import { encodeCommand, encodeData } from '../../wire/commands.ts';
import { controlMessage, MessageType } from '../../wire/messages.ts';
import { type StatusCode, status } from '../../wire/status.ts';
import { encodeUserControl, UserControlType } from '../../wire/user-control.ts';
import type { Transport } from '../rtmp/ports.ts';

type StreamEvent = 'StreamBegin' | 'StreamEof' | 'StreamIsRecorded' | 'KeyFrame';

/** What a NetStream says to its client about itself (RTMP 1.0, sections 7.1.7 and 7.2.2). */
export class Voice {
  readonly transport: Transport;
  readonly streamId: number;
  readonly #clientId: string;

  constructor(transport: Transport, streamId: number, clientId: string) {
    this.transport = transport;
    this.streamId = streamId;
    this.#clientId = clientId;
  }

  /** `details`: the stream's name, above all. */
  status(code: StatusCode, description: string, details: string, more: Record<string, string> = {}): void {
    const info = { ...status(code, description), details, clientid: this.#clientId, ...more };
    const payload = encodeCommand('onStatus', 0, null, info);
    this.transport.send({ type: MessageType.CommandAmf0, streamId: this.streamId, timestamp: 0, payload });
  }

  event(name: StreamEvent): void {
    const payload = encodeUserControl({ type: UserControlType[name], streamId: this.streamId });
    this.transport.send(controlMessage(MessageType.UserControl, payload));
  }

  data(timestamp: number, name: string, ...values: unknown[]): void {
    const payload = encodeData(name, ...values);
    this.transport.send({ type: MessageType.DataAmf0, streamId: this.streamId, timestamp, payload });
  }
}
