import { z } from 'zod';
import { BatchInfo } from '../protocol/index.ts';
import { pause, pauseMs } from './backoff.ts';
import { type Batch, batchOf, isOver } from './batch.ts';
import { MutiraoError } from './errors.ts';
import type { Link } from './link.ts';

/** How long a watch looks for a server that has gone before it gives up, ms. */
const GIVE_UP_AFTER_MS = 15 * 60 * 1000;

export interface WatchOptions {
  /** Shortest time between two events, ms; 500 unless given, at least 50. */
  readonly everyMs?: number;
  /** How long to look for a server that has gone, ms; 15 minutes unless given. */
  readonly giveUpAfterMs?: number;
  readonly signal?: AbortSignal;
  /** The server is gone; the watch goes on by itself. Once per interruption. */
  readonly onInterrupted?: (error: MutiraoError) => void;
}

/** An event of a watch, or the answer that some servers give to WATCH: the batch as it is. */
const WithBatch = z.object({ BATCH: BatchInfo });

/**
 * Follows a batch to its end: connects, asks for WATCH, yields what comes (only the newest when the reader is slower), and
 * when the connection is lost does it again after a pause. Ends with the batch.
 */
export async function* watchBatch(
  open: (signal?: AbortSignal) => Promise<Link>,
  batch: string,
  options: WatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  const { signal, giveUpAfterMs = GIVE_UP_AFTER_MS } = options;
  let attempt = 0;
  let goneSince: number | undefined;
  for (;;) {
    try {
      for await (const progress of watchOnce(open, batch, options)) {
        attempt = 0;
        goneSince = undefined;
        yield progress;
        if (isOver(progress)) return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof MutiraoError) || !error.retry) throw error;
      if (goneSince === undefined) options.onInterrupted?.(error);
      goneSince ??= performance.now();
      if (performance.now() - goneSince >= giveUpAfterMs) throw error;
    }
    await pause(pauseMs(++attempt), signal);
  }
}

/** Until the batch ends or the connection does. */
async function* watchOnce(
  open: (signal?: AbortSignal) => Promise<Link>,
  batch: string,
  { everyMs, signal }: WatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  const link = await open(signal);
  let newest: Batch | undefined;
  let end: { readonly error: unknown } | undefined;
  let wake: () => void = () => {};
  const take = (message: unknown) => {
    const parsed = WithBatch.safeParse(message);
    if (!parsed.success || parsed.data.BATCH.BATCH_UUID !== batch) return;
    newest = batchOf(parsed.data.BATCH);
    wake();
  };
  const stop = (error: unknown) => {
    end ??= { error };
    wake();
  };
  const abort = () => stop(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  link.listen(take, stop);
  link.ask({ CLIENT: 'WATCH', BATCH_UUID: batch, EVERY_MS: everyMs }, z.unknown()).then(take, stop);
  try {
    for (;;) {
      if (newest !== undefined) {
        const progress: Batch = newest;
        newest = undefined;
        yield progress;
      } else if (end !== undefined) {
        throw end.error;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    void link.close();
  }
}
