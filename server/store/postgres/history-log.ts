import {
  countSeqs,
  eachSeq,
  hasSeq,
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
import { numberArray, withoutNul } from './array-text.ts';
import type { BatchCache } from './batch-cache.ts';
import type { Changes } from './changes.ts';
import { CommitFirst, type Row, type Scope } from './scope.ts';
import type { StatementName } from './statements.ts';

/** Rows beyond the range asked for that are read along with it: who asks for one range often asks for the next. */
const READ_AHEAD = 10_000;

/** What one change makes of a row; undefined: there is none. */
type Apply = (row: HistoryRow | undefined, seq: number) => HistoryRow | undefined;

interface Entry {
  readonly ranges: SeqRanges;
  readonly apply: Apply;
  /** It gives rows to recipients that have none. */
  readonly inserts: boolean;
}

const EVERYONE: SeqRanges = [[0, Infinity]];

/** What the columns of STATEMENTS.history_record are. */
const RECORD = [
  ...['number', 'number', 'text', 'number', 'number', 'number', 'number', 'number'],
  ...['text', 'text', 'text', 'number'],
] as readonly ('number' | 'text')[];

/**
 * The history of recipients is not kept in memory. What a group changes is a log, of statements and of the same changes to a
 * row: rows that an operation asks for are read as they are committed, and the log is applied to them. Lists by state or time
 * cannot be had that way: for those the changes that earlier operations made to the batch are committed first.
 */
export class HistoryLog implements HistoryRows {
  readonly #scope: Scope;
  readonly #changes: Changes;
  readonly #batches: BatchCache;
  /** The changes of this group, by batch. */
  readonly #log = new Map<number, Entry[]>();
  /** Length of the logs when the operation began. */
  #before = new Map<number, number>();
  /** By batch, what `nextDue` is after a promotion by the operation that is run. */
  #dueAfter = new Map<number, number | undefined>();

  constructor(scope: Scope, changes: Changes, batches: BatchCache) {
    this.#scope = scope;
    this.#changes = changes;
    this.#batches = batches;
  }

  /** To be called when an operation begins. */
  beginOperation(): void {
    this.#before = new Map([...this.#log].map(([batch, entries]) => [batch, entries.length]));
    this.#dueAfter = new Map();
  }

  /** To be called when a group ends. */
  clear(): void {
    this.#log.clear();
  }

  pending(batch: number, limit: number): ClaimedRecipient[] {
    const { counts, spans } = this.#batches.byId(batch);
    if (counts.pending === spans.pending.count) return [];
    this.#committedOnly(batch);
    return this.#scope.need(`pending ${batch} ${limit}`, async (read) =>
      (await read('history_pending', [String(batch), String(limit)])).map(claimedOf),
    );
  }

  aside(batch: number, ranges: SeqRanges): ClaimedRecipient[] {
    if (this.#batches.byId(batch).counts.deferred === 0) return [];
    this.#committedOnly(batch);
    const aside = this.#scope.need(`aside ${batch}`, async (read) =>
      (await read('history_aside', [String(batch), String(ASIDE_UNTIL)])).map(claimedOf),
    );
    return aside.filter(({ seq }) => hasSeq(ranges, seq));
  }

  within(batch: number, [from, to]: SeqRange): readonly HistoryRow[] {
    const rows = new Map<number, HistoryRow>();
    for (let at = from; at <= to; ) {
      const read = this.#window(batch, at, to);
      for (const row of read.rows) if (row.seq >= at && row.seq <= to) rows.set(row.seq, row);
      at = read.to + 1;
    }
    for (const { ranges, apply, inserts } of this.#log.get(batch) ?? []) {
      for (const [f, t] of ranges) {
        const [first, last] = [Math.max(f, from), Math.min(t, to)];
        if (inserts) for (let seq = first; seq <= last; seq++) put(rows, seq, apply(undefined, seq));
        else for (const [seq, row] of rows) if (seq >= first && seq <= last) put(rows, seq, apply(row, seq));
      }
    }
    return [...rows.values()].sort((a, b) => a.seq - b.seq);
  }

  setState(batch: number, ranges: SeqRanges, state: HistoryState): void {
    this.#update('history_set_state', batch, ranges, [state]);
    this.#note(batch, ranges, (row) => row && { ...row, state });
  }

  sent(batch: number, ranges: SeqRanges): void {
    this.#update('history_forget_sent', batch, ranges);
    this.#note(batch, ranges, (row) => (row?.maybe_sent === 0 && row.accepted_twice === 0 ? undefined : row));
    this.setState(batch, ranges, 'sent');
  }

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
    const maybeSent = outcome.maybeSent === true ? 1 : 0;
    const reply = outcome.reply.slice(0, MAX_REPLY_CHARS);
    const wasMarked = again && maybeSent === 1 && this.within(batch, [seq, seq])[0]?.maybe_sent === 1;
    const row = { state: as, charged, maybeSent, dueAt, worker, relay, reply, at };
    this.#record(batch, seq, row, again);
    return maybeSent === 1 && !wasMarked;
  }

  mark(batch: number, ranges: SeqRanges, { worker, relay, at }: Attempt): number {
    const rows = ranges.flatMap((range) => this.within(batch, range));
    this.#update('history_mark', batch, ranges, [worker, relay, WORKER_LOST, String(at)]);
    this.#note(batch, ranges, (row) => row && { ...row, maybe_sent: 1 });
    return rows.filter((row) => row.maybe_sent === 0).length;
  }

  insertMarked(batch: number, ranges: SeqRanges, as: HistoryState, { worker, relay, at }: Attempt): void {
    for (const seq of eachSeq(ranges)) {
      this.#record(batch, seq, { state: as, maybeSent: 1, worker, relay, reply: WORKER_LOST, at });
    }
  }

  insertAcceptedTwice(batch: number, seq: number, relay: string, now: number): void {
    this.#record(batch, seq, { state: 'sent', acceptedTwice: 1, relay, at: now });
  }

  acceptTwice(batch: number, seq: number): void {
    this.#update('history_accept_twice', batch, [[seq, seq]]);
    this.#note(batch, [[seq, seq]], (row) => row && { ...row, accepted_twice: 1 });
  }

  cancelWaiting(batch: number): void {
    this.#changes.one('history_cancel_waiting', [String(batch)]);
    this.#note(batch, EVERYONE, (row) =>
      row?.state === 'pending' || row?.state === 'deferred' ? { ...row, state: 'cancelled' } : row,
    );
  }

  retryFailed(batch: number): number {
    this.#changes.one('history_retry_failed', [String(batch)]);
    this.#note(batch, EVERYONE, (row) => (row?.state === 'failed' ? { ...row, state: 'pending' } : row));
    return this.#batches.byId(batch).counts.failed;
  }

  failWaiting(
    batch: number,
    state: 'pending' | 'deferred',
    limit: number,
    why: { readonly reply: string; readonly now: number },
  ): number {
    const { counts, spans } = this.#batches.byId(batch);
    const waiting = state === 'deferred' ? counts.deferred : counts.pending - spans.pending.count;
    if (waiting === 0 || limit <= 0) return 0;
    this.#committedOnly(batch);
    const seqs = this.#scope.need(`waiting ${batch} ${state} ${limit}`, async (read) =>
      (await read('history_waiting', [String(batch), state, String(limit)])).map(([seq]) => Number(seq)),
    );
    const ranges = rangesOf(seqs);
    this.#update('history_fail', batch, ranges, [why.reply, String(why.now)]);
    this.#note(batch, ranges, (row) => row && { ...row, state: 'failed' });
    return seqs.length;
  }

  insertFailed(
    batch: number,
    ranges: SeqRanges,
    why: { readonly reply: string; readonly now: number },
  ): void {
    for (const seq of eachSeq(ranges)) {
      this.#record(batch, seq, { state: 'failed', reply: why.reply, at: why.now });
    }
  }

  putBack(batch: number, ranges: SeqRanges, dueAt: number): number {
    const rows = ranges.flatMap((range) => this.within(batch, range));
    const failed = rangesOf(rows.filter((row) => row.state === 'failed').map((row) => row.seq));
    this.#update('history_put_back', batch, failed, [String(dueAt)]);
    this.#note(batch, failed, (row) => row && { ...row, state: 'deferred' });
    return countSeqs(failed);
  }

  promote(batch: number, now: number, limit: number): number {
    this.#committedOnly(batch);
    const due = this.#scope.need(`due ${batch} ${limit}`, (read) =>
      read('history_due', [String(batch), String(now), String(limit + 1)]),
    );
    const promoted = due.slice(0, limit).map(([seq]) => Number(seq));
    const rest = due[limit];
    this.#dueAfter.set(batch, rest === undefined ? this.#nextDueAfter(batch, now) : Number(rest[1]));
    this.setState(batch, rangesOf(promoted), 'pending');
    return promoted.length;
  }

  nextDue(batch: number): number | undefined {
    if (this.#dueAfter.has(batch)) return this.#dueAfter.get(batch);
    return this.#nextDueAfter(batch, Number.NEGATIVE_INFINITY);
  }

  acceptAfterAll(batch: number, seq: number): void {
    this.#update('history_accept_after_all', batch, [[seq, seq]]);
    this.#note(batch, [[seq, seq]], (row) => row && { ...row, by_decision: 0 });
  }

  insertPending(batch: number, seq: number): void {
    this.#record(batch, seq, { state: 'pending' });
  }

  putAside(batch: number, seq: number): void {
    this.#update('history_put_aside', batch, [[seq, seq]], [String(ASIDE_UNTIL)]);
    this.#note(batch, [[seq, seq]], (row) => row && { ...row, state: 'deferred' });
  }

  giveUp(batch: number, seq: number, as: 'failed' | 'unknown', reply: string, now: number): void {
    const cells = [as, reply.slice(0, MAX_REPLY_CHARS), String(now)];
    this.#update('history_give_up', batch, [[seq, seq]], cells);
    this.#note(batch, [[seq, seq]], (row) => row && { ...row, state: as });
  }

  unknown(batch: number, ranges: SeqRanges): SeqRanges {
    return rangesOf(this.#unknownRows(batch, ranges).map(([seq]) => seq));
  }

  takeForSent(batch: number, ranges: SeqRanges, now: number): void {
    this.#update('history_take_for_sent', batch, ranges, [TAKEN_FOR_SENT, String(now)]);
    this.#note(batch, ranges, (row) => row && { ...row, state: 'sent', by_decision: 1 });
  }

  retryUnknown(batch: number, ranges: SeqRanges): number {
    const unmarked = this.#unknownRows(batch, ranges).filter(([, maybeSent]) => maybeSent === 0).length;
    this.#update('history_retry_unknown', batch, ranges);
    this.#note(batch, ranges, (row) => row && { ...row, state: 'pending', maybe_sent: 1 });
    return unmarked;
  }

  /** The unknown ones among these, with their marks. */
  #unknownRows(batch: number, ranges: SeqRanges): readonly (readonly [seq: number, maybeSent: number])[] {
    this.#committedOnly(batch);
    const unknown = this.#scope.need(`unknown ${batch}`, async (read) =>
      (await read('history_unknown', [String(batch)])).map(
        ([seq, maybeSent]) => [Number(seq), Number(maybeSent)] as const,
      ),
    );
    return unknown.filter(([seq]) => hasSeq(ranges, seq));
  }

  /** The first due time after `now`; asks for those of all batches that have deferred recipients, as the caller will. */
  #nextDueAfter(batch: number, now: number): number | undefined {
    this.#committedOnly(batch);
    const name = (id: number): string => `next due ${id} ${now}`;
    return this.#scope.need(name(batch), async (read) => {
      const ids = new Set([batch]);
      for (const { id, counts } of this.#batches.kept()) if (counts.deferred > 0) ids.add(id);
      const after = Number.isFinite(now) ? String(now) : '-infinity';
      const rows = await read('history_next_due', [numberArray([...ids]), after, String(ASIDE_UNTIL)]);
      let own: number | undefined;
      for (const [id, due] of rows) {
        const time = due === null || due === undefined ? undefined : Number(due);
        if (Number(id) === batch) own = time;
        else this.#scope.put(name(Number(id)), time);
      }
      return own;
    });
  }

  /** Committed rows from `from` on, as far as they are read; at most to the end of a window. */
  #window(
    batch: number,
    from: number,
    to: number,
  ): { readonly to: number; readonly rows: readonly HistoryRow[] } {
    const windows = this.#scope.have<{ from: number; to: number; rows: HistoryRow[] }[]>(
      `windows ${batch}`,
      () => [],
    );
    const window = windows.find((one) => one.from <= from && one.to >= from);
    if (window !== undefined) return window;
    const end = Math.max(to, from + READ_AHEAD);
    return this.#scope.need(`window ${batch} ${from} ${end}`, async (read) => {
      const rows = (await read('history_within', [String(batch), String(from), String(end)])).map(rowOf);
      const loaded = { from, to: end, rows };
      windows.push(loaded);
      return loaded;
    });
  }

  /** @throws CommitFirst */
  #committedOnly(batch: number): void {
    if ((this.#before.get(batch) ?? 0) > 0) throw new CommitFirst();
  }

  /** A statement about these recipients, all of which have rows. */
  #update(
    statement: StatementName,
    batch: number,
    ranges: SeqRanges,
    cells: readonly (string | null)[] = [],
  ): void {
    if (ranges.length === 0) return;
    this.#changes.one(statement, [String(batch), numberArray([...eachSeq(ranges)]), ...cells.map(clean)]);
  }

  /** `again`: it has a row. */
  #record(batch: number, seq: number, row: NewRow, again = false): void {
    const { state, charged = 0, maybeSent = 0, acceptedTwice = 0, dueAt, worker, relay, reply, at } = row;
    const cells = [
      batch,
      seq,
      state,
      charged,
      charged,
      maybeSent,
      acceptedTwice,
      dueAt,
      worker,
      relay,
      reply,
      at,
    ];
    this.#changes.add('history_record', RECORD, cells);
    const made = { seq, state, maybe_sent: maybeSent, accepted_twice: acceptedTwice, by_decision: 0 };
    const apply: Apply = (old) => old && { ...old, state, maybe_sent: Math.max(old.maybe_sent, maybeSent) };
    this.#note(batch, [[seq, seq]], again ? apply : () => made, !again);
  }

  #note(batch: number, ranges: SeqRanges, apply: Apply, inserts = false): void {
    if (ranges.length === 0) return;
    const log = this.#log.get(batch) ?? [];
    this.#log.set(batch, log);
    log.push({ ranges, apply, inserts });
    this.#scope.onUndo(() => log.pop());
  }
}

interface NewRow {
  readonly state: HistoryState;
  readonly charged?: number;
  readonly maybeSent?: number;
  readonly acceptedTwice?: number;
  readonly dueAt?: number | null;
  readonly worker?: string;
  readonly relay?: string;
  readonly reply?: string;
  readonly at?: number;
}

function put(rows: Map<number, HistoryRow>, seq: number, row: HistoryRow | undefined): void {
  if (row === undefined) rows.delete(seq);
  else rows.set(seq, row);
}

function clean(text: string | null): string | null {
  return text === null ? null : withoutNul(text);
}

function claimedOf([seq, address, name, variables, attempts, maybeSent]: Row): ClaimedRecipient {
  return {
    seq: Number(seq),
    address: address ?? '',
    name: name ?? undefined,
    variables: variables ?? undefined,
    attempts: Number(attempts),
    maybeSent: maybeSent === '1',
  };
}

function rowOf([seq, state, maybeSent, acceptedTwice, byDecision]: Row): HistoryRow {
  return {
    seq: Number(seq),
    state: state as HistoryState,
    maybe_sent: Number(maybeSent),
    accepted_twice: Number(acceptedTwice),
    by_decision: Number(byDecision),
  };
}
