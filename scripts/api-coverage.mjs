// `npm run api-coverage`: which rows of test/api-checklist.md a passing test shows, by the ids that tests' names begin
// with. Fails when a ticked row has no test, or one that fails, and when an id is unknown.
// `--report FILE` takes what `npm test` has written there (STAGEWIRE_TEST_REPORT) instead of running these tests again.
// `--write` ticks the rows. `--missing` lists the rows that are open. `--spot 30` breaks so many ticked rows at random in
// a copy of the project (breaks.mjs of test/api and test/client) and fails when their tests pass all the same;
// `--spot CLI-09` breaks one.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { breakOf } from '../test/api/breaks.mjs';
import { CLIENT_BREAKS } from '../test/client/breaks.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = join(root, 'test', 'api-checklist.md');
const write = process.argv.includes('--write');

/** Rows that come with a part of the server that is not there yet. */
const LATER = [
  [/^ST-(47|5[6-9]|6[0-4])$|^CFG-(11|2[4-6]|31|38|49|5[0-9])$|^APP-07$/, 'streams, and left out so far'],
  [/^SNC-|^SNS-|^SO-33$|^CFG-(40|41|59|60)$|^MOD-(16|18)$/, 'connected servers'],
  [/^MOD-19$|^ADM-/, 'operation and tests'],
];

/** What a page or Node has of the server, in client/: tested in test/client. */
const CLIENT = /^CNC-|^CNS-|^CSO-|^RSP-|^ST-(03|2[123]|4[89]|50|66)$/;

const partOf = (id, later) =>
  later ? `later, with ${later}` : CLIENT.test(id) ? 'the browser client' : 'the scripting API';

/** Where tests carry ids. */
const FOLDERS = ['test/api/', 'test/classic/', 'test/client/'];

const rows = new Map();
const problems = [];
for (const line of readFileSync(file, 'utf8').split('\n')) {
  const [, done, id, type, member, , , , priority, behaviour] = line.split('|').map((cell) => cell.trim());
  if (!/^[A-Z0-9]+-\d+$/.test(id ?? '')) continue;
  const later = LATER.find(([pattern]) => pattern.test(id))?.[1];
  const isLeftOut = done === '[-]';
  if (isLeftOut !== behaviour.includes('Left out: '))
    problems.push(`${id}: a row is left out with [-] and a reason after "Left out: ", or not at all`);
  rows.set(id, {
    id,
    type,
    member,
    isTicked: done === '[x]',
    isLeftOut,
    part: partOf(id, later),
    name: `${type} ${member}`,
    priority,
    later,
    tests: [],
  });
}

const spot = process.argv.indexOf('--spot');
if (spot > 0) spotCheck(process.argv[spot + 1] ?? '30');

for (const { title, status } of runTests()) {
  const [, id] = /^([A-Z]+[A-Z0-9]*-\d+): /.exec(title) ?? [];
  if (!id) continue;
  const row = rows.get(id);
  if (row?.isLeftOut) problems.push(`"${title}": the row ${id} is left out`);
  else if (row) row.tests.push({ title, isPassed: status === 'passed' });
  else problems.push(`"${title}": there is no row ${id}`);
}
const isShown = (row) => row.tests.length > 0 && row.tests.every(({ isPassed }) => isPassed);
for (const [id, row] of rows) {
  if (row.isTicked && !isShown(row) && !write)
    problems.push(`${id} (${row.name}) is ticked, and no test that passes shows it`);
}

if (write) {
  const text = readFileSync(file, 'utf8').replace(/^\| \[[ x]\] \| ([A-Z0-9]+-\d+) \|/gm, (_, id) => {
    return `| [${isShown(rows.get(id)) ? 'x' : ' '}] | ${id} |`;
  });
  writeFileSync(file, text);
}

for (const part of new Set([...rows.values()].map((row) => row.part).sort(byTime))) {
  const counts = ['must', 'should', 'could'].map((priority) => {
    const all = [...rows.values()].filter((row) => row.part === part && row.priority === priority);
    const asked = all.filter(({ isLeftOut }) => !isLeftOut);
    const rest = all.length - asked.length;
    return `${priority} ${asked.filter(isShown).length} of ${asked.length}${rest > 0 ? ` (${rest} left out)` : ''}`;
  });
  console.log(`${part}: ${counts.join(', ')}`);
}
if (process.argv.includes('--missing')) {
  for (const [id, row] of rows) {
    if (!row.later && !row.isLeftOut && !isShown(row) && row.priority !== 'could')
      console.log(`open: ${id} ${row.priority} ${row.name}`);
  }
}
for (const problem of problems) console.log(`FAILED ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

/** What is not there yet comes last. */
function byTime(a, b) {
  return Number(a.startsWith('later')) - Number(b.startsWith('later'));
}

/** Breaks rows in a copy: each one's tests must turn red. Ends the process. */
function spotCheck(wanted) {
  const copy = mkdtempSync(join(tmpdir(), 'stagewire-spot-'));
  for (const part of [
    'runtime',
    'client',
    'wire',
    'host',
    'test',
    'sample-apps',
    'playground',
    'scripts',
    'package.json',
    'vitest.config.ts',
    'tsconfig.json',
  ])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  // No link to the folder: cores may read what is below the project only.
  const from = [join(root, 'node_modules'), join(copy, 'node_modules')];
  if (spawnSync('cp', ['-al', ...from]).status !== 0) cpSync(...from, { recursive: true });
  const source = (path) => readFileSync(join(root, path), 'utf8');
  const ticked = [...rows.values()].filter(({ isTicked, later }) => isTicked && !later);
  const wayOf = (row) => CLIENT_BREAKS[row.id] ?? breakOf(row, source);
  const breakable = ticked.filter(wayOf);
  const one = rows.get(wanted);
  const chosen = one ? [one] : shuffled(breakable).slice(0, Number(wanted));
  console.log(`${breakable.length} of ${ticked.length} rows can be broken; ${chosen.length} are`);
  let survivors = 0;
  if (!runsGreen(copy, chosen[0].id)) {
    console.log(`FAILED the tests of ${chosen[0].id} fail in a copy that nobody has broken`);
    process.exit(1);
  }
  for (const row of chosen) {
    const [path, text, instead] = wayOf(row);
    const whole = source(path);
    if (!whole.includes(text)) {
      console.log(`FAILED ${row.id}: ${path} has no ${JSON.stringify(text)} any more`);
      survivors++;
      continue;
    }
    writeFileSync(join(copy, path), whole.replaceAll(text, instead));
    const isGreen = runsGreen(copy, row.id);
    writeFileSync(join(copy, path), whole);
    if (isGreen) survivors++;
    console.log(
      `${isGreen ? 'FAILED' : 'ok    '} ${row.id} (${row.name}): its tests ${isGreen ? 'pass without it' : 'notice'}`,
    );
  }
  rmSync(copy, { recursive: true, force: true });
  process.exit(survivors > 0 ? 1 : 0);
}

function runsGreen(folder, id) {
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs');
  // Pages have deadlines of their own.
  const args = ['run', ...FOLDERS, '-t', `^${id}: `, '--testTimeout', '8000'];
  return spawnSync(process.execPath, [vitest, ...args], { cwd: folder, stdio: 'ignore' }).status === 0;
}

function shuffled(list) {
  return list
    .map((item) => [Math.random(), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

/** Title and status of each test that may carry an id. */
function runTests() {
  const at = process.argv.indexOf('--report');
  if (at > 0) return resultsOf(process.argv[at + 1]);
  const folder = mkdtempSync(join(tmpdir(), 'stagewire-coverage-'));
  const report = join(folder, 'report.json');
  try {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const args = ['run', '--reporter=json', `--outputFile=${report}`, ...FOLDERS];
    spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
    return resultsOf(report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of a report as vitest writes it in JSON. */
function resultsOf(report) {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  return testResults.flatMap(({ assertionResults }) => assertionResults);
}
