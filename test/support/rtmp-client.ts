import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { onTestFinished } from 'vitest';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { Amf3Encoder } from '../../wire/amf3.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { AmfValue } from '../../wire/values.ts';
import { ChunkParser, encodeChunks } from './chunks.ts';
import { inTime, Journal } from './journal.ts';
import { TunnelSocket } from './tunnel-client.ts';
import { addressFor, encodePacket, PacketParser, WebSocketCarrier } from './websocket-client.ts';

const HANDSHAKE_BYTES = 1536;

/** Message types as this client writes them (RTMP 1.0, sections 5.4 and 7.1). */
export const Type = {
  SetChunkSize: 1,
  Abort: 2,
  Acknowledgement: 3,
  UserControl: 4,
  WindowAckSize: 5,
  SetPeerBandwidth: 6,
  Audio: 8,
  Video: 9,
  DataAmf3: 15,
  SharedObjectAmf3: 16,
  CommandAmf3: 17,
  DataAmf0: 18,
  SharedObjectAmf0: 19,
  CommandAmf0: 20,
  Aggregate: 22,
} as const;

/** An information object, as onStatus and failures carry it. */
export interface Info {
  level: string;
  code: string;
  description: string;
  details?: string;
  application?: AmfValue;
  [property: string]: unknown;
}

/** One message from the server, with what its body says when it is a command or data. */
export interface Received extends RtmpMessage {
  csid: number;
  /** The command's or data message's name; empty for all others. */
  name: string;
  /** Of a command. */
  transaction: number;
  /** Of a command: the object after the transaction id. */
  object: AmfValue;
  /** What follows. */
  args: AmfValue[];
}

export interface ClientOptions {
  /** What `connect` sends after the command object. */
  args?: unknown[];
  /** 0 (default): commands of type 20. 3: of type 17, after `connect`. */
  objectEncoding?: 0 | 3;
  /** More properties of the command object. */
  properties?: Record<string, unknown>;
  /** What the server may call. */
  methods?: Record<string, (...args: AmfValue[]) => unknown>;
  /** Whether pings are answered. Default true. */
  answersPings?: boolean;
  /** Of the chunks that this client sends. Default 4096. */
  chunkBytes?: number;
  /** The certificate to trust, for `rtmps:`. */
  ca?: string;
}

type Carrier = Duplex & { resetAndDestroy(): unknown };

/** What the server said to a call that failed, or to a connect that was refused. */
export class RefusedError extends Error {
  readonly info: Info;

  constructor(what: string, info: Info) {
    super(`${what}: ${info?.code} ${info?.description}`);
    this.info = info;
  }
}

/** Connects and waits for the verdict: throws RefusedError for a no. Closed when the test ends. */
export async function connect(url: string, options: ClientOptions = {}): Promise<RtmpClient> {
  const client = await RtmpClient.open(url, options);
  await client.connect();
  return client;
}

/** Connects, and hands over the refusal. */
export async function connectRefused(url: string, options: ClientOptions = {}): Promise<Info> {
  const client = await RtmpClient.open(url, options);
  const failure: unknown = await client.connect().then(
    () => new Error('the connection was accepted'),
    (error: unknown) => error,
  );
  if (!(failure instanceof RefusedError)) throw failure;
  await inTime('the server to close the connection', client.closed);
  return failure.info;
}

/** A client that was written from the specification. It remembers everything it is sent. */
export class RtmpClient {
  readonly received = new Journal<Received>('the client', show);
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  /** Properties and info of the accepted connect. */
  properties: Record<string, AmfValue> = {};
  info: Info = { level: '', code: '', description: '' };
  methods: Record<string, (...args: AmfValue[]) => unknown>;
  isClosed = false;
  readonly #url: URL;
  readonly #options: ClientOptions;
  readonly #socket: Carrier;
  readonly #parser: ChunkParser | PacketParser;
  readonly #streams = new Map<number, ClientStream>();
  readonly #sharedObjectListeners: ((received: Received) => void)[] = [];
  readonly #answers = new Map<number, (received: Received) => void>();
  #chunkBytes = 128;
  #nextTransaction = 1;
  #commandType: number = Type.CommandAmf0;

  /** TCP and handshake, a tunnel for `rtmpt:`, a WebSocket for `ws:`; nothing else is sent. Closed when the test ends. */
  static async open(url: string, options: ClientOptions = {}): Promise<RtmpClient> {
    const client = await RtmpClient.dial(url, options);
    onTestFinished(() => client.destroy());
    return client;
  }

  /** As `open`, for clients that outlive a test or have none: whoever dials closes. */
  static async dial(url: string, options: ClientOptions = {}): Promise<RtmpClient> {
    const address = addressFor(url);
    const { protocol, hostname, port } = new URL(address);
    if (protocol === 'ws:' || protocol === 'wss:') {
      const carrier = await WebSocketCarrier.open(address, options.ca);
      const client = new RtmpClient(url, options, carrier);
      carrier.on('data', (frame: Buffer) => client.#receive(frame));
      return client;
    }
    const to = { host: hostname, port: Number(port) };
    const socket =
      protocol === 'rtmps:'
        ? connectTls({ ...to, ca: options.ca }).setNoDelay(true)
        : protocol === 'rtmpt:'
          ? await TunnelSocket.open(`http://${hostname}:${port}`)
          : createConnection({ ...to, noDelay: true });
    const rest = await inTime('the handshake', shakeHands(socket));
    const client = new RtmpClient(url, options, socket);
    client.#receive(rest);
    socket.on('data', (bytes: Buffer) => client.#receive(bytes));
    return client;
  }

  private constructor(url: string, options: ClientOptions, socket: Carrier) {
    this.#url = new URL(url);
    this.#options = options;
    this.#socket = socket;
    this.methods = options.methods ?? {};
    const onMessage = (message: RtmpMessage, csid: number) => this.#message(message, csid);
    this.#parser =
      socket instanceof WebSocketCarrier ? new PacketParser(onMessage) : new ChunkParser(onMessage);
    this.closed = new Promise((resolve) => {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.isClosed = true;
        this.received.end('the connection is closed');
        resolve();
      });
    });
  }

  /** Bytes of chunks that the server has sent. */
  get receivedBytes(): number {
    return this.#parser.received;
  }

  /** Frames of a WebSocket that the server has sent. */
  get receivedFrames(): number {
    return this.#parser instanceof PacketParser ? this.#parser.frames : 0;
  }

  async connect(): Promise<void> {
    const answer = await this.startConnect();
    if (answer.name === '_error') throw new RefusedError('connect', answer.args[0] as Info);
    this.properties = answer.object as Record<string, AmfValue>;
    this.info = answer.args[0] as Info;
  }

  /** Sends `connect` and resolves with its answer, `_result` or `_error`. */
  startConnect(): Promise<Received> {
    const { pathname, search, host } = this.#url;
    const app = pathname.slice(1) + search;
    const { args = [], properties = {}, objectEncoding = 0, chunkBytes = 4096 } = this.#options;
    this.setChunkSize(chunkBytes);
    const object = {
      app,
      flashVer: 'LNX 9,0,124,2',
      tcUrl: `${this.#url.protocol}//${host}/${app}`,
      objectEncoding,
      ...properties,
    };
    const answer = this.#request('connect', object, args);
    if (objectEncoding === 3) this.#commandType = Type.CommandAmf3;
    return answer;
  }

  /** Calls a method of the script and waits for its result. Throws RefusedError for `_error`. */
  async call(method: string, ...args: unknown[]): Promise<AmfValue> {
    const answer = await this.startCall(method, ...args);
    if (answer.name === '_error') throw new RefusedError(method, answer.args[0] as Info);
    return answer.args[0];
  }

  /** As `call`, resolving with the answer as it came. */
  startCall(method: string, ...args: unknown[]): Promise<Received> {
    return this.#request(method, null, args);
  }

  /** A call that must fail: its info object. */
  async callFails(method: string, ...args: unknown[]): Promise<Info> {
    const answer = await this.startCall(method, ...args);
    if (answer.name !== '_error')
      throw new Error(`${method} did not fail: ${JSON.stringify(answer.args[0])}`);
    return answer.args[0] as Info;
  }

  /** Transaction 0: no answer may come. */
  send(method: string, ...args: unknown[]): void {
    this.command(0, method, 0, null, ...args);
  }

  /** Any command, on any message stream. */
  command(streamId: number, name: string, transaction: number, object: unknown, ...args: unknown[]): void {
    const values = [name, transaction, object, ...args];
    const isAmf3 = this.#commandType === Type.CommandAmf3;
    const payload = isAmf3 ? encodeAmf3Body(values) : encodeAmf0(values);
    this.message({ type: this.#commandType, streamId, timestamp: 0, payload });
  }

  async createStream(): Promise<ClientStream> {
    const id = Number(await this.call('createStream'));
    return this.stream(id);
  }

  /** The stream of that id, whether or not the server knows it. */
  stream(id: number): ClientStream {
    let stream = this.#streams.get(id);
    if (!stream) {
      stream = new ClientStream(this, id);
      this.#streams.set(id, stream);
    }
    return stream;
  }

  /** Resolves when the server has handled everything sent so far: the answer to a call comes behind it. */
  async settled(): Promise<void> {
    await this.call('getStreamLength', 'settled');
  }

  /** Hears of every message of a shared object, as it comes. */
  onSharedObject(listener: (received: Received) => void): void {
    this.#sharedObjectListeners.push(listener);
  }

  /** Waits for a call of that method by the server. */
  waitForCall(method: string, from = 0): Promise<Received> {
    return this.received.waitFor(`a call of ${method}`, (r) => isCommand(r) && r.name === method, from);
  }

  /** Waits for a message of that type. */
  waitForType(type: number, from = 0): Promise<Received> {
    return this.received.waitFor(`a message of type ${type}`, (r) => r.type === type, from);
  }

  /** The calls of that method so far, each with its arguments. */
  callsOf(method: string): AmfValue[][] {
    return this.received.entries.filter((r) => isCommand(r) && r.name === method).map((r) => r.args);
  }

  setChunkSize(chunkBytes: number): void {
    if (this.#socket instanceof WebSocketCarrier) return;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(chunkBytes);
    this.message({ type: Type.SetChunkSize, streamId: 0, timestamp: 0, payload }, 2);
    this.#chunkBytes = chunkBytes;
  }

  /** A message in chunks of the present size, or as a frame. */
  message(message: RtmpMessage, csid = 3): void {
    if (this.#socket instanceof WebSocketCarrier) this.write(encodePacket(message));
    else this.write(encodeChunks(message, { csid, chunkBytes: this.#chunkBytes }));
  }

  /** Why the server closed a WebSocket. */
  get closing(): { code: number; reason: string } | undefined {
    return this.#socket instanceof WebSocketCarrier ? this.#socket.closing : undefined;
  }

  /** Bytes as they are, well formed or not. */
  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** Stops reading, as a client with a full buffer does. */
  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** Ends the connection as a client does that leaves. */
  async close(): Promise<void> {
    this.#socket.end();
    await inTime('the connection to close', this.closed);
  }

  /** Resets the connection: the network is gone. */
  async reset(): Promise<void> {
    this.#socket.resetAndDestroy();
    await this.closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #request(name: string, object: unknown, args: unknown[]): Promise<Received> {
    const transaction = this.#nextTransaction++;
    const answer = new Promise<Received>((resolve, reject) => {
      this.#answers.set(transaction, resolve);
      void this.closed.then(() => reject(new Error(`${name}: the connection was closed without an answer`)));
    });
    this.command(0, name, transaction, object, ...args);
    const inTimeAnswer = inTime(`an answer to ${name}`, answer);
    inTimeAnswer.catch(() => {}); // a test may not care
    return inTimeAnswer;
  }

  #receive(bytes: Buffer): void {
    if (bytes.length === 0) return;
    try {
      this.#parser.push(bytes);
    } catch (error) {
      this.received.end(`the server sent what it must not: ${String(error)}`);
      this.destroy();
    }
  }

  #message(message: RtmpMessage, csid: number): void {
    const received = describe(message, csid);
    const transaction = received.transaction;
    if (message.type === Type.UserControl) this.#answerPing(message.payload);
    this.received.add(received);
    if (message.type === Type.SharedObjectAmf0 || message.type === Type.SharedObjectAmf3)
      for (const listener of this.#sharedObjectListeners) listener(received);
    this.#streams.get(message.streamId)?.received.add(received);
    if (!isCommand(received)) return;
    if (received.name === '_result' || received.name === '_error') {
      this.#answers.get(transaction)?.(received);
      this.#answers.delete(transaction);
    } else {
      void this.#called(received);
    }
  }

  async #called({ name, transaction, args }: Received): Promise<void> {
    const method = this.methods[name];
    if (!method) {
      const description = `Method not found (${name}).`;
      const info = { level: 'error', code: 'NetConnection.Call.Failed', description };
      if (transaction !== 0) this.command(0, '_error', transaction, null, info);
      return;
    }
    try {
      const value = await method(...args);
      if (transaction !== 0) this.command(0, '_result', transaction, null, value);
    } catch (error) {
      const info = {
        level: 'error',
        code: 'NetConnection.Call.Failed',
        description: (error as Error).message,
      };
      if (transaction !== 0) this.command(0, '_error', transaction, null, info);
    }
  }

  #answerPing(payload: Uint8Array): void {
    if (this.#options.answersPings === false || payload[0] !== 0 || payload[1] !== 6) return;
    const answer = Buffer.from(payload);
    answer[1] = 7;
    this.message({ type: Type.UserControl, streamId: 0, timestamp: 0, payload: answer }, 2);
  }
}

/** One NetStream of a client. */
export class ClientStream {
  readonly id: number;
  readonly received: Journal<Received>;
  readonly #client: RtmpClient;

  constructor(client: RtmpClient, id: number) {
    this.#client = client;
    this.id = id;
    this.received = new Journal<Received>(`stream ${id}`, show);
    void client.closed.then(() => this.received.end('the connection is closed'));
  }

  /** The codes of all onStatus so far, in order. */
  get codes(): string[] {
    return this.received.entries.filter((r) => r.name === 'onStatus').map((r) => (r.args[0] as Info).code);
  }

  /** Audio, video and data so far. */
  get media(): Received[] {
    return this.received.entries.filter((r) => !isCommand(r));
  }

  get mark(): number {
    return this.received.mark;
  }

  /** Waits for an onStatus with that code. */
  async status(code: string, from = 0): Promise<Info> {
    const received = await this.received.waitFor(code, (r) => infoOf(r)?.code === code, from);
    return received.args[0] as Info;
  }

  /** Sends `publish`; resolves with the first status that follows. */
  publish(name: unknown, mode = 'live'): Promise<Info> {
    return this.#firstStatus('publish', name, mode);
  }

  /** Sends `play`; resolves with Play.Start or the first error. */
  async play(name: unknown, ...args: unknown[]): Promise<Info> {
    const from = this.mark;
    this.command('play', name, ...args);
    const received = await this.received.waitFor(
      `an answer to play ${String(name)}`,
      (r) => infoOf(r)?.code === 'NetStream.Play.Start' || infoOf(r)?.level === 'error',
      from,
    );
    return received.args[0] as Info;
  }

  command(name: string, ...args: unknown[]): void {
    this.#client.command(this.id, name, 0, null, ...args);
  }

  audio(timestamp: number, payload: Uint8Array): void {
    this.#client.message({ type: Type.Audio, streamId: this.id, timestamp, payload }, 4);
  }

  video(timestamp: number, payload: Uint8Array): void {
    this.#client.message({ type: Type.Video, streamId: this.id, timestamp, payload }, 6);
  }

  data(timestamp: number, ...values: unknown[]): void {
    const payload = encodeAmf0(values);
    this.#client.message({ type: Type.DataAmf0, streamId: this.id, timestamp, payload }, 4);
  }

  /** Resolves when the server has handled everything that this client has sent so far. */
  async settled(): Promise<void> {
    await this.#client.settled();
  }

  /** Waits for an audio or video message with exactly this body. */
  waitForMedia(payload: Uint8Array, from = 0): Promise<Received> {
    const hex = Buffer.from(payload).toString('hex');
    const isIt = (r: Received) => !isCommand(r) && Buffer.from(r.payload).toString('hex') === hex;
    return this.received.waitFor(`the media ${hex.slice(0, 40)}`, isIt, from);
  }

  /** Waits for a data message of that name. */
  waitForData(name: string, from = 0): Promise<Received> {
    return this.received.waitFor(`data ${name}`, (r) => isData(r) && r.name === name, from);
  }

  async #firstStatus(command: string, ...args: unknown[]): Promise<Info> {
    const from = this.mark;
    this.command(command, ...args);
    const received = await this.received.waitFor(
      `an answer to ${command}`,
      (r) => infoOf(r) !== undefined,
      from,
    );
    return received.args[0] as Info;
  }
}

/** C0 C1, S0 S1 S2, C2 in the simple form; resolves with what came behind S2. */
function shakeHands(socket: Carrier): Promise<Buffer> {
  const c1 = randomBytes(HANDSHAKE_BYTES);
  c1.fill(0, 0, 8);
  socket.write(Buffer.concat([Buffer.from([3]), c1]));
  return new Promise((resolve, reject) => {
    let buffer: Buffer = Buffer.alloc(0);
    const onData = (bytes: Buffer) => {
      buffer = Buffer.concat([buffer, bytes]);
      if (buffer.length < 1 + 2 * HANDSHAKE_BYTES) return;
      socket.off('data', onData);
      const s1 = buffer.subarray(1, 1 + HANDSHAKE_BYTES);
      const echo = buffer.subarray(1 + HANDSHAKE_BYTES, 1 + 2 * HANDSHAKE_BYTES);
      if (buffer[0] !== 3) reject(new Error(`S0 is ${buffer[0]}`));
      else if (!echo.subarray(8).equals(c1.subarray(8))) reject(new Error('S2 does not echo C1'));
      socket.write(s1);
      resolve(buffer.subarray(1 + 2 * HANDSHAKE_BYTES));
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed during the handshake')));
  });
}

/** The body of a message of type 17: a selector, AMF0 for the head, AMF3 behind 0x11 for each argument. */
function encodeAmf3Body([name, transaction, object, ...args]: unknown[]): Uint8Array {
  const writer = new ByteWriter();
  const amf3 = new Amf3Encoder(writer);
  writer.u8(0);
  writer.bytes(encodeAmf0([name, transaction, object]));
  for (const value of args) {
    writer.u8(0x11);
    amf3.value(value);
  }
  return writer.copy();
}

function describe(message: RtmpMessage, csid: number): Received {
  const { type, payload } = message;
  const received: Received = { ...message, csid, name: '', transaction: 0, object: undefined, args: [] };
  if (type === Type.CommandAmf0 || type === Type.CommandAmf3) {
    const values = decodeAmf0(type === Type.CommandAmf3 ? payload.subarray(1) : payload);
    const [name, transaction, object, ...args] = values;
    return { ...received, name: String(name), transaction: Number(transaction), object, args };
  }
  if (type === Type.DataAmf0) {
    const [name, ...args] = decodeAmf0(payload);
    return { ...received, name: String(name), args };
  }
  return received;
}

export function isCommand({ type }: RtmpMessage): boolean {
  return type === Type.CommandAmf0 || type === Type.CommandAmf3;
}

export function isData({ type }: RtmpMessage): boolean {
  return type === Type.DataAmf0 || type === Type.DataAmf3;
}

function infoOf(received: Received): Info | undefined {
  return isCommand(received) && received.name === 'onStatus' ? (received.args[0] as Info) : undefined;
}

function show(received: Received): string {
  const { type, streamId, timestamp, name, transaction, args, payload } = received;
  if (isCommand(received)) return `[${streamId}] ${name} ${transaction} ${safeJson(args)}`;
  if (isData(received)) return `[${streamId}] data ${name} @${timestamp} ${safeJson(args)}`;
  const bytes = Buffer.from(payload.subarray(0, 12)).toString('hex');
  return `[${streamId}] type ${type} @${timestamp} ${payload.length} bytes ${bytes}`;
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value).slice(0, 200);
  } catch {
    return '...';
  }
}
