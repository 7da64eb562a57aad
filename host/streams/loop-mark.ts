import { randomUUID } from 'node:crypto';
import { encodeData } from '../../wire/commands.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';

/** Of the data message. Names of this kind are the server's own, as `|RtmpSampleAccess` is. */
export const LOOP_MARK = '|StagewireLoop';

/**
 * Sent down a stream that comes from another server, or goes to one: when it comes back, the stream would play itself, by
 * whatever way. Servers of this kind pass it on, and viewers are not told.
 */
export class LoopMark {
  readonly message: RtmpMessage;

  constructor() {
    const payload = encodeData(LOOP_MARK, randomUUID());
    this.message = { type: MessageType.DataAmf0, streamId: 0, timestamp: 0, payload };
  }

  is({ type, payload }: RtmpMessage): boolean {
    return type === MessageType.DataAmf0 && Buffer.compare(payload, this.message.payload) === 0;
  }
}
