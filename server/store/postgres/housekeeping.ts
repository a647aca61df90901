import { type Intake, REMOVE_SLICE } from '../operations/intake.ts';
import { REMEMBER_TASKS_MS, type StoreLogger, SWEEP_EVERY_MS } from '../operations/tidying.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Mailbox } from './mailbox.ts';
import type { Reader } from './reader.ts';

/** Tasks forgotten in one statement: some milliseconds. */
const FORGET_SLICE = 5_000;

/**
 * Removes, in the background and in slices, what nobody needs any more: batches of this server whose submission was broken off,
 * the tasks of its batches finished long ago, and requests that nobody waits for.
 */
export class Housekeeping {
  readonly #commits: GroupCommit;
  readonly #reader: Reader;
  readonly #intake: Intake;
  readonly #mailbox: Mailbox;
  readonly #server: () => string | undefined;
  readonly #logger: StoreLogger | undefined;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: {
    readonly commits: GroupCommit;
    readonly reader: Reader;
    readonly intake: Intake;
    readonly mailbox: Mailbox;
    readonly server: () => string | undefined;
    readonly logger: StoreLogger | undefined;
    readonly now: () => number;
  }) {
    this.#commits = parts.commits;
    this.#reader = parts.reader;
    this.#intake = parts.intake;
    this.#mailbox = parts.mailbox;
    this.#server = parts.server;
    this.#logger = parts.logger;
    this.#now = parts.now;
  }

  /** What an earlier run of this server left open can no longer be added to, when this resolves. */
  async start(): Promise<void> {
    const left = await this.#unfinishedSubmissions();
    for (const uuid of left) await this.#commits.write(() => this.#intake.drop(uuid));
    this.#timer = setInterval(() => void this.#quietly(() => this.#sweep()), SWEEP_EVERY_MS);
    this.#timer.unref();
    void this.#quietly(async () => {
      for (const uuid of left) await this.#remove(uuid);
      if (left.length > 0) {
        this.#logger?.info({ batches: left.length }, 'removed batches that were never committed');
      }
      await this.#sweep();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** Gives up an open batch, and removes it. What cannot be removed now is removed later. */
  async drop(uuid: string): Promise<void> {
    if (await this.#commits.write(() => this.#intake.drop(uuid))) {
      await this.#quietly(() => this.#remove(uuid));
    }
  }

  /** The same for what was being submitted to a server that is gone, in the background. */
  dropAll(batches: readonly string[]): void {
    void this.#quietly(async () => {
      for (const uuid of batches) {
        await this.#commits.write(() => this.#intake.drop(uuid));
        await this.#remove(uuid);
      }
    });
  }

  /** Every task of batches that have been finished for long. */
  async forgetTasks(): Promise<void> {
    for (;;) {
      const rows = await this.#reader.rows(
        `DELETE FROM mutirao.task WHERE uuid IN (
           SELECT t.uuid FROM mutirao.batch b JOIN mutirao.task t ON t.batch = b.id
           WHERE b.owner = $1 AND b.finished_at < $2 AND t.live = 0 LIMIT $3)
         RETURNING uuid`,
        [this.#server(), this.#now() - REMEMBER_TASKS_MS, FORGET_SLICE],
      );
      if (rows.length < FORGET_SLICE || this.#stopped) return;
    }
  }

  async #sweep(): Promise<void> {
    const rows = await this.#reader.rows<{ uuid: string }>(
      `SELECT uuid FROM mutirao.batch WHERE owner = $1 AND finished_at IS NULL AND state = 'DROPPED'`,
      [this.#server()],
    );
    for (const { uuid } of rows) await this.#remove(uuid);
    await this.forgetTasks();
    await this.#mailbox.forgetOld();
  }

  async #unfinishedSubmissions(): Promise<string[]> {
    const rows = await this.#reader.rows<{ uuid: string }>(
      `SELECT uuid FROM mutirao.batch WHERE owner = $1 AND finished_at IS NULL AND state IN ('OPEN', 'DROPPED')`,
      [this.#server()],
    );
    return rows.map(({ uuid }) => uuid);
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
