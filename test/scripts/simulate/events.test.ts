import { expect, test } from 'vitest';
import { Chance } from '../../../scripts/simulate/engine/chance.ts';
import { Events, RANK } from '../../../scripts/simulate/engine/events.ts';
import { Process } from '../../../scripts/simulate/engine/process.ts';

function play(events: Events): void {
  while (events.step());
}

test('what is due first happens first, and within a moment what was asked for soon, timers, lines', () => {
  const events = new Events(new Chance(1));
  const told: string[] = [];
  const tell = (what: string) => () => told.push(`${what} at ${events.now}`);
  events.at(2, RANK.line, '', tell('line'));
  events.at(2, RANK.timer, '', tell('timer'));
  events.at(2, RANK.soon, '', tell('soon'));
  events.at(1, RANK.line, '', tell('first'));
  events.at(3, RANK.line, '', tell('cancelled'))();
  play(events);
  expect(told).toEqual(['first at 1', 'soon at 2', 'timer at 2', 'line at 2']);
  expect(events.steps).toBe(4);
});

test('the lot decides among the same, the same lot for the same seed', () => {
  const orderOf = (seed: number): number[] => {
    const events = new Events(new Chance(seed));
    const order: number[] = [];
    for (let i = 0; i < 20; i++) events.at(1, RANK.line, String(i), () => order.push(i));
    play(events);
    return order;
  };
  expect(orderOf(1)).toEqual(orderOf(1));
  expect(orderOf(1)).not.toEqual(orderOf(2));
  expect(orderOf(1).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('thousands of events come in order, also when most are cancelled', () => {
  const chance = new Chance(7);
  const events = new Events(chance.branch('ties'));
  const times: number[] = [];
  const cancels = Array.from({ length: 20_000 }, () => {
    const at = chance.between(0, 1_000);
    return events.at(at, RANK.timer, '', () => times.push(at));
  });
  for (const cancel of cancels.slice(0, 18_000)) cancel();
  play(events);
  expect(times).toHaveLength(2_000);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('in a frozen process everything waits for the thaw: timers first, then lines in their order', () => {
  const events = new Events(new Chance(3));
  const process = new Process('p', 'host', events, new Chance(4));
  const told: string[] = [];
  process.freeze(100);
  for (let i = 0; i < 10; i++)
    events.at(10 + i, RANK.line, '', () => process.receive('', () => told.push(`line ${i}`)));
  process.setTimer(() => told.push(`timer at ${events.now}`), 50);
  play(events);
  expect(told[0]).toBe('timer at 100');
  expect(told.slice(1)).toEqual(Array.from({ length: 10 }, (_, i) => `line ${i}`));
});

test('nothing happens in a process that has ended', () => {
  const events = new Events(new Chance(3));
  const process = new Process('p', 'host', events, new Chance(4));
  const told: string[] = [];
  process.setTimer(() => told.push('timer'), 5);
  process.end();
  process.receive('', () => told.push('line'));
  play(events);
  expect(told).toEqual([]);
});
