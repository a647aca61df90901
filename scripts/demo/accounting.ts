/** What the stores say of a batch when it is over. */
export interface StoredBatch {
  readonly id: string;
  readonly submitted: number;
  readonly sent: number;
  readonly failed: number;
  readonly expectedFailed: number;
  readonly unknown: number;
  /** Message-IDs of the recipients marked as maybe sent before. */
  readonly maybeSent: ReadonlySet<string>;
  /** Sequence numbers of the failed. */
  readonly failedSeqs: ReadonlySet<number>;
}

export interface Accounting {
  readonly submitted: number;
  readonly sent: number;
  readonly failed: number;
  readonly expectedFailed: number;
  /** Said to be sent by a store and unknown to the sinks, or in no final state. */
  readonly lost: number;
  /** Copies that the sinks have beyond the first of a mail. */
  readonly duplicated: number;
  /** Of those, copies of mails that the store had marked: may have been sent before. */
  readonly explainedDuplicates: number;
  /** Mails in the sinks that no store says it sent. */
  readonly unaccounted: number;
}

/**
 * Compares what the sinks have received with what the stores say.
 * @param copies how often each Message-ID arrived, over all sinks
 */
export function account(
  batches: readonly StoredBatch[],
  copies: ReadonlyMap<string, number>,
  messageId: (batch: string, seq: number) => string,
): Accounting {
  let lost = 0;
  let duplicated = 0;
  let explainedDuplicates = 0;
  const known = new Set<string>();
  for (const batch of batches) {
    for (let seq = 0; seq < batch.submitted; seq++) {
      const id = messageId(batch.id, seq);
      const count = copies.get(id) ?? 0;
      if (batch.failedSeqs.has(seq)) continue;
      known.add(id);
      if (count === 0) lost++;
      if (count > 1) {
        duplicated += count - 1;
        if (batch.maybeSent.has(id)) explainedDuplicates += count - 1;
      }
    }
  }
  let unaccounted = 0;
  for (const id of copies.keys()) if (!known.has(id)) unaccounted++;
  const sum = (of: (batch: StoredBatch) => number): number =>
    batches.reduce((total, batch) => total + of(batch), 0);
  return {
    submitted: sum((batch) => batch.submitted),
    sent: sum((batch) => batch.sent),
    failed: sum((batch) => batch.failed),
    expectedFailed: sum((batch) => batch.expectedFailed),
    lost: lost + sum((batch) => Math.max(0, batch.submitted - batch.sent - batch.failed - batch.unknown)),
    duplicated,
    explainedDuplicates,
    unaccounted,
  };
}
