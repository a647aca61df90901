import { expect, onTestFinished, test, vi } from 'vitest';
import { MemoryDispatch, recordOf } from './memory-dispatch.ts';

const TICK_MS = 200;

/** A worker with a task that is out, and a clock that ticks when it is told to. */
async function ticking() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const dispatch = new MemoryDispatch();
  onTestFinished(() => {
    dispatch.clockwork.stop();
    vi.useRealTimers();
  });
  dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.clockwork.start();
  dispatch.dispatcher.pump();
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked));
  const tick = (afterMs: number): void => {
    dispatch.now += afterMs;
    vi.advanceTimersByTime(TICK_MS);
  };
  return { dispatch, tick, leaseMs: dispatch.context.settings.leaseMs };
}

test('a lease that is not renewed ends with its time', async () => {
  const { dispatch, tick, leaseMs } = await ticking();
  for (let ms = 0; ms < leaseMs - TICK_MS; ms += TICK_MS) tick(TICK_MS);
  expect(dispatch.expiries.questions).toEqual([]);
  tick(TICK_MS);
  expect(dispatch.expiries.questions).toHaveLength(1);
});

test('a server that was stopped for longer than a lease hears its workers before it ends their leases', async () => {
  const { dispatch, tick, leaseMs } = await ticking();
  tick(3 * leaseMs);
  expect(dispatch.expiries.questions).toEqual([]);
  // Nobody was waiting: then they end as if there had been no pause.
  for (let ms = 0; ms < leaseMs; ms += TICK_MS) tick(TICK_MS);
  expect(dispatch.expiries.questions).toHaveLength(1);
});
