import type { DatabaseSync } from 'node:sqlite';
import { RecentWorst } from '../../health/recent-worst.ts';
import { StoreError } from '../errors.ts';
import { storageFailure } from './failure.ts';

/** A group takes no more operations after this time, ms, so that sockets are served between two groups. */
const GROUP_BUDGET_MS = 25;

/** Operations that may wait. Callers wait for their answers before they ask on; this bounds the damage of one that does not. */
const MAX_QUEUED = 100_000;

/** A store of which nothing was asked for this long since it failed is no longer said to fail, ms: nobody knows. */
const FAILING_FOR_MS = 30_000;

/** While the disk is full and stays so, room is made in this time once, ms: it reads the whole log. */
const MAKE_ROOM_EVERY_MS = 10_000;

/** How long a slow commit is told of, ms. */
const SLOWEST_FOR_MS = 15_000;

/** What must happen to memory when a group ends. */
export interface GroupHooks {
  /** Writes what is changed only in memory, before the commit. */
  flush(): void;
  committed(): void;
  /** Forgets whatever the group changed in memory. */
  rolledBack(): void;
}

interface Operation {
  readonly kind: 'read' | 'write';
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Failure {
  readonly error: unknown;
}

interface Group {
  /** Operations taken from the front of the queue. */
  readonly taken: number;
  /** What tells those that were run how it went. */
  readonly answers: readonly (() => void)[];
  /** What made it roll back. */
  readonly failure?: Failure;
}

/**
 * Group commit: all operations asked for in one turn of the event loop share one transaction, and so one flush of the
 * disk; their promises resolve after the commit. Operations run in the order in which they were asked for, except that
 * reads wait for the end of their group: what they see is committed, and they need no room on the disk.
 *
 * - An operation refuses (throws a StoreError) before its first write, so that a refusal concerns nobody else.
 * - Trouble with the storage (disk full, …) rolls the group back and rejects all of it with STORE_UNAVAILABLE. The next
 *   group tries anew.
 * - Any other error is a mistake in one operation: the group is rolled back and run again one by one, so that only the
 *   culprit is rejected.
 */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #hooks: GroupHooks;
  #queue: Operation[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;
  #transactions = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #madeRoomAt = Number.NEGATIVE_INFINITY;
  readonly #commits = new RecentWorst(SLOWEST_FOR_MS, () => performance.now());
  readonly #onFailure: (error: StoreError) => void;

  /** @param onFailure the storage failed a group of writes */
  constructor(database: DatabaseSync, hooks: GroupHooks, onFailure: (error: StoreError) => void = () => {}) {
    this.#onFailure = onFailure;
    this.#database = database;
    this.#hooks = hooks;
  }

  get transactions(): number {
    return this.#transactions;
  }

  /** Whether the storage failed the last writes, a short while ago. */
  get failing(): boolean {
    return performance.now() - this.#failedAt < FAILING_FOR_MS;
  }

  /** The slowest commit of the last few seconds, ms. */
  get commitMs(): number {
    return this.#commits.value;
  }

  get queued(): number {
    return this.#queue.length;
  }

  write<T>(run: () => T): Promise<T> {
    return this.#enqueue('write', run);
  }

  read<T>(run: () => T): Promise<T> {
    return this.#enqueue('read', run);
  }

  /** Runs what was asked for, and refuses what comes later. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    while (this.#queue.length > 0) this.#runGroup();
  }

  #enqueue<T>(kind: Operation['kind'], run: () => T): Promise<T> {
    if (this.#closed) {
      return Promise.reject(
        new StoreError('STORE_UNAVAILABLE', 'the store is closed; the server is stopping'),
      );
    }
    if (this.#queue.length >= MAX_QUEUED) {
      return Promise.reject(
        new StoreError('STORE_UNAVAILABLE', `${MAX_QUEUED} operations wait for the store; try again`),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ kind, run, resolve, reject });
      this.#scheduled ??= setImmediate(() => this.#turn());
    });
  }

  #turn(): void {
    this.#scheduled = undefined;
    this.#runGroup();
    if (this.#queue.length > 0) this.#scheduled ??= setImmediate(() => this.#turn());
  }

  #runGroup(): void {
    const queue = this.#queue;
    const refused = queue.some(({ kind }) => kind === 'write') ? this.#begin() : undefined;
    const group: Group =
      refused === undefined ? this.#runUntilDue(queue) : { taken: queue.length, answers: [] };
    this.#queue = queue.slice(group.taken);
    const taken = queue.slice(0, group.taken);
    const writes = taken.filter(({ kind }) => kind === 'write');
    const failure = refused ?? group.failure ?? (writes.length === 0 ? undefined : this.#commit());
    if (failure === undefined) for (const answer of group.answers) answer();
    else this.#fail(writes, failure.error);
    for (const operation of taken) if (operation.kind === 'read') answerRead(operation);
  }

  /** Runs the writes among the first operations of the queue, as many as fit into the budget. */
  #runUntilDue(queue: readonly Operation[]): Group {
    const answers: (() => void)[] = [];
    const end = performance.now() + GROUP_BUDGET_MS;
    let taken = 0;
    try {
      for (const operation of queue) {
        if (taken > 0 && performance.now() > end) break;
        taken++;
        if (operation.kind === 'write') answers.push(runOne(operation));
      }
    } catch (error) {
      this.#rollBack();
      return { taken, answers, failure: { error } };
    }
    return { taken, answers };
  }

  #begin(): Failure | undefined {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#database.exec('BEGIN IMMEDIATE');
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #commit(): Failure | undefined {
    const begun = performance.now();
    try {
      this.#hooks.flush();
      this.#database.exec('COMMIT');
      this.#commits.add(performance.now() - begun);
    } catch (error) {
      this.#rollBack();
      return { error };
    }
    this.#transactions++;
    this.#hooks.committed();
    if (this.#failedAt !== Number.NEGATIVE_INFINITY) this.#recovered();
    return undefined;
  }

  /** There is room again, perhaps only for a moment: used first for what the log takes twice. */
  #recovered(): void {
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.#makeRoom();
    // It helped: on a disk that is merely small it is done again as soon as the log has filled it.
    this.#madeRoomAt = Number.NEGATIVE_INFINITY;
  }

  /** Copies the write-ahead log into the file and cuts it off. Where that fails too, nothing is worse than before. */
  #makeRoom(): void {
    this.#madeRoomAt = performance.now();
    try {
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {}
  }

  #rollBack(): void {
    this.#hooks.rolledBack();
    // SQLite ends the transaction by itself after some errors of the storage, and may be unable to end it after others:
    // then the next group tries again.
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {}
  }

  #fail(writes: readonly Operation[], error: unknown): void {
    const storage = storageFailure(error);
    const [first] = writes;
    if (storage !== undefined) {
      this.#failedAt = performance.now();
      this.#onFailure(storage);
      for (const operation of writes) operation.reject(storage);
      if (performance.now() - this.#madeRoomAt > MAKE_ROOM_EVERY_MS) this.#makeRoom();
    } else if (writes.length === 1) first?.reject(error);
    else for (const operation of writes) this.#runAlone(operation);
  }

  #runAlone(operation: Operation): void {
    const refused = this.#begin();
    const group: Group = refused === undefined ? this.#runUntilDue([operation]) : { taken: 1, answers: [] };
    const failure = refused ?? group.failure ?? this.#commit();
    if (failure === undefined) for (const answer of group.answers) answer();
    else this.#fail([operation], failure.error);
  }
}

/** Runs a write, and tells how to answer it once it is committed. */
function runOne(operation: Operation): () => void {
  try {
    const value = operation.run();
    return () => operation.resolve(value as never);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return () => operation.reject(error);
  }
}

function answerRead(read: Operation): void {
  try {
    read.resolve(read.run() as never);
  } catch (error) {
    read.reject(storageFailure(error) ?? error);
  }
}
