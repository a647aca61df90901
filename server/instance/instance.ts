import type { Logger } from '../../logging/index.ts';
import type { BatchStore } from '../batches/store.ts';
import { type Doubt, doubtAbout } from './policy.ts';
import type { InstanceStore } from './store.ts';
import { readWitness, writeWitness } from './witness.ts';

type Store = InstanceStore & Pick<BatchStore, 'unfinishedBatches' | 'pauseBatch'>;

export interface InstanceOptions {
  readonly store: Store;
  /** Data folder. */
  readonly folder: string;
  readonly host: string | undefined;
  readonly acceptCopy: boolean;
  /** 0: never. */
  readonly staleAfterMs: number;
  readonly logger: Logger;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** One run of a server on its store. Begin it before anything of the store is sent. */
export class Instance {
  readonly epoch: number;
  /** Why batches were paused at the start. */
  readonly doubt: Doubt | undefined;
  /** Batches that the start has paused, and that nobody is known to have touched since. */
  readonly #paused: Set<string>;
  readonly #options: InstanceOptions;

  private constructor(
    options: InstanceOptions,
    start: { epoch: number; doubt: Doubt | undefined; paused: readonly string[] },
  ) {
    this.#options = options;
    this.epoch = start.epoch;
    this.doubt = start.doubt;
    this.#paused = new Set(start.paused);
    writeWitness(options.folder, { epoch: start.epoch, aliveAt: options.now() });
  }

  /**
   * Looks whether the store is where the last run left it, pauses its batches if not, and only then says that it is here now: a start
   * that ends in between finds the same again. @throws StoreError
   */
  static async begin(options: InstanceOptions): Promise<Instance> {
    const { store, folder, host, logger, now } = options;
    const last = await store.lastInstance();
    const facts = { last, witness: readWitness(folder), place: store.place(), host, now: now() };
    const doubt = doubtAbout({ ...facts, ...options, now: facts.now });
    const paused = doubt === undefined ? [] : await pauseAll(store);
    const epoch = await store.beginInstance(host, now());
    if (doubt !== undefined) {
      const shown = {
        why: doubt.code,
        batches: paused.length,
        epoch,
        before: last?.place.path,
        now: facts.place.path,
      };
      if (paused.length > 0) logger.warn(shown, pausedText(doubt, paused.length));
      else logger.info(shown, doubt.text);
    }
    return new Instance(options, { epoch, doubt, paused });
  }

  /** What to say while batches are left that the start has paused; undefined: none is. */
  stillPaused(isPaused: (batch: string) => boolean): string | undefined {
    if (this.doubt === undefined) return undefined;
    for (const batch of this.#paused) if (!isPaused(batch)) this.#paused.delete(batch);
    return this.#paused.size === 0 ? undefined : pausedText(this.doubt, this.#paused.size);
  }

  /** Says that this run goes on. @throws StoreError when the store cannot write */
  async touch(): Promise<void> {
    const { store, folder, now } = this.#options;
    const aliveAt = now();
    await store.touchInstance(aliveAt);
    writeWitness(folder, { epoch: this.epoch, aliveAt });
  }
}

/** What happened and what to do, for people. */
export function pausedText(doubt: Doubt, batches: number): string {
  const what = batches === 1 ? '1 batch is paused' : `${batches} batches are paused`;
  const accept = doubt.code === 'STALE' ? '--stale-after' : '--accept-copy';
  return `${doubt.text}. ${what}: look at them with "mutirao status", then "mutirao resume BATCH", "mutirao resume --all" or "mutirao cancel BATCH" (${accept} lets a start go on by itself)`;
}

async function pauseAll(store: Store): Promise<string[]> {
  const running = (await store.unfinishedBatches()).filter(({ state }) => state === 'RUNNING');
  for (const { uuid } of running) await store.pauseBatch(uuid);
  return running.map(({ uuid }) => uuid);
}
