// `npm test`: runs vitest and ends with one line that says how it went. Arguments go to vitest, such as a file name.
// Under STAGEWIRE_REQUIRE_TOOLS=1 a skipped test is a failure. STAGEWIRE_TEST_REPORT names a file for vitest's report in JSON.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const folder = mkdtempSync(join(tmpdir(), 'stagewire-test-'));
const report = process.env.STAGEWIRE_TEST_REPORT ?? join(folder, 'report.json');

const args = [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
];
const run = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: 'inherit' });

let results;
try {
  results = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  results = undefined; // vitest itself failed and has said why
}
rmSync(folder, { recursive: true, force: true });

const passed = results?.numPassedTests ?? 0;
const skipped = (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0);
const isSkipFailure = skipped > 0 && process.env.STAGEWIRE_REQUIRE_TOOLS === '1';
const brokenFiles =
  results?.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
    .length ?? 1;
const failed = (results?.numFailedTests ?? 0) + brokenFiles + (isSkipFailure ? skipped : 0);

if (isSkipFailure) console.log(`${skipped} tests were skipped, and STAGEWIRE_REQUIRE_TOOLS=1 allows none.`);
console.log(
  `${passed} passed, ${failed} failed${skipped > 0 && !isSkipFailure ? `, ${skipped} skipped` : ''}`,
);
process.exit(run.status !== 0 || failed > 0 || passed === 0 ? 1 : 0);
