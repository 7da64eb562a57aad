import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineOf, startNode, stopChild } from './children.ts';
import { freePort, installPeer, type PeerServer } from './peer.ts';
import { root } from './server.ts';

const home = join(root, 'bench/peers/node-media-server');

/** A peer of streams. Installs it at first; when it cannot be had, says so in a line. */
export async function startNodeMediaServer(): Promise<PeerServer | undefined> {
  try {
    installPeer(home, 'node-media-server for bench/peers/node-media-server');
    const port = await freePort();
    const child = startNode([join(home, 'server.mjs'), String(port)]);
    await lineOf(child, /^ready (\d+)$/);
    const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    return {
      name: `node-media-server ${dependencies['node-media-server']}`,
      pid: child.pid!,
      port,
      stop: () => stopChild(child),
    };
  } catch (error) {
    console.log(`node-media-server is left out: ${String(error).replaceAll(/\s+/g, ' ').slice(0, 160)}`);
    return undefined;
  }
}
