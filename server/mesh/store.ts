/** A worker of ours that works for a peer. */
export interface LoanRecord {
  readonly loan: string;
  readonly worker: string;
  /** Server that has it. */
  readonly borrower: string;
  /** Where that server is, `ws://host:port`. */
  readonly borrowerUrl: string;
  /** ms since the epoch. */
  readonly lentAt: number;
  readonly lendUntil: number;
}

/** The ledger of loans, kept by the home of the workers. It survives a restart. */
export interface LoanStore {
  openLoans(): Promise<readonly LoanRecord[]>;
  /** Adds loans, and updates those that are in the ledger already. */
  saveLoans(loans: readonly LoanRecord[]): Promise<void>;
  /** Ended loans leave the ledger; `returned` tells whether the worker came home (the totals count both). Of an unknown loan: nothing. */
  endLoan(loan: string, returned: boolean): Promise<void>;
  /** Loans made, returned and lost since the store was made. */
  loanTotals(): Promise<{ readonly made: number; readonly returned: number; readonly lost: number }>;
}
