import { isNotOwner } from '../store/errors.ts';
import { every } from '../timers.ts';
import type { BatchExpiry } from './batch-expiry.ts';
import type { DispatchContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import { inquestOn, takeJudgements } from './inquest.ts';
import type { LeaseEntry } from './lease-book.ts';

/** How often leases, parked pulls and retries are looked at, ms. Small beside a lease of seconds, and cheap. */
const TICK_MS = 200;
/** Retries that become pending in one transaction, so that others are not kept waiting. */
const PROMOTE_LIMIT = 5_000;
/** How often batches are looked at whose time may be over, ms. */
const EXPIRY_EVERY_MS = 1_000;
/** A store that failed is left alone for so long, ms: so that it is tried again soon, and its log has one line a second. */
const STORE_REST_MS = 1_000;

export interface ClockworkSettings {
  /** How long a pull waits for work before it is answered NO_TASK, ms. */
  readonly parkMs: number;
}

/** What time does to the dispatch: leases expire, retries fall due, breakers reach their half-open, parked pulls are answered. */
export class Clockwork {
  readonly #context: DispatchContext;
  readonly #dispatcher: Dispatcher;
  readonly #settings: ClockworkSettings;
  #cancelTicks: (() => void) | undefined;
  #tickedAt = 0;
  #nextDueAt = 0;
  #promoting = false;
  readonly #ending = new Set<string>();
  #storeRestsUntil = 0;
  readonly #expiry: BatchExpiry | undefined;
  #expiryAt = 0;

  constructor(
    context: DispatchContext,
    dispatcher: Dispatcher,
    settings: ClockworkSettings,
    expiry?: BatchExpiry,
  ) {
    this.#expiry = expiry;
    this.#context = context;
    this.#dispatcher = dispatcher;
    this.#settings = settings;
  }

  start(): void {
    if (this.#cancelTicks !== undefined) return;
    this.#tickedAt = this.#context.monotonic();
    this.#cancelTicks = every(this.#context.setTimer, TICK_MS, () => this.#tick());
  }

  stop(): void {
    this.#cancelTicks?.();
    this.#cancelTicks = undefined;
  }

  /** A recipient was deferred until then; 0: look at once, a batch goes on whose retries may be due. */
  deferredUntil(dueAt: number): void {
    if (dueAt < this.#nextDueAt) this.#nextDueAt = dueAt;
  }

  /**
   * While this process was stopped or busy it read nothing: renewals and reports may be waiting behind this tick. So leases have as
   * much time left as they had at the last one.
   */
  #allowForLateness(): void {
    const now = this.#context.monotonic();
    const lateMs = now - this.#tickedAt - TICK_MS;
    this.#tickedAt = now;
    if (lateMs > TICK_MS) this.#context.leases.postpone(lateMs);
  }

  #tick(): void {
    this.#allowForLateness();
    const { leases, monotonic, now } = this.#context;
    if (monotonic() >= this.#storeRestsUntil) {
      for (const lease of leases.overdue(monotonic())) void this.#overdue(lease);
      if (now() >= this.#nextDueAt) void this.#promote();
      if (monotonic() >= this.#expiryAt) void this.#expireBatches();
    }
    this.#answerParked();
    this.#dispatcher.retryStore();
    this.#dispatcher.pump();
  }

  /** Whether this lease is about to end: too late to renew it. */
  isEnding(task: string): boolean {
    return this.#ending.has(task);
  }

  /** The worker of a lease was not heard of in time. When it is not here with it any more, it has died, or so it must be taken. */
  async #overdue(lease: LeaseEntry): Promise<void> {
    const hasDied = this.#context.workers.get(lease.worker)?.leases.has(lease.task) !== true;
    const how = hasDied ? 'gone' : 'silent';
    await this.expire(lease, lease.inFlight, `lease lost: worker ${lease.worker} ${how}`, hasDied);
  }

  /**
   * Ends a lease. Its worker had begun at most `maybeBegun` of what is left, and may have sent them.
   * @param hasDied the worker ended without a word: what it was about is suspected
   */
  async expire(lease: LeaseEntry, maybeBegun: number, why: string, hasDied: boolean): Promise<void> {
    const { store, leases, batches, now } = this.#context;
    if (this.#ending.has(lease.task) || leases.get(lease.task) !== lease) return;
    this.#ending.add(lease.task);
    try {
      const hold = batches.get(lease.batch)?.record.options.onUnknown === 'HOLD';
      const inquest = hasDied && lease.inFlight > 0 ? inquestOn(this.#context, lease) : undefined;
      const ended = await store.expire({ task: lease.task, now: now(), maybeBegun, hold, why, inquest });
      this.#ended(lease, ended?.marked ?? 0, why);
      takeJudgements(this.#context, lease, ended?.judged);
      if (ended !== undefined) batches.update(ended.batch, ended.figures);
      this.#dispatcher.pump();
    } catch (error) {
      if (isNotOwner(error)) return;
      this.#storeFailed(error, 'the store cannot end a lease, it is tried again');
    } finally {
      this.#ending.delete(lease.task);
    }
  }

  #ended(lease: LeaseEntry, marked: number, why: string): void {
    const { leases, relays, workers, logger } = this.#context;
    // a report that was before us with the store may have settled it
    if (leases.get(lease.task) !== lease) return;
    const { task, batch, worker, relay } = lease;
    leases.expire(task);
    relays.recipientsSettled(relay, lease.remaining);
    relays.taskEnded(relay, task, worker);
    workers.get(worker)?.leases.delete(task);
    logger.warn(
      { task, batch, worker, relay, why, recipients: lease.remaining, maybeSent: marked },
      'lease ended, its recipients go to others; those the worker may have been sending are marked',
    );
  }

  #storeFailed(error: unknown, what: string): void {
    const { monotonic, logger } = this.#context;
    if (monotonic() >= this.#storeRestsUntil) logger.error({ err: error }, what);
    this.#storeRestsUntil = monotonic() + STORE_REST_MS;
  }

  async #expireBatches(): Promise<void> {
    this.#expiryAt = this.#context.monotonic() + EXPIRY_EVERY_MS;
    try {
      await this.#expiry?.run();
    } catch (error) {
      if (isNotOwner(error)) return;
      this.#storeFailed(error, 'the store cannot end a batch whose time is over, it is tried again');
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
    const { store, batches, now } = this.#context;
    this.#nextDueAt = Number.POSITIVE_INFINITY;
    try {
      const { moved, nextDueAt } = await store.promoteDue(now(), PROMOTE_LIMIT);
      for (const { batch, figures } of moved) batches.update(batch, figures);
      if (nextDueAt !== undefined) this.deferredUntil(nextDueAt);
      if (moved.length > 0) this.#dispatcher.pump();
    } catch (error) {
      this.#nextDueAt = now();
      if (isNotOwner(error)) return;
      this.#storeFailed(error, 'the store cannot take up due retries, they are tried again');
    } finally {
      this.#promoting = false;
    }
  }
}
