import type { SmtpFact } from '../mail/index.ts';
import {
  MAX_REPLY_CHARS,
  type RecipientResult,
  rangesOf,
  type SeqRanges,
  type WorkerReport,
} from '../protocol/index.ts';

/** Characters in the results of one report, about: a character may be three bytes, a frame has 1 MiB. */
const MAX_RESULT_CHARS = 250_000;
/** What a result has besides its texts, characters. */
const RESULT_CHARS = 110;
/** How often a report may be answered with a NACK that says nothing of trying again, before it is given up. */
const MAX_REFUSALS = 5;

/** A report on its way, kept until the server has acknowledged it. */
interface Outstanding {
  readonly report: WorkerReport;
  /** Transactions whose results it carries. */
  readonly transactions: number;
  presentedAt: number;
  refusals: number;
}

/**
 * The results of one task, on their way to the server that gave it. One report at a time: the next goes when the one before
 * is acknowledged, so each goes at once when mails are slow, and many share one when they are fast. The same report is
 * presented again after a reconnect; the server applies it once.
 *
 * open → `finish()` → finished, when the report with DONE is acknowledged.
 */
export class TaskReports {
  readonly #task: string;
  readonly #worker: string;
  readonly #isRecovered: boolean;
  #sent: number[] = [];
  readonly #results: RecipientResult[] = [];
  #returned: SeqRanges = [];
  #error: string | undefined;
  #finish = false;
  #failAll = false;
  #outstanding: Outstanding | undefined;
  #finished = false;
  #presentedAt: number | undefined;

  /** @param isRecovered the results are those of a process that ended without a word */
  constructor(task: string, worker: string, isRecovered = false) {
    this.#task = task;
    this.#worker = worker;
    this.#isRecovered = isRecovered;
  }

  /** DONE is acknowledged: nothing of the task is left here. */
  get isFinished(): boolean {
    return this.#finished;
  }

  /** When a report went out last, ms; undefined: none has yet. */
  get presentedAt(): number | undefined {
    return this.#presentedAt;
  }

  /** Results not acknowledged yet. */
  get waiting(): number {
    return this.#sent.length + this.#results.length + (this.#outstanding?.transactions ?? 0);
  }

  add(seq: number, fact: SmtpFact, isSent: boolean): void {
    if (isSent) this.#sent.push(seq);
    else this.#results.push(resultOf(seq, fact));
  }

  /** Nothing more will come: `returned` were not touched, `error` says why there are any. */
  finish(returned: SeqRanges, error?: string): void {
    this.#finish = true;
    this.#returned = returned;
    this.#error = error;
  }

  /** None of the recipients can be sent by this worker for now. Only for a task of which nothing was begun. */
  failAll(error: string): void {
    this.#failAll = true;
    this.#error = error;
  }

  /** The next report to send, or undefined: nothing to say, or the one before is not acknowledged yet. */
  next(now: number): WorkerReport | undefined {
    if (this.#outstanding !== undefined || this.#finished) return undefined;
    if (this.#failAll) return this.#present(this.#wholeTask(), 0, now);
    if (this.#sent.length === 0 && this.#results.length === 0 && !this.#finish) return undefined;
    const sent = this.#sent;
    const results = this.#results.splice(0, fitting(this.#results));
    this.#sent = [];
    const isLast = this.#finish && this.#results.length === 0;
    const returned = isLast ? this.#returned : [];
    const report: WorkerReport = {
      STATUS: results.length === 0 && returned.length === 0 ? 'OK' : 'NOK',
      TASK: 'SEND',
      TASK_UUID: this.#task,
      WORKER_UUID: this.#worker,
      // Also when empty: a report that names nobody would speak for everybody.
      SENT: rangesOf(sent) as [number, number][],
      ...(results.length === 0 ? {} : { RESULTS: results }),
      ...(returned.length === 0 ? {} : { RETURNED: returned as [number, number][] }),
      ...(isLast ? { DONE: true } : {}),
      ...(isLast && this.#isRecovered ? { RECOVERED: true } : {}),
      ...(isLast && this.#error !== undefined ? { ERROR: bounded(this.#error) } : {}),
    };
    return this.#present(report, sent.length + results.length, now);
  }

  /** Whether a report is on its way. */
  get isUnacknowledged(): boolean {
    return this.#outstanding !== undefined;
  }

  /** The report that the server has not acknowledged, to be presented again. */
  again(now: number): WorkerReport | undefined {
    if (this.#outstanding !== undefined) this.#outstanding.presentedAt = now;
    return this.#outstanding?.report;
  }

  /** Since when the server has left a report unanswered, ms; undefined: none is on its way. */
  get unansweredSince(): number | undefined {
    return this.#outstanding?.presentedAt;
  }

  /** The server has committed the report. Returns how many transactions are settled by that; 0 when none was on its way. */
  acknowledged(): number {
    const outstanding = this.#outstanding;
    if (outstanding === undefined) return 0;
    this.#outstanding = undefined;
    if (outstanding.report.DONE === true || this.#failAll) this.#finished = true;
    return outstanding.transactions;
  }

  /** The server answered NACK, and trying again will not help. True: it has done so too often, the report is to be given up as if acknowledged. */
  refused(): boolean {
    if (this.#outstanding === undefined) return false;
    this.#outstanding.refusals++;
    return this.#outstanding.refusals >= MAX_REFUSALS;
  }

  #present(report: WorkerReport, transactions: number, now: number): WorkerReport {
    this.#outstanding = { report, transactions, presentedAt: now, refusals: 0 };
    this.#presentedAt = now;
    return report;
  }

  /** Names nobody, and so speaks for all. */
  #wholeTask(): WorkerReport {
    const ERROR = bounded(this.#error ?? '');
    return { STATUS: 'NOK', TASK: 'SEND', TASK_UUID: this.#task, WORKER_UUID: this.#worker, ERROR };
  }
}

const STAGES = {
  connect: 'CONNECT',
  greeting: 'GREETING',
  ehlo: 'EHLO',
  tls: 'TLS',
  auth: 'AUTH',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  dot: 'DOT',
  local: 'LOCAL',
} as const;

const PHASES = {
  'not-sent': 'NOT_SENT',
  'sent-unconfirmed': 'SENT_UNCONFIRMED',
  replied: 'REPLIED',
} as const;

function resultOf(seq: number, fact: SmtpFact): RecipientResult {
  return {
    SEQ: seq,
    STATUS: 'NOK',
    STAGE: STAGES[fact.stage],
    PHASE: PHASES[fact.phase],
    ...(fact.reply === undefined ? {} : { REPLY: bounded(fact.reply) }),
    ...(fact.error === undefined ? {} : { ERROR: bounded(fact.error) }),
  };
}

/** How many of these results fit into one report. */
function fitting(results: readonly RecipientResult[]): number {
  let chars = 0;
  let count = 0;
  for (const { REPLY, ERROR } of results) {
    chars += RESULT_CHARS + (REPLY?.length ?? 0) + (ERROR?.length ?? 0);
    if (chars > MAX_RESULT_CHARS) break;
    count++;
  }
  return count;
}

const bounded = (text: string): string => text.slice(0, MAX_REPLY_CHARS).toWellFormed();
