import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eachSeq, rangesOf } from '../../../protocol/index.ts';
import { judge, mayExamine, nextGroup, poisonReply } from '../../../server/dispatch/poison.ts';
import type { Suspicion } from '../../../server/dispatch/store.ts';

const story = fc.record({
  total: fc.integer({ min: 1, max: 60 }),
  culprits: fc.uniqueArray(fc.nat(59), { maxLength: 3 }),
  /** Transactions that a worker may have begun. */
  inFlight: fc.integer({ min: 1, max: 20 }),
  taskSize: fc.integer({ min: 1, max: 30 }),
  after: fc.integer({ min: 1, max: 5 }),
  /** Claims at which somebody kills the worker, whatever it has. */
  kills: fc.uniqueArray(fc.nat(40), { maxLength: 4 }),
});

interface Told {
  readonly sent: Set<number>;
  readonly givenUp: Map<number, Suspicion>;
  /** Workers that died. */
  readonly deaths: number;
  /** Recipients that somebody killed a worker on that had nothing else. */
  readonly killedAlone: Map<number, number>;
}

/** Plays a batch with one worker at a time; a worker begins `inFlight` mails at once, and dies when a culprit is among them. */
function play({
  total,
  culprits,
  inFlight,
  taskSize,
  after,
  kills,
}: typeof story extends fc.Arbitrary<infer T> ? T : never): Told {
  let pending = Array.from({ length: total }, (_, seq) => seq);
  let aside: number[] = [];
  const suspicions = new Map<number, Suspicion>();
  const told: Told & { deaths: number } = {
    sent: new Set(),
    givenUp: new Map(),
    deaths: 0,
    killedAlone: new Map(),
  };
  for (let claims = 0; pending.length + aside.length > 0; claims++) {
    expect(claims).toBeLessThan(10_000);
    const examined = pending.length === 0;
    const task = examined
      ? nextGroup(aside.map((seq) => ({ seq, among: suspicions.get(seq)?.among ?? 0 })))
      : pending.slice(0, taskSize);
    expect(task.length).toBeGreaterThan(0);
    aside = aside.filter((seq) => !task.includes(seq));
    pending = pending.filter((seq) => !task.includes(seq));
    let left = task;
    while (left.length > 0) {
      const begun = left.slice(0, inFlight);
      const isKilled = kills.includes(claims);
      if (isKilled || begun.some((seq) => culprits.includes(seq))) {
        told.deaths++;
        if (isKilled && examined && begun.length === 1)
          told.killedAlone.set(begun[0] as number, (told.killedAlone.get(begun[0] as number) ?? 0) + 1);
        pending = [...left.slice(begun.length), ...pending];
        const death = { suspects: rangesOf(begun), examined, before: (seq: number) => suspicions.get(seq) };
        for (const { seq, verdict, deaths, among, alone } of judge(death, after)) {
          suspicions.set(seq, { deaths, among, alone });
          if (verdict === 'FREE') pending = [seq, ...pending];
          else if (verdict === 'ASIDE') aside.push(seq);
          else told.givenUp.set(seq, { deaths, among, alone });
        }
        pending.sort((a, b) => a - b);
        aside.sort((a, b) => a - b);
        break;
      }
      for (const seq of begun) {
        told.sent.add(seq);
        suspicions.delete(seq);
      }
      left = left.slice(begun.length);
    }
  }
  return told;
}

test('every culprit is found and given up, alone, after enough workers died on nothing else', () => {
  fc.assert(
    fc.property(story, (told) => {
      const { givenUp } = play(told);
      for (const culprit of told.culprits.filter((seq) => seq < told.total)) {
        expect(givenUp.get(culprit)).toMatchObject({ among: 1 });
        expect(givenUp.get(culprit)?.alone).toBeGreaterThanOrEqual(told.after);
      }
    }),
    { numRuns: 500 },
  );
});

test('the innocent are sent, unless somebody killed as many workers on one of them alone', () => {
  fc.assert(
    fc.property(story, (told) => {
      const { sent, givenUp, killedAlone } = play(told);
      expect(sent.size + givenUp.size).toBe(told.total);
      for (const seq of givenUp.keys()) {
        if (!told.culprits.includes(seq))
          expect(killedAlone.get(seq) ?? 0).toBeGreaterThanOrEqual(told.after);
      }
    }),
    { numRuns: 500 },
  );
});

test('finding one culprit costs as many workers as the bisection has steps, twice the threshold, and no more', () => {
  fc.assert(
    fc.property(story, fc.nat(59), (told, culprit) => {
      const one = { ...told, culprits: [culprit % told.total], kills: [] };
      const { deaths } = play(one);
      const first = Math.min(told.inFlight, told.taskSize, told.total);
      expect(deaths).toBeLessThanOrEqual(2 * told.after + Math.ceil(Math.log2(first)) + 1);
    }),
    { numRuns: 500 },
  );
});

test('a worker killed on purpose, as often as it takes to set aside, burns nobody', () => {
  const { sent, givenUp } = play({
    total: 20,
    culprits: [],
    inFlight: 10,
    taskSize: 20,
    after: 3,
    kills: [0, 1, 2],
  });
  expect(givenUp.size).toBe(0);
  expect(sent.size).toBe(20);
});

test('what was not begun is not judged', () => {
  const judged = judge({ suspects: [[3, 4]], examined: false, before: () => undefined }, 3);
  expect(judged).toEqual([
    { seq: 3, deaths: 1, among: 2, alone: 0, verdict: 'FREE' },
    { seq: 4, deaths: 1, among: 2, alone: 0, verdict: 'FREE' },
  ]);
  expect(judge({ suspects: [], examined: true, before: () => undefined }, 1)).toEqual([]);
});

test('one that was the only suspect of many deaths is still tried apart before it is given up', () => {
  const before = (): Suspicion => ({ deaths: 9, among: 1, alone: 0 });
  expect(judge({ suspects: [[0, 0]], examined: false, before }, 3)).toMatchObject([
    { verdict: 'ASIDE', alone: 0 },
  ]);
  const alone = (): Suspicion => ({ deaths: 11, among: 1, alone: 2 });
  expect(judge({ suspects: [[0, 0]], examined: true, before: alone }, 3)).toMatchObject([
    { verdict: 'GIVE_UP', reply: poisonReply({ deaths: 12, among: 1, alone: 3 }) },
  ]);
});

test('one that was given up and is tried again by hand is tried apart once more when a worker dies', () => {
  const before = (): Suspicion => ({ deaths: 9, among: 1, alone: 3 });
  expect(judge({ suspects: [[0, 5]], examined: false, before }, 3)[0]).toMatchObject({ verdict: 'ASIDE' });
});

test('a group is tried by halves, each of suspects of one death', () => {
  const group = (among: number, seqs: readonly number[]) => seqs.map((seq) => ({ seq, among }));
  expect(nextGroup(group(5, [1, 2, 3, 4, 5]))).toEqual([1, 2]);
  expect(nextGroup([...group(9, [1]), ...group(4, [2, 3])])).toEqual([1]);
  expect(nextGroup(group(1, [8]))).toEqual([8]);
  expect(nextGroup([])).toEqual([]);
  expect([...eachSeq(rangesOf(nextGroup(group(8, [1, 2, 3]))))]).toEqual([1, 2, 3]);
});

test('the only worker tries suspects when there is nothing else to do', () => {
  expect(mayExamine({ workers: 1, ready: 1 })).toBe(false);
  expect(mayExamine({ workers: 1, ready: 0 })).toBe(true);
  expect(mayExamine({ workers: 2, ready: 100 })).toBe(true);
});
