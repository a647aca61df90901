import type { Progress } from './stage.ts';
import type { SmtpTimes } from './times.ts';

/** Which limit was reached, ms; for the message. */
type Limits = Pick<SmtpTimes, 'envelopeMs' | 'bodyMs' | 'dotMs' | 'transactionMs'>;

/**
 * How long the relay may take with what it is busy with. It answers in order, so only the oldest open transaction is waited for, and
 * its time begins when the one before has ended: a mail written ahead is not late because another was slow.
 */
export class Patience {
  readonly #limits: Limits;
  #oldest: object | undefined;
  #phase: Progress | undefined;
  #oldestSince = 0;
  #phaseSince = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The relay is now busy with this transaction, which is this far; undefined: with none. */
  waitsFor(oldest: { readonly waitsIn: Progress } | undefined, now: number): void {
    if (oldest !== this.#oldest) {
      this.#oldest = oldest;
      this.#oldestSince = now;
      this.#phaseSince = now;
    } else if (oldest?.waitsIn !== this.#phase) this.#phaseSince = now;
    this.#phase = oldest?.waitsIn;
  }

  /** The limit that is exceeded, ms; undefined: none is. */
  exceeded(now: number): number | undefined {
    if (this.#phase === undefined) return undefined;
    const limit = this.#limitOf(this.#phase);
    if (now - this.#phaseSince >= limit) return limit;
    return now - this.#oldestSince >= this.#limits.transactionMs ? this.#limits.transactionMs : undefined;
  }

  #limitOf(phase: Progress): number {
    switch (phase) {
      case 'envelope':
        return this.#limits.envelopeMs;
      case 'body':
        return this.#limits.bodyMs;
      case 'dot':
        return this.#limits.dotMs;
    }
  }
}
