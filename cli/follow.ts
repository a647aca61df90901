import { type Batch, isOver, type MutiraoClient } from '../client/index.ts';
import { CliError, EXIT } from './errors.ts';
import { count, dateTime, duration, oneLine } from './format.ts';
import type { ProgressView } from './progress/view.ts';

/** Watches a batch to its end, showing how far it is. @throws what the watch throws, and the signal's reason */
export async function follow(
  client: MutiraoClient,
  batch: string,
  view: ProgressView,
  signal: AbortSignal,
): Promise<Batch> {
  let last: Batch | undefined;
  const onInterrupted = (error: Error) => view.note(`${error.message}; trying again`);
  for await (const progress of client.watch(batch, { signal, onInterrupted })) {
    last = progress;
    view.batch(progress);
  }
  if (last === undefined) throw new CliError(`batch ${batch} came to no end`);
  return last;
}

/** 0: every row was sent; 2: some were not. */
export function exitCodeOf({ counts }: Batch, rejected: number): number {
  const unsent = counts.failed + counts.unknown + counts.cancelled + rejected;
  return unsent === 0 ? EXIT.allSent : EXIT.someFailed;
}

/** What became of a batch, for people. */
export function summary(batch: Batch, seconds: number | undefined): string {
  const { counts } = batch;
  const lines: [label: string, value: number, note?: string][] = [['sent', counts.sent]];
  const left = counts.pending + counts.leased + counts.deferred;
  if (left > 0)
    lines.push(['left', left, counts.deferred > 0 ? `${count(counts.deferred)} deferred` : undefined]);
  if (counts.failed > 0) lines.push(['failed', counts.failed, `mutirao failed ${batch.id}`]);
  if (counts.unknown > 0) lines.push(['unknown', counts.unknown, `mutirao unknown ${batch.id}`]);
  if (counts.suppressed > 0) lines.push(['suppressed', counts.suppressed]);
  if (counts.cancelled > 0) lines.push(['cancelled', counts.cancelled]);
  if (batch.rejected > 0) lines.push(['rejected', batch.rejected, 'rows that are not in the batch']);
  if (batch.duplicates > 0) lines.push(['duplicates', batch.duplicates, 'merged']);
  if (batch.maybeSent > 0) lines.push(['maybe twice', batch.maybeSent, `mutirao duplicates ${batch.id}`]);
  const width = Math.max(...lines.map(([, value]) => count(value).length));
  const time = seconds === undefined ? '' : ` in ${duration(seconds)}`;
  return [
    `batch ${batch.id} ${batch.state}${time}`,
    ...lines.map(
      ([label, value, note]) =>
        `  ${label.padEnd(11)} ${count(value).padStart(width)}${note === undefined ? '' : `   ${note}`}`,
    ),
  ].join('\n');
}

/** Everything about a batch, for people. */
export function description(batch: Batch): string {
  const facts = [
    ...(batch.name === undefined ? [] : [`  name        ${oneLine(batch.name)}`]),
    `  subject     ${oneLine(batch.subject)}`,
    `  submitted   ${dateTime(batch.createdAt)}`,
    ...(batch.finishedAt === undefined ? [] : [`  finished    ${dateTime(batch.finishedAt)}`]),
    ...(batch.expiresAt === undefined || isOver(batch) ? [] : [`  expires     ${dateTime(batch.expiresAt)}`]),
    ...(batch.waiting === undefined ? [] : [`  waiting     ${oneLine(batch.waiting)}`]),
  ];
  const [title = '', ...counts] = summary(batch, undefined).split('\n');
  return [title, ...facts, `  recipients  ${count(batch.counts.total)}`, ...counts].join('\n');
}

/** A batch for programs. */
export function batchJson({ id, counts, ...rest }: Batch): object {
  return { batch: id, ...rest, ...counts };
}
