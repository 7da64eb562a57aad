import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { watchAnswers } from '../../../host/scripts/bundler-answers.ts';

const MIB = 1024 * 1024;

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes);
  return length;
}

/** Two small answers, then one; in pieces of that size. */
async function excessesOf(third: Buffer, pieceBytes: number): Promise<string[]> {
  const answers = new PassThrough();
  const excesses: string[] = [];
  watchAnswers(answers, (why) => excesses.push(why));
  const all = Buffer.concat([lengthOf(7), Buffer.alloc(7, 0xff), lengthOf(0), third]);
  for (let at = 0; at < all.length; at += pieceBytes) answers.write(all.subarray(at, at + pieceBytes));
  answers.end();
  await new Promise((done) => answers.on('end', done).resume());
  return excesses;
}

function withImports(bytes: number): Buffer {
  const key = Buffer.from('\x08\0\0\0metafile\x04', 'latin1');
  const body = Buffer.concat([Buffer.from('id'), key, lengthOf(bytes), Buffer.from('{}')]);
  return Buffer.concat([lengthOf(body.length), body]);
}

function withMessages(key: string, count: number): Buffer {
  const body = Buffer.concat([lengthOf(key.length), Buffer.from(`${key}\x05`), lengthOf(count)]);
  return Buffer.concat([lengthOf(body.length), body]);
}

for (const pieceBytes of [1, 3, 1000]) {
  test(`in pieces of ${pieceBytes}, an answer that is too long is seen by its length`, async () => {
    expect(await excessesOf(lengthOf(64 * MIB), pieceBytes)).toEqual([]);
    expect(await excessesOf(lengthOf(64 * MIB + 1), pieceBytes)).toEqual([
      'what came of it measures more than 64 MB',
    ]);
  });

  test(`in pieces of ${pieceBytes}, a list of imports that is too long is seen by its length`, async () => {
    expect(await excessesOf(withImports(8 * MIB), pieceBytes)).toEqual([]);
    expect(await excessesOf(withImports(8 * MIB + 1), pieceBytes)).toEqual([
      'the list of its imports measures more than 8 MB',
    ]);
  });

  test(`in pieces of ${pieceBytes}, too many errors and warnings are seen by their number`, async () => {
    for (const key of ['errors', 'warnings']) {
      expect(await excessesOf(withMessages(key, 1000), pieceBytes)).toEqual([]);
      expect(await excessesOf(withMessages(key, 1001), pieceBytes)).toEqual([`it has more than 1000 ${key}`]);
    }
  });
}
