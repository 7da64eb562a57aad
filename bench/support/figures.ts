/** What the p-th percent of the samples do not exceed. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = Float64Array.from(samples).sort();
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

export interface Spread {
  p50: number;
  p95?: number;
  p99?: number;
}

/** Percentiles that so many samples can tell: p95 from 20 on, p99 from 100 on. */
export function spreadOf(samples: readonly number[]): Spread {
  return {
    p50: median(samples),
    ...(samples.length >= 20 && { p95: percentile(samples, 95) }),
    ...(samples.length >= 100 && { p99: percentile(samples, 99) }),
  };
}

/** The median of each percentile over several rounds: one noisy round does not count. */
export function medianSpread(rounds: readonly Spread[]): Spread {
  const of = (key: keyof Spread) => rounds.map((round) => round[key]).filter((value) => value !== undefined);
  return {
    p50: median(of('p50')),
    ...(of('p95').length > 0 && { p95: median(of('p95')) }),
    ...(of('p99').length > 0 && { p99: median(of('p99')) }),
  };
}

/** `us`, `ms`, `KB`, `MB`, `%`, `x` (a ratio): less is better. `/s`: more is better. */
export type Unit = 'us' | 'ms' | 'KB' | 'MB' | '%' | 'x' | '/s';

/** The least that could have been: the same work without what is being measured. */
export interface Floor extends Spread {
  name: string;
}

/** Someone else's server, given the same work in the same run. */
export interface Peer extends Spread {
  name: string;
}

export interface Figure extends Spread {
  name: string;
  unit: Unit;
  /** What the project promises on an idle machine: at most for `ms`, at least for `/s`. */
  target: Partial<Spread>;
  floors: Floor[];
  peers?: Peer[];
  /** What else to know: processor time, noise, how many samples. */
  notes: string[];
}

export interface Report {
  name: string;
  figures: Figure[];
}

/** How many times the other the figure costs: beside a floor 1 is as good as it gets, beside a peer less is better. */
export function ratioTo(figure: Figure, other: Floor | Peer): number {
  return figure.unit === '/s' ? other.p50 / figure.p50 : figure.p50 / other.p50;
}

/** Lowest and highest of several rounds, for judging how noisy the machine was. */
export function rangeOf(values: readonly number[], unit: Unit): string {
  return `${format(Math.min(...values), unit)} to ${format(Math.max(...values), unit)}`;
}

export function format(value: number | undefined, unit: Unit): string {
  if (value === undefined || Number.isNaN(value)) return '';
  if (unit === '/s') return `${Math.round(value).toLocaleString('en-US')} /s`;
  return `${value.toFixed(value < 10 ? 3 : 1)} ${unit}`;
}

const COLUMNS = [44, 14, 12, 12, 8] as const;

export function printReport(report: Report): void {
  console.log(`\n${report.name}`);
  printRow(['', 'p50', 'p95', 'p99', 'ratio'], 'target');
  for (const figure of report.figures) {
    const { unit, p50, p95, p99 } = figure;
    printRow(
      [figure.name, format(p50, unit), format(p95, unit), format(p99, unit), ''],
      describeTarget(figure),
    );
    for (const floor of figure.floors) printBeside('floor', figure, floor);
    for (const peer of figure.peers ?? []) printBeside('peer', figure, peer);
    for (const note of figure.notes) console.log(`    ${note}`);
  }
}

function printBeside(what: string, figure: Figure, other: Floor | Peer): void {
  const { unit } = figure;
  const ratio = `${ratioTo(figure, other).toFixed(2)} x`;
  const { name, p50, p95, p99 } = other;
  printRow([`  ${what}: ${name}`, format(p50, unit), format(p95, unit), format(p99, unit), ratio], '');
}

function printRow(cells: readonly string[], last: string): void {
  const padded = cells.map((cell, index) => {
    return index === 0 ? cell.padEnd(COLUMNS[index]!) : cell.padStart(COLUMNS[index]!);
  });
  console.log(`  ${padded.join('')}  ${last}`.trimEnd());
}

function describeTarget({ unit, target, ...measured }: Figure): string {
  const parts = (['p50', 'p95', 'p99'] as const).flatMap((key) => {
    const wanted = target[key];
    if (wanted === undefined) return [];
    const value = measured[key] ?? Number.NaN;
    const isMet = unit === '/s' ? value >= wanted : value <= wanted;
    const asked = `${unit === '/s' ? '>=' : '<='} ${wanted.toLocaleString('en-US')} ${unit}`;
    return [`${key} ${asked} ${isMet ? 'met' : 'MISSED'}`];
  });
  return parts.join(', ');
}
