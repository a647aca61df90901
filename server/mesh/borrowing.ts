import type { Load } from '../../protocol/index.ts';
import { ASSUMED_WORKER_RATE, believedRate, drainOf, type PoolFigures } from './load.ts';

/** Time that a peer has to answer a WORKER_REQUEST, ms. It answers within milliseconds or not at all. */
export const ANSWER_WITHIN_MS = 3_000;

/** First and longest wait after a peer lent nothing, ms; doubled each time, with jitter. */
export const BACK_OFF_MS = 1_000;
export const MAX_BACK_OFF_MS = 10_000;

/** What a borrower remembers of asking one peer. Times are monotonic ms. */
export interface AskRecord {
  /** Refusals and silences since the last grant. */
  readonly failures: number;
  readonly notBefore: number;
  /** The open request, of which there is one at most. */
  readonly open?: { readonly count: number; readonly until: number };
  /** When the last answer came: an older LOAD of that peer is out of date. */
  readonly answeredAt: number;
  /** Idle workers that the peer had when it refused; with more than that it is worth asking before `notBefore`. */
  readonly refusedWith?: number;
}

export const NEVER_ASKED: AskRecord = { failures: 0, notBefore: 0, answeredAt: Number.NEGATIVE_INFINITY };

/** A peer as a lender. */
export interface Lender {
  readonly uuid: string;
  readonly load: Load;
  /** When that load arrived, monotonic ms. */
  readonly loadAt: number;
  readonly asked: AskRecord;
  /** It has workers of ours: it is the one that was saturated. */
  readonly borrowsFromUs: boolean;
}

export interface BorrowInput {
  readonly now: number;
  readonly figures: PoolFigures;
  readonly busyForMs: number;
  readonly targetDrainS: number;
  /** Borrowed workers here. */
  readonly borrowed: number;
  /** Borrowed workers that were promised and have not arrived. */
  readonly expected: number;
  readonly maxBorrowed: number;
  /** Own workers that are out on loan, and those of them that may be recalled now. */
  readonly lent: number;
  readonly recallable: number;
  /** Own workers already told to come back. */
  readonly comingHome: number;
  /** Live peers. */
  readonly peers: readonly Lender[];
}

export interface BorrowPlan {
  /** How many of its own workers it calls home. */
  readonly recall: number;
  readonly ask: readonly { readonly peer: string; readonly count: number }[];
}

/**
 * How many more workers would bring the drain time down to the target, if each did what the present ones do. Workers
 * that are on their way count as present.
 */
export function workersWanted(input: BorrowInput): number {
  const { figures } = input;
  if (figures.ready === 0 || figures.freeSlots > 0) return 0;
  const perWorker =
    figures.workers === 0 ? ASSUMED_WORKER_RATE : believedRate(figures, input.busyForMs) / figures.workers;
  const needed = Math.ceil(figures.ready / (perWorker * input.targetDrainS));
  return Math.max(0, needed - figures.workers - input.expected - input.comingHome);
}

/**
 * What a saturated server does about it: it calls its own workers home first; for what these cannot cover it asks the
 * least loaded of the live peers with idle workers, several at once, each for no more than it says to have. It never asks
 * a peer twice at a time, nor one that it waits for after a refusal, nor one that borrows from it.
 */
export function planBorrowing(input: BorrowInput): BorrowPlan {
  const wanted = workersWanted(input);
  const recall = Math.min(wanted, input.recallable);
  const openCount = input.peers.reduce((sum, peer) => sum + (peer.asked.open?.count ?? 0), 0);
  // Own workers still inside their minimum loan come home soon: nobody is asked in their stead.
  const ownSoon = input.lent - input.comingHome;
  const room = input.maxBorrowed - input.borrowed - input.expected - openCount;
  let missing = Math.min(wanted - ownSoon - openCount, room);
  const ask: { peer: string; count: number }[] = [];
  for (const peer of input.peers.filter((peer) => mayAsk(peer, input.now)).sort(byLoad)) {
    if (missing <= 0) break;
    const count = Math.min(missing, peer.load.IDLE);
    ask.push({ peer: peer.uuid, count });
    missing -= count;
  }
  return { recall, ask };
}

function mayAsk(peer: Lender, now: number): boolean {
  if (peer.borrowsFromUs || peer.load.IDLE === 0 || peer.loadAt < peer.asked.answeredAt) return false;
  const hasMore = peer.asked.refusedWith !== undefined && peer.load.IDLE > peer.asked.refusedWith;
  return peer.asked.open === undefined && (hasMore || now >= peer.asked.notBefore);
}

function byLoad(a: Lender, b: Lender): number {
  const drain = (peer: Lender) => Math.min(drainOf(peer.load), Number.MAX_VALUE);
  return drain(a) - drain(b) || b.load.IDLE - a.load.IDLE || (a.uuid < b.uuid ? -1 : 1);
}

export function afterAsking(record: AskRecord, count: number, now: number): AskRecord {
  return { ...record, open: { count, until: now + ANSWER_WITHIN_MS } };
}

/** An answer to a request. */
export interface Answer {
  /** Workers granted. */
  readonly granted: number;
  /** Idle workers that the peer had by its last LOAD; undefined when it did not answer at all. */
  readonly idle: number | undefined;
  /** From [0, 1): the jitter of the back-off, which is never below half. */
  readonly random: number;
}

export function afterAnswer(record: AskRecord, answer: Answer, now: number): AskRecord {
  if (answer.granted > 0) return { failures: 0, notBefore: 0, answeredAt: now };
  const wait = Math.min(MAX_BACK_OFF_MS, BACK_OFF_MS * 2 ** Math.min(record.failures, 20));
  return {
    failures: record.failures + 1,
    notBefore: now + wait * (0.5 + answer.random / 2),
    answeredAt: now,
    ...(answer.idle === undefined ? {} : { refusedWith: answer.idle }),
  };
}

/** No answer came in time. */
export function isOverdue(record: AskRecord, now: number): boolean {
  return record.open !== undefined && now >= record.open.until;
}
