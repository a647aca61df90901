import type { SeqRanges } from '../../../protocol/index.ts';
import type { BatchFigures, BatchRecord } from '../../../server/batches/batch.ts';
import type {
  BatchDraft,
  Decision,
  ListedState,
  PossibleDuplicate,
  RecipientDetail,
  StoredRecipient,
} from '../../../server/batches/store.ts';
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
} from '../../../server/dispatch/store.ts';
import type { InstanceRecord, StorePlace } from '../../../server/instance/store.ts';
import type { LoanRecord } from '../../../server/mesh/store.ts';
import { StoreError } from '../../../server/store/errors.ts';
import { SoleOwner } from '../../../server/store/sqlite/sole-owner.ts';
import type { Audit, Store, StoreSnapshot } from '../../../server/store/store.ts';
import { type CommittedBatch, type Disk, defined, detailsOf, recordOf } from './disk.ts';
import { type Claimant, NaiveBatch } from './naive-batch.ts';

/** When a group of operations is committed, and what comes of it. */
export interface Pace {
  /** Calls once, a while after a group was begun: the moment of its commit. */
  commitLater(commit: () => void): void;
  /** Calls once, a while after the commit: who asked hears of it. */
  answerLater(answer: () => void): void;
  /** Whether the storage fails this group. */
  fails(): boolean;
}

interface Operation {
  readonly kind: 'read' | 'write';
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

type CommitEnd = Parameters<Store['commitBatch']>[1];

/** Longest reply that is kept, characters; as the other backends keep it. */
const MAX_REPLY_CHARS = 1_000;

/**
 * A store in memory, told by the reference model. What is asked for while a group waits for its commit joins it; at the commit all of the
 * group is carried out at once, and a while later all of it is answered. When its process ends before the commit nothing
 * has happened, and when it ends before the answers, everything has.
 */
export class VirtualStore extends SoleOwner implements Store {
  readonly #disk: Disk;
  readonly #pace: Pace;
  #queue: Operation[] = [];
  #transactions = 0;
  #answering = 0;
  #failing = false;
  #isOpen = false;

  constructor(disk: Disk, pace: Pace) {
    super();
    this.#disk = disk;
    this.#pace = pace;
  }

  async start(): Promise<void> {
    this.#isOpen = true;
    // What was being submitted when the last process ended is gone.
    this.#disk.open.clear();
  }

  async stop(): Promise<void> {
    this.#isOpen = false;
    this.#commit();
  }

  /** Nothing is under way: what the disk says is what everybody was told. */
  get isQuiet(): boolean {
    return this.#queue.length === 0 && this.#answering === 0;
  }

  snapshot(): StoreSnapshot {
    return {
      kind: 'virtual',
      location: 'memory',
      transactions: this.#transactions,
      queued: this.#queue.length,
      failing: this.#failing,
    };
  }

  findKey(key: string): Promise<{ uuid: string; fingerprint: string } | undefined> {
    return this.#read(() => this.#disk.byKey(key));
  }

  openBatch(draft: BatchDraft): Promise<void> {
    return this.#write(() => {
      this.#disk.open.set(draft.uuid, { draft, rows: [] });
    });
  }

  addRecipients(uuid: string, from: number, rows: readonly StoredRecipient[]): Promise<void> {
    return this.#write(() => {
      const open = this.#openBatch(uuid);
      if (from !== open.rows.length) throw new RangeError(`the next recipient cannot be ${from}`);
      open.rows.push(...rows);
    });
  }

  commitBatch(uuid: string, end: CommitEnd): Promise<BatchRecord> {
    return this.#write(() => {
      const { draft, rows } = this.#openBatch(uuid);
      const { message, total, rejected, duplicates, fingerprint } = end;
      if (total !== rows.length) throw new RangeError(`there are ${rows.length} recipients, not ${total}`);
      if (draft.key !== undefined && this.#disk.byKey(draft.key) !== undefined)
        throw new StoreError('KEY_TAKEN', `another batch was submitted under the key ${draft.key}`);
      this.#disk.open.delete(uuid);
      const { key, name, options, createdAt } = draft;
      const record = defined({ uuid, key, name, message, options, rejected, duplicates, createdAt });
      const model = new NaiveBatch(total);
      if (total === 0) {
        model.state = 'FINISHED';
        model.finishedAt = createdAt;
      }
      const batch = { record, fingerprint, rows, model };
      this.#disk.batches.set(uuid, batch);
      this.#disk.onCommitted(batch);
      return recordOf(batch);
    });
  }

  dropOpenBatch(uuid: string): Promise<void> {
    return this.#write(() => {
      this.#disk.open.delete(uuid);
    });
  }

  getBatch(uuid: string): Promise<BatchRecord | undefined> {
    return this.#read(() => this.#recordOf(uuid));
  }

  listBatches(limit: number): Promise<readonly BatchRecord[]> {
    return this.#read(() =>
      [...this.#disk.batches.values()]
        .reverse()
        .slice(0, limit)
        .map((batch) => {
          const { message, ...record } = recordOf(batch);
          const { ATTACHMENTS: _, ...rest } = message;
          return { ...record, message: rest };
        }),
    );
  }

  unfinishedBatches(): Promise<readonly BatchRecord[]> {
    return this.#read(() =>
      [...this.#disk.batches.values()]
        .filter(({ model }) => model.finishedAt === undefined)
        .map((batch) => recordOf(batch)),
    );
  }

  listRecipients(
    uuid: string,
    state: ListedState,
    after: number,
    limit: number,
  ): Promise<readonly RecipientDetail[]> {
    return this.#read(() => {
      const batch = this.#disk.batches.get(uuid);
      return batch === undefined ? [] : detailsOf(batch, state, after, limit);
    });
  }

  pauseBatch(uuid: string): Promise<BatchFigures | undefined> {
    return this.#change(uuid, (model) => {
      model.pause();
      return model.figures;
    });
  }

  resumeBatch(uuid: string): Promise<BatchFigures | undefined> {
    return this.#change(uuid, (model) => {
      model.resume();
      return model.figures;
    });
  }

  cancelBatch(uuid: string, now: number): Promise<BatchFigures | undefined> {
    return this.#change(uuid, (model) => {
      model.cancel(now);
      return model.figures;
    });
  }

  expireBatch(
    uuid: string,
    { now, reply, limit }: { readonly now: number; readonly reply: string; readonly limit: number },
  ): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#change(uuid, (model) => {
      const changed = model.expireBatch(now, limit, reply);
      return { changed, figures: model.figures };
    });
  }

  retryFailed(uuid: string): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#change(uuid, (model) => {
      const changed = model.retryFailed();
      return { changed, figures: model.figures };
    });
  }

  resolveUnknown(
    uuid: string,
    decision: Decision,
    seqs: SeqRanges | undefined,
    now: number,
  ): Promise<{ figures: BatchFigures; changed: number } | undefined> {
    return this.#change(uuid, (model) => {
      const changed = model.resolve(decision, seqs, now);
      return { changed, figures: model.figures };
    });
  }

  possibleDuplicates(uuid: string, after: number, limit: number): Promise<readonly PossibleDuplicate[]> {
    return this.#read(() => {
      const events = this.#disk.batches.get(uuid)?.model.duplicates ?? [];
      return events.map((event, i) => ({ id: i + 1, ...event })).slice(after, after + limit);
    });
  }

  claim(request: ClaimRequest): Promise<Claim | undefined> {
    const { batch: uuid, task, worker, relay, count, now, aside } = request;
    return this.#change(uuid, (model, batch) => {
      const by: Claimant = { worker, relay, claimedAt: now };
      const order =
        aside === undefined ? model.claim(task, count, by) : model.claimAside(task, aside, count, by);
      if (order === undefined) return undefined;
      this.#disk.batchOfTask.set(task, batch);
      const recipients = order.map((seq) => {
        const { attempts, maybeSent } = model.recipients[seq] as (typeof model.recipients)[number];
        return { seq, ...(batch.rows[seq] as StoredRecipient), attempts, maybeSent };
      });
      return { recipients, figures: model.figures };
    });
  }

  settle(settlement: Settlement): Promise<Settled | undefined> {
    return this.#write(() => {
      const batch = this.#disk.batchOfTask.get(settlement.task);
      if (batch === undefined) return undefined;
      const outcomes = settlement.outcomes.map((one) => ({
        ...one,
        reply: one.reply.slice(0, MAX_REPLY_CHARS),
      }));
      return { batch: batch.record.uuid, ...batch.model.settle({ ...settlement, outcomes }) };
    });
  }

  expire(expiry: Expiry): Promise<Expired | undefined> {
    return this.#write(() => {
      const batch = this.#disk.batchOfTask.get(expiry.task);
      const expired = batch?.model.expire(expiry);
      return batch && expired && { batch: batch.record.uuid, ...expired };
    });
  }

  suspicions(): Promise<readonly StoredSuspicion[]> {
    return this.#read(() =>
      [...this.#disk.batches.values()].flatMap(({ record, model }) =>
        model.finishedAt === undefined ? model.suspected.map((one) => ({ batch: record.uuid, ...one })) : [],
      ),
    );
  }

  leases(): Promise<readonly Lease[]> {
    return this.#read(() => this.#disk.leases());
  }

  promoteDue(
    now: number,
    limit: number,
  ): Promise<{ readonly moved: readonly Moved[]; readonly nextDueAt?: number }> {
    return this.#write(() => {
      const moved: Moved[] = [];
      let nextDueAt: number | undefined;
      let left = limit;
      for (const { record, model } of this.#disk.batches.values()) {
        if (model.state !== 'RUNNING') continue;
        const { promoted, nextDueAt: next } = model.promoteDue(now, left);
        left -= promoted;
        if (promoted > 0) moved.push({ batch: record.uuid, figures: model.figures });
        if (next !== undefined && (nextDueAt === undefined || next < nextDueAt)) nextDueAt = next;
      }
      return { moved, ...(nextDueAt === undefined ? {} : { nextDueAt }) };
    });
  }

  putBack(uuid: string, seqs: SeqRanges, dueAt: number): Promise<Moved | undefined> {
    return this.#change(uuid, (model) => {
      model.putBack(seqs, dueAt);
      return { batch: uuid, figures: model.figures };
    });
  }

  openLoans(): Promise<readonly LoanRecord[]> {
    return this.#read(() => [...this.#disk.loans.values()]);
  }

  saveLoans(loans: readonly LoanRecord[]): Promise<void> {
    return this.#write(() => {
      for (const loan of loans) {
        if (!this.#disk.loans.has(loan.loan)) this.#disk.totals.made++;
        this.#disk.loans.set(loan.loan, loan);
      }
    });
  }

  endLoan(loan: string, returned: boolean): Promise<void> {
    return this.#write(() => {
      if (this.#disk.loans.delete(loan)) this.#disk.totals[returned ? 'returned' : 'lost']++;
    });
  }

  loanTotals(): Promise<{ readonly made: number; readonly returned: number; readonly lost: number }> {
    return this.#read(() => ({ ...this.#disk.totals }));
  }

  place(): StorePlace {
    return { id: 'memory', path: 'memory' };
  }

  lastInstance(): Promise<InstanceRecord | undefined> {
    return this.#read(() => this.#disk.instance);
  }

  beginInstance(host: string | undefined, now: number): Promise<number> {
    return this.#write(() => {
      const epoch = (this.#disk.instance?.epoch ?? 0) + 1;
      this.#disk.instance = { epoch, place: this.place(), host, aliveAt: now };
      return epoch;
    });
  }

  touchInstance(now: number): Promise<void> {
    return this.#write(() => {
      const { instance } = this.#disk;
      if (instance !== undefined) this.#disk.instance = { ...instance, aliveAt: now };
    });
  }

  audit(uuid: string): Promise<Audit> {
    return this.#read(() => {
      const batch = this.#disk.batches.get(uuid);
      if (batch === undefined) throw new RangeError(`there is no batch ${uuid}`);
      return { counts: batch.model.recount(), problems: [] };
    });
  }

  #recordOf(uuid: string): BatchRecord | undefined {
    const batch = this.#disk.batches.get(uuid);
    return batch && recordOf(batch);
  }

  #openBatch(uuid: string) {
    const open = this.#disk.open.get(uuid);
    if (open === undefined) throw new StoreError('BATCH_NOT_OPEN', `batch ${uuid} is not being submitted`);
    return open;
  }

  #change<T>(uuid: string, run: (model: NaiveBatch, batch: CommittedBatch) => T): Promise<T | undefined> {
    return this.#write(() => {
      const batch = this.#disk.batches.get(uuid);
      return batch && run(batch.model, batch);
    });
  }

  #write<T>(run: () => T): Promise<T> {
    return this.#ask('write', run);
  }

  #read<T>(run: () => T): Promise<T> {
    return this.#ask('read', run);
  }

  #ask<T>(kind: Operation['kind'], run: () => T): Promise<T> {
    if (!this.#isOpen) return Promise.reject(new StoreError('STORE_UNAVAILABLE', 'the store is not open'));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ kind, run, resolve, reject });
      if (this.#queue.length === 1) this.#pace.commitLater(() => this.#commit());
    });
  }

  /** Writes go before reads: what these see is committed. */
  #commit(): void {
    const group = this.#queue;
    if (group.length === 0) return;
    this.#queue = [];
    const writes = group.filter(({ kind }) => kind === 'write');
    this.#failing = writes.length > 0 && this.#pace.fails();
    const answers = writes.map((write) => (this.#failing ? unavailable(write) : carriedOut(write)));
    for (const { kind, ...read } of group) if (kind === 'read') answers.push(carriedOut({ kind, ...read }));
    this.#transactions++;
    this.#answering++;
    this.#pace.answerLater(() => {
      this.#answering--;
      for (const answer of answers) answer();
    });
  }
}

function unavailable({ reject }: Operation): () => void {
  return () => reject(new StoreError('STORE_UNAVAILABLE', 'the disk is full'));
}

function carriedOut({ run, resolve, reject }: Operation): () => void {
  try {
    const value = run();
    return () => resolve(value as never);
  } catch (error) {
    return () => reject(error);
  }
}
