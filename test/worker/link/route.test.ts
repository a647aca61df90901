import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  canonicalUrl,
  type Loan,
  PATIENCE_MS,
  type Place,
} from '../../../worker/link/route.ts';

const LOAN: Loan = { urls: ['ws://b:1', 'ws://c:1', 'ws://d:1'], ticket: 't', endsAt: 1_000_000, lender: 1 };
const at = (now: number, since: number, wasThere = true, refused = false) => ({
  now,
  since,
  wasThere,
  refused,
});
const home = (index: number): Place => ({ kind: 'home', index });
const away = (index: number, loan = LOAN): Place => ({ kind: 'away', index, loan });

describe('at home', () => {
  test('a server that was good is tried again for a while, then the next one', () => {
    expect(afterFailure(home(0), at(PATIENCE_MS - 1, 0), 3)).toEqual(home(0));
    expect(afterFailure(home(0), at(PATIENCE_MS, 0), 3)).toEqual(home(1));
  });

  test('one that was never reached or refuses is left at once, round and round', () => {
    expect(afterFailure(home(0), at(1, 0, false), 3)).toEqual(home(1));
    expect(afterFailure(home(2), at(1, 0, false), 3)).toEqual(home(0));
    expect(afterFailure(home(1), at(1, 0, true, true), 3)).toEqual(home(2));
  });

  test('an only server is tried for ever', () => {
    expect(afterFailure(home(0), at(9e9, 0), 1)).toEqual(home(0));
  });
});

describe('away', () => {
  test('a borrower that cannot be reached is tried for a while, then the failover list, then home', () => {
    expect(afterFailure(away(0), at(PATIENCE_MS - 1, 0, false), 2)).toEqual(away(0));
    expect(afterFailure(away(0), at(PATIENCE_MS, 0), 2)).toEqual(away(1));
    expect(afterFailure(away(1), at(1, 0, false), 2)).toEqual(away(2));
    expect(afterFailure(away(2), at(1, 0, false), 2)).toEqual(home(1));
  });

  test('refused, it goes home at once: to the server that lent it', () => {
    expect(afterFailure(away(0), at(1, 0, true, true), 2)).toEqual(home(1));
  });

  test('when the loan is over, it goes home', () => {
    expect(afterFailure(away(0), at(LOAN.endsAt, LOAN.endsAt - 1), 2)).toEqual(home(1));
  });

  test('from wherever it starts, it is home after a bounded number of failures', () => {
    const step = fc.record({ ms: fc.nat({ max: 5_000 }), refused: fc.boolean(), wasThere: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 200 }), (steps) => {
        let place: Place = away(0);
        let now = 0;
        let since = 0;
        for (const { ms, refused, wasThere } of steps) {
          now += ms + PATIENCE_MS / 10;
          const next = afterFailure(place, { now, since, refused, wasThere }, 2);
          if (next.kind === 'home') return;
          if (next.index !== (place as { index: number }).index) since = now;
          place = next;
        }
        expect.fail('still away');
      }),
    );
  });
});

test('one server has one name, however its address is written', () => {
  expect(canonicalUrl('ws://LOCALHOST:8765/')).toBe(canonicalUrl('ws://localhost:8765'));
});
