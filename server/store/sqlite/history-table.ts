import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  eachSeq,
  MAX_REPLY_CHARS,
  rangesOf,
  type SeqRange,
  type SeqRanges,
} from '../../../protocol/index.ts';
import { TAKEN_FOR_SENT } from '../../batches/store.ts';
import { ASIDE_UNTIL, type ClaimedRecipient, type Outcome } from '../../dispatch/store.ts';
import {
  type Attempt,
  type HistoryRow,
  type HistoryRows,
  type HistoryState,
  WORKER_LOST,
} from '../operations/tables.ts';
import { claimed } from './recipient-table.ts';

type ClaimRow = [
  seq: number,
  address: string,
  name: string | null,
  vars: string | null,
  attempts: number,
  maybe: number,
];

/** The recipients that did not go smoothly, one row each (see schema.ts). */
export class HistoryTable implements HistoryRows {
  readonly #pending: StatementSync;
  readonly #within: StatementSync;
  readonly #setState: StatementSync;
  readonly #insert: StatementSync;
  readonly #record: StatementSync;
  readonly #deleteUnmarked: StatementSync;
  readonly #insertMarked: StatementSync;
  readonly #mark: StatementSync;
  readonly #insertAcceptedTwice: StatementSync;
  readonly #acceptTwice: StatementSync;
  readonly #cancelWaiting: StatementSync;
  readonly #retryFailed: StatementSync;
  readonly #failWaiting: StatementSync;
  readonly #insertFailed: StatementSync;
  readonly #putBack: StatementSync;
  readonly #promote: StatementSync;
  readonly #nextDue: StatementSync;
  readonly #aside: StatementSync;
  readonly #acceptAfterAll: StatementSync;
  readonly #insertPending: StatementSync;
  readonly #putAside: StatementSync;
  readonly #giveUp: StatementSync;
  readonly #unknown: StatementSync;
  readonly #takeForSent: StatementSync;
  readonly #retryUnknown: StatementSync;
  readonly #countUnmarked: StatementSync;

  constructor(database: DatabaseSync) {
    const range = 'batch = ? AND seq BETWEEN ? AND ?';
    const select = `
      SELECT h.seq, r.address, r.name, r.variables, h.attempts, h.maybe_sent
      FROM history h JOIN recipient r ON r.batch = h.batch AND r.seq = h.seq`;
    this.#pending = database.prepare(`
      ${select} WHERE h.batch = ? AND h.state = 'pending' ORDER BY h.seq LIMIT ?`);
    this.#pending.setReturnArrays(true);
    this.#aside = database.prepare(`
      ${select} WHERE h.batch = ? AND h.seq BETWEEN ? AND ? AND h.state = 'deferred' AND h.due_at = ${ASIDE_UNTIL}
      ORDER BY h.seq`);
    this.#aside.setReturnArrays(true);
    this.#within = database.prepare(`
      SELECT seq, state, maybe_sent, accepted_twice, by_decision FROM history WHERE ${range} ORDER BY seq`);
    this.#setState = database.prepare(`UPDATE history SET state = ?, due_at = NULL WHERE ${range}`);
    this.#insert = database.prepare(`
      INSERT INTO history (state, attempts, charged, due_at, maybe_sent, worker, relay, reply, at, batch, seq)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#record = database.prepare(`
      UPDATE history SET state = ?, attempts = attempts + ?, charged = ?, due_at = ?, maybe_sent = max(maybe_sent, ?),
        worker = ?, relay = ?, reply = ?, at = ?
      WHERE batch = ? AND seq = ?`);
    this.#deleteUnmarked = database.prepare(
      `DELETE FROM history WHERE ${range} AND maybe_sent = 0 AND accepted_twice = 0`,
    );
    this.#insertMarked = database.prepare(`
      INSERT INTO history (state, maybe_sent, worker, relay, reply, at, batch, seq)
      VALUES (?, 1, ?, ?, '${WORKER_LOST}', ?, ?, ?)`);
    this.#mark = database.prepare(`
      UPDATE history SET maybe_sent = 1, worker = ?, relay = ?, reply = '${WORKER_LOST}', at = ? WHERE ${range}`);
    this.#insertAcceptedTwice = database.prepare(`
      INSERT INTO history (state, accepted_twice, relay, at, batch, seq) VALUES ('sent', 1, ?, ?, ?, ?)`);
    this.#acceptTwice = database.prepare('UPDATE history SET accepted_twice = 1 WHERE batch = ? AND seq = ?');
    this.#cancelWaiting = database.prepare(`
      UPDATE history SET state = 'cancelled', due_at = NULL WHERE batch = ? AND state IN ('pending', 'deferred')`);
    this.#retryFailed = database.prepare(`
      UPDATE history SET state = 'pending', attempts = 0, charged = 0 WHERE batch = ? AND state = 'failed'`);
    this.#failWaiting = database.prepare(`
      UPDATE history SET state = 'failed', due_at = NULL, charged = 0, reply = :reply, at = :now
      WHERE batch = :batch AND seq IN (
        SELECT seq FROM history WHERE batch = :batch AND state = :state ORDER BY seq LIMIT :limit)`);
    this.#insertFailed = database.prepare(`
      INSERT INTO history (state, reply, at, batch, seq) VALUES ('failed', ?, ?, ?, ?)`);
    this.#putBack = database.prepare(`
      UPDATE history SET state = 'deferred', due_at = ?, attempts = attempts - charged, charged = 0
      WHERE ${range} AND state = 'failed'`);
    this.#promote = database.prepare(`
      UPDATE history SET state = 'pending', due_at = NULL
      WHERE batch = :batch AND seq IN (
        SELECT seq FROM history WHERE batch = :batch AND state = 'deferred' AND due_at <= :now
        ORDER BY due_at, seq LIMIT :limit)`);
    this.#nextDue = database.prepare(`
      SELECT min(due_at) AS due FROM history WHERE batch = ? AND state = 'deferred' AND due_at < ${ASIDE_UNTIL}`);
    this.#acceptAfterAll = database.prepare(
      'UPDATE history SET by_decision = 0, reply = NULL WHERE batch = ? AND seq = ?',
    );
    this.#insertPending = database.prepare(
      `INSERT INTO history (state, batch, seq) VALUES ('pending', ?, ?)`,
    );
    this.#putAside = database.prepare(
      `UPDATE history SET state = 'deferred', due_at = ${ASIDE_UNTIL} WHERE batch = ? AND seq = ?`,
    );
    this.#giveUp = database.prepare(
      'UPDATE history SET state = ?, due_at = NULL, charged = 0, reply = ?, at = ? WHERE batch = ? AND seq = ?',
    );
    this.#unknown = database.prepare(
      `SELECT seq FROM history WHERE ${range} AND state = 'unknown' ORDER BY seq`,
    );
    this.#unknown.setReturnArrays(true);
    this.#takeForSent = database.prepare(`
      UPDATE history SET state = 'sent', by_decision = 1, reply = '${TAKEN_FOR_SENT}', at = ? WHERE ${range}`);
    this.#retryUnknown = database.prepare(`
      UPDATE history SET state = 'pending', attempts = 0, charged = 0, maybe_sent = 1 WHERE ${range}`);
    this.#countUnmarked = database.prepare(
      `SELECT count(*) AS count FROM history WHERE ${range} AND maybe_sent = 0`,
    );
  }

  /** The first recipients that are pending again. */
  pending(batch: number, limit: number): ClaimedRecipient[] {
    const rows = this.#pending.all(batch, limit) as unknown as ClaimRow[];
    return rows.map(toClaimed);
  }

  /** Those of these that are set aside. */
  aside(batch: number, ranges: SeqRanges): ClaimedRecipient[] {
    return ranges.flatMap(([from, to]) =>
      (this.#aside.all(batch, from, to) as unknown as ClaimRow[]).map(toClaimed),
    );
  }

  within(batch: number, [from, to]: SeqRange): readonly HistoryRow[] {
    return this.#within.all(batch, from, to) as unknown as HistoryRow[];
  }

  /** All of these have rows. */
  setState(batch: number, ranges: SeqRanges, state: HistoryState): void {
    for (const [from, to] of ranges) this.#setState.run(state, batch, from, to);
  }

  /** All of these have rows, and are sent: only those with something to remember keep theirs. */
  sent(batch: number, ranges: SeqRanges): void {
    for (const [from, to] of ranges) {
      const { changes } = this.#deleteUnmarked.run(batch, from, to);
      if (Number(changes) <= to - from) this.#setState.run('sent', batch, from, to);
    }
  }

  /** Writes what became of one recipient; `again`: it has a row. Tells whether it is newly marked as maybe sent. */
  record(
    batch: number,
    outcome: Outcome,
    as: HistoryState,
    { worker, relay, at }: Attempt,
    again: boolean,
  ): boolean {
    const { seq } = outcome;
    const charged = outcome.charged ? 1 : 0;
    const dueAt = as === 'deferred' ? (outcome.dueAt ?? at) : null;
    const maybeSent = outcome.maybeSent === true;
    const reply = outcome.reply.slice(0, MAX_REPLY_CHARS);
    const wasMarked = again && maybeSent && this.within(batch, [seq, seq])[0]?.maybe_sent === 1;
    (again ? this.#record : this.#insert).run(
      as,
      charged,
      charged,
      dueAt,
      maybeSent ? 1 : 0,
      worker,
      relay,
      reply,
      at,
      batch,
      seq,
    );
    return maybeSent && !wasMarked;
  }

  /** Marks recipients that have rows as maybe sent; tells how many were not yet. */
  mark(batch: number, ranges: SeqRanges, { worker, relay, at }: Attempt): number {
    let marked = 0;
    for (const range of ranges) {
      marked += this.within(batch, range).filter((row) => row.maybe_sent === 0).length;
      this.#mark.run(worker, relay, at, batch, ...range);
    }
    return marked;
  }

  /** Gives recipients without a row one that marks them as maybe sent. */
  insertMarked(batch: number, ranges: SeqRanges, as: HistoryState, attempt: Attempt): void {
    const { worker, relay, at } = attempt;
    for (const seq of eachSeq(ranges)) this.#insertMarked.run(as, worker, relay, at, batch, seq);
  }

  /** A sent recipient without a row was accepted a second time. */
  insertAcceptedTwice(batch: number, seq: number, relay: string, now: number): void {
    this.#insertAcceptedTwice.run(relay, now, batch, seq);
  }

  /** A sent recipient with a row was accepted a second time. */
  acceptTwice(batch: number, seq: number): void {
    this.#acceptTwice.run(batch, seq);
  }

  /** Pending and deferred become cancelled; its cost grows with their number. */
  cancelWaiting(batch: number): void {
    this.#cancelWaiting.run(batch);
  }

  /** Failed become pending; its cost grows with their number, which it tells. */
  retryFailed(batch: number): number {
    return Number(this.#retryFailed.run(batch).changes);
  }

  /** The first ones of those that wait in this state fail; tells how many. */
  failWaiting(
    batch: number,
    state: 'pending' | 'deferred',
    limit: number,
    why: { readonly reply: string; readonly now: number },
  ): number {
    const { reply, now } = why;
    return Number(this.#failWaiting.run({ batch, state, limit, reply, now }).changes);
  }

  /** Recipients without a row fail. */
  insertFailed(
    batch: number,
    ranges: SeqRanges,
    { reply, now }: { readonly reply: string; readonly now: number },
  ): void {
    for (const seq of eachSeq(ranges)) this.#insertFailed.run(reply, now, batch, seq);
  }

  /** Failed ones among these become deferred; tells how many. */
  putBack(batch: number, ranges: SeqRanges, dueAt: number): number {
    let changed = 0;
    for (const [from, to] of ranges) changed += Number(this.#putBack.run(dueAt, batch, from, to).changes);
    return changed;
  }

  /** Deferred ones whose time has come become pending, the longest due first; tells how many. */
  promote(batch: number, now: number, limit: number): number {
    return Number(this.#promote.run({ batch, now, limit }).changes);
  }

  /** When the next deferred one is due. */
  nextDue(batch: number): number | undefined {
    const { due } = this.#nextDue.get(batch) as { due: number | null };
    return due ?? undefined;
  }

  /** One that was taken for sent by decision was accepted indeed. */
  acceptAfterAll(batch: number, seq: number): void {
    this.#acceptAfterAll.run(batch, seq);
  }

  /** Gives a pending recipient without a row one. */
  insertPending(batch: number, seq: number): void {
    this.#insertPending.run(batch, seq);
  }

  putAside(batch: number, seq: number): void {
    this.#putAside.run(batch, seq);
  }

  giveUp(batch: number, seq: number, as: 'failed' | 'unknown', reply: string, now: number): void {
    this.#giveUp.run(as, reply.slice(0, MAX_REPLY_CHARS), now, batch, seq);
  }

  /** The unknown ones among these. */
  unknown(batch: number, ranges: SeqRanges): SeqRanges {
    return rangesOf(
      ranges.flatMap(([from, to]) => (this.#unknown.all(batch, from, to) as unknown as [number][]).flat()),
    );
  }

  /** Unknown ones become sent. */
  takeForSent(batch: number, ranges: SeqRanges, now: number): void {
    for (const [from, to] of ranges) this.#takeForSent.run(now, batch, from, to);
  }

  /** Unknown ones become pending, all of them marked as maybe sent; tells how many were not yet. */
  retryUnknown(batch: number, ranges: SeqRanges): number {
    let marked = 0;
    for (const [from, to] of ranges) {
      marked += (this.#countUnmarked.get(batch, from, to) as { count: number }).count;
      this.#retryUnknown.run(batch, from, to);
    }
    return marked;
  }
}

function toClaimed([seq, address, name, vars, attempts, maybe]: ClaimRow): ClaimedRecipient {
  return claimed(seq, address, name, vars, attempts, maybe === 1);
}
