import type { StatusCode } from '../../../wire/status.ts';
import { describeError } from '../../base/errors.ts';
import { DiskFull } from './disk.ts';

/** The file is the target of another recording. */
export class AlreadyRecorded extends Error {}

/** The status for what went wrong with a file that is written, and a description for people. */
export function problemOf(error: unknown): [StatusCode, string] {
  if (error instanceof AlreadyRecorded) return ['NetStream.Record.NoAccess', error.message];
  if (error instanceof DiskFull) return ['NetStream.Record.DiskQuotaExceeded', error.message];
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (['EACCES', 'EPERM', 'EROFS', 'EISDIR'].includes(code))
    return ['NetStream.Record.NoAccess', `the file cannot be written (${code})`];
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return ['NetStream.Record.DiskQuotaExceeded', `the disk is full (${code})`];
  return ['NetStream.Record.Failed', describeError(error, 200)];
}
