import type { SeqRanges } from '../../../protocol/index.ts';
import type { BatchFigures } from '../../batches/batch.ts';
import type { Moved } from '../../dispatch/store.ts';
import { type CommittedBatch, conclude, figuresOf, move } from './batch.ts';
import type { Tables } from './tables.ts';

/** What people do to a batch. */
export function pause(tables: Tables, uuid: string): BatchFigures | undefined {
  return switchState(tables, uuid, 'RUNNING', 'PAUSED');
}

export function resume(tables: Tables, uuid: string): BatchFigures | undefined {
  return switchState(tables, uuid, 'PAUSED', 'RUNNING');
}

function switchState(
  tables: Tables,
  uuid: string,
  from: CommittedBatch['state'],
  to: CommittedBatch['state'],
): BatchFigures | undefined {
  const batch = tables.batches.committed(uuid);
  if (batch === undefined) return undefined;
  if (batch.state === from) {
    tables.batches.change(batch);
    batch.state = to;
  }
  return figuresOf(batch);
}

export function cancel(tables: Tables, uuid: string, now: number): BatchFigures | undefined {
  const batch = tables.batches.committed(uuid);
  if (batch === undefined) return undefined;
  if (batch.state === 'RUNNING' || batch.state === 'PAUSED') {
    tables.batches.change(batch);
    batch.state = 'CANCELLED';
    tables.spans.rename(batch.id, 'pending', 'cancelled');
    tables.history.cancelWaiting(batch.id);
    move(batch, 'pending', 'cancelled', batch.counts.pending);
    move(batch, 'deferred', 'cancelled', batch.counts.deferred);
    conclude(batch, now);
  }
  return figuresOf(batch);
}

export function retryFailed(
  tables: Tables,
  uuid: string,
): { figures: BatchFigures; changed: number } | undefined {
  const batch = tables.batches.committed(uuid);
  if (batch === undefined) return undefined;
  let changed = 0;
  if (batch.state !== 'CANCELLED' && batch.counts.failed > 0) {
    tables.batches.change(batch);
    changed = tables.history.retryFailed(batch.id);
    move(batch, 'failed', 'pending', changed);
    conclude(batch, batch.createdAt);
  }
  return { figures: figuresOf(batch), changed };
}

/** Failed recipients that a paused relay refused wait for another try; in a cancelled batch they stay failed. */
export function putBack(tables: Tables, uuid: string, seqs: SeqRanges, dueAt: number): Moved | undefined {
  const batch = tables.batches.committed(uuid);
  if (batch === undefined) return undefined;
  if (batch.state !== 'CANCELLED' && batch.counts.failed > 0) {
    tables.batches.change(batch);
    move(batch, 'failed', 'deferred', tables.history.putBack(batch.id, seqs, dueAt));
    conclude(batch, batch.finishedAt ?? batch.createdAt);
  }
  return { batch: uuid, figures: figuresOf(batch) };
}

/** Deferred recipients of running batches whose time has come become pending. */
export function promoteDue(
  tables: Tables,
  now: number,
  limit: number,
): { readonly moved: readonly Moved[]; readonly nextDueAt?: number } {
  const moved: Moved[] = [];
  let left = limit;
  let nextDueAt: number | undefined;
  for (const batch of tables.batches.runningWithDeferred()) {
    let due = tables.history.nextDue(batch.id);
    if (due !== undefined && due <= now && left > 0) {
      tables.batches.change(batch);
      const promoted = tables.history.promote(batch.id, now, left);
      left -= promoted;
      move(batch, 'deferred', 'pending', promoted);
      moved.push({ batch: batch.uuid, figures: figuresOf(batch) });
      due = tables.history.nextDue(batch.id);
    }
    if (due !== undefined && due < (nextDueAt ?? Infinity)) nextDueAt = due;
  }
  return nextDueAt === undefined ? { moved } : { moved, nextDueAt };
}
