import type { RecipientDetail } from '../../batches/store.ts';
import { ASIDE_UNTIL } from '../../dispatch/store.ts';

/** A recipient with its history, as both stores read it. */
export interface DetailRow {
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

export function detailOf(row: DetailRow): RecipientDetail {
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
