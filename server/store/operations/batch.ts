import type { BatchFigures, State, StateCounts } from '../../batches/batch.ts';

export type CountedState = Exclude<keyof StateCounts, 'total'>;

/** A batch as the operations of one group change it. */
export interface Batch {
  readonly id: number;
  readonly uuid: string;
  readonly key: string | undefined;
  readonly name: string | undefined;
  readonly createdAt: number;
  state: State | 'OPEN' | 'DROPPED';
  readonly counts: { -readonly [K in keyof StateCounts]: number };
  rejected: number;
  duplicates: number;
  maybeSent: number;
  secondReports: number;
  finishedAt: number | undefined;
}

/** A batch that was committed. */
export type CommittedBatch = Batch & { state: State };

export function isCommitted(batch: Batch): batch is CommittedBatch {
  return batch.state !== 'OPEN' && batch.state !== 'DROPPED';
}

/** Moves `count` recipients between two states. */
export function move(batch: Batch, from: CountedState, to: CountedState, count: number): void {
  batch.counts[from] -= count;
  batch.counts[to] += count;
}

/**
 * Says whether the batch is over, after anything that moved recipients. Nothing pending, leased or deferred: FINISHED (a
 * cancelled one stays CANCELLED). Something pending or deferred again: a finished one is RUNNING.
 */
export function conclude(batch: Batch, now: number): void {
  const { pending, leased, deferred } = batch.counts;
  if (pending + leased + deferred > 0) {
    if (batch.state === 'FINISHED') batch.state = 'RUNNING';
    batch.finishedAt = undefined;
  } else {
    if (batch.state !== 'CANCELLED') batch.state = 'FINISHED';
    batch.finishedAt ??= now;
  }
}

/** A copy of what changes while a batch is sent. */
export function figuresOf(batch: CommittedBatch): BatchFigures {
  return {
    state: batch.state,
    counts: { ...batch.counts },
    maybeSent: batch.maybeSent,
    secondReports: batch.secondReports,
    ...(batch.finishedAt === undefined ? {} : { finishedAt: batch.finishedAt }),
  };
}
