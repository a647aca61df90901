import type { BatchStore } from '../batches/store.ts';
import type { TaskStore } from '../dispatch/store.ts';
import type { LoanStore } from '../mesh/store.ts';

/** A durable store. Its users each declare the part they need; every backend passes one contract suite. */
export interface Store extends BatchStore, TaskStore, LoanStore {
  /** @throws StoreError STORE_IN_USE, STORE_NOT_WRITABLE, STORE_TOO_NEW. */
  start(): Promise<void>;
  /** Commits what was asked for, and closes. */
  stop(): Promise<void>;
  /**
   * Reads every row and counts the states of a batch anew: what the counters must equal. For tests and for `verify`;
   * its cost grows with the batch.
   */
  audit(uuid: string): Promise<{ readonly counts: import('../batches/batch.ts').StateCounts; readonly problems: readonly string[] }>;
  snapshot(): { readonly kind: string; readonly location: string; readonly transactions: number; readonly queued: number };
}
