import type { StoredBatch } from './stored.ts';

/** What was submitted and acknowledged. */
export interface AcknowledgedBatch {
  readonly id: string;
  readonly total: number;
}

export interface Evidence {
  readonly acknowledged: readonly AcknowledgedBatch[];
  /** From all stores. */
  readonly stored: readonly StoredBatch[];
  /** How often each Message-ID was accepted, over all sinks. */
  readonly copies: ReadonlyMap<string, number>;
  readonly messageId: (batch: string, seq: number) => string;
  /** Whether the sinks refuse this address for good. */
  readonly isRefused: (address: string) => boolean;
}

export interface Verdict {
  readonly sent: number;
  readonly failed: number;
  readonly unknown: number;
  /** Acknowledged, and neither in a sink, nor refused for good, nor known as unknown. */
  readonly lost: number;
  /** Copies beyond the first of a mail. */
  readonly duplicates: number;
  /** Of those, copies for which the mail's store has no row that tells how they may have come about. */
  readonly unexplainedDuplicates: number;
  /** Every rule that was broken, for people. */
  readonly violations: readonly string[];
}

/** Cases of one kind that are told one by one. */
const MAX_NAMED = 5;

/** Compares what the sinks have with what the stores say, recipient by recipient. */
export function judge({ acknowledged, stored, copies, messageId, isRefused }: Evidence): Verdict {
  const found = new Findings();
  const byId = new Map(stored.map((batch) => [batch.id, batch]));
  const known = new Set<string>();
  let [sent, failed, unknown, lost, duplicates, unexplained] = [0, 0, 0, 0, 0, 0];
  for (const { id, total } of acknowledged) {
    const batch = byId.get(id);
    if (batch !== undefined && batch.total === total) continue;
    lost += total - (batch?.total ?? 0);
    found.add('an acknowledged batch is not in its store, or not whole', id);
  }
  for (const batch of stored) {
    const { id, total, unfinished } = batch;
    if (!acknowledged.some((one) => one.id === id))
      found.add('a store has a batch that nobody submitted', id);
    for (const problem of batch.problems)
      found.add('the rows of a store contradict each other', `${id}: ${problem}`);
    if (unfinished > 0) found.add('a batch is not finished', `${id}: ${unfinished} of ${total}`);
    lost += unfinished;
    sent += batch.sent;
    failed += batch.failed.size;
    unknown += batch.unknown.size;
    for (let seq = 0; seq < total; seq++) {
      const message = messageId(id, seq);
      const count = copies.get(message) ?? 0;
      const possible = batch.possibleDuplicates.get(seq) ?? 0;
      const failedAddress = batch.failed.get(seq);
      known.add(message);
      duplicates += Math.max(0, count - 1);
      if (count - 1 > possible) {
        unexplained += count - 1 - possible;
        found.add(
          'a mail is out more often than its store knows',
          `${message}: ${count} copies, ${possible} possible duplicates`,
        );
      }
      if (failedAddress !== undefined) {
        if (count > 0 && possible === 0)
          found.add('a mail is out, and its store says that it failed', message);
        if (count === 0 && !isRefused(failedAddress)) {
          lost++;
          found.add('a recipient failed whom no relay refuses', `${message} to ${failedAddress}`);
        }
      } else if (count === 0 && unfinished === 0 && !batch.unknown.has(seq)) {
        lost++;
        found.add('a store says of a mail that it was sent, and no relay has it', message);
      }
    }
  }
  for (const message of copies.keys())
    if (!known.has(message)) found.add('a relay has a mail that no store knows', message);
  return {
    ...{ sent, failed, unknown, lost, duplicates },
    unexplainedDuplicates: unexplained,
    violations: found.told(),
  };
}

/** What was found, by the rule that is broken: a few cases of each, and their number. */
class Findings {
  readonly #cases = new Map<string, string[]>();

  add(rule: string, what: string): void {
    const cases = this.#cases.get(rule);
    if (cases === undefined) this.#cases.set(rule, [what]);
    else cases.push(what);
  }

  told(): string[] {
    return [...this.#cases].map(([rule, cases]) => {
      const more = cases.length > MAX_NAMED ? `, and ${cases.length - MAX_NAMED} more` : '';
      return `${rule}: ${cases.slice(0, MAX_NAMED).join('; ')}${more}`;
    });
  }
}
