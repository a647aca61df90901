import type { Message } from '../../../protocol/index.ts';
import type { BatchRecord } from '../../batches/batch.ts';
import type { BatchDraft, StoredRecipient } from '../../batches/store.ts';
import { StoreError } from '../errors.ts';
import { type Batch, type CommittedBatch, conclude, figuresOf } from './batch.ts';
import type { Tables } from './tables.ts';

/** Recipients removed in one operation: some milliseconds. */
export const REMOVE_SLICE = 5_000;

export interface CommitEnd {
  readonly message: Message;
  readonly total: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly fingerprint: string;
}

/** How a batch comes into the store. While it is open, `total` counts the recipients so far. */
export class Intake {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  open(draft: BatchDraft): void {
    const { uuid, key, name, createdAt } = draft;
    const batch = this.#tables.batches.open({ uuid, key, name, createdAt });
    this.#tables.contents.insert(batch.id, draft.options);
  }

  add(uuid: string, from: number, rows: readonly StoredRecipient[]): void {
    const batch = this.#openBatch(uuid);
    if (from !== batch.counts.total) {
      throw new RangeError(
        `batch ${uuid} has ${batch.counts.total} recipients; the next one cannot be ${from}`,
      );
    }
    this.#tables.batches.change(batch);
    this.#tables.recipients.add(batch.id, from, rows);
    batch.counts.total += rows.length;
  }

  commit(uuid: string, end: CommitEnd): BatchRecord {
    const { batches, contents, spans } = this.#tables;
    const batch = this.#openBatch(uuid);
    if (end.total !== batch.counts.total) {
      throw new RangeError(`batch ${uuid} has ${batch.counts.total} recipients, not ${end.total}`);
    }
    if (batch.key !== undefined && batches.byKey(batch.key) !== undefined) {
      throw new StoreError(
        'KEY_TAKEN',
        `another batch was submitted under the key ${batch.key}; choose another key`,
      );
    }
    batches.change(batch);
    batch.state = 'RUNNING';
    batch.counts.pending = end.total;
    batch.rejected = end.rejected;
    batch.duplicates = end.duplicates;
    contents.setMessage(batch.id, end.message);
    batches.setFingerprint(batch, end.fingerprint);
    if (end.total > 0) spans.add(batch.id, 'pending', [[0, end.total - 1]]);
    conclude(batch, batch.createdAt);
    return recordOf(this.#tables, batch as CommittedBatch, true);
  }

  /** It was committed, and whoever submitted it was told that it was not: it can only be removed, unless it is under way. */
  revoke(uuid: string): void {
    const { batches, spans } = this.#tables;
    const batch = batches.committed(uuid);
    if (batch?.state !== 'RUNNING' || batch.counts.pending !== batch.counts.total) return;
    batches.change(batch);
    spans.take(batch.id, 'pending', batch.counts.total);
    batch.counts.pending = 0;
    (batch as Batch).state = 'DROPPED';
  }

  /** From now on nothing can be added to it, and it can only be removed. False: there is no such open batch. */
  drop(uuid: string): boolean {
    const batch = this.#tables.batches.find(uuid);
    if (batch?.state !== 'OPEN') return false;
    this.#tables.batches.change(batch);
    batch.state = 'DROPPED';
    return true;
  }

  /** Removes the recipients of a dropped batch up to `below`, and with the last of them the batch; true: all is gone. */
  remove(uuid: string, below: number): boolean {
    const batch = this.#tables.batches.find(uuid);
    if (batch?.state !== 'DROPPED') return true;
    this.#tables.recipients.deleteBelow(batch.id, below);
    if (below < batch.counts.total) return false;
    this.#tables.contents.delete(batch.id);
    this.#tables.batches.delete(batch);
    return true;
  }

  #openBatch(uuid: string): Batch {
    const batch = this.#tables.batches.find(uuid);
    if (batch?.state !== 'OPEN') {
      throw new StoreError('BATCH_NOT_OPEN', `batch ${uuid} is not being submitted; submit it anew`);
    }
    return batch;
  }
}

/** A batch with its content. */
export function recordOf(tables: Tables, batch: CommittedBatch, attachments: boolean): BatchRecord {
  const { key, name } = batch;
  return {
    uuid: batch.uuid,
    ...(key === undefined ? {} : { key }),
    ...(name === undefined ? {} : { name }),
    ...tables.contents.get(batch.id, attachments),
    rejected: batch.rejected,
    duplicates: batch.duplicates,
    createdAt: batch.createdAt,
    ...figuresOf(batch),
  };
}
