import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS, backoffMs } from '../../../worker/link/backoff.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('a wait is never below half of its step and never above the cap', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), random, (attempt, chance) => {
      const step = Math.min(BACKOFF_BASE_MS * 2 ** Math.min(attempt, 20), BACKOFF_CAP_MS);
      const wait = backoffMs(attempt, chance);
      expect(wait).toBeGreaterThanOrEqual(step / 2);
      expect(wait).toBeLessThanOrEqual(step);
    }),
  );
});
