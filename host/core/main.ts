/**
 * The core process: isolates and nothing else. It has no sockets, no environment and no file system beyond its own
 * code; it hears from the host over descriptor 3 and ends when that closes.
 */
import { Socket } from 'node:net';
import {
  type BootedFrame,
  type BootFrame,
  doneFrame,
  type Frame,
  FrameKind,
  FrameReader,
  frame,
  jsonFrame,
  readTurn,
} from './frames.ts';
import { CoreIsolate, type RuntimeCode } from './isolate.ts';

const host = new Socket({ fd: 3, readable: true, writable: true });
const isolates = new Map<number, CoreIsolate>();
let runtime: RuntimeCode | undefined;

const reader = new FrameReader(handle);
host.on('data', (chunk: Buffer) => reader.push(chunk));
// Ctrl-C in a terminal reaches every process of the group: the host decides when it is over.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
host.on('close', leave);
host.on('error', leave);

/** The host is gone. An orderly exit would wait for isolates that are busy. */
function leave(): void {
  process.kill(process.pid, 'SIGKILL');
}

function handle({ kind, isolate, body }: Frame): void {
  switch (kind) {
    case FrameKind.ready:
      // The host's first frame brings the runtime's bundle.
      runtime = { source: body.toString('utf8') };
      host.write(frame(FrameKind.ready, 0));
      return;
    case FrameKind.boot:
      void boot(isolate, JSON.parse(body.toString('utf8')) as BootFrame);
      return;
    case FrameKind.turn:
      // The frame is a view into the socket's memory: `turn` copies it before it waits for anything.
      void turn(isolate, body);
      return;
    case FrameKind.stats:
      void isolates
        .get(isolate)
        ?.stats()
        .then(
          (stats) => host.write(jsonFrame(FrameKind.stats, isolate, stats)),
          () => host.write(jsonFrame(FrameKind.stats, isolate, { heapBytes: 0, cpuMs: 0 })),
        );
      return;
    case FrameKind.dispose:
      isolates.get(isolate)?.dispose();
      isolates.delete(isolate);
      return;
  }
}

async function boot(id: number, request: BootFrame): Promise<void> {
  const isolate = new CoreIsolate(request);
  isolates.set(id, isolate);
  const booted: BootedFrame = {};
  try {
    await isolate.boot(runtime!, request);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    booted.error = { message, stack: stack ?? '' };
  }
  const commands = isolate.takeOutput();
  if (booted.error) {
    isolate.dispose();
    isolates.delete(id);
  }
  const json = Buffer.from(JSON.stringify(booted));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(json.length);
  host.write(frame(FrameKind.booted, id, length, json, commands));
}

async function turn(id: number, body: Buffer): Promise<void> {
  const isolate = isolates.get(id);
  if (!isolate) return; // disposed while the turn was on its way
  host.write(doneFrame(id, await isolate.turn(readTurn(body))));
}
