import { describe, expect, it } from 'vitest';
import type { State, StateCounts } from '../../server/batches/batch.ts';
import { type WaitingFacts, whyWaiting } from '../../server/waiting.ts';

const NONE: StateCounts = {
  total: 10,
  pending: 0,
  leased: 0,
  deferred: 0,
  sent: 0,
  failed: 0,
  unknown: 0,
  suppressed: 0,
  cancelled: 0,
};
const FACTS: WaitingFacts = { workers: 1, storeFailing: false, stopping: false, relays: undefined };

const why = (counts: Partial<StateCounts>, facts: Partial<WaitingFacts> = {}, state: State = 'RUNNING') =>
  whyWaiting({ state, counts: { ...NONE, ...counts } }, { ...FACTS, ...facts });

describe('why a batch does not move', () => {
  it('is nothing while it moves or is over', () => {
    expect(why({ pending: 10 })).toBeUndefined();
    expect(why({ pending: 5, leased: 5 }, { workers: 0, relays: 'open' })).toBeUndefined();
    expect(why({ sent: 10 }, {}, 'FINISHED')).toBeUndefined();
    expect(why({ cancelled: 10 }, {}, 'CANCELLED')).toBeUndefined();
  });

  it('is that it is paused', () => {
    expect(why({ pending: 5, leased: 5 }, {}, 'PAUSED')).toMatch(/paused/);
  });

  it('is that there is no worker', () => {
    expect(why({ pending: 1 }, { workers: 0 })).toMatch(/no worker is connected/);
  });

  it('is its relays', () => {
    expect(why({ pending: 1 }, { relays: 'relay a: breaker open' })).toBe('relay a: breaker open');
  });

  it('is the time of its retries', () => {
    expect(why({ deferred: 3, sent: 7 })).toMatch(/^3 recipients wait /);
    expect(why({ deferred: 1, sent: 7 })).toMatch(/^1 recipient waits /);
  });

  it('is that workers died on what is left', () => {
    expect(why({ deferred: 4 }, { aside: 4 })).toMatch(/^4 recipients are set aside, workers died on them/);
    expect(why({ deferred: 4 }, { aside: 1, workers: 0 })).toMatch(
      /^1 recipient is set aside.* no worker is connected$/,
    );
    expect(why({ deferred: 4, pending: 1 }, { aside: 4 })).toBeUndefined();
  });

  it('is the store or the stop before anything else', () => {
    expect(why({ pending: 1 }, { storeFailing: true, workers: 0 })).toMatch(/store/);
    expect(why({ pending: 1, leased: 5 }, { storeFailing: true })).toMatch(/store/);
    expect(why({ pending: 1 }, { stopping: true, storeFailing: true })).toMatch(/stops/);
  });
});
