import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { ByteReader } from '../../wire/bytes.ts';
import { decodeFlvTag, type FlvTag, flvHeaderBytes } from '../../wire/flv.ts';
import { inTime, Journal } from './journal.ts';
import { certificate } from './tls.ts';

/** What was refused: the answer's status and body. */
export class AnswerError extends Error {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];

  constructor({ statusCode = 0, headers }: IncomingMessage, body: string) {
    super(`${statusCode} ${body}`);
    this.status = statusCode;
    this.body = body;
    this.headers = headers;
  }

  get json(): unknown {
    return JSON.parse(this.body);
  }
}

/** A viewer over HTTP or WebSocket. It remembers every tag. */
export class FlvClient {
  readonly tags = new Journal<FlvTag>('the viewer', ({ type, timestamp, payload }) => {
    return `${type}@${timestamp} ${Buffer.from(payload.subarray(0, 12)).toString('hex')}`;
  });
  headers: IncomingMessage['headers'] = {};
  /** Resolves when the stream has ended: whether as it should. */
  readonly ended: Promise<boolean>;
  bytes = Buffer.alloc(0);
  #position = 0;
  #destroy: () => void = () => {};
  #ping: () => void = () => {};
  #pause: (isPaused: boolean) => void = () => {};
  #end: (isWhole: boolean) => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = (isWhole) => {
        this.tags.end('the stream has ended');
        resolve(isWhole);
      };
    });
    onTestFinished(() => this.leave());
  }

  /** Resolves with the first byte. Throws AnswerError for another answer than a stream. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<FlvClient> {
    const client = new FlvClient();
    await inTime(`a stream from ${url}`, client.#connect(url, headers));
    return client;
  }

  get media(): FlvTag[] {
    return this.tags.entries.filter(({ type }) => type !== 18);
  }

  waitFor(payload: Uint8Array): Promise<FlvTag> {
    const wanted = Buffer.from(payload);
    return this.tags.waitFor(`the media ${wanted.toString('hex')}`, (tag) => wanted.equals(tag.payload));
  }

  pauseReading(): void {
    this.#pause(true);
  }

  resumeReading(): void {
    this.#pause(false);
  }

  /** Asks for a sign of life, which only a WebSocket can. */
  ping(): void {
    this.#ping();
  }

  leave(): void {
    this.#destroy();
  }

  #connect(url: string, headers: Record<string, string>): Promise<void> {
    return url.startsWith('ws') ? this.#openSocket(url, headers) : this.#get(url, headers);
  }

  #get(url: string, headers: Record<string, string>): Promise<void> {
    const ask = url.startsWith('https') ? secureRequest : request;
    return new Promise((resolve, reject) => {
      const asked = ask(url, { headers, agent: false, ca: certificate }, (answer) => {
        if (answer.statusCode !== 200)
          return void bodyOf(answer).then((b) => reject(new AnswerError(answer, b)));
        this.headers = answer.headers;
        this.#pause = (isPaused) => (isPaused ? answer.pause() : answer.resume());
        answer.on('data', (bytes: Buffer) => this.#receive(bytes));
        answer.on('error', () => {});
        answer.on('close', () => this.#end(answer.complete));
        return resolve();
      });
      this.#destroy = () => asked.destroy();
      asked.on('error', reject);
      asked.end();
    });
  }

  #openSocket(url: string, headers: Record<string, string>): Promise<void> {
    const socket = new WebSocket(url, { headers, ca: certificate });
    this.#destroy = () => socket.terminate();
    this.#ping = () => socket.ping();
    this.#pause = (isPaused) => (isPaused ? socket.pause() : socket.resume());
    return new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('message', (bytes: Buffer, isBinary) => {
        if (!isBinary) throw new Error('a text message');
        this.#receive(bytes);
      });
      socket.on('unexpected-response', (_, answer) => {
        void bodyOf(answer).then((body) => reject(new AnswerError(answer, body)));
      });
      socket.on('error', reject);
      socket.on('close', (code) => this.#end(code === 1000));
    });
  }

  #receive(bytes: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    if (this.bytes.length < flvHeaderBytes) return;
    this.#position ||= flvHeaderBytes;
    const reader = new ByteReader(this.bytes.subarray(this.#position));
    let end = 0;
    for (let tag = decodeFlvTag(reader); tag; tag = decodeFlvTag(reader)) {
      // Without its back pointer it is not whole.
      if (
        reader.remaining === 0 &&
        this.bytes.readUInt32BE(this.bytes.length - 4) !== tag.payload.length + 11
      )
        break;
      end = reader.position;
      this.tags.add({ ...tag, payload: tag.payload.slice() });
    }
    this.#position += end;
  }
}

/** What a request is answered with instead of a stream. */
export async function refusedFlv(url: string, headers: Record<string, string> = {}): Promise<AnswerError> {
  const failure: unknown = await FlvClient.open(url, headers).then(
    () => new Error('there is a stream'),
    (error: unknown) => error,
  );
  if (failure instanceof AnswerError) return failure;
  throw failure;
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
