import { expect, test } from 'vitest';
import { simulateOptions } from '../../../scripts/simulate/options.ts';

test('300 stories from the first seed, unless it is told otherwise', () => {
  expect(simulateOptions([])).toMatchObject({ from: 1, seeds: 300, json: false, bug: undefined });
  expect(simulateOptions(['--from', '5', '--seeds', '7', '--json'])).toMatchObject({
    from: 5,
    seeds: 7,
    json: true,
  });
  expect(simulateOptions(['--seed', '42', '--verbose'])).toMatchObject({ from: 42, seeds: 1, verbose: true });
});

test.each([
  [['--seeds', '0'], '--seeds 0: give a whole number from 1'],
  [['--seed', 'x'], '--seed x: give a whole number'],
  [['--bug', 'none'], '--bug none: give one of moves-at-claim'],
  [['--verbose'], '--verbose tells one story'],
  [['--seed', '1', '--seeds', '2'], '--seed is one story'],
  [['--colour'], '--colour'],
])('%j is refused', (args, message) => {
  expect(() => simulateOptions(args)).toThrow(message);
});
