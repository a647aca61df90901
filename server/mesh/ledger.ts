import type { Instant } from './ports.ts';
import type { LoanRecord } from './store.ts';

export type LoanState = 'redirected' | 'there' | 'returning';

export interface Loan extends LoanRecord {
  readonly state: LoanState;
  /** Since when the borrower has not mentioned the worker, monotonic ms. */
  readonly absentSince?: number;
  /** When the borrower last mentioned it, monotonic ms. */
  readonly seenAt?: number;
  /** When it was last called home, monotonic ms. */
  readonly recalledAt?: number;
}

export interface EndedLoan {
  readonly loan: Loan;
  readonly returned: boolean;
}

export interface LoanTotals {
  readonly made: number;
  readonly returned: number;
  readonly lost: number;
}

export interface LedgerSettings {
  readonly lendMs: number;
  readonly loanGraceMs: number;
  readonly absentMs: number;
}

/** A borrower's report of a worker that came home less than this ago may be older than the coming home, ms. */
const STALE_REPORT_MS = 10_000;

/** Workers whose coming home is remembered, most. */
const MAX_CAME_HOME = 10_000;

/**
 * The loans of a home: at most one per worker. A loan is
 * - redirected: the worker was told to go. The borrower mentions it → there.
 * - there: it works for the borrower. Recalled, or the borrower says that it is on its way → returning.
 * - returning: it was told to come back.
 * From every state it ends as
 * - returned, when the worker appears at home;
 * - lost, when its borrower has not mentioned it for `absentMs`, or when `loanGraceMs` have passed since the loan's end and
 *   it was not mentioned lately. A lost worker that turns up later is a home worker as any other.
 * Made = open + returned + lost, always. A worker that a borrower mentions as ours and that is neither here nor in the
 * ledger is entered anew: so the ledger is rebuilt where it was lost.
 */
export class LoanLedger {
  readonly #settings: LedgerSettings;
  readonly #byWorker = new Map<string, Loan>();
  readonly #cameHome = new Map<string, { readonly borrower: string; readonly at: number }>();
  #made = 0;
  #returned = 0;
  #lost = 0;

  constructor(settings: LedgerSettings) {
    this.#settings = settings;
  }

  /** After a restart: where its workers are, their borrowers' heartbeats will tell. */
  restore(records: readonly LoanRecord[], totals: LoanTotals, now: Instant): void {
    for (const record of records) {
      this.#byWorker.set(record.worker, { ...record, state: 'redirected', absentSince: now.mono });
    }
    this.#made = totals.made;
    this.#returned = totals.returned;
    this.#lost = totals.lost;
  }

  open(): readonly Loan[] {
    return [...this.#byWorker.values()];
  }

  of(worker: string): Loan | undefined {
    return this.#byWorker.get(worker);
  }

  get size(): number {
    return this.#byWorker.size;
  }

  countsByBorrower(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { borrower } of this.#byWorker.values()) counts.set(borrower, (counts.get(borrower) ?? 0) + 1);
    return counts;
  }

  totals(): LoanTotals {
    return { made: this.#made, returned: this.#returned, lost: this.#lost };
  }

  /** When a worker last came home from this borrower, monotonic ms. */
  cameHomeAt(worker: string, borrower: string): number | undefined {
    const last = this.#cameHome.get(worker);
    return last?.borrower === borrower ? last.at : undefined;
  }

  lend(record: LoanRecord, now: Instant): void {
    this.#byWorker.set(record.worker, { ...record, state: 'redirected', absentSince: now.mono });
    this.#made += 1;
  }

  /** The worker did not go, or could not be entered: as if the loan had never been. */
  undo(worker: string): void {
    if (this.#byWorker.delete(worker)) this.#made -= 1;
  }

  /**
   * A borrower's word on which of our workers it has. `isHome`: whether a worker is connected here.
   * @returns loans entered anew, and loans whose borrower still keeps a worker that was called home.
   */
  report(
    borrower: { readonly uuid: string; readonly url: string },
    workers: readonly string[],
    isHome: (worker: string) => boolean,
    now: Instant,
  ): { readonly entered: readonly Loan[]; readonly arrived: readonly Loan[] } {
    const mentioned = new Set(workers);
    const entered: Loan[] = [];
    const arrived: Loan[] = [];
    for (const loan of this.#byWorker.values()) {
      if (loan.borrower !== borrower.uuid || mentioned.has(loan.worker)) continue;
      if (loan.absentSince === undefined) this.#set({ ...loan, absentSince: now.mono });
    }
    for (const worker of mentioned) {
      const loan = this.#byWorker.get(worker);
      if (loan?.borrower === borrower.uuid) {
        const { absentSince: _, ...rest } = loan;
        const seen: Loan = {
          ...rest,
          state: loan.state === 'returning' ? 'returning' : 'there',
          seenAt: now.mono,
        };
        this.#set(seen);
        if (loan.state === 'redirected') arrived.push(seen);
      } else if (loan === undefined && !isHome(worker) && !this.#cameHomeLately(worker, now)) {
        entered.push(this.#enter(borrower, worker, now));
      }
    }
    return { entered, arrived };
  }

  /** The worker was told to come home; `recalled` by us. */
  returning(worker: string, recalled: boolean, now: Instant): void {
    const loan = this.#byWorker.get(worker);
    if (loan !== undefined)
      this.#set({ ...loan, state: 'returning', ...(recalled ? { recalledAt: now.mono } : {}) });
  }

  /** A worker connected at home. */
  cameHome(worker: string, now: Instant): EndedLoan | undefined {
    const loan = this.#byWorker.get(worker);
    return loan === undefined ? undefined : this.#end(loan, true, now);
  }

  /** Ends the loans whose worker is not to be expected any more. */
  expire(isHome: (worker: string) => boolean, now: Instant): readonly EndedLoan[] {
    const ended: EndedLoan[] = [];
    for (const loan of this.#byWorker.values()) {
      if (this.#isGivenUp(loan, now)) ended.push(this.#end(loan, isHome(loan.worker), now));
    }
    return ended;
  }

  #isGivenUp(loan: Loan, now: Instant): boolean {
    const { absentMs, loanGraceMs } = this.#settings;
    // A borrower that reports at all has been silent about this worker for long; one that never did is judged by time.
    if (loan.seenAt !== undefined && loan.absentSince !== undefined) {
      if (now.mono - loan.absentSince >= absentMs) return true;
    }
    const mentionedLately = loan.seenAt !== undefined && now.mono - loan.seenAt < absentMs;
    return now.wall >= loan.lendUntil + loanGraceMs && !mentionedLately;
  }

  #enter(borrower: { uuid: string; url: string }, worker: string, now: Instant): Loan {
    const loan: Loan = {
      loan: `${worker}@${now.wall}`,
      worker,
      borrower: borrower.uuid,
      borrowerUrl: borrower.url,
      lentAt: now.wall,
      lendUntil: now.wall + this.#settings.lendMs,
      state: 'there',
      seenAt: now.mono,
    };
    this.#set(loan);
    this.#made += 1;
    return loan;
  }

  #end(loan: Loan, returned: boolean, now: Instant): EndedLoan {
    this.#byWorker.delete(loan.worker);
    if (returned) {
      this.#returned += 1;
      this.#cameHome.delete(loan.worker);
      this.#cameHome.set(loan.worker, { borrower: loan.borrower, at: now.mono });
      const oldest = this.#cameHome.keys().next();
      if (this.#cameHome.size > MAX_CAME_HOME && !oldest.done) this.#cameHome.delete(oldest.value);
    } else {
      this.#lost += 1;
    }
    return { loan, returned };
  }

  #cameHomeLately(worker: string, now: Instant): boolean {
    const last = this.#cameHome.get(worker);
    return last !== undefined && now.mono - last.at < STALE_REPORT_MS;
  }

  #set(loan: Loan): void {
    this.#byWorker.set(loan.worker, loan);
  }
}
