import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResolvedOptions } from '../../../server/batches/batch.ts';
import { givesUp, retryDelay } from '../../../server/dispatch/retry.ts';

const OPTIONS: ResolvedOptions = {
  retryBaseMs: 300_000,
  retryCapMs: 4_000_000,
  retryForMs: 432_000_000,
  onUnknown: 'RETRY',
};

describe('the wait before a retry', () => {
  it('doubles with every attempt until the cap', () => {
    const longest = [1, 2, 3, 4, 5, 9].map((attempts) => retryDelay(attempts, OPTIONS, 1));
    expect(longest).toEqual([300_000, 600_000, 1_200_000, 2_400_000, 4_000_000, 4_000_000]);
  });

  it('lies between half and all of that, whatever the dice say', () => {
    const base = fc.integer({ min: 2, max: 1e7 });
    fc.assert(
      fc.property(
        fc.nat(2_000),
        base,
        base,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempts, a, b, random) => {
          const [retryBaseMs, retryCapMs] = [a, b];
          const whole = Math.min(retryBaseMs * 2 ** Math.max(0, attempts - 1), retryCapMs);
          const delay = retryDelay(attempts, { ...OPTIONS, retryBaseMs, retryCapMs }, random);
          expect(delay).toBeGreaterThanOrEqual(Math.floor(whole / 2));
          expect(delay).toBeLessThanOrEqual(whole);
          expect(Number.isSafeInteger(delay)).toBe(true);
        },
      ),
    );
  });
});

describe('giving up', () => {
  it('is when the next try would be later than the batch wants to wait', () => {
    expect(givesUp(1_000, 1_000 + OPTIONS.retryForMs, OPTIONS)).toBe(false);
    expect(givesUp(1_000, 1_001 + OPTIONS.retryForMs, OPTIONS)).toBe(true);
  });

  it('is when the batch will have expired by then', () => {
    const options = { ...OPTIONS, expiresAt: 5_000 };
    expect(givesUp(1_000, 4_999, options)).toBe(false);
    expect(givesUp(1_000, 5_000, options)).toBe(true);
  });
});
