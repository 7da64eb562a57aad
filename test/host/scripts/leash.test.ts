import { expect, test } from 'vitest';
import { ManualClock } from '../../../host/base/clock.ts';
import { defaultLimits } from '../../../host/base/limits.ts';
import { createLog } from '../../../host/base/log.ts';
import { Leash } from '../../../host/scripts/leash.ts';

const limits = { ...defaultLimits, handlerMs: 1000, quarantineMs: 60_000 };
const log = createLog({ level: 'error' });

/** An application on four processors: its scripts are names, and `asked` are those that were told to ask again. */
function stage(others: () => Iterable<Leash> = () => []) {
  const clock = new ManualClock();
  const leash = new Leash(() => limits, log, clock, others, 4);
  const scripts = new Map<string, object>();
  const asked: string[] = [];
  const scriptOf = (name: string) => {
    const script = scripts.get(name) ?? { name };
    scripts.set(name, script);
    return script;
  };
  const begin = (...names: string[]) =>
    names.map((name) => {
      const askAgain = () => {
        asked.push(name);
        leash.begin(scriptOf(name), askAgain);
      };
      return leash.begin(scriptOf(name), askAgain);
    });
  const end = (...names: string[]) => {
    for (const name of names) leash.end(scriptOf(name));
  };
  return { clock, leash, begin, end, asked };
}

/** Five at work for long, one of which is stopped; afterwards none is at work. */
function crowd({ clock, leash, begin, end }: ReturnType<typeof stage>): void {
  begin('a', 'b', 'c', 'd', 'e');
  clock.advance(50);
  leash.failed();
  end('a', 'b', 'c', 'd', 'e');
}

test('whoever fails with no more at work than there are processors goes on as before', () => {
  const { clock, leash, begin } = stage();
  begin('a', 'b', 'c', 'd');
  clock.advance(1000);
  begin('e'); // not for long yet
  leash.failed();
  expect(begin('f', 'g', 'h')).toEqual([true, true, true]);
});

test('a crowd of which one has to be stopped shares half of the processors, first come, first served', () => {
  const app = stage();
  crowd(app);
  expect(app.begin('a', 'b', 'c', 'd', 'e')).toEqual([true, true, false, false, false]);
  expect(app.begin('a')).toEqual([true]);
  app.begin('c'); // keeps its place
  app.end('a');
  expect(app.asked).toEqual(['c']);
  app.end('d', 'b');
  expect(app.asked).toEqual(['c', 'e']);
});

test('who needs nothing any more when it is asked leaves its place to the next', () => {
  const app = stage();
  crowd(app);
  app.begin('a', 'b');
  app.leash.begin({}, () => {});
  app.begin('c');
  app.end('a');
  expect(app.asked).toEqual(['c']);
});

test('the leash is lifted when no crowd has failed for a while', () => {
  const app = stage();
  crowd(app);
  app.clock.advance(61_000);
  expect(app.begin('a', 'b', 'c')).toEqual([true, true, false]);
  app.clock.advance(1);
  app.end('a');
  expect(app.asked).toEqual(['c']);
  expect(app.begin('d', 'e')).toEqual([true, true]);
});

test('new code tells all who wait, who keep their place if they want it', () => {
  const app = stage();
  crowd(app);
  app.begin('a', 'b', 'c', 'd', 'e');
  app.leash.retire();
  expect(app.asked).toEqual(['c', 'd', 'e']);
  app.end('d', 'a');
  expect(app.asked.slice(3)).toEqual(['c']);
});

test('those who wait are part of the crowd: it stays on the leash as long as its scripts have to be stopped', () => {
  const app = stage();
  crowd(app);
  app.begin('a', 'b', 'c', 'd', 'e');
  for (let round = 0; round < 10; round++) {
    app.clock.advance(50_000);
    app.leash.failed();
  }
  expect(app.begin('f')).toEqual([false]);
});

test('who is stopped while another application crowds more is not to blame', () => {
  const all: Leash[] = [];
  const [small, large] = [stage(() => all), stage(() => all)];
  all.push(small.leash, large.leash);
  small.begin('a', 'b', 'c', 'd', 'e');
  large.begin('a', 'b', 'c', 'd', 'e', 'f');
  for (const { clock } of [small, large]) clock.advance(1000);
  for (const { leash } of [small, large]) leash.failed();
  expect(small.begin('f')).toEqual([true]);
  expect(large.begin('g')).toEqual([false]);
});
