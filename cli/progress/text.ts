import type { Batch } from '../../client/index.ts';
import { count, duration, oneLine, perSecond } from '../format.ts';

const BAR_CELLS = 24;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** How many recipients have an outcome. */
export function settled({ counts }: Batch): number {
  return counts.total - counts.pending - counts.leased - counts.deferred;
}

/** A bar of `cells` characters, to the eighth of one. */
export function bar(done: number, total: number, cells = BAR_CELLS): string {
  const eighths = total === 0 ? cells * 8 : Math.floor((Math.min(done, total) / total) * cells * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  return (full + (EIGHTHS[eighths % 8] ?? '')).padEnd(cells, '░');
}

/** `62%  12,400 of 20,000 · 12,390 sent · 3 failed · 7 deferred · 1,020/s · 8 s left` */
export function progressText(batch: Batch, rate: number | undefined): string {
  const { counts } = batch;
  const done = settled(batch);
  const percent = counts.total === 0 ? 100 : Math.floor((done / counts.total) * 100);
  const parts = [`${String(percent).padStart(3)}%  ${count(counts.sent)} of ${count(counts.total)} sent`];
  for (const state of ['failed', 'deferred', 'unknown', 'suppressed', 'cancelled'] as const) {
    if (counts[state] > 0) parts.push(`${count(counts[state])} ${state}`);
  }
  if (batch.state === 'paused') parts.push('paused');
  else if (rate !== undefined && done < counts.total) parts.push(perSecond(rate), ...timeLeft(batch, rate));
  return parts.join(' · ');
}

/** Why nothing moves, where there is something to say. */
export function waitingText(batch: Batch): string | undefined {
  if (batch.waiting !== undefined) return `waiting: ${oneLine(batch.waiting)}`;
  const { pending, leased, deferred } = batch.counts;
  return pending + leased === 0 && deferred > 0 ? `waiting to try ${count(deferred)} again` : undefined;
}

/** Of what can be sent now: how long the relay makes the deferred ones wait nobody knows. */
function timeLeft({ counts }: Batch, rate: number): string[] {
  const left = counts.pending + counts.leased;
  return rate > 0 && left > 0 ? [`${duration(left / rate)} left`] : [];
}
