import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAppFile } from '../../../host/apps/app-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stagewire-app-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('an app without app.json says nothing of itself', async () => {
  expect(await readAppFile(join(folder, 'nowhere'))).toEqual({});
});

test('app.json suggests a stream to publish', async () => {
  await writeFile(join(folder, 'app.json'), '{ "try": "demo?key=x" }');
  expect(await readAppFile(folder)).toEqual({ try: 'demo?key=x' });
});

const wrong = [
  { text: '{', says: 'not JSON' },
  { text: '[]', says: 'content' },
  { text: '{ "try": 7 }', says: 'try' },
  { text: '{ "tri": "x" }', says: 'unknown key "tri"; known are try' },
];
for (const { text, says } of wrong) {
  test(`${text} is an error that says "${says}"`, async () => {
    await writeFile(join(folder, 'app.json'), text);
    const error = await readAppFile(folder).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'E_APP_FILE', blame: 'app', message: expect.stringContaining(says) });
  });
}
