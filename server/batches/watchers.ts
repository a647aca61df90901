import type { SetTimer } from '../timers.ts';
import type { BatchRecord } from './batch.ts';
import type { ActiveBatch, BatchBook } from './batch-book.ts';

/** How often a watcher hears of a batch at most, unless it asks otherwise, ms. */
const DEFAULT_EVERY_MS = 500;
/** While nothing changes a watcher still hears of its batch this often, ms: the time left and the reason for waiting change. */
const QUIET_MS = 2_000;

interface Watcher {
  readonly batch: string;
  readonly everyMs: number;
  readonly tell: (record: BatchRecord, over: boolean) => void;
  lastAt: number;
  cancel: (() => void) | undefined;
}

export interface WatchersTime {
  readonly monotonic: () => number;
  readonly setTimer: SetTimer;
}

/** Tells those who watch a batch how far it is: at once, then at most every so often, and for certain when it is over. */
export class Watchers {
  readonly #book: BatchBook;
  readonly #time: WatchersTime;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #unsubscribe: () => void;

  constructor(book: BatchBook, time: WatchersTime) {
    this.#book = book;
    this.#time = time;
    this.#unsubscribe = book.onChange((batch) => this.#changed(batch));
  }

  /** @returns what ends the watch. */
  watch(record: BatchRecord, tell: Watcher['tell'], everyMs = DEFAULT_EVERY_MS): () => void {
    const batch = this.#book.get(record.uuid);
    if (batch === undefined) {
      tell(record, true);
      return () => {};
    }
    const watcher: Watcher = { batch: record.uuid, everyMs, tell, lastAt: 0, cancel: undefined };
    const group = this.#watchers.get(record.uuid) ?? new Set();
    this.#watchers.set(record.uuid, group.add(watcher));
    this.#tell(watcher, batch);
    return () => this.#end(watcher);
  }

  stop(): void {
    this.#unsubscribe();
    for (const group of this.#watchers.values()) for (const watcher of group) this.#end(watcher);
  }

  #changed(batch: ActiveBatch): void {
    for (const watcher of this.#watchers.get(batch.uuid) ?? []) {
      if (batch.over) this.#tell(watcher, batch);
      else this.#tellLater(watcher, watcher.lastAt + watcher.everyMs - this.#time.monotonic());
    }
  }

  #tellLater(watcher: Watcher, inMs: number): void {
    watcher.cancel?.();
    watcher.cancel = this.#time.setTimer(
      () => {
        const batch = this.#book.get(watcher.batch);
        if (batch !== undefined) this.#tell(watcher, batch);
      },
      Math.max(0, inMs),
    );
  }

  #tell(watcher: Watcher, batch: ActiveBatch): void {
    watcher.lastAt = this.#time.monotonic();
    watcher.tell(batch.current(), batch.over);
    if (batch.over) this.#end(watcher);
    else this.#tellLater(watcher, QUIET_MS);
  }

  #end(watcher: Watcher): void {
    watcher.cancel?.();
    const group = this.#watchers.get(watcher.batch);
    group?.delete(watcher);
    if (group?.size === 0) this.#watchers.delete(watcher.batch);
  }
}
