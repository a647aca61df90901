import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SeqRange, SeqRanges } from '../../../protocol/index.ts';
import type { SpanRows, SpanState } from '../operations/tables.ts';

interface SpanRow {
  readonly from_seq: number;
  readonly to_seq: number;
}

/**
 * The mass of a batch, as few long spans of recipients in one state (see schema.ts). Spans of a state never overlap, and
 * those that touch are joined, so that a batch that is over is one span however many tasks it took.
 */
export class SpanTable implements SpanRows {
  readonly #first: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #setTo: StatementSync;
  readonly #endingAt: StatementSync;
  readonly #startingAt: StatementSync;
  readonly #overlapping: StatementSync;
  readonly #rename: StatementSync;
  readonly #all: StatementSync;

  constructor(database: DatabaseSync) {
    const where = 'WHERE batch = ? AND state = ?';
    this.#first = database.prepare(`SELECT from_seq, to_seq FROM span ${where} ORDER BY from_seq LIMIT 1`);
    this.#insert = database.prepare('INSERT INTO span (batch, state, from_seq, to_seq) VALUES (?, ?, ?, ?)');
    this.#delete = database.prepare(`DELETE FROM span ${where} AND from_seq = ?`);
    this.#setTo = database.prepare(
      'UPDATE span SET to_seq = ? WHERE batch = ? AND state = ? AND from_seq = ?',
    );
    this.#endingAt = database.prepare(`
      SELECT from_seq, to_seq FROM span ${where} AND from_seq <= ? ORDER BY from_seq DESC LIMIT 1`);
    this.#startingAt = database.prepare(`SELECT from_seq, to_seq FROM span ${where} AND from_seq = ?`);
    this.#overlapping = database.prepare(`
      SELECT from_seq, to_seq FROM span
      WHERE batch = :batch AND state = :state AND to_seq >= :from AND from_seq <= :to AND from_seq >= ifnull(
        (SELECT max(from_seq) FROM span WHERE batch = :batch AND state = :state AND from_seq <= :from), 0)
      ORDER BY from_seq`);
    this.#rename = database.prepare('UPDATE span SET state = ? WHERE batch = ? AND state = ?');
    this.#all = database.prepare(`SELECT from_seq, to_seq FROM span ${where} ORDER BY from_seq`);
  }

  /** Takes out the first recipients in this state, at most `count`. */
  take(batch: number, state: SpanState, count: number): SeqRanges {
    const taken: SeqRange[] = [];
    let left = count;
    while (left > 0) {
      const span = this.#first.get(batch, state) as unknown as SpanRow | undefined;
      if (span === undefined) break;
      const to = Math.min(span.to_seq, span.from_seq + left - 1);
      this.#delete.run(batch, state, span.from_seq);
      if (to < span.to_seq) this.#insert.run(batch, state, to + 1, span.to_seq);
      taken.push([span.from_seq, to]);
      left -= to - span.from_seq + 1;
    }
    return taken;
  }

  /** Puts in recipients that are in no span. */
  add(batch: number, state: SpanState, ranges: SeqRanges): void {
    for (const [from, to] of ranges) this.#addOne(batch, state, from, to);
  }

  /** Takes out whatever of these recipients is in this state, and tells which they were. */
  cut(batch: number, state: SpanState, ranges: SeqRanges): SeqRanges {
    const found: SeqRange[] = [];
    for (const [from, to] of ranges) {
      const spans = this.#overlapping.all({ batch, state, from, to }) as unknown as SpanRow[];
      for (const span of spans) {
        this.#delete.run(batch, state, span.from_seq);
        if (span.from_seq < from) this.#insert.run(batch, state, span.from_seq, from - 1);
        if (span.to_seq > to) this.#insert.run(batch, state, to + 1, span.to_seq);
        found.push([Math.max(span.from_seq, from), Math.min(span.to_seq, to)]);
      }
    }
    return found;
  }

  /** Moves everything in one state to another in which there is nothing yet. */
  rename(batch: number, from: SpanState, to: SpanState): void {
    this.#rename.run(to, batch, from);
  }

  all(batch: number, state: SpanState): SeqRanges {
    const rows = this.#all.all(batch, state) as unknown as SpanRow[];
    return rows.map((row) => [row.from_seq, row.to_seq]);
  }

  #addOne(batch: number, state: SpanState, from: number, to: number): void {
    const before = this.#endingAt.get(batch, state, from) as unknown as SpanRow | undefined;
    const after = this.#startingAt.get(batch, state, to + 1) as unknown as SpanRow | undefined;
    if (after !== undefined) this.#delete.run(batch, state, after.from_seq);
    const end = after?.to_seq ?? to;
    if (before !== undefined && before.to_seq === from - 1)
      this.#setTo.run(end, batch, state, before.from_seq);
    else this.#insert.run(batch, state, from, end);
  }
}
