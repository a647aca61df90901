import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deliveries } from '../../sink/deliveries.ts';

describe('deliveries', () => {
  it('are counted per Message-ID and recipient', () => {
    const deliveries = new Deliveries();
    deliveries.add('<1@x>', 'ana@x');
    deliveries.add('<1@x>', 'bob@x');
    deliveries.add('<2@x>', 'ana@x');
    deliveries.add('<1@x>', 'ana@x');
    expect(deliveries.of('ana@x')).toEqual([
      { messageId: '<1@x>', recipient: 'ana@x', count: 2 },
      { messageId: '<2@x>', recipient: 'ana@x', count: 1 },
    ]);
    expect(deliveries.count('1@x', 'ana@x')).toBe(2);
    expect(deliveries.count('<1@x>', 'eve@x')).toBe(0);
    expect(deliveries.uniqueRecipients).toBe(2);
    expect(deliveries.duplicates).toBe(1);
  });

  it('cannot be duplicates without a Message-ID', () => {
    const deliveries = new Deliveries();
    deliveries.add('', 'ana@x');
    deliveries.add('', 'ana@x');
    expect(deliveries.duplicates).toBe(0);
    expect(deliveries.count('', 'ana@x')).toBe(2);
  });

  it('agree with a plain count of pairs, in any order', () => {
    const pair = fc.tuple(fc.constantFrom('<1>', '<2>', '<3>'), fc.constantFrom('a', 'b', 'c'));
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const deliveries = new Deliveries();
        const expected = new Map<string, number>();
        for (const [messageId, recipient] of pairs) {
          deliveries.add(messageId, recipient);
          const key = `${messageId} ${recipient}`;
          expected.set(key, (expected.get(key) ?? 0) + 1);
        }
        const actual = [...deliveries.entries()].map(
          (entry) => [`${entry.messageId} ${entry.recipient}`, entry.count] as const,
        );
        expect(new Map(actual)).toEqual(expected);
        expect(deliveries.duplicates).toBe(pairs.length - expected.size);
        expect(deliveries.uniqueRecipients).toBe(new Set(pairs.map(([, recipient]) => recipient)).size);
      }),
    );
  });
});
