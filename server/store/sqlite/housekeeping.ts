import { type Intake, REMOVE_SLICE } from '../operations/intake.ts';
import { REMEMBER_TASKS_MS, type StoreLogger, SWEEP_EVERY_MS } from '../operations/tidying.ts';
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
  readonly #intake: Intake;
  readonly #logger: StoreLogger | undefined;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    commits: GroupCommit,
    tables: Tables,
    intake: Intake,
    options: { readonly logger?: StoreLogger; readonly now: () => number },
  ) {
    this.#commits = commits;
    this.#tables = tables;
    this.#intake = intake;
    this.#logger = options.logger;
    this.#now = options.now;
  }

  /** What a crash left open is listed before anything new can be opened. */
  start(): void {
    const abandoned = this.#tables.batches.abandoned().map(({ uuid }) => uuid);
    this.#timer = setInterval(() => void this.#quietly(() => this.#sweep()), SWEEP_EVERY_MS);
    this.#timer.unref();
    void this.#quietly(async () => {
      for (const uuid of abandoned) {
        await this.#commits.write(() => this.#intake.drop(uuid));
        await this.#remove(uuid);
      }
      if (abandoned.length > 0) {
        this.#logger?.info({ batches: abandoned.length }, 'removed batches that were never committed');
      }
      await this.forgetTasks();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** Gives up an open batch, and removes it. What cannot be removed now is removed later. */
  async drop(uuid: string): Promise<void> {
    if (await this.#commits.write(() => this.#intake.drop(uuid)))
      await this.#quietly(() => this.#remove(uuid));
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
      while (!this.#stopped) {
        const forgotten = await this.#commits.write(() => this.#tables.tasks.forget(id, FORGET_SLICE));
        if (forgotten < FORGET_SLICE) break;
      }
    }
  }

  async #sweep(): Promise<void> {
    const dropped = await this.#commits.read(() =>
      this.#tables.batches.abandoned().filter(({ state }) => state === 'DROPPED'),
    );
    for (const { uuid } of dropped) await this.#remove(uuid);
    await this.forgetTasks();
  }

  /** Removes a dropped batch in slices; what is left when the store stops is removed after the next start. */
  async #remove(uuid: string): Promise<void> {
    for (let below = REMOVE_SLICE; !this.#stopped; below += REMOVE_SLICE) {
      const end = below;
      if (await this.#commits.write(() => this.#intake.remove(uuid, end))) return;
    }
  }

  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#stopped)
        this.#logger?.warn({ err: error }, 'the store could not tidy up; it tries again later');
    }
  }
}
