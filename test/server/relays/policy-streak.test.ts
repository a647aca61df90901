import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterRefusals,
  NO_STREAK,
  type PolicyStreak,
  type Refused,
} from '../../../server/relays/policy-streak.ts';

const refused = (count: number, from = 0): Refused[] =>
  Array.from({ length: count }, (_, i) => ({ batch: 'b', seq: from + i }));

describe('policy refusals in a row', () => {
  it('are each their own affair below the threshold', () => {
    const { streak, putBack } = afterRefusals(NO_STREAK, refused(2), 3);
    expect(putBack).toEqual([]);
    expect(streak.refused).toHaveLength(2);
  });

  it('put all of the row back at the threshold, and begin anew', () => {
    const before = afterRefusals(NO_STREAK, refused(2), 3).streak;
    const { streak, putBack } = afterRefusals(before, refused(1, 2), 3);
    expect(putBack.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(streak).toEqual(NO_STREAK);
  });

  it('lose nobody and remember fewer than the threshold, however they come', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.nat(20), { maxLength: 20 }),
        (threshold, reports) => {
          let streak: PolicyStreak = NO_STREAK;
          let [seen, back] = [0, 0];
          for (const count of reports) {
            const after = afterRefusals(streak, refused(count, seen), threshold);
            seen += count;
            back += after.putBack.length;
            streak = after.streak;
            expect(streak.refused.length).toBeLessThan(threshold);
            expect(back + streak.refused.length).toBe(seen);
          }
        },
      ),
    );
  });
});
