import { RateMeter } from '../rate-meter.ts';
import type { BatchFigures, BatchRecord } from './batch.ts';
import { chooseBatch, startOf } from './choose-batch.ts';

/** A batch that is being sent, as the server holds it in memory: a copy of the store's figures and what dispatch adds. */
export class ActiveBatch {
  readonly record: BatchRecord;
  /** The message as JSON, serialised once for all tasks. */
  readonly messageJson: string;
  readonly meter = new RateMeter();
  figures: BatchFigures;
  /** Recipients that a claim under way will lease. */
  claiming = 0;
  /** Account of the fair choice between batches. */
  served = 0;

  constructor(record: BatchRecord) {
    this.record = record;
    this.messageJson = JSON.stringify(record.message);
    this.figures = record;
  }

  get uuid(): string {
    return this.record.uuid;
  }

  /** Recipients that could be leased now. */
  get ready(): number {
    return this.figures.state === 'RUNNING' ? Math.max(0, this.figures.counts.pending - this.claiming) : 0;
  }

  /** Nothing of it will move any more. */
  get over(): boolean {
    return isOver(this.figures);
  }

  /** The record with the figures of now. */
  current(): BatchRecord {
    return { ...this.record, ...this.figures };
  }
}

/** Nothing of such a batch will move any more. */
export function isOver({ state, counts }: Pick<BatchFigures, 'state' | 'counts'>): boolean {
  return state === 'FINISHED' || (state === 'CANCELLED' && counts.leased === 0);
}

export type BatchListener = (batch: ActiveBatch) => void;

/** The batches that this server is sending. */
export class BatchBook {
  readonly #batches = new Map<string, ActiveBatch>();
  readonly #listeners = new Set<BatchListener>();
  readonly #dropListeners = new Set<BatchListener>();

  get(uuid: string): ActiveBatch | undefined {
    return this.#batches.get(uuid);
  }

  all(): Iterable<ActiveBatch> {
    return this.#batches.values();
  }

  /** Takes up a committed batch; one that is over is not kept. */
  takeUp(record: BatchRecord): ActiveBatch {
    const known = this.#batches.get(record.uuid);
    if (known !== undefined) {
      this.update(record.uuid, record);
      return known;
    }
    const batch = new ActiveBatch(record);
    if (batch.over) return batch;
    batch.served = startOf(this.#batches.values());
    this.#batches.set(record.uuid, batch);
    return batch;
  }

  /** The store moved recipients of a batch. One that is over leaves the book, after its listeners have heard of it. */
  update(uuid: string, figures: BatchFigures): void {
    const batch = this.#batches.get(uuid);
    if (batch === undefined) return;
    const { state, counts, maybeSent, secondReports, finishedAt } = figures;
    if (batch.ready === 0 && counts.pending > 0)
      batch.served = Math.max(batch.served, startOf(this.#batches.values()));
    batch.figures = {
      state,
      counts,
      maybeSent,
      secondReports,
      ...(finishedAt === undefined ? {} : { finishedAt }),
    };
    if (batch.over) this.#batches.delete(uuid);
    for (const listener of this.#listeners) listener(batch);
  }

  /** Another server has taken it over: it is no longer this one's. @returns it, if it was here */
  drop(uuid: string): ActiveBatch | undefined {
    const batch = this.#batches.get(uuid);
    if (batch === undefined) return undefined;
    this.#batches.delete(uuid);
    for (const listener of this.#dropListeners) listener(batch);
    return batch;
  }

  /** The next batch to lease from, among those for which `allows` is true. */
  choose(allows: (batch: ActiveBatch) => boolean): ActiveBatch | undefined {
    const candidates = [...this.#batches.values()].filter((batch) => batch.ready > 0 && allows(batch));
    const chosen = chooseBatch(candidates);
    return chosen === undefined ? undefined : this.#batches.get(chosen.uuid);
  }

  /** Recipients ready in the batches for which `counts` is true. */
  ready(counts: (batch: ActiveBatch) => boolean = () => true): number {
    let ready = 0;
    for (const batch of this.#batches.values()) if (batch.ready > 0 && counts(batch)) ready += batch.ready;
    return ready;
  }

  /** Calls back when a batch was dropped. */
  onDrop(listener: BatchListener): () => void {
    this.#dropListeners.add(listener);
    return () => this.#dropListeners.delete(listener);
  }

  onChange(listener: BatchListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
