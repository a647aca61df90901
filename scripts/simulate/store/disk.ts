import type { SeqRange, SeqRanges } from '../../../protocol/index.ts';
import type { BatchRecord } from '../../../server/batches/batch.ts';
import type {
  BatchDraft,
  ListedState,
  RecipientDetail,
  StoredRecipient,
} from '../../../server/batches/store.ts';
import type { Lease } from '../../../server/dispatch/store.ts';
import type { InstanceRecord } from '../../../server/instance/store.ts';
import type { LoanRecord } from '../../../server/mesh/store.ts';
import type { NaiveBatch } from './naive-batch.ts';

/** A batch that is being submitted: nobody sees it. */
export interface OpenBatch {
  readonly draft: BatchDraft;
  readonly rows: StoredRecipient[];
}

/** A committed batch: what was submitted, and what has become of it. */
export interface CommittedBatch {
  readonly record: Pick<
    BatchRecord,
    'uuid' | 'key' | 'name' | 'message' | 'options' | 'rejected' | 'duplicates' | 'createdAt'
  >;
  readonly fingerprint: string;
  readonly rows: readonly StoredRecipient[];
  readonly model: NaiveBatch;
}

/** What is committed: all of it survives the end of a process, and nothing else does. */
export class Disk {
  readonly open = new Map<string, OpenBatch>();
  /** Oldest first. */
  readonly batches = new Map<string, CommittedBatch>();
  readonly batchOfTask = new Map<string, CommittedBatch>();
  readonly loans = new Map<string, LoanRecord>();
  totals = { made: 0, returned: 0, lost: 0 };
  instance: InstanceRecord | undefined;
  /** Told of every batch when it is committed. */
  onCommitted: (batch: CommittedBatch) => void = () => {};

  leases(): Lease[] {
    const out: Lease[] = [];
    for (const [task, { record, model }] of this.batchOfTask) {
      const remaining = runsOf(model.remaining(task));
      if (remaining.length === 0) continue;
      const { worker, relay, claimedAt } = model.taskNamed(task);
      out.push({ task, batch: record.uuid, worker, relay, remaining, claimedAt });
    }
    return out;
  }

  byKey(key: string): { uuid: string; fingerprint: string } | undefined {
    for (const { record, fingerprint } of this.batches.values()) {
      if (record.key === key) return { uuid: record.uuid, fingerprint };
    }
    return undefined;
  }
}

export function recordOf({ record, model }: CommittedBatch): BatchRecord {
  return { ...record, ...model.figures };
}

export function detailsOf(
  { model, rows }: CommittedBatch,
  state: ListedState,
  after: number,
  limit: number,
): RecipientDetail[] {
  const listed = model.list(state).filter(({ seq }) => seq > after);
  return listed.slice(0, limit).map((one) => {
    const { note } = model.recipients[one.seq] as (typeof model.recipients)[number];
    return { ...one, ...defined(note), address: (rows[one.seq] as StoredRecipient).address };
  });
}

/** Seqs in their order, as ranges: a new one begins wherever the next seq does not follow. */
export function runsOf(seqs: readonly number[]): SeqRanges {
  const runs: [number, number][] = [];
  for (const seq of seqs) {
    const last = runs.at(-1);
    if (last !== undefined && seq === last[1] + 1) last[1] = seq;
    else runs.push([seq, seq]);
  }
  return runs satisfies SeqRange[];
}

/** Without the keys that have no value. */
export function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
