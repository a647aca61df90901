import type { SeqRanges } from '../../../protocol/index.ts';

/** A task as the operations of one group change it. */
export interface Task {
  readonly uuid: string;
  readonly batch: number;
  readonly worker: string;
  readonly relay: string;
  readonly claimedAt: number;
  /** Leased recipients with a row in `history`, sorted. In the task's order they come before the fresh ones. */
  again: SeqRanges;
  /** Leased recipients that were never tried before, sorted. */
  fresh: SeqRanges;
  /** Those it had and no longer has, without those it reported as sent: a late `sent` of them is news. Sorted. */
  gone: SeqRanges;
}

/** A task is out while it has recipients. */
export function isLive(task: Task): boolean {
  return task.again.length > 0 || task.fresh.length > 0;
}
