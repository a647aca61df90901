import { type Classified, classify, type SmtpFact } from '../../mail/index.ts';
import {
  countSeqs,
  type RecipientResult,
  rangesOf,
  type SeqRanges,
  unionRanges,
  type WorkerReport,
} from '../../protocol/index.ts';
import type { ResolvedOptions } from '../batches/batch.ts';
import type { RelayReport } from '../relays/relay-book.ts';
import { givesUp, retryDelay } from './retry.ts';
import type { Outcome, Settlement } from './store.ts';

/** What is needed to understand a report. */
export interface ReportContext {
  readonly batch: string;
  readonly createdAt: number;
  readonly options: ResolvedOptions;
  /** All recipients of the task, and the attempts behind those that have any. */
  readonly seqs: SeqRanges;
  readonly attempts: ReadonlyMap<number, number>;
  /** Wait after a relay fault, which costs the recipient no attempt; ms. */
  readonly faultDelayMs: number;
  /** ms since the epoch. */
  readonly now: number;
  readonly random: () => number;
}

export interface ReadReport {
  readonly settlement: Settlement;
  readonly relay: RelayReport;
}

const NO_WORD = 'the worker gave no reason';

/** What a worker's report means for its recipients and for the relay. Pure; the rules are DESIGN §5.3–5.8. */
export function readReport(report: WorkerReport, context: ReportContext): ReadReport {
  const partial =
    report.RESULTS !== undefined ||
    report.SENT !== undefined ||
    report.RETURNED !== undefined ||
    report.DONE === true;
  const results = report.RESULTS ?? [];
  const whole = partial ? [] : context.seqs;
  let sent: SeqRanges = report.STATUS === 'OK' ? unionRanges(whole, report.SENT ?? []) : (report.SENT ?? []);
  const plainlySent = results.filter((result) => result.STATUS === 'OK').map((result) => result.SEQ);
  if (plainlySent.length > 0) sent = unionRanges(sent, rangesOf(plainlySent));

  const outcomes: Outcome[] = [];
  const faults: string[] = [];
  const refused: { batch: string; seq: number }[] = [];
  let alive = countSeqs(sent);
  const judge = (seq: number, verdict: Classified): void => {
    if (verdict.fault === 'relay') faults.push(verdict.code);
    else if (verdict.code !== 'local') alive++;
    if (verdict.policy) refused.push({ batch: context.batch, seq });
    outcomes.push(outcomeOf(seq, verdict, context));
  };
  for (const result of results) if (result.STATUS === 'NOK') judge(result.SEQ, verdictOn(result));
  if (!partial && report.STATUS === 'NOK') {
    const reply = report.ERROR ?? NO_WORD;
    for (const [from, to] of whole)
      for (let seq = from; seq <= to; seq++) outcomes.push(outcomeOf(seq, temporary(reply), context));
  }
  return {
    settlement: {
      task: report.TASK_UUID,
      now: context.now,
      sent,
      outcomes,
      returned: report.RETURNED ?? [],
      done: report.DONE === true || !partial,
    },
    relay: { task: report.TASK_UUID, alive, sent: countSeqs(sent), faults, refused },
  };
}

/** Our own worker tells stage and phase; a minimal one at most the reply. In doubt, temporary. */
function verdictOn(result: RecipientResult): Classified {
  if (result.STAGE === undefined && result.REPLY === undefined) return temporary(result.ERROR ?? NO_WORD);
  const fact: SmtpFact = {
    stage: (result.STAGE?.toLowerCase() ?? 'rcpt') as SmtpFact['stage'],
    phase: phaseOf(result),
    ...(result.REPLY === undefined ? {} : { reply: result.REPLY }),
    ...(result.ERROR === undefined ? {} : { error: result.ERROR }),
  };
  const verdict = classify(fact);
  return verdict.outcome === 'sent' ? temporary('reported as failed with the reply of a success') : verdict;
}

function phaseOf(result: RecipientResult): SmtpFact['phase'] {
  switch (result.PHASE) {
    case 'SENT_UNCONFIRMED':
      return 'sent-unconfirmed';
    case 'REPLIED':
      return 'replied';
    case 'NOT_SENT':
      return 'not-sent';
    case undefined:
      return result.REPLY === undefined ? 'not-sent' : 'replied';
  }
}

const temporary = (reply: string): Classified => ({
  outcome: 'deferred',
  fault: 'none',
  policy: false,
  chargeAttempt: true,
  code: 'temporary',
  reply,
});

function outcomeOf(seq: number, verdict: Classified, context: ReportContext): Outcome {
  const base = { seq, reply: verdict.reply, charged: verdict.chargeAttempt };
  if (verdict.outcome === 'failed') return { ...base, state: 'failed' };
  const maybeSent = verdict.outcome === 'unknown';
  if (maybeSent && context.options.onUnknown === 'HOLD') return { ...base, state: 'unknown', maybeSent };
  const attempts = (context.attempts.get(seq) ?? 0) + 1;
  const delay = verdict.chargeAttempt
    ? retryDelay(attempts, context.options, context.random())
    : Math.round((context.faultDelayMs * (1 + context.random())) / 2);
  const dueAt = context.now + delay;
  if (givesUp(context.createdAt, dueAt, context.options)) {
    return { ...base, state: 'failed', reply: `given up, tried for too long: ${verdict.reply}`, maybeSent };
  }
  return { ...base, state: 'deferred', dueAt, maybeSent };
}
