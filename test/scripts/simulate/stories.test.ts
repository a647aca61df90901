import { describe, expect, test } from 'vitest';
import { BUGS } from '../../../scripts/simulate/bugs.ts';
import { playAll } from '../../../scripts/simulate/crew.ts';
import { scenarioOf } from '../../../scripts/simulate/scenario.ts';
import { type Story, simulate } from '../../../scripts/simulate/simulate.ts';

/** Stories of the suite; `npm run simulate` takes more. */
const SEEDS = 300;
const THREADS = 2;
/** A machine that is busy with other things is slow. */
const PATIENCE_MS = 240_000;

const sumOf = (stories: readonly Story[], of: (story: Story) => number): number =>
  stories.reduce((sum, story) => sum + of(story), 0);

test(
  `in ${SEEDS} stories everything holds that must`,
  async () => {
    const stories = await playAll({ from: 1, seeds: SEEDS, threads: THREADS });
    const broken = stories.filter(({ violation }) => violation !== undefined);
    expect(broken.map(({ seed, violation }) => ({ seed, ...violation }))).toEqual([]);
    expect(stories).toHaveLength(SEEDS);
    // They are not empty: things broke, mail was sent and workers were lent.
    expect(sumOf(stories, ({ faults }) => faults)).toBeGreaterThan(10 * SEEDS);
    expect(sumOf(stories, ({ mails }) => mails)).toBeGreaterThan(100 * SEEDS);
    expect(sumOf(stories, ({ loans }) => loans)).toBeGreaterThan(SEEDS / 2);
  },
  PATIENCE_MS,
);

test('a seed tells the same story again, in another thread too', async () => {
  const seeds = [3, 11, 17];
  const here: Story[] = [];
  for (const seed of seeds) here.push(await simulate(seed));
  for (const [i, seed] of seeds.entries()) {
    const [there] = await playAll({ from: seed, seeds: 1, threads: 1 });
    expect(there).toEqual(here[i]);
    expect(await simulate(seed)).toEqual(here[i]);
  }
  expect(new Set(here.map(({ trace }) => trace)).size).toBe(seeds.length);
});

test('stories are of every size, with every kind of fault', () => {
  const scenarios = Array.from({ length: 2_000 }, (_, seed) => scenarioOf(seed));
  expect(new Set(scenarios.map(({ size }) => size))).toEqual(new Set(['small', 'medium', 'large']));
  const workers = scenarios.map(({ servers }) => servers.reduce((sum, server) => sum + server.workers, 0));
  expect(Math.max(...workers)).toBeGreaterThan(300);
  expect(Math.max(...scenarios.map(({ servers }) => servers.length))).toBeGreaterThan(30);
  expect(scenarios.every(({ servers }) => servers.length >= 3 && servers.length <= 50)).toBe(true);
  expect(scenarios.some(({ faults }) => faults.length === 0)).toBe(true);
});

/** Where the search for each mistake begins, so that it is short; docs/SIMULATION.md tells how long it takes from the first seed. */
const BEGIN: Readonly<Record<string, number>> = {
  'moves-at-claim': 5,
  'marks-nothing': 5,
  'ack-before-commit': 7,
  'accepts-before-commit': 814,
  'believes-late-failures': 36,
  'lease-without-end': 19,
  'lease-from-receipt': 19,
  'keeps-nobody': 5,
  'ticket-twice': 1,
  'lends-again-at-once': 1,
  'grants-without-limit': 11,
  'never-ends-loans': 1,
  'keeps-old-figures': 1,
  'nobody-probes': 1525,
};
const MOST_SEEDS = 20;

describe('a mistake that was put in is noticed', () => {
  test.each(Object.entries(BUGS))(
    '%s',
    async (name, { caughtBy }) => {
      const stories = await playAll({
        from: BEGIN[name] ?? 1,
        seeds: MOST_SEEDS,
        threads: THREADS,
        bug: name,
        isEnough: ({ violation }) => violation !== undefined,
      });
      const found = stories.at(-1)?.violation;
      expect(found, `${name} was not noticed in ${MOST_SEEDS} stories`).toBeDefined();
      expect(caughtBy).toContain(found?.invariant);
    },
    PATIENCE_MS,
  );

  test('and the same stories hold without it', async () => {
    for (const seed of new Set(Object.values(BEGIN))) {
      const { violation } = await simulate(seed);
      expect(violation, `seed ${seed}`).toBeUndefined();
    }
  });
});
