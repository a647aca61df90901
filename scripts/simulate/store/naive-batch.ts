import { eachSeq, rangesOf, type SeqRanges } from '../../../protocol/index.ts';
import { type BatchFigures, NO_COUNTS, type State, type StateCounts } from '../../../server/batches/batch.ts';
import {
  type Decision,
  type ListedState,
  type PossibleDuplicate,
  RESOLVED_BY_HAND,
  TAKEN_FOR_SENT,
} from '../../../server/batches/store.ts';
import {
  ACCEPTED_TWICE,
  ASIDE_UNTIL,
  type Expiry,
  type Inquest,
  type Judgement,
  LINE_CUT,
  type Outcome,
  type Settlement,
} from '../../../server/dispatch/store.ts';
import { WORKER_LOST } from '../../../server/store/operations/tables.ts';

export type Counted = Exclude<keyof StateCounts, 'total'>;

export interface NaiveRecipient {
  readonly seq: number;
  readonly state: Counted;
  task: NaiveTask | undefined;
  /** Tried, or maybe tried: goes first when it is pending again. */
  tried: boolean;
  attempts: number;
  charged: boolean;
  maybeSent: boolean;
  acceptedTwice: boolean;
  byDecision: boolean;
  dueAt: number | undefined;
  /** Of the last thing that happened to it, apart from being sent smoothly. */
  note: Note;
}

/** Who tried a recipient last, when, and what came of it. */
interface Note {
  readonly worker?: string;
  readonly relay?: string;
  readonly reply?: string;
  readonly at?: number;
}

/** By whom a task was claimed, and when. */
export interface Claimant {
  readonly worker: string;
  readonly relay: string;
  readonly claimedAt: number;
}

const NOBODY: Claimant = { worker: '', relay: '', claimedAt: 0 };

interface NaiveTask extends Claimant {
  /** In the task's order. */
  readonly had: readonly number[];
  readonly reportedSent: Set<number>;
}

/** A recipient has changed its state. */
export type Moved = (seq: number, from: Counted, to: Counted) => void;

/** One batch, told as plainly as possible: a list of recipients, all of it walked at every step but when they are counted. */
export class NaiveBatch {
  state: State = 'RUNNING';
  finishedAt: number | undefined;
  readonly recipients: NaiveRecipient[];
  readonly tasks = new Map<string, NaiveTask>();
  readonly duplicates: Omit<PossibleDuplicate, 'id'>[] = [];
  readonly suspicions = new Map<number, { deaths: number; among: number; alone: number }>();

  readonly #counts: Record<keyof StateCounts, number>;
  onMove: Moved = () => {};

  constructor(total: number) {
    this.#counts = { ...NO_COUNTS, total, pending: total };
    this.recipients = Array.from({ length: total }, (_, seq) => ({
      seq,
      state: 'pending',
      task: undefined,
      tried: false,
      attempts: 0,
      charged: false,
      maybeSent: false,
      acceptedTwice: false,
      byDecision: false,
      dueAt: undefined,
      note: {},
    }));
  }

  get figures(): BatchFigures {
    return {
      state: this.state,
      counts: { ...this.#counts },
      maybeSent: this.recipients.filter((one) => one.maybeSent).length,
      secondReports: this.recipients.filter((one) => one.acceptedTwice).length,
      ...(this.finishedAt === undefined ? {} : { finishedAt: this.finishedAt }),
    };
  }

  /** The states counted anew. */
  recount(): StateCounts {
    const counts = { ...this.#counts };
    for (const state of Object.keys(counts) as (keyof StateCounts)[]) counts[state] = 0;
    counts.total = this.recipients.length;
    for (const { state } of this.recipients) counts[state]++;
    return counts;
  }

  get suspected() {
    const sorted = [...this.suspicions].sort(([a], [b]) => a - b);
    return sorted.map(([seq, suspicion]) => ({
      seq,
      ...suspicion,
      aside: this.#at(seq).dueAt === ASIDE_UNTIL,
    }));
  }

  taskNamed(name: string): Claimant {
    return this.#task(name);
  }

  get openTasks(): string[] {
    return [...this.tasks.keys()].filter((task) => this.remaining(task).length > 0);
  }

  remaining(task: string): number[] {
    const known = this.#task(task);
    return known.had.filter((seq) => this.#at(seq).task === known);
  }

  list(
    state: ListedState,
  ): { seq: number; state: string; attempts: number; maybeSent: boolean; dueAt?: number }[] {
    return this.recipients.flatMap((one, seq) => {
      if (state === 'MAYBE_SENT' ? !one.maybeSent : one.state !== state.toLowerCase()) return [];
      const { attempts, maybeSent, dueAt } = one;
      return [
        {
          seq,
          state: one.state.toUpperCase(),
          attempts,
          maybeSent,
          ...(dueAt === undefined || dueAt === ASIDE_UNTIL ? {} : { dueAt }),
        },
      ];
    });
  }

  claim(task: string, count: number, by: Claimant = NOBODY): number[] | undefined {
    if (this.state !== 'RUNNING') return undefined;
    const pending = this.#seqs('pending');
    const order = [
      ...pending.filter((seq) => this.#at(seq).tried),
      ...pending.filter((seq) => !this.#at(seq).tried),
    ].slice(0, count);
    return this.#lease(task, order, by);
  }

  claimAside(task: string, seqs: SeqRanges, count: number, by: Claimant = NOBODY): number[] | undefined {
    if (this.state !== 'RUNNING') return undefined;
    const aside = [...eachSeq(seqs)].filter((seq) => this.recipients[seq]?.dueAt === ASIDE_UNTIL);
    return this.#lease(task, aside.slice(0, count), by);
  }

  #lease(task: string, order: number[], by: Claimant): number[] | undefined {
    if (order.length === 0) return undefined;
    const taken: NaiveTask = { ...by, had: order, reportedSent: new Set() };
    this.tasks.set(task, taken);
    for (const seq of order) {
      const one = this.#at(seq);
      this.#become(one, 'leased');
      one.task = taken;
      one.dueAt = undefined;
    }
    return order;
  }

  settle({ task: name, now, sent, outcomes, returned, done, cleared, inquest }: Settlement) {
    const task = this.#task(name);
    let applied = 0;
    let secondReports = 0;
    const left = this.remaining(name);
    const isNews = [...eachSeq(sent)].some(
      (seq) => task.had.includes(seq) && !left.includes(seq) && !task.reportedSent.has(seq),
    );
    const twice: number[] = [];
    const cut = new Map<string, number[]>();
    const by = { task: name, worker: task.worker, relay: task.relay, at: now };
    for (const seq of eachSeq(sent)) {
      if (!task.had.includes(seq) || task.reportedSent.has(seq)) continue;
      task.reportedSent.add(seq);
      const one = this.#at(seq);
      if (one.state !== 'sent') {
        this.#settle(one, 'sent');
        applied++;
      } else if (one.byDecision) {
        one.byDecision = false;
        one.note = {};
      } else if (!one.acceptedTwice) {
        one.acceptedTwice = true;
        secondReports++;
        twice.push(seq);
      }
    }
    if (twice.length > 0) this.duplicates.push({ ...by, seqs: rangesOf(twice), why: ACCEPTED_TWICE });
    for (const outcome of outcomes) {
      const one = this.recipients[outcome.seq];
      if (one?.task !== task) continue;
      this.#try(one, outcome, by);
      applied++;
      const { maybeSent, why = LINE_CUT } = outcome;
      if (maybeSent === true) cut.set(why, [...(cut.get(why) ?? []), outcome.seq]);
    }
    for (const [why, seqs] of cut) this.duplicates.push({ ...by, seqs: rangesOf(seqs), why });
    for (const seq of eachSeq(returned)) {
      const one = this.recipients[seq];
      if (one?.task !== task) continue;
      this.#settle(one, this.#back);
      applied++;
    }
    if (done) for (const seq of this.remaining(name)) this.#settle(this.#at(seq), this.#back);
    let judged: readonly Judgement[] | undefined;
    if (left.length > 0 || isNews) {
      for (const seq of eachSeq(cleared ?? [])) this.suspicions.delete(seq);
      const answered = outcomes.filter((one) => one.maybeSent !== true).map(({ seq }) => seq);
      const known = new Set([...eachSeq(sent), ...answered]);
      if (inquest !== undefined) judged = this.#judge(inquest, left, now, (seq) => !known.has(seq));
    }
    if (applied > 0 || done || judged !== undefined) this.#conclude(now);
    const remaining = this.remaining(name).length;
    return { figures: this.figures, remaining, applied, secondReports, ...(judged && { judged }) };
  }

  resolve(decision: Decision, seqs: SeqRanges | undefined, now = 0): number {
    if (decision === 'RETRY' && this.state === 'CANCELLED') return 0;
    const meant = new Set(seqs === undefined ? this.#seqs('unknown') : eachSeq(seqs));
    const unknown = this.#seqs('unknown').filter((seq) => meant.has(seq));
    for (const seq of unknown) {
      const one = this.#at(seq);
      if (decision === 'SENT') {
        this.#settle(one, 'sent');
        one.byDecision = true;
        one.note = { ...one.note, reply: TAKEN_FOR_SENT, at: now };
      } else {
        this.#settle(one, 'pending');
        Object.assign(one, { attempts: 0, charged: false, maybeSent: true });
      }
    }
    if (unknown.length > 0) {
      if (decision === 'RETRY')
        this.duplicates.push({ seqs: rangesOf(unknown), at: now, why: RESOLVED_BY_HAND });
      this.#conclude(0);
    }
    return unknown.length;
  }

  #judge(
    inquest: Inquest,
    left: number[],
    now: number,
    isSuspect: (seq: number) => boolean,
  ): readonly Judgement[] {
    const judged = inquest.judge(rangesOf(left.slice(0, inquest.first).filter(isSuspect)));
    for (const { seq, verdict, deaths, among, alone, reply } of judged) {
      const one = this.#at(seq);
      this.suspicions.set(seq, { deaths, among, alone });
      if (verdict === 'FREE' || (one.state !== 'pending' && one.state !== 'deferred')) continue;
      one.tried = true;
      if (verdict === 'ASIDE') {
        this.#become(one, 'deferred');
        one.dueAt = ASIDE_UNTIL;
      } else {
        this.#settle(one, one.maybeSent ? 'unknown' : 'failed');
        one.charged = false;
        one.note = { ...one.note, reply, at: now };
      }
    }
    return judged;
  }

  expire({ task, now, maybeBegun, hold, why = 'lease lost', inquest }: Expiry) {
    const left = this.remaining(task);
    if (left.length === 0) return undefined;
    const marked = left.slice(0, maybeBegun);
    const { worker, relay } = this.#task(task);
    const by = { worker, relay, at: now };
    for (const seq of left) this.#settle(this.#at(seq), this.#back);
    for (const seq of marked) {
      const one = this.#at(seq);
      one.note = { ...by, reply: WORKER_LOST };
      one.maybeSent = true;
      one.tried = true;
      if (hold) this.#become(one, 'unknown');
    }
    if (marked.length > 0) this.duplicates.push({ ...by, seqs: rangesOf(marked), task, why });
    const judged = inquest && this.#judge(inquest, left, now, () => true);
    this.#conclude(now);
    return { figures: this.figures, marked: marked.length, ...(judged && { judged }) };
  }

  pause(): void {
    if (this.state === 'RUNNING') this.state = 'PAUSED';
  }

  resume(): void {
    if (this.state === 'PAUSED') this.state = 'RUNNING';
  }

  cancel(now: number): void {
    if (this.state !== 'RUNNING' && this.state !== 'PAUSED') return;
    this.state = 'CANCELLED';
    for (const one of this.recipients) {
      if (one.state === 'pending' || one.state === 'deferred') this.#settle(one, 'cancelled');
    }
    this.#conclude(now);
  }

  expireBatch(now: number, limit: number, reply = 'expired'): number {
    if (this.state !== 'RUNNING' && this.state !== 'PAUSED') return 0;
    const pending = this.#seqs('pending');
    const waiting = [
      ...pending.filter((seq) => this.#at(seq).tried),
      ...this.#seqs('deferred'),
      ...pending.filter((seq) => !this.#at(seq).tried),
    ].slice(0, limit);
    for (const seq of waiting) {
      this.#settle(this.#at(seq), 'failed');
      const one = this.#at(seq);
      one.charged = false;
      one.tried = true;
      one.note = { ...one.note, reply, at: now };
    }
    if (waiting.length > 0) this.#conclude(now);
    return waiting.length;
  }

  retryFailed(): number {
    if (this.state === 'CANCELLED') return 0;
    const failed = this.#seqs('failed');
    for (const seq of failed) {
      this.#settle(this.#at(seq), 'pending');
      this.#at(seq).attempts = 0;
      this.#at(seq).charged = false;
    }
    this.#conclude(0);
    return failed.length;
  }

  /** The number promoted, and when the next one is due. */
  promoteDue(now: number, limit: number): { promoted: number; nextDueAt: number | undefined } {
    if (this.state !== 'RUNNING') return { promoted: 0, nextDueAt: undefined };
    const waiting = this.#seqs('deferred').sort((a, b) => this.#dueAt(a) - this.#dueAt(b) || a - b);
    const due = waiting.filter((seq) => this.#dueAt(seq) <= now).slice(0, limit);
    for (const seq of due) this.#settle(this.#at(seq), 'pending');
    const nextDueAt = waiting.map((seq) => this.#dueAt(seq))[due.length];
    return { promoted: due.length, nextDueAt: nextDueAt === ASIDE_UNTIL ? undefined : nextDueAt };
  }

  putBack(seqs: SeqRanges, dueAt: number): void {
    if (this.state === 'CANCELLED') return;
    for (const seq of eachSeq(seqs)) {
      const one = this.recipients[seq];
      if (one?.state !== 'failed') continue;
      this.#become(one, 'deferred');
      one.dueAt = dueAt;
      if (one.charged) one.attempts--;
      one.charged = false;
    }
    this.#conclude(0);
  }

  get #back(): Counted {
    return this.state === 'CANCELLED' ? 'cancelled' : 'pending';
  }

  #try(one: NaiveRecipient, { state, reply, charged, dueAt, maybeSent }: Outcome, by: Note): void {
    this.#settle(one, state === 'deferred' && this.state === 'CANCELLED' ? 'cancelled' : state);
    if (one.state === 'deferred') one.dueAt = dueAt;
    one.tried = true;
    one.note = { worker: by.worker, relay: by.relay, at: by.at, reply };
    one.charged = charged;
    if (charged) one.attempts++;
    if (maybeSent === true) one.maybeSent = true;
  }

  #settle(one: NaiveRecipient, state: Counted): void {
    this.#become(one, state);
    one.task = undefined;
    one.dueAt = undefined;
  }

  /** The only place that changes a state. */
  #become(one: NaiveRecipient, state: Counted): void {
    const from = one.state;
    this.#counts[from]--;
    this.#counts[state]++;
    (one as { state: Counted }).state = state;
    this.onMove(one.seq, from, state);
  }

  #conclude(now: number): void {
    const { pending, leased, deferred } = this.figures.counts;
    if (pending + leased + deferred > 0) {
      this.finishedAt = undefined;
      if (this.state === 'FINISHED') this.state = 'RUNNING';
    } else {
      this.finishedAt ??= now;
      if (this.state !== 'CANCELLED') this.state = 'FINISHED';
    }
  }

  #seqs(state: Counted): number[] {
    return this.recipients.flatMap((one, seq) => (one.state === state ? [seq] : []));
  }

  #dueAt(seq: number): number {
    return this.#at(seq).dueAt ?? 0;
  }

  #at(seq: number): NaiveRecipient {
    const one = this.recipients[seq];
    if (one === undefined) throw new RangeError(`no recipient ${seq}`);
    return one;
  }

  #task(name: string): NaiveTask {
    const task = this.tasks.get(name);
    if (task === undefined) throw new RangeError(`no task ${name}`);
    return task;
  }
}
