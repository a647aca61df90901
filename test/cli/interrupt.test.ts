import { expect, test } from 'vitest';
import { InterruptedError, interruptible } from '../../cli/interrupt.ts';

const aborted = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));

test('a signal aborts the work, and a listener behind ours does not find itself alone', async () => {
  const before = process.listenerCount('SIGINT');
  let beside = 0;
  const behind = () => {
    beside = process.listenerCount('SIGINT') - before;
  };
  const work = interruptible(aborted);
  process.once('SIGINT', behind);
  process.emit('SIGINT', 'SIGINT');
  expect(await work).toBeInstanceOf(InterruptedError);
  expect(beside).toBe(1);
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('a second signal finds no listener of ours', async () => {
  const before = process.listenerCount('SIGTERM');
  let finish = () => {};
  const work = interruptible(
    () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
  );
  process.emit('SIGTERM', 'SIGTERM');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(process.listenerCount('SIGTERM')).toBe(before);
  finish();
  await work;
});
