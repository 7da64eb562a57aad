import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import { isGone } from './app.ts';

/** `app.json`: what an application says of itself. */
const appFile = z.strictObject({
  /** The stream name, query included, that the welcome message suggests to publish. */
  try: z.string().min(1).max(200).optional(),
});

export type AppFile = z.output<typeof appFile>;

/** The app's `app.json`, empty when there is none. Throws `E_APP_FILE` with file, key, and what is allowed. */
export async function readAppFile(folder: string): Promise<AppFile> {
  let text: string;
  try {
    text = await readFile(join(folder, 'app.json'), 'utf8');
  } catch (error) {
    if (isGone(error)) return {};
    throw problem(`cannot be read: ${describeError(error, 200)}`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw problem(`is not JSON: ${describeError(error, 200)}`);
  }
  const { data, error } = appFile.safeParse(content);
  if (data) return data;
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    throw problem(
      `has the unknown key "${issue.keys[0]}"; known are ${Object.keys(appFile.shape).join(', ')}`,
    );
  }
  throw problem(`${issue?.path.join('.') || 'the content'}: ${issue?.message ?? 'is wrong'}`);
}

function problem(text: string): StagewireError {
  return new StagewireError('E_APP_FILE', 'app', printable(`app.json ${text}`, 500));
}
