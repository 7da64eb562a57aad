import { isVideoKeyFrame } from '../../../wire/media-head.ts';
import { MessageType } from '../../../wire/messages.ts';
import type { MediaFile } from '../files/media-files.ts';

/** Half a second each: key frames are nearer to one another than that. */
const MAX_SEGMENTS = 120;

/** The time of the first key frame from there on; of the first message in a file without video. Rejects with a FileProblem. */
export async function nextKeyFrame(file: MediaFile, fromMs: number): Promise<number | undefined> {
  const { position, isBeyondEnd } = await file.seek(fromMs);
  let at: number | undefined = isBeyondEnd ? undefined : position;
  for (let i = 0; i < MAX_SEGMENTS && at !== undefined; i++) {
    const { messages, next } = await file.read(at);
    const found = messages.find(
      ({ type, payload, timestamp }) =>
        timestamp >= fromMs && (!file.hasVideo || (type === MessageType.Video && isVideoKeyFrame(payload))),
    );
    if (found) return found.timestamp;
    at = next;
  }
  return undefined;
}
