import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEADLINE_MS } from '../support/journal.ts';
import { useServer } from '../support/server.ts';
import { appsOf, runScript } from './attack.ts';
import { type HostileScript, readScripts } from './catalogue.ts';
import { HOSTILE_LIMITS } from './limits.ts';
import { STAGE_APPS, Stage } from './stage.ts';

/** Test files that share the scripts among them: two run at a time. */
export const PARTS = 2;

/** Scripts that send 8 MB a turn leave garbage that V8 takes its time with: without a leak it comes to half of this. */
const MAX_GROWTH_MB = 256;

export function scriptsOf(part: number): HostileScript[] {
  return readScripts().filter((_, index) => index % PARTS === part);
}

/** One test for each script of a part, all against one server and before one audience. */
export function describeHostile(part: number): void {
  const scripts = scriptsOf(part);
  const apps = { ...STAGE_APPS, ...appsOf(scripts) };
  // On a busy machine it may take a while until a loop hears that its time is over.
  const server = useServer({ apps, limits: { ...HOSTILE_LIMITS, stuckGraceMs: 1000 } });
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open(server);
  }, DEADLINE_MS);

  for (const script of scripts) {
    test(
      `${script.name}: ${script.tries}`,
      async () => {
        await runScript(script, stage);
      },
      DEADLINE_MS * 3,
    );
  }

  test(
    'the host has kept its size, and everybody their calls and frames',
    async () => {
      await stage.verify();
      expect(stage.neighbour.answered).toBeGreaterThan(scripts.length);
      expect(stage.grownMb).toBeLessThan(MAX_GROWTH_MB);
    },
    DEADLINE_MS,
  );

  // Before the server's own end, so that it can be seen to leave by itself.
  afterAll(() => stage?.close());
}
