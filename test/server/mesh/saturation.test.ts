import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextSaturation, type Saturation } from '../../../server/mesh/saturation.ts';

const LIMITS = { borrowAboveS: 5, returnBelowS: 1 };

test('a long drain with every slot busy saturates; a free slot does not', () => {
  expect(nextSaturation('relaxed', { drainSeconds: 6, freeSlots: 0 }, LIMITS)).toBe('saturated');
  expect(nextSaturation('relaxed', { drainSeconds: 6, freeSlots: 1 }, LIMITS)).toBe('relaxed');
  expect(nextSaturation('relaxed', { drainSeconds: Number.POSITIVE_INFINITY, freeSlots: 0 }, LIMITS)).toBe(
    'saturated',
  );
});

test('it relaxes only below the lower limit', () => {
  expect(nextSaturation('saturated', { drainSeconds: 3, freeSlots: 2 }, LIMITS)).toBe('saturated');
  expect(nextSaturation('saturated', { drainSeconds: 0.9, freeSlots: 0 }, LIMITS)).toBe('relaxed');
});

test('a drain that stays between the limits never changes anything', () => {
  const between = fc.record({
    drainSeconds: fc.double({ min: LIMITS.returnBelowS, max: LIMITS.borrowAboveS, noNaN: true }),
    freeSlots: fc.nat(3),
  });
  fc.assert(
    fc.property(
      fc.constantFrom<Saturation>('relaxed', 'saturated'),
      fc.array(between),
      (start, pressures) => {
        expect(pressures.reduce((state, pressure) => nextSaturation(state, pressure, LIMITS), start)).toBe(
          start,
        );
      },
    ),
  );
});

test('between two changes the drain has crossed from one limit to the other', () => {
  const pressure = fc.record({
    drainSeconds: fc.double({ min: 0, max: 10, noNaN: true }),
    freeSlots: fc.nat(1),
  });
  fc.assert(
    fc.property(fc.array(pressure), (pressures) => {
      let state: Saturation = 'relaxed';
      for (const now of pressures) {
        const next = nextSaturation(state, now, LIMITS);
        if (next !== state && next === 'saturated')
          expect(now.drainSeconds).toBeGreaterThan(LIMITS.borrowAboveS);
        if (next !== state && next === 'relaxed') expect(now.drainSeconds).toBeLessThan(LIMITS.returnBelowS);
        state = next;
      }
    }),
  );
});
