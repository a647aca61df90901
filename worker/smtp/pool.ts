import { recycle } from '../../mail/index.ts';
import type { Relay } from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import type { Surroundings } from '../surroundings.ts';
import {
  type OpenSession,
  type RelaySession,
  type RenderedMessage,
  SessionError,
  type TransactionFact,
} from '../tasks/contract.ts';
import { Pacing } from './pacing.ts';
import { hasCarried, isUsedUp } from './used-up.ts';

/** One transaction to be run. */
export interface Job {
  /** Asked again of a job that comes back untouched: whether it may still be begun. */
  mayBegin(): boolean;
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

/** How often a job is sent again whose session ended before it was begun: a session that has carried mail was merely at its end. */
const MOST_RETURNS = { afterMail: 3, otherwise: 1 };

/** What is said of a job whose session ended before the relay had answered anything of it, and which is not sent again. */
const NEVER_BEGUN: TransactionFact = {
  stage: 'mail',
  phase: 'not-sent',
  error: 'the connection ended before the relay answered',
};
/**
 * The sessions with one relay: opened as there is work, up to a limit, and closed when idle.
 *
 * A session is opening → idle ⇄ busy → closing, and counts against the limit until its connection is closed. A busy one is roomy while it
 * can begin a further transaction. `pump()` is the only place where work meets sessions; it is called whenever either may
 * have become available. Idle sessions come before roomy ones: the fewer mails on one connection, the fewer are in doubt when it breaks. The last
 * session used is used again first, so that those not needed become idle long enough to be closed. One that is used up is closed as soon
 * as nothing is under way, and its mail goes over another.
 *
 * As long as any session works, one that could not be opened is nobody's fault: the relay may want no more of them.
 */
export class RelayPool {
  readonly #relay: Relay;
  readonly #openSession: OpenSession;
  readonly #source: JobSource;
  readonly #options: PoolOptions;
  readonly #logger: Logger;
  readonly #around: Pick<Surroundings, 'now' | 'setTimer' | 'random'>;
  readonly #pacing = new Pacing();
  readonly #idle: Idle[] = [];
  /** Sessions with transactions under way, and how many; none: it comes to rest. */
  readonly #busy = new Map<RelaySession, number>();
  /** Busy sessions that can begin a further transaction. */
  readonly #roomy = new Set<RelaySession>();
  /** Jobs whose session ended before the relay had heard of them: the first to be sent now. */
  readonly #untouched: Job[] = [];
  /** How often a job has come back from its session untouched. */
  readonly #returns = new WeakMap<Job, number>();
  /** Sessions that have carried mail. */
  readonly #proven = new WeakSet<RelaySession>();
  readonly #usedUp = new WeakSet<RelaySession>();
  /** Told after every change. */
  readonly #waiting: (() => void)[] = [];
  readonly #openings = new Set<AbortController>();
  #limit = 1;
  #closing = 0;
  #cancelPump: (() => void) | undefined;
  #aborted = false;
  #isPumping = false;

  constructor(
    relay: Relay,
    open: OpenSession,
    source: JobSource,
    options: PoolOptions,
    logger: Logger,
    around: Pick<Surroundings, 'now' | 'setTimer' | 'random'>,
  ) {
    this.#relay = relay;
    this.#openSession = open;
    this.#source = source;
    this.#options = options;
    this.#logger = logger;
    this.#around = around;
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
    // What is settled while it runs may call it again: the loop sees to that.
    if (this.#aborted || this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (let session = this.#free(); session !== undefined; session = this.#free()) {
        const job = this.#next();
        if (job === undefined) break;
        this.#begin(session, job);
      }
    } finally {
      this.#isPumping = false;
    }
    this.#openMore();
  }

  /** Closes the sessions that have been idle for long. */
  sweep(): void {
    const before = this.#around.now() - this.#options.idleMs;
    while (this.#idle[0] !== undefined && this.#idle[0].since < before)
      this.#close(this.#idle.shift() as Idle);
  }

  /** Closes all sessions as soon as they are idle; resolves when no connection is left, or when they are needed again. */
  async release(): Promise<void> {
    while (!this.isEmpty) {
      if (this.#source.isNeeded() && !this.#aborted) return;
      while (this.#idle.length > 0) this.#close(this.#idle.pop() as Idle);
      for (const opening of this.#openings) opening.abort();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#cancelPump?.();
  }

  /** Ends everything at once. */
  abort(reason: string): void {
    this.#aborted = true;
    this.#cancelPump?.();
    for (const { session } of this.#idle.splice(0)) session.abort(reason);
    for (const session of this.#busy.keys()) session.abort(reason);
    for (const opening of this.#openings) opening.abort();
    for (const job of this.#untouched.splice(0)) job.settle(NEVER_BEGUN);
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

  #changed(): void {
    this.pump();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #openMore(): void {
    const now = this.#around.now();
    const opening = this.#openings.size;
    const waiting = this.#untouched.length + this.#source.waiting();
    const wanted = Math.min(waiting - opening, this.#limit - this.size);
    if (wanted <= 0) return;
    const allowed = Math.min(wanted, this.#pacing.allowed(now, opening));
    for (let i = 0; i < allowed; i++) void this.#open(now);
    const waitMs = this.#pacing.waitMs(now);
    if (waitMs > 0) {
      this.#cancelPump?.();
      this.#cancelPump = this.#around.setTimer(() => this.pump(), waitMs);
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
        session.onRoom = () => this.#hasRoom(session);
        this.#idle.push({ session, since: this.#around.now() });
        this.#logger.debug({ relay: this.#relay.NAME }, 'session opened');
      }
    } catch (error) {
      // One recipient's report tells the server of the dead relay; the others are not touched.
      if (
        !opening.signal.aborted &&
        this.#pacing.failed(startedAt, this.#around.now(), this.#around.random())
      ) {
        const fact = factOfError(error);
        if (this.#busy.size > 0)
          this.#logger.debug({ relay: this.#relay.NAME, stage: fact.stage }, 'no further session');
        else (this.#untouched.shift() ?? this.#source.take())?.settle(fact);
      }
    } finally {
      this.#openings.delete(opening);
    }
    this.#changed();
  }

  /** A session that can begin a transaction: an idle one, or else a busy one with room. */
  #free(): RelaySession | undefined {
    for (let idle = this.#idle.at(-1); idle !== undefined; idle = this.#idle.at(-1)) {
      if (idle.session.isUsable) return idle.session;
      this.#idle.pop();
    }
    for (const session of this.#roomy) {
      if (session.isUsable) return session;
      this.#roomy.delete(session);
    }
    return undefined;
  }

  #next(): Job | undefined {
    for (let job = this.#untouched.shift(); job !== undefined; job = this.#untouched.shift()) {
      if (job.mayBegin()) return job;
      job.settle(NEVER_BEGUN);
    }
    return this.#source.take();
  }

  #begin(session: RelaySession, job: Job): void {
    const message = rendered(job);
    if (message === undefined) return;
    if (this.#idle.at(-1)?.session === session) this.#idle.pop();
    this.#busy.set(session, (this.#busy.get(session) ?? 0) + 1);
    session.send(message.envelope, message.bytes, (fact) => {
      // The relay may answer before it has read all of it: then the connection still holds the bytes.
      if (fact?.phase === 'replied' && session.isFlushed) recycle(message.bytes);
      this.#ended(session, job, fact);
    });
    this.#look(session);
  }

  #hasRoom(session: RelaySession): void {
    this.#look(session);
    this.pump();
  }

  /** Whether it is roomy. One whose last transaction has just ended is not: it comes to rest first. */
  #look(session: RelaySession): void {
    if (session.isUsable && (this.#busy.get(session) ?? 0) > 0 && !this.#usedUp.has(session))
      this.#roomy.add(session);
    else this.#roomy.delete(session);
  }

  /** A transaction has come to its end, perhaps while it was being begun. */
  #ended(session: RelaySession, job: Job, fact: TransactionFact | undefined): void {
    const left = (this.#busy.get(session) ?? 1) - 1;
    this.#busy.set(session, left);
    if (!this.#comesBack(session, job, fact)) job.settle(fact ?? NEVER_BEGUN);
    this.#look(session);
    if (left === 0) void this.#rest(session);
    else this.#changed();
  }

  /** Whether the job is to be sent over another session; it is among the untouched ones then. */
  #comesBack(session: RelaySession, job: Job, fact: TransactionFact | undefined): boolean {
    if (fact !== undefined && hasCarried(fact)) this.#proven.add(session);
    const isProven = this.#proven.has(session);
    if (fact !== undefined && !(isProven && isUsedUp(fact))) return false;
    this.#usedUp.add(session);
    const returns = (this.#returns.get(job) ?? 0) + 1;
    if (this.#aborted || returns > (isProven ? MOST_RETURNS.afterMail : MOST_RETURNS.otherwise)) return false;
    this.#returns.set(job, returns);
    this.#untouched.push(job);
    return true;
  }

  /** The last transaction of a session has ended. */
  async #rest(session: RelaySession): Promise<void> {
    const isReady = await session.ready();
    this.#busy.delete(session);
    if (isReady && !this.#aborted) {
      const idle = { session, since: this.#around.now() };
      if (this.#usedUp.has(session)) this.#close(idle);
      else this.#idle.push(idle);
    }
    this.#changed();
  }

  #close(idle: Idle): void {
    this.#closing++;
    void idle.session.close().then(() => {
      this.#closing--;
      this.#changed();
    });
  }
}

/** The message of a job; a job whose message cannot be made is settled. */
function rendered(job: Job): RenderedMessage | undefined {
  try {
    return job.render();
  } catch (error) {
    job.settle({ stage: 'local', phase: 'not-sent', error: textOf(error) });
    return undefined;
  }
}

function factOfError(error: unknown): TransactionFact {
  if (error instanceof SessionError) return error.fact;
  return { stage: 'connect', phase: 'not-sent', error: textOf(error) };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
