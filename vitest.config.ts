import { defineConfig } from 'vitest/config';

/**
 * The tests open real sockets and start real processes, so every file gets a process of its own and a
 * generous deadline: a deadline is there to end a hang, never to measure speed.
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    restoreMocks: true,
    unstubEnvs: true,
    passWithNoTests: false,
    reporters: ['default'],
  },
});
