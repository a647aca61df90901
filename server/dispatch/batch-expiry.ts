import type { ActiveBatch } from '../batches/batch-book.ts';
import { expiredReply, isExpired } from '../batches/expiry.ts';
import type { BatchStore } from '../batches/store.ts';
import type { DispatchContext } from './context.ts';
import { handBack } from './hand-back.ts';
import type { LeaseEntry } from './lease-book.ts';

/** Recipients that fail in one transaction, so that others are not kept waiting. */
const SLICE = 2_000;

/**
 * Ends the batches whose time is over: what is out is asked back, and what waits fails with a reply that says so. What comes back
 * later fails then. Until all is done the dispatcher leases nothing of such a batch, whatever it counts as pending.
 */
export class BatchExpiry {
  readonly #context: DispatchContext;
  readonly #store: Pick<BatchStore, 'expireBatch'>;
  /** Leases whose workers were asked to hand back. */
  readonly #recalled = new WeakSet<LeaseEntry>();
  #busy = false;

  constructor(context: DispatchContext, store: Pick<BatchStore, 'expireBatch'>) {
    this.#context = context;
    this.#store = store;
  }

  /** Call it now and then; it does nothing while the call before is not done. @throws StoreError */
  async run(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const now = this.#context.now();
      for (const batch of [...this.#context.batches.all()]) {
        if (isExpired(batch.record.options, now)) await this.#expire(batch);
      }
    } finally {
      this.#busy = false;
    }
  }

  async #expire({ uuid, record, figures }: ActiveBatch): Promise<void> {
    if (figures.state === 'CANCELLED') return;
    const { leases } = this.#context;
    const out = new Set(leases.ofBatch(uuid).filter((lease) => !this.#recalled.has(lease)));
    if (out.size > 0) handBack(this.#context, (lease) => out.has(lease));
    for (const lease of out) this.#recalled.add(lease);
    const { batches, logger, now } = this.#context;
    const reply = expiredReply(record.options);
    let failed = 0;
    try {
      while (waits(batches.get(uuid))) {
        const expired = await this.#store.expireBatch(uuid, { now: now(), reply, limit: SLICE });
        failed += expired?.changed ?? 0;
        if (expired !== undefined) batches.update(uuid, expired.figures);
        if (expired === undefined || expired.changed === 0) break;
      }
    } finally {
      if (failed > 0) {
        logger.warn(
          {
            batch: uuid,
            recipients: failed,
            expiresAt: new Date(record.options.expiresAt ?? 0).toISOString(),
          },
          'the time of a batch is over, what waited of it has failed',
        );
      }
    }
  }
}

function waits(batch: ActiveBatch | undefined): boolean {
  return batch !== undefined && batch.figures.counts.pending + batch.figures.counts.deferred > 0;
}
