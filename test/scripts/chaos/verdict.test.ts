import { describe, expect, it } from 'vitest';
import type { StoredBatch } from '../../../scripts/chaos/verdict/stored.ts';
import { type Evidence, judge, type Verdict } from '../../../scripts/chaos/verdict/verdict.ts';

const TOTAL = 10;

/** A batch of ten; all of them are sent unless something else is said. */
function batch(some: Partial<StoredBatch> = {}): StoredBatch {
  return {
    ...{ id: 'a', total: TOTAL, sent: TOTAL, problems: [], unfinished: 0 },
    ...{ failed: new Map(), unknown: new Set(), possibleDuplicates: new Map() },
    ...some,
  };
}

/** One copy of each, unless another number is said. */
function copies(some: Readonly<Record<number, number>> = {}): Map<string, number> {
  const all = Array.from({ length: TOTAL }, (_, seq) => [`a.${seq}`, some[seq] ?? 1] as const);
  return new Map(all.filter(([, count]) => count > 0));
}

function judged(evidence: Partial<Evidence>): Verdict {
  return judge({
    ...{ acknowledged: [{ id: 'a', total: TOTAL }], stored: [batch()], copies: copies() },
    messageId: (id, seq) => `${id}.${seq}`,
    isRefused: (address) => address.startsWith('5xx-'),
    ...evidence,
  });
}

describe('the verdict', () => {
  it('finds nothing where everybody got their mail once', () => {
    expect(judged({})).toEqual({
      ...{ sent: TOTAL, failed: 0, unknown: 0, lost: 0, duplicates: 0, unexplainedDuplicates: 0 },
      violations: [],
    });
  });

  it('takes a duplicate as explained when its store knows', () => {
    const known = judged({
      stored: [batch({ possibleDuplicates: new Map([[3, 2]]) })],
      copies: copies({ 3: 3 }),
    });
    expect(known).toMatchObject({ duplicates: 2, unexplainedDuplicates: 0, violations: [] });
    const half = judged({
      stored: [batch({ possibleDuplicates: new Map([[3, 1]]) })],
      copies: copies({ 3: 3 }),
    });
    expect(half).toMatchObject({ duplicates: 2, unexplainedDuplicates: 1 });
    const unknown = judged({ copies: copies({ 3: 3 }) });
    expect(unknown).toMatchObject({ duplicates: 2, unexplainedDuplicates: 2 });
    expect(unknown.violations).toEqual([expect.stringContaining('a.3: 3 copies')]);
  });

  it('takes as lost what a store says it sent and no relay has', () => {
    const { lost, violations } = judged({ copies: copies({ 4: 0 }) });
    expect(lost).toBe(1);
    expect(violations).toEqual([expect.stringContaining('a.4')]);
  });

  it('takes as lost who failed though no relay refuses them', () => {
    const stored = [
      batch({
        sent: 8,
        failed: new Map([
          [1, '5xx-1@x'],
          [2, 'person2@x'],
        ]),
      }),
    ];
    const { lost, failed, violations } = judged({ stored, copies: copies({ 1: 0, 2: 0 }) });
    expect({ lost, failed }).toEqual({ lost: 1, failed: 2 });
    expect(violations).toEqual([expect.stringContaining('a.2 to person2@x')]);
  });

  it('does not take a failure for one whose mail is out, unless the store says that it may be', () => {
    const failed = new Map([[1, 'person1@x']]);
    expect(judged({ stored: [batch({ sent: 9, failed })] }).violations).toHaveLength(1);
    const possibleDuplicates = new Map([[1, 1]]);
    expect(judged({ stored: [batch({ sent: 9, failed, possibleDuplicates })] }).violations).toEqual([]);
  });

  it('counts neither copy of what is unknown as lost or unexplained', () => {
    const stored = [batch({ sent: 8, unknown: new Set([1, 2]) })];
    expect(judged({ stored, copies: copies({ 1: 0 }) })).toMatchObject({
      unknown: 2,
      lost: 0,
      violations: [],
    });
  });

  it('takes a whole batch as lost that was acknowledged and is nowhere', () => {
    expect(judged({ stored: [], copies: new Map() })).toMatchObject({
      lost: TOTAL,
      violations: [expect.any(String)],
    });
  });

  it('finds what is not finished, batches and mails from nowhere, and rows that contradict each other', () => {
    const { violations, lost } = judged({
      stored: [batch({ unfinished: 2, sent: 8, problems: ['the states sum up to 9'] }), batch({ id: 'b' })],
      copies: new Map([...copies(), ['c.1', 1]]),
    });
    expect(lost).toBeGreaterThanOrEqual(2);
    const all = violations.join('\n');
    for (const what of [
      'a: 2 of 10',
      'that nobody submitted: b',
      'the states sum up to 9',
      'no store knows: c.1',
    ])
      expect(all).toContain(what);
  });
});
