/** First wait before a lost server is tried again, ms. */
export const BACKOFF_BASE_MS = 250;
/** Longest wait between two tries, ms: a server that is back gets its workers back within seconds. */
export const BACKOFF_CAP_MS = 10_000;

/**
 * How long to wait before try number `attempt` (0: the first after a loss): doubling, with equal jitter, so never below
 * half and never all workers of a server at once. `random` is in [0, 1).
 */
export function backoffMs(
  attempt: number,
  random: number,
  baseMs = BACKOFF_BASE_MS,
  capMs = BACKOFF_CAP_MS,
): number {
  const full = Math.min(baseMs * 2 ** Math.min(attempt, 30), capMs);
  return full / 2 + (full / 2) * random;
}
