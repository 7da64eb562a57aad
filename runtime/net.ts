import type { Net } from './net/main.ts';
import type { StatusTexts } from './net/net-stream.ts';
import { defineLazily, loadPart } from './parts.ts';

let net: Net | undefined;

/** The globals `NetConnection` and `NetStream` (net/). */
export function installNet(global: typeof globalThis): void {
  const load = (): Net => {
    net ??= loadPart<Net>('net');
    return net;
  };
  defineLazily(global, 'NetConnection', () => load().NetConnection);
  defineLazily(global, 'NetStream', () => load().NetStream);
}

/** The connection that has this number; undefined when it is none any more. */
export function linkOf(number: number): object | undefined {
  return net?.find(number);
}

/** What has become of a connection. */
export function receiveLink(number: number, change: number, info: unknown): void {
  net?.receive(number, change, info);
}

/** What has become of a stream that is published elsewhere. */
export function receivePush(number: number, change: number, status: StatusTexts): void {
  net?.receiveStatus(number, change, status);
}
