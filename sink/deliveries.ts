/** A (Message-ID, recipient) pair and how often it was accepted. */
export interface Delivery {
  /** With its angle brackets; empty for messages that have none. */
  readonly messageId: string;
  readonly recipient: string;
  readonly count: number;
}

/** Pairs that are told apart. About 250 bytes each: beyond this the sink counts without telling duplicates. */
const MAX_PAIRS = 8_000_000;

/**
 * Counts accepted messages per Message-ID and recipient.
 *
 * A recipient that got one message once, as nearly all do, costs one map entry: its value is the Message-ID itself.
 * The second message (or a duplicate) turns the value into a map of counts.
 */
export class Deliveries {
  readonly #byRecipient = new Map<string, string | Map<string, number>>();
  #pairs = 0;
  #duplicates = 0;
  #untracked = 0;

  /** Distinct recipient addresses. */
  get uniqueRecipients(): number {
    return this.#byRecipient.size;
  }

  /** Accepted beyond the first per (Message-ID, recipient). Messages without a Message-ID cannot be duplicates. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Accepted after the memory for pairs was full: not in `entries()`, nor known to be duplicates. */
  get untracked(): number {
    return this.#untracked;
  }

  add(messageId: string, recipient: string): void {
    const known = this.#byRecipient.get(recipient);
    if (known === undefined || (typeof known !== 'string' && !known.has(messageId))) {
      this.#addPair(messageId, recipient, known);
      return;
    }
    if (typeof known === 'string') {
      const counts = new Map([[known, 1]]);
      if (known === messageId) {
        this.#countAgain(counts, messageId);
      } else if (!this.#addPair(messageId, recipient, counts)) {
        return;
      }
      this.#byRecipient.set(recipient, counts);
      return;
    }
    this.#countAgain(known, messageId);
  }

  /** How often this pair was accepted. Angle brackets around the Message-ID may be left out. */
  count(messageId: string, recipient: string): number {
    const id = messageId === '' || messageId.startsWith('<') ? messageId : `<${messageId}>`;
    return this.of(recipient).find((delivery) => delivery.messageId === id)?.count ?? 0;
  }

  /** What one recipient got, in the order of first arrival. */
  of(recipient: string): readonly Delivery[] {
    const known = this.#byRecipient.get(recipient);
    if (known === undefined) return [];
    if (typeof known === 'string') return [{ messageId: known, recipient, count: 1 }];
    return [...known].map(([messageId, count]) => ({ messageId, recipient, count }));
  }

  *entries(): Generator<Delivery> {
    for (const recipient of this.#byRecipient.keys()) yield* this.of(recipient);
  }

  #addPair(messageId: string, recipient: string, counts: Map<string, number> | undefined): boolean {
    if (this.#pairs >= MAX_PAIRS) {
      this.#untracked += 1;
      return false;
    }
    this.#pairs += 1;
    if (counts === undefined) this.#byRecipient.set(recipient, messageId);
    else counts.set(messageId, 1);
    return true;
  }

  #countAgain(counts: Map<string, number>, messageId: string): void {
    counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
    if (messageId !== '') this.#duplicates += 1;
  }
}
