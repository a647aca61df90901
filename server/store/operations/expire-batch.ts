import { countSeqs } from '../../../protocol/index.ts';
import type { BatchFigures } from '../../batches/batch.ts';
import { conclude, figuresOf, move } from './batch.ts';
import type { Tables } from './tables.ts';

export interface BatchExpiry {
  readonly now: number;
  readonly reply: string;
  /** Recipients at most. */
  readonly limit: number;
}

/** The time of a batch is over: some of what waits fails, those tried before first. */
export function expireBatch(
  tables: Tables,
  uuid: string,
  why: BatchExpiry,
): { figures: BatchFigures; changed: number } | undefined {
  const batch = tables.batches.committed(uuid);
  if (batch === undefined) return undefined;
  const waits = batch.counts.pending + batch.counts.deferred > 0;
  if (!waits || (batch.state !== 'RUNNING' && batch.state !== 'PAUSED')) {
    return { figures: figuresOf(batch), changed: 0 };
  }
  tables.batches.change(batch);
  const again = tables.history.failWaiting(batch.id, 'pending', why.limit, why);
  const deferred = tables.history.failWaiting(batch.id, 'deferred', why.limit - again, why);
  const fresh = tables.spans.take(batch.id, 'pending', why.limit - again - deferred);
  tables.history.insertFailed(batch.id, fresh, why);
  tables.spans.add(batch.id, 'settled', fresh);
  const pending = again + countSeqs(fresh);
  move(batch, 'pending', 'failed', pending);
  move(batch, 'deferred', 'failed', deferred);
  conclude(batch, why.now);
  return { figures: figuresOf(batch), changed: pending + deferred };
}
