import {
  countSeqs,
  rangesOf,
  type SeqRange,
  type SeqRanges,
  subtractRanges,
} from '../../../protocol/index.ts';
import type { StateCounts } from '../../batches/batch.ts';
import type { Audit } from '../store.ts';
import type { CommittedBatch, CountedState } from './batch.ts';
import type { HistoryRow, SpanState } from './tables.ts';
import type { Task } from './task.ts';

/** Everything that a store has of a batch. */
export interface WholeBatch {
  readonly batch: CommittedBatch;
  readonly spans: Readonly<Record<SpanState, SeqRanges>>;
  /** Those that are out. */
  readonly tasks: readonly Task[];
  readonly recipients: {
    readonly count: number;
    readonly first: number | null;
    readonly last: number | null;
  };
  /** In order of seq. */
  readonly history: readonly (HistoryRow & { readonly due_at: number | null })[];
}

/** Counts a batch anew, and checks that everything fits (the rules are in sqlite/schema.ts). */
export function checkBatch({ batch, spans, tasks, recipients, history: rows }: WholeBatch): Audit {
  const problems: string[] = [];
  const { total } = batch.counts;
  const { pending, cancelled, settled } = spans;
  const fresh = tasks.flatMap((task) => task.fresh);
  const again = tasks.flatMap((task) => task.again);

  if (
    recipients.count !== total ||
    (total > 0 && (recipients.first !== 0 || recipients.last !== total - 1))
  ) {
    problems.push(
      `${recipients.count} recipients from ${recipients.first} to ${recipients.last} are stored, not ${total} from 0`,
    );
  }
  problems.push(...gapsOf([...pending, ...cancelled, ...settled, ...fresh], total));

  const seqsOf = (wanted: (row: WholeBatch['history'][number]) => boolean): SeqRanges =>
    rangesOf(rows.filter(wanted).map((row) => row.seq));
  const misplaced = subtractRanges(
    seqsOf(() => true),
    settled,
  );
  if (misplaced.length > 0) problems.push(`rows outside of settled spans: ${show(misplaced)}`);
  const leasedRows = seqsOf((row) => row.state === 'leased');
  const leasedAgain = [...again].sort((a, b) => a[0] - b[0]);
  if (
    countSeqs(leasedRows) !== countSeqs(leasedAgain) ||
    subtractRanges(leasedRows, leasedAgain).length > 0
  ) {
    problems.push(`rows say that ${show(leasedRows)} are leased, tasks say ${show(leasedAgain)}`);
  }
  const timeless = seqsOf((row) => (row.state === 'deferred') !== (row.due_at !== null));
  if (timeless.length > 0)
    problems.push(`deferred without a time, or a time without being deferred: ${show(timeless)}`);

  const counts = {
    total,
    pending: countSeqs(pending),
    leased: countSeqs(fresh),
    deferred: 0,
    sent: countSeqs(settled) - rows.length,
    failed: 0,
    unknown: 0,
    suppressed: 0,
    cancelled: countSeqs(cancelled),
  };
  for (const row of rows) counts[row.state]++;
  problems.push(...counterProblems(batch, counts));
  const maybeSent = rows.filter((row) => row.maybe_sent === 1).length;
  const twice = rows.filter((row) => row.accepted_twice === 1).length;
  if (maybeSent !== batch.maybeSent)
    problems.push(`${maybeSent} are marked as maybe sent, not ${batch.maybeSent}`);
  if (twice !== batch.secondReports)
    problems.push(`${twice} were accepted twice, not ${batch.secondReports}`);
  return { counts, problems };
}

/** Every recipient must be in exactly one place. */
function gapsOf(places: readonly SeqRange[], total: number): string[] {
  const problems: string[] = [];
  let next = 0;
  for (const [from, to] of [...places].sort((a, b) => a[0] - b[0])) {
    if (from > next) problems.push(`recipients ${next} to ${from - 1} are nowhere`);
    if (from < next) problems.push(`recipients ${from} to ${Math.min(to, next - 1)} are in two places`);
    next = Math.max(next, to + 1);
  }
  if (next !== total) problems.push(`the spans end at ${next}, not at ${total}`);
  return problems;
}

function counterProblems(batch: CommittedBatch, counts: StateCounts): string[] {
  const problems: string[] = [];
  let sum = 0;
  for (const [state, count] of Object.entries(counts) as [CountedState | 'total', number][]) {
    if (state !== 'total') sum += count;
    if (batch.counts[state] !== count)
      problems.push(`${count} are ${state}, the counter says ${batch.counts[state]}`);
  }
  if (sum !== counts.total) problems.push(`the states sum up to ${sum}, not to ${counts.total}`);
  const open = counts.pending + counts.leased + counts.deferred > 0;
  const over = batch.state === 'FINISHED' || (batch.state === 'CANCELLED' && !open);
  if (over === open || (batch.finishedAt !== undefined) === open) {
    problems.push(`the batch is ${batch.state}, and ${open ? 'some' : 'none'} are still to be sent`);
  }
  return problems;
}

function show(ranges: SeqRanges): string {
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
