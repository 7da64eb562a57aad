import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'sample-apps/**/*.test.ts'],
    testTimeout: 30_000,
    // What is waited for comes at once, but not on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 30_000,
    pool: 'forks',
    // Most tests wait for a server: two at a time halve the time, even on two cores.
    maxWorkers: 2,
  },
});
