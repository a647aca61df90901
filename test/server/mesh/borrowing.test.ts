import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Load } from '../../../protocol/index.ts';
import {
  afterAnswer,
  afterAsking,
  type BorrowInput,
  isOverdue,
  type Lender,
  MAX_BACK_OFF_MS,
  NEVER_ASKED,
  planBorrowing,
  workersWanted,
} from '../../../server/mesh/borrowing.ts';

function load(idle: number, drain: number | null = 0): Load {
  return {
    READY: drain === 0 ? 0 : 1_000,
    SENDING: 0,
    WORKERS: idle,
    IDLE: idle,
    LENT: 0,
    BORROWED: 0,
    RATE: 0,
    DRAIN_S: drain,
  };
}

function peer(uuid: string, idle: number, more: Partial<Lender> = {}): Lender {
  return { uuid, load: load(idle), loadAt: 0, asked: NEVER_ASKED, borrowsFromUs: false, ...more };
}

function input(more: Partial<BorrowInput> = {}): BorrowInput {
  return {
    now: 10_000,
    figures: { ready: 10_000, sending: 200, workers: 2, freeSlots: 0, rate: 400 },
    busyForMs: 10_000,
    targetDrainS: 5,
    borrowed: 0,
    expected: 0,
    maxBorrowed: 64,
    lent: 0,
    recallable: 0,
    comingHome: 0,
    peers: [],
    ...more,
  };
}

test('it wants as many workers as bring the drain down to the target', () => {
  expect(workersWanted(input())).toBe(8);
  expect(workersWanted(input({ expected: 3, comingHome: 1 }))).toBe(4);
  expect(
    workersWanted(input({ figures: { ready: 10_000, sending: 0, workers: 2, freeSlots: 1, rate: 400 } })),
  ).toBe(0);
});

test('a server without any worker wants some as well', () => {
  expect(
    workersWanted(input({ figures: { ready: 2_000, sending: 0, workers: 0, freeSlots: 0, rate: 0 } })),
  ).toBe(2);
});

test('it asks the least loaded peers with idle workers first, several at once', () => {
  const peers = [peer('slow', 4, { load: load(4, 3) }), peer('few', 2), peer('many', 5), peer('none', 0)];
  expect(planBorrowing(input({ peers })).ask).toEqual([
    { peer: 'many', count: 5 },
    { peer: 'few', count: 2 },
    { peer: 'slow', count: 1 },
  ]);
});

test('it calls its own workers home before it asks others', () => {
  const peers = [peer('p', 9)];
  expect(planBorrowing(input({ peers, lent: 3, recallable: 3 }))).toEqual({
    recall: 3,
    ask: [{ peer: 'p', count: 5 }],
  });
  expect(planBorrowing(input({ peers, lent: 9, recallable: 9 }))).toEqual({ recall: 8, ask: [] });
});

test('it does not ask in the stead of own workers that will be home soon', () => {
  expect(planBorrowing(input({ peers: [peer('p', 9)], lent: 8, recallable: 0 }))).toEqual({
    recall: 0,
    ask: [],
  });
});

test('it never asks who borrows from it', () => {
  expect(planBorrowing(input({ peers: [peer('p', 9, { borrowsFromUs: true })] })).ask).toEqual([]);
});

describe('after asking', () => {
  test('there is one request per peer at a time, until it is overdue', () => {
    const asked = afterAsking(NEVER_ASKED, 2, 10_000);
    expect(planBorrowing(input({ peers: [peer('p', 9, { asked })] })).ask).toEqual([]);
    expect(isOverdue(asked, 12_999)).toBe(false);
    expect(isOverdue(asked, 13_000)).toBe(true);
  });

  test('a refusal makes it wait, longer each time, never beyond the cap', () => {
    let record = NEVER_ASKED;
    const waits: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      record = afterAnswer(record, { granted: 0, idle: 1, random: 0.999 }, 0);
      waits.push(record.notBefore);
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBeLessThanOrEqual(MAX_BACK_OFF_MS);
    expect(waits[0]).toBeLessThan(waits[3] as number);
  });

  test('a peer that has more idle workers than when it refused is asked at once', () => {
    const asked = afterAnswer(NEVER_ASKED, { granted: 0, idle: 1, random: 0 }, 9_900);
    expect(planBorrowing(input({ peers: [peer('p', 1, { asked, loadAt: 9_950 })] })).ask).toEqual([]);
    expect(planBorrowing(input({ peers: [peer('p', 2, { asked, loadAt: 9_950 })] })).ask).toHaveLength(1);
  });

  test('a grant forgives, and makes an older load worthless', () => {
    const asked = afterAnswer({ ...NEVER_ASKED, failures: 3 }, { granted: 1, idle: 2, random: 0 }, 9_900);
    expect(asked.failures).toBe(0);
    expect(planBorrowing(input({ peers: [peer('p', 2, { asked, loadAt: 9_800 })] })).ask).toEqual([]);
    expect(planBorrowing(input({ peers: [peer('p', 2, { asked, loadAt: 9_950 })] })).ask).toHaveLength(1);
  });
});

test('whatever the mesh looks like, it asks for no more than wanted, offered and allowed', () => {
  const anyPeer = fc.record({
    uuid: fc.uuid(),
    idle: fc.nat(20),
    open: fc.option(fc.integer({ min: 1, max: 9 })),
    ours: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(anyPeer, { selector: (p) => p.uuid, maxLength: 8 }),
      fc.record({
        ready: fc.nat(100_000),
        workers: fc.nat(20),
        borrowed: fc.nat(30),
        expected: fc.nat(30),
        lent: fc.nat(5),
      }),
      (peers, n) => {
        const lenders = peers.map((p) =>
          peer(p.uuid, p.idle, {
            borrowsFromUs: p.ours,
            asked: p.open === null ? NEVER_ASKED : afterAsking(NEVER_ASKED, p.open, 10_000),
          }),
        );
        const figures = {
          ready: n.ready,
          sending: 0,
          workers: n.workers,
          freeSlots: 0,
          rate: n.workers * 100,
        };
        const given = input({ ...n, figures, recallable: n.lent, peers: lenders, maxBorrowed: 40 });
        const plan = planBorrowing(given);
        const asked = plan.ask.reduce((sum, ask) => sum + ask.count, 0);
        const open = peers.reduce((sum, p) => sum + (p.open ?? 0), 0);
        expect(plan.recall + asked).toBeLessThanOrEqual(workersWanted(given));
        if (asked > 0) expect(n.borrowed + n.expected + open + asked).toBeLessThanOrEqual(40);
        for (const ask of plan.ask) {
          const asking = peers.find((p) => p.uuid === ask.peer);
          expect(ask.count).toBeGreaterThan(0);
          expect(ask.count).toBeLessThanOrEqual(asking?.idle ?? 0);
          expect(asking?.open).toBeNull();
          expect(asking?.ours).toBe(false);
        }
      },
    ),
  );
});
