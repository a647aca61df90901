import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SeqRange } from '../../../protocol/index.ts';
import type { StoredRecipient } from '../../batches/store.ts';
import type { ClaimedRecipient } from '../../dispatch/store.ts';

/** Rows of one INSERT: measured, it takes two thirds of the time of single ones, and more rows gain nothing. */
const ROWS_PER_INSERT = 20;

type Row = [seq: number, address: string, name: string | null, variables: string | null];

/** The recipients as they were submitted. Never changed. */
export class RecipientTable {
  readonly #insert: StatementSync;
  readonly #insertMany: StatementSync;
  readonly #range: StatementSync;
  readonly #deleteBelow: StatementSync;
  readonly #extent: StatementSync;

  constructor(database: DatabaseSync) {
    const insert = 'INSERT INTO recipient (batch, seq, address, name, variables) VALUES';
    this.#insert = database.prepare(`${insert} (?, ?, ?, ?, ?)`);
    this.#insertMany = database.prepare(
      `${insert} ${Array(ROWS_PER_INSERT).fill('(?, ?, ?, ?, ?)').join(', ')}`,
    );
    this.#range = database.prepare(`
      SELECT seq, address, name, variables FROM recipient WHERE batch = ? AND seq BETWEEN ? AND ? ORDER BY seq`);
    this.#range.setReturnArrays(true);
    this.#deleteBelow = database.prepare('DELETE FROM recipient WHERE batch = ? AND seq < ?');
    this.#extent = database.prepare(
      'SELECT count(*) AS count, min(seq) AS first, max(seq) AS last FROM recipient WHERE batch = ?',
    );
  }

  /** Adds recipients with the seqs `from`, `from` + 1, … */
  add(batch: number, from: number, recipients: readonly StoredRecipient[]): void {
    let seq = from;
    let values: SQLInputValue[] = [];
    const grouped = recipients.length - (recipients.length % ROWS_PER_INSERT);
    for (const { address, name, variables } of recipients) {
      if (seq - from >= grouped) {
        this.#insert.run(batch, seq++, address, name ?? null, variables ?? null);
        continue;
      }
      values.push(batch, seq++, address, name ?? null, variables ?? null);
      if (values.length === ROWS_PER_INSERT * 5) {
        this.#insertMany.run(...values);
        values = [];
      }
    }
  }

  /** Fresh recipients, as a task carries them. */
  fresh(batch: number, [from, to]: SeqRange): ClaimedRecipient[] {
    const rows = this.#range.all(batch, from, to) as unknown as Row[];
    return rows.map(([seq, address, name, variables]) => claimed(seq, address, name, variables, 0, false));
  }

  deleteBelow(batch: number, seq: number): void {
    this.#deleteBelow.run(batch, seq);
  }

  /** Reads every row. */
  extent(batch: number): { count: number; first: number | null; last: number | null } {
    return this.#extent.get(batch) as { count: number; first: number | null; last: number | null };
  }
}

export function claimed(
  seq: number,
  address: string,
  name: string | null,
  variables: string | null,
  attempts: number,
  maybeSent: boolean,
): ClaimedRecipient {
  return { seq, address, name: name ?? undefined, variables: variables ?? undefined, attempts, maybeSent };
}
