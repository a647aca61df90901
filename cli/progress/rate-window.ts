/** Time over which a rate is taken, ms: long enough to be calm, short enough to follow. */
const WINDOW_MS = 10_000;

/** A rate out of a growing number that is looked at now and then. */
export class RateWindow {
  readonly #samples: { readonly at: number; readonly value: number }[] = [];

  /** @param at ms of any clock that only goes forward */
  add(value: number, at: number): void {
    this.#samples.push({ at, value });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= WINDOW_MS) this.#samples.shift();
  }

  /** Per second; undefined until there is something to tell. */
  get perSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return undefined;
    return Math.max(0, last.value - first.value) / ((last.at - first.at) / 1000);
  }
}
