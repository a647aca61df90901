/** Where a store lives, as far as it can be told; two that differ in `id` are two stores. */
export interface StorePlace {
  /** What a copy does not have in common with its original: of a file its inode and time of birth, of a database its name in its cluster. */
  readonly id: string;
  /** File or address, without secrets; for people. */
  readonly path: string;
}

/** The last run of a server on a store. */
export interface InstanceRecord {
  /** Raised by every start, from 1. */
  readonly epoch: number;
  /** Where the store was. */
  readonly place: StorePlace;
  /** The machine on which the server ran; undefined: unknown. */
  readonly host: string | undefined;
  /** The last time at which the server is known to have run, ms since the epoch. */
  readonly aliveAt: number;
}

/**
 * What a server needs of its store to notice that it is a copy, or was asleep for long. Several servers on one database
 * share one record.
 */
export interface InstanceStore {
  /** Where the store is now. */
  place(): StorePlace;
  /** What the last start left; undefined: it was never started. */
  lastInstance(): Promise<InstanceRecord | undefined>;
  /** Raises the epoch, and remembers where the store is now, on which machine, and when. @returns the new epoch */
  beginInstance(host: string | undefined, now: number): Promise<number>;
  /** The server still runs: `aliveAt` becomes `now`; where several share the record, the latest time counts. A write like any other: it fails when the store cannot write. */
  touchInstance(now: number): Promise<void>;
}
