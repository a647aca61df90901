import type { ResolvedOptions } from '../../batches/batch.ts';
import type { Batch } from '../operations/batch.ts';
import { textToRanges } from '../operations/range-text.ts';
import type { SpanState } from '../operations/tables.ts';
import type { Task } from '../operations/task.ts';
import type { Read, Row } from './scope.ts';
import { SpanSet } from './span-set.ts';

/** A batch in memory with all that changes while it is sent, but for the history of its recipients. */
export interface OwnedBatch extends Batch {
  readonly owner: string;
  readonly ownerEpoch: number;
  options: ResolvedOptions;
  readonly spans: Readonly<Record<SpanState, SpanSet>>;
  /** Its tasks that are out, those changed in this group included. */
  readonly live: Map<string, Task>;
  /** The state that is committed; undefined: it is new. */
  committedState: Batch['state'] | undefined;
}

export function emptySpans(): OwnedBatch['spans'] {
  return { pending: new SpanSet([]), settled: new SpanSet([]), cancelled: new SpanSet([]) };
}

/** Reads what rows of STATEMENTS.batch_… tell, with their spans and live tasks: two more ways to the database for all of them. */
export async function readBatches(rows: readonly Row[], read: Read): Promise<OwnedBatch[]> {
  if (rows.length === 0) return [];
  const ids = `{${rows.map((row) => row[0]).join(',')}}`;
  const [spanRows, taskRows] = [await read('spans', [ids]), await read('live_tasks', [ids])];
  const spansOf = new Map<string, [number, number][]>();
  for (const [batch, state, from, to] of spanRows) {
    const key = `${batch} ${state}`;
    const spans = spansOf.get(key);
    if (spans === undefined) spansOf.set(key, [[Number(from), Number(to)]]);
    else spans.push([Number(from), Number(to)]);
  }
  const batches = rows.map((row) => {
    const spans = (state: SpanState): SpanSet => new SpanSet(spansOf.get(`${row[0]} ${state}`) ?? []);
    return batchOf(row, {
      pending: spans('pending'),
      settled: spans('settled'),
      cancelled: spans('cancelled'),
    });
  });
  const byId = new Map(batches.map((batch) => [batch.id, batch]));
  for (const task of taskRows.map(taskOf)) byId.get(task.batch)?.live.set(task.uuid, task);
  return batches;
}

function batchOf(row: Row, spans: OwnedBatch['spans']): OwnedBatch {
  const [id, uuid, key, name, state, owner, ownerEpoch, ...rest] = row;
  const [total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled] = rest.map(Number);
  const [rejected, duplicates, maybeSent, secondReports, createdAt] = rest.slice(9, 14).map(Number);
  const [finishedAt, options] = rest.slice(14);
  const n = (value: number | undefined): number => value ?? 0;
  return {
    id: Number(id),
    uuid: uuid ?? '',
    key: key ?? undefined,
    name: name ?? undefined,
    state: state as Batch['state'],
    owner: owner ?? '',
    ownerEpoch: Number(ownerEpoch),
    counts: {
      total: n(total),
      pending: n(pending),
      leased: n(leased),
      deferred: n(deferred),
      sent: n(sent),
      failed: n(failed),
      unknown: n(unknown),
      suppressed: n(suppressed),
      cancelled: n(cancelled),
    },
    rejected: n(rejected),
    duplicates: n(duplicates),
    maybeSent: n(maybeSent),
    secondReports: n(secondReports),
    createdAt: n(createdAt),
    finishedAt: finishedAt === null || finishedAt === undefined ? undefined : Number(finishedAt),
    options: JSON.parse(options ?? '{}') as ResolvedOptions,
    spans,
    live: new Map(),
    committedState: state as Batch['state'],
  };
}

/** Reads a row of STATEMENTS.task or live_tasks. */
export function taskOf([uuid, batch, worker, relay, claimedAt, again, fresh, gone]: Row): Task {
  return {
    uuid: uuid ?? '',
    batch: Number(batch),
    worker: worker ?? '',
    relay: relay ?? '',
    claimedAt: Number(claimedAt),
    again: textToRanges(again ?? ''),
    fresh: textToRanges(fresh ?? ''),
    gone: textToRanges(gone ?? ''),
  };
}
