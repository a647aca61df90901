import type { StateCounts } from '../batches/batch.ts';
import type { BatchStore } from '../batches/store.ts';
import type { TaskStore } from '../dispatch/store.ts';
import type { InstanceStore } from '../instance/store.ts';
import type { LoanStore } from '../mesh/store.ts';
import type { OwnerStore } from '../owners/store.ts';

/** What a reading of every row finds. */
export interface Audit {
  /** The states counted anew. */
  readonly counts: StateCounts;
  /** What does not fit together, for people; empty when all is well. */
  readonly problems: readonly string[];
}

export interface StoreSnapshot {
  /** `sqlite` or `postgres`. */
  readonly kind: string;
  /** File or address, without secrets. */
  readonly location: string;
  /** Commits since the start. */
  readonly transactions: number;
  /** Operations asked for and not yet begun. */
  readonly queued: number;
  /** The last writes failed, a short while ago, for want of room or the like. */
  readonly failing: boolean;
  /** The slowest commit of the last few seconds, one under way included, ms; absent: not measured. */
  readonly commitMs?: number;
}

/** A durable store. Its users each declare the part they need; every backend passes one contract suite. */
export interface Store extends BatchStore, TaskStore, LoanStore, InstanceStore, OwnerStore {
  /** @throws StoreError STORE_IN_USE, STORE_NOT_WRITABLE, STORE_DAMAGED, STORE_TOO_NEW. */
  start(): Promise<void>;
  /** Commits what was asked for, and closes. What is asked for later is refused with STORE_UNAVAILABLE. */
  stop(): Promise<void>;
  /**
   * Reads every row and counts the states of a batch anew: what the counters must equal. For tests and for `verify`;
   * its cost grows with the batch.
   */
  audit(uuid: string): Promise<Audit>;
  snapshot(): StoreSnapshot;
}
