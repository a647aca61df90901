/**
 * The right to send a task, by this process's monotonic clock (ms). Reckoned from the moment the question was sent, not
 * from the answer, so it never ends later here than at the server.
 */
export class Lease {
  #until: number;
  #lengthMs: number;
  #lost = false;

  constructor(from: number, lengthMs: number) {
    this.#lengthMs = lengthMs;
    this.#until = from + lengthMs;
  }

  /** Whether a transaction may start now. */
  allows(now: number): boolean {
    return !this.#lost && now < this.#until;
  }

  /** How often it has to be renewed, ms. */
  get renewEveryMs(): number {
    return this.#lengthMs / 3;
  }

  renew(from: number, lengthMs: number): void {
    this.#lengthMs = lengthMs;
    this.#until = Math.max(this.#until, from + lengthMs);
  }

  /** The server has given it to somebody else: it cannot be renewed any more. */
  lose(): void {
    this.#lost = true;
  }

  /** It ran out so long ago, its own length, that nobody will renew it any more. */
  isOverdue(now: number): boolean {
    return now >= this.#until + this.#lengthMs;
  }

  get isLost(): boolean {
    return this.#lost;
  }
}
