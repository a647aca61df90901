import { expect, test } from 'vitest';
import { createSilentLogger } from '../../../logging/index.ts';
import type { BatchFigures, BatchRecord } from '../../../server/batches/batch.ts';
import { BatchBook } from '../../../server/batches/batch-book.ts';
import { Batches, type BatchesContext } from '../../../server/batches/batches.ts';
import type { BatchStore } from '../../../server/batches/store.ts';
import { Watchers } from '../../../server/batches/watchers.ts';
import { processTimer } from '../../../server/timers.ts';
import { recordOf } from '../dispatch/memory-dispatch.ts';

/** Batches over a store of which only these operations are there. */
function batchesOver(store: Partial<BatchStore>): { batches: Batches; book: BatchBook } {
  const book = new BatchBook();
  const context: BatchesContext = {
    store: store as BatchStore,
    book,
    watchers: new Watchers(book, { monotonic: () => performance.now(), setTimer: processTimer }),
    logger: createSilentLogger(),
    now: () => 0,
    resolve: () => recordOf('b', {}).options,
    wake: () => {},
    handBack: () => {},
    whyWaiting: () => undefined,
    rate: () => undefined,
    describeServer: () => ({}),
    stopping: () => false,
  };
  return { batches: new Batches(context), book };
}

test('a batch that is finished between the question and the watch is told as finished', async () => {
  const end: BatchRecord = { ...recordOf('b', { total: 1, sent: 1 }), state: 'FINISHED' };
  const { batches } = batchesOver({ getBatch: async () => end });
  const told = new Promise((resolve) => batches.watch(recordOf('b', { total: 1, leased: 1 }), resolve));
  expect(await told).toBe(end);
});

test('a watch that is ended before that is told nothing', async () => {
  const { batches } = batchesOver({ getBatch: async () => recordOf('b', {}) });
  const told: BatchRecord[] = [];
  batches.watch(recordOf('b', {}), (record) => told.push(record))();
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual([]);
});

test('figures of an action do not replace those of a later commit, however soon that one follows', async () => {
  const [pause, settle] = [Promise.withResolvers<BatchFigures>(), Promise.withResolvers<BatchFigures>()];
  const { batches, book } = batchesOver({ cancelBatch: () => pause.promise });
  book.takeUp(recordOf('b', { total: 2, pending: 1, leased: 1 }));
  const acted = batches.act('CANCEL', 'b');
  const settled = (async () => book.update('b', await settle.promise))();
  await new Promise((resolve) => setImmediate(resolve));
  const cancelled = { ...recordOf('b', { total: 2, cancelled: 1, leased: 1 }), state: 'CANCELLED' } as const;
  pause.resolve(cancelled);
  settle.resolve({ ...recordOf('b', { total: 2, cancelled: 1, sent: 1 }), state: 'CANCELLED' });
  await Promise.all([acted, settled]);
  expect([...book.all()]).toEqual([]);
});
