import { rangesOf } from '../../../protocol/index.ts';
import type { Claim, ClaimRequest } from '../../dispatch/store.ts';
import { figuresOf, move } from './batch-table.ts';
import type { Tables } from './tables.ts';

/** Leases recipients of a running batch: those pending again first, then fresh ones. */
export function claim(tables: Tables, request: ClaimRequest): Claim | undefined {
  const batch = tables.batches.committed(request.batch);
  if (batch?.state !== 'RUNNING' || batch.counts.pending === 0 || request.count < 1) return undefined;
  const recipients = tables.history.pending(batch.id, request.count);
  const again = rangesOf(recipients.map((recipient) => recipient.seq));
  const fresh = tables.spans.take(batch.id, 'pending', request.count - recipients.length);
  for (const range of fresh) {
    for (const recipient of tables.recipients.fresh(batch.id, range)) recipients.push(recipient);
  }
  if (recipients.length === 0) {
    throw new Error(`batch ${batch.uuid} counts ${batch.counts.pending} pending recipients and has none`);
  }
  tables.history.setState(batch.id, again, 'leased');
  tables.tasks.insert({
    uuid: request.task,
    batch: batch.id,
    worker: request.worker,
    relay: request.relay,
    claimedAt: request.now,
    again,
    fresh,
    gone: [],
  });
  tables.batches.change(batch);
  move(batch, 'pending', 'leased', recipients.length);
  return { recipients, figures: figuresOf(batch) };
}
