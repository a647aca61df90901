import type { Logger } from '../../logging/index.ts';
import type { BatchBook } from '../batches/batch-book.ts';
import type { BatchStore } from '../batches/store.ts';
import type { DkimKeys } from '../dkim-keys.ts';
import type { RateMeter } from '../rate-meter.ts';
import type { RelayBook } from '../relays/relay-book.ts';
import type { SetTimer } from '../timers.ts';
import type { LeaseBook } from './lease-book.ts';
import type { TaskStore } from './store.ts';
import type { SuspectBook } from './suspect-book.ts';
import type { WorkerBook } from './worker-book.ts';

export interface DispatchSettings {
  readonly leaseMs: number;
  /** Aim for the size of a task, ms of a worker's work. */
  readonly taskMs: number;
}

/** The right to send the batches of this server, where others could take them over. */
export interface Tenancy {
  /** False: others may have taken over, so nothing is leased or renewed. By this server's own clock, without asking. */
  isHeld(): boolean;
}

/** What the parts of the dispatch share. */
export interface DispatchContext {
  readonly batches: BatchBook;
  readonly workers: WorkerBook;
  readonly relays: RelayBook;
  readonly leases: LeaseBook;
  readonly suspects: SuspectBook;
  /** Absent: no other server uses the store. */
  readonly tenancy?: Tenancy;
  readonly store: TaskStore & Pick<BatchStore, 'getBatch'>;
  /** Recipients settled per second. */
  readonly settled: RateMeter;
  readonly settings: DispatchSettings;
  readonly dkim: DkimKeys;
  readonly logger: Logger;
  /** ms since the epoch. */
  readonly now: () => number;
  /** ms, never going back. */
  readonly monotonic: () => number;
  readonly setTimer: SetTimer;
}
