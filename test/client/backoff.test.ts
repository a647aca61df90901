import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pauseMs } from '../../client/backoff.ts';

test('pauses double, never fall below half and never exceed ten seconds', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const full = Math.min(10_000, 250 * 2 ** (attempt - 1));
        const ms = pauseMs(attempt, () => random);
        expect(ms).toBeGreaterThanOrEqual(full / 2);
        expect(ms).toBeLessThanOrEqual(full);
      },
    ),
  );
});
