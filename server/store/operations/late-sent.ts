import {
  countSeqs,
  hasSeq,
  intersectRanges,
  rangesOf,
  type SeqRanges,
  subtractRanges,
  unionRanges,
} from '../../../protocol/index.ts';
import { type CommittedBatch, move } from './batch.ts';
import { leave } from './give-back.ts';
import type { HistoryRow, Tables } from './tables.ts';

export interface LateFacts {
  /** Recipients that became sent. */
  readonly applied: number;
  /** Recipients now known to have been accepted twice. */
  readonly twice: SeqRanges;
}

/**
 * A task reports as sent what it no longer leases. The relay's 250 is final, so it is kept as a fact: whatever the
 * recipient's state, it becomes sent, and leaves the task that leases it now. If it was sent already, two mails are out.
 * Batch and reporting task are already told to be changed.
 */
export function acceptLate(
  tables: Tables,
  batch: CommittedBatch,
  late: SeqRanges,
  relay: string,
  now: number,
): LateFacts {
  const rows = late.flatMap((range) => tables.history.within(batch.id, range));
  let applied = 0;
  const twice: number[] = [];
  for (const row of rows) {
    if (row.state !== 'sent') {
      acceptRow(tables, batch, row);
      applied++;
    } else if (row.by_decision === 1) tables.history.acceptAfterAll(batch.id, row.seq);
    else if (row.accepted_twice === 0) {
      tables.history.acceptTwice(batch.id, row.seq);
      twice.push(row.seq);
    }
  }
  const plain = subtractRanges(late, rangesOf(rows.map((row) => row.seq)));
  const sentBefore = acceptPlain(tables, batch, plain);
  for (const [from, to] of sentBefore) {
    for (let seq = from; seq <= to; seq++) tables.history.insertAcceptedTwice(batch.id, seq, relay, now);
  }
  applied += countSeqs(plain) - countSeqs(sentBefore);
  batch.secondReports += twice.length + countSeqs(sentBefore);
  return { applied, twice: unionRanges(rangesOf(twice), sentBefore) };
}

/** A recipient with a row becomes sent. */
function acceptRow(tables: Tables, batch: CommittedBatch, row: HistoryRow): void {
  const one: SeqRanges = [[row.seq, row.seq]];
  if (row.state === 'leased') {
    const holder = tables.tasks.liveOf(batch.id).find((task) => hasSeq(task.again, row.seq));
    if (holder === undefined)
      throw new Error(`recipient ${row.seq} of batch ${batch.uuid} is leased by no task`);
    tables.tasks.change(holder);
    leave(holder, one, []);
  }
  move(batch, row.state, 'sent', 1);
  tables.history.sent(batch.id, one);
}

/** Recipients without rows become sent, wherever they are; tells which were sent before. */
function acceptPlain(tables: Tables, batch: CommittedBatch, plain: SeqRanges): SeqRanges {
  let left = plain;
  for (const state of ['pending', 'cancelled'] as const) {
    const found = tables.spans.cut(batch.id, state, left);
    tables.spans.add(batch.id, 'settled', found);
    move(batch, state, 'sent', countSeqs(found));
    left = subtractRanges(left, found);
  }
  if (left.length === 0) return left;
  for (const task of tables.tasks.liveOf(batch.id)) {
    const found = intersectRanges(left, task.fresh);
    if (found.length === 0) continue;
    tables.tasks.change(task);
    leave(task, [], found);
    tables.spans.add(batch.id, 'settled', found);
    move(batch, 'leased', 'sent', countSeqs(found));
    left = subtractRanges(left, found);
  }
  return left;
}
