import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf, type SeqRanges } from '../../../protocol/index.ts';
import { NaiveBatch } from '../../../scripts/simulate/store/naive-batch.ts';
import type { PossibleDuplicate } from '../../../server/batches/store.ts';
import type { Inquest, Judgement, Outcome } from '../../../server/dispatch/store.ts';
import type { Store } from '../../../server/store/store.ts';
import { type Subject, submit, unique } from './fixture.ts';

/** Small batches: every recipient comes often into every state. */
const MAX_TOTAL = 10;

const seq = fc.nat(MAX_TOTAL - 1);
const seqs = fc.array(seq, { maxLength: 8 }).map(rangesOf);
const outcome: fc.Arbitrary<Outcome> = fc.record({
  seq,
  state: fc.constantFrom('deferred', 'failed', 'unknown'),
  reply: fc.constant('reply'),
  charged: fc.boolean(),
  maybeSent: fc.boolean(),
  dueAt: fc.nat(100),
  why: fc.constantFrom(undefined, 'journal'),
});
/** Every suspect is judged by its seq and `turn`, so that all verdicts come. */
const inquest: fc.Arbitrary<Inquest | undefined> = fc.option(
  fc
    .record({ first: fc.oneof(fc.nat(6), fc.constant(Infinity)), turn: fc.nat(2) })
    .map(({ first, turn }) => ({
      first,
      judge: (suspects: SeqRanges) =>
        seqsIn(suspects).map((one): Judgement => {
          const verdict = (['FREE', 'ASIDE', 'GIVE_UP'] as const)[(one + turn) % 3] ?? 'FREE';
          return { seq: one, deaths: turn + 1, among: one + 1, alone: turn, verdict, reply: 'given up' };
        }),
    })),
  { nil: undefined },
);

/** `task` picks among all tasks so far: those that are over report late. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      count: fc.integer({ min: 1, max: MAX_TOTAL }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('claimAside' as const),
      seqs,
      count: fc.integer({ min: 1, max: MAX_TOTAL }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('resolve' as const),
      decision: fc.constantFrom('SENT' as const, 'RETRY' as const),
      seqs: fc.option(seqs, { nil: undefined }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      task: fc.nat(),
      sent: seqs,
      outcomes: fc.array(outcome, { maxLength: 5 }),
      returned: fc.oneof(fc.constant<SeqRanges>([]), seqs),
      done: fc.boolean(),
      cleared: fc.option(seqs, { nil: undefined }),
      inquest,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      task: fc.nat(),
      maybeBegun: fc.oneof(fc.nat(6), fc.constant(Infinity)),
      hold: fc.boolean(),
      inquest,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('promote' as const),
      now: fc.nat(120),
      limit: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('expireBatch' as const),
      limit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('putBack' as const), seqs, dueAt: fc.nat(100) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('pause', 'resume', 'resume', 'retry') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cancel', 'restart') }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The steps of one inner list are asked for in one turn. */
const story = fc.record({
  total: fc.integer({ min: 1, max: MAX_TOTAL }),
  turns: fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 25 }),
});

export function modelContract(subject: Subject): void {
  describe('any story of a batch', () => {
    it('is told the same by the store and by a naive list', async () => {
      await fc.assert(
        fc.asyncProperty(story, async ({ total, turns }) => {
          const batch = await submit(subject.store, total);
          const model = new NaiveBatch(total);
          let time = 10_000;
          try {
            for (const turn of turns) {
              const checks = turn.map((one) => take(subject.store, batch, model, one, time++));
              for (const check of checks) await check();
              if (turn.some((one) => one.kind === 'restart')) await subject.reopen();
              await expectSame(subject.store, batch, model);
            }
          } finally {
            // So that the next story promotes none of its recipients.
            await subject.store.cancelBatch(batch, time);
          }
        }),
        { numRuns: 120 },
      );
    });

    it('is the same with a disk that fails now and then', async () => {
      await fc.assert(
        fc.asyncProperty(story, fc.infiniteStream(fc.boolean()), async ({ total, turns }, fails) => {
          const batch = await submit(subject.store, total);
          const model = new NaiveBatch(total);
          let time = 10_000;
          for (const turn of turns) {
            if (fails.next().value === true) {
              const doomed = new NaiveBatch(total);
              for (const [task, had] of model.tasks) doomed.tasks.set(task, had);
              await subject.fixture.failing(subject.store, async () => {
                const asked = turn.map((one) => ask(subject.store, batch, doomed, one, time));
                await Promise.allSettled(asked);
              });
              await expectSame(subject.store, batch, model);
            }
            for (const check of turn.map((one) => take(subject.store, batch, model, one, time++)))
              await check();
            await expectSame(subject.store, batch, model);
          }
          await subject.store.cancelBatch(batch, time);
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** Takes a step in the model and asks the store for it; the answer is compared when `check` is called. */
function take(store: Store, batch: string, model: NaiveBatch, one: Step, now: number): () => Promise<void> {
  const name = one.kind === 'claim' || one.kind === 'claimAside' ? unique('task') : '';
  const answer = ask(store, batch, model, one, now, name);
  const expected = play(model, one, now, name);
  return async () => {
    const given = await answer;
    if (expected === undefined) expect(given).toBeUndefined();
    else if (expected !== 'anything') expect(given).toMatchObject(expected);
  };
}

async function ask(
  store: Store,
  batch: string,
  model: NaiveBatch,
  one: Step,
  now: number,
  name = unique('task'),
): Promise<unknown> {
  switch (one.kind) {
    case 'claim':
      return store.claim({ batch, task: name, worker: 'w', relay: 'r', count: one.count, now });
    case 'claimAside': {
      const { seqs: aside, count } = one;
      return store.claim({ batch, task: name, worker: 'w', relay: 'r', count, now, aside });
    }
    case 'resolve':
      return store.resolveUnknown(batch, one.decision, one.seqs, now);
    case 'settle':
      return store.settle({ ...one, task: taskAt(model, one.task) ?? '', now });
    case 'expire':
      return store.expire({ ...one, task: taskAt(model, one.task) ?? '', now });
    case 'promote':
      return store.promoteDue(one.now, one.limit);
    case 'expireBatch':
      return store.expireBatch(batch, { now, reply: 'expired', limit: one.limit });
    case 'putBack':
      return store.putBack(batch, one.seqs, one.dueAt);
    case 'pause':
      return store.pauseBatch(batch);
    case 'resume':
      return store.resumeBatch(batch);
    case 'cancel':
      return store.cancelBatch(batch, now);
    case 'retry':
      return store.retryFailed(batch);
    case 'restart':
      return undefined;
  }
}

/** What the store must answer. */
function play(model: NaiveBatch, one: Step, now: number, name: string): object | 'anything' | undefined {
  switch (one.kind) {
    case 'resolve':
      return { changed: model.resolve(one.decision, one.seqs), figures: model.figures };
    case 'claimAside':
    case 'claim': {
      const order =
        one.kind === 'claim' ? model.claim(name, one.count) : model.claimAside(name, one.seqs, one.count);
      if (order === undefined) return undefined;
      const recipients = order.map((seq) => {
        const { attempts = 0, maybeSent = false } = model.recipients[seq] ?? {};
        return { seq, address: `r${seq}@example.net`, attempts, maybeSent };
      });
      return { recipients, figures: model.figures };
    }
    case 'settle': {
      const task = taskAt(model, one.task);
      return task === undefined ? undefined : model.settle({ ...one, task, now });
    }
    case 'expire': {
      const task = taskAt(model, one.task);
      return task === undefined ? undefined : model.expire({ ...one, task, now });
    }
    case 'promote': {
      const { promoted, nextDueAt } = model.promoteDue(one.now, one.limit);
      return {
        moved: promoted === 0 ? [] : [{ figures: model.figures }],
        ...(nextDueAt === undefined ? {} : { nextDueAt }),
      };
    }
    case 'expireBatch':
      return { changed: model.expireBatch(now, one.limit), figures: model.figures };
    case 'putBack':
      model.putBack(one.seqs, one.dueAt);
      return { figures: model.figures };
    case 'pause':
      model.pause();
      return model.figures;
    case 'resume':
      model.resume();
      return model.figures;
    case 'cancel':
      model.cancel(now);
      return model.figures;
    case 'retry':
      return { changed: model.retryFailed(), figures: model.figures };
    case 'restart':
      return undefined;
  }
}

function taskAt(model: NaiveBatch, index: number): string | undefined {
  const names = [...model.tasks.keys()];
  return names[index % names.length];
}

async function expectSame(store: Store, batch: string, model: NaiveBatch): Promise<void> {
  const [audit, record, leases, duplicates, suspicions, ...lists] = await Promise.all([
    store.audit(batch),
    store.getBatch(batch),
    store.leases(),
    store.possibleDuplicates(batch, 0, 1_000),
    store.suspicions(),
    store.listRecipients(batch, 'FAILED', -1, 100),
    store.listRecipients(batch, 'DEFERRED', -1, 100),
    store.listRecipients(batch, 'UNKNOWN', -1, 100),
    store.listRecipients(batch, 'MAYBE_SENT', -1, 100),
  ]);
  const { figures } = model;
  const { total, ...states } = figures.counts;
  expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(total);
  expect(audit).toEqual({ counts: figures.counts, problems: [] });
  expect(record).toMatchObject(figures);
  expect(record?.finishedAt).toBe(figures.finishedAt);
  const out = leases.filter((lease) => lease.batch === batch);
  expect(new Map(out.map((lease) => [lease.task, seqsIn(lease.remaining)]))).toEqual(
    new Map(model.openTasks.map((task) => [task, model.remaining(task)])),
  );
  const event = ({ seqs: these, task, why }: Omit<PossibleDuplicate, 'id'>) => ({ these, task, why });
  expect(duplicates.map(event)).toEqual(model.duplicates.map(event));
  const stored = suspicions.filter((one) => one.batch === batch).map(({ batch: _, ...one }) => one);
  expect(stored).toEqual(model.figures.finishedAt === undefined ? model.suspected : []);
  expect(
    lists.map((list) =>
      list.map(({ seq, state, attempts, maybeSent, dueAt }) => ({
        seq,
        state,
        attempts,
        maybeSent,
        ...(dueAt === undefined ? {} : { dueAt }),
      })),
    ),
  ).toEqual((['FAILED', 'DEFERRED', 'UNKNOWN', 'MAYBE_SENT'] as const).map((state) => model.list(state)));
}

function seqsIn(ranges: SeqRanges): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}
