import type { Container } from './container.ts';
import type { FileBytes } from './file-bytes.ts';
import { FlvFile } from './flv/flv-file.ts';
import { Mp3File } from './mp3/mp3-file.ts';
import { Mp4File } from './mp4/mp4-file.ts';

/** Looks at how the file begins, not at its name. What is nothing else may be MP3, which begins anyhow. */
export async function openContainer(file: FileBytes, app: string): Promise<Container> {
  const head = await file.take(0, 16);
  if (head.length >= 3 && head[0] === 0x46 && head[1] === 0x4c && head[2] === 0x56) return FlvFile.open(file);
  if (MP4_BOXES.includes(String.fromCharCode(...head.subarray(4, 8)))) return Mp4File.open(file, app);
  return Mp3File.open(file);
}

/** What an MP4 or QuickTime file may begin with. */
const MP4_BOXES = ['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot', 'styp', 'moof'];
