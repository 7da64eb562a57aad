import vm from 'node:vm';
import { ASK_HEADER_BYTES } from '../../runtime/wall/asks.ts';
import { type Boot, type BootOptions, HEADER_BYTES, Header } from '../../runtime/wall/boot.ts';
import { type Delivery, encodeDelivery } from '../../runtime/wall/deliveries.ts';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { ByteWriter } from '../../wire/bytes.ts';

/** The words at the start of V8's code cache (`SerializedCodeData` in its code-serializer.h). */
const WORDS = 8;
/** Which snapshot the isolate was made from. */
const READ_ONLY_SNAPSHOT = 4;
/** Magic number, version, source and flags: equal, or the cache is of no use. */
const SAME = [0, 1, 2, 3];

/**
 * A code cache of the runtime that also holds the functions that an instance's first turns run. V8 compiles a function
 * when it is first called, and isolated-vm only caches what was compiled before the first call; so the runtime runs in
 * this process's own heap once, without any application's code, and the cache is taken there.
 *
 * The two heaps come from different snapshots, but a process has one read-only heap, the only thing outside of the
 * cache that cached code refers to: the cache may carry the checksum that isolates expect. Returns `cold`, isolated-vm's
 * own cache, where the two differ in anything else.
 */
export function warmCache(
  source: string,
  filename: string,
  options: BootOptions,
  cold: ArrayBuffer,
): ArrayBuffer {
  const script = new vm.Script(source, { filename });
  run(script, options);
  const warm = Uint8Array.from(script.createCachedData()).buffer;
  const [ours, theirs] = [new Uint32Array(warm, 0, WORDS), new Uint32Array(cold, 0, WORDS)];
  if (SAME.some((word) => ours[word] !== theirs[word])) return cold;
  ours[READ_ONLY_SNAPSHOT] = theirs[READ_ONLY_SNAPSHOT]!;
  return warm;
}

/** An application that does little, and a client that comes, calls, is taken over and leaves. */
function run(script: vm.Script, options: BootOptions): void {
  const context = vm.createContext();
  const boot = script.runInContext(context) as Boot;
  const input = new SharedArrayBuffer(4096);
  const asks = new SharedArrayBuffer(ASK_HEADER_BYTES);
  const { enter } = boot(input, new SharedArrayBuffer(65_536), asks, () => {}, JSON.stringify(options));
  enter(0, 0);
  vm.runInContext('application.onConnect = (client) => { client.echo = (value) => value; };', context);
  const header = new Int32Array(input, 0, HEADER_BYTES / 4);
  for (const delivery of usualDay()) {
    const records = new ByteWriter();
    encodeDelivery(records, delivery);
    new Uint8Array(input).set(records.view, HEADER_BYTES);
    header[Header.inputLength] = records.view.length;
    header[Header.finished] = 0;
    header[Header.outputLength] = 0;
    enter(0, 0);
  }
}

function usualDay(): Delivery[] {
  const info = {
    id: '1',
    ip: '127.0.0.1',
    agent: '',
    referrer: '',
    pageUrl: '',
    uri: 'rtmp://127.0.0.1/app/room',
    protocol: 'rtmp',
    secure: false,
    canReconnect: false,
    access: { readAccess: '/', writeAccess: '/', audioSampleAccess: '', videoSampleAccess: '' },
    bandwidth: { toClient: 0, toServer: 0 },
  };
  const command = (...values: unknown[]) => ({ type: 20, body: encodeAmf0(values) });
  const connect = { client: 1, info, command: command('connect', 1, { app: 'app/room' }, 'a') };
  const value = { name: 'a', count: 1.5, isOpen: true, nothing: null, list: [1, 'two'] };
  return [
    { kind: 'start' },
    { kind: 'connect', ...connect },
    { kind: 'call', client: 1, call: 2, command: command('echo', 2, null, value) },
    { kind: 'disconnect', client: 1 },
    { kind: 'reattach', ...connect, reason: 'crash' },
  ];
}
