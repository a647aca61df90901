/** One line about the same thing in this time, ms: a dead relay would fill a disk otherwise. */
const ONE_LINE_PER_MS = 5_000;
/** Things remembered: relays, callers. Beyond, all are forgotten, and a line may come early. */
const MAX_THINGS = 256;

/** What the limiter needs of a log. */
export interface WarnLog {
  warn(fields: object, message: string): void;
}

/** Warns about each thing at most once in a while, and says how often it kept quiet. */
export class WarnLimiter {
  readonly #logger: WarnLog;
  readonly #now: () => number;
  readonly #oneLinePerMs: number;
  readonly #things = new Map<string, { at: number; quiet: number }>();

  /** @param now monotonic ms */
  constructor(logger: WarnLog, now: () => number, oneLinePerMs = ONE_LINE_PER_MS) {
    this.#logger = logger;
    this.#now = now;
    this.#oneLinePerMs = oneLinePerMs;
  }

  warn(thing: string, fields: object, message: string): void {
    const now = this.#now();
    const known = this.#things.get(thing);
    if (known !== undefined && now - known.at < this.#oneLinePerMs) {
      known.quiet++;
      return;
    }
    if (this.#things.size >= MAX_THINGS) this.#things.clear();
    this.#things.set(thing, { at: now, quiet: 0 });
    const quiet = known?.quiet ?? 0;
    this.#logger.warn(quiet === 0 ? fields : { ...fields, alike: quiet }, message);
  }
}
