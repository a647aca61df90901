import type { DatabaseSync } from 'node:sqlite';
import { checkBatch, type WholeBatch } from '../operations/audit.ts';
import type { CommittedBatch } from '../operations/batch.ts';
import type { Audit } from '../store.ts';
import type { Tables } from './tables.ts';

/** Reads every row of a batch and checks it. */
export function audit(database: DatabaseSync, tables: Tables, batch: CommittedBatch): Audit {
  const { id } = batch;
  const history = database.prepare(
    'SELECT seq, state, due_at, maybe_sent, accepted_twice, by_decision FROM history WHERE batch = ? ORDER BY seq',
  );
  return checkBatch({
    batch,
    spans: {
      pending: tables.spans.all(id, 'pending'),
      cancelled: tables.spans.all(id, 'cancelled'),
      settled: tables.spans.all(id, 'settled'),
    },
    tasks: tables.tasks.liveOf(id),
    recipients: tables.recipients.extent(id),
    history: history.all(id) as unknown as WholeBatch['history'],
  });
}
