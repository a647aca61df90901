import type { SeqRange, SeqRanges } from '../../../protocol/index.ts';
import type { BatchRecord } from '../../batches/batch.ts';
import type { BatchDraft, PossibleDuplicate, StoredRecipient } from '../../batches/store.ts';
import type { ClaimedRecipient, Outcome, Suspicion } from '../../dispatch/store.ts';
import type { Batch, CommittedBatch } from './batch.ts';
import type { Task } from './task.ts';

/**
 * What the operations need of a backend: tables that answer at once. They see what earlier operations of the same group
 * changed, and what is changed here becomes durable with the group, or not at all. What the tables hold, and the rule by
 * which a recipient's place tells its state, is written in sqlite/schema.ts.
 */
export interface Tables {
  readonly batches: BatchRows;
  readonly contents: ContentRows;
  readonly recipients: RecipientRows;
  readonly spans: SpanRows;
  readonly history: HistoryRows;
  readonly tasks: TaskRows;
  readonly duplicates: DuplicateRows;
  readonly suspicions: SuspicionRows;
}

export interface BatchRows {
  /** Inserts an open batch. */
  open(batch: Pick<Batch, 'uuid' | 'key' | 'name' | 'createdAt'>): Batch;
  /** The batch whatever its state. Tell `change` before changing it. */
  find(uuid: string): Batch | undefined;
  /** The batch unless it is open or dropped. */
  committed(uuid: string): CommittedBatch | undefined;
  byId(id: number): CommittedBatch;
  /** The committed batch under a key; one committed in this group counts. */
  byKey(key: string): { uuid: string; fingerprint: string } | undefined;
  setFingerprint(batch: Batch, fingerprint: string): void;
  runningWithDeferred(): readonly CommittedBatch[];
  /** Must be told before a batch is changed. */
  change(batch: Batch): void;
  delete(batch: Batch): void;
}

export interface ContentRows {
  insert(batch: number, options: BatchDraft['options']): void;
  setMessage(batch: number, message: BatchRecord['message']): void;
  /** `attachments` false: the message comes without them. */
  get(batch: number, attachments: boolean): Pick<BatchRecord, 'message' | 'options'>;
  delete(batch: number): void;
}

export interface RecipientRows {
  /** Adds recipients with the seqs `from`, `from` + 1, … */
  add(batch: number, from: number, recipients: readonly StoredRecipient[]): void;
  deleteBelow(batch: number, seq: number): void;
}

export type SpanState = 'pending' | 'settled' | 'cancelled';

/** Spans of a state never overlap, and those that touch are joined. */
export interface SpanRows {
  /** Takes out the first recipients in this state, at most `count`. */
  take(batch: number, state: SpanState, count: number): SeqRanges;
  /** Puts in recipients that are in no span. */
  add(batch: number, state: SpanState, ranges: SeqRanges): void;
  /** Takes out whatever of these recipients is in this state, and tells which they were. */
  cut(batch: number, state: SpanState, ranges: SeqRanges): SeqRanges;
  /** Moves everything in one state to another in which there is nothing yet. */
  rename(batch: number, from: SpanState, to: SpanState): void;
}

export type HistoryState = 'pending' | 'leased' | 'deferred' | 'sent' | 'failed' | 'unknown' | 'cancelled';

export interface HistoryRow {
  readonly seq: number;
  readonly state: HistoryState;
  /** 0 or 1. */
  readonly maybe_sent: number;
  /** 0 or 1. */
  readonly accepted_twice: number;
  /** 0 or 1: sent because someone said so. */
  readonly by_decision: number;
}

/** Told instead of a relay's reply when there is none. */
export const WORKER_LOST = 'the worker was lost before it reported';

/** Who tried a recipient, and when. */
export interface Attempt {
  readonly worker: string;
  readonly relay: string;
  readonly at: number;
}

export interface HistoryRows {
  /** The first recipients that are pending again. */
  pending(batch: number, limit: number): ClaimedRecipient[];
  within(batch: number, range: SeqRange): readonly HistoryRow[];
  /** All of these have rows. */
  setState(batch: number, ranges: SeqRanges, state: HistoryState): void;
  /** All of these have rows, and are sent: only those with something to remember keep theirs. */
  sent(batch: number, ranges: SeqRanges): void;
  /** Writes what became of one recipient; `again`: it has a row. Tells whether it is newly marked as maybe sent. */
  record(batch: number, outcome: Outcome, as: HistoryState, attempt: Attempt, again: boolean): boolean;
  /** Marks recipients that have rows as maybe sent; tells how many were not yet. */
  mark(batch: number, ranges: SeqRanges, attempt: Attempt): number;
  /** Gives recipients without a row one that marks them as maybe sent. */
  insertMarked(batch: number, ranges: SeqRanges, as: HistoryState, attempt: Attempt): void;
  /** A sent recipient without a row was accepted a second time. */
  insertAcceptedTwice(batch: number, seq: number, relay: string, now: number): void;
  /** A sent recipient with a row was accepted a second time. */
  acceptTwice(batch: number, seq: number): void;
  /** Pending and deferred become cancelled; its cost grows with their number. */
  cancelWaiting(batch: number): void;
  /** Failed become pending; its cost grows with their number, which it tells. */
  retryFailed(batch: number): number;
  /** The first ones of those that wait in this state fail; tells how many. */
  failWaiting(
    batch: number,
    state: 'pending' | 'deferred',
    limit: number,
    why: { readonly reply: string; readonly now: number },
  ): number;
  /** Recipients without a row fail. */
  insertFailed(batch: number, ranges: SeqRanges, why: { readonly reply: string; readonly now: number }): void;
  /** Failed ones among these become deferred; tells how many. */
  putBack(batch: number, ranges: SeqRanges, dueAt: number): number;
  /** Deferred ones whose time has come become pending, the longest due first; tells how many. */
  promote(batch: number, now: number, limit: number): number;
  /** When the next deferred one is due, without those set aside. */
  nextDue(batch: number): number | undefined;
  /** Those of these that are set aside (deferred until ASIDE_UNTIL), in order of seq. */
  aside(batch: number, ranges: SeqRanges): ClaimedRecipient[];
  /** Gives a pending recipient without a row one. */
  insertPending(batch: number, seq: number): void;
  /** A recipient with a row is deferred until ASIDE_UNTIL. */
  putAside(batch: number, seq: number): void;
  /** A recipient with a row is not tried again. */
  giveUp(batch: number, seq: number, as: 'failed' | 'unknown', reply: string, now: number): void;
  /** The unknown ones among these. */
  unknown(batch: number, ranges: SeqRanges): SeqRanges;
  /** Unknown ones become sent by decision, with the reply TAKEN_FOR_SENT. */
  takeForSent(batch: number, ranges: SeqRanges, now: number): void;
  /** One that is sent by decision is sent in fact, with no reply. */
  acceptAfterAll(batch: number, seq: number): void;
  /** Unknown ones become pending, with no attempts, marked as maybe sent; tells how many were not yet. */
  retryUnknown(batch: number, ranges: SeqRanges): number;
}

export interface TaskRows {
  insert(task: Task): void;
  /** The task, live or over. Tell `change` before changing it. */
  find(uuid: string): Task | undefined;
  /** Live tasks of a batch, those changed in this group included. */
  liveOf(batch: number): readonly Task[];
  /** Must be told before a task is changed. */
  change(task: Task): void;
}

/** Ranges in one row of possible duplicates: some ten KB, however many recipients an event concerns. */
export const RANGES_PER_ROW = 1_000;

/** The events after which mails may arrive twice, each with a row of its own, however many recipients it concerns. */
export interface DuplicateRows {
  add(batch: number, event: Omit<PossibleDuplicate, 'id'>): void;
}

/** The recipients that workers died on; usually none. */
export interface SuspicionRows {
  /** In place of what is there. */
  save(batch: number, suspicion: Suspicion & { readonly seq: number }): void;
  clear(batch: number, ranges: SeqRanges): void;
}
