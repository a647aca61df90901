import type { SetTimer } from '../timers.ts';
import type { BatchFigures, BatchRecord } from './batch.ts';
import { type ActiveBatch, type BatchBook, isOver } from './batch-book.ts';

/** How often a watcher hears of a batch at most, unless it asks otherwise, ms. */
const DEFAULT_EVERY_MS = 500;
/** While nothing changes a watcher still hears of its batch this often, ms: the time left and the reason for waiting change. */
const QUIET_MS = 2_000;

/** A batch that another server has is looked at so often, ms, while somebody watches it. */
const LOOK_EVERY_MS = 1_000;

interface Watcher {
  readonly batch: string;
  /** What was known of it when the watch began; its figures are those told last. */
  record: BatchRecord;
  readonly everyMs: number;
  readonly tell: (record: BatchRecord, over: boolean) => void;
  lastAt: number;
  cancel: (() => void) | undefined;
}

/** Figures of any batch, also of other servers. */
export type ReadFigures = (batch: string) => Promise<BatchFigures | undefined>;

export interface WatchersTime {
  readonly monotonic: () => number;
  readonly setTimer: SetTimer;
}

/**
 * Tells those who watch a batch how far it is: at once, then at most every so often, and for certain when it is over. A batch of this
 * server tells of its changes itself; that of another one is looked at now and then. A watch goes on when the batch changes hands.
 */
export class Watchers {
  readonly #book: BatchBook;
  readonly #time: WatchersTime;
  readonly #figures: ReadFigures | undefined;
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Looks that are under way or were just made, so that all who watch a batch share them. */
  readonly #looks = new Map<string, { readonly at: number; readonly figures: ReturnType<ReadFigures> }>();
  readonly #unsubscribe: readonly (() => void)[];

  /** @param figures absent: a batch that is not in the book is over */
  constructor(book: BatchBook, time: WatchersTime, figures?: ReadFigures) {
    this.#book = book;
    this.#time = time;
    this.#figures = figures;
    this.#unsubscribe = [
      book.onChange((batch) => this.#changed(batch)),
      book.onDrop(({ uuid }) => {
        for (const watcher of this.#watchers.get(uuid) ?? []) this.#tellLater(watcher, 0);
      }),
    ];
  }

  /** @returns what ends the watch. */
  watch(record: BatchRecord, tell: Watcher['tell'], everyMs = DEFAULT_EVERY_MS): () => void {
    const batch = this.#book.get(record.uuid);
    if (batch === undefined && (this.#figures === undefined || isOver(record))) {
      tell(record, true);
      return () => {};
    }
    const watcher: Watcher = { batch: record.uuid, record, everyMs, tell, lastAt: 0, cancel: undefined };
    const group = this.#watchers.get(record.uuid) ?? new Set();
    this.#watchers.set(record.uuid, group.add(watcher));
    if (batch !== undefined) this.#tell(watcher, batch);
    else this.#tellLater(watcher, 0);
    return () => this.#end(watcher);
  }

  stop(): void {
    for (const end of this.#unsubscribe) end();
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
        else void this.#look(watcher);
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

  /** Looks how far a batch of another server is. */
  async #look(watcher: Watcher): Promise<void> {
    const figures = await this.#figuresOf(watcher.batch).catch(() => undefined);
    const isWatched = this.#watchers.get(watcher.batch)?.has(watcher) === true;
    if (!isWatched || this.#book.get(watcher.batch) !== undefined) return;
    if (figures === undefined) {
      this.#tellLater(watcher, LOOK_EVERY_MS);
      return;
    }
    watcher.record = { ...watcher.record, finishedAt: undefined, ...figures };
    watcher.lastAt = this.#time.monotonic();
    const over = isOver(figures);
    watcher.tell(watcher.record, over);
    if (over) this.#end(watcher);
    else this.#tellLater(watcher, LOOK_EVERY_MS);
  }

  #figuresOf(batch: string): ReturnType<ReadFigures> {
    const now = this.#time.monotonic();
    const last = this.#looks.get(batch);
    if (last !== undefined && now - last.at < LOOK_EVERY_MS / 2) return last.figures;
    const figures = this.#figures?.(batch) ?? Promise.resolve(undefined);
    this.#looks.set(batch, { at: now, figures });
    return figures;
  }

  #end(watcher: Watcher): void {
    watcher.cancel?.();
    const group = this.#watchers.get(watcher.batch);
    group?.delete(watcher);
    if (group?.size !== 0) return;
    this.#watchers.delete(watcher.batch);
    this.#looks.delete(watcher.batch);
  }
}
