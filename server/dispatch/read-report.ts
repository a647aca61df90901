import { type Classified, classify, replyForLog, type SmtpFact } from '../../mail/index.ts';
import {
  countSeqs,
  eachSeq,
  hasSeq,
  intersectRanges,
  type RecipientResult,
  rangesOf,
  type SeqRanges,
  subtractRanges,
  unionRanges,
  type WorkerReport,
} from '../../protocol/index.ts';
import type { ResolvedOptions } from '../batches/batch.ts';
import type { RelayReport } from '../relays/relay-book.ts';
import { givesUp, retryDelay } from './retry.ts';
import { JOURNAL_OPEN, type Outcome, type Settlement } from './store.ts';

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

/**
 * What a worker's report means for its recipients and for the relay. Pure; the rules are DESIGN §5.3–5.8. Every seq of the
 * report lands in one place, however often it is named: sent goes before any failure, the first failure before a return.
 */
export function readReport(report: WorkerReport, context: ReportContext): ReadReport {
  const results = report.RESULTS ?? [];
  const partial =
    report.RESULTS !== undefined ||
    report.SENT !== undefined ||
    report.RETURNED !== undefined ||
    report.DONE === true;
  const whole = partial ? [] : context.seqs;
  const sent = sentOf(report, whole);
  const outcomes = new Map<number, Outcome>();
  const account = new RelayAccount(context.batch, sent, context.seqs);
  for (const result of results) {
    if (result.STATUS === 'OK' || outcomes.has(result.SEQ) || hasSeq(sent, result.SEQ)) continue;
    const verdict = verdictOn(result);
    outcomes.set(result.SEQ, outcomeOf(result.SEQ, verdict, context));
    account.judged(result, verdict);
  }
  if (!partial && report.STATUS === 'NOK') {
    const verdict = temporary(report.ERROR ?? NO_WORD);
    for (const seq of eachSeq(whole)) outcomes.set(seq, outcomeOf(seq, verdict, context));
  }
  const named = unionRanges(sent, rangesOf(outcomes.keys()));
  return {
    settlement: {
      task: report.TASK_UUID,
      now: context.now,
      sent,
      outcomes: report.RECOVERED === true ? [...outcomes.values()].map(asJournal) : [...outcomes.values()],
      returned: subtractRanges(report.RETURNED ?? [], named),
      done: report.DONE === true || !partial,
    },
    relay: account.report(report.TASK_UUID),
  };
}

/** What a journal leaves open was not the relay's doing. */
function asJournal(outcome: Outcome): Outcome {
  return outcome.maybeSent === true ? { ...outcome, why: JOURNAL_OPEN } : outcome;
}

function sentOf(report: WorkerReport, whole: SeqRanges): SeqRanges {
  const sent = unionRanges(report.SENT ?? [], report.STATUS === 'OK' ? whole : []);
  const one = (report.RESULTS ?? []).filter((result) => result.STATUS === 'OK').map((result) => result.SEQ);
  return one.length === 0 ? sent : unionRanges(sent, rangesOf(one));
}

/**
 * What a report says of its relay. Within a report the order of events is not told; that of the recipients stands for it, so
 * that a fault among many successes is not taken for one of a row.
 */
class RelayAccount {
  readonly #batch: string;
  readonly #sent: number;
  readonly #lastSent: number;
  #answered = 0;
  #lastAlive: number;
  readonly #faults: { readonly seq: number; readonly reason: string }[] = [];
  readonly #refused: number[] = [];

  constructor(batch: string, sent: SeqRanges, task: SeqRanges) {
    const own = intersectRanges(sent, task);
    this.#batch = batch;
    this.#sent = countSeqs(own);
    this.#lastSent = own.at(-1)?.[1] ?? -1;
    this.#lastAlive = this.#lastSent;
  }

  judged({ SEQ: seq, STAGE: stage }: RecipientResult, verdict: Classified): void {
    if (verdict.fault === 'relay') this.#faults.push({ seq, reason: reasonOf(stage, verdict) });
    else if (verdict.fault === 'recipient' && verdict.code !== 'local') {
      this.#answered++;
      this.#lastAlive = Math.max(this.#lastAlive, seq);
    }
    if (verdict.policy) this.#refused.push(seq);
  }

  report(task: string): RelayReport {
    return {
      task,
      alive: this.#sent + this.#answered,
      sent: this.#sent,
      faults: this.#faults.length,
      faultsInRow: this.#faults.filter(({ seq }) => seq > this.#lastAlive).map(({ reason }) => reason),
      refusedInRow: this.#refused
        .filter((seq) => seq > this.#lastSent)
        .map((seq) => ({ batch: this.#batch, seq })),
    };
  }
}

/** What went wrong with a relay, for people: `auth: 535 5.7.8 Authentication credentials invalid`. */
function reasonOf(stage: RecipientResult['STAGE'], { reply, code }: Classified): string {
  const what = replyForLog(reply) || code;
  const where = stage?.toLowerCase() ?? '';
  return where === '' || what.startsWith(where) ? what : `${where}: ${what}`;
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
  const delay = delayAfter(verdict, attempts, context);
  const dueAt = context.now + delay;
  if (givesUp(context.createdAt, dueAt, context.options)) {
    return { ...base, state: 'failed', reply: `given up, tried for too long: ${verdict.reply}`, maybeSent };
  }
  return { ...base, state: 'deferred', dueAt, maybeSent };
}

function delayAfter(verdict: Classified, attempts: number, context: ReportContext): number {
  if (verdict.chargeAttempt) return retryDelay(attempts, context.options, context.random());
  // Its worker's end is no reason to wait.
  if (verdict.fault === 'none') return 0;
  return Math.round((context.faultDelayMs * (1 + context.random())) / 2);
}
