import type { LoanRecord, LoanStore } from '../../../server/mesh/store.ts';

/** A ledger that outlives the server that writes it. */
export class MemoryLoanStore implements LoanStore {
  readonly open = new Map<string, LoanRecord>();
  readonly totals = { made: 0, returned: 0, lost: 0 };
  isBroken = false;
  #held: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  async openLoans(): Promise<readonly LoanRecord[]> {
    return [...this.open.values()];
  }

  /** From here on nothing is saved, until `release`. */
  hold(): void {
    this.#held = Promise.withResolvers<void>();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  async saveLoans(loans: readonly LoanRecord[]): Promise<void> {
    await this.#held?.promise;
    if (this.isBroken) throw new Error('the disk is full');
    for (const loan of loans) this.open.set(loan.loan, loan);
    this.totals.made += loans.length;
  }

  async endLoan(loan: string, returned: boolean): Promise<void> {
    if (this.isBroken) throw new Error('the disk is full');
    if (!this.open.delete(loan)) return;
    if (returned) this.totals.returned += 1;
    else this.totals.lost += 1;
  }

  async loanTotals() {
    return { ...this.totals };
  }
}
