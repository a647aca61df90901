import { expect, test } from 'vitest';
import { RelaySpec } from '../../../config/index.ts';
import { createSilentLogger } from '../../../logging/index.ts';
import { RelayBook, type RelayReport } from '../../../server/relays/relay-book.ts';

const SETTINGS = { threshold: 5, openMs: 1_000, capMs: 5_000, policyThreshold: 3 };

function pausedBook() {
  const time = { now: 0 };
  const book = new RelayBook(
    [RelaySpec.parse('smtp://a?name=a')],
    SETTINGS,
    createSilentLogger(),
    () => time.now,
  );
  expect(book.reported('a', refusals([0, 1, 2]))).toHaveLength(3);
  expect(book.isOpen('a')).toBe(true);
  return { book, time };
}

const refusals = (seqs: readonly number[], task = 'first'): RelayReport => ({
  task,
  alive: seqs.length,
  sent: 0,
  faults: 0,
  faultsInRow: [],
  refusedInRow: seqs.map((seq) => ({ batch: 'b', seq })),
});

function probe({ book, time }: ReturnType<typeof pausedBook>): void {
  time.now += SETTINGS.openMs;
  expect(book.choose('w', 1, undefined)).toEqual({ name: 'a', probe: true });
  book.taskLeased('a', 'probe', 'w', 1, 1, true);
}

test('what was under way when a relay was paused for its policy is put back as well', () => {
  const { book } = pausedBook();
  expect(book.reported('a', refusals([3]))).toEqual([{ batch: 'b', seq: 3 }]);
});

test('a probe that is refused for policy pauses the relay for longer, and is put back', () => {
  const paused = pausedBook();
  probe(paused);
  expect(paused.book.reported('a', refusals([0], 'probe'))).toEqual([{ batch: 'b', seq: 0 }]);
  expect(paused.book.isOpen('a')).toBe(true);
  expect(paused.book.opensAt('a')).toBe(paused.time.now + 2 * SETTINGS.openMs);
});

test('a probe that is accepted ends the pause: then one refusal is about its recipient again', () => {
  const paused = pausedBook();
  probe(paused);
  paused.book.reported('a', { ...refusals([], 'probe'), alive: 1, sent: 1 });
  expect(paused.book.choose('w', 1, undefined)).toEqual({ name: 'a', probe: false });
  expect(paused.book.reported('a', refusals([7], 'second'))).toEqual([]);
});
