// Runs before every npm script, on whatever Node the machine has (20 or newer): plain JavaScript, no imports
// from node_modules. Installs what package-lock.json pins, Node 26 among it, when it is missing or out of date.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const lock = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json');

const isCurrent = existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
if (!isCurrent) {
  console.log('stagewire: installing what package-lock.json pins (once) ...');
  const npm = process.env.npm_execpath;
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' };
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const run = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (run.status !== 0) {
    console.error(`stagewire: "npm ci" failed (${run.error?.message ?? `exit code ${run.status}`}).`);
    console.error(run.stderr);
    process.exit(1);
  }
}

// Most machines get Node 26 with the install; where npm has no binary for them, their own must be new enough.
const bundled = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
if (!existsSync(bundled) && Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `stagewire: there is no bundled Node for ${process.platform}-${process.arch}, and this one is ${process.version}: ` +
      'install Node 26.',
  );
  process.exit(1);
}
