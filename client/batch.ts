import {
  type BatchInfo,
  countSeqs,
  type PossibleDuplicate as PossibleDuplicateEvent,
  type RecipientEntry,
} from '../protocol/index.ts';

/** Numbers of recipients by state; the eight states sum up to `total`. */
export interface BatchCounts {
  readonly total: number;
  readonly pending: number;
  readonly leased: number;
  readonly deferred: number;
  readonly sent: number;
  readonly failed: number;
  readonly unknown: number;
  readonly suppressed: number;
  readonly cancelled: number;
}

export type BatchState = 'running' | 'paused' | 'cancelled' | 'finished';

/** A batch as its server knows it. */
export interface Batch {
  readonly id: string;
  readonly name?: string;
  readonly subject: string;
  readonly state: BatchState;
  readonly counts: BatchCounts;
  /** Rows refused at SUBMIT. */
  readonly rejected: number;
  /** Rows merged with an earlier one of the same address. */
  readonly duplicates: number;
  /** Recipients sent again although an earlier attempt may have arrived. */
  readonly maybeSent: number;
  /** Recipients that a relay is known to have accepted twice. */
  readonly secondReports: number;
  readonly createdAt: Date;
  readonly finishedAt?: Date;
  /** What was not sent by then fails. */
  readonly expiresAt?: Date;
  /** Recipients settled per second. */
  readonly rate?: number;
  /** Why nothing moves right now. */
  readonly waiting?: string;
}

/** One recipient of a batch. */
export interface BatchRecipient {
  /** Number within the batch. */
  readonly seq: number;
  readonly address: string;
  readonly state: string;
  readonly attempts: number;
  /** The worker of the last attempt. */
  readonly worker?: string;
  readonly relay?: string;
  /** The relay's last reply, or what failed where there was none. */
  readonly reply?: string;
  /** Time of the last attempt. */
  readonly at?: Date;
  /** Time of the next one. */
  readonly dueAt?: Date;
  readonly maybeSent: boolean;
}

/** One event after which mails of a batch may arrive twice. */
export interface PossibleDuplicate {
  readonly id: number;
  /** Numbers of the recipients within the batch, as ranges [from, to]. */
  readonly seqs: readonly (readonly [from: number, to: number])[];
  /** How many they are. */
  readonly recipients: number;
  /** Task and worker; absent where someone decided. */
  readonly task?: string;
  readonly worker?: string;
  readonly relay?: string;
  readonly at: Date;
  readonly why: string;
}

/** Nothing more will be heard of it, unless someone asks for a retry. A cancelled batch first ends what is being sent. */
export function isOver(batch: Batch): boolean {
  return batch.state === 'finished' || (batch.state === 'cancelled' && batch.counts.leased === 0);
}

export function batchOf(info: BatchInfo): Batch {
  const { COUNTS } = info;
  return {
    id: info.BATCH_UUID,
    name: info.NAME,
    subject: info.SUBJECT,
    state: info.STATE.toLowerCase() as BatchState,
    counts: {
      total: COUNTS.TOTAL,
      pending: COUNTS.PENDING,
      leased: COUNTS.LEASED,
      deferred: COUNTS.DEFERRED,
      sent: COUNTS.SENT,
      failed: COUNTS.FAILED,
      unknown: COUNTS.UNKNOWN,
      suppressed: COUNTS.SUPPRESSED,
      cancelled: COUNTS.CANCELLED,
    },
    rejected: info.REJECTED,
    duplicates: info.DUPLICATES,
    maybeSent: info.MAYBE_SENT,
    secondReports: info.SECOND_REPORTS,
    createdAt: new Date(info.CREATED_AT),
    finishedAt: dateOf(info.FINISHED_AT),
    expiresAt: dateOf(info.EXPIRES_AT),
    rate: info.RATE,
    waiting: info.WAITING,
  };
}

export function recipientOf(entry: RecipientEntry): BatchRecipient {
  return {
    seq: entry.SEQ,
    address: entry.ADDRESS,
    state: entry.STATE.toLowerCase(),
    attempts: entry.ATTEMPTS,
    worker: entry.WORKER_UUID,
    relay: entry.RELAY,
    reply: entry.REPLY,
    at: dateOf(entry.AT),
    dueAt: dateOf(entry.DUE_AT),
    maybeSent: entry.MAYBE_SENT,
  };
}

export function possibleDuplicateOf(event: PossibleDuplicateEvent): PossibleDuplicate {
  return {
    id: event.ID,
    seqs: event.SEQS,
    recipients: countSeqs(event.SEQS),
    task: event.TASK_UUID,
    worker: event.WORKER_UUID,
    relay: event.RELAY,
    at: new Date(event.AT),
    why: event.WHY,
  };
}

function dateOf(iso: string | undefined): Date | undefined {
  return iso === undefined ? undefined : new Date(iso);
}
