import { expect, test } from 'vitest';
import { Repeater } from '../../../server/owners/repeater.ts';
import { processTimer } from '../../../server/timers.ts';
import { until } from '../../support/until.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('it is done at once, and again after the time that was told', async () => {
  let runs = 0;
  const repeater = new Repeater(async () => (++runs < 3 ? 1 : 600_000), processTimer);
  repeater.start();
  repeater.start();
  await until('it ran thrice', () => runs === 3);
  await repeater.stop();
});

test('hints have it done once more behind what is under way, never twice at once', async () => {
  const waiting: (() => void)[] = [];
  let runs = 0;
  const run = async (): Promise<number> => {
    runs++;
    await new Promise<void>((resolve) => waiting.push(resolve));
    return 600_000;
  };
  const repeater = new Repeater(run, processTimer);
  repeater.soon();
  expect(runs).toBe(0);
  repeater.start();
  repeater.soon();
  repeater.soon();
  expect(runs).toBe(1);
  waiting.shift()?.();
  await until('it runs again', () => runs === 2);
  waiting.shift()?.();
  await settle();
  expect(runs).toBe(2);
  repeater.soon();
  expect(runs).toBe(3);
  waiting.shift()?.();
  await repeater.stop();
});

test('a stop waits for what is under way, and nothing is done after it', async () => {
  let runs = 0;
  let end = (): void => {};
  const run = async (): Promise<number> => {
    runs++;
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    return 0;
  };
  const repeater = new Repeater(run, processTimer);
  repeater.start();
  let isStopped = false;
  const stopped = repeater.stop().then(() => {
    isStopped = true;
  });
  await settle();
  expect(isStopped).toBe(false);
  end();
  await stopped;
  repeater.soon();
  await settle();
  expect(runs).toBe(1);
});
