import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

// Hundreds of servers start: compiled once, each of them takes half of the processor time to begin.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(
  new URL('node_modules/.cache/stagewire-compiled', import.meta.url),
);

const behaviour = (...names: string[]) => names.map((name) => `test/behaviour/${name}.test.ts`);

const inPages = ['test/browser/**/*.test.ts', 'test/client/media/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    // What is waited for comes at once, but not on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 30_000,
    pool: 'forks',
    // Most tests wait for a server: two at a time halve the time, even on two cores. With three, deadlines are missed.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts', 'sample-apps/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...inPages],
        },
      },
      {
        // Pages that make and play pictures leave nothing of a processor for others: they have the machine to themselves.
        extends: true,
        test: { name: 'pages', include: inPages, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
      {
        // What clients see is the same over both transports: here those of RTMP use WebSockets.
        extends: true,
        test: {
          name: 'ws',
          include: behaviour(
            'calls',
            'client-calls',
            'clients',
            'codecs',
            'connect',
            'edges',
            'handover',
            'leaving',
            'limits',
            'play',
            'publish',
            'reload',
            'shared-objects',
            'shared-objects-authorize',
            'shared-objects-presence',
            'shared-objects-script',
          ),
          env: { STAGEWIRE_TRANSPORT: 'ws' },
        },
      },
    ],
  },
});
