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
  /** Leases these, as far as they are set aside, and no others. */
  readonly aside?: SeqRanges;
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
  /** This attempt may have arrived. */
  readonly maybeSent?: boolean;
  /** maybeSent only: why it may have arrived, for the row of possible duplicates; absent: LINE_CUT. */
  readonly why?: string;
}

/** Why a mail may have arrived: the relay was sent the final dot, and did not answer. */
export const LINE_CUT = 'line cut after the final dot';
/** Why a mail may have arrived: the journal of a worker that died says that it was begun, and not how it ended. */
export const JOURNAL_OPEN = 'journal: begun, no result';
/** Why a mail is there twice. */
export const ACCEPTED_TWICE = 'relay accepted twice';

/** How strongly a recipient is suspected of killing the workers that try it; poison.ts says what follows. */
export interface Suspicion {
  /** Workers that died in a row when they may have begun it. */
  readonly deaths: number;
  /** How many recipients were suspected together with it the last time, itself included. */
  readonly among: number;
  /** Workers that died in a row when they had nothing but this recipient. */
  readonly alone: number;
}

/**
 * What follows for one suspect. FREE: it is sent like the others. ASIDE: it waits until it is claimed by `aside`. GIVE_UP:
 * it is not tried again.
 */
export interface Judgement extends Suspicion {
  readonly seq: number;
  readonly verdict: 'FREE' | 'ASIDE' | 'GIVE_UP';
  /** GIVE_UP only: what stands where the relay's reply would stand. */
  readonly reply?: string;
}

/**
 * Asked when a worker died with a task. The suspects are the first of what remained, in the task's order, without those
 * that are known to be sent or to have got an answer.
 */
export interface Inquest {
  /** It had begun at most so many that it had not reported. */
  readonly first: number;
  /** Pure: called within the transaction, perhaps more than once. */
  readonly judge: (suspects: SeqRanges) => readonly Judgement[];
}

/** A suspicion as it is stored. */
export interface StoredSuspicion extends Suspicion {
  readonly batch: string;
  readonly seq: number;
  /** It is set aside, and waits for a claim by `aside`. */
  readonly aside: boolean;
}

/** `dueAt` of those set aside: the last moment that a Date can tell. */
export const ASIDE_UNTIL = 8.64e15;

export interface Settlement {
  readonly task: string;
  readonly now: number;
  readonly sent: SeqRanges;
  readonly outcomes: readonly Outcome[];
  /** Handed back untouched: pending again, no attempt charged. */
  readonly returned: SeqRanges;
  /** Whatever this leaves unsettled is handed back, and the task is over. So is any task of which nothing is left. */
  readonly done: boolean;
  /** These are no longer suspected. */
  readonly cleared?: SeqRanges;
  /** The worker that had the task has died, and this is what another tells in its place. */
  readonly inquest?: Inquest;
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
  /** What the inquest found. */
  readonly judged?: readonly Judgement[];
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
  /** Why the marked ones may have been sent, for the row of possible duplicates. */
  readonly why?: string;
  /** The worker has died. */
  readonly inquest?: Inquest;
}

export interface Expired extends Moved {
  /** How many of them may have been sent. */
  readonly marked: number;
  /** What the inquest found. */
  readonly judged?: readonly Judgement[];
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
   * With `aside`, those of them that are set aside, in order of seq, and nothing else; undefined when none of them is.
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
   * A row of possible duplicates is kept for outcomes applied with `maybeSent`, one for each `why` of a settlement, and one
   * for those now known to be accepted twice. A recipient taken for sent by decision and now reported as sent is that, once.
   *
   * The judgement of an inquest, here and at `expire`, concerns those pending or deferred after all else was applied. ASIDE: it
   * is deferred until ASIDE_UNTIL. GIVE_UP: it becomes unknown when it is marked as maybe sent, otherwise failed, with the given
   * reply. In every case the suspicion is kept, also of those whose state it does not change.
   */
  settle(settlement: Settlement): Promise<Settled | undefined>;
  /**
   * Ends a lease whose worker is gone: what remains is pending again (in a cancelled batch: cancelled), with no attempt
   * charged. When some may have been sent, one row of possible duplicates is kept. Undefined: that task is not out.
   */
  expire(expiry: Expiry): Promise<Expired | undefined>;
  /** The suspicions in batches that are not finished. */
  suspicions(): Promise<readonly StoredSuspicion[]>;
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
