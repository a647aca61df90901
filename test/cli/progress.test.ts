import { expect, test } from 'vitest';
import { RateWindow } from '../../cli/progress/rate-window.ts';
import { bar, progressText, waitingText } from '../../cli/progress/text.ts';
import { type Canvas, ProgressView } from '../../cli/progress/view.ts';
import { batchOf } from '../../client/batch.ts';
import type { Batch } from '../../client/index.ts';
import type { BatchInfo } from '../../protocol/index.ts';
import { batchInfo } from '../client/scripted-server.ts';

function batch(counts: Record<string, number>, changes: Partial<BatchInfo> = {}): Batch {
  return batchOf(batchInfo(changes, counts));
}

class FakeCanvas implements Canvas {
  readonly live: boolean;
  readonly drawn: string[] = [];
  constructor(live: boolean) {
    this.live = live;
  }
  draw(text: string): void {
    this.drawn.push(text);
  }
  print(text: string): void {
    this.drawn.push(text);
  }
  end(): void {}
}

test('a bar fills from empty to full by eighths of a cell', () => {
  expect(bar(0, 10, 4)).toBe('░░░░');
  expect(bar(5, 10, 4)).toBe('██░░');
  expect(bar(1, 32, 4)).toBe('▏░░░');
  expect(bar(10, 10, 4)).toBe('████');
  expect(bar(0, 0, 4)).toBe('████');
});

test('progress tells what was sent, what was not, the rate and the time left', () => {
  const text = progressText(
    batch({ TOTAL: 20_000, SENT: 12_000, FAILED: 3, DEFERRED: 7, PENDING: 7_000, LEASED: 990 }),
    1_000,
  );
  expect(text).toBe(' 60%  12,000 of 20,000 sent · 3 failed · 7 deferred · 1,000/s · 8 s left');
});

test('a paused batch has no time left, and a finished one no rate', () => {
  expect(progressText(batch({ TOTAL: 10, PENDING: 10 }, { STATE: 'PAUSED' }), 5)).toBe(
    '  0%  0 of 10 sent · paused',
  );
  expect(progressText(batch({ TOTAL: 10, SENT: 10 }), 5)).toBe('100%  10 of 10 sent');
});

test('what only waits says why', () => {
  expect(waitingText(batch({ TOTAL: 2, DEFERRED: 2 }))).toBe('waiting to try 2 again');
  expect(waitingText(batch({ TOTAL: 2, PENDING: 2 }, { WAITING: 'relay mx\nis\u001b[31m down' }))).toBe(
    'waiting: relay mx is [31m down',
  );
  expect(waitingText(batch({ TOTAL: 2, PENDING: 1, DEFERRED: 1 }))).toBeUndefined();
});

test('a rate is taken over the last ten seconds', () => {
  const rate = new RateWindow();
  rate.add(0, 0);
  expect(rate.perSecond).toBeUndefined();
  for (let second = 1; second <= 60; second++) rate.add(second <= 30 ? second * 100 : 3_000, second * 1_000);
  expect(rate.perSecond).toBe(0);
  rate.add(4_000, 61_000);
  expect(rate.perSecond).toBeCloseTo(100, 0);
});

test('without a terminal there is a line every three seconds and none that says the same', () => {
  const canvas = new FakeCanvas(false);
  let now = 0;
  const view = new ProgressView(canvas, () => now);
  for (let sent = 0; sent <= 100; sent++) {
    view.batch(batch({ TOTAL: 100, SENT: sent, PENDING: 100 - sent }));
    now += 100;
  }
  now += 60_000;
  view.batch(batch({ TOTAL: 100, SENT: 100 }));
  view.batch(batch({ TOTAL: 100, SENT: 100 }));
  expect(canvas.drawn).toHaveLength(5);
  expect(canvas.drawn[1]).toMatch(/^30% {2}30 of 100 sent · 10\/s · 7 s left$/);
});

test('on a terminal there is a bar, and below it why nothing moves', () => {
  const canvas = new FakeCanvas(true);
  const view = new ProgressView(canvas, () => 0);
  view.batch(batch({ TOTAL: 2, SENT: 1, PENDING: 1 }, { WAITING: 'no worker is connected' }));
  expect(canvas.drawn[0]).toBe(
    `${'█'.repeat(12)}${'░'.repeat(12)}  50%  1 of 2 sent\nwaiting: no worker is connected`,
  );
});
