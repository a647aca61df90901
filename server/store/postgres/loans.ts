import type { LoanRecord } from '../../mesh/store.ts';
import type { Reader } from './reader.ts';

/** The ledgers of loans, one for each server. */
export class Loans {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async open(server: string): Promise<readonly LoanRecord[]> {
    return this.#reader.rows<LoanRecord & Record<string, unknown>>(
      `SELECT loan, worker, borrower, borrower_url AS "borrowerUrl", lent_at AS "lentAt", lend_until AS "lendUntil"
       FROM mutirao.loan WHERE server = $1 ORDER BY lent_at, loan`,
      [server],
    );
  }

  async save(server: string, loans: readonly LoanRecord[]): Promise<void> {
    if (loans.length === 0) return;
    await this.#reader.rows(
      `WITH saved AS (
         INSERT INTO mutirao.loan (server, loan, worker, borrower, borrower_url, lent_at, lend_until)
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[])
         ON CONFLICT (loan) DO UPDATE SET server = excluded.server, worker = excluded.worker, borrower = excluded.borrower,
           borrower_url = excluded.borrower_url, lent_at = excluded.lent_at, lend_until = excluded.lend_until
         RETURNING xmax = 0 AS made
       )
       INSERT INTO mutirao.loan_total AS t (server, made, returned, lost)
       SELECT $1, count(*) FILTER (WHERE made), 0, 0 FROM saved
       ON CONFLICT (server) DO UPDATE SET made = t.made + excluded.made`,
      [
        server,
        loans.map((one) => one.loan),
        loans.map((one) => one.worker),
        loans.map((one) => one.borrower),
        loans.map((one) => one.borrowerUrl),
        loans.map((one) => one.lentAt),
        loans.map((one) => one.lendUntil),
      ],
    );
  }

  async end(server: string, loan: string, returned: boolean): Promise<void> {
    await this.#reader.rows(
      `WITH ended AS (DELETE FROM mutirao.loan WHERE loan = $2 AND server = $1 RETURNING 1)
       UPDATE mutirao.loan_total SET returned = returned + $3, lost = lost + $4
       WHERE server = $1 AND EXISTS (SELECT FROM ended)`,
      [server, loan, returned ? 1 : 0, returned ? 0 : 1],
    );
  }

  async totals(
    server: string,
  ): Promise<{ readonly made: number; readonly returned: number; readonly lost: number }> {
    const [row] = await this.#reader.rows<{ made: string; returned: string; lost: string }>(
      'SELECT made, returned, lost FROM mutirao.loan_total WHERE server = $1',
      [server],
    );
    return {
      made: Number(row?.made ?? 0),
      returned: Number(row?.returned ?? 0),
      lost: Number(row?.lost ?? 0),
    };
  }
}
