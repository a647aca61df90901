import type { LoanRecord, LoanStore } from '../../../server/mesh/store.ts';

/** A ledger that outlives the server that writes it. */
export class MemoryLoanStore implements LoanStore {
  readonly open = new Map<string, LoanRecord>();
  readonly totals = { made: 0, returned: 0, lost: 0 };
  isBroken = false;

  async openLoans(): Promise<readonly LoanRecord[]> {
    return [...this.open.values()];
  }

  async saveLoans(loans: readonly LoanRecord[]): Promise<void> {
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
