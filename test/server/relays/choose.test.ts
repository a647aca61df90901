import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseRelay, type RelayCandidate } from '../../../server/relays/choose.ts';

const relay = (name: string, changes: Partial<RelayCandidate> = {}): RelayCandidate => ({
  name,
  weight: 1,
  leased: 0,
  breaker: 'closed',
  connections: 10,
  ...changes,
});

describe('the choice of a relay', () => {
  it('is the one with the least mail under way for its weight', () => {
    expect(chooseRelay([relay('a', { leased: 5 }), relay('b', { leased: 4 })])?.name).toBe('b');
    expect(chooseRelay([relay('a', { leased: 5 }), relay('b', { leased: 8, weight: 2 })])?.name).toBe('b');
  });

  it('is none that is open, has its probe out, or has no connection left', () => {
    const none = [
      relay('a', { breaker: 'open' }),
      relay('b', { breaker: 'probing' }),
      relay('c', { connections: 0 }),
      relay('d', { breaker: 'half-open', connections: 0 }),
    ];
    expect(chooseRelay(none)).toBeUndefined();
    expect(chooseRelay([...none, relay('e', { leased: 1e6 })])).toEqual({ name: 'e', probe: false });
    expect(chooseRelay([])).toBeUndefined();
  });

  it('is first the one that waits for its probe', () => {
    expect(chooseRelay([relay('a'), relay('b', { breaker: 'half-open' })])).toEqual({
      name: 'b',
      probe: true,
    });
  });

  it('shares the mail by weight', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }), (weights) => {
        const leased = weights.map(() => 0);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let i = 0; i < total * 20; i++) {
          const candidates = weights.map((weight, n) => relay(String(n), { weight, leased: leased[n] }));
          const chosen = Number(chooseRelay(candidates)?.name);
          leased[chosen] = (leased[chosen] as number) + 1;
        }
        for (const [n, weight] of weights.entries())
          expect(Math.abs((leased[n] as number) - weight * 20)).toBeLessThanOrEqual(Math.max(...weights));
      }),
    );
  });
});
