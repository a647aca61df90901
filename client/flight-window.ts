/**
 * A bounded number of tasks on their way at once. The first failure (of a task, or told from outside) fails whatever is waited
 * for here, now and later.
 *
 * One thing is waited for at a time. Nothing of what was waited for is kept, as it would be in the reactions of one
 * long-lived promise: a submission of millions waits thousands of times.
 */
export class FlightWindow {
  readonly #limit: number;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #interrupt: ((error: unknown) => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  readonly fail = (error: unknown): void => {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#interrupt?.(error);
  };

  /** Starts a task, and resolves when there is room for the next one. */
  async add(task: () => Promise<void>): Promise<void> {
    const running: Promise<void> = task()
      .catch(this.fail)
      .finally(() => this.#inFlight.delete(running));
    this.#inFlight.add(running);
    if (this.#inFlight.size >= this.#limit) await this.unlessFailed(Promise.race(this.#inFlight));
  }

  /** Resolves when nothing is on its way any more. */
  async drained(): Promise<void> {
    await this.unlessFailed(Promise.all(this.#inFlight));
  }

  /** The outcome of `work`, or the failure if that comes first. */
  async unlessFailed<T>(work: Promise<T>): Promise<T> {
    const outcome = Promise.withResolvers<T>();
    this.#interrupt = outcome.reject;
    if (this.#failure !== undefined) outcome.reject(this.#failure.error);
    work.then(outcome.resolve, outcome.reject);
    try {
      const value = await outcome.promise;
      // A task may have failed in the same moment as the work was done.
      if (this.#failure !== undefined) throw this.#failure.error;
      return value;
    } finally {
      this.#interrupt = undefined;
    }
  }
}
