import { countSeqs, rangesOf, type SeqRanges, splitRanges, subtractRanges } from '../../../protocol/index.ts';
import type { Inquest, Judgement, Settlement } from '../../dispatch/store.ts';
import { type CommittedBatch, move } from './batch.ts';
import type { Tables } from './tables.ts';
import type { Task } from './task.ts';

/** Those that a dead worker may have begun, as the task is before anything is applied. */
export function suspectsOf(task: Task, first: number): SeqRanges {
  const again = splitRanges(task.again, first).first;
  const fresh = splitRanges(task.fresh, Math.max(0, first - countSeqs(again))).first;
  return [...again, ...fresh].sort((a, b) => a[0] - b[0]);
}

/** Suspects that the report of a dead worker's journal leaves: not those that have an answer. */
export function unanswered(suspects: SeqRanges, { sent, outcomes }: Settlement): SeqRanges {
  const answered = outcomes.filter((outcome) => outcome.maybeSent !== true).map(({ seq }) => seq);
  return subtractRanges(subtractRanges(suspects, sent), rangesOf(answered));
}

/** Carries out what an inquest finds, after all else was applied. Batch is already told to be changed. */
export function holdInquest(
  tables: Tables,
  batch: CommittedBatch,
  inquest: Inquest,
  suspects: SeqRanges,
  now: number,
): readonly Judgement[] {
  const judged = inquest.judge(suspects);
  for (const judgement of judged) {
    tables.suspicions.save(batch.id, judgement);
    if (judgement.verdict !== 'FREE') carryOut(tables, batch, judgement, now);
  }
  return judged;
}

function carryOut(tables: Tables, batch: CommittedBatch, judgement: Judgement, now: number): void {
  const { seq, verdict, reply = '' } = judgement;
  const one: SeqRanges = [[seq, seq]];
  const row = tables.history.within(batch.id, [seq, seq])[0];
  if (row === undefined) {
    if (tables.spans.cut(batch.id, 'pending', one).length === 0) return;
    tables.history.insertPending(batch.id, seq);
    tables.spans.add(batch.id, 'settled', one);
  } else if (row.state !== 'pending' && row.state !== 'deferred') return;
  const from = row?.state === 'deferred' ? 'deferred' : 'pending';
  if (verdict === 'ASIDE') {
    tables.history.putAside(batch.id, seq);
    move(batch, from, 'deferred', 1);
  } else {
    const to = row?.maybe_sent === 1 ? 'unknown' : 'failed';
    tables.history.giveUp(batch.id, seq, to, reply, now);
    move(batch, from, to, 1);
  }
}
