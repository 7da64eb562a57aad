import { encodeData } from '../../../../wire/commands.ts';
import { type AmfObject, EcmaArray } from '../../../../wire/values.ts';
import type { Track } from './tracks.ts';

/**
 * `onMetaData` as Flash Media Server makes it of F4V (wire reference, section 16.3), without lists of places. The duration is
 * the time of the last message, as that of FLV files is: rtmpdump takes a stream that ends before it for an incomplete one.
 */
export function mp4Metadata(tracks: readonly Track[], moovPosition: number): Uint8Array {
  const lastMs = Math.max(...tracks.map(({ samples }) => samples.timeOf(samples.count - 1)));
  const properties: AmfObject = { duration: Math.max(0, lastMs) / 1000, moovPosition };
  for (const { head, samples } of tracks) {
    Object.assign(properties, head.codec.properties);
    const seconds = (samples.endMs - samples.timeOf(0)) / 1000;
    if (head.codec.isVideo && seconds > 0) {
      properties.videoframerate = Math.round((samples.count / seconds) * 1000) / 1000;
    }
  }
  properties.trackinfo = tracks.map(({ head }) => ({
    length: head.durationUnits,
    timescale: head.timescale,
    language: head.language,
    sampledescription: [{ sampletype: head.sampleType }],
  }));
  return encodeData('onMetaData', new EcmaArray(properties));
}
