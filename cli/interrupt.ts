/** Ctrl-C, as an error that commands can tell from others. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  readonly code = 'INTERRUPTED';
}

/** Turns the first SIGINT or SIGTERM into an abort while `work` runs; a second one ends the process as usual. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const release = () => {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  };
  const interrupt = () => {
    stop.abort(new InterruptedError('interrupted'));
    // Not at once: what keeps the terminal tidy (log-update) ends the process when it finds itself to be the only listener.
    setImmediate(release);
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    return await work(stop.signal);
  } finally {
    release();
  }
}
