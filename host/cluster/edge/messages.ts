import { z } from 'zod';
import type { RtmpMessage } from '../../../wire/messages.ts';
import { StagewireError } from '../../base/errors.ts';
import type { OutMessage, WireFormat } from '../../rtmp/ports.ts';
import { CODEC_POLICIES } from '../../streams/codec-filter.ts';

/**
 * What an edge and its origin say to each other: RTMP messages of types that nobody else uses. Media has its own types,
 * and the number of its stream as message stream id.
 */
export const EdgeType = {
  /** JSON, then bytes. */
  Control: 0x40,
  /** Messages for a client, whose number is the message stream id. */
  ToClient: 0x41,
  /** The same messages for many clients (shared-bytes.ts). */
  ToClients: 0x42,
} as const;

const text = z.string().max(64 * 1024);
const name = z.string().max(1024);
const number = z.int().min(0).max(0xffff_ffff);
const double = z.number();
const stream = z.strictObject({ name, query: text, container: z.string().max(16) });
const codecs = z.union([
  z.literal('plain'),
  z.strictObject({ names: z.array(z.string().max(16)).max(256), capsEx: number }),
]);
const verdict = { isAllowed: z.boolean(), description: text };
const access = { audio: z.boolean(), video: z.boolean() };

/** From the edge. `id` of the message is the number that it gives a client, a client's stream, or a stream that it carries. */
const upward = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('hello'),
    version: number,
    name: z.string().min(1).max(256),
    /** Of the process: the same again after it lost its connection. */
    run: z.string().max(64),
    nonce: z.string().max(64),
  }),
  z.strictObject({ op: z.literal('proof'), proof: z.string().max(128) }),
  z.strictObject({
    op: z.literal('connect'),
    app: name,
    instance: name,
    query: text,
    uri: text,
    agent: text,
    referrer: text,
    pageUrl: text,
    address: name,
    protocol: name,
    isSecure: z.boolean(),
    canReconnect: z.boolean(),
    objectEncoding: z.union([z.literal(0), z.literal(3)]),
    type: number,
  }),
  z.strictObject({ op: z.literal('leave') }),
  z.strictObject({ op: z.literal('call'), name: text, transaction: double, type: number, orElse: number }),
  z.strictObject({ op: z.literal('reply'), request: number, isOk: z.boolean(), type: number }),
  z.strictObject({ op: z.literal('shared'), type: number, streamId: number, timestamp: number }),
  z.strictObject({ op: z.literal('length'), ask: number, stream }),
  z.strictObject({ op: z.literal('decide'), ask: number, stream, startMs: double }),
  z.strictObject({ op: z.literal('open'), client: number, streamId: number, codecs }),
  z.strictObject({ op: z.literal('publish'), stream, mode: name }),
  z.strictObject({
    op: z.literal('play'),
    stream,
    startMs: double,
    durationMs: double,
    isReset: z.boolean(),
    isAtOnce: z.boolean(),
    change: z.strictObject({ kind: z.enum(['swap', 'switch']), old: name }).optional(),
  }),
  z.strictObject({ op: z.literal('pause'), isPaused: z.boolean(), positionMs: double.optional() }),
  z.strictObject({ op: z.literal('seek'), positionMs: double }),
  z.strictObject({ op: z.literal('receive'), medium: z.enum(['audio', 'video']), isWanted: z.boolean() }),
  z.strictObject({ op: z.literal('frames'), fps: double.optional() }),
  z.strictObject({ op: z.literal('buffer'), bufferMs: double }),
  z.strictObject({ op: z.literal('played'), timestamp: number }),
  z.strictObject({ op: z.literal('makes-key-frames') }),
  z.strictObject({ op: z.literal('close') }),
  z.strictObject({ op: z.literal('alive'), ask: number, isAlive: z.boolean() }),
  z.strictObject({
    op: z.literal('traffic'),
    bytesIn: double,
    bytesOut: double,
    messagesIn: double,
    messagesOut: double,
    messagesDropped: double,
    pingMs: double,
    /** Of what was sent to the client: bytes that it has taken. */
    taken: double,
  }),
  z.strictObject({ op: z.literal('carry'), app: name, instance: name, stream: name }),
  z.strictObject({ op: z.literal('drop-stream') }),
]);

/** From the origin. */
const downward = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('challenge'), nonce: z.string().max(64) }),
  z.strictObject({
    op: z.literal('welcome'),
    proof: z.string().max(128),
    server: z.string().max(256),
    /** The servers between it and the origin of all, itself included. */
    via: z.array(z.string().max(64)).max(64),
  }),
  z.strictObject({ op: z.literal('no'), why: text }),
  z.strictObject({
    op: z.literal('apps'),
    apps: z.record(
      name,
      z.strictObject({
        cors: z.array(text),
        windowMs: double.optional(),
        codecs: z.enum(CODEC_POLICIES).optional(),
      }),
    ),
  }),
  z.strictObject({ op: z.literal('accept'), id: name }),
  z.strictObject({ op: z.literal('reject') }),
  z.strictObject({
    op: z.literal('refuse'),
    code: name,
    description: text,
    isPassing: z.boolean().optional(),
  }),
  z.strictObject({ op: z.literal('result'), transaction: double }),
  z.strictObject({ op: z.literal('error'), transaction: double }),
  z.strictObject({ op: z.literal('missing'), orElse: number }),
  z.strictObject({ op: z.literal('invoke'), method: text, request: number }),
  z.strictObject({ op: z.literal('bandwidth-check') }),
  z.strictObject({ op: z.literal('ping') }),
  z.strictObject({ op: z.literal('limit'), toClient: double, toServer: double }),
  z.strictObject({ op: z.literal('reconnect'), tcUrl: text }),
  /** Of a stream of the client, by its number: what it publishes has begun, and media of it has come. */
  z.strictObject({ op: z.literal('heard'), stream: number }),
  z.strictObject({ op: z.literal('reading'), isReading: z.boolean() }),
  z.strictObject({ op: z.literal('drop'), code: name, text }),
  z.strictObject({ op: z.literal('disconnect'), code: name.optional(), description: text.optional() }),
  z.strictObject({ op: z.literal('is-alive'), ask: number, withinMs: double }),
  z.strictObject({ op: z.literal('length-is'), ask: number, seconds: double }),
  z.strictObject({
    op: z.literal('decided'),
    ask: number,
    at: z.enum(['live', 'recorded']),
    ...verdict,
    ...access,
  }),
  /** `publication`: what the source is known by; empty when there is none. `media`: the message stream id of what it sends. */
  z.strictObject({ op: z.literal('source'), publication: name, media: number }),
]);

export type Upward = z.output<typeof upward>;
export type Downward = z.output<typeof downward>;

/** One message of control, read. */
export interface Control<Op> {
  readonly id: number;
  readonly op: Op;
  readonly bytes: Uint8Array;
}

const NONE = new Uint8Array(0);
const HEAD_BYTES = 4;

export function controlMessage(op: Upward | Downward, id = 0, bytes: Uint8Array = NONE): RtmpMessage {
  const head = Buffer.from(JSON.stringify(op));
  const payload = Buffer.allocUnsafe(HEAD_BYTES + head.length + bytes.length);
  payload.writeUInt32BE(head.length, 0);
  head.copy(payload, HEAD_BYTES);
  payload.set(bytes, HEAD_BYTES + head.length);
  return { type: EdgeType.Control, streamId: id, timestamp: 0, payload };
}

/** Throws `E_EDGE` for what no edge says. */
export function readUpward(message: RtmpMessage): Control<Upward> {
  return read(message, upward);
}

/** Throws `E_EDGE` for what no origin says. */
export function readDownward(message: RtmpMessage): Control<Downward> {
  return read(message, downward);
}

function read<T>({ streamId, payload }: RtmpMessage, schema: z.ZodType<T>): Control<T> {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  if (bytes.length < HEAD_BYTES) throw wrong(`a message of ${bytes.length} bytes`);
  const end = HEAD_BYTES + bytes.readUInt32BE(0);
  if (end > bytes.length) throw wrong(`a head of ${end - HEAD_BYTES} bytes in ${bytes.length}`);
  let head: unknown;
  try {
    head = JSON.parse(bytes.toString('utf8', HEAD_BYTES, end));
  } catch {
    throw wrong('a head that is no JSON');
  }
  const checked = schema.safeParse(head);
  if (!checked.success) throw wrong(checked.error.issues[0]?.message ?? 'what nobody knows');
  return { id: streamId, op: checked.data, bytes: payload.subarray(end) };
}

function wrong(what: string): StagewireError {
  return new StagewireError('E_EDGE', 'peer', `between edge and origin: ${what}`);
}

/** Bytes before each message: length, type, message stream id, timestamp. */
const RECORD_BYTES = 13;

/** Messages on their way to a client of the edge. */
export const edgeFormat: WireFormat = {
  name: 'edge',
  lengthOf: ({ payload }) => RECORD_BYTES + payload.length,
  serializeInto(target: Uint8Array, at: number, message: OutMessage, streamId: number): number {
    const { type, timestamp, payload } = message;
    const view = new DataView(target.buffer, target.byteOffset + at, RECORD_BYTES);
    view.setUint32(0, payload.length);
    view.setUint8(4, type);
    view.setUint32(5, streamId);
    view.setUint32(9, timestamp);
    target.set(payload, at + RECORD_BYTES);
    return at + RECORD_BYTES + payload.length;
  },
};

/** Throws `E_EDGE` for bytes that the format has not made. */
export function* messagesIn(bytes: Uint8Array): Generator<RtmpMessage> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at < bytes.length) {
    if (at + RECORD_BYTES > bytes.length) throw wrong('a message that is cut off');
    const end = at + RECORD_BYTES + view.getUint32(at);
    if (end > bytes.length) throw wrong('a message that is cut off');
    yield {
      type: view.getUint8(at + 4),
      streamId: view.getUint32(at + 5),
      timestamp: view.getUint32(at + 9),
      payload: bytes.subarray(at + RECORD_BYTES, end),
    };
    at = end;
  }
}
