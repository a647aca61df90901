import type { ResolvedOptions } from '../../../server/batches/batch.ts';
import type { StoredRecipient } from '../../../server/batches/store.ts';
import type { Claim, Outcome, Settled, Settlement } from '../../../server/dispatch/store.ts';
import type { Store } from '../../../server/store/store.ts';

/** One set of data, and stores on it. A backend provides it; the contract suite runs on it. */
export interface StoreFixture {
  /** A store on this data, not started. At most one is open at a time. */
  open(): Store;
  /** Has every write of this store fail for want of storage until `work` is over. */
  failing(store: Store, work: () => Promise<void>): Promise<void>;
  /** Removes the data. */
  dispose(): Promise<void>;
}

/** What the cases of the contract work with. */
export interface Subject {
  readonly store: Store;
  readonly fixture: StoreFixture;
  /** Closes the store and opens another one on the same data. */
  reopen(): Promise<Store>;
  /** The batch fits together, and the counters say what the rows say. */
  expectSound(uuid: string): Promise<void>;
}

export const OPTIONS: ResolvedOptions = {
  retryBaseMs: 1_000,
  retryCapMs: 10_000,
  retryForMs: 100_000,
  onUnknown: 'RETRY',
};

export const MESSAGE = { FROM: 'News <news@example.org>', SUBJECT: 'Hello', TEXT: 'Dear {{name}}' };

let numbers = 0;

/** A name that no other test uses. */
export function unique(what: string): string {
  numbers++;
  return `${what}-${String(numbers).padStart(6, '0')}`;
}

export function recipient(seq: number): StoredRecipient {
  if (seq % 3 === 0) return { address: `r${seq}@example.net` };
  return { address: `r${seq}@example.net`, name: `Recipient ${seq}`, variables: JSON.stringify({ n: seq }) };
}

export function recipients(from: number, count: number): StoredRecipient[] {
  return Array.from({ length: count }, (_, i) => recipient(from + i));
}

/** Submits a batch of `total` recipients, created at 1,000; tells its identifier. */
export async function submit(store: Store, total: number, key?: string): Promise<string> {
  const uuid = unique('batch');
  await store.openBatch({ uuid, key, message: MESSAGE, options: OPTIONS, createdAt: 1_000 });
  await store.addRecipients(uuid, 0, recipients(0, total));
  await commit(store, uuid, total);
  return uuid;
}

export function commit(store: Store, uuid: string, total: number, fingerprint = 'print') {
  return store.commitBatch(uuid, { message: MESSAGE, total, rejected: 0, duplicates: 0, fingerprint });
}

/** Claims at 2,000 for the worker `ana`; tells the task and the seqs in its order. */
export async function claim(store: Store, batch: string, count: number) {
  const task = unique('task');
  const claimed = await store.claim({ batch, task, worker: 'ana', relay: 'mx', count, now: 2_000 });
  return { task, claimed, seqs: seqsOf(claimed) };
}

export function seqsOf(claim: Claim | undefined): number[] {
  return claim?.recipients.map((one) => one.seq) ?? [];
}

/** Settles at 3,000; by default nothing is reported and the task goes on. */
export function settle(
  store: Store,
  task: string,
  results: Partial<Settlement>,
): Promise<Settled | undefined> {
  return store.settle({ task, now: 3_000, sent: [], outcomes: [], returned: [], done: false, ...results });
}

export function deferred(seq: number, dueAt: number, more: Partial<Outcome> = {}): Outcome {
  return { seq, state: 'deferred', reply: '451 later', charged: true, dueAt, ...more };
}

export function failed(seq: number, more: Partial<Outcome> = {}): Outcome {
  return { seq, state: 'failed', reply: '550 no such user', charged: true, ...more };
}

export function unknown(seq: number, more: Partial<Outcome> = {}): Outcome {
  return { seq, state: 'unknown', reply: 'no reply to the final dot', charged: true, ...more };
}
