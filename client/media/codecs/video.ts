import { av1Name, avcName, hevcName, vpName } from '../../../wire/codec-names.ts';
import { av1Size, avcSize, hevcSize, type Size, vp8Size, vp9Size } from '../../../wire/picture-size.ts';
import type { VideoSetup } from './setup.ts';

interface Codec {
  name(record: Uint8Array): string;
  size(record: Uint8Array, keyFrame: Uint8Array): Size | undefined;
}

const codecs: Readonly<Record<string, Codec>> = {
  avc1: { name: avcName, size: avcSize },
  hvc1: { name: hevcName, size: hevcSize },
  // Records need not hold the sequence header; every key frame has it.
  av01: { name: av1Name, size: (record, frame) => av1Size(record) ?? av1Size(frame, 0) },
  vp08: { name: (record) => vpName('vp08', record), size: (_, frame) => vp8Size(frame) },
  vp09: { name: (record) => vpName('vp09', record), size: (_, frame) => vp9Size(frame) },
};

/** `undefined` for a codec that is not known here, and for a record that makes no sense. Throws a StagewireError for one cut off. */
export function videoSetup(fourCc: string, record: Uint8Array, keyFrame: Uint8Array): VideoSetup | undefined {
  const codec = codecs[fourCc];
  const size = codec?.size(record, keyFrame);
  return codec && size && { kind: 'video', fourCc, codec: codec.name(record), record, ...size };
}
