import { countSeqs, splitRanges, unionRanges } from '../../../protocol/index.ts';
import type { Expired, Expiry } from '../../dispatch/store.ts';
import { type CommittedBatch, conclude, figuresOf, move } from './batch.ts';
import { giveBack, leave } from './give-back.ts';
import { holdInquest, suspectsOf } from './inquest.ts';
import type { Tables } from './tables.ts';
import { isLive, type Task } from './task.ts';

/** Where nobody said why. */
const LEASE_LOST = 'lease lost';

/** Ends a lease whose worker is gone. */
export function expire(tables: Tables, expiry: Expiry): Expired | undefined {
  const task = tables.tasks.find(expiry.task);
  if (task === undefined || !isLive(task)) return undefined;
  const batch = tables.batches.byId(task.batch);
  tables.batches.change(batch);
  tables.tasks.change(task);
  const { inquest, now } = expiry;
  const suspects = inquest === undefined ? [] : suspectsOf(task, inquest.first);
  const marked = markFirst(tables, batch, task, expiry);
  giveBack(tables, batch, task, task);
  const judged = inquest && holdInquest(tables, batch, inquest, suspects, now);
  conclude(batch, now);
  return {
    batch: batch.uuid,
    figures: figuresOf(batch),
    marked,
    ...(judged === undefined ? {} : { judged }),
  };
}

/** The first of what remains, in the task's order, may have been sent: they leave the task with a mark. */
function markFirst(tables: Tables, batch: CommittedBatch, task: Task, expiry: Expiry): number {
  const again = splitRanges(task.again, expiry.maybeBegun).first;
  const fresh = splitRanges(task.fresh, Math.max(0, expiry.maybeBegun - countSeqs(again))).first;
  const count = countSeqs(again) + countSeqs(fresh);
  if (count === 0) return 0;
  const to = expiry.hold ? 'unknown' : batch.state === 'CANCELLED' ? 'cancelled' : 'pending';
  const { uuid, worker, relay } = task;
  const attempt = { worker, relay, at: expiry.now };
  batch.maybeSent += tables.history.mark(batch.id, again, attempt);
  tables.history.setState(batch.id, again, to);
  tables.history.insertMarked(batch.id, fresh, to, attempt);
  batch.maybeSent += countSeqs(fresh);
  tables.spans.add(batch.id, 'settled', fresh);
  move(batch, 'leased', to, count);
  leave(task, again, fresh);
  const event = { ...attempt, task: uuid, why: expiry.why ?? LEASE_LOST };
  tables.duplicates.add(batch.id, { ...event, seqs: unionRanges(again, fresh) });
  return count;
}
