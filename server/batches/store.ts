import type { Message, SeqRanges } from '../../protocol/index.ts';
import type { BatchFigures, BatchRecord, ResolvedOptions } from './batch.ts';

/** A recipient as it is stored. Its seq is its position among the accepted rows, from 0. */
export interface StoredRecipient {
  readonly address: string;
  readonly name?: string;
  /** JSON object, serialised once at the edge; absent: no variables. */
  readonly variables?: string;
}

/** What is known of a batch when it is opened. */
export interface BatchDraft {
  readonly uuid: string;
  readonly key?: string;
  readonly name?: string;
  readonly message: Message;
  readonly options: ResolvedOptions;
  readonly createdAt: number;
}

export type ListedState = 'FAILED' | 'DEFERRED' | 'UNKNOWN' | 'MAYBE_SENT';

/** One recipient with its history, for the lists that people read. */
export interface RecipientDetail {
  readonly seq: number;
  readonly address: string;
  readonly state: string;
  readonly attempts: number;
  /** The worker and the relay of the last attempt. */
  readonly worker?: string;
  readonly relay?: string;
  readonly reply?: string;
  readonly at?: number;
  /** Absent for one that is set aside. */
  readonly dueAt?: number;
  readonly maybeSent: boolean;
}

/** What becomes of unknown recipients, by someone's word. */
export type Decision = 'SENT' | 'RETRY';

/** One event by which recipients may have got, or will perhaps get, the same mail twice. */
export interface PossibleDuplicate {
  /** Rises with every event of a batch. */
  readonly id: number;
  readonly seqs: SeqRanges;
  /** Absent where nobody sent: someone decided. */
  readonly task?: string;
  readonly worker?: string;
  readonly relay?: string;
  readonly at: number;
  readonly why: string;
}

/** Reply of those taken for sent, and why those tried again may arrive twice, after someone's decision. */
export const TAKEN_FOR_SENT = 'taken for sent by decision';
export const RESOLVED_BY_HAND = 'resolved by hand: retry';

/**
 * What the intake and the clients' actions need of a store. Every promise resolves after the commit, or rejects
 * with a StoreError and has changed nothing.
 */
export interface BatchStore {
  /** The batch submitted under a key, and the fingerprint of its content; open batches do not count. */
  findKey(key: string): Promise<{ uuid: string; fingerprint: string } | undefined>;
  /** Opens a batch: invisible to all but the next three until it is committed, and gone after a restart. */
  openBatch(draft: BatchDraft): Promise<void>;
  /** Adds recipients with the seqs `from`, `from` + 1, …; `from` is the number of those added so far. @throws StoreError BATCH_NOT_OPEN */
  addRecipients(uuid: string, from: number, rows: readonly StoredRecipient[]): Promise<void>;
  /**
   * Makes an open batch of `total` recipients a running one, all of them pending.
   * @throws StoreError KEY_TAKEN when another batch was committed under its key meanwhile (this one stays open), BATCH_NOT_OPEN
   */
  commitBatch(
    uuid: string,
    end: { message: Message; total: number; rejected: number; duplicates: number; fingerprint: string },
  ): Promise<BatchRecord>;
  /**
   * Removes an open batch and its recipients, in slices, so that others are not kept waiting. Nothing happens when there is
   * no such open batch.
   */
  dropOpenBatch(uuid: string): Promise<void>;

  getBatch(uuid: string): Promise<BatchRecord | undefined>;
  /** Newest first; their messages come without ATTACHMENTS, which `getBatch` has. */
  listBatches(limit: number): Promise<readonly BatchRecord[]>;
  /** Running and paused batches, and cancelled ones with leases out, oldest first: what a server takes up when it starts. */
  unfinishedBatches(): Promise<readonly BatchRecord[]>;
  /** Recipients in one state with seq > after, in order of seq. MAYBE_SENT lists those so marked, whatever their state. */
  listRecipients(
    uuid: string,
    state: ListedState,
    after: number,
    limit: number,
  ): Promise<readonly RecipientDetail[]>;

  pauseBatch(uuid: string): Promise<BatchFigures | undefined>;
  resumeBatch(uuid: string): Promise<BatchFigures | undefined>;
  /**
   * Pending and deferred become cancelled; what is leased becomes so when it is given back or fails for now. A finished batch
   * stays as it is. A cancelled one never runs again; its `finishedAt` is when nothing is leased any more.
   */
  cancelBatch(uuid: string, now: number): Promise<BatchFigures | undefined>;
  /**
   * The time of a batch is over: at most `limit` of its pending and deferred recipients become failed with this reply, no
   * attempt charged; those pending that were tried before go first, then the deferred, then the fresh, each in order of seq.
   * What is leased stays so, and is pending or deferred again when it is given back. Only running and paused batches change.
   * Its cost grows with `limit`, not with the batch. Undefined: no such batch.
   */
  expireBatch(
    uuid: string,
    expiry: { readonly now: number; readonly reply: string; readonly limit: number },
  ): Promise<{ figures: BatchFigures; changed: number } | undefined>;
  /** Failed become pending with no attempts behind them; a finished batch runs again, a cancelled one stays as it is. */
  retryFailed(uuid: string): Promise<{ figures: BatchFigures; changed: number } | undefined>;
  /**
   * Unknown recipients, all or those among `seqs`, become what was decided. SENT: sent, with the reply TAKEN_FOR_SENT; should
   * the relay's acceptance be reported after all, it is that one, and no second one. RETRY: pending, marked as maybe sent, with no attempts behind them,
   * and a row of possible duplicates is kept (RESOLVED_BY_HAND); a finished batch runs again, in a cancelled one nothing changes. Undefined: no such batch.
   */
  resolveUnknown(
    uuid: string,
    decision: Decision,
    seqs: SeqRanges | undefined,
    now: number,
  ): Promise<{ figures: BatchFigures; changed: number } | undefined>;
  /** Possible duplicates of a batch with id > after, in order of id; empty when there is no such batch. */
  possibleDuplicates(uuid: string, after: number, limit: number): Promise<readonly PossibleDuplicate[]>;
}
