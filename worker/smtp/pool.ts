import type { Relay } from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import {
  type OpenSession,
  type RelaySession,
  type RenderedMessage,
  SessionError,
  type TransactionFact,
} from '../tasks/contract.ts';
import { Pacing } from './pacing.ts';

/** One transaction to be run. */
export interface Job {
  /** @throws when the message cannot be made for this recipient. */
  render(): RenderedMessage;
  /** Called exactly once. */
  settle(fact: TransactionFact): void;
}

/** Where a pool gets its work from. */
export interface JobSource {
  /** Jobs that could be taken now. */
  waiting(): number;
  take(): Job | undefined;
  /** Whether anything is still to be sent, or being sent, through this relay. */
  isNeeded(): boolean;
}

export interface PoolOptions {
  /** A session without work is closed after this time, ms. */
  readonly idleMs: number;
}

interface Idle {
  readonly session: RelaySession;
  readonly since: number;
}

/**
 * The sessions with one relay: opened as there is work, up to a limit, and closed when idle.
 *
 * A session is opening → idle ⇄ busy → closing, and counts against the limit until its connection is closed. `pump()` is the
 * only place where work meets sessions; it is called whenever either may have become available. The last session used is used
 * again first, so that those not needed become idle long enough to be closed.
 */
export class RelayPool {
  readonly #relay: Relay;
  readonly #openSession: OpenSession;
  readonly #source: JobSource;
  readonly #options: PoolOptions;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #pacing = new Pacing();
  readonly #idle: Idle[] = [];
  readonly #busy = new Set<RelaySession>();
  /** Whatever is under way: openings, transactions, closings. */
  readonly #running = new Set<Promise<void>>();
  readonly #openings = new Set<AbortController>();
  #limit = 1;
  #closing = 0;
  #pumpTimer: NodeJS.Timeout | undefined;
  #aborted = false;

  constructor(
    relay: Relay,
    open: OpenSession,
    source: JobSource,
    options: PoolOptions,
    logger: Logger,
    now: () => number,
  ) {
    this.#relay = relay;
    this.#openSession = open;
    this.#source = source;
    this.#options = options;
    this.#logger = logger;
    this.#now = now;
  }

  /** Connections that count against the limit. */
  get size(): number {
    return this.#idle.length + this.#busy.size + this.#openings.size + this.#closing;
  }

  get isEmpty(): boolean {
    return this.size === 0;
  }

  setLimit(limit: number): void {
    this.#limit = limit;
    while (this.size - this.#closing > limit && this.#idle.length > 0)
      this.#close(this.#idle.shift() as Idle);
    this.pump();
  }

  pump(): void {
    if (this.#aborted) return;
    for (;;) {
      const idle = this.#idle.at(-1);
      if (idle === undefined) break;
      if (!idle.session.isUsable) {
        this.#idle.pop();
        continue;
      }
      const job = this.#source.take();
      if (job === undefined) return;
      this.#idle.pop();
      this.#track(this.#run(idle.session, job));
    }
    this.#openMore();
  }

  /** Closes the sessions that have been idle for long. */
  sweep(): void {
    const before = this.#now() - this.#options.idleMs;
    while (this.#idle[0] !== undefined && this.#idle[0].since < before)
      this.#close(this.#idle.shift() as Idle);
  }

  /** Closes all sessions as soon as they are idle; resolves when no connection is left, or when they are needed again. */
  async release(): Promise<void> {
    while (!this.isEmpty) {
      if (this.#source.isNeeded() && !this.#aborted) return;
      while (this.#idle.length > 0) this.#close(this.#idle.pop() as Idle);
      for (const opening of this.#openings) opening.abort();
      await Promise.race(this.#running);
    }
    clearTimeout(this.#pumpTimer);
  }

  /** Ends everything at once. */
  abort(reason: string): void {
    this.#aborted = true;
    clearTimeout(this.#pumpTimer);
    for (const { session } of this.#idle.splice(0)) session.abort(reason);
    for (const session of this.#busy) session.abort(reason);
    for (const opening of this.#openings) opening.abort();
  }

  snapshot(): object {
    return {
      relay: this.#relay.NAME,
      idle: this.#idle.length,
      busy: this.#busy.size,
      opening: this.#openings.size,
      limit: this.#limit,
    };
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => {
      this.#running.delete(tracked);
    });
    this.#running.add(tracked);
  }

  #openMore(): void {
    const now = this.#now();
    const opening = this.#openings.size;
    const wanted = Math.min(this.#source.waiting() - opening, this.#limit - this.size);
    if (wanted <= 0) return;
    const allowed = Math.min(wanted, this.#pacing.allowed(now, opening));
    for (let i = 0; i < allowed; i++) this.#track(this.#open(now));
    const waitMs = this.#pacing.waitMs(now);
    if (waitMs > 0) {
      clearTimeout(this.#pumpTimer);
      this.#pumpTimer = setTimeout(() => this.pump(), waitMs);
    }
  }

  async #open(startedAt: number): Promise<void> {
    const opening = new AbortController();
    this.#openings.add(opening);
    try {
      const session = await this.#openSession(this.#relay, opening.signal);
      if (this.#aborted) session.abort('the worker stops');
      else {
        this.#pacing.succeeded();
        this.#idle.push({ session, since: this.#now() });
        this.#logger.debug({ relay: this.#relay.NAME }, 'session opened');
      }
    } catch (error) {
      // One recipient's report tells the server of the dead relay; the others are not touched.
      if (!opening.signal.aborted && this.#pacing.failed(startedAt, this.#now(), Math.random())) {
        this.#source.take()?.settle(factOfError(error));
      }
    } finally {
      this.#openings.delete(opening);
    }
    this.pump();
  }

  async #run(session: RelaySession, job: Job): Promise<void> {
    this.#busy.add(session);
    let message: RenderedMessage | undefined;
    try {
      message = job.render();
    } catch (error) {
      job.settle({ stage: 'local', phase: 'not-sent', error: textOf(error) });
    }
    let isReady = true;
    if (message !== undefined) {
      job.settle(await session.send(message.envelope, message.bytes));
      isReady = await session.ready();
    }
    this.#busy.delete(session);
    if (isReady && !this.#aborted) this.#idle.push({ session, since: this.#now() });
    this.pump();
  }

  #close(idle: Idle): void {
    this.#closing++;
    this.#track(
      idle.session.close().then(() => {
        this.#closing--;
        this.pump();
      }),
    );
  }
}

function factOfError(error: unknown): TransactionFact {
  if (error instanceof SessionError) return error.fact;
  return { stage: 'connect', phase: 'not-sent', error: textOf(error) };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
