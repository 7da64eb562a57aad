// `npm run check`: types of the server, of the runtime and the client (no Node there) and of the sample apps; lint and format.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const checks = [
  ['types: host, wire, tests', 'tsc', '-p', '.'],
  ['types: runtime', 'tsc', '-p', 'runtime'],
  ['types: client', 'tsc', '-p', 'client'],
  ['types: playground', 'tsc', '-p', 'playground'],
  ['types: tests in a browser', 'tsc', '-p', 'test/browser'],
  ['types: sample apps', 'tsc', '-p', 'sample-apps'],
  ['types: what apps may write, and may not', 'tsc', '-p', 'test/types'],
  ['docs/api.md', 'node', 'scripts/api-docs.mjs', '--check'],
  ['lint and format', 'biome', 'check', '.'],
];

let failures = 0;
for (const [what, command, ...args] of checks) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${what}`);
  if (status !== 0) failures++;
}
process.exit(failures > 0 ? 1 : 0);
