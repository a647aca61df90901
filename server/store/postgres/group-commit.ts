import { setImmediate as nextTurn } from 'node:timers/promises';
import { DatabaseError } from 'pg';
import { RecentWorst } from '../../health/recent-worst.ts';
import { StoreError } from '../errors.ts';
import { numberArray } from './array-text.ts';
import { BATCHES_ADOPTED, isCollision, NAME_TAKEN_OVER, sqlState, storageFailure } from './failure.ts';
import { CommitFirst, NotLoaded, type Read } from './scope.ts';
import type { WorkingSet } from './working-set.ts';
import { nameLost, Unresolved, type Writer } from './writer.ts';

/** A group takes no more operations after this time, ms, so that sockets are served between two groups. */
const GROUP_BUDGET_MS = 25;

/** Nor after so many bytes of recipients: they are in memory thrice meanwhile. */
const GROUP_BYTES = 8 * 1024 * 1024;

/** Operations that may wait. Callers wait for their answers before they ask on; this bounds the damage of one that does not. */
const MAX_QUEUED = 100_000;

/** A store of which nothing was asked for this long since it failed is no longer said to fail, ms: nobody knows. */
const FAILING_FOR_MS = 30_000;

/** How long a slow commit is told of, ms. */
const SLOWEST_FOR_MS = 15_000;

/** Times that one operation may ask for something more to be read. */
const MAX_LOADS = 1_000;

/** Times that a group is tried when another transaction is in its way. */
const MAX_TRIES = 4;

type Run = (tables: WorkingSet) => unknown;

interface Operation {
  readonly run: Run;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  /** Undoes it, should it turn out to have been committed after its caller was told that it was not. */
  readonly revoke: Run | undefined;
  loaded: Map<string, unknown>;
  tries: number;
  /** It failed a group: it is run by itself. */
  alone: boolean;
}

/**
 * Group commit: the operations asked for while the last group was under way share one transaction, one way to the database and
 * back, and one flush of its disk. They run in the order in which they were asked for, in memory, and are answered after the commit.
 *
 * - An operation that throws is undone, and concerns nobody else.
 * - Trouble with the database or the way there rejects the group with STORE_UNAVAILABLE; what it changed in memory is forgotten,
 *   and read anew when it is needed. The next group tries again.
 * - When the fence says that some batches were adopted, the group is run again without them: their operations find that out
 *   and throw NOT_OWNER.
 * - After any other error (a mistake in one operation) the group is run again one by one, so that only the culprit is rejected.
 * - When nobody can tell whether a group was committed (see Writer), it is rejected as unavailable. Should it turn out later that it
 *   was, what its callers believe not to have happened is undone.
 */
export class GroupCommit {
  readonly #set: WorkingSet;
  readonly #writer: Writer;
  readonly #onFailure: (error: StoreError) => void;
  readonly #onAdopted: (batches: readonly string[]) => void;
  readonly #commits = new RecentWorst(SLOWEST_FOR_MS, () => performance.now());
  readonly #queue: Operation[] = [];
  /** What may have to be undone: when the group of that number was committed; undefined: it was. */
  #doubtful: { readonly groupNo: number | undefined; readonly revoke: Run }[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #turning: Promise<void> | undefined;
  #closed = false;
  #transactions = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #commitBegun: number | undefined;

  /**
   * @param onFailure the database failed a group of writes
   * @param onAdopted these batches were adopted by other servers
   */
  constructor(
    set: WorkingSet,
    writer: Writer,
    onFailure: (error: StoreError) => void,
    onAdopted: (batches: readonly string[]) => void,
  ) {
    this.#onAdopted = onAdopted;
    this.#set = set;
    this.#writer = writer;
    this.#onFailure = onFailure;
  }

  get transactions(): number {
    return this.#transactions;
  }

  get failing(): boolean {
    return performance.now() - this.#failedAt < FAILING_FOR_MS;
  }

  /** The slowest commit of the last few seconds, one under way included, ms. */
  get commitMs(): number {
    const underWay = this.#commitBegun === undefined ? 0 : performance.now() - this.#commitBegun;
    return Math.max(this.#commits.value, underWay);
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** @param revoke see Operation */
  write<T>(run: (tables: WorkingSet) => T, revoke?: Run): Promise<T> {
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
    const answer = new Promise<T>((resolve, reject) => {
      this.#queue.push({ run, resolve, reject, revoke, loaded: new Map(), tries: 0, alone: false });
    });
    this.#last = answer.catch(() => {});
    this.#turning ??= this.#turn();
    return answer;
  }

  /** Resolves when all that was asked for so far was answered. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Refuses what comes from now on, and resolves when all that was asked for was answered. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turning;
  }

  async #turn(): Promise<void> {
    // What is asked for in this turn of the event loop, also by those who were just answered, shares a group.
    await nextTurn();
    while (this.#queue.length > 0) {
      await this.#group();
      await nextTurn();
    }
    this.#turning = undefined;
  }

  async #group(): Promise<void> {
    const ran: Operation[] = [];
    const answers: (() => void)[] = [];
    try {
      await this.#revokeDoubtful();
      const end = performance.now() + GROUP_BUDGET_MS;
      while (this.#hasRoom(ran, end)) {
        const operation = this.#queue[0] as Operation;
        const answer = await this.#run(operation);
        if (answer === 'commit first') break;
        this.#queue.shift();
        ran.push(operation);
        answers.push(answer);
      }
      await this.#commit();
    } catch (error) {
      if (sqlState(error) === BATCHES_ADOPTED) this.#onAdopted(this.#namesIn(error));
      this.#set.rolledBack();
      this.#failed(ran, error);
      return;
    }
    for (const answer of answers) answer();
  }

  #hasRoom(ran: readonly Operation[], end: number): boolean {
    const next = this.#queue[0];
    if (next === undefined || ran[0]?.alone === true) return false;
    if (ran.length === 0) return true;
    return !next.alone && performance.now() < end && this.#set.bytes < GROUP_BYTES;
  }

  /** Runs one operation, reading what it needs; tells how to answer it once the group is committed. */
  async #run(operation: Operation): Promise<(() => void) | 'commit first'> {
    const read: Read = (statement, values) => this.#writer.read(statement, values);
    for (let loads = 0; ; loads++) {
      try {
        const value = this.#set.run(operation.run, operation.loaded);
        return () => operation.resolve(value as never);
      } catch (error) {
        if (error instanceof CommitFirst) {
          operation.loaded = new Map();
          return 'commit first';
        }
        if (!(error instanceof NotLoaded) || loads >= MAX_LOADS) return () => operation.reject(error);
        try {
          await error.load(read);
        } catch (trouble) {
          if (storageFailure(trouble) !== undefined) throw trouble;
          return () => operation.reject(trouble);
        }
      }
    }
  }

  async #commit(): Promise<void> {
    const set = this.#set;
    if (set.isClean) {
      set.committed();
      return;
    }
    const { readings } = set.recipients;
    const { ids, epochs } = set.batches.fenced();
    const fenced = { ids: numberArray(ids), epochs: numberArray(epochs) };
    const steps = [...set.steps(), ...readings.map(({ step }) => step)];
    this.#commitBegun = performance.now();
    try {
      const { rows } = await this.#writer.write(steps, fenced);
      const read = rows?.slice(steps.length - readings.length);
      for (const [i, reading] of readings.entries()) reading.rows = read?.[i];
      this.#commits.add(performance.now() - this.#commitBegun);
    } finally {
      this.#commitBegun = undefined;
    }
    this.#transactions++;
    this.#failedAt = Number.NEGATIVE_INFINITY;
    set.committed();
  }

  #failed(ran: readonly Operation[], error: unknown): void {
    const state = sqlState(error);
    const again = ran.map((operation) => ({ ...operation, loaded: new Map(), tries: operation.tries + 1 }));
    const mayTry = again.every(({ tries }) => tries < MAX_TRIES);
    const isOwnership =
      state === NAME_TAKEN_OVER || (error instanceof StoreError && error.code === 'NOT_OWNER');
    if (isOwnership) {
      this.#rejectAll(ran, error instanceof StoreError ? error : nameLost(error));
      return;
    }
    if (mayTry && (state === BATCHES_ADOPTED || isCollision(error))) {
      this.#queue.unshift(...again);
      return;
    }
    if (error instanceof Unresolved) {
      for (const { revoke } of ran)
        if (revoke !== undefined) this.#doubtful.push({ groupNo: error.groupNo, revoke });
    }
    const storage = storageFailure(error);
    if (storage !== undefined) {
      this.#failedAt = performance.now();
      this.#onFailure(storage);
      this.#rejectAll(ran, storage);
    } else if (mayTry && ran.length > 0) {
      this.#queue.unshift(...again.map((operation) => ({ ...operation, alone: true })));
    } else this.#rejectAll(ran, error);
  }

  /** The batches that the fence tells of. */
  #namesIn(error: unknown): string[] {
    const detail = error instanceof DatabaseError ? (error.detail ?? '') : '';
    return detail.split(',').flatMap((id) => this.#set.batches.inMemory(Number(id))?.uuid ?? []);
  }

  /** All that ran, or else what would be next, so that trouble that meets nobody's operation is told to someone. */
  #rejectAll(ran: readonly Operation[], error: unknown): void {
    const rejected = ran.length > 0 ? ran : this.#queue.splice(0);
    for (const operation of rejected) operation.reject(error);
  }

  /** Undoes what was committed after all, before anything else is done. */
  async #revokeDoubtful(): Promise<void> {
    if (this.#doubtful.length === 0) return;
    await this.#writer.connect();
    const { lastCommitted } = this.#writer;
    const doubtful = this.#doubtful;
    this.#doubtful = [];
    // At most one group is in doubt at a time: none is written before the last one is resolved.
    const committed = doubtful.filter(({ groupNo = lastCommitted }) => groupNo === lastCommitted);
    this.#queue.unshift(
      ...committed.map(({ revoke }) => ({
        run: revoke,
        resolve: () => {},
        reject: (error: unknown) => {
          if (storageFailure(error) !== undefined) this.#doubtful.push({ groupNo: undefined, revoke });
        },
        revoke: undefined,
        loaded: new Map(),
        tries: 0,
        alone: false,
      })),
    );
  }
}
