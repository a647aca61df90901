import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { LoanRecord } from '../../mesh/store.ts';

/** The ledger of loans, and how many were made, returned and lost since the file was made. */
export class LoanTable {
  readonly #open: StatementSync;
  readonly #exists: StatementSync;
  readonly #save: StatementSync;
  readonly #delete: StatementSync;
  readonly #count: StatementSync;
  readonly #totals: StatementSync;

  constructor(database: DatabaseSync) {
    this.#open = database.prepare(`
      SELECT loan, worker, borrower, borrower_url AS borrowerUrl, lent_at AS lentAt, lend_until AS lendUntil
      FROM loan ORDER BY lent_at, loan`);
    this.#exists = database.prepare('SELECT 1 FROM loan WHERE loan = ?');
    this.#save = database.prepare(`
      INSERT OR REPLACE INTO loan (loan, worker, borrower, borrower_url, lent_at, lend_until)
      VALUES (?, ?, ?, ?, ?, ?)`);
    this.#delete = database.prepare('DELETE FROM loan WHERE loan = ?');
    this.#count = database.prepare(
      'UPDATE loan_total SET made = made + ?, returned = returned + ?, lost = lost + ?',
    );
    this.#totals = database.prepare('SELECT made, returned, lost FROM loan_total');
  }

  open(): readonly LoanRecord[] {
    return (this.#open.all() as unknown as LoanRecord[]).map((row) => ({ ...row }));
  }

  /** Adds new loans, and updates those that are open. */
  save(loans: readonly LoanRecord[]): void {
    let made = 0;
    for (const loan of loans) {
      if (this.#exists.get(loan.loan) === undefined) made++;
      this.#save.run(loan.loan, loan.worker, loan.borrower, loan.borrowerUrl, loan.lentAt, loan.lendUntil);
    }
    if (made > 0) this.#count.run(made, 0, 0);
  }

  end(loan: string, returned: boolean): void {
    if (this.#delete.run(loan).changes === 0) return;
    this.#count.run(0, returned ? 1 : 0, returned ? 0 : 1);
  }

  totals(): { readonly made: number; readonly returned: number; readonly lost: number } {
    const { made, returned, lost } = this.#totals.get() as { made: number; returned: number; lost: number };
    return { made, returned, lost };
  }
}
