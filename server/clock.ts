import { uptime } from 'node:os';

/** What a clock is made of. */
export interface ClockSource {
  /** The wall clock, ms since the epoch: it may be set at any time. */
  wall(): number;
  /** ms, never going back, not counting the time in which the machine sleeps. */
  monotonic(): number;
  /** ms since the machine was started, counting that time too. */
  sinceBoot(): number;
}

export const systemSource: ClockSource = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  sinceBoot: () => uptime() * 1000,
};

/** How fast the clock follows the wall clock: an hour is caught up in twenty. A retry comes at most this much early or late. */
const SLEW = 0.05;

/** A wall clock that is further away was set, and did not only drift; ms. */
export const SET_MS = 10_000;

/** More than the machine's two clocks differ while it is awake, ms. */
const SLEPT_MS = 2_000;

/** How often it is asked whether the machine slept, while the wall clock is away; ms. */
const ASK_EVERY_MS = 1_000;

/**
 * The time by which a server plans: retries, expiries, breakers, tickets. It starts with the wall clock and goes on at the pace of the
 * monotonic one, so that setting the wall clock an hour forward does not fire all retries at once, and setting it back does not
 * delay them by an hour. It comes near the wall clock again by running up to 5 % faster or slower; so it never goes back.
 *
 * Time in which the machine slept did pass: it is added at once. Leases are not planned by this clock but by `monotonic`.
 */
export class SteadyClock {
  readonly #source: ClockSource;
  #now: number;
  #readAt: number;
  /** How long the machine has slept since it was started, ms. */
  #slept: number;
  #askedAt: number;
  /** Wall clock less this clock, at the last reading. */
  #offset = 0;

  constructor(source: ClockSource = systemSource) {
    this.#source = source;
    this.#now = source.wall();
    this.#readAt = source.monotonic();
    this.#askedAt = this.#readAt;
    this.#slept = source.sinceBoot() - this.#readAt;
  }

  /** ms since the epoch; never going back. */
  now(): number {
    const { wall, monotonic } = this.#source;
    const readAt = monotonic();
    const passed = Math.max(0, readAt - this.#readAt);
    this.#readAt = readAt;
    this.#now += passed;
    let offset = wall() - this.#now;
    if (Math.abs(offset) > SLEPT_MS && readAt - this.#askedAt >= ASK_EVERY_MS) {
      this.#now += this.#sleptSince(readAt);
      offset = wall() - this.#now;
    }
    const most = passed * SLEW;
    const step = Math.min(most, Math.max(-most, offset));
    this.#now += step;
    this.#offset = offset - step;
    return this.#now;
  }

  /** ms, never going back. */
  monotonic(): number {
    return this.#source.monotonic();
  }

  /** How far the wall clock is ahead, ms; negative: behind. 0 while it is as near as a clock that was not set. */
  get setBy(): number {
    this.now();
    return Math.abs(this.#offset) < SET_MS ? 0 : this.#offset;
  }

  /** Time for which the machine has slept since this was last asked, ms. */
  #sleptSince(readAt: number): number {
    this.#askedAt = readAt;
    const slept = this.#source.sinceBoot() - readAt;
    const more = slept - this.#slept;
    if (more < SLEPT_MS) return 0;
    this.#slept = slept;
    return more;
  }
}
