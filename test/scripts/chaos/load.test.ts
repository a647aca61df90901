import { describe, expect, it } from 'vitest';
import { isRefused, planBatches } from '../../../scripts/chaos/load/batches.ts';
import { behaviourFor } from '../../../sink/behaviour.ts';

const SETTINGS = { seed: 1, seconds: 60, recipients: 30_000, servers: 3 };

describe('the load of chaos', () => {
  const batches = planBatches(SETTINGS);
  const addresses = batches.flatMap(({ rows }) =>
    rows.map((row) => ('address' in row ? (row.address ?? '') : '')),
  );

  it('has as many recipients as wanted, in batches spread over time and servers, and is the same for the same seed', () => {
    expect(addresses).toHaveLength(30_000);
    expect(batches.length).toBeGreaterThan(20);
    expect(new Set(batches.map(({ server }) => server)).size).toBe(3);
    expect(Math.max(...batches.map(({ atMs }) => atMs))).toBeLessThan(60_000);
    expect(new Set(batches.map(({ key }) => key)).size).toBe(batches.length);
    expect(planBatches(SETTINGS)).toEqual(batches);
  });

  it('has addresses that the sinks misbehave to, and knows which of them are refused for good', () => {
    const memory = (times: number) => ({ timesMisbehaved: () => times, greylistTimes: 2 });
    const kinds = new Set(addresses.map((address) => behaviourFor(address, memory(0))?.does));
    expect([...kinds].sort()).toEqual(['dismiss', 'drop', 'reply', 'slow', undefined].sort());
    for (const address of addresses) {
      const afterwards = behaviourFor(address, memory(1_000));
      const isReplied = afterwards?.does === 'reply' && afterwards.code >= 500;
      expect(isRefused(address), address).toBe(isReplied);
    }
  });
});
