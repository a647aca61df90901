import type { Clock, MeshLogger } from './ports.ts';
import type { LoanRecord, LoanStore } from './store.ts';

/** Time until a write that failed is tried again, ms. */
const RETRY_MS = 1_000;

/**
 * Writes the ledger of loans to the store, one thing after the other. A loan must be stored before its worker leaves, so
 * `save` fails where the store does; that a loan ended has happened already, so `end` tries until it is written.
 */
export class LoanWriter {
  readonly #store: LoanStore;
  readonly #clock: Clock;
  readonly #logger: MeshLogger;
  readonly #ends = new Map<string, boolean>();
  #tail: Promise<unknown> = Promise.resolve();
  #retry: (() => void) | undefined;
  #isStopped = false;

  constructor(store: LoanStore, clock: Clock, logger: MeshLogger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @throws StoreError of the store. */
  save(loans: readonly LoanRecord[]): Promise<void> {
    return this.#inTurn(() => this.#store.saveLoans(loans.map(recordOf)));
  }

  end(loan: string, returned: boolean): void {
    this.#ends.set(loan, returned);
    void this.#inTurn(() => this.#writeEnds());
  }

  /** Waits for what has begun. What could not be written is found open at the next start and ends then. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry?.();
    await this.#tail;
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(write);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #writeEnds(): Promise<void> {
    for (const [loan, returned] of this.#ends) {
      try {
        await this.#store.endLoan(loan, returned);
        this.#ends.delete(loan);
      } catch (error) {
        this.#logger.warn(
          { loan, error: String(error) },
          'the end of a loan could not be stored; trying again',
        );
        this.#retryLater();
        return;
      }
    }
  }

  #retryLater(): void {
    if (this.#isStopped || this.#retry !== undefined) return;
    this.#retry = this.#clock.setTimer(() => {
      this.#retry = undefined;
      void this.#inTurn(() => this.#writeEnds());
    }, RETRY_MS);
  }
}

function recordOf(loan: LoanRecord): LoanRecord {
  const { worker, borrower, borrowerUrl, lentAt, lendUntil } = loan;
  return { loan: loan.loan, worker, borrower, borrowerUrl, lentAt, lendUntil };
}
