import { MessageType, type RtmpMessage } from '../../../../wire/messages.ts';
import { PART, type Part } from '../container.ts';
import { type FileBytes, Window } from '../file-bytes.ts';
import { FileProblem } from '../problem.ts';
import { withoutSetDataFrame } from './flv-metadata.ts';
import { isMedia, type TagAt, TagWalk } from './flv-tags.ts';

/** The messages from a tag on. The metadata of the file are not among them. */
export function readFlvPart(
  file: FileBytes,
  position: number,
  metadataAt: number | undefined,
): Promise<Part> {
  return Window.lend(file, async (window) => {
    const { tags, next } = await chooseTags(new TagWalk(file, window, position), metadataAt);
    const messages = await loadBodies(file, window, tags);
    if (messages.length === 0 && (await file.isCut())) throw new FileProblem('io', 'the file was cut short');
    const endMs = messages.reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
    return { messages, next, endMs };
  });
}

async function chooseTags(walk: TagWalk, metadataAt: number | undefined) {
  const tags: TagAt[] = [];
  let bytes = 0;
  let firstTime: number | undefined;
  for (;;) {
    const tag = await walk.next();
    if (!tag) return { tags, next: undefined };
    if (!tag.isMessage || tag.position === metadataAt) continue;
    if (isMedia(tag.type)) firstTime ??= tag.timestamp;
    const isLate = isMedia(tag.type) && Math.abs(tag.timestamp - firstTime!) >= PART.spanMs;
    const isFull = bytes >= PART.enoughBytes || bytes + tag.sizeBytes > PART.maxBytes;
    if (tags.length > 0 && (isLate || isFull || tags.length === PART.messages)) {
      return { tags, next: tag.position };
    }
    tags.push(tag);
    bytes += tag.sizeBytes;
  }
}

/** All bodies in one buffer. Of a file that was cut short meanwhile, those that are still there. */
async function loadBodies(file: FileBytes, window: Window, tags: readonly TagAt[]): Promise<RtmpMessage[]> {
  const buffer = new Uint8Array(tags.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const messages: RtmpMessage[] = [];
  let at = 0;
  for (const { type, timestamp, bodyAt, sizeBytes } of tags) {
    const whole = buffer.subarray(at, at + sizeBytes);
    // Tags follow one another: with one that the window can hold, it loads what comes next.
    if (await window.load(bodyAt, sizeBytes)) whole.set(window.view(bodyAt, sizeBytes));
    else if ((await file.into(whole, bodyAt)) < sizeBytes) break;
    at += sizeBytes;
    const isData = type === MessageType.DataAmf0;
    messages.push({ type, streamId: 0, timestamp, payload: isData ? withoutSetDataFrame(whole) : whole });
  }
  return messages;
}
