import { setTimeout as sleep } from 'node:timers/promises';

/** First pause before connecting again, ms. */
const FIRST_PAUSE_MS = 250;
/** Longest pause, ms: a server that is back is found within this time. */
const LONGEST_PAUSE_MS = 10_000;

/** The pause before attempt `attempt` (from 1), ms: doubling, with equal jitter so that many clients do not come at once. */
export function pauseMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  return full / 2 + (random() * full) / 2;
}

/** Waits; an aborted signal ends it at once with the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
