import { countSeqs, rangesOf, type SeqRanges, type WorkerReport } from '../../protocol/index.ts';
import type { Refused } from '../relays/policy-streak.ts';
import { isNotOwner } from '../store/errors.ts';
import type { DispatchContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import { handBack } from './hand-back.ts';
import { takeJudgements, withSuspicions } from './inquest.ts';
import type { LeaseEntry } from './lease-book.ts';
import { type ReadReport, readReport } from './read-report.ts';
import { givesUp } from './retry.ts';
import { ACCEPTED_TWICE, LINE_CUT, type Settled } from './store.ts';
import type { WorkerEntry } from './worker-book.ts';

export interface ResultSettings {
  /** Wait after a relay fault, ms. */
  readonly faultDelayMs: number;
}

/** Brings reports to the servers that own their batches. */
export interface OwnersOfBatches {
  /** Whether another server owns this batch. @throws StoreError */
  isElsewhere(batch: string): Promise<boolean>;
  /** Resolves when its owner has committed it. @throws StoreError when it has not in time */
  report(batch: string, report: WorkerReport): Promise<void>;
}

/** Takes the workers' reports: to the store, to the relay's account, and the acknowledgement back after the commit. */
export class Results {
  readonly #context: DispatchContext;
  readonly #dispatcher: Dispatcher;
  readonly #settings: ResultSettings;
  readonly #random: () => number;
  readonly #onDeferred: (dueAt: number) => void;
  readonly #owners: OwnersOfBatches | undefined;

  constructor(
    context: DispatchContext,
    dispatcher: Dispatcher,
    settings: ResultSettings,
    random: () => number,
    onDeferred: (dueAt: number) => void,
    owners?: OwnersOfBatches,
  ) {
    this.#owners = owners;
    this.#context = context;
    this.#dispatcher = dispatcher;
    this.#settings = settings;
    this.#random = random;
    this.#onDeferred = onDeferred;
  }

  /**
   * Resolves when the worker can forget the results: they are committed, here or by the server that owns the batch, or nobody
   * will ever want them.
   * @throws StoreError when they could not be committed; the worker keeps them and sends them again.
   */
  async take(report: WorkerReport, worker: WorkerEntry | undefined): Promise<void> {
    try {
      await this.takeHere(report, worker);
    } catch (error) {
      if (!isNotOwner(error) || error.batch === undefined || this.#owners === undefined) throw error;
      if (await this.#owners.isElsewhere(error.batch)) await this.#owners.report(error.batch, report);
      else await this.takeHere(report, worker);
    }
  }

  /** The same for a batch of this server. @throws StoreError NOT_OWNER when another server owns it */
  async takeHere(report: WorkerReport, worker: WorkerEntry | undefined): Promise<void> {
    const lease = this.#context.leases.recall(report.TASK_UUID);
    const read = this.#read(report, lease);
    const settlement = withSuspicions(this.#context, report, read.settlement, lease);
    const settled = await this.#context.store.settle(settlement);
    if (settled === undefined) {
      this.#context.logger.warn(
        { task: report.TASK_UUID, worker: worker?.uuid },
        'report of a task that nobody remembers',
      );
      return;
    }
    this.#log(report, read, settled, lease);
    if (settlement.cleared !== undefined) this.#context.suspects.cleared(settled.batch, settlement.cleared);
    if (lease !== undefined) takeJudgements(this.#context, lease, settled.judged);
    let refused: readonly Refused[] = [];
    const wasOpen = lease !== undefined && this.#context.relays.isOpen(lease.relay);
    if (lease !== undefined && settled.applied > 0) {
      // before the task is closed: what the report of a probe says counts for the breaker
      refused = this.#context.relays.reported(lease.relay, read.relay);
      this.#count(Math.min(settled.applied, triedBy(read)), settled.batch, worker);
    }
    if (lease !== undefined) {
      this.#close(lease, settled, worker);
      if (!wasOpen) this.#parkIfOpen(lease.relay);
    }
    // when some of them are put back the batch is not over yet, whatever these figures say
    if (!refused.some(({ batch }) => batch === settled.batch))
      this.#context.batches.update(settled.batch, settled.figures);
    for (const { dueAt } of read.settlement.outcomes) if (dueAt !== undefined) this.#onDeferred(dueAt);
    if (lease !== undefined) await this.#putBack(refused, lease.relay, settled);
    this.#dispatcher.pump();
  }

  /** Mail for a relay whose breaker opened waits here: with a worker it would keep it from other relays, and from the probe. */
  #parkIfOpen(relay: string): void {
    if (this.#context.relays.isOpen(relay)) handBack(this.#context, (lease) => lease.relay === relay);
  }

  #read(report: WorkerReport, lease: LeaseEntry | undefined): ReadReport {
    const batch = lease === undefined ? undefined : this.#context.batches.get(lease.batch)?.record;
    return readReport(report, {
      batch: lease?.batch ?? '',
      createdAt: batch?.createdAt ?? this.#context.now(),
      options: batch?.options ?? { retryBaseMs: 0, retryCapMs: 0, retryForMs: 0, onUnknown: 'RETRY' },
      seqs: lease?.seqs ?? [],
      attempts: lease?.attempts ?? new Map(),
      faultDelayMs: this.#settings.faultDelayMs,
      now: this.#context.now(),
      random: this.#random,
    });
  }

  #close(lease: LeaseEntry, settled: Settled, worker: WorkerEntry | undefined): void {
    const { leases, relays, workers } = this.#context;
    if (leases.get(lease.task) !== lease) return;
    relays.recipientsSettled(lease.relay, lease.remaining - settled.remaining);
    lease.remaining = settled.remaining;
    if (settled.remaining > 0) return;
    leases.end(lease.task);
    relays.taskEnded(lease.relay, lease.task, lease.worker);
    worker?.leases.delete(lease.task);
    // it may have come back over a new connection while this report was stored
    workers.get(lease.worker)?.leases.delete(lease.task);
  }

  #count(recipients: number, batch: string, worker: WorkerEntry | undefined): void {
    const { settled, batches, monotonic } = this.#context;
    const now = monotonic();
    settled.add(recipients, now);
    batches.get(batch)?.meter.add(recipients, now);
    worker?.meter.add(recipients, now);
  }

  /**
   * Refusals that were the relay's affair: their recipients wait until a while after it is tried again, so that it is tried
   * with others first; they may be refused for themselves all the same. Their batch may have looked finished.
   */
  async #putBack(refused: readonly Refused[], relay: string, settled: Settled): Promise<void> {
    const { batches, relays, logger } = this.#context;
    if (refused.length === 0) return;
    const dueAt = relays.opensAt(relay) + this.#settings.faultDelayMs;
    for (const [batch, group] of Map.groupBy(refused, (one) => one.batch)) {
      const seqs = rangesOf(group.map((one) => one.seq));
      try {
        if (await this.#putBackOf(batch, seqs, dueAt)) {
          logger.warn(
            { relay, batch, recipients: group.length },
            'the relay refuses all mail for its policy, these recipients are put back',
          );
          continue;
        }
      } catch (error) {
        logger.error(
          { err: error, relay, batch, recipients: group.length },
          'recipients that the relay refused for its policy could not be put back, they stay failed: "mutirao retry" sends them',
        );
      }
      if (batch === settled.batch) batches.update(batch, settled.figures);
    }
    this.#onDeferred(dueAt);
  }

  /** False: they have been tried for long enough, or the batch is gone. */
  async #putBackOf(uuid: string, seqs: SeqRanges, dueAt: number): Promise<boolean> {
    const { store, batches } = this.#context;
    const record = batches.get(uuid)?.record ?? (await store.getBatch(uuid));
    if (record === undefined || givesUp(record.createdAt, dueAt, record.options)) return false;
    const moved = await store.putBack(uuid, seqs, dueAt);
    if (moved === undefined) return false;
    batches.takeUp({ ...record, finishedAt: undefined, ...moved.figures });
    return true;
  }

  #log(report: WorkerReport, read: ReadReport, settled: Settled, lease: LeaseEntry | undefined): void {
    const { logger } = this.#context;
    const where = {
      task: report.TASK_UUID,
      batch: settled.batch,
      worker: lease?.worker,
      relay: lease?.relay,
    };
    for (const outcome of read.settlement.outcomes) {
      if (outcome.maybeSent !== true) continue;
      logger.warn(
        { ...where, seq: outcome.seq, now: outcome.state, why: outcome.why ?? LINE_CUT },
        'the relay may have this mail, nobody knows',
      );
    }
    if (settled.secondReports > 0) {
      logger.warn(
        { ...where, recipients: settled.secondReports, why: ACCEPTED_TWICE },
        'the relay accepted these mails twice',
      );
    }
    if (settled.remaining === 0) logger.debug(where, 'task settled');
  }
}

/** Recipients that the worker tried: a recipient handed back says nothing of its speed. */
function triedBy({ settlement }: ReadReport): number {
  return countSeqs(settlement.sent) + settlement.outcomes.length;
}
