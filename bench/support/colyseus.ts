import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { lineOf, startNode, stopChild } from './children.ts';
import { installPeer, type PeerServer } from './peer.ts';
import { root } from './server.ts';

const home = join(root, 'bench/peers/colyseus');

/**
 * The peer of shared objects: a Colyseus server in a process of its own. Installs it at first. When it cannot be had,
 * says so in a line: the bench goes on without it.
 */
export async function startColyseus(): Promise<PeerServer | undefined> {
  try {
    installPeer(home, 'Colyseus for bench/peers/colyseus');
    const child = startNode([join(home, 'server.mjs')]);
    const [, port] = await lineOf(child, /^ready (\d+)$/);
    const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    return {
      name: `Colyseus ${dependencies['@colyseus/core']}`,
      pid: child.pid!,
      port: Number(port),
      stop: () => stopChild(child),
    };
  } catch (error) {
    console.log(`Colyseus is left out: ${String(error).replaceAll(/\s+/g, ' ').slice(0, 160)}`);
    return undefined;
  }
}

/** One who sees and changes what others see. */
export interface Member {
  /** Hears of each change, its own too. */
  onChange: () => void;
  set(key: string, value: number): void;
  close(): void;
}

/** Joins a room by Colyseus's own client. Resolves when its state has come. */
export async function joinColyseus(port: number, room: string): Promise<Member> {
  const client = (await import(pathToFileURL(join(home, 'client.mjs')).href)) as {
    join(port: number, room: string): Promise<Member>;
  };
  return client.join(port, room);
}
