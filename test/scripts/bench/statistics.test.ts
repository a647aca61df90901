import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowsRound } from '../../../scripts/bench/budget.ts';
import { quantile, ratiosOf, rounded, spreadOf } from '../../../scripts/bench/statistics.ts';

describe('the spread of several rounds', () => {
  it('has the middle value of an odd number, whatever their order', () => {
    expect(spreadOf([9, 100, 1])).toEqual({ median: 9, min: 1, max: 100 });
  });

  it('has the mean of the two in the middle of an even number', () => {
    expect(spreadOf([4, 1, 2, 30])).toEqual({ median: 3, min: 1, max: 30 });
  });

  it('lies between its least and its greatest, and does not touch what it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1 }), (values) => {
        const before = [...values];
        const { median, min, max } = spreadOf(values);
        expect(values).toEqual(before);
        expect(values.filter((value) => value < median).length * 2).toBeLessThanOrEqual(values.length);
        expect(values.filter((value) => value > median).length * 2).toBeLessThanOrEqual(values.length);
        expect(values).toContain(min);
        expect(values).toContain(max);
      }),
    );
  });

  it('is not made up where nothing was measured', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });
});

describe('a quantile', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);

  it('is a value that was measured', () => {
    expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 50, 99, 100]);
  });

  it('of few values is the greatest', () => {
    expect(quantile([7, 3], 0.99)).toBe(7);
  });

  it('is not made up where nothing was measured', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('rounding', () => {
  it('rounds all three figures', () => {
    expect(rounded({ median: 1.256, min: 0.004, max: 10 }, 2)).toEqual({ median: 1.26, min: 0, max: 10 });
  });
});

describe('ratios', () => {
  it('compare within each round', () => {
    expect(ratiosOf([20, 5], [10, 1])).toEqual([2, 5]);
  });

  it('leave out a round that the other side did not finish', () => {
    expect(ratiosOf([20, 5], [10])).toEqual([2]);
  });
});

describe('the time budget', () => {
  it('always allows the first round', () => {
    expect(allowsRound([], 60_000, 10_000)).toBe(true);
  });

  it('allows another while the longest so far would still fit', () => {
    expect(allowsRound([3_000, 5_000], 33_000, 38_000)).toBe(true);
    expect(allowsRound([3_000, 5_000], 33_001, 38_000)).toBe(false);
  });
});
