// `npm run client:build`: client/dist has the client as one module, those for media, and their types. Fails when the client is larger
// than it may be.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundlePageScripts } from '../host/scripts/bundles.ts';

/** Bytes, by gzip, without what plays and makes media. */
const MOST = 12 * 1024;

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = new URL('../client/dist/', import.meta.url);
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
let isTooLarge = false;
for (const [served, code] of await bundlePageScripts()) {
  const isClient = served === 'client.js';
  const name = isClient ? 'index.js' : served;
  writeFileSync(new URL(name, dist), code);
  const size = gzipSync(code, { level: 9 }).length;
  isTooLarge ||= isClient && size > MOST;
  const limit = isClient ? `, of ${MOST} at the most` : '';
  console.log(`client/dist/${name}: ${code.length} bytes, ${size} by gzip${limit}`);
}

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
process.exit(status !== 0 || isTooLarge ? 1 : 0);
