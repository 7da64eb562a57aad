import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, stopChild } from './children.ts';
import { childrenOf } from './cpu.ts';
import { freePort, type PeerServer } from './peer.ts';
import { scratchFolder } from './server.ts';

const modules = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules', '/usr/lib64/nginx/modules'];

/**
 * A peer of streams: nginx with its RTMP module, one worker, its defaults but for larger chunks. Undefined, with a line
 * that says so, where it is not installed.
 */
export async function startNginx(): Promise<PeerServer | undefined> {
  const module = modules.map((folder) => join(folder, 'ngx_rtmp_module.so')).find((file) => existsSync(file));
  const { stderr, error } = spawnSync('nginx', ['-v'], { encoding: 'utf8' });
  const [, version] = /nginx\/(\S+)/.exec(stderr ?? '') ?? [];
  if (!module || error || !version) {
    console.log('nginx-rtmp is left out: it is not installed (Debian: nginx and libnginx-mod-rtmp)');
    return undefined;
  }
  const prefix = scratchFolder();
  const port = await freePort();
  mkdirSync(join(prefix, 'logs'));
  writeFileSync(
    join(prefix, 'nginx.conf'),
    `load_module ${module};
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
rtmp { server { listen 127.0.0.1:${port}; chunk_size 4096; application live { live on; } } }
`,
  );
  const child = startChild('nginx', ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries === 50 || child.exitCode !== null) throw new Error('nginx does not listen');
    await sleep(100);
  }
  // A master that is killed, as when the bench is interrupted, leaves its worker behind.
  const workers = childrenOf(child.pid!, 'nginx');
  const killWorkers = () => {
    for (const pid of workers) process.kill(pid, 'SIGKILL');
  };
  process.once('exit', killWorkers);
  return {
    name: `nginx-rtmp (nginx ${version})`,
    pid: child.pid!,
    port,
    async stop() {
      await stopChild(child);
      process.off('exit', killWorkers);
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
