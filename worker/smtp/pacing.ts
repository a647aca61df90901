import { backoffMs } from '../link/backoff.ts';

/** First wait after a relay refused a session, ms. */
const BASE_MS = 100;
/** Longest wait, ms: the server's breaker has long stopped sending tasks by then. */
const CAP_MS = 5_000;

/**
 * When the next session with a relay may be opened. A relay that was never reached, or just failed, gets one attempt at a
 * time, each after a longer wait; one that works gets as many at once as are wanted.
 */
export class Pacing {
  #works = false;
  #failures = 0;
  #notBefore = 0;
  #failedAt = Number.NEGATIVE_INFINITY;

  /** Sessions that may be opened now beside those being opened. */
  allowed(now: number, opening: number): number {
    if (now < this.#notBefore) return 0;
    return this.#works ? Number.POSITIVE_INFINITY : Math.max(0, 1 - opening);
  }

  /** ms until the next attempt may start; 0: now. */
  waitMs(now: number): number {
    return Math.max(0, this.#notBefore - now);
  }

  succeeded(): void {
    this.#works = true;
    this.#failures = 0;
    this.#notBefore = 0;
  }

  /**
   * An attempt begun at `startedAt` has failed. False: it was one of several at the same time, and the first of them has been
   * counted.
   */
  failed(startedAt: number, now: number, random: number): boolean {
    if (startedAt < this.#failedAt) return false;
    this.#works = false;
    this.#failedAt = now;
    this.#notBefore = now + backoffMs(this.#failures++, random, BASE_MS, CAP_MS);
    return true;
  }
}
