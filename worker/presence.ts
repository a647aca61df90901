import { PROTOCOL_VERSION, type WorkerAlive } from '../protocol/index.ts';
import type { Surroundings } from './surroundings.ts';

/** An ALIVE goes out at least so often, ms, also when nothing is held. */
const HEARTBEAT_MS = 10_000;
/** NO_TASK is answered with a new question, but not more often than this, ms. */
const ASK_AGAIN_MS = 1_000;
/** ALIVEs whose LEASES have not come; more than a few means that the server does not answer them. */
const MAX_UNANSWERED = 16;

/** What an ALIVE tells of the worker. */
export interface WorkerStatus {
  readonly openSlots: number;
  readonly leases: readonly string[];
  /** How often the leases held want to be renewed, ms; undefined: none is held. */
  readonly renewEveryMs: number | undefined;
}

export interface Identity {
  readonly worker: string;
  readonly connections: number;
  readonly inFlight: number;
}

type Time = Pick<Surroundings, 'now' | 'setTimer' | 'soon'>;

/** What the presence needs of the worker around it. */
export interface Company {
  status(): WorkerStatus;
  /** Ticket and home, while borrowed. */
  papers(): Pick<WorkerAlive, 'SERVER_UUID' | 'TICKET'>;
  send(alive: WorkerAlive): boolean;
}

/**
 * Decides when an ALIVE goes out, and remembers what the server knows from it.
 *
 * - at once when the link is there (`arrived`), and when there are more open slots than the server knows of (`changed`);
 * - as a heartbeat: every third of the shortest lease while leases are held, else every HEARTBEAT_MS;
 * - after NO_TASK, with at least ASK_AGAIN_MS between two questions.
 *
 * Fewer open slots need no message: a task that has come says it.
 */
export class Presence {
  readonly #identity: Identity;
  readonly #company: Company;
  readonly #time: Time;
  #isUp = false;
  #leaving = false;
  #knownSlots = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** When the ALIVEs that list leases were sent, oldest first: a renewal counts from then. */
  #unanswered: number[] = [];
  #cancelHeartbeat: (() => void) | undefined;
  #cancelAskAgain: (() => void) | undefined;
  #changing = false;

  constructor(identity: Identity, company: Company, time: Time) {
    this.#identity = identity;
    this.#company = company;
    this.#time = time;
  }

  arrived(): void {
    this.#isUp = true;
    this.#unanswered = [];
    this.say();
  }

  lost(): void {
    this.#isUp = false;
    this.#clearTimers();
  }

  /** It drains: every ALIVE says so from now on. */
  leave(): void {
    this.#leaving = true;
    this.say();
  }

  stop(): void {
    this.lost();
  }

  /** A task came: the server counts one slot less, and there is one more lease to renew; at once where it may be over. */
  tookTask(doesLeaseLast: boolean): void {
    this.#knownSlots--;
    if (!doesLeaseLast) this.say();
    else this.#schedule(this.#company.status().renewEveryMs);
  }

  /** Something was taken up or finished. */
  changed(): void {
    if (this.#changing) return;
    this.#changing = true;
    this.#time.soon(() => {
      this.#changing = false;
      if (this.#isUp && this.#company.status().openSlots > this.#knownSlots) this.say();
    });
  }

  /** The server had nothing: asks again. */
  noTask(): void {
    this.#knownSlots = 0;
    this.#cancelAskAgain?.();
    const waitMs = Math.max(0, this.#askedAt + ASK_AGAIN_MS - this.#time.now());
    this.#cancelAskAgain = this.#time.setTimer(() => this.changed(), waitMs);
  }

  /** LEASES came. Returns from when the renewal counts. */
  answered(): number {
    return this.#unanswered.shift() ?? this.#time.now();
  }

  say(): void {
    if (!this.#isUp) return;
    const { openSlots, leases, renewEveryMs } = this.#company.status();
    const { worker, connections, inFlight } = this.#identity;
    const sent = this.#company.send({
      WORKER: 'ALIVE',
      WORKER_UUID: worker,
      ...this.#company.papers(),
      SLOTS: openSlots,
      TASKS: [...leases],
      CONNECTIONS: connections,
      IN_FLIGHT: inFlight,
      ...(this.#leaving ? { LEAVING: true } : {}),
      PROTOCOL: PROTOCOL_VERSION,
    });
    if (!sent) return;
    this.#askedAt = this.#time.now();
    this.#knownSlots = openSlots;
    if (leases.length > 0) this.#unanswered.push(this.#askedAt);
    if (this.#unanswered.length > MAX_UNANSWERED) this.#unanswered.shift();
    this.#schedule(renewEveryMs);
  }

  /** Sets the next heartbeat, counted from the last ALIVE. */
  #schedule(renewEveryMs: number | undefined): void {
    this.#cancelHeartbeat?.();
    if (!this.#isUp) return;
    const dueInMs = this.#askedAt + heartbeatMs(renewEveryMs) - this.#time.now();
    this.#cancelHeartbeat = this.#time.setTimer(() => this.say(), Math.max(0, dueInMs));
  }

  #clearTimers(): void {
    this.#cancelHeartbeat?.();
    this.#cancelAskAgain?.();
  }
}

/** Time to the next ALIVE, ms. */
export function heartbeatMs(renewEveryMs: number | undefined): number {
  return Math.min(renewEveryMs ?? HEARTBEAT_MS, HEARTBEAT_MS);
}
