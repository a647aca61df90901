import { countSeqs, rangesOf, type SeqRanges } from '../../../protocol/index.ts';
import type { BatchFigures } from '../../batches/batch.ts';
import type { ClaimedRecipient, ClaimRequest } from '../../dispatch/store.ts';
import { type CommittedBatch, figuresOf, move } from './batch.ts';
import type { Tables } from './tables.ts';

/** What a new task leases, in its order: `again`, then `fresh`, whose rows the backend reads. */
export interface Leased {
  readonly batch: number;
  readonly again: readonly ClaimedRecipient[];
  readonly fresh: SeqRanges;
  readonly figures: BatchFigures;
}

/** Leases recipients of a running batch: those pending again first, then fresh ones. */
export function claim(tables: Tables, request: ClaimRequest): Leased | undefined {
  const batch = tables.batches.committed(request.batch);
  if (batch?.state !== 'RUNNING' || request.count < 1) return undefined;
  if (request.aside !== undefined) {
    const aside = tables.history.aside(batch.id, request.aside).slice(0, request.count);
    return aside.length === 0 ? undefined : lease(tables, batch, request, aside, [], 'deferred');
  }
  if (batch.counts.pending === 0) return undefined;
  const recipients = tables.history.pending(batch.id, request.count);
  const fresh = tables.spans.take(batch.id, 'pending', request.count - recipients.length);
  if (recipients.length + fresh.length === 0) {
    throw new Error(`batch ${batch.uuid} counts ${batch.counts.pending} pending recipients and has none`);
  }
  return lease(tables, batch, request, recipients, fresh, 'pending');
}

function lease(
  tables: Tables,
  batch: CommittedBatch,
  request: ClaimRequest,
  recipients: readonly ClaimedRecipient[],
  fresh: SeqRanges,
  from: 'pending' | 'deferred',
): Leased {
  const again = rangesOf(recipients.map((recipient) => recipient.seq));
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
  move(batch, from, 'leased', recipients.length + countSeqs(fresh));
  return { batch: batch.id, again: recipients, fresh, figures: figuresOf(batch) };
}
