import { describe, expect, it } from 'vitest';
import { Pace, seededRandom } from '../../sink/pace.ts';

describe('a pace', () => {
  it('gives every message its own place when it slows down', () => {
    const pace = new Pace(100);
    expect([0, 0, 0, 25].map((now) => pace.reserve(now))).toEqual([0, 10, 20, 5]);
    expect(pace.reserve(1_000)).toBe(0);
  });

  it('lets a burst of a tenth of a second through when it refuses, then one per interval', () => {
    const pace = new Pace(100);
    const taken = Array.from({ length: 50 }, () => pace.tryTake(0)).filter(Boolean).length;
    expect(taken).toBe(11);
    expect(pace.tryTake(5)).toBe(false);
    expect(pace.tryTake(10)).toBe(true);
    expect(pace.tryTake(10)).toBe(false);
  });
});

describe('seeded chance', () => {
  it('is the same for the same seed and spread evenly', () => {
    const [a, b, c] = [seededRandom(7), seededRandom(7), seededRandom(8)];
    const first = Array.from({ length: 1_000 }, a);
    expect(Array.from({ length: 1_000 }, b)).toEqual(first);
    expect(Array.from({ length: 1_000 }, c)).not.toEqual(first);
    const below = first.filter((value) => value < 0.25).length;
    expect(below).toBeGreaterThan(200);
    expect(below).toBeLessThan(300);
  });
});
