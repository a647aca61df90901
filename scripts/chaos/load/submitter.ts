import { setTimeout as sleep } from 'node:timers/promises';
import { type Batch, isOver, type MutiraoClient, MutiraoError } from '../../../client/index.ts';
import type { PlannedBatch } from './batches.ts';

/** Between two attempts to submit, ms. */
const AGAIN_AFTER_MS = 200;

/** A batch that is being submitted, or was. */
export class Submitting {
  readonly planned: PlannedBatch;
  readonly #client: MutiraoClient;
  #id: string | undefined;
  #latest: Batch | undefined;
  #isOver = false;
  #attempts = 0;

  constructor(planned: PlannedBatch, client: MutiraoClient) {
    this.planned = planned;
    this.#client = client;
  }

  /** Undefined until the server has acknowledged it. */
  get id(): string | undefined {
    return this.#id;
  }

  /** What was last heard of it. */
  get latest(): Batch | undefined {
    return this.#latest;
  }

  /** Its watch has told that it is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /**
   * Submits it, as often as needed, under its key, and then watches it to its end, over one watch.
   * @throws MutiraoError that trying again does not help; whatever the signal is aborted with
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#id = await this.#submit(signal);
    for await (const batch of this.#client.watch(this.#id, { everyMs: 250, signal })) {
      this.#latest = batch;
      this.#isOver = isOver(batch);
    }
  }

  async #submit(signal: AbortSignal): Promise<string> {
    const { submission, rows } = this.planned;
    for (;;) {
      this.#attempts++;
      try {
        const { batch, accepted } = await this.#client.submit(submission, rows, { signal, attempts: 1 });
        if (accepted !== rows.length)
          throw new Error(`${submission.name}: ${accepted} of ${rows.length} recipients were accepted`);
        return batch;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof MutiraoError) || !error.retry) throw error;
      }
      await sleep(AGAIN_AFTER_MS, undefined, { signal });
    }
  }
}
