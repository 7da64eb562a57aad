import type { BootFile } from '../core/frames.ts';
import type { ScriptSpec } from '../scripts/script.ts';
import type { Build, BuiltFile } from './builder.ts';
import type { InstanceHost } from './incarnation.ts';

/** What one entry may send: the host reads all of it at once, and everybody waits meanwhile. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
const MIN_PRINTED_BYTES = 256 * 1024;
/** Maps are for the host. */
function withoutMap({ name, filename, code, problem }: BuiltFile): BootFile {
  return { name, filename, code, ...(problem && { problem }) };
}

/** What a script is made of, and what it may do. */
export function scriptSpec(
  name: string,
  build: Build,
  { settings, serverVersion, hostname }: InstanceHost,
): ScriptSpec {
  const { limits } = settings;
  return {
    code: build.code,
    filename: build.filename,
    preludes: build.preludes?.map(withoutMap),
    loads: build.loads && { folders: build.loads.folders, files: build.loads.files.map(withoutMap) },
    memoryMb: limits.heapMb,
    handlerMs: limits.handlerMs,
    bootMs: limits.startMs,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    mailbox: { records: limits.mailboxRecords, bytes: limits.mailboxBytes },
    options: {
      name,
      server: serverVersion,
      hostname,
      config: settings.config ?? {},
      bandwidthCap: limits.bytesPerSecondCap,
      amfDepth: limits.amfDepth,
      amfValues: limits.amfValues,
      maxTimers: limits.timers,
      maxOutstandingInvokes: limits.outstandingCalls,
      maxFetches: limits.fetches,
      maxFetchBytes: limits.fetchBytes,
      maxArgumentBytes: limits.commandBytes,
      mostPrintedBytes: Math.max(MIN_PRINTED_BYTES, limits.logBytesPerSecond),
      // A whole number: isolated-vm refuses other time limits.
      yieldAfterMs: Math.min(50, Math.floor(limits.handlerMs / 4)),
      canLoad: build.loads !== undefined,
      isClassic: build.main?.kind === 'classic',
    },
  };
}
