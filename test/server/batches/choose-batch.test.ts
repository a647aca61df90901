import { describe, expect, it } from 'vitest';
import { chooseBatch, startOf } from '../../../server/batches/choose-batch.ts';

interface Batch {
  readonly uuid: string;
  ready: number;
  served: number;
}

const batch = (uuid: string, ready: number, others: readonly Batch[] = []): Batch => ({
  uuid,
  ready,
  served: startOf(others),
});

/** Serves tasks of `size` until nothing is ready; tells in which round each batch was done. */
function serve(
  batches: readonly Batch[],
  size: number,
  rounds = Number.POSITIVE_INFINITY,
): Map<string, number> {
  const doneAt = new Map<string, number>();
  for (let round = 1; round <= rounds; round++) {
    const chosen = chooseBatch(batches) as Batch | undefined;
    if (chosen === undefined) break;
    const count = Math.min(size, chosen.ready);
    chosen.ready -= count;
    chosen.served += count;
    if (chosen.ready === 0) doneAt.set(chosen.uuid, round);
  }
  return doneAt;
}

describe('the choice between batches', () => {
  it('lets a small batch that comes later be done long before a huge one', () => {
    const huge = batch('huge', 1_000_000);
    serve([huge], 500, 200);
    const small = batch('small', 2_000, [huge]);
    const doneAt = serve([huge, small], 500);
    expect(doneAt.get('small')).toBeLessThanOrEqual(9);
    expect(doneAt.get('huge')).toBeGreaterThan(1_000);
  });

  it('gives equal batches equal shares', () => {
    const batches = ['a', 'b', 'c', 'd'].map((uuid) => batch(uuid, 10_000));
    serve(batches, 100, 200);
    for (const { ready } of batches) expect(ready).toBe(5_000);
  });

  it('gives equal shares also to those that come at different times, from then on', () => {
    const first = batch('first', 100_000);
    serve([first], 100, 500);
    const second = batch('second', 100_000, [first]);
    const before = first.ready;
    serve([first, second], 100, 100);
    expect(Math.abs(before - first.ready - (100_000 - second.ready))).toBeLessThanOrEqual(100);
  });

  it('chooses nobody where nothing is ready', () => {
    expect(chooseBatch([])).toBeUndefined();
    expect(chooseBatch([{ uuid: 'a', ready: 0, served: 0 }])).toBeUndefined();
    expect(startOf([{ uuid: 'a', ready: 0, served: 70 }])).toBe(0);
  });
});
