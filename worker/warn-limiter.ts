import type { Logger } from './logger.ts';

/** One line about the same thing in this time, ms: a dead relay would fill a disk otherwise. */
const ONE_LINE_PER_MS = 5_000;
/** Things remembered; relays are few. */
const MAX_THINGS = 256;

/** Warns about each thing at most once in a while, and says how often it kept quiet. */
export class WarnLimiter {
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #things = new Map<string, { at: number; quiet: number }>();

  constructor(logger: Logger, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  warn(thing: string, fields: object, message: string): void {
    const now = this.#now();
    const known = this.#things.get(thing);
    if (known !== undefined && now - known.at < ONE_LINE_PER_MS) {
      known.quiet++;
      return;
    }
    if (this.#things.size >= MAX_THINGS) this.#things.clear();
    this.#things.set(thing, { at: now, quiet: 0 });
    const quiet = known?.quiet ?? 0;
    this.#logger.warn(quiet === 0 ? fields : { ...fields, alike: quiet }, message);
  }
}
