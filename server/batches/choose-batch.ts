/** What the choice of the next batch looks at. */
export interface BatchCandidate {
  readonly uuid: string;
  /** Recipients that could be leased now. */
  readonly ready: number;
  /** Recipients leased so far since the server took the batch up, plus where it started (see `startOf`). */
  readonly served: number;
}

/**
 * The batch that has been served least: start-time fair queueing with equal weights, so a small batch is not stuck
 * behind a huge one, and each of n batches gets an nth of the workers' time.
 */
export function chooseBatch(candidates: Iterable<BatchCandidate>): BatchCandidate | undefined {
  let best: BatchCandidate | undefined;
  for (const candidate of candidates) {
    if (candidate.ready > 0 && (best === undefined || candidate.served < best.served)) best = candidate;
  }
  return best;
}

/** Where the account of a batch that gets ready starts: level with the least served, so that it neither waits nor takes over. */
export function startOf(others: Iterable<BatchCandidate>): number {
  let least: number | undefined;
  for (const other of others) {
    if (other.ready > 0 && (least === undefined || other.served < least)) least = other.served;
  }
  return least ?? 0;
}
