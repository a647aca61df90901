import type { z } from 'zod';
import type { BatchState, Message } from '../../protocol/index.ts';

/** A batch's state on the wire and in the store. */
export type State = z.infer<typeof BatchState>;

/** How many recipients of a batch are in which state; the eight states sum up to `total`, always. */
export interface StateCounts {
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

/** Of a batch that nobody is in yet. */
export const NO_COUNTS: StateCounts = {
  total: 0,
  pending: 0,
  leased: 0,
  deferred: 0,
  sent: 0,
  failed: 0,
  unknown: 0,
  suppressed: 0,
  cancelled: 0,
};

/** A batch's options with every default filled in, as they were when it was submitted. */
export interface ResolvedOptions {
  /** Names of the relays that it may use; absent: all. */
  readonly relays?: readonly string[];
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  readonly retryForMs: number;
  readonly onUnknown: 'RETRY' | 'HOLD';
  /** Nothing is sent from then on, ms since the epoch; absent in batches of older versions: never. */
  readonly expiresAt?: number;
}

/** A committed batch as the store knows it. */
export interface BatchRecord {
  readonly uuid: string;
  readonly key?: string;
  readonly name?: string;
  readonly message: Message;
  readonly options: ResolvedOptions;
  readonly state: State;
  readonly counts: StateCounts;
  /** Rows refused at SUBMIT. */
  readonly rejected: number;
  /** Rows merged with an earlier one of the same address. */
  readonly duplicates: number;
  /** Recipients that were or will be sent again although an earlier attempt may have arrived. */
  readonly maybeSent: number;
  /** Recipients that a relay is known to have accepted twice. */
  readonly secondReports: number;
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly finishedAt?: number;
}

/** The figures of a batch that change while it is sent. Every write of the store that moves recipients returns them. */
export type BatchFigures = Pick<
  BatchRecord,
  'state' | 'counts' | 'maybeSent' | 'secondReports' | 'finishedAt'
>;
