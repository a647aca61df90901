import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countSeqs,
  eachSeq,
  hasSeq,
  intersectRanges,
  normaliseRanges,
  rangesOf,
  type SeqRanges,
  splitRanges,
  subtractRanges,
  unionRanges,
} from '../../protocol/index.ts';

const seqs = fc.array(fc.nat(60), { maxLength: 40 });
/** Sorted and disjoint, but not the fewest: neighbours may touch, as they may on the wire. */
const touching = fc
  .tuple(seqs, fc.array(fc.boolean(), { minLength: 61, maxLength: 61 }))
  .map(([list, cuts]) => {
    const ranges: [number, number][] = [];
    for (const seq of sorted(list)) {
      const last = ranges.at(-1);
      if (last !== undefined && last[1] + 1 === seq && cuts[seq] !== true) last[1] = seq;
      else ranges.push([seq, seq]);
    }
    return ranges;
  });
const sorted = (set: Iterable<number>): number[] => [...new Set(set)].sort((a, b) => a - b);
const listed = (ranges: SeqRanges): number[] => [...eachSeq(ranges)];

/** Sorted, disjoint, and as few as possible. */
function expectNormal(ranges: SeqRanges): void {
  for (const [i, [from, to]] of ranges.entries()) {
    expect(from).toBeLessThanOrEqual(to);
    const before = ranges[i - 1];
    if (before !== undefined) expect(from).toBeGreaterThan(before[1] + 1);
  }
}

describe('ranges of seqs, against plain sets', () => {
  it('hold what they were made of, in the fewest ranges', () => {
    fc.assert(
      fc.property(seqs, (list) => {
        const ranges = rangesOf(list);
        expectNormal(ranges);
        expect(listed(ranges)).toEqual(sorted(list));
        expect(countSeqs(ranges)).toBe(new Set(list).size);
        for (let seq = 0; seq <= 61; seq++) expect(hasSeq(ranges, seq)).toBe(list.includes(seq));
      }),
    );
  });

  it('are joined, met and taken from each other as sets are', () => {
    fc.assert(
      fc.property(seqs, seqs, (a, b) => {
        const [left, right] = [rangesOf(a), rangesOf(b)];
        expect(listed(unionRanges(left, right))).toEqual(sorted([...a, ...b]));
        expect(listed(intersectRanges(left, right))).toEqual(sorted(a.filter((seq) => b.includes(seq))));
        expect(listed(subtractRanges(left, right))).toEqual(sorted(a.filter((seq) => !b.includes(seq))));
        expectNormal(unionRanges(left, right));
      }),
    );
  });

  it('may touch each other', () => {
    fc.assert(
      fc.property(touching, touching, (left, right) => {
        const [a, b] = [listed(left), listed(right)];
        expect(listed(normaliseRanges(left))).toEqual(a);
        expect(listed(unionRanges(left, right))).toEqual(sorted([...a, ...b]));
        expect(listed(intersectRanges(left, right))).toEqual(a.filter((seq) => b.includes(seq)));
        expect(listed(subtractRanges(left, right))).toEqual(a.filter((seq) => !b.includes(seq)));
        for (let seq = 0; seq <= 61; seq++) expect(hasSeq(left, seq)).toBe(a.includes(seq));
      }),
    );
  });

  it('are split into the first so many and the rest', () => {
    fc.assert(
      fc.property(seqs, fc.nat(50), (list, count) => {
        const { first, rest } = splitRanges(rangesOf(list), count);
        expect(listed(first)).toEqual(sorted(list).slice(0, count));
        expect(listed(rest)).toEqual(sorted(list).slice(count));
      }),
    );
  });

  it('are put in order when they come in none', () => {
    expect(
      normaliseRanges([
        [5, 9],
        [0, 2],
        [3, 3],
        [8, 12],
      ]),
    ).toEqual([
      [0, 3],
      [5, 12],
    ]);
  });

  it('split at infinity into everything and nothing', () => {
    expect(splitRanges([[0, 3]], Number.POSITIVE_INFINITY)).toEqual({ first: [[0, 3]], rest: [] });
  });
});
