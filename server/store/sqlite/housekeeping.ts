import type { Removal } from '../operations/removal.ts';
import { REMEMBER_TASKS_MS, SWEEP_EVERY_MS } from '../operations/tidying.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Tables } from './tables.ts';

/** Tasks forgotten in one operation: some milliseconds. */
const FORGET_SLICE = 5_000;

/**
 * Removes, in the background and in slices, what nobody needs any more: batches that were being submitted when the server
 * ended, and the tasks of batches finished long ago.
 */
export class Housekeeping {
  readonly #commits: GroupCommit;
  readonly #tables: Tables;
  readonly #removal: Removal;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(commits: GroupCommit, tables: Tables, removal: Removal, now: () => number) {
    this.#commits = commits;
    this.#tables = tables;
    this.#removal = removal;
    this.#now = now;
  }

  /** What a crash left open is listed before anything new can be opened. */
  start(): void {
    const abandoned = this.#tables.batches.abandoned().map(({ uuid }) => uuid);
    this.#timer = setInterval(() => void this.#removal.quietly(() => this.#sweep()), SWEEP_EVERY_MS);
    this.#timer.unref();
    void this.#removal.quietly(async () => {
      for (const uuid of abandoned) {
        await this.#removal.giveUp(uuid);
        await this.#removal.remove(uuid);
      }
      this.#removal.removed(abandoned.length);
      await this.forgetTasks();
    });
  }

  stop(): void {
    this.#removal.stop();
    clearInterval(this.#timer);
  }

  /** Tasks of batches that have been finished for long. */
  async forgetTasks(): Promise<void> {
    const before = this.#now() - REMEMBER_TASKS_MS;
    const over = await this.#commits.read(() =>
      [...this.#tables.tasks.batches()].filter(
        (id) => (this.#tables.batches.byId(id).finishedAt ?? Infinity) < before,
      ),
    );
    for (const id of over) {
      while (!this.#removal.isStopped) {
        const forgotten = await this.#commits.write(() => this.#tables.tasks.forget(id, FORGET_SLICE));
        if (forgotten < FORGET_SLICE) break;
      }
    }
  }

  async #sweep(): Promise<void> {
    const dropped = await this.#commits.read(() =>
      this.#tables.batches.abandoned().filter(({ state }) => state === 'DROPPED'),
    );
    for (const { uuid } of dropped) await this.#removal.remove(uuid);
    await this.forgetTasks();
  }
}
