/**
 * Bounds the transactions that are begun and not yet acknowledged by the server: what may be sent twice when this process
 * is killed. Recipients are begun in the order of their task, so they are always the first unsettled ones of it, and
 * the server can mark just those.
 */
export class Window {
  readonly limit: number;
  #begun = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get free(): number {
    return this.limit - this.#begun;
  }

  get begun(): number {
    return this.#begun;
  }

  begin(count = 1): void {
    this.#begun += count;
  }

  /** The server has committed the results of that many. */
  acknowledged(count: number): void {
    this.#begun -= count;
  }
}
