import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MessageType } from '../../../wire/messages.ts';
import { FileBytes } from '../files/file-bytes.ts';
import { firstTagOf } from '../files/flv/flv-file.ts';
import { readFlvPart } from '../files/flv/flv-part.ts';
import { DiskFull, freeMbOf } from '../recording/disk.ts';
import { Movie } from './movie.ts';
import { Pace } from './pace.ts';
import type { RemuxOrder } from './protocol.ts';
import { readable, surveyFlv } from './survey.ts';
import { soundUnit, videoUnit } from './units.ts';

const FREE_CHECK_MS = 1000;
/** Written in small portions: a disk that gets all at once lets others wait. */
const SYNC_BYTES = 32 * 1024 * 1024;

/**
 * Makes an MP4 of a recording: goes through it once to learn what it has, and once more to write it. Resolves when the
 * file is on disk. Rejects with an Unfit, a FileProblem or an error of the system; what there is of the file then is for
 * the caller to remove.
 */
export async function remux(
  order: RemuxOrder,
  progress: (percent: number) => void,
): Promise<{ bytes: number; durationMs: number }> {
  const file = await FileBytes.open(order.from);
  try {
    // It may take as long as it takes.
    file.isOpened();
    const start = await firstTagOf(file);
    // The file is read twice.
    const pace = new Pace();
    const share = (pass: number) => (position: number) => {
      progress(Math.floor((50 * (pass * file.sizeBytes + position)) / file.sizeBytes));
      return pace.step();
    };
    const plan = await surveyFlv(file, start, share(0));
    const disk = new Disk(order, file.sizeBytes);
    await disk.check();
    const target = await open(order.to, 'wx');
    try {
      const movie = new Movie(plan, (bytes, position) => disk.write(target, bytes, position));
      await movie.start();
      await copyInto(movie, file, start, share(1));
      await movie.finish();
      await target.sync();
      const { size } = await target.stat();
      return { bytes: size, durationMs: plan.endMs - plan.firstMs };
    } finally {
      await target.close();
    }
  } finally {
    await file.close();
  }
}

async function copyInto(
  movie: Movie,
  file: FileBytes,
  start: number,
  progress: (position: number) => Promise<void>,
): Promise<void> {
  let position: number | undefined = start;
  while (position !== undefined) {
    await progress(position);
    const part = await readFlvPart(file, position, undefined);
    for (const { type, timestamp, payload } of part.messages) {
      const isVideo = type === MessageType.Video;
      if (!isVideo && type !== MessageType.Audio) continue;
      const unit = readable(payload, isVideo ? videoUnit : soundUnit);
      if (unit?.kind !== 'frame') continue;
      await (isVideo ? movie.addPicture(unit, timestamp) : movie.addSound(unit, timestamp));
    }
    position = part.next;
  }
}

/** What is written, and whether there is room for it. */
class Disk {
  readonly #order: RemuxOrder;
  /** What is yet to be written, about. */
  #left: number;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #unsynced = 0;

  constructor(order: RemuxOrder, bytes: number) {
    this.#order = order;
    this.#left = bytes;
  }

  async write(target: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
    if (performance.now() - this.#checkedAt >= FREE_CHECK_MS) await this.check();
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await target.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
    this.#left = Math.max(0, this.#left - bytes.length);
    this.#unsynced += bytes.length;
    if (this.#unsynced < SYNC_BYTES) return;
    this.#unsynced = 0;
    await target.datasync();
  }

  /** Throws when there is not enough of the disk for the rest. */
  async check(): Promise<void> {
    this.#checkedAt = performance.now();
    const { freeDiskMb, to } = this.#order;
    const freeMb = await freeMbOf(dirname(to));
    const neededMb = this.#left / 1024 ** 2;
    if (freeMb - neededMb < freeDiskMb) throw new DiskFull(freeMb, freeDiskMb, neededMb);
  }
}
