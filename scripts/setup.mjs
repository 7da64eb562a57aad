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
