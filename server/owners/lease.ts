/**
 * Share of the lease by which this server stops before others may take over: its clock may be slower than that of the store,
 * and what it has just written is still on its way.
 */
const SAFETY = 0.1;

/** Two clocks of this server, ms: the monotonic one stands still while the machine sleeps, the other one does not. */
export interface Clocks {
  readonly monotonic: number;
  readonly now: number;
}

/**
 * The lease of a server on its batches, by its own clocks: whether it may act without asking. It counts from the moment at which the
 * renewal was asked for, which is before the store's own count begins. It is held only by both clocks.
 */
export class OwnLease {
  readonly #lengthMs: number;
  #asked: Clocks | undefined;

  /** @param leaseMs what the store was told */
  constructor(leaseMs: number) {
    this.#lengthMs = leaseMs * (1 - SAFETY);
  }

  /** The store has granted what was asked for then. */
  renewed(asked: Clocks): void {
    this.#asked = asked;
  }

  /** How long it is still held, ms; 0: it is not. */
  leftMs(now: Clocks): number {
    if (this.#asked === undefined) return 0;
    const passed = Math.max(now.monotonic - this.#asked.monotonic, now.now - this.#asked.now);
    return Math.max(0, this.#lengthMs - passed);
  }
}
