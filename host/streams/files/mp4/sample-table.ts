import { setImmediate } from 'node:timers/promises';
import { FileProblem } from '../problem.ts';
import { type Box, childOf, entryCount } from './boxes.ts';
import { SampleList } from './sample-list.ts';
import type { TrackHead } from './tracks.ts';

/** After so many samples, some milliseconds, others in the thread have their turn. */
const TURN_SAMPLES = 16_384;

/** What is to be shown so long before it is decoded, is a mistake. */
const MAX_EARLY_S = 10;

/** The sample table of a track (ISO 14496-12, section 8.5 to 8.7) as a list of samples. One pass over each table. */
export async function readSampleTable(
  moov: DataView,
  { stbl, timescale, edit, codecs }: TrackHead,
  fileBytes: number,
): Promise<SampleList> {
  const sizes = sizesOf(moov, stbl, fileBytes);
  const chunks = chunksOf(moov, stbl);
  const deltas = new Runs(moov, childOf(moov, stbl, 'stts'));
  const ctts = childOf(moov, stbl, 'ctts');
  const compositions = new Runs(moov, ctts);
  // Nothing is shown before it is decoded: where a table says so, all is decoded earlier.
  const early = earliestIn(moov, ctts, -MAX_EARLY_S * timescale);
  const keys = new Keys(moov, childOf(moov, stbl, 'stss'));
  const list = new SampleList(fileBytes, sizes.count);

  let time = -edit.mediaTime;
  const toMs = 1000 / timescale;
  let sample = 0;
  for (let chunk = 0; chunk < chunks.count && sample < sizes.count; chunk++) {
    let offset = chunks.offsetOf(chunk);
    const { samples, description: told } = chunks.runOf(chunk);
    const description = codecs.length === 1 ? 0 : told;
    const isKnown = codecs[description] !== undefined;
    for (let left = samples; left > 0 && sample < sizes.count; left--) {
      const bytes = sizes.bytesOf(sample);
      const delta = deltas.next();
      const shown = time + compositions.next();
      const isKey = keys.has(sample + 1);
      const [decodeMs, showMs] = [(time + early) * toMs + edit.delayMs, shown * toMs + edit.delayMs];
      if (isKnown) list.add(offset, bytes, decodeMs, showMs, delta * toMs, isKey, description);
      offset += bytes;
      // A negative one was meant: such a difference is longer than any recording.
      time += delta >= 0 ? delta : 0;
      sample++;
      if (sample % TURN_SAMPLES === 0) await setImmediate();
    }
  }
  return list;
}

function sizesOf(moov: DataView, stbl: Box, fileBytes: number) {
  const stsz = childOf(moov, stbl, 'stsz');
  if (!stsz || stsz.end - stsz.start < 12)
    throw new FileProblem('structure', 'a track has no sizes of samples');
  const all = moov.getUint32(stsz.start + 4);
  if (all > 0) {
    const count = Math.min(moov.getUint32(stsz.start + 8), Math.floor(fileBytes / all));
    return { count, bytesOf: () => all };
  }
  const first = stsz.start + 12;
  const count = entryCount(moov, stsz, stsz.start + 8, 4);
  return { count, bytesOf: (sample: number) => moov.getUint32(first + sample * 4) };
}

/** Where chunks begin, how many samples each has, and in which description. Asked for in order. */
function chunksOf(moov: DataView, stbl: Box) {
  const stco = childOf(moov, stbl, 'stco');
  const co64 = childOf(moov, stbl, 'co64');
  const stsc = childOf(moov, stbl, 'stsc');
  const box = stco ?? co64;
  if (!box || !stsc) throw new FileProblem('structure', 'a track has no chunks');
  const first = box.start + 8;
  const offsetOf = (chunk: number) =>
    stco
      ? moov.getUint32(first + chunk * 4)
      : moov.getUint32(first + chunk * 8) * 0x100000000 + moov.getUint32(first + chunk * 8 + 4);

  const runs = entryCount(moov, stsc, stsc.start + 4, 12);
  let run = -1;
  const firstOf = (index: number) => moov.getUint32(stsc.start + 8 + index * 12) - 1;
  const runOf = (chunk: number) => {
    while (run + 1 < runs && firstOf(run + 1) <= chunk) run++;
    const at = stsc.start + 8 + run * 12;
    return run < 0
      ? { samples: 0, description: 0 }
      : { samples: moov.getUint32(at + 4), description: moov.getUint32(at + 8) - 1 };
  };
  return { count: entryCount(moov, box, box.start + 4, stco ? 4 : 8), offsetOf, runOf };
}

/** The least of the values, if it is negative, and not below `floor`. */
function earliestIn(moov: DataView, ctts: Box | undefined, floor: number): number {
  let least = 0;
  const count = ctts ? entryCount(moov, ctts, ctts.start + 4, 8) : 0;
  for (let i = 0; i < count; i++) {
    const value = moov.getInt32(ctts!.start + 12 + i * 8);
    if (value < least && value >= floor) least = value;
  }
  return least;
}

/** Values that are the same for so many samples; the last one goes on. Without a table they are 0. */
class Runs {
  readonly #moov: DataView;
  readonly #first: number;
  readonly #count: number;
  #run = 0;
  #left = 0;
  #value = 0;

  constructor(moov: DataView, box: Box | undefined) {
    this.#moov = moov;
    this.#first = box ? box.start + 8 : 0;
    this.#count = box ? entryCount(moov, box, box.start + 4, 8) : 0;
  }

  /** Signed, whatever the version of the table says: old ones have negative values too. */
  next(): number {
    while (this.#left === 0 && this.#run < this.#count) {
      const at = this.#first + this.#run * 8;
      this.#left = this.#moov.getUint32(at);
      this.#value = this.#moov.getInt32(at + 4);
      this.#run++;
    }
    if (this.#left > 0) this.#left--;
    return this.#value;
  }
}

/** Which samples are key frames, counted from 1 and asked for in order; all of them without a table. */
class Keys {
  readonly #moov: DataView;
  readonly #box: Box | undefined;
  readonly #count: number;
  #entry = 0;

  constructor(moov: DataView, box: Box | undefined) {
    this.#moov = moov;
    this.#box = box;
    this.#count = box ? entryCount(moov, box, box.start + 4, 4) : 0;
  }

  has(number: number): boolean {
    if (!this.#box) return true;
    while (this.#entry < this.#count && this.#numberOf(this.#entry) < number) this.#entry++;
    return this.#entry < this.#count && this.#numberOf(this.#entry) === number;
  }

  #numberOf(entry: number): number {
    return this.#moov.getUint32(this.#box!.start + 8 + entry * 4);
  }
}
