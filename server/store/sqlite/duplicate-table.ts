import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { PossibleDuplicate } from '../../batches/store.ts';
import { rangesToText, textToRanges } from '../operations/range-text.ts';
import { type DuplicateRows, RANGES_PER_ROW } from '../operations/tables.ts';

/** The events after which mails may arrive twice. */
export class DuplicateTable implements DuplicateRows {
  readonly #insert: StatementSync;
  readonly #list: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`
      INSERT INTO possible_duplicate (batch, task, worker, relay, at, why, seqs) VALUES (?, ?, ?, ?, ?, ?, ?)`);
    this.#list = database.prepare(`
      SELECT id, task, worker, relay, at, why, seqs FROM possible_duplicate
      WHERE batch = ? AND id > ? ORDER BY id LIMIT ?`);
  }

  add(batch: number, { seqs, task, worker, relay, at, why }: Omit<PossibleDuplicate, 'id'>): void {
    for (let i = 0; i < seqs.length; i += RANGES_PER_ROW) {
      const text = rangesToText(seqs.slice(i, i + RANGES_PER_ROW));
      this.#insert.run(batch, task ?? null, worker ?? null, relay ?? null, at, why, text);
    }
  }

  list(batch: number, after: number, limit: number): readonly PossibleDuplicate[] {
    const rows = this.#list.all(batch, after, limit) as unknown as DuplicateRow[];
    return rows.map(({ id, task, worker, relay, at, why, seqs }) => ({
      id,
      seqs: textToRanges(seqs),
      ...(task === null ? {} : { task }),
      ...(worker === null ? {} : { worker }),
      ...(relay === null ? {} : { relay }),
      at,
      why,
    }));
  }
}

interface DuplicateRow {
  readonly id: number;
  readonly task: string | null;
  readonly worker: string | null;
  readonly relay: string | null;
  readonly at: number;
  readonly why: string;
  readonly seqs: string;
}
