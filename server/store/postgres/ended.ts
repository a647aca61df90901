import { setTimeout as wait } from 'node:timers/promises';

/** A connection that is not closed in order by then is left to itself, ms: its other end may be gone. */
const END_WITHIN_MS = 2_000;

/** Waits for the end of a connection, not for ever, and whatever it says. */
export async function ended(end: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const late = wait(END_WITHIN_MS, undefined, { signal: timer.signal, ref: false });
  await Promise.race([end, late]).catch(() => {});
  timer.abort();
  await late.catch(() => {});
}
