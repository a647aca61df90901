import type { DispatchContext, Dispatcher } from './dispatcher.ts';
import type { LeaseEntry } from './lease-book.ts';

/** How often leases, parked pulls and retries are looked at, ms. Small beside a lease of seconds, and cheap. */
const TICK_MS = 200;
/** Retries that become pending in one transaction, so that others are not kept waiting. */
const PROMOTE_LIMIT = 5_000;

export interface ClockworkSettings {
  /** How long a pull waits for work before it is answered NO_TASK, ms. */
  readonly parkMs: number;
}

/** What time does to the dispatch: leases expire, retries fall due, breakers reach their half-open, parked pulls are answered. */
export class Clockwork {
  readonly #context: DispatchContext;
  readonly #dispatcher: Dispatcher;
  readonly #settings: ClockworkSettings;
  #timer: NodeJS.Timeout | undefined;
  #nextDueAt = 0;
  #promoting = false;
  readonly #expiring = new Set<string>();

  constructor(context: DispatchContext, dispatcher: Dispatcher, settings: ClockworkSettings) {
    this.#context = context;
    this.#dispatcher = dispatcher;
    this.#settings = settings;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A recipient was deferred until then. */
  deferredUntil(dueAt: number): void {
    if (dueAt < this.#nextDueAt) this.#nextDueAt = dueAt;
  }

  #tick(): void {
    const { leases, monotonic, now } = this.#context;
    for (const lease of leases.overdue(monotonic())) void this.expire(lease, lease.inFlight);
    this.#answerParked();
    if (now() >= this.#nextDueAt) void this.#promote();
    this.#dispatcher.retryStore();
    this.#dispatcher.pump();
  }

  /** Ends a lease. Its worker had begun at most `maybeBegun` of what is left. */
  async expire(lease: LeaseEntry, maybeBegun: number): Promise<void> {
    const { store, leases, relays, workers, batches, logger, now } = this.#context;
    if (this.#expiring.has(lease.task) || leases.get(lease.task) !== lease) return;
    this.#expiring.add(lease.task);
    try {
      const batch = batches.get(lease.batch);
      const hold = batch?.record.options.onUnknown === 'HOLD';
      const moved = await store.expire({ task: lease.task, now: now(), maybeBegun, hold });
      leases.expire(lease.task);
      relays.recipientsSettled(lease.relay, lease.remaining);
      relays.taskEnded(lease.relay, lease.task, lease.worker);
      workers.get(lease.worker)?.leases.delete(lease.task);
      const where = { task: lease.task, batch: lease.batch, worker: lease.worker, relay: lease.relay };
      logger.warn(
        { ...where, recipients: lease.remaining, maybeSent: moved?.marked ?? 0 },
        'lease expired, its recipients go to others; those the worker may have been sending are marked',
      );
      if (moved !== undefined) batches.update(moved.batch, moved.figures);
      this.#dispatcher.pump();
    } catch (error) {
      logger.error(
        { err: error, task: lease.task },
        'the store cannot end an expired lease, it is tried again',
      );
    } finally {
      this.#expiring.delete(lease.task);
    }
  }

  #answerParked(): void {
    const { workers, monotonic } = this.#context;
    const parkedBefore = monotonic() - this.#settings.parkMs;
    for (const worker of workers.all()) {
      if (!worker.hungry || worker.parkedSince > parkedBefore) continue;
      worker.slots = 0;
      worker.line.send({ TASK: 'NO_TASK', WORKER_UUID: worker.uuid });
    }
  }

  async #promote(): Promise<void> {
    if (this.#promoting) return;
    this.#promoting = true;
    const { store, batches, logger, now } = this.#context;
    this.#nextDueAt = Number.POSITIVE_INFINITY;
    try {
      const { moved, nextDueAt } = await store.promoteDue(now(), PROMOTE_LIMIT);
      for (const { batch, figures } of moved) batches.update(batch, figures);
      if (nextDueAt !== undefined) this.deferredUntil(nextDueAt);
      if (moved.length > 0) this.#dispatcher.pump();
    } catch (error) {
      this.#nextDueAt = now();
      logger.error({ err: error }, 'the store cannot take up due retries, they are tried again');
    } finally {
      this.#promoting = false;
    }
  }
}
