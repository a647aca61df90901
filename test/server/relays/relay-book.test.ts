import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelaySpec } from '../../../config/index.ts';
import { createSilentLogger } from '../../../logging/index.ts';
import { RelayBook, type RelayReport } from '../../../server/relays/relay-book.ts';

const SETTINGS = { threshold: 3, openMs: 1_000, capMs: 5_000, policyThreshold: 4 };

class Time {
  now = 0;
}

function bookOf(urls: readonly string[], time = new Time()): RelayBook {
  return new RelayBook(
    urls.map((url) => RelaySpec.parse(url)),
    SETTINGS,
    createSilentLogger(),
    () => time.now,
  );
}

const report = (changes: Partial<RelayReport> = {}): RelayReport => ({
  task: 't',
  alive: 0,
  sent: 0,
  faults: changes.faultsInRow?.length ?? 0,
  faultsInRow: [],
  refusedInRow: [],
  ...changes,
});

const faults = (count: number): Partial<RelayReport> => ({ faultsInRow: Array(count).fill('connect') });
const refusals = (count: number, from = 0): Partial<RelayReport> => ({
  alive: count,
  refusedInRow: Array.from({ length: count }, (_, i) => ({ batch: 'b', seq: from + i })),
});

describe('the breaker of a relay in the book', () => {
  it('opens over the reports of all workers, and takes no mail until its time has passed', () => {
    const time = new Time();
    const book = bookOf(['smtp://a?name=a'], time);
    book.reported('a', report(faults(2)));
    expect(book.choose('w', 1, undefined)).toEqual({ name: 'a', probe: false });
    book.reported('a', report({ ...faults(1), task: 'of another worker' }));
    expect(book.choose('w', 1, undefined)).toBeUndefined();
    expect(book.healthy(undefined)).toBe(false);
    expect(book.whyNot(undefined)).toMatch(/relay a: breaker open for another 1 s \(connect\)/);
    expect(book.opensAt('a')).toBe(1_000);
    time.now = 1_000;
    expect(book.choose('w', 1, undefined)).toEqual({ name: 'a', probe: true });
  });

  it('sends one probe, which closes it', () => {
    const time = new Time();
    const book = bookOf(['smtp://a?name=a'], time);
    book.reported('a', report(faults(3)));
    time.now = 1_000;
    book.choose('w', 1, undefined);
    book.taskLeased('a', 'probe', 'w', 1, 1, true);
    expect(book.choose('v', 1, undefined)).toBeUndefined();
    expect(book.whyNot(undefined)).toMatch(/a probe is out/);
    book.reported('a', report({ task: 'some other', alive: 5, sent: 5 }));
    expect(book.choose('v', 1, undefined)).toBeUndefined();
    book.reported('a', report({ task: 'probe', alive: 1, sent: 1 }));
    book.taskEnded('a', 'probe', 'w');
    expect(book.choose('v', 1, undefined)).toEqual({ name: 'a', probe: false });
    expect(book.whyNot(undefined)).toBeUndefined();
  });

  it('sends another probe when the first one came back untried', () => {
    const time = new Time();
    const book = bookOf(['smtp://a?name=a'], time);
    book.reported('a', report(faults(3)));
    time.now = 1_000;
    book.choose('w', 1, undefined);
    book.taskLeased('a', 'probe', 'w', 1, 1, true);
    book.taskEnded('a', 'probe', 'w');
    expect(book.choose('v', 1, undefined)).toEqual({ name: 'a', probe: true });
  });

  it('stays closed over faults between which mail got through', () => {
    const book = bookOf(['smtp://a?name=a']);
    for (let i = 0; i < 10; i++) {
      book.reported('a', report(faults(2)));
      book.reported('a', report({ alive: 1 }));
    }
    expect(book.choose('w', 1, undefined)).toEqual({ name: 'a', probe: false });
  });

  it('does not keep a healthy relay beside it from being healthy', () => {
    const time = new Time();
    const book = bookOf(['smtp://a?name=a', 'smtp://b?name=b'], time);
    book.reported('a', report(faults(3)));
    expect(book.choose('w', 1, undefined)?.name).toBe('b');
    time.now = 1_000;
    expect(book.choose('w', 1, undefined)).toEqual({ name: 'a', probe: true });
    expect(book.healthy(undefined)).toBe(true);
    expect(book.healthy(['a'])).toBe(false);
  });

  it('opens when the relay refuses so many in a row for its policy, and gives them back', () => {
    const book = bookOf(['smtp://a?name=a']);
    expect(book.reported('a', report(refusals(3)))).toEqual([]);
    const putBack = book.reported('a', report(refusals(1, 3)));
    expect(putBack.map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
    expect(book.choose('w', 1, undefined)).toBeUndefined();
  });

  it('forgets the refusals before a success', () => {
    const book = bookOf(['smtp://a?name=a']);
    for (let i = 0; i < 5; i++) {
      expect(book.reported('a', report(refusals(3)))).toEqual([]);
      book.reported('a', report({ alive: 1, sent: 1 }));
    }
    expect(book.choose('w', 1, undefined)).toBeDefined();
  });
});

describe('which relays a batch may use', () => {
  it('is as it asks, and said when none of them is there', () => {
    const book = bookOf(['smtp://a?name=a', 'smtp://b?name=b']);
    expect(book.choose('w', 1, ['b'])?.name).toBe('b');
    expect(book.whyNot(['gone'])).toMatch(/none of its relays \(gone\)/);
    expect(bookOf([]).whyNot(undefined)).toMatch(/--relay smtp:/);
  });
});

/** Everything the dispatch does with one relay, in any order. */
type Step = {
  readonly do: 'lease' | 'end';
  readonly worker: number;
  readonly wants: number;
  readonly recipients: number;
};

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('lease', 'lease', 'end'),
  worker: fc.nat(4),
  wants: fc.integer({ min: 1, max: 30 }),
  recipients: fc.integer({ min: 1, max: 50 }),
});

describe("a relay's limit of connections", () => {
  it('is never exceeded by what all workers were granted, and everything is given back in the end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
        const book = bookOf([`smtp://a?name=a&connections=${limit}`]);
        const granted = new Map<
          string,
          { connections: number; tasks: { task: string; recipients: number }[] }
        >();
        const sum = () => [...granted.values()].reduce((total, { connections }) => total + connections, 0);
        const end = (worker: string): void => {
          const held = granted.get(worker);
          const task = held?.tasks.shift();
          if (held === undefined || task === undefined) return;
          book.recipientsSettled('a', task.recipients);
          book.taskEnded('a', task.task, worker);
          if (held.tasks.length === 0) granted.delete(worker);
        };
        for (const [i, { do: what, worker: n, wants, recipients }] of steps.entries()) {
          const worker = `w${n}`;
          if (what === 'end') {
            end(worker);
            continue;
          }
          if (book.choose(worker, wants, undefined) === undefined) {
            expect(granted.has(worker)).toBe(false);
            expect(sum()).toBe(limit);
            continue;
          }
          const connections = book.taskLeased('a', `t${i}`, worker, wants, recipients, false);
          expect(connections).toBeGreaterThan(0);
          const held = granted.get(worker) ?? { connections: connections as number, tasks: [] };
          expect(connections).toBe(held.connections);
          held.tasks.push({ task: `t${i}`, recipients });
          granted.set(worker, held);
          expect(sum()).toBeLessThanOrEqual(limit);
          expect(book.snapshot()[0]).toMatchObject({ connections: sum(), limit });
        }
        for (const [worker, { tasks }] of [...granted]) for (const _ of [...tasks]) end(worker);
        expect(book.snapshot()[0]).toMatchObject({ leased: 0, connections: 0 });
      }),
    );
  });

  it('is no limit where none is set: each worker opens what it likes', () => {
    const book = bookOf(['smtp://a?name=a']);
    expect(book.taskLeased('a', 't', 'w', 500, 1, false)).toBeUndefined();
    expect(book.healthy(undefined)).toBe(true);
  });

  it('is why nothing goes out when it is in use', () => {
    const book = bookOf(['smtp://a?name=a&connections=5']);
    book.taskLeased('a', 't', 'w', 20, 1, false);
    expect(book.whyNot(undefined)).toMatch(/limit of 5 connections is in use/);
    expect(book.healthy(undefined)).toBe(false);
    expect(book.choose('w', 20, undefined)).toBeDefined();
  });

  it('holds for workers of before a restart, whose grants are not known', () => {
    const book = bookOf(['smtp://a?name=a&connections=5']);
    book.taskLeased('a', 't1', 'w1', 20, 10, false);
    book.taskLeased('a', 't2', 'w2', 20, 10, false);
    expect(book.snapshot()[0]).toMatchObject({ connections: 5 });
    book.taskEnded('a', 't1', 'w1');
    expect(book.taskLeased('a', 't3', 'w3', 20, 10, false)).toBe(5);
  });
});
