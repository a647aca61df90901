import { expect, test } from 'vitest';
import { WarnLimiter } from '../../logging/index.ts';

test('the same thing is warned of once in a while, with the number of times in between; another thing at once', () => {
  const lines: [object, string][] = [];
  let now = 0;
  const limiter = new WarnLimiter({ warn: (...line) => lines.push(line) }, () => now, 1_000);
  for (now = 0; now < 1_000; now += 100) limiter.warn('a', { n: 1 }, 'a fails');
  limiter.warn('b', {}, 'b fails');
  limiter.warn('a', { n: 2 }, 'a fails');
  expect(lines).toEqual([
    [{ n: 1 }, 'a fails'],
    [{}, 'b fails'],
    [{ n: 2, alike: 9 }, 'a fails'],
  ]);
});
