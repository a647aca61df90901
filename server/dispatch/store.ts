import type { SeqRanges } from '../../protocol/index.ts';
import type { BatchFigures } from '../batches/batch.ts';

/** A recipient in a new task. */
export interface ClaimedRecipient {
  readonly seq: number;
  readonly address: string;
  readonly name?: string;
  /** JSON object as stored. */
  readonly variables?: string;
  /** Attempts charged so far. */
  readonly attempts: number;
  readonly maybeSent: boolean;
}

export interface ClaimRequest {
  readonly batch: string;
  readonly task: string;
  readonly worker: string;
  readonly relay: string;
  /** At most this many recipients. */
  readonly count: number;
  readonly now: number;
}

export interface Claim {
  readonly recipients: readonly ClaimedRecipient[];
  readonly figures: BatchFigures;
}

/** A lease that was out when the server stopped, or is out now. */
export interface Lease {
  readonly task: string;
  readonly batch: string;
  readonly worker: string;
  readonly relay: string;
  /** Recipients not settled yet, in the order in which the task lists them. */
  readonly remaining: SeqRanges;
  readonly claimedAt: number;
}

/** One recipient that was not simply sent. `reply` is what the relay said, or the error. */
export interface Outcome {
  readonly seq: number;
  readonly state: 'deferred' | 'failed' | 'unknown';
  readonly reply: string;
  /** Whether this attempt counts against the recipient. */
  readonly charged: boolean;
  /** deferred only: when it may be sent again, ms since the epoch. */
  readonly dueAt?: number;
  /** An earlier attempt may have arrived. */
  readonly maybeSent?: boolean;
}

export interface Settlement {
  readonly task: string;
  readonly now: number;
  readonly sent: SeqRanges;
  readonly outcomes: readonly Outcome[];
  /** Handed back untouched: pending again, no attempt charged. */
  readonly returned: SeqRanges;
  /** Whatever this leaves unsettled is handed back, and the task is over. So is any task of which nothing is left. */
  readonly done: boolean;
}

export interface Settled {
  readonly batch: string;
  readonly figures: BatchFigures;
  /** Recipients of the task still out. */
  readonly remaining: number;
  /**
   * How many of the recipients named in the settlement changed state by it: a repeated report changes none. Those that `done`
   * hands back are not named.
   */
  readonly applied: number;
  /** Recipients now known to have been accepted twice; each is counted once, however often it is reported. */
  readonly secondReports: number;
}

export interface Expiry {
  readonly task: string;
  readonly now: number;
  /**
   * The worker had begun at most so many transactions it had not reported, always the first of what remained, in the
   * task's order: these are marked as maybe sent. Infinity: all.
   */
  readonly maybeBegun: number;
  /** Batch option HOLD: the marked ones become unknown instead of pending, in a cancelled batch too. */
  readonly hold: boolean;
}

/** A batch whose recipients moved. */
export interface Moved {
  readonly batch: string;
  readonly figures: BatchFigures;
}

/**
 * What the dispatch needs of a store. Every promise resolves after the commit, or rejects with a StoreError and has
 * changed nothing. A task that is over or expired is remembered until its batch is finished, so that a late report is known.
 */
export interface TaskStore {
  /**
   * Leases recipients of a running batch: those whose retry is due (pending again) first, then fresh ones in order of
   * seq. The cost does not depend on the size of the batch. Undefined when none is pending.
   */
  claim(request: ClaimRequest): Promise<Claim | undefined>;
  /**
   * Applies results. Only recipients still leased by that task change state, with these exceptions:
   * a late `sent` (the task had the recipient and has it no more, because it expired, gave it back or reported another outcome)
   * is kept as a fact: a pending, deferred, unknown, failed or cancelled recipient becomes sent;
   * one leased by another task becomes sent and leaves that task; and when that other task reports it sent as well, or it was
   * sent already, it is counted in `secondReports`. Late outcomes and returns are ignored. In a cancelled batch, `deferred` and
   * `returned` become cancelled. A recipient named twice: `sent` goes before the first outcome, and that before `returned`.
   * Undefined: no such task.
   */
  settle(settlement: Settlement): Promise<Settled | undefined>;
  /**
   * Ends a lease whose worker is gone: what remains is pending again (in a cancelled batch: cancelled), with no attempt
   * charged. `marked`: how many of them may have been sent. Undefined: that task is not out.
   */
  expire(expiry: Expiry): Promise<(Moved & { readonly marked: number }) | undefined>;
  /** Leases that are out. */
  leases(): Promise<readonly Lease[]>;
  /**
   * Deferred recipients of running batches whose time has come become pending, at most `limit` of them. `nextDueAt`: the
   * earliest time of those that still wait; absent when none does.
   */
  promoteDue(
    now: number,
    limit: number,
  ): Promise<{ readonly moved: readonly Moved[]; readonly nextDueAt?: number }>;
  /**
   * Failed recipients that a paused relay refused are put back: deferred until `dueAt`, the attempt not charged. A finished
   * batch runs again; in a cancelled one nothing changes. Undefined: no such batch.
   */
  putBack(batch: string, seqs: SeqRanges, dueAt: number): Promise<Moved | undefined>;
}
