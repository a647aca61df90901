import {
  countSeqs,
  hasSeq,
  intersectRanges,
  rangesOf,
  type SeqRanges,
  subtractRanges,
  unionRanges,
} from '../../../protocol/index.ts';
import {
  ACCEPTED_TWICE,
  type Judgement,
  LINE_CUT,
  type Outcome,
  type Settled,
  type Settlement,
} from '../../dispatch/store.ts';
import { type CommittedBatch, conclude, figuresOf, move } from './batch.ts';
import { giveBack, leave } from './give-back.ts';
import { holdInquest, suspectsOf, unanswered } from './inquest.ts';
import { acceptLate } from './late-sent.ts';
import type { HistoryState, Tables } from './tables.ts';
import { isLive, type Task } from './task.ts';

/** Applies the results of a task, live or over. */
export function settle(tables: Tables, settlement: Settlement): Settled | undefined {
  const task = tables.tasks.find(settlement.task);
  if (task === undefined) return undefined;
  const batch = tables.batches.byId(task.batch);
  const late = intersectRanges(settlement.sent, task.gone);
  const { inquest, now } = settlement;
  let applied = 0;
  let secondReports = 0;
  let judged: readonly Judgement[] | undefined;
  if (isLive(task) || late.length > 0) {
    tables.batches.change(batch);
    tables.tasks.change(task);
    if (late.length > 0) {
      task.gone = subtractRanges(task.gone, late);
      const facts = acceptLate(tables, batch, late, task.relay, now);
      applied += facts.applied;
      secondReports = countSeqs(facts.twice);
      addDuplicates(tables, batch, task, facts.twice, ACCEPTED_TWICE, now);
    }
    const begun = inquest === undefined ? [] : suspectsOf(task, inquest.first);
    applied += applyLive(tables, batch, task, settlement);
    if (settlement.cleared !== undefined) tables.suspicions.clear(batch.id, settlement.cleared);
    if (inquest !== undefined) {
      judged = holdInquest(tables, batch, inquest, unanswered(begun, settlement), now);
    }
    conclude(batch, now);
  }
  return {
    batch: batch.uuid,
    figures: figuresOf(batch),
    remaining: countSeqs(task.again) + countSeqs(task.fresh),
    applied,
    secondReports,
    ...(judged === undefined ? {} : { judged }),
  };
}

/** Results of recipients that the task still leases; tells how many of those named changed state. */
function applyLive(tables: Tables, batch: CommittedBatch, task: Task, settlement: Settlement): number {
  const { outcomes, returned, done, now } = settlement;
  const sentAgain = intersectRanges(settlement.sent, task.again);
  const sentFresh = intersectRanges(settlement.sent, task.fresh);
  task.again = subtractRanges(task.again, sentAgain);
  task.fresh = subtractRanges(task.fresh, sentFresh);
  const sent = countSeqs(sentAgain) + countSeqs(sentFresh);
  move(batch, 'leased', 'sent', sent);
  tables.history.sent(batch.id, sentAgain);

  const tried = applyOutcomes(tables, batch, task, outcomes, now);
  // One span for those sent and those that failed between them: their rows tell them apart.
  tables.spans.add(batch.id, 'settled', unionRanges(sentFresh, tried.fresh));

  let applied = sent + tried.count;
  if (returned.length > 0) {
    applied += giveBack(tables, batch, task, {
      again: intersectRanges(returned, task.again),
      fresh: intersectRanges(returned, task.fresh),
    });
  }
  if (done && isLive(task)) giveBack(tables, batch, task, task);
  return applied;
}

/** Writes the rows of those not simply sent; the fresh ones among them are still to be put into a settled span. */
function applyOutcomes(
  tables: Tables,
  batch: CommittedBatch,
  task: Task,
  outcomes: readonly Outcome[],
  now: number,
): { readonly count: number; readonly fresh: SeqRanges } {
  if (outcomes.length === 0) return { count: 0, fresh: [] };
  const applied = new Set<number>();
  const maybeSent = new Map<string, number[]>();
  const attempt = { worker: task.worker, relay: task.relay, at: now };
  for (const outcome of outcomes) {
    const again = hasSeq(task.again, outcome.seq);
    if (applied.has(outcome.seq) || !(again || hasSeq(task.fresh, outcome.seq))) continue;
    applied.add(outcome.seq);
    const state = stateAfter(outcome, batch);
    if (tables.history.record(batch.id, outcome, state, attempt, again)) batch.maybeSent++;
    move(batch, 'leased', state, 1);
    if (outcome.maybeSent === true) {
      const { why = LINE_CUT } = outcome;
      const known = maybeSent.get(why);
      if (known === undefined) maybeSent.set(why, [outcome.seq]);
      else known.push(outcome.seq);
    }
  }
  for (const [why, seqs] of maybeSent) addDuplicates(tables, batch, task, rangesOf(seqs), why, now);
  const seqs = rangesOf(applied);
  const fresh = intersectRanges(seqs, task.fresh);
  leave(task, intersectRanges(seqs, task.again), fresh);
  return { count: applied.size, fresh };
}

function stateAfter(outcome: Outcome, batch: CommittedBatch): Exclude<HistoryState, 'leased' | 'sent'> {
  return outcome.state === 'deferred' && batch.state === 'CANCELLED' ? 'cancelled' : outcome.state;
}

function addDuplicates(
  tables: Tables,
  batch: CommittedBatch,
  { uuid, worker, relay }: Task,
  seqs: SeqRanges,
  why: string,
  at: number,
): void {
  tables.duplicates.add(batch.id, { seqs, task: uuid, worker, relay, at, why });
}
