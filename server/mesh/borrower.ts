import type { CommandRelease, Endpoint, WorkerAlive, WorkerResponse } from '../../protocol/index.ts';
import {
  type AskRecord,
  afterAnswer,
  afterAsking,
  type BorrowPlan,
  isOverdue,
  NEVER_ASKED,
  planBorrowing,
} from './borrowing.ts';
import type { MeshContext } from './context.ts';
import { type GuestRecord, Guests } from './guests.ts';
import { drainOf, type PoolFigures } from './load.ts';
import { instantOf } from './ports.ts';
import { Releases } from './releases.ts';
import { decideReturns, type ReturnReason } from './returning.ts';
import type { Saturation } from './saturation.ts';
import { type TicketRefusal, verifyTicket } from './ticket.ts';

export type Admission =
  | { readonly ok: true; readonly home: string /** ms since the epoch */; readonly lendUntil: number }
  | { readonly ok: false; readonly reason: TicketRefusal | 'TICKET_MISSING' | 'STOPPING' };

/** The state of the server's own work, as its mesh last saw it. */
export interface Work {
  readonly figures: PoolFigures;
  /** How long there has been work without a break, ms. */
  readonly busyForMs: number;
  readonly drainS: number;
  readonly saturation: Saturation;
  /** When the saturation last changed, monotonic ms. */
  readonly since: number;
}

/** Own workers out on loan, for the plan. */
export interface OwnLoans {
  readonly lent: number;
  readonly recallable: number;
  readonly comingHome: number;
  /** Peers that have workers of ours. */
  readonly borrowers: ReadonlySet<string>;
}

/** The borrower's side: asks peers for workers, admits those that come, and sends them home. */
export class Borrower {
  readonly #context: MeshContext;
  readonly #startedAt: number;
  readonly #guests = new Guests();
  readonly #releases = new Releases();
  readonly #asked = new Map<string, AskRecord>();
  /** Workers promised, and until when they may still come (monotonic ms). */
  readonly #expected = new Map<string, number>();
  #borrowedAt = Number.NEGATIVE_INFINITY;
  #isLeaving = false;

  constructor(context: MeshContext) {
    this.#context = context;
    this.#startedAt = context.clock.now();
  }

  /** From here on it asks for nothing, admits nobody new and sends everybody home. */
  leave(): void {
    this.#isLeaving = true;
    for (const guest of this.#guests.all()) this.#guests.recall(guest.worker);
    this.returnGuests({ ready: 0, saturation: 'relaxed', since: Number.NEGATIVE_INFINITY });
  }

  /** Borrowed workers here, promised or asked for. */
  get borrowing(): number {
    let asked = 0;
    for (const record of this.#asked.values()) asked += record.open?.count ?? 0;
    return this.#guests.size + this.#expected.size + asked;
  }

  /** When a borrowed worker was last here or expected, monotonic ms. */
  get borrowedAt(): number {
    return this.#borrowedAt;
  }

  guests(): readonly GuestRecord[] {
    return this.#guests.all();
  }

  get expected(): number {
    return this.#expected.size;
  }

  /** Guests that are connected, of one home. */
  connectedFrom(home: string): readonly GuestRecord[] {
    return this.#guests.all().filter((guest) => guest.home === home && guest.state !== 'away');
  }

  admit(alive: WorkerAlive): Admission {
    const { identity, clock, logger, ticketKey } = this.#context;
    const worker = alive.WORKER_UUID;
    if (alive.TICKET === undefined || worker === undefined) return { ok: false, reason: 'TICKET_MISSING' };
    if (this.#isLeaving && this.#guests.get(worker) === undefined) return { ok: false, reason: 'STOPPING' };
    const verdict = verifyTicket(alive.TICKET, {
      key: ticketKey,
      now: clock.now(),
      worker,
      server: identity.uuid,
      startedAt: this.#startedAt,
      loanState: (loan) => this.#guests.loanState(loan, worker),
    });
    if (!verdict.ok) {
      logger.info({ worker, home: alive.SERVER_UUID, reason: verdict.reason }, 'refuses a borrowed worker');
      return verdict;
    }
    const { claims } = verdict;
    const isNew = this.#guests.admit(claims, clock.monotonic());
    this.#expected.delete(worker);
    this.#borrowedAt = clock.monotonic();
    logger.info(
      { worker, home: claims.home, loan: claims.loan },
      isNew ? 'borrowed worker arrived' : 'borrowed worker came back',
    );
    this.#context.tellSoon();
    return { ok: true, home: claims.home, lendUntil: claims.lendUntil };
  }

  left(worker: string, holdsTasks: boolean): void {
    const guest = this.#guests.get(worker);
    if (guest === undefined) return;
    this.#borrowedAt = this.#context.clock.monotonic();
    if (this.#guests.left(worker, holdsTasks) === undefined) {
      this.#context.logger.info({ worker, home: guest.home }, 'borrowed worker lost its connection');
    } else {
      this.#context.logger.info(
        { worker, home: guest.home, loan: guest.loan },
        'borrowed worker has left for home',
      );
      this.#complete(worker);
    }
    this.#context.tellSoon();
  }

  /** Asks for workers when saturated. @returns how many of its own workers the server should call home first. */
  askForWorkers(work: Work, own: OwnLoans): number {
    if (work.saturation !== 'saturated' || this.#isLeaving) return 0;
    const plan = this.#plan(work, own);
    const { identity, logger, clock } = this.#context;
    for (const { peer, count } of plan.ask) {
      const sent = this.#context.send(peer, {
        TASK: 'WORKER_REQUEST',
        WORKERS_NEEDED: count,
        REQUESTOR_INFO: identity.address,
        SERVER_UUID: identity.uuid,
        DRAIN_S: Number.isFinite(work.drainS) ? work.drainS : null,
      });
      if (!sent) continue;
      this.#asked.set(peer, afterAsking(this.#record(peer), count, clock.monotonic()));
      logger.info({ peer, count, drainS: Math.round(work.drainS * 10) / 10 }, 'asks for workers');
    }
    return plan.recall;
  }

  answered(peer: string, message: WorkerResponse): void {
    const { clock, settings, random, logger } = this.#context;
    const now = clock.monotonic();
    const workers = message.STATUS === 'ACK' ? message.WORKERS : [];
    for (const worker of workers) {
      // It may have been faster than the answer.
      if (this.#guests.get(worker) === undefined) this.#expected.set(worker, now + settings.connectWithinMs);
    }
    if (workers.length > 0) this.#borrowedAt = now;
    const answer = { granted: workers.length, idle: this.#context.peer(peer)?.load?.IDLE, random: random() };
    this.#asked.set(peer, afterAnswer(this.#record(peer), answer, now));
    logger.info(
      { peer, granted: workers.length, reason: message.REASON },
      'answer to the request for workers',
    );
    this.#context.decideSoon();
  }

  /** The link to a peer was lost or replaced: an answer that is still out will not come. */
  linkLost(peer: string): void {
    const { open: _, ...record } = this.#record(peer);
    if (this.#asked.has(peer)) this.#asked.set(peer, record);
  }

  /** The home calls workers back. @returns those that are here. */
  recalled(home: string, message: CommandRelease): readonly string[] {
    const here = message.WORKERS_UUID.filter((worker) => this.#guests.get(worker)?.home === home);
    for (const worker of here) this.#guests.recall(worker);
    if (here.length > 0) {
      this.#context.logger.info({ home, workers: here }, 'home calls its workers back');
      this.#releases.follow(home, here);
      this.#context.decideSoon();
    }
    return here;
  }

  /** Sends home whose time has come. */
  returnGuests(work: { ready: number; saturation: Saturation; since: number }): void {
    const { pool, clock, settings } = this.#context;
    const now = instantOf(clock);
    const connected = new Map(pool.guestWorkers().map((worker) => [worker.uuid, worker]));
    const guests = this.#guests.all().flatMap((guest) => {
      const worker = connected.get(guest.worker);
      if (worker === undefined || guest.state !== 'here') return [];
      return [{ ...guest, idle: worker.idle, homeDrainS: this.#drainOfHome(guest.home) }];
    });
    const decisions = decideReturns({
      ...now,
      guests,
      ready: work.ready,
      saturation: work.saturation,
      since: work.since,
      settleMs: settings.settleMs,
      minLoanMs: settings.minLoanMs,
    });
    const byHome = new Map<string, string[]>();
    for (const { worker, home, reason } of decisions) {
      if (!this.#sendHome(worker, reason) || reason === 'recalled') continue;
      byHome.set(home, [...(byHome.get(home) ?? []), worker]);
    }
    for (const [home, workers] of byHome) {
      const { uuid } = this.#context.identity;
      this.#context.send(home, { TASK: 'COMMAND_RELEASE', SERVER_UUID: uuid, WORKERS_UUID: workers });
    }
  }

  tick(): void {
    const { clock, logger, random } = this.#context;
    const now = instantOf(clock);
    for (const [worker, until] of this.#expected) if (now.mono >= until) this.#expected.delete(worker);
    for (const [peer, record] of this.#asked) {
      if (this.#context.peer(peer) === undefined) this.#asked.delete(peer);
      if (!this.#asked.has(peer) || !isOverdue(record, now.mono)) continue;
      this.#asked.set(peer, afterAnswer(record, { granted: 0, idle: undefined, random: random() }, now.mono));
      logger.info({ peer }, 'no answer to the request for workers');
    }
    for (const guest of this.#guests.expire(now.wall)) {
      logger.info(
        { worker: guest.worker, home: guest.home },
        'borrowed worker stayed away until its loan ended',
      );
      this.#complete(guest.worker);
    }
    if (this.#guests.size > 0 || this.#expected.size > 0) this.#borrowedAt = now.mono;
  }

  #plan(work: Work, own: OwnLoans): BorrowPlan {
    const { settings, clock } = this.#context;
    const peers = this.#context.livePeers().flatMap((peer) => {
      if (peer.load === undefined) return [];
      const borrowsFromUs = own.borrowers.has(peer.uuid);
      return [
        {
          uuid: peer.uuid,
          load: peer.load,
          loadAt: peer.loadAt,
          asked: this.#record(peer.uuid),
          borrowsFromUs,
        },
      ];
    });
    return planBorrowing({
      now: clock.monotonic(),
      figures: work.figures,
      busyForMs: work.busyForMs,
      targetDrainS: settings.targetDrainS,
      borrowed: this.#guests.size,
      expected: this.#expected.size,
      maxBorrowed: settings.maxBorrowed,
      lent: own.lent,
      recallable: own.recallable,
      comingHome: own.comingHome,
      peers,
    });
  }

  #sendHome(worker: string, reason: ReturnReason): boolean {
    const guest = this.#guests.get(worker);
    if (guest === undefined) return false;
    const went = this.#context.pool.returnHome(worker, {
      TASK: 'RETURN',
      SERVER_RETURN: this.#addressOfHome(guest),
    });
    if (!went) return false;
    this.#guests.leaving(worker);
    this.#context.logger.info({ worker, home: guest.home, reason }, 'sends a borrowed worker home');
    return true;
  }

  /** As the home says itself, else as its ticket says. */
  #addressOfHome(guest: GuestRecord): Endpoint {
    return this.#context.peer(guest.home)?.address ?? guest.homeAddress;
  }

  #drainOfHome(home: string): number | undefined {
    const peer = this.#context.livePeers().find((live) => live.uuid === home);
    if (peer === undefined) return undefined;
    return peer.load === undefined ? 0 : drainOf(peer.load);
  }

  #complete(worker: string): void {
    for (const { peer, workers } of this.#releases.done(worker)) {
      this.#context.send(peer, {
        TASK: 'COMMAND_RELEASE',
        RESPONSE: 'RELEASE_COMPLETED',
        SERVER_UUID: this.#context.identity.uuid,
        WORKERS_UUID: [...workers],
      });
    }
  }

  #record(peer: string): AskRecord {
    return this.#asked.get(peer) ?? NEVER_ASKED;
  }
}
