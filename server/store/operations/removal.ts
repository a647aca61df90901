import { type Intake, REMOVE_SLICE } from './intake.ts';
import type { StoreLogger } from './tidying.ts';

/** Removes batches whose submission was given up, in slices, so that others are not kept waiting. */
export class Removal {
  readonly #write: (run: () => boolean) => Promise<boolean>;
  readonly #intake: Intake;
  readonly #logger: StoreLogger | undefined;
  #stopped = false;

  constructor(
    write: (run: () => boolean) => Promise<boolean>,
    intake: Intake,
    logger: StoreLogger | undefined,
  ) {
    this.#write = write;
    this.#intake = intake;
    this.#logger = logger;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Gives up an open batch: nothing can be added to it any more. False: there is no such batch. */
  giveUp(uuid: string): Promise<boolean> {
    return this.#write(() => this.#intake.drop(uuid));
  }

  /** Gives up an open batch, and removes it. What cannot be removed now is removed later. */
  async drop(uuid: string): Promise<void> {
    if (await this.giveUp(uuid)) await this.quietly(() => this.remove(uuid));
  }

  /** Removes a batch that was given up; what is left when the store stops is removed after the next start. */
  async remove(uuid: string): Promise<void> {
    for (let below = REMOVE_SLICE; !this.#stopped; below += REMOVE_SLICE) {
      const end = below;
      if (await this.#write(() => this.#intake.remove(uuid, end))) return;
    }
  }

  /** Says how many an earlier run of the server had left behind. */
  removed(batches: number): void {
    if (batches > 0) this.#logger?.info({ batches }, 'removed batches that were never committed');
  }

  /** Does what nobody waits for: what fails is said, and tried again at another time. */
  async quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#stopped)
        this.#logger?.warn({ err: error }, 'the store could not tidy up; it tries again later');
    }
  }
}
