import type { Tenancy } from '../dispatch/context.ts';
import type { SetTimer } from '../timers.ts';
import { type Clocks, OwnLease } from './lease.ts';
import { Repeater } from './repeater.ts';
import type { OwnerRequest, OwnerStore, ServerRecord } from './store.ts';
import type { Takeover } from './takeover.ts';

/** Renewals in the time of one lease: one may be lost, and the next still comes in time. */
const RENEWALS_PER_LEASE = 3;
/** The longest wait before a renewal that failed is tried again, ms. */
const RETRY_MS = 500;
/**
 * How often is looked for batches without an owner and for requests, ms, with jitter, so that servers do not all look at once. What
 * others tell (NOTIFY) comes sooner, and may be lost.
 */
const LOOK_EVERY_MS = 1_000;
const JITTER = 0.5;
/**
 * How long a lease that was just taken up again is held before anything is adopted, ms: when the store was away, those of all
 * servers have run out, and each gets the time to renew its own.
 */
const OTHERS_RENEW_WITHIN_MS = 3 * RETRY_MS;
/** Batches adopted in one step: each brings its message into memory. */
const ADOPTED_AT_ONCE = 20;
/** Requests of other servers that are taken up in one step. */
const REQUESTS_AT_ONCE = 100;

export interface TenureOptions {
  readonly store: OwnerStore;
  /** SERVER_UUID of this server. */
  readonly server: string;
  readonly leaseMs: number;
  readonly takeover: Takeover;
  /** Batches that this server has taken up. */
  readonly batches: () => Iterable<{ readonly uuid: string }>;
  /** Does what another server asks for; it does not reject. */
  readonly serve: (request: OwnerRequest) => Promise<void>;
  /** There may be work now. */
  readonly wake: () => void;
  /** Who else uses the store and lives. Told at every look. */
  readonly neighbours: (servers: readonly ServerRecord[]) => void;
  /** Another process took over this server's name in the store: this one must not go on. */
  readonly nameLost: () => void;
  readonly clocks: () => Clocks;
  readonly setTimer: SetTimer;
  /** Chance, from [0, 1). */
  readonly random: () => number;
}

/**
 * Keeps what this server owns, and takes over what nobody owns any more.
 *
 * - new → `start` → *held*: the lease is renewed every third of it.
 * - *held* → *run out*: no renewal has come in time, by this server's own clocks. It leases nothing and renews no task, for others may
 *   have taken over. What it has it keeps, until it knows.
 * - *run out* → *held*: a renewal has come, and what others adopted meanwhile was let go before.
 * - any → stopped: `stop`; `release` leaves what it has to others.
 *
 * From `open` on it looks every second or so for batches to adopt, and for what other servers ask.
 */
export class Tenure implements Tenancy {
  readonly #options: TenureOptions;
  readonly #lease: OwnLease;
  readonly #renewals: Repeater;
  readonly #looks: Repeater;
  /** Monotonic ms. */
  #heldSince = 0;
  #mayAdopt = true;
  #servers: readonly ServerRecord[] = [];
  #unsubscribe: readonly (() => void)[] = [];

  constructor(options: TenureOptions) {
    this.#options = options;
    this.#lease = new OwnLease(options.leaseMs);
    this.#renewals = new Repeater(() => this.#renewAgain(), options.setTimer);
    this.#looks = new Repeater(() => this.#lookAgain(), options.setTimer);
  }

  isHeld(): boolean {
    return this.#lease.leftMs(this.#options.clocks()) > 0;
  }

  /** Renews the lease for the first time. Call it before anything is taken up. @throws StoreError */
  async start(): Promise<void> {
    const { store, takeover } = this.#options;
    this.#unsubscribe = [
      store.onNotOwner((batch) => {
        if (batch === undefined) this.#renewals.soon();
        else takeover.drop(batch);
      }),
      store.onChange(({ kind }) => {
        if (kind !== 'batch') this.#looks.soon();
      }),
    ];
    await this.#renew();
    this.#renewals.start();
  }

  /** Adopts and serves from now on. */
  open(): void {
    this.#looks.start();
  }

  /** Adopts nothing more; the lease is kept, and what others ask for is done. */
  close(): void {
    this.#mayAdopt = false;
  }

  /** Leaves what this server has to others. */
  async release(): Promise<void> {
    for (const end of this.#unsubscribe) end();
    await Promise.all([this.#looks.stop(), this.#renewals.stop()]);
    await this.#options.store.release();
  }

  snapshot(): Record<string, unknown> {
    const { takeover, clocks } = this.#options;
    return {
      held: this.isHeld(),
      leaseLeftMs: Math.round(this.#lease.leftMs(clocks())),
      adopted: takeover.adopted.batches,
      fenced: takeover.fenced.batches,
      servers: this.#servers.map(({ server, url, live }) => ({ uuid: server, url, live })),
    };
  }

  async #renewAgain(): Promise<number> {
    const { leaseMs } = this.#options;
    try {
      await this.#renew();
      return leaseMs / RENEWALS_PER_LEASE;
    } catch {
      // The store tells of its trouble itself, and the health of what follows.
      return Math.min(RETRY_MS, leaseMs / RENEWALS_PER_LEASE);
    }
  }

  async #renew(): Promise<void> {
    const { store, leaseMs, takeover, batches, clocks, nameLost } = this.#options;
    const asked = clocks();
    const wasHeld = this.isHeld();
    const { known, lost } = await store.renew(leaseMs);
    if (!known) {
      nameLost();
      return;
    }
    for (const batch of lost) takeover.drop(batch);
    const taken = [...batches()].map(({ uuid }) => uuid);
    if (!wasHeld && taken.length > 0) {
      for (const batch of await store.notOwned(taken)) takeover.drop(batch);
    }
    this.#lease.renewed(asked);
    if (wasHeld) return;
    this.#heldSince = asked.monotonic;
    this.#options.wake();
  }

  async #lookAgain(): Promise<number> {
    try {
      await this.#look();
    } catch {
      // As above.
    }
    return LOOK_EVERY_MS * (1 - JITTER / 2 + JITTER * this.#options.random());
  }

  async #look(): Promise<void> {
    const { store, server, takeover, serve, wake, neighbours, clocks } = this.#options;
    if (!this.isHeld()) return;
    const isSettled = clocks().monotonic - this.#heldSince >= OTHERS_RENEW_WITHIN_MS;
    if (isSettled && this.#mayAdopt) await this.#adopt();
    if (await takeover.complete()) wake();
    for (const request of await store.requests(REQUESTS_AT_ONCE)) void serve(request);
    this.#servers = await store.servers();
    neighbours(this.#servers.filter((one) => one.live && one.server !== server));
  }

  async #adopt(): Promise<void> {
    const { store, takeover } = this.#options;
    for (;;) {
      const adopted = await store.adopt(ADOPTED_AT_ONCE);
      takeover.take(adopted);
      if (adopted.length < ADOPTED_AT_ONCE) return;
    }
  }
}
