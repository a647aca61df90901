import { v7 as uuidv7 } from 'uuid';
import { type Endpoint, endpointUrl, type PeerMessage, type WorkerRequest } from '../../protocol/index.ts';
import type { MeshContext } from './context.ts';
import { type EndedLoan, type Loan, LoanLedger } from './ledger.ts';
import { countStaying, decideLending, type LendRefusal } from './lending.ts';
import { drainOf } from './load.ts';
import { LoanWriter } from './loan-writer.ts';
import { type HomeWorker, instantOf } from './ports.ts';
import { Releases } from './releases.ts';
import type { LoanRecord, LoanStore } from './store.ts';
import { signTicket } from './ticket.ts';

/** A borrower that was refused for lack of workers counts as in need for this long, ms. */
const IN_NEED_MS = 5_000;

/** A borrower that still has a worker this long after it was called home is told again, ms. */
const RECALL_AGAIN_MS = 5_000;

/** What the rest of the server is doing, as far as it forbids lending. */
export interface LenderSituation {
  readonly busy: boolean;
  readonly borrowing: number;
  readonly borrowedAt: number;
  /** It is about to stop. */
  readonly isLeaving: boolean;
}

export type LendAnswer = (message: PeerMessage) => void;

/** Who asks for workers, and where they are to go. */
export interface Asker {
  readonly id: string;
  readonly address: Endpoint | undefined;
  /** Whether it can still be answered. */
  readonly isThere: () => boolean;
}

type Refusal = LendRefusal | 'NO_ADDRESS' | 'STORE_UNAVAILABLE' | 'STOPPING' | 'SELF';

/** The home's side of lending: answers WORKER_REQUESTs, sends workers away under tickets, calls them back, keeps the ledger. */
export class Lender {
  readonly #context: MeshContext;
  readonly #situation: () => LenderSituation;
  readonly #store: LoanStore;
  readonly #ledger: LoanLedger;
  readonly #writer: LoanWriter;
  readonly #releases = new Releases();
  /** When borrowers were last refused for lack of workers. */
  readonly #inNeed = new Map<string, number>();
  readonly #answering = new Set<Promise<void>>();
  #isStopped = false;

  constructor(context: MeshContext, store: LoanStore, situation: () => LenderSituation) {
    this.#context = context;
    this.#situation = situation;
    this.#store = store;
    this.#ledger = new LoanLedger(context.settings);
    this.#writer = new LoanWriter(store, context.clock, context.logger);
  }

  /** @throws StoreError when the ledger cannot be read. */
  async start(): Promise<void> {
    const [open, totals] = await Promise.all([this.#store.openLoans(), this.#store.loanTotals()]);
    this.#ledger.restore(open, totals, instantOf(this.#context.clock));
    if (open.length > 0)
      this.#context.logger.info({ loans: open.length }, 'loans were open at the last stop');
    for (const worker of this.#context.pool.homeWorkers()) this.cameHome(worker.uuid);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#answering);
    await this.#writer.stop();
  }

  get ledger(): LoanLedger {
    return this.#ledger;
  }

  /** Own workers at home, without those on their way out. */
  atHome(): readonly HomeWorker[] {
    return this.#context.pool.homeWorkers().filter((worker) => this.#ledger.of(worker.uuid) === undefined);
  }

  /** Own workers whose loan may be cut short now: past the minimum, with a borrower that hears us. */
  recallable(): readonly Loan[] {
    const { clock, settings } = this.#context;
    const live = new Set(this.#context.livePeers().map((peer) => peer.uuid));
    const old = clock.now() - settings.minLoanMs;
    const loans = this.#ledger.open().filter((loan) => loan.state !== 'returning' && loan.lentAt <= old);
    return loans.filter((loan) => live.has(loan.borrower)).sort((a, b) => a.lentAt - b.lentAt);
  }

  comingHome(): number {
    return this.#ledger.open().filter((loan) => loan.state === 'returning').length;
  }

  /** Answers a request, at once or as soon as the loans are stored. */
  answer(asker: Asker, request: WorkerRequest, respond: LendAnswer): void {
    const answering = this.#answer(asker, request, respond)
      .catch((error: unknown) => {
        this.#context.logger.warn({ error: String(error) }, 'a request for workers could not be answered');
      })
      .finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  async #answer(asker: Asker, request: WorkerRequest, respond: LendAnswer): Promise<void> {
    const refusal = this.#refusalOf(asker);
    if (refusal !== undefined || asker.address === undefined) {
      this.#refuse(asker, request, refusal ?? 'NO_ADDRESS', respond);
      return;
    }
    const decision = this.#decide(asker.id, request.WORKERS_NEEDED);
    if ('refusal' in decision) {
      this.#refuse(asker, request, decision.refusal, respond);
      for (const [borrower, count] of decision.overShare)
        this.#recallFrom(borrower, count, 'others need it too');
      return;
    }
    const sent = await this.#lend(asker, asker.address, decision.lend);
    if (sent === undefined) this.#refuse(asker, request, 'STORE_UNAVAILABLE', respond);
    else if (sent.length === 0) this.#refuse(asker, request, 'NONE_IDLE', respond);
    else {
      this.#inNeed.delete(asker.id);
      respond({ TASK: 'WORKER_RESPONSE', STATUS: 'ACK', MASTER: this.#name(), WORKERS: [...sent] });
      this.#context.tellSoon();
    }
  }

  /** Calls own workers home, the longest away first. */
  recall(count: number): void {
    const byBorrower = new Map<string, number>();
    for (const { borrower } of this.recallable().slice(0, count)) {
      byBorrower.set(borrower, (byBorrower.get(borrower) ?? 0) + 1);
    }
    for (const [borrower, some] of byBorrower) this.#recallFrom(borrower, some, 'home is saturated');
  }

  /** A borrower's heartbeat says which of our workers it has. */
  reported(borrower: string, url: string, workers: readonly string[]): void {
    const now = instantOf(this.#context.clock);
    const home = this.#homeSet();
    const { entered, arrived } = this.#ledger.report(
      { uuid: borrower, url },
      workers,
      (w) => home.has(w),
      now,
    );
    for (const loan of arrived) this.#log(loan, 'lent worker has arrived at its borrower');
    if (entered.length > 0) {
      for (const loan of entered)
        this.#log(loan, 'borrower has a worker of ours that the ledger did not know; entered');
      // Where this fails, the next restart learns of them from the borrower once more.
      this.#writer.save(entered).catch((error: unknown) => {
        this.#context.logger.warn({ error: String(error) }, 'loans could not be stored');
      });
    }
    const stuck = this.#ledger.open().filter((loan) => {
      return (
        loan.borrower === borrower &&
        loan.recalledAt !== undefined &&
        now.mono - loan.recalledAt >= RECALL_AGAIN_MS
      );
    });
    if (stuck.length > 0) this.#sendRecall(borrower, stuck, 'told again');
  }

  /** A borrower says that these are on their way. @returns those that it is about. */
  onTheirWay(borrower: string, workers: readonly string[]): readonly string[] {
    const now = instantOf(this.#context.clock);
    const known = workers.filter((worker) => this.#ledger.of(worker)?.borrower === borrower);
    for (const worker of known) {
      this.#ledger.returning(worker, false, now);
      this.#context.logger.info({ worker, borrower }, 'borrower sends a worker home');
    }
    if (known.length > 0) this.#releases.follow(borrower, known);
    return known;
  }

  /** An own worker connected here. */
  cameHome(worker: string): void {
    const ended = this.#ledger.cameHome(worker, instantOf(this.#context.clock));
    if (ended !== undefined) this.#ended(ended, 'lent worker is home');
  }

  tick(): void {
    const now = instantOf(this.#context.clock);
    const home = this.#homeSet();
    for (const ended of this.#ledger.expire((worker) => home.has(worker), now)) {
      this.#ended(ended, ended.returned ? 'lent worker never left' : 'lent worker is lost');
    }
    for (const [borrower, at] of this.#inNeed) if (now.mono - at >= IN_NEED_MS) this.#inNeed.delete(borrower);
  }

  #decide(borrower: string, asked: number) {
    const { clock, settings } = this.#context;
    const now = clock.monotonic();
    const saturated = this.#context
      .livePeers()
      .filter((peer) => peer.load !== undefined && drainOf(peer.load) > settings.borrowAboveS);
    return decideLending({
      now,
      borrower,
      asked,
      atHome: this.atHome(),
      keepHome: settings.keepHome,
      ...this.#situation(),
      coolDownMs: settings.coolDownMs,
      loans: this.#ledger.countsByBorrower(),
      alsoInNeed: new Set([...saturated.map((peer) => peer.uuid), ...this.#inNeed.keys()]),
      cameHomeAt: (worker) => this.#ledger.cameHomeAt(worker, borrower),
      restMs: settings.restMs,
    });
  }

  #refusalOf(asker: Asker): Refusal | undefined {
    if (this.#isStopped || this.#situation().isLeaving) return 'STOPPING';
    if (asker.id === this.#context.identity.uuid) return 'SELF';
    return asker.address === undefined ? 'NO_ADDRESS' : undefined;
  }

  #refuse(asker: Asker, request: WorkerRequest, reason: Refusal, respond: LendAnswer): void {
    if (reason === 'NONE_IDLE' || reason === 'KEEPS_LAST')
      this.#inNeed.set(asker.id, this.#context.clock.monotonic());
    this.#context.logger.info({ borrower: asker.id, asked: request.WORKERS_NEEDED, reason }, 'lends nothing');
    respond({ TASK: 'WORKER_RESPONSE', STATUS: 'NACK', MASTER: this.#name(), WORKERS: [], REASON: reason });
  }

  /** @returns the workers that were sent; undefined when the store could not take the loans. */
  async #lend(
    asker: Asker,
    address: Endpoint,
    workers: readonly string[],
  ): Promise<readonly string[] | undefined> {
    const now = instantOf(this.#context.clock);
    const loans = workers.map((worker): LoanRecord => {
      return {
        loan: uuidv7(),
        worker,
        borrower: asker.id,
        borrowerUrl: endpointUrl(address),
        lentAt: now.wall,
        lendUntil: now.wall + this.#context.settings.lendMs,
      };
    });
    for (const loan of loans) this.#ledger.lend(loan, now);
    try {
      await this.#writer.save(loans);
    } catch (error) {
      for (const loan of loans)
        if (this.#ledger.of(loan.worker)?.loan === loan.loan) this.#ledger.undo(loan.worker);
      this.#context.logger.warn({ error: String(error) }, 'loans could not be stored: nothing is lent');
      return undefined;
    }
    const sent: string[] = [];
    for (const loan of loans) {
      // It may have come in anew, or others or the borrower may have gone, while the loan was being stored.
      if (this.#ledger.of(loan.worker)?.loan !== loan.loan) continue;
      const mayGo = !this.#isStopped && asker.isThere() && this.#keepsEnough();
      if (mayGo && this.#redirect(loan, address)) sent.push(loan.worker);
      else this.cameHome(loan.worker);
    }
    return sent;
  }

  /** Those on their way out do not count. */
  #keepsEnough(): boolean {
    return countStaying(this.atHome()) >= this.#context.settings.keepHome;
  }

  #redirect(loan: LoanRecord, target: Endpoint): boolean {
    const { identity, settings, pool, ticketKey } = this.#context;
    const ticket = signTicket(
      {
        loan: loan.loan,
        worker: loan.worker,
        home: identity.uuid,
        homeAddress: identity.address,
        borrower: loan.borrower,
        issuedAt: loan.lentAt,
        connectBy: loan.lentAt + settings.connectWithinMs,
        lendUntil: loan.lendUntil,
      },
      ticketKey,
    );
    const went = pool.redirect(loan.worker, {
      TASK: 'REDIRECT',
      TARGET_MASTER: target,
      HOME_MASTER: identity.address,
      SERVER_UUID: identity.uuid,
      // A ticket is good for one borrower: where that one is gone, only the home takes the worker in.
      FAILOVER_LIST: [identity.address],
      TICKET: ticket,
      LEND_S: settings.lendMs / 1_000,
    });
    if (went) this.#log(loan, 'lends a worker');
    return went;
  }

  #recallFrom(borrower: string, count: number, reason: string): void {
    const loans = this.recallable().filter((loan) => loan.borrower === borrower);
    this.#sendRecall(borrower, loans.slice(0, count), reason);
  }

  #sendRecall(borrower: string, loans: readonly Loan[], reason: string): void {
    if (loans.length === 0) return;
    const workers = loans.map((loan) => loan.worker);
    const { identity, logger } = this.#context;
    const message = { TASK: 'COMMAND_RELEASE' as const, SERVER_UUID: identity.uuid, WORKERS_UUID: workers };
    if (!this.#context.send(borrower, message)) return;
    const now = instantOf(this.#context.clock);
    for (const worker of workers) this.#ledger.returning(worker, true, now);
    logger.info({ borrower, workers, reason }, 'calls workers home');
  }

  #ended({ loan, returned }: EndedLoan, what: string): void {
    this.#writer.end(loan.loan, returned);
    this.#log(loan, what);
    this.#context.decideSoon();
    if (!returned) return;
    for (const { peer, workers } of this.#releases.done(loan.worker)) {
      this.#context.send(peer, {
        TASK: 'COMMAND_RELEASE',
        RESPONSE: 'RELEASE_COMPLETED',
        SERVER_UUID: this.#context.identity.uuid,
        WORKERS_UUID: [...workers],
      });
    }
  }

  #homeSet(): ReadonlySet<string> {
    return new Set(this.#context.pool.homeWorkers().map((worker) => worker.uuid));
  }

  #name(): string {
    const { IP, PORT } = this.#context.identity.address;
    return `${IP}:${PORT}`;
  }

  #log(loan: LoanRecord, what: string): void {
    this.#context.logger.info({ loan: loan.loan, worker: loan.worker, borrower: loan.borrower }, what);
  }
}
