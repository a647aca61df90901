import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideReturns, type Guest, type ReturnInput } from '../../../server/mesh/returning.ts';

function guest(worker: string, more: Partial<Guest> = {}): Guest {
  return {
    worker,
    home: 'h',
    idle: true,
    recalled: false,
    arrivedAt: 0,
    lendUntil: 60_000,
    homeDrainS: 0,
    ...more,
  };
}

function input(guests: readonly Guest[], more: Partial<ReturnInput> = {}): ReturnInput {
  return {
    wall: 10_000,
    mono: 10_000,
    guests,
    saturation: 'relaxed',
    since: 0,
    ready: 0,
    settleMs: 1_000,
    minLoanMs: 3_000,
    ...more,
  };
}

const namesOf = (given: ReturnInput) => decideReturns(given).map((decision) => decision.worker);

test('who was recalled goes at once, busy or not, saturated or not', () => {
  const recalled = guest('w', { recalled: true, idle: false, arrivedAt: 9_999 });
  expect(decideReturns(input([recalled], { saturation: 'saturated' }))).toMatchObject([
    { reason: 'recalled' },
  ]);
});

test('who overstayed goes at once', () => {
  expect(
    decideReturns(input([guest('w', { lendUntil: 10_000, idle: false })], { saturation: 'saturated' })),
  ).toMatchObject([{ reason: 'loan ended' }]);
});

test('idle ones go when the server has been relaxed for a while and their minimum is over', () => {
  expect(namesOf(input([guest('w')]))).toEqual(['w']);
  expect(namesOf(input([guest('w')], { since: 9_500 }))).toEqual([]);
  expect(namesOf(input([guest('w', { arrivedAt: 8_000 })]))).toEqual([]);
  expect(namesOf(input([guest('w', { idle: false })]))).toEqual([]);
  expect(namesOf(input([guest('w')], { saturation: 'saturated' }))).toEqual([]);
});

test('nobody is sent to a home that cannot be reached', () => {
  expect(namesOf(input([guest('w', { homeDrainS: undefined })]))).toEqual([]);
});

test('while something is ready they go one by one, the busiest home first', () => {
  const guests = [
    guest('calm', { homeDrainS: 0 }),
    guest('busy', { homeDrainS: 8 }),
    guest('drowning', { homeDrainS: Number.POSITIVE_INFINITY }),
  ];
  expect(namesOf(input(guests, { ready: 10 }))).toEqual(['drowning']);
  expect(namesOf(input(guests))).toEqual(['drowning', 'busy', 'calm']);
});

test('a saturated server returns only whom it must', () => {
  const anyGuest = fc.record({
    idle: fc.boolean(),
    recalled: fc.boolean(),
    arrivedAt: fc.nat(10_000),
    lendUntil: fc.nat(20_000),
  });
  fc.assert(
    fc.property(fc.array(anyGuest), (some) => {
      const guests = some.map((g, i) => guest(`w${i}`, g));
      const must = guests.filter((g) => g.recalled || g.lendUntil <= 10_000).map((g) => g.worker);
      expect(namesOf(input(guests, { saturation: 'saturated' }))).toEqual(must);
    }),
  );
});
