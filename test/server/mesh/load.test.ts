import { expect, test } from 'vitest';
import { Load } from '../../../protocol/index.ts';
import { drainOf, drainSeconds, loadOf, type PoolFigures } from '../../../server/mesh/load.ts';

const idle: PoolFigures = { ready: 0, sending: 0, workers: 2, freeSlots: 2, rate: 0 };

test('nothing ready drains in no time, whoever is there', () => {
  expect(drainSeconds({ ...idle, workers: 0 }, 0)).toBe(0);
});

test('work and no worker never drains, and null says so on the wire', () => {
  const drain = drainSeconds({ ...idle, ready: 1, workers: 0 }, 0);
  expect(drain).toBe(Number.POSITIVE_INFINITY);
  const load = loadOf({ ...idle, ready: 1, workers: 0 }, { idle: 0, lent: 0, borrowed: 0 }, drain);
  expect(Load.parse(JSON.parse(JSON.stringify(load)))).toMatchObject({ READY: 1, DRAIN_S: null });
  expect(drainOf(load)).toBe(Number.POSITIVE_INFINITY);
});

test('before anything is measured a small batch is no pressure and a big one is', () => {
  expect(drainSeconds({ ...idle, ready: 500 }, 0)).toBeLessThan(5);
  expect(drainSeconds({ ...idle, ready: 20_000 }, 0)).toBeGreaterThan(5);
});

test('the first results of a first task do not make a fast server look slow', () => {
  expect(drainSeconds({ ...idle, ready: 500, rate: 1 }, 100)).toBeLessThan(5);
});

test('once measured, a slow rate counts', () => {
  expect(drainSeconds({ ...idle, ready: 500, rate: 10 }, 3_000)).toBe(50);
});
