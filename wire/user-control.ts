import { ByteReader, ByteWriter } from './bytes.ts';

/**
 * Event types of the user control message (RTMP 1.0, section 7.1.7; 26 to 32 are Adobe's unpublished ones, 100 is our own: who publishes
 * says by it that it makes key frames when it is asked to, and is asked by it).
 */
export const UserControlType = {
  StreamBegin: 0,
  StreamEof: 1,
  StreamDry: 2,
  SetBufferLength: 3,
  StreamIsRecorded: 4,
  PingRequest: 6,
  PingResponse: 7,
  SwfVerifyRequest: 26,
  SwfVerifyResponse: 27,
  BufferEmpty: 31,
  BufferReady: 32,
  KeyFrame: 100,
} as const;

type Type = typeof UserControlType;

export type UserControl =
  | {
      type: Type['StreamBegin' | 'StreamEof' | 'StreamDry' | 'StreamIsRecorded' | 'KeyFrame'];
      streamId: number;
    }
  | { type: Type['BufferEmpty' | 'BufferReady']; streamId: number }
  | { type: Type['SetBufferLength']; streamId: number; bufferMs: number }
  | { type: Type['PingRequest' | 'PingResponse']; sentAt: number }
  | { type: Type['SwfVerifyRequest'] }
  | { type: Type['SwfVerifyResponse']; data: Uint8Array }
  /** Reserved events are ignored by everybody, whatever their body. */
  | { type: 'unknown'; event: number; data: Uint8Array };

export function decodeUserControl(payload: Uint8Array): UserControl {
  const body = new ByteReader(payload);
  const type = body.u16();

  switch (type) {
    case UserControlType.StreamBegin:
    case UserControlType.StreamEof:
    case UserControlType.StreamDry:
    case UserControlType.StreamIsRecorded:
    case UserControlType.KeyFrame:
      return { type, streamId: body.u32() };
    case UserControlType.BufferEmpty:
    case UserControlType.BufferReady:
      // Some clients send these two without naming a stream.
      return { type, streamId: body.remaining >= 4 ? body.u32() : 0 };
    case UserControlType.SetBufferLength:
      return { type, streamId: body.u32(), bufferMs: body.u32() };
    case UserControlType.PingRequest:
    case UserControlType.PingResponse:
      return { type, sentAt: body.u32() };
    case UserControlType.SwfVerifyRequest:
      return { type };
    case UserControlType.SwfVerifyResponse:
      return { type, data: body.take(body.remaining) };
    default:
      return { type: 'unknown', event: type, data: body.take(body.remaining) };
  }
}

export function encodeUserControl(control: UserControl): Uint8Array {
  const writer = new ByteWriter(10);
  writer.u16(control.type === 'unknown' ? control.event : control.type);

  switch (control.type) {
    case UserControlType.SetBufferLength:
      writer.u32(control.streamId);
      writer.u32(control.bufferMs);
      break;
    case UserControlType.PingRequest:
    case UserControlType.PingResponse:
      writer.u32(control.sentAt);
      break;
    case UserControlType.SwfVerifyRequest:
      break;
    case UserControlType.SwfVerifyResponse:
    case 'unknown':
      writer.bytes(control.data);
      break;
    default:
      writer.u32(control.streamId);
  }
  return writer.view;
}
