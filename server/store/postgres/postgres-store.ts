import { Client, type ClientConfig } from 'pg';
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
import type {
  Adopted,
  OwnerRequest,
  Registration,
  Renewal,
  ServerRecord,
  StoreChange,
} from '../../owners/store.ts';
import { isNotOwner, StoreError } from '../errors.ts';
import * as actions from '../operations/actions.ts';
import { figuresOf } from '../operations/batch.ts';
import { claim } from '../operations/claim.ts';
import { expire } from '../operations/expire.ts';
import { type BatchExpiry, expireBatch } from '../operations/expire-batch.ts';
import { type CommitEnd, Intake } from '../operations/intake.ts';
import { Removal } from '../operations/removal.ts';
import { resolveUnknown } from '../operations/resolve.ts';
import { settle } from '../operations/settle.ts';
import type { StoreLogger } from '../operations/tidying.ts';
import type { Audit, Store, StoreSnapshot } from '../store.ts';
import { clientConfig, publicAddress } from './address.ts';
import { BatchReader } from './batch-reader.ts';
import { openingFailure } from './failure.ts';
import { GroupCommit } from './group-commit.ts';
import { Housekeeping } from './housekeeping.ts';
import { Instance } from './instance.ts';
import { Listener } from './listener.ts';
import { Loans } from './loans.ts';
import { Mailbox } from './mailbox.ts';
import { migrate } from './migrate.ts';
import { Owners } from './owners.ts';
import { Reader } from './reader.ts';
import { recipientsOf } from './recipient-rows.ts';
import { WorkingSet } from './working-set.ts';
import { ANSWER_WITHIN_MS, type Name, Writer } from './writer.ts';

/** Whoever could not store something asks again every second: one line about the same trouble in this time, ms. */
const ONE_FAILURE_PER_MS = 60_000;

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; more by the parameters of libpq, such as `?sslmode=verify-full`. */
  readonly url: string;
  readonly logger?: StoreLogger;
  /** ms since the epoch; for the housekeeping. */
  readonly now?: () => number;
  /** How long it may take to get a connection, ms. */
  readonly connectWithinMs?: number;
  /** How long an answer is waited for over a line that says nothing, ms. */
  readonly answerWithinMs?: number;
  /** How long it is tried to find out what became of a group of writes whose answer was lost, ms. */
  readonly resolveWithinMs?: number;
}

/** The store in a PostgreSQL database that several servers may share. Call `start`, then `register`, before anything else. */
export function openPostgresStore(options: PostgresOptions): PostgresStore {
  return new PostgresStore(options);
}

/**
 * Every write is a synchronous function over the working set, put into a group (see GroupCommit) on the one connection that
 * writes; reads see what is committed, over a small pool. New → started → registered → stopped; it is not started twice.
 */
export class PostgresStore implements Store {
  readonly isShared = true;
  readonly #config: ClientConfig;
  readonly #location: string;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #listener: Listener;
  readonly #set = new WorkingSet();
  readonly #commits: GroupCommit;
  readonly #intake = new Intake(this.#set);
  readonly #batches: BatchReader;
  readonly #owners: Owners;
  readonly #mailbox: Mailbox;
  readonly #loans: Loans;
  readonly #instance: Instance;
  readonly #removal: Removal;
  readonly #housekeeping: Housekeeping;
  readonly #onNotOwner = new Set<(batch: string | undefined) => void>();
  #place: StorePlace | undefined;
  #state: 'new' | 'started' | 'stopped' = 'new';

  constructor(options: PostgresOptions) {
    const { url, logger, now = Date.now } = options;
    this.#location = publicAddress(url);
    const config = clientConfig(url, options.connectWithinMs);
    this.#config = config;
    this.#writer = new Writer(config, options);
    this.#reader = new Reader({ ...config, query_timeout: options.answerWithinMs ?? ANSWER_WITHIN_MS });
    this.#listener = new Listener(config, () => this.#writer.name?.server);
    const warnings = logger && new WarnLimiter(logger, () => performance.now(), ONE_FAILURE_PER_MS);
    this.#commits = new GroupCommit(
      this.#set,
      this.#writer,
      (error) =>
        warnings?.warn(
          error.message,
          { cause: error.cause instanceof Error ? error.cause.message : undefined },
          error.message,
        ),
      (batches) => this.#owners.adopted(batches),
    );
    this.#batches = new BatchReader(this.#reader);
    const parts = { reader: this.#reader, batches: this.#batches, writer: this.#writer, set: this.#set };
    this.#owners = new Owners(parts);
    this.#mailbox = new Mailbox(this.#reader, this.#listener);
    this.#loans = new Loans(this.#reader);
    this.#instance = new Instance(this.#reader);
    this.#removal = new Removal((run) => this.#commits.write(run), this.#intake, logger);
    this.#housekeeping = new Housekeeping({
      removal: this.#removal,
      reader: this.#reader,
      mailbox: this.#mailbox,
      server: () => this.#writer.name?.server,
      now,
    });
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    try {
      await this.#migrate();
      this.#place = await this.#instance.place(this.#location);
    } catch (error) {
      if (error instanceof StoreError && error.code !== 'STORE_UNAVAILABLE') throw error;
      throw openingFailure(error, this.#location);
    }
    this.#state = 'started';
    this.#listener.start();
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#housekeeping.stop();
    await this.#commits.close();
    await Promise.all([this.#writer.close(), this.#reader.close(), this.#listener.stop()]);
  }

  snapshot(): StoreSnapshot {
    return {
      kind: 'postgres',
      location: this.#location,
      transactions: this.#commits.transactions,
      queued: this.#commits.queued,
      failing: this.#commits.failing,
      commitMs: this.#commits.commitMs,
    };
  }

  findKey(key: string): Promise<{ uuid: string; fingerprint: string } | undefined> {
    return this.#read(() => this.#batches.findKey(key));
  }

  openBatch(draft: BatchDraft): Promise<void> {
    return this.#write(
      () => this.#intake.open(draft),
      () => this.#intake.drop(draft.uuid),
    );
  }

  addRecipients(uuid: string, from: number, rows: readonly StoredRecipient[]): Promise<void> {
    return this.#write(() => this.#intake.add(uuid, from, rows));
  }

  commitBatch(uuid: string, end: CommitEnd): Promise<BatchRecord> {
    return this.#write(
      () => this.#intake.commit(uuid, end),
      () => this.#intake.revoke(uuid),
    );
  }

  async dropOpenBatch(uuid: string): Promise<void> {
    this.#checkStarted();
    await this.#removal.drop(uuid);
  }

  getBatch(uuid: string): Promise<BatchRecord | undefined> {
    return this.#read(() => this.#batches.get(uuid));
  }

  listBatches(limit: number): Promise<readonly BatchRecord[]> {
    return this.#read(() => this.#batches.newest(limit));
  }

  unfinishedBatches(): Promise<readonly BatchRecord[]> {
    return this.#read(() => this.#batches.unfinished(this.#name.server));
  }

  listRecipients(
    uuid: string,
    state: ListedState,
    after: number,
    limit: number,
  ): Promise<readonly RecipientDetail[]> {
    return this.#read(() => this.#batches.recipients(uuid, state, after, limit));
  }

  pauseBatch(uuid: string): Promise<BatchFigures | undefined> {
    return this.#writeOwn(uuid, (tables) => actions.pause(tables, uuid));
  }

  resumeBatch(uuid: string): Promise<BatchFigures | undefined> {
    return this.#writeOwn(uuid, (tables) => actions.resume(tables, uuid));
  }

  cancelBatch(uuid: string, now: number): Promise<BatchFigures | undefined> {
    return this.#writeOwn(uuid, (tables) => actions.cancel(tables, uuid, now));
  }

  retryFailed(uuid: string): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#writeOwn(uuid, (tables) => actions.retryFailed(tables, uuid));
  }

  expireBatch(
    uuid: string,
    expiry: BatchExpiry,
  ): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#writeOwn(uuid, (tables) => expireBatch(tables, uuid, expiry));
  }

  resolveUnknown(
    uuid: string,
    decision: Decision,
    seqs: SeqRanges | undefined,
    now: number,
  ): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#writeOwn(uuid, (tables) => resolveUnknown(tables, uuid, decision, seqs, now));
  }

  possibleDuplicates(uuid: string, after: number, limit: number): Promise<readonly PossibleDuplicate[]> {
    return this.#read(() => this.#batches.possibleDuplicates(uuid, after, limit));
  }

  /** The rows of the fresh recipients are read in the same transaction. */
  async claim(request: ClaimRequest): Promise<Claim | undefined> {
    const end = { task: request.task, now: request.now, sent: [], outcomes: [], returned: [], done: true };
    const leased = await this.#writeOwn(
      request.batch,
      (tables) => {
        const claimed = claim(tables, request);
        return claimed && { ...claimed, reading: tables.recipients.read(claimed.batch, claimed.fresh) };
      },
      (tables) => settle(tables, end),
    );
    if (leased === undefined) return undefined;
    const { again, batch, fresh, figures, reading } = leased;
    // The answer was lost, and only the commit is known: they are read again.
    const rows = reading.rows ?? (await this.#batches.recipientRows(batch, fresh));
    return { recipients: [...again, ...recipientsOf(rows)], figures };
  }

  settle(settlement: Settlement): Promise<Settled | undefined> {
    return this.#write((tables) => settle(tables, settlement));
  }

  expire(expiry: Expiry): Promise<Expired | undefined> {
    return this.#write((tables) => expire(tables, expiry));
  }

  suspicions(): Promise<readonly StoredSuspicion[]> {
    return this.#read(() => this.#batches.suspicions(this.#name.server));
  }

  leases(): Promise<readonly Lease[]> {
    return this.#read(() => this.#batches.leases(this.#name.server));
  }

  promoteDue(
    now: number,
    limit: number,
  ): Promise<{ readonly moved: readonly Moved[]; readonly nextDueAt?: number }> {
    return this.#write((tables) => actions.promoteDue(tables, now, limit));
  }

  putBack(batch: string, seqs: SeqRanges, dueAt: number): Promise<Moved | undefined> {
    return this.#writeOwn(batch, (tables) => actions.putBack(tables, batch, seqs, dueAt));
  }

  openLoans(): Promise<readonly LoanRecord[]> {
    return this.#read(() => this.#loans.open(this.#name.server));
  }

  saveLoans(loans: readonly LoanRecord[]): Promise<void> {
    return this.#read(() => this.#loans.save(this.#name.server, loans));
  }

  endLoan(loan: string, returned: boolean): Promise<void> {
    return this.#read(() => this.#loans.end(this.#name.server, loan, returned));
  }

  loanTotals(): Promise<{ readonly made: number; readonly returned: number; readonly lost: number }> {
    return this.#read(() => this.#loans.totals(this.#name.server));
  }

  place(): StorePlace {
    if (this.#place === undefined) throw new StoreError('STORE_UNAVAILABLE', 'the store is not started');
    return this.#place;
  }

  lastInstance(): Promise<InstanceRecord | undefined> {
    return this.#read(() => this.#instance.last());
  }

  beginInstance(host: string | undefined, now: number): Promise<number> {
    return this.#read(() => this.#instance.begin(this.place(), host, now));
  }

  touchInstance(now: number): Promise<void> {
    return this.#read(() => this.#instance.touch(now));
  }

  audit(uuid: string): Promise<Audit> {
    return this.#read(() => this.#batches.audit(uuid));
  }

  async register(registration: Registration): Promise<void> {
    this.#checkStarted();
    await this.#owners.register(registration);
    await this.#housekeeping.start();
  }

  renew(leaseMs: number): Promise<Renewal> {
    return this.#owners.renew(leaseMs);
  }

  async adopt(limit: number): Promise<readonly Adopted[]> {
    const { adopted, open } = await this.#owners.adopt(limit);
    this.#housekeeping.dropAll(open);
    return adopted;
  }

  adoptBatch(batch: string): Promise<boolean> {
    return this.#owners.adoptBatch(batch);
  }

  ownerOf(batch: string): Promise<ServerRecord | undefined> {
    return this.#read(() => this.#owners.ownerOf(batch));
  }

  notOwned(batches: readonly string[]): Promise<readonly string[]> {
    return this.#read(() => this.#owners.notOwned(batches));
  }

  onNotOwner(listener: (batch: string | undefined) => void): () => void {
    this.#onNotOwner.add(listener);
    return () => this.#onNotOwner.delete(listener);
  }

  figures(batch: string): Promise<BatchFigures | undefined> {
    return this.#write((tables) => {
      const committed = tables.batches.committed(batch);
      return committed && figuresOf(committed);
    });
  }

  servers(): Promise<readonly ServerRecord[]> {
    return this.#owners.servers();
  }

  /** What was asked for is committed first. */
  async release(): Promise<void> {
    await this.#commits.settled();
    await this.#owners.release();
  }

  onChange(listener: (change: StoreChange) => void): () => void {
    return this.#listener.onChange(listener);
  }

  ask(batch: string, body: unknown, withinMs: number): Promise<unknown> {
    return this.#mailbox.ask(batch, body, withinMs);
  }

  requests(limit: number): Promise<readonly OwnerRequest[]> {
    return this.#mailbox.requests(this.#name, limit);
  }

  answer(id: string, body: unknown): Promise<void> {
    return this.#mailbox.answer(this.#name.server, id, body);
  }

  async #migrate(): Promise<void> {
    const client = new Client(this.#config);
    client.on('error', () => {});
    try {
      await client.connect();
      await migrate(client, this.#location);
    } finally {
      await client.end().catch(() => {});
    }
  }

  async #write<T>(run: (tables: WorkingSet) => T, revoke?: (tables: WorkingSet) => unknown): Promise<T> {
    this.#checkStarted();
    try {
      return await this.#commits.write(run, revoke);
    } catch (error) {
      if (isNotOwner(error)) for (const listener of this.#onNotOwner) listener(error.batch);
      throw error;
    }
  }

  /** About a batch that another server owns it is refused, even where nothing would change. */
  #writeOwn<T>(
    batch: string,
    run: (tables: WorkingSet) => T,
    revoke?: (tables: WorkingSet) => unknown,
  ): Promise<T> {
    return this.#write((tables) => {
      const found = tables.batches.committed(batch);
      if (found !== undefined) tables.batches.checkOwned(found);
      return run(tables);
    }, revoke);
  }

  /** Sees what was asked for before. */
  async #read<T>(read: () => Promise<T>): Promise<T> {
    this.#checkStarted();
    await this.#commits.settled();
    return read();
  }

  get #name(): Name {
    const { name } = this.#writer;
    if (name === undefined) throw new StoreError('NOT_OWNER', 'this server is not registered with its store');
    return name;
  }

  #checkStarted(): void {
    if (this.#state === 'started') return;
    const why = this.#state === 'new' ? 'is not started' : 'is closed; the server is stopping';
    throw new StoreError('STORE_UNAVAILABLE', `the store ${why}`);
  }
}
