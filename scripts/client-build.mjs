// `npm run client:build`: client/dist has the client as one module, and its types. Fails when it is larger than it may be.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundleClient } from '../host/scripts/bundles.ts';

/** Bytes, by gzip, without what plays and makes media. */
const MOST = 12 * 1024;

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = new URL('../client/dist/', import.meta.url);
const code = await bundleClient();
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
writeFileSync(new URL('index.js', dist), code);

const size = gzipSync(code, { level: 9 }).length;
console.log(`client/dist/index.js: ${code.length} bytes, ${size} by gzip, of ${MOST} at the most`);
const options = [
  '--noEmit',
  'false',
  '--emitDeclarationOnly',
  '--declaration',
  '--outDir',
  'client/dist/types',
];
const tsc = ['-p', 'client', ...options, '--rootDir', '.'];
const { status } = spawnSync('tsc', tsc, {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
process.exit(status !== 0 || size > MOST ? 1 : 0);
