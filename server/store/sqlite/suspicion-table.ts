import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SeqRanges } from '../../../protocol/index.ts';
import { ASIDE_UNTIL, type StoredSuspicion, type Suspicion } from '../../dispatch/store.ts';
import type { SuspicionRows } from '../operations/tables.ts';

/** The recipients that workers died on; usually none. */
export class SuspicionTable implements SuspicionRows {
  readonly #save: StatementSync;
  readonly #clear: StatementSync;
  readonly #unfinished: StatementSync;

  constructor(database: DatabaseSync) {
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO suspicion (batch, seq, deaths, among, alone) VALUES (?, ?, ?, ?, ?)',
    );
    this.#clear = database.prepare('DELETE FROM suspicion WHERE batch = ? AND seq BETWEEN ? AND ?');
    this.#unfinished = database.prepare(`
      SELECT b.uuid, s.seq, s.deaths, s.among, s.alone,
        ifnull(h.state = 'deferred' AND h.due_at = ${ASIDE_UNTIL}, 0) AS aside
      FROM suspicion s JOIN batch b ON b.id = s.batch
      LEFT JOIN history h ON h.batch = s.batch AND h.seq = s.seq
      WHERE b.finished_at IS NULL ORDER BY s.batch, s.seq`);
  }

  save(batch: number, { seq, deaths, among, alone }: Suspicion & { readonly seq: number }): void {
    this.#save.run(batch, seq, deaths, among, alone);
  }

  clear(batch: number, ranges: SeqRanges): void {
    for (const [from, to] of ranges) this.#clear.run(batch, from, to);
  }

  unfinished(): readonly StoredSuspicion[] {
    const rows = this.#unfinished.all() as unknown as StoredRow[];
    return rows.map(({ uuid, seq, deaths, among, alone, aside }) => ({
      batch: uuid,
      seq,
      deaths,
      among,
      alone,
      aside: aside === 1,
    }));
  }
}

interface StoredRow {
  readonly uuid: string;
  readonly seq: number;
  readonly deaths: number;
  readonly among: number;
  readonly alone: number;
  readonly aside: number;
}
