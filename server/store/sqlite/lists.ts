import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ListedState, RecipientDetail } from '../../batches/store.ts';
import { type DetailRow, detailOf } from '../operations/recipient-detail.ts';

/** The lists of recipients that people read, page by page. */
export class Lists {
  readonly #byState: StatementSync;
  readonly #maybeSent: StatementSync;

  constructor(database: DatabaseSync) {
    const select = `
      SELECT h.seq, r.address, h.state, h.attempts, h.worker, h.relay, h.reply, h.at, h.due_at, h.maybe_sent
      FROM history h JOIN recipient r ON r.batch = h.batch AND r.seq = h.seq`;
    this.#byState = database.prepare(`
      ${select} WHERE h.batch = ? AND h.state = ? AND h.seq > ? ORDER BY h.seq LIMIT ?`);
    this.#maybeSent = database.prepare(`
      ${select} WHERE h.batch = ? AND h.maybe_sent = 1 AND h.seq > ? ORDER BY h.seq LIMIT ?`);
  }

  list(batch: number, state: ListedState, after: number, limit: number): readonly RecipientDetail[] {
    const rows =
      state === 'MAYBE_SENT'
        ? this.#maybeSent.all(batch, after, limit)
        : this.#byState.all(batch, state.toLowerCase(), after, limit);
    return (rows as unknown as DetailRow[]).map(detailOf);
  }
}
