import type { ListedState } from '../../../server/batches/store.ts';
import type { Store } from '../../../server/store/index.ts';

/** What a store says of a batch, read from its rows when everything has stopped. */
export interface StoredBatch {
  readonly id: string;
  readonly total: number;
  /** What the counters say, and what contradicts the rows. */
  readonly sent: number;
  readonly problems: readonly string[];
  /** Addresses of those that failed, by seq. */
  readonly failed: ReadonlyMap<number, string>;
  readonly unknown: ReadonlySet<number>;
  /** Neither sent, nor failed, nor unknown: more than none in a batch that is not over. */
  readonly unfinished: number;
  /** How many copies beyond the first may be out, as the store's rows say: one for each event that may have made one. */
  readonly possibleDuplicates: ReadonlyMap<number, number>;
}

const PAGE = 1_000;
/** More than any run submits. */
const MAX_BATCHES = 10_000;

/** Reads every batch of a store. It is started for that, and stopped. */
export async function readStore(store: Store): Promise<StoredBatch[]> {
  await store.start();
  try {
    const batches: StoredBatch[] = [];
    for (const { uuid, counts } of await store.listBatches(MAX_BATCHES)) {
      const { problems } = await store.audit(uuid);
      const failed = await list(store, uuid, 'FAILED');
      const unknown = await list(store, uuid, 'UNKNOWN');
      const possibleDuplicates = await countPossibleDuplicates(store, uuid);
      const { total, sent } = counts;
      batches.push({
        ...{ id: uuid, total, sent, problems, failed, possibleDuplicates },
        unknown: new Set(unknown.keys()),
        unfinished: total - sent - failed.size - unknown.size,
      });
    }
    return batches;
  } finally {
    await store.stop();
  }
}

async function list(store: Store, uuid: string, state: ListedState): Promise<Map<number, string>> {
  const addresses = new Map<number, string>();
  for (let after = -1; ; ) {
    const page = await store.listRecipients(uuid, state, after, PAGE);
    for (const { seq, address } of page) addresses.set(seq, address);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return addresses;
    after = last.seq;
  }
}

async function countPossibleDuplicates(store: Store, uuid: string): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (let after = 0; ; ) {
    const page = await store.possibleDuplicates(uuid, after, PAGE);
    for (const { seqs } of page) {
      for (const [from, to] of seqs)
        for (let seq = from; seq <= to; seq++) counts.set(seq, (counts.get(seq) ?? 0) + 1);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return counts;
    after = last.id;
  }
}
