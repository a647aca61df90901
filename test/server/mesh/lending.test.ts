import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideLending, type LendInput } from '../../../server/mesh/lending.ts';
import type { HomeWorker } from '../../../server/mesh/ports.ts';

function workers(...states: ('idle' | 'busy' | 'minimal' | 'leaving')[]): HomeWorker[] {
  return states.map((state, i) => ({
    uuid: `w${i}`,
    idle: state !== 'busy' && state !== 'leaving',
    travels: state !== 'minimal',
    isLeaving: state === 'leaving',
  }));
}

function input(more: Partial<LendInput> = {}): LendInput {
  return {
    now: 100_000,
    borrower: 'b',
    asked: 10,
    atHome: workers('idle', 'idle', 'idle'),
    keepHome: 1,
    busy: false,
    borrowing: 0,
    borrowedAt: Number.NEGATIVE_INFINITY,
    coolDownMs: 5_000,
    loans: new Map(),
    alsoInNeed: new Set(),
    cameHomeAt: () => undefined,
    restMs: 2_000,
    ...more,
  };
}

test('it lends idle workers and keeps one', () => {
  expect(decideLending(input())).toEqual({ lend: ['w0', 'w1'] });
  expect(decideLending(input({ asked: 1 }))).toEqual({ lend: ['w0'] });
  expect(decideLending(input({ keepHome: 0 })).lend).toHaveLength(3);
});

test('busy workers stay, and count as kept', () => {
  expect(decideLending(input({ atHome: workers('busy', 'idle') }))).toEqual({ lend: ['w1'] });
  expect(decideLending(input({ atHome: workers('busy', 'busy') }))).toMatchObject({
    lend: [],
    refusal: 'NONE_IDLE',
  });
});

test('a worker that is about to stop is not one that stays', () => {
  expect(decideLending(input({ atHome: workers('leaving', 'idle') }))).toMatchObject({
    lend: [],
    refusal: 'KEEPS_LAST',
  });
  expect(decideLending(input({ atHome: workers('leaving', 'idle', 'idle') }))).toEqual({ lend: ['w1'] });
});

test('a worker that does not understand REDIRECT is never lent', () => {
  expect(decideLending(input({ atHome: workers('minimal', 'minimal') }))).toMatchObject({
    refusal: 'NONE_IDLE',
  });
});

test('the last worker stays', () => {
  expect(decideLending(input({ atHome: workers('idle') }))).toMatchObject({
    lend: [],
    refusal: 'KEEPS_LAST',
  });
});

test('who is busy or borrowing, or was a moment ago, lends nothing', () => {
  expect(decideLending(input({ busy: true }))).toMatchObject({ refusal: 'BUSY' });
  expect(decideLending(input({ borrowing: 1 }))).toMatchObject({ refusal: 'BORROWING' });
  expect(decideLending(input({ borrowedAt: 96_000 }))).toMatchObject({ refusal: 'BORROWING' });
  expect(decideLending(input({ borrowedAt: 95_000 })).lend).toHaveLength(2);
});

test('a worker that just came home from this borrower rests', () => {
  const cameHomeAt = (worker: string) => (worker === 'w0' ? 99_000 : undefined);
  expect(decideLending(input({ cameHomeAt }))).toEqual({ lend: ['w1', 'w2'] });
});

test('two that need workers get half each', () => {
  const atHome = workers('idle', 'idle', 'idle', 'idle', 'idle');
  expect(decideLending(input({ atHome, alsoInNeed: new Set(['c']) })).lend).toHaveLength(2);
  expect(decideLending(input({ atHome: atHome.slice(0, 3), loans: new Map([['c', 2]]) })).lend).toHaveLength(
    2,
  );
});

test('who comes when all are out learns that others must give some back', () => {
  const decision = decideLending(input({ atHome: workers('idle'), loans: new Map([['c', 4]]) }));
  expect(decision).toMatchObject({ lend: [], refusal: 'KEEPS_LAST' });
  expect('overShare' in decision && [...decision.overShare]).toEqual([['c', 2]]);
});

test('who has its share gets no more, and nobody is called back for it', () => {
  const decision = decideLending(
    input({
      atHome: workers('idle'),
      loans: new Map([
        ['b', 2],
        ['c', 2],
      ]),
    }),
  );
  expect(decision).toMatchObject({ lend: [], refusal: 'KEEPS_LAST', overShare: new Map() });
});

test('never below keepHome, never a worker that is not idle, never more than asked', () => {
  const worker = fc.record({ idle: fc.boolean(), travels: fc.boolean(), isLeaving: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(worker, { maxLength: 12 }),
      fc.nat(4),
      fc.integer({ min: 1, max: 12 }),
      fc.dictionary(fc.constantFrom('b', 'c', 'd'), fc.nat(6)),
      fc.uniqueArray(fc.constantFrom('b', 'c', 'd')),
      (some, keepHome, asked, loans, inNeed) => {
        const atHome = some.map((w, i) => ({ uuid: `w${i}`, ...w, idle: w.idle && !w.isLeaving }));
        const open = new Map(Object.entries(loans).filter(([, count]) => count > 0));
        const { lend } = decideLending(
          input({ atHome, keepHome, asked, loans: open, alsoInNeed: new Set(inNeed) }),
        );
        expect(lend.length).toBeLessThanOrEqual(asked);
        const stays = atHome.filter((w) => !(lend as readonly string[]).includes(w.uuid) && !w.isLeaving);
        if (lend.length > 0) expect(stays.length).toBeGreaterThanOrEqual(keepHome);
        expect(new Set(lend).size).toBe(lend.length);
        for (const uuid of lend)
          expect(atHome.find((w) => w.uuid === uuid)).toMatchObject({ idle: true, travels: true });
      },
    ),
  );
});
