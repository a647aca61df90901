import type { Removal } from '../operations/removal.ts';
import { REMEMBER_TASKS_MS, SWEEP_EVERY_MS } from '../operations/tidying.ts';
import type { Mailbox } from './mailbox.ts';
import type { Reader } from './reader.ts';

/** Tasks forgotten in one statement: some milliseconds. */
const FORGET_SLICE = 5_000;

/**
 * Removes, in the background and in slices, what nobody needs any more: batches of this server whose submission was broken off,
 * the tasks of its batches finished long ago, and requests that nobody waits for.
 */
export class Housekeeping {
  readonly #removal: Removal;
  readonly #reader: Reader;
  readonly #mailbox: Mailbox;
  readonly #server: () => string | undefined;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: {
    readonly removal: Removal;
    readonly reader: Reader;
    readonly mailbox: Mailbox;
    readonly server: () => string | undefined;
    readonly now: () => number;
  }) {
    this.#removal = parts.removal;
    this.#reader = parts.reader;
    this.#mailbox = parts.mailbox;
    this.#server = parts.server;
    this.#now = parts.now;
  }

  /** What an earlier run of this server left open can no longer be added to, when this resolves. */
  async start(): Promise<void> {
    const left = await this.#unfinishedSubmissions();
    for (const uuid of left) await this.#removal.giveUp(uuid);
    this.#timer = setInterval(() => void this.#removal.quietly(() => this.#sweep()), SWEEP_EVERY_MS);
    this.#timer.unref();
    void this.#removal.quietly(async () => {
      for (const uuid of left) await this.#removal.remove(uuid);
      this.#removal.removed(left.length);
      await this.#sweep();
    });
  }

  stop(): void {
    this.#removal.stop();
    clearInterval(this.#timer);
  }

  /** Gives up and removes, in the background, what was being submitted to a server that is gone. */
  dropAll(batches: readonly string[]): void {
    void this.#removal.quietly(async () => {
      for (const uuid of batches) {
        await this.#removal.giveUp(uuid);
        await this.#removal.remove(uuid);
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
      if (rows.length < FORGET_SLICE || this.#removal.isStopped) return;
    }
  }

  async #sweep(): Promise<void> {
    const rows = await this.#reader.rows<{ uuid: string }>(
      `SELECT uuid FROM mutirao.batch WHERE owner = $1 AND finished_at IS NULL AND state = 'DROPPED'`,
      [this.#server()],
    );
    for (const { uuid } of rows) await this.#removal.remove(uuid);
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
}
