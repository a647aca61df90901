import { expect, it } from 'vitest';
import { figure, range, textTable } from '../../../scripts/bench/text-table.ts';

it('A table has all lines of one width, names to the left and figures to the right', () => {
  expect(
    textTable(
      ['who', 'a'],
      [
        ['everybody', '1,000'],
        ['me', '2'],
      ],
    ),
  ).toEqual([
    '| who       |     a |',
    '| --------- | ----: |',
    '| everybody | 1,000 |',
    '| me        |     2 |',
  ]);
});

it('A figure has a decimal only where it is small, and none is made up', () => {
  expect([figure(1234.56), figure(12.34), figure(0.04), figure(null), figure(undefined)]).toEqual([
    '1,235',
    '12.3',
    '0',
    '?',
    '?',
  ]);
  expect([range(1, 2_000), range(null, null)]).toEqual(['1–2,000', '']);
});
