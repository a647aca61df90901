import { countSeqs, type SeqRanges, subtractRanges, unionRanges } from '../../../protocol/index.ts';
import { type CommittedBatch, move } from './batch.ts';
import type { Tables } from './tables.ts';
import type { Task } from './task.ts';

/**
 * Recipients of a live task that were not tried become pending again; in a cancelled batch they become cancelled. Batch
 * and task are already told to be changed.
 */
export function giveBack(
  tables: Tables,
  batch: CommittedBatch,
  task: Task,
  { again, fresh }: { readonly again: SeqRanges; readonly fresh: SeqRanges },
): number {
  const to = batch.state === 'CANCELLED' ? 'cancelled' : 'pending';
  const count = countSeqs(again) + countSeqs(fresh);
  tables.history.setState(batch.id, again, to);
  tables.spans.add(batch.id, to, fresh);
  move(batch, 'leased', to, count);
  leave(task, again, fresh);
  return count;
}

/** Recipients leave a task without being reported as sent by it. */
export function leave(task: Task, again: SeqRanges, fresh: SeqRanges): void {
  task.again = subtractRanges(task.again, again);
  task.fresh = subtractRanges(task.fresh, fresh);
  task.gone = unionRanges(task.gone, unionRanges(again, fresh));
}
