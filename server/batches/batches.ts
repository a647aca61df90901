import type { Logger } from '../../logging/index.ts';
import type { SeqRanges, Submit } from '../../protocol/index.ts';
import { isNotOwner } from '../store/errors.ts';
import type { BatchFigures, BatchRecord, ResolvedOptions } from './batch.ts';
import type { BatchBook } from './batch-book.ts';
import { isExpired } from './expiry.ts';
import { RequestError } from './request-error.ts';
import {
  type BatchStore,
  type Decision,
  type ListedState,
  type PossibleDuplicate,
  RESOLVED_BY_HAND,
  type RecipientDetail,
} from './store.ts';
import { type Committed, Submission } from './submission.ts';
import type { Watchers } from './watchers.ts';

/** The newest batches of a store that others use, among which are looked for paused ones. */
const RESUMED_AT_ONCE = 1_000;

export type BatchAction = 'PAUSE' | 'RESUME' | 'CANCEL' | 'RETRY';

/** What is asked of the server that has a batch. */
export type BatchErrand =
  | { readonly DO: 'ACT'; readonly ACTION: BatchAction }
  | { readonly DO: 'RESOLVE'; readonly DECISION: Decision; readonly SEQS?: [number, number][] };

/** The other servers of a store that is shared. */
export interface OtherServers {
  /** Whether another server has this batch. @throws StoreError */
  isElsewhere(batch: string): Promise<boolean>;
  /** Has it done by the one that has the batch. @returns how many recipients it changed @throws RequestError; StoreError */
  ask(batch: string, errand: BatchErrand): Promise<number | undefined>;
}

/** What the batches need of the rest of the server. */
export interface BatchesContext {
  readonly store: BatchStore;
  readonly book: BatchBook;
  readonly watchers: Watchers;
  /** Absent: all batches are here. */
  readonly others?: OtherServers;
  readonly logger: Logger;
  readonly now: () => number;
  readonly resolve: (options: NonNullable<Submit['OPTIONS']>) => ResolvedOptions;
  /** There may be work now. */
  readonly wake: () => void;
  /** What is out of this batch is to be handed back. */
  readonly handBack: (batch: string) => void;
  /** Why a batch does not move, for people. */
  readonly whyWaiting: (record: BatchRecord) => string | undefined;
  readonly rate: (batch: string) => number | undefined;
  readonly describeServer: () => Record<string, unknown>;
  /** The server stops: nothing new. */
  readonly stopping: () => boolean;
}

/** Everything that clients do with batches. */
export class Batches {
  readonly #context: BatchesContext;

  constructor(context: BatchesContext) {
    this.#context = context;
    context.book.onChange((batch) => {
      if (batch.over) this.#logEnd(batch.current());
    });
  }

  /** Takes up what was unfinished when the server stopped. */
  async start(): Promise<number> {
    const records = await this.#context.store.unfinishedBatches();
    for (const record of records) this.#context.book.takeUp(record);
    return records.length;
  }

  /** @throws RequestError; StoreError */
  async open(request: Submit): Promise<Submission> {
    if (this.#context.stopping()) {
      throw new RequestError('STOPPING', 'this server is stopping: submit to another one, or again later', {
        retry: true,
      });
    }
    const options = this.#context.resolve(request.OPTIONS ?? {});
    return Submission.open(this.#context.store, request, options, this.#context.now());
  }

  async commit(submission: Submission): Promise<Committed> {
    const committed = await submission.commit();
    const { record } = committed;
    if (!committed.existing) {
      this.#context.book.takeUp(record);
      this.#context.logger.info(
        {
          batch: record.uuid,
          recipients: record.counts.total,
          rejected: record.rejected,
          duplicates: record.duplicates,
        },
        'batch submitted',
      );
      this.#context.wake();
    }
    return committed;
  }

  /** @throws RequestError UNKNOWN_BATCH */
  async get(uuid: string): Promise<BatchRecord> {
    const record = this.#context.book.get(uuid)?.current() ?? (await this.#context.store.getBatch(uuid));
    if (record === undefined) throw unknownBatch(uuid);
    return record;
  }

  async list(limit: number): Promise<readonly BatchRecord[]> {
    const stored = await this.#context.store.listBatches(limit);
    return stored.map((record) => this.#context.book.get(record.uuid)?.current() ?? record);
  }

  async recipients(
    uuid: string,
    state: ListedState,
    after: number,
    limit: number,
  ): Promise<readonly RecipientDetail[]> {
    await this.get(uuid);
    return this.#context.store.listRecipients(uuid, state, after, limit);
  }

  act(action: BatchAction, uuid: string): Promise<{ record: BatchRecord; changed?: number }> {
    return this.#whereItIs(uuid, { DO: 'ACT', ACTION: action }, () => this.actHere(action, uuid));
  }

  /** The same for a batch of this server. @throws StoreError NOT_OWNER */
  async actHere(action: BatchAction, uuid: string): Promise<{ record: BatchRecord; changed?: number }> {
    const before = await this.get(uuid);
    this.#mayAct(action, before);
    const { record, changed } = await this.#carryOut(action, before);
    const { state } = record;
    this.#context.logger.info({ batch: uuid, action, state, changed }, 'batch acted on');
    if (action === 'PAUSE' || action === 'CANCEL') this.#context.handBack(uuid);
    else this.#context.wake();
    return changed === undefined ? { record } : { record, changed };
  }

  /**
   * Carries out what someone has decided about unknown recipients, all or those among `seqs`.
   * @throws RequestError UNKNOWN_BATCH; WRONG_STATE, EXPIRED: nothing of the batch is sent any more
   */
  async resolve(
    uuid: string,
    decision: Decision,
    seqs: SeqRanges | undefined,
  ): Promise<{ record: BatchRecord; changed: number }> {
    const some = seqs === undefined ? {} : { SEQS: seqs.map(([from, to]): [number, number] => [from, to]) };
    const errand = { DO: 'RESOLVE', DECISION: decision, ...some } as const;
    const resolved = await this.#whereItIs(uuid, errand, () => this.resolveHere(uuid, decision, seqs));
    return { record: resolved.record, changed: resolved.changed ?? 0 };
  }

  /** The same for a batch of this server. @throws StoreError NOT_OWNER */
  async resolveHere(
    uuid: string,
    decision: Decision,
    seqs: SeqRanges | undefined,
  ): Promise<{ record: BatchRecord; changed: number }> {
    const { store, now, logger, wake } = this.#context;
    const before = await this.get(uuid);
    if (decision === 'RETRY') this.#mayAct('RETRY', before);
    const resolved = await store.resolveUnknown(uuid, decision, seqs, now());
    const record = this.#changed(before, resolved?.figures);
    const changed = resolved?.changed ?? 0;
    const { state } = record;
    if (decision === 'SENT')
      logger.info({ batch: uuid, state, changed }, 'unknown mails are taken for sent by decision');
    else if (changed > 0) {
      logger.warn(
        { batch: uuid, state, changed, why: RESOLVED_BY_HAND },
        'unknown mails are sent again and may arrive twice',
      );
    }
    wake();
    return { record, changed };
  }

  /** @throws RequestError UNKNOWN_BATCH */
  async possibleDuplicates(
    uuid: string,
    after: number,
    limit: number,
  ): Promise<readonly PossibleDuplicate[]> {
    await this.get(uuid);
    return this.#context.store.possibleDuplicates(uuid, after, limit);
  }

  /** Goes on with every paused batch that has not expired, also with those of other servers. @returns those */
  async resumeAll(): Promise<readonly BatchRecord[]> {
    const { book, now, others, store } = this.#context;
    const here = [...book.all()].map((batch) => batch.current());
    const stored = others === undefined ? [] : await store.listBatches(RESUMED_AT_ONCE);
    const elsewhere = stored.filter(({ uuid }) => book.get(uuid) === undefined);
    const paused = [...here, ...elsewhere].filter(
      ({ state, options }) => state === 'PAUSED' && !isExpired(options, now()),
    );
    const resumed: BatchRecord[] = [];
    for (const { uuid } of paused) resumed.push((await this.act('RESUME', uuid)).record);
    return resumed;
  }

  /** @returns what ends the watch. */
  watch(record: BatchRecord, tell: (record: BatchRecord) => void, everyMs?: number): () => void {
    const isOver = record.state === 'FINISHED' || record.state === 'CANCELLED';
    if (isOver || this.#context.others !== undefined || this.#context.book.get(record.uuid) !== undefined)
      return this.#context.watchers.watch(record, tell, everyMs);
    // it was finished since the record was read
    let isWatched = true;
    const tellEnd = async (): Promise<void> => {
      const end = await this.#context.store.getBatch(record.uuid);
      if (isWatched && end !== undefined) tell(end);
    };
    tellEnd().catch((error) => this.#context.logger.error({ err: error }, 'the end of a batch was not told'));
    return () => {
      isWatched = false;
    };
  }

  /** What is known of a batch beyond its record. */
  live(record: BatchRecord): { rate?: number; waiting?: string } {
    const isElsewhere =
      this.#context.others !== undefined && this.#context.book.get(record.uuid) === undefined;
    // How fast it is, and why not faster, only the server knows that has it.
    if (isElsewhere && record.state === 'RUNNING') return {};
    const rate = this.#context.rate(record.uuid);
    const waiting = this.#context.whyWaiting(record);
    return { ...(rate === undefined ? {} : { rate }), ...(waiting === undefined ? {} : { waiting }) };
  }

  describeServer(): Record<string, unknown> {
    return this.#context.describeServer();
  }

  /** Has it done here, or by the server that has the batch. */
  async #whereItIs(
    uuid: string,
    errand: BatchErrand,
    here: () => Promise<{ record: BatchRecord; changed?: number }>,
  ): Promise<{ record: BatchRecord; changed?: number }> {
    const { others, book } = this.#context;
    if (others === undefined) return here();
    try {
      if (book.get(uuid) !== undefined || !(await others.isElsewhere(uuid))) return await here();
    } catch (error) {
      // It was adopted in this moment.
      if (!isNotOwner(error)) throw error;
    }
    const changed = await others.ask(uuid, errand);
    const record = await this.get(uuid);
    return changed === undefined ? { record } : { record, changed };
  }

  #logEnd(record: BatchRecord): void {
    const { sent, failed, unknown, cancelled } = record.counts;
    const { uuid, maybeSent, secondReports, createdAt, finishedAt } = record;
    const seconds = Math.round(((finishedAt ?? this.#context.now()) - createdAt) / 100) / 10;
    this.#context.logger.info(
      { batch: uuid, sent, failed, unknown, cancelled, maybeSent, secondReports, seconds },
      record.state === 'CANCELLED' ? 'batch cancelled' : 'batch finished',
    );
  }

  #mayAct(action: BatchAction, record: BatchRecord): void {
    const over = record.state === 'CANCELLED' || record.state === 'FINISHED';
    if (action !== 'RETRY' && over && !(action === 'CANCEL' && record.state === 'CANCELLED')) {
      throw new RequestError(
        'WRONG_STATE',
        `batch ${record.uuid} is ${record.state.toLowerCase()} and cannot be changed any more; RETRY sends its failed recipients again`,
      );
    }
    if ((action === 'RETRY' || action === 'RESUME') && isExpired(record.options, this.#context.now())) {
      throw new RequestError(
        'EXPIRED',
        `the time of batch ${record.uuid} is over, nothing of it is sent any more; submit its recipients in a new batch`,
      );
    }
    if (action === 'RETRY' && record.state === 'CANCELLED') {
      throw new RequestError(
        'WRONG_STATE',
        `batch ${record.uuid} is cancelled; submit its recipients in a new batch`,
      );
    }
  }

  async #carryOut(
    action: BatchAction,
    before: BatchRecord,
  ): Promise<{ record: BatchRecord; changed?: number }> {
    const { store, now } = this.#context;
    const { uuid } = before;
    switch (action) {
      case 'PAUSE':
        return { record: this.#changed(before, await store.pauseBatch(uuid)) };
      case 'RESUME':
        return { record: this.#changed(before, await store.resumeBatch(uuid)) };
      case 'CANCEL':
        return { record: this.#changed(before, await store.cancelBatch(uuid, now())) };
      case 'RETRY': {
        const retried = await store.retryFailed(uuid);
        return { record: this.#changed(before, retried?.figures), changed: retried?.changed ?? 0 };
      }
    }
  }

  /**
   * To be called in the very turn in which the store's answer comes: figures are taken in the order of the commits, and
   * those of a later commit must not come first.
   */
  #changed(before: BatchRecord, figures: BatchFigures | undefined): BatchRecord {
    if (figures === undefined) throw unknownBatch(before.uuid);
    const record = { ...before, finishedAt: undefined, ...figures };
    this.#context.book.takeUp(record);
    return record;
  }
}

const unknownBatch = (uuid: string): RequestError =>
  new RequestError(
    'UNKNOWN_BATCH',
    `this server knows no batch ${uuid}; "mutirao status" lists its batches`,
    { field: 'BATCH_UUID' },
  );
