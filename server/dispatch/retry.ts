import type { ResolvedOptions } from '../batches/batch.ts';
import { isExpired } from '../batches/expiry.ts';

/**
 * When a recipient is tried again (DESIGN §5.8): base × 2ⁿ with equal jitter (never below half), capped.
 * @param attempts attempts charged so far, this one included
 * @param random 0 ≤ random < 1
 * @returns ms
 */
export function retryDelay(attempts: number, options: ResolvedOptions, random: number): number {
  const doubled = options.retryBaseMs * 2 ** Math.min(Math.max(attempts - 1, 0), 40);
  const delay = Math.min(doubled, options.retryCapMs);
  return Math.round(delay / 2 + (delay / 2) * random);
}

/** Whether a recipient whose next try would be at `dueAt` is given up, for its batch was submitted too long ago or will have expired. */
export function givesUp(createdAt: number, dueAt: number, options: ResolvedOptions): boolean {
  return dueAt > createdAt + options.retryForMs || isExpired(options, dueAt);
}
