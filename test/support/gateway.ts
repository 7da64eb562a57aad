import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import type { AmfValue } from '../../wire/values.ts';

/*
 * A Flash Remoting gateway for tests. How packets are framed is written anew here, from the AMF 0 specification, and
 * trusts the lengths that they give: a wrong one is seen.
 */

export interface GatewayCall {
  method: string;
  response: string;
  args: AmfValue[];
}

/** What it was sent. */
export interface GatewayPacket {
  /** Path and query that it came to. */
  url: string;
  type: string | undefined;
  version: number;
  headers: { name: string; mustUnderstand: boolean; value: AmfValue }[];
  calls: GatewayCall[];
}

/** Of one call: `[target, value]`, such as `['/1/onResult', 3]`. Several, or none, are possible. */
export type GatewayAnswer = [target: string, value: unknown];
export type GatewayHeader = [name: string, value: unknown, mustUnderstand?: boolean];

export interface TestGateway {
  url: string;
  packets: GatewayPacket[];
  close(): void;
}

type Service = (...args: AmfValue[]) => unknown;

export interface GatewayOptions {
  /** By name. What one throws is the value of `onStatus`. */
  services?: Record<string, Service>;
  /** Headers of the answer. */
  headers?: (packet: GatewayPacket) => GatewayHeader[];
  /** Instead of calling services. */
  answer?: (packet: GatewayPacket) => GatewayAnswer[];
  /** Instead of all that. */
  handle?: (request: IncomingMessage, response: ServerResponse, packet: GatewayPacket) => void;
  /** Whether a packet is to wait. */
  hold?: (packet: GatewayPacket) => Promise<void>;
}

/** Starts one, until the test ends. */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const gateway = await openGateway(options);
  onTestFinished(() => gateway.close());
  return gateway;
}

export async function openGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const packets: GatewayPacket[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void serve(request, response, Buffer.concat(chunks)));
  });
  const serve = async (request: IncomingMessage, response: ServerResponse, body: Buffer) => {
    const packet = readPacket(request, body);
    packets.push(packet);
    await options.hold?.(packet);
    if (options.handle) return options.handle(request, response, packet);
    const answers = options.answer?.(packet) ?? packet.calls.map((call) => answerTo(call, options.services));
    response.setHeader('Content-Type', 'application/x-amf');
    response.end(writeAnswer(options.headers?.(packet) ?? [], answers));
  };
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/gateway`,
    packets,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answerTo(
  { method, response, args }: GatewayCall,
  services: Record<string, Service> = {},
): GatewayAnswer {
  const service = services[method];
  if (!service) {
    const error = {
      level: 'error',
      code: 'SERVER.RESOURCE_UNAVAILABLE',
      description: `no service ${method}`,
    };
    return [`${response}/onStatus`, error];
  }
  try {
    return [`${response}/onResult`, service(...args)];
  } catch (error) {
    return [`${response}/onStatus`, error];
  }
}

function readPacket(request: IncomingMessage, body: Buffer): GatewayPacket {
  let at = 0;
  const take = (count: number) => {
    if (at + count > body.length) throw new Error(`the packet ends at ${body.length}`);
    at += count;
    return body.subarray(at - count, at);
  };
  const u16 = () => take(2).readUInt16BE();
  const text = () => take(u16()).toString('utf8');
  const value = (): AmfValue => {
    const values = decodeAmf0(take(take(4).readUInt32BE()));
    if (values.length !== 1) throw new Error(`${values.length} values in one`);
    return values[0];
  };
  const version = u16();
  const headers = Array.from({ length: u16() }, () => ({
    name: text(),
    mustUnderstand: take(1)[0] === 1,
    value: value(),
  }));
  const calls = Array.from({ length: u16() }, () => ({
    method: text(),
    response: text(),
    args: value() as AmfValue[],
  }));
  if (at !== body.length) throw new Error(`${body.length - at} bytes behind the packet`);
  return { url: request.url ?? '', type: request.headers['content-type'], version, headers, calls };
}

/** The bytes of an answer, with lengths that say nothing, as many gateways write them. */
export function writeAnswer(headers: readonly GatewayHeader[], answers: readonly GatewayAnswer[]): Buffer {
  const u16 = (number: number) => Buffer.from([number >> 8, number & 255]);
  const text = (string: string) => Buffer.concat([u16(Buffer.byteLength(string)), Buffer.from(string)]);
  const value = (of: unknown) => Buffer.concat([Buffer.alloc(4, 0xff), encodeAmf0([of])]);
  return Buffer.concat([
    u16(0),
    u16(headers.length),
    ...headers.flatMap(([name, of, must]) => [text(name), Buffer.from([must ? 1 : 0]), value(of)]),
    u16(answers.length),
    ...answers.flatMap(([target, of]) => [text(target), text('null'), value(of)]),
  ]);
}
