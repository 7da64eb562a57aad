import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually, inTime } from './journal.ts';

const module = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules', '/usr/lib64/nginx/modules']
  .map((folder) => join(folder, 'ngx_rtmp_module.so'))
  .find((file) => existsSync(file));

/**
 * nginx with its RTMP module, until the test ends: `rtmp://127.0.0.1:PORT/live`. Skips the test, saying why, where it is
 * not installed; fails it where every tool has to be there, as `requireTools`. `directives`: more of the application.
 */
export async function startNginx(context: { skip(note?: string): void }, directives = ''): Promise<string> {
  if (!module) {
    const reason = 'nginx with its RTMP module (Debian: nginx, libnginx-mod-rtmp) is not installed';
    if (process.env.STAGEWIRE_REQUIRE_TOOLS === '1') throw new Error(reason);
    console.warn(`skipped: ${reason}`);
    context.skip(reason);
    throw new Error(reason);
  }
  const prefix = mkdtempSync(join(tmpdir(), 'stagewire-nginx-'));
  mkdirSync(join(prefix, 'logs'));
  const port = await freePort();
  writeFileSync(
    join(prefix, 'nginx.conf'),
    `load_module ${module};
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events {}
rtmp { server { listen 127.0.0.1:${port}; chunk_size 4096; application live { live on; ${directives} } } }
`,
  );
  const child = spawn('nginx', ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await inTime('nginx to end', gone);
    rmSync(prefix, { recursive: true, force: true });
  });
  await eventually('nginx to listen', async () => {
    if (child.exitCode !== null) throw new Error(`nginx has left: ${errors}`);
    return listens(port);
  });
  return `rtmp://127.0.0.1:${port}/live`;
}

/** nginx cannot be asked which port it has. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
