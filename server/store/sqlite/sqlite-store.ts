import type { DatabaseSync } from 'node:sqlite';
import { WarnLimiter } from '../../../logging/index.ts';
import type { SeqRanges } from '../../../protocol/index.ts';
import type { BatchFigures, BatchRecord } from '../../batches/batch.ts';
import type {
  BatchDraft,
  Decision,
  ListedState,
  PossibleDuplicate,
  RecipientDetail,
  StoredRecipient,
} from '../../batches/store.ts';
import type {
  Claim,
  ClaimRequest,
  Expired,
  Expiry,
  Lease,
  Moved,
  Settled,
  Settlement,
  StoredSuspicion,
} from '../../dispatch/store.ts';
import type { InstanceRecord, StorePlace } from '../../instance/store.ts';
import type { LoanRecord } from '../../mesh/store.ts';
import { StoreError } from '../errors.ts';
import * as actions from '../operations/actions.ts';
import { claim } from '../operations/claim.ts';
import { expire } from '../operations/expire.ts';
import { type BatchExpiry, expireBatch } from '../operations/expire-batch.ts';
import { type CommitEnd, Intake, recordOf } from '../operations/intake.ts';
import { Removal } from '../operations/removal.ts';
import { resolveUnknown } from '../operations/resolve.ts';
import { settle } from '../operations/settle.ts';
import type { StoreLogger } from '../operations/tidying.ts';
import type { Audit, Store, StoreSnapshot } from '../store.ts';
import { audit } from './audit.ts';
import { type Connection, connect } from './connection.ts';
import { placeOf } from './file-place.ts';
import { GroupCommit } from './group-commit.ts';
import { Housekeeping } from './housekeeping.ts';
import { Lists } from './lists.ts';
import { SoleOwner } from './sole-owner.ts';
import { Tables } from './tables.ts';

/** Whoever could not store something asks again every second: one line about the same trouble in this time, ms. */
const ONE_FAILURE_PER_MS = 60_000;

export interface SqliteOptions {
  /** Data folder; made when it is not there. One process at a time. */
  readonly folder: string;
  readonly logger?: StoreLogger;
  /** ms since the epoch; for the housekeeping. */
  readonly now?: () => number;
}

/** What a started store consists of. */
interface Parts {
  readonly connection: Connection;
  readonly tables: Tables;
  readonly commits: GroupCommit;
  readonly intake: Intake;
  readonly lists: Lists;
  readonly removal: Removal;
  readonly housekeeping: Housekeeping;
}

/** The store in one SQLite file in the data folder. Call `start` before anything else. */
export function openSqliteStore(options: SqliteOptions): SqliteStore {
  return new SqliteStore(options);
}

/**
 * Every operation is a synchronous function over the tables; this class only puts it into a group (see GroupCommit). New →
 * started → stopped; it is not started twice.
 */
export class SqliteStore extends SoleOwner implements Store {
  readonly #options: SqliteOptions;
  #parts: Parts | undefined;
  #stopped = false;

  constructor(options: SqliteOptions) {
    super();
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#parts !== undefined || this.#stopped) return;
    const { folder, logger, now = Date.now } = this.#options;
    const connection = connect(folder);
    const { database } = connection;
    const tables = new Tables(database);
    const warnings = logger && new WarnLimiter(logger, () => performance.now(), ONE_FAILURE_PER_MS);
    const commits = new GroupCommit(database, tables, (error) =>
      warnings?.warn(
        error.message,
        { cause: error.cause instanceof Error ? error.cause.message : undefined },
        error.message,
      ),
    );
    const intake = new Intake(tables);
    const removal = new Removal((run) => commits.write(run), intake, logger);
    const housekeeping = new Housekeeping(commits, tables, removal, now);
    const lists = new Lists(database);
    this.#parts = { connection, tables, commits, intake, lists, removal, housekeeping };
    housekeeping.start();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#parts?.housekeeping.stop();
    this.#parts?.commits.close();
    this.#parts?.connection.close();
  }

  snapshot(): StoreSnapshot {
    return {
      kind: 'sqlite',
      location: this.#parts?.connection.file ?? this.#options.folder,
      transactions: this.#parts?.commits.transactions ?? 0,
      queued: this.#parts?.commits.queued ?? 0,
      failing: this.#parts?.commits.failing ?? false,
      commitMs: this.#parts?.commits.commitMs ?? 0,
    };
  }

  /** Works on the connection between two groups: for tests and for maintenance. */
  withConnection<T>(work: (database: DatabaseSync) => T): T {
    return work(this.#started.connection.database);
  }

  findKey(key: string): Promise<{ uuid: string; fingerprint: string } | undefined> {
    return this.#read(({ tables }) => tables.batches.byKey(key));
  }

  openBatch(draft: BatchDraft): Promise<void> {
    return this.#write(({ intake }) => intake.open(draft));
  }

  addRecipients(uuid: string, from: number, rows: readonly StoredRecipient[]): Promise<void> {
    return this.#write(({ intake }) => intake.add(uuid, from, rows));
  }

  commitBatch(uuid: string, end: CommitEnd): Promise<BatchRecord> {
    return this.#write(({ intake }) => intake.commit(uuid, end));
  }

  async dropOpenBatch(uuid: string): Promise<void> {
    await this.#started.removal.drop(uuid);
  }

  getBatch(uuid: string): Promise<BatchRecord | undefined> {
    return this.#read(({ tables }) => {
      const batch = tables.batches.committed(uuid);
      return batch === undefined ? undefined : recordOf(tables, batch, true);
    });
  }

  listBatches(limit: number): Promise<readonly BatchRecord[]> {
    return this.#read(({ tables }) =>
      tables.batches.newest(limit).map((batch) => recordOf(tables, batch, false)),
    );
  }

  unfinishedBatches(): Promise<readonly BatchRecord[]> {
    return this.#read(({ tables }) =>
      tables.batches.unfinished().map((batch) => recordOf(tables, batch, true)),
    );
  }

  listRecipients(
    uuid: string,
    state: ListedState,
    after: number,
    limit: number,
  ): Promise<readonly RecipientDetail[]> {
    return this.#read(({ tables, lists }) => {
      const batch = tables.batches.committed(uuid);
      return batch === undefined ? [] : lists.list(batch.id, state, after, limit);
    });
  }

  pauseBatch(uuid: string): Promise<BatchFigures | undefined> {
    return this.#write(({ tables }) => actions.pause(tables, uuid));
  }

  resumeBatch(uuid: string): Promise<BatchFigures | undefined> {
    return this.#write(({ tables }) => actions.resume(tables, uuid));
  }

  cancelBatch(uuid: string, now: number): Promise<BatchFigures | undefined> {
    return this.#write(({ tables }) => actions.cancel(tables, uuid, now));
  }

  retryFailed(uuid: string): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#write(({ tables }) => actions.retryFailed(tables, uuid));
  }

  resolveUnknown(
    uuid: string,
    decision: Decision,
    seqs: SeqRanges | undefined,
    now: number,
  ): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#write(({ tables }) => resolveUnknown(tables, uuid, decision, seqs, now));
  }

  possibleDuplicates(uuid: string, after: number, limit: number): Promise<readonly PossibleDuplicate[]> {
    return this.#read(({ tables }) => {
      const batch = tables.batches.committed(uuid);
      return batch === undefined ? [] : tables.duplicates.list(batch.id, after, limit);
    });
  }

  expireBatch(
    uuid: string,
    expiry: BatchExpiry,
  ): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#write(({ tables }) => expireBatch(tables, uuid, expiry));
  }

  claim(request: ClaimRequest): Promise<Claim | undefined> {
    return this.#write(({ tables }) => {
      const leased = claim(tables, request);
      if (leased === undefined) return undefined;
      const fresh = leased.fresh.flatMap((range) => tables.recipients.fresh(leased.batch, range));
      return { recipients: [...leased.again, ...fresh], figures: leased.figures };
    });
  }

  settle(settlement: Settlement): Promise<Settled | undefined> {
    return this.#write(({ tables }) => settle(tables, settlement));
  }

  expire(expiry: Expiry): Promise<Expired | undefined> {
    return this.#write(({ tables }) => expire(tables, expiry));
  }

  suspicions(): Promise<readonly StoredSuspicion[]> {
    return this.#read(({ tables }) => tables.suspicions.unfinished());
  }

  leases(): Promise<readonly Lease[]> {
    return this.#read(({ tables }) =>
      tables.tasks.live().map((task) => ({
        task: task.uuid,
        batch: tables.batches.byId(task.batch).uuid,
        worker: task.worker,
        relay: task.relay,
        remaining: [...task.again, ...task.fresh],
        claimedAt: task.claimedAt,
      })),
    );
  }

  promoteDue(
    now: number,
    limit: number,
  ): Promise<{ readonly moved: readonly Moved[]; readonly nextDueAt?: number }> {
    return this.#write(({ tables }) => actions.promoteDue(tables, now, limit));
  }

  putBack(batch: string, seqs: SeqRanges, dueAt: number): Promise<Moved | undefined> {
    return this.#write(({ tables }) => actions.putBack(tables, batch, seqs, dueAt));
  }

  openLoans(): Promise<readonly LoanRecord[]> {
    return this.#read(({ tables }) => tables.loans.open());
  }

  saveLoans(loans: readonly LoanRecord[]): Promise<void> {
    return this.#write(({ tables }) => tables.loans.save(loans));
  }

  endLoan(loan: string, returned: boolean): Promise<void> {
    return this.#write(({ tables }) => tables.loans.end(loan, returned));
  }

  loanTotals(): Promise<{ readonly made: number; readonly returned: number; readonly lost: number }> {
    return this.#read(({ tables }) => tables.loans.totals());
  }

  place(): StorePlace {
    return placeOf(this.#started.connection.file);
  }

  lastInstance(): Promise<InstanceRecord | undefined> {
    return this.#read(({ tables }) => tables.instance.last());
  }

  beginInstance(host: string | undefined, now: number): Promise<number> {
    const place = this.place();
    return this.#write(({ tables }) => tables.instance.begin(place, host, now));
  }

  touchInstance(now: number): Promise<void> {
    return this.#write(({ tables }) => tables.instance.touch(now));
  }

  audit(uuid: string): Promise<Audit> {
    return this.#read(({ tables, connection }) => {
      const batch = tables.batches.committed(uuid);
      if (batch === undefined) throw new RangeError(`there is no batch ${uuid}`);
      return audit(connection.database, tables, batch);
    });
  }

  async #write<T>(work: (parts: Parts) => T): Promise<T> {
    const parts = this.#started;
    return parts.commits.write(() => work(parts));
  }

  async #read<T>(work: (parts: Parts) => T): Promise<T> {
    const parts = this.#started;
    return parts.commits.read(() => work(parts));
  }

  get #started(): Parts {
    if (this.#parts !== undefined) return this.#parts;
    throw new StoreError('STORE_UNAVAILABLE', 'the store is not started');
  }
}
