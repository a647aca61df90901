import type { Logger } from '../../logging/index.ts';
import { every, type SetTimer } from '../timers.ts';
import { type Condition, conditionsOf, type HealthCode, type HealthFacts } from './policy.ts';
import { RecentWorst } from './recent-worst.ts';

/** How often the server is looked at, ms. */
const LOOK_EVERY_MS = 500;
/** How often it is written to a store that works, ms: so often is known until when the server ran. */
const TOUCH_EVERY_MS = 20_000;
/** How often it is tried whether a store that failed works again, ms. */
const TRY_EVERY_MS = 1_000;
/** How long something that lasted a moment is told, ms: long enough to be seen by who looks now and then. */
const TELL_FOR_MS = 15_000;
/** How long it is told that another server claims to be this one, ms. */
const CLAIMED_FOR_MS = 5 * 60_000;
/** How long it is told that batches have changed hands, ms. */
const CHANGED_HANDS_FOR_MS = 60_000;

export interface HealthSources {
  readonly storeFailing: () => boolean;
  /** The slowest commit of the last few seconds, ms; 0 where the store does not measure. */
  readonly commitMs: () => number;
  /** Writes a little. @throws whatever keeps the store from it */
  readonly touch: () => Promise<void>;
  /** Recipients that a worker could send now. */
  readonly ready: () => number;
  readonly workers: () => number;
  /** Absent: no other server uses the store. Batches that changed hands, and when last (monotonic ms). */
  readonly tenure?: () => {
    readonly isHeld: boolean;
    readonly fenced: { readonly batches: number; readonly at: number };
    readonly adopted: { readonly batches: number; readonly at: number };
  };
  readonly clockSetBy: () => number;
  readonly pausedAtStart: () => string | undefined;
  readonly monotonic: () => number;
  readonly setTimer: SetTimer;
  readonly logger: Logger;
}

interface Lasting extends Condition {
  /** Monotonic ms. */
  readonly since: number;
}

/**
 * Watches what a server suffers from. Each condition leaves one line in the log when it comes and one when it is over, and is told in
 * `/readyz` and `mutirao status` in between.
 */
export class HealthMonitor {
  readonly #sources: HealthSources;
  readonly #late: RecentWorst;
  readonly #commits: RecentWorst;
  #claimed = { where: '', at: Number.NEGATIVE_INFINITY };
  #conditions = new Map<HealthCode, Lasting>();
  #cancelLooks: (() => void) | undefined;
  #expectedAt = Number.POSITIVE_INFINITY;
  #noWorkerSince: number | undefined;
  #touchedAt = Number.NEGATIVE_INFINITY;
  /** Since when a write is under way. */
  #touchingSince: number | undefined;
  #touchFailed = false;

  constructor(sources: HealthSources) {
    this.#sources = sources;
    this.#late = new RecentWorst(TELL_FOR_MS, sources.monotonic);
    this.#commits = new RecentWorst(TELL_FOR_MS, sources.monotonic);
  }

  start(): void {
    this.#touchedAt = this.#sources.monotonic();
    this.#cancelLooks ??= every(this.#sources.setTimer, LOOK_EVERY_MS, () => this.look());
  }

  stop(): void {
    this.#cancelLooks?.();
    this.#cancelLooks = undefined;
  }

  /** Another server was met that claims to be this one. */
  identityClaimed(where: string): void {
    this.#claimed = { where, at: this.#sources.monotonic() };
    this.look();
  }

  /** The last write of this monitor failed. */
  get storeFailing(): boolean {
    return this.#touchFailed;
  }

  /** What is the matter, the longest lasting first. */
  get conditions(): readonly Condition[] {
    return [...this.#conditions.values()];
  }

  snapshot(): readonly Record<string, unknown>[] {
    const now = this.#sources.monotonic();
    return [...this.#conditions.values()].map(({ code, isDown, text, since }) => ({
      code,
      down: isDown,
      text,
      forS: Math.round((now - since) / 1000),
    }));
  }

  /** Looks now. */
  look(): void {
    const now = this.#sources.monotonic();
    this.#late.add(Math.max(0, now - this.#expectedAt));
    this.#expectedAt = now + LOOK_EVERY_MS;
    this.#touch(now);
    const facts = this.#facts(now);
    const lasting = new Map<HealthCode, Lasting>();
    for (const condition of conditionsOf(facts)) {
      const known = this.#conditions.get(condition.code);
      lasting.set(condition.code, { ...condition, since: known?.since ?? now });
      if (known === undefined) {
        this.#sources.logger.warn(
          { code: condition.code, ...measured(condition.code, facts) },
          condition.text,
        );
      }
    }
    for (const [code, { since }] of this.#conditions) {
      if (lasting.has(code)) continue;
      this.#sources.logger.info({ code, seconds: Math.round((now - since) / 1000) }, `over: ${OVER[code]}`);
    }
    this.#conditions = lasting;
  }

  #facts(now: number): HealthFacts {
    const { storeFailing, commitMs, ready, workers, clockSetBy, pausedAtStart } = this.#sources;
    const tenure = this.#sources.tenure?.();
    const lately = (hands: { batches: number; at: number } | undefined): number =>
      hands !== undefined && now - hands.at < CHANGED_HANDS_FOR_MS ? hands.batches : 0;
    if (workers() > 0 || ready() === 0) this.#noWorkerSince = undefined;
    else this.#noWorkerSince ??= now;
    if (this.#touchingSince !== undefined) this.#commits.add(now - this.#touchingSince);
    return {
      storeFailing: storeFailing() || this.#touchFailed,
      commitMs: Math.max(commitMs(), this.#commits.value),
      leaseRunOut: tenure?.isHeld === false,
      fenced: lately(tenure?.fenced),
      adopted: lately(tenure?.adopted),
      loopLateMs: this.#late.value,
      noWorkerMs: this.#noWorkerSince === undefined ? 0 : now - this.#noWorkerSince,
      clockSetBy: clockSetBy(),
      claimedAt: now - this.#claimed.at < CLAIMED_FOR_MS ? this.#claimed.where : undefined,
      pausedAtStart: pausedAtStart(),
    };
  }

  /** One write at a time: it finds out what nobody else asks for while nothing is sent. */
  #touch(now: number): void {
    const isWell = !this.#touchFailed && !this.#sources.storeFailing();
    if (this.#touchingSince !== undefined || now - this.#touchedAt < (isWell ? TOUCH_EVERY_MS : TRY_EVERY_MS))
      return;
    this.#touchedAt = now;
    this.#touchingSince = now;
    const ended = (failed: boolean): void => {
      this.#touchingSince = undefined;
      this.#touchFailed = failed;
    };
    this.#sources.touch().then(
      () => ended(false),
      () => ended(true),
    );
  }
}

/** What is over, for people. */
const OVER: Readonly<Record<HealthCode, string>> = {
  STORE_FAILING: 'the store can write again',
  STORE_STALLED: 'the store commits at its usual pace again',
  LEASE_RUN_OUT: 'the lease on the batches is renewed again',
  FENCED: 'no batch was taken over by others lately',
  ADOPTED: 'no batch was taken over from others lately',
  NO_WORKER: 'a worker is there, or nothing is left to send',
  EVENT_LOOP_LATE: 'the event loop is in time again',
  CLOCK_SET: "the server's clock is with the wall clock again",
  IDENTITY_CLAIMED: 'no other server claims to be this one any more',
  PAUSED_AT_START: 'no batch is left that was paused at the start',
};

/** The figure behind a condition, for the log. */
function measured(code: HealthCode, facts: HealthFacts): object {
  if (code === 'STORE_STALLED') return { commitMs: Math.round(facts.commitMs) };
  if (code === 'EVENT_LOOP_LATE') return { lateMs: Math.round(facts.loopLateMs) };
  if (code === 'CLOCK_SET') return { setByS: Math.round(facts.clockSetBy / 1000) };
  return {};
}
