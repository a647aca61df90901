/** The largest of the values of the last few seconds. */
export class RecentWorst {
  readonly #forMs: number;
  readonly #monotonic: () => number;
  #worst = 0;
  #at = Number.NEGATIVE_INFINITY;

  constructor(forMs: number, monotonic: () => number) {
    this.#forMs = forMs;
    this.#monotonic = monotonic;
  }

  add(value: number): void {
    if (value < this.value) return;
    this.#worst = value;
    this.#at = this.#monotonic();
  }

  get value(): number {
    return this.#monotonic() - this.#at < this.#forMs ? this.#worst : 0;
  }
}
