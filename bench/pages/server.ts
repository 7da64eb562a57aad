import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { copyApps, root, type StagewireServer, startServer } from '../support/server.ts';

/** A server with the pages of the bench at `/watch/`, and what they call in `calls`. */
export interface PageServer extends StagewireServer {
  /** `rtmp://127.0.0.1:PORT`. */
  readonly rtmp: string;
  /** Of the pages: what is put there is at `/watch/`. */
  readonly publicFolder: string;
}

export async function startPageServer(): Promise<PageServer> {
  const apps = copyApps();
  cpSync(join(root, 'bench/pages/watch'), join(apps, 'watch'), { recursive: true });
  const server = await startServer(apps);
  const rtmp = `rtmp://127.0.0.1:${server.port}`;
  return { ...server, rtmp, publicFolder: join(apps, 'watch/public') };
}
