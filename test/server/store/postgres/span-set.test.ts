import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eachSeq, rangesOf, type SeqRanges } from '../../../../protocol/index.ts';
import { SpanSet } from '../../../../server/store/postgres/span-set.ts';

const seqs = fc.array(fc.nat(30), { maxLength: 12 }).map((list) => new Set(list));

const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('add', 'cut'), seqs }),
  fc.record({ kind: fc.constant('take'), count: fc.nat(12) }),
  fc.record({ kind: fc.constant('commit') }),
);

describe('spans in memory', () => {
  it('are the set that a naive list is, and tell how their rows differ from those committed', () => {
    fc.assert(
      fc.property(seqs, fc.array(step, { maxLength: 40 }), (first, steps) => {
        const naive = new Set(first);
        const spans = new SpanSet(rangesOf(first));
        const rows = new Map(rangesOf(first));
        for (const one of steps) {
          if ('count' in one) {
            const taken = [...naive].sort((a, b) => a - b).slice(0, one.count);
            for (const seq of taken) naive.delete(seq);
            expect([...eachSeq(spans.take(one.count))]).toEqual(taken);
          } else if (!('seqs' in one)) {
            write(spans, rows);
          } else if (one.kind === 'add') {
            const added = [...one.seqs].filter((seq) => !naive.has(seq));
            for (const seq of added) naive.add(seq);
            spans.add(rangesOf(added));
          } else {
            const found = [...one.seqs].filter((seq) => naive.delete(seq));
            expect(seqsIn(spans.cut(rangesOf(one.seqs)))).toEqual(found.sort((a, b) => a - b));
          }
          expect(spans.all()).toEqual(rangesOf(naive));
          expect(spans.count).toBe(naive.size);
        }
        write(spans, rows);
        expect([...rows].sort(([a], [b]) => a - b)).toEqual(rangesOf(naive));
      }),
      { numRuns: 500 },
    );
  });
});

/** Does to the rows what the spans say is to be done. */
function write(spans: SpanSet, rows: Map<number, number>): void {
  const { gone, set } = spans.changes();
  for (const from of gone) expect(rows.delete(from)).toBe(true);
  for (const [from, to] of set) {
    expect(rows.get(from)).not.toBe(to);
    rows.set(from, to);
  }
  spans.committed();
}

function seqsIn(ranges: SeqRanges): number[] {
  return [...eachSeq(ranges)];
}
