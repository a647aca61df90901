import { countSeqs, type SeqRanges } from '../../../protocol/index.ts';
import type { BatchFigures } from '../../batches/batch.ts';
import { type Decision, RESOLVED_BY_HAND } from '../../batches/store.ts';
import { conclude, figuresOf, move } from './batch.ts';
import type { Tables } from './tables.ts';

/** Unknown recipients become what someone decided; the cost grows with their number. */
export function resolveUnknown(
  tables: Tables,
  uuid: string,
  decision: Decision,
  seqs: SeqRanges | undefined,
  now: number,
): { figures: BatchFigures; changed: number } | undefined {
  const batch = tables.batches.committed(uuid);
  if (batch === undefined) return undefined;
  const isOver = decision === 'RETRY' && batch.state === 'CANCELLED';
  const among = seqs ?? [[0, batch.counts.total]];
  const unknown = isOver || batch.counts.unknown === 0 ? [] : tables.history.unknown(batch.id, among);
  const changed = countSeqs(unknown);
  if (changed === 0) return { figures: figuresOf(batch), changed };
  tables.batches.change(batch);
  if (decision === 'SENT') {
    tables.history.takeForSent(batch.id, unknown, now);
    move(batch, 'unknown', 'sent', changed);
  } else {
    batch.maybeSent += tables.history.retryUnknown(batch.id, unknown);
    move(batch, 'unknown', 'pending', changed);
    tables.duplicates.add(batch.id, { seqs: unknown, at: now, why: RESOLVED_BY_HAND });
  }
  conclude(batch, batch.finishedAt ?? now);
  return { figures: figuresOf(batch), changed };
}
