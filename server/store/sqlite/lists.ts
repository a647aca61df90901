import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ListedState, RecipientDetail } from '../../batches/store.ts';
import { ASIDE_UNTIL } from '../../dispatch/store.ts';

interface DetailRow {
  readonly seq: number;
  readonly address: string;
  readonly state: string;
  readonly attempts: number;
  readonly worker: string | null;
  readonly relay: string | null;
  readonly reply: string | null;
  readonly at: number | null;
  readonly due_at: number | null;
  readonly maybe_sent: number;
}

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

function detailOf(row: DetailRow): RecipientDetail {
  return {
    seq: row.seq,
    address: row.address,
    state: row.state.toUpperCase(),
    attempts: row.attempts,
    ...(row.worker === null ? {} : { worker: row.worker }),
    ...(row.relay === null ? {} : { relay: row.relay }),
    ...(row.reply === null ? {} : { reply: row.reply }),
    ...(row.at === null ? {} : { at: row.at }),
    ...(row.due_at === null || row.due_at === ASIDE_UNTIL ? {} : { dueAt: row.due_at }),
    maybeSent: row.maybe_sent === 1,
  };
}
