import { afterEach, expect, it } from 'vitest';
import { letterOf } from '../../../../scripts/bench/letter.ts';
import { Scribe } from '../../../../scripts/bench/relays/scribe.ts';
import { poolSender } from '../../../../scripts/bench/rivals/pool.ts';

let scribe: Scribe;

afterEach(() => scribe.stop());

it('The relay of the lending benchmark writes down every mail, in order of time, and who sent it', async () => {
  scribe = await Scribe.start(1);
  await poolSender(scribe, 3)({ mails: 20, letter: letterOf(2_048) });
  expect(scribe.accepted).toHaveLength(20);
  expect(new Set(scribe.accepted.map(({ sender }) => sender)).size).toBe(1);
  const times = scribe.accepted.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  scribe.clear();
  expect(scribe.accepted).toEqual([]);
});
