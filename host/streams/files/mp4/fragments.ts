import type { FileBytes } from '../file-bytes.ts';
import { FileProblem } from '../problem.ts';
import { BOX_HEADER_BYTES, type Box, boxAt, boxesIn, boxIn, childOf } from './boxes.ts';
import type { SampleList } from './sample-list.ts';
import type { TrackHead } from './tracks.ts';

/** So much is read at once: mostly the index of a fragment, and the header of what follows it. */
const READ_BYTES = 8 * 1024;
const MAX_MOOF_BYTES = 8 * 1024 * 1024;
/** Boxes of a file: two a fragment. */
const MAX_BOXES = 1_000_000;
/** Samples that are looked at, those that are not in the file included. */
const MAX_SAMPLES = 10_000_000;

/** Flags of a track fragment and of a run (ISO 14496-12, section 8.8.7 and 8.8.8). */
const TrackFlag = {
  Base: 1,
  Description: 2,
  Duration: 8,
  Size: 0x10,
  Flags: 0x20,
  BaseIsMoof: 0x20000,
} as const;
const RunFlag = {
  Offset: 1,
  FirstFlags: 4,
  Duration: 0x100,
  Size: 0x200,
  Flags: 0x400,
  Composition: 0x800,
} as const;
/** In the flags of a sample: it is no key frame. */
const NON_SYNC = 0x10000;

interface Defaults {
  description: number;
  duration: number;
  size: number;
  flags: number;
}

interface Target {
  readonly head: TrackHead;
  readonly samples: SampleList;
}

/**
 * Adds the samples of all fragments (ISO 14496-12, section 8.8) that are whole. Recorders write them so that a crash costs
 * no more than the last.
 */
export async function readFragments(
  file: FileBytes,
  moov: DataView,
  targets: Target[],
  from: number,
): Promise<void> {
  const root: Box = { type: 'moov', start: 0, end: moov.byteLength };
  const mvex = childOf(moov, root, 'mvex');
  if (!mvex) return;
  const reader = new FragmentReader(moov, mvex, targets);
  let position = from;
  let known: Uint8Array = new Uint8Array(0);
  let knownAt = 0;
  for (let boxes = 0; position < file.sizeBytes; boxes++) {
    if (boxes === MAX_BOXES) throw new FileProblem('structure', `it has more than ${MAX_BOXES} boxes`);
    if (position < knownAt || position + BOX_HEADER_BYTES > knownAt + known.length) {
      known = await file.take(position, READ_BYTES);
      knownAt = position;
    }
    const box = boxAt(viewOf(known), position - knownAt, position, file.sizeBytes);
    if (!box) return;
    if (box.type === 'moof') {
      const size = box.end - position;
      if (size > MAX_MOOF_BYTES)
        throw new FileProblem('structure', `the index of a fragment has ${size} bytes`);
      const isKnown = box.end <= knownAt + known.length;
      const moof = isKnown
        ? known.subarray(position - knownAt, box.end - knownAt)
        : await file.take(position, size);
      reader.read(viewOf(moof), box.start - position, position);
    }
    position = box.end;
  }
}

class FragmentReader {
  readonly #targets = new Map<number, Target & { defaults: Defaults; time: number }>();
  #samples = 0;

  constructor(moov: DataView, mvex: Box, targets: readonly Target[]) {
    for (const target of targets) {
      const defaults = { description: 1, duration: 0, size: 0, flags: 0 };
      this.#targets.set(target.head.id, { ...target, defaults, time: 0 });
    }
    for (const trex of boxesIn(moov, mvex.start, mvex.end)) {
      if (trex.type !== 'trex' || trex.end - trex.start < 24) continue;
      const target = this.#targets.get(moov.getUint32(trex.start + 4));
      if (!target) continue;
      target.defaults = {
        description: moov.getUint32(trex.start + 8),
        duration: moov.getUint32(trex.start + 12),
        size: moov.getUint32(trex.start + 16),
        flags: moov.getUint32(trex.start + 20),
      };
    }
  }

  /** The index of one fragment, of which the body begins at `start` and which is at `position` in the file. */
  read(moof: DataView, start: number, position: number): void {
    let dataEnd = position;
    for (const traf of boxesIn(moof, start, moof.byteLength)) {
      if (traf.type === 'traf') dataEnd = this.#readTrack(moof, traf, position, dataEnd);
    }
  }

  #readTrack(moof: DataView, traf: Box, position: number, dataEnd: number): number {
    const tfhd = childOf(moof, traf, 'tfhd');
    if (!tfhd) return dataEnd;
    const flags = moof.getUint32(tfhd.start) & 0xffffff;
    const target = this.#targets.get(moof.getUint32(tfhd.start + 4));
    let at = tfhd.start + 8;
    let base = flags & TrackFlag.BaseIsMoof ? position : dataEnd;
    if (flags & TrackFlag.Base) {
      base = Number(moof.getBigUint64(at));
      at += 8;
    }
    const number = (flag: number, usual: number) => {
      if (!(flags & flag)) return usual;
      at += 4;
      return moof.getUint32(at - 4);
    };
    const usual = target?.defaults ?? { description: 1, duration: 0, size: 0, flags: 0 };
    const defaults: Defaults = {
      description: number(TrackFlag.Description, usual.description),
      duration: number(TrackFlag.Duration, usual.duration),
      size: number(TrackFlag.Size, usual.size),
      flags: number(TrackFlag.Flags, usual.flags),
    };

    const tfdt = boxIn(moof, traf, 'tfdt');
    if (tfdt && target) {
      const isLong = moof.getUint8(tfdt.start) === 1;
      target.time = isLong ? Number(moof.getBigUint64(tfdt.start + 4)) : moof.getUint32(tfdt.start + 4);
    }
    let end = base;
    for (const trun of boxesIn(moof, traf.start, traf.end)) {
      if (trun.type === 'trun') end = this.#readRun(moof, trun, target, defaults, base, end);
    }
    return end;
  }

  /** Returns where its data ends. */
  #readRun(
    moof: DataView,
    trun: Box,
    target: (Target & { time: number }) | undefined,
    defaults: Defaults,
    base: number,
    dataEnd: number,
  ): number {
    const flags = moof.getUint32(trun.start) & 0xffffff;
    const count = moof.getUint32(trun.start + 4);
    let at = trun.start + 8;
    const next = (flag: number, usual: number) => {
      if (!(flags & flag)) return usual;
      at += 4;
      return moof.getUint32(at - 4);
    };
    let offset = flags & RunFlag.Offset ? base + (next(RunFlag.Offset, 0) | 0) : dataEnd;
    let firstFlags = next(RunFlag.FirstFlags, -1);
    const description = target?.head.codecs.length === 1 ? 0 : defaults.description - 1;
    const isKnown = target?.head.codecs[description] !== undefined;
    this.#samples += count;
    if (this.#samples > MAX_SAMPLES)
      throw new FileProblem('structure', 'its fragments have too many samples');

    for (let i = 0; i < count; i++) {
      const duration = next(RunFlag.Duration, defaults.duration);
      const size = next(RunFlag.Size, defaults.size);
      const ownFlags = next(RunFlag.Flags, firstFlags >= 0 ? firstFlags : defaults.flags);
      const composition = next(RunFlag.Composition, 0) | 0;
      firstFlags = -1;
      if (target) {
        const { head, samples, time } = target;
        const toMs = 1000 / head.timescale;
        const decodeMs = (time - head.edit.mediaTime) * toMs + head.edit.delayMs;
        const isKey = !head.codec.isVideo || (ownFlags & NON_SYNC) === 0;
        const showMs = decodeMs + composition * toMs;
        if (offset >= 0 && isKnown) {
          samples.add(offset, size, decodeMs, showMs, duration * toMs, isKey, description);
        }
        target.time += duration;
      }
      offset += size;
    }
    return offset;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
