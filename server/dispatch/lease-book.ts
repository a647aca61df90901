import { countSeqs, type SeqRanges } from '../../protocol/index.ts';

/** A task that is out. */
export interface LeaseEntry {
  readonly task: string;
  readonly batch: string;
  readonly worker: string;
  readonly relay: string;
  /** All recipients of the task. */
  readonly seqs: SeqRanges;
  /** Attempts behind the recipients that have any. */
  readonly attempts: ReadonlyMap<number, number>;
  /** Most transactions that its worker has begun and not reported. */
  inFlight: number;
  /** Recipients not settled. */
  remaining: number;
  /** Monotonic ms. */
  deadline: number;
  /** Its recipients are suspects, and its worker has nothing else. */
  readonly examined?: boolean;
}

/** Expired leases that are remembered, so that a late report which speaks for the whole task is understood. */
const MAX_PAST = 10_000;

/** The leases that are out, by task. */
export class LeaseBook {
  readonly #leases = new Map<string, LeaseEntry>();
  readonly #past = new Map<string, LeaseEntry>();

  get(task: string): LeaseEntry | undefined {
    return this.#leases.get(task);
  }

  /** A lease that is out or has expired not long ago. */
  recall(task: string): LeaseEntry | undefined {
    return this.#leases.get(task) ?? this.#past.get(task);
  }

  get size(): number {
    return this.#leases.size;
  }

  all(): Iterable<LeaseEntry> {
    return this.#leases.values();
  }

  ofBatch(batch: string): LeaseEntry[] {
    return [...this.#leases.values()].filter((lease) => lease.batch === batch);
  }

  add(lease: Omit<LeaseEntry, 'remaining'> & { remaining?: number }): LeaseEntry {
    const entry = { ...lease, remaining: lease.remaining ?? countSeqs(lease.seqs) };
    this.#leases.set(entry.task, entry);
    return entry;
  }

  /** It is settled. */
  end(task: string): void {
    this.#leases.delete(task);
  }

  /** Its worker has not been heard of in time. */
  expire(task: string): void {
    const lease = this.#leases.get(task);
    if (lease === undefined) return;
    this.#leases.delete(task);
    this.#past.set(task, lease);
    if (this.#past.size > MAX_PAST) this.#past.delete(this.#past.keys().next().value as string);
  }

  /** All have so much longer, ms. */
  postpone(byMs: number): void {
    for (const lease of this.#leases.values()) lease.deadline += byMs;
  }

  /** Leases whose deadline has passed. */
  overdue(now: number): LeaseEntry[] {
    return [...this.#leases.values()].filter((lease) => lease.deadline <= now);
  }

  /** Recipients that are out. */
  recipients(): number {
    let count = 0;
    for (const lease of this.#leases.values()) count += lease.remaining;
    return count;
  }
}
