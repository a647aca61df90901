import { countSeqs, splitRanges } from '../../../protocol/index.ts';
import type { Expiry, Moved } from '../../dispatch/store.ts';
import { type CommittedBatch, conclude, figuresOf, move } from './batch.ts';
import { giveBack, leave } from './give-back.ts';
import type { Tables } from './tables.ts';
import { isLive, type Task } from './task.ts';

/** Ends a lease whose worker is gone. */
export function expire(tables: Tables, expiry: Expiry): (Moved & { readonly marked: number }) | undefined {
  const task = tables.tasks.find(expiry.task);
  if (task === undefined || !isLive(task)) return undefined;
  const batch = tables.batches.byId(task.batch);
  tables.batches.change(batch);
  tables.tasks.change(task);
  const marked = markFirst(tables, batch, task, expiry);
  giveBack(tables, batch, task, task);
  conclude(batch, expiry.now);
  return { batch: batch.uuid, figures: figuresOf(batch), marked };
}

/** The first of what remains, in the task's order, may have been sent: they leave the task with a mark. */
function markFirst(tables: Tables, batch: CommittedBatch, task: Task, expiry: Expiry): number {
  const again = splitRanges(task.again, expiry.maybeBegun).first;
  const fresh = splitRanges(task.fresh, Math.max(0, expiry.maybeBegun - countSeqs(again))).first;
  const count = countSeqs(again) + countSeqs(fresh);
  if (count === 0) return 0;
  const to = expiry.hold ? 'unknown' : batch.state === 'CANCELLED' ? 'cancelled' : 'pending';
  batch.maybeSent += tables.history.mark(batch.id, again, task.relay, expiry.now);
  tables.history.setState(batch.id, again, to);
  tables.history.insertMarked(batch.id, fresh, to, task.relay, expiry.now);
  batch.maybeSent += countSeqs(fresh);
  tables.spans.add(batch.id, 'settled', fresh);
  move(batch, 'leased', to, count);
  leave(task, again, fresh);
  return count;
}
