import type { Net } from './net/main.ts';
import { defineLazily, loadPart } from './parts.ts';

let net: Net | undefined;

/** The global `NetConnection` (net/). */
export function installNet(global: typeof globalThis): void {
  defineLazily(global, 'NetConnection', () => {
    net ??= loadPart<Net>('net');
    return net.NetConnection;
  });
}

/** The connection that has this number; undefined when it is none any more. */
export function linkOf(number: number): object | undefined {
  return net?.find(number);
}

/** What has become of a connection. */
export function receiveLink(number: number, change: number, info: unknown): void {
  net?.receive(number, change, info);
}
