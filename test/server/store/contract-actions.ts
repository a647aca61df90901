import { describe, expect, it } from 'vitest';
import { claim, deferred, failed, type Subject, settle, submit, unknown } from './fixture.ts';

export function actionsContract(subject: Subject): void {
  describe('acting on a batch', () => {
    it('pauses and resumes; what is out may settle and finish it', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const { task } = await claim(store, batch, 3);
      expect(await store.pauseBatch(batch)).toMatchObject({ state: 'PAUSED' });
      expect(await store.pauseBatch(batch)).toMatchObject({ state: 'PAUSED' });
      expect(await settle(store, task, { sent: [[0, 1]] })).toMatchObject({ figures: { state: 'PAUSED' } });
      expect(await settle(store, task, { sent: [[2, 2]] })).toMatchObject({ figures: { state: 'FINISHED' } });
      expect(await store.resumeBatch(batch)).toMatchObject({ state: 'FINISHED' });
      expect(await store.pauseBatch(batch)).toMatchObject({ state: 'FINISHED' });
      expect(await store.pauseBatch('nowhere')).toBeUndefined();
      expect(await store.resumeBatch('nowhere')).toBeUndefined();
      await subject.expectSound(batch);
    });

    it('cancels what waits at once, and what is out when it comes back', async () => {
      const { store } = subject;
      const batch = await submit(store, 10);
      const a = await claim(store, batch, 7);
      await settle(store, a.task, { sent: [[0, 0]], outcomes: [deferred(1, 10)] });
      const cancelled = await store.cancelBatch(batch, 5_000);
      expect(cancelled).toMatchObject({
        state: 'CANCELLED',
        counts: { pending: 0, deferred: 0, cancelled: 4, leased: 5 },
      });
      expect(cancelled?.finishedAt).toBeUndefined();
      expect((await store.unfinishedBatches()).some((one) => one.uuid === batch)).toBe(true);
      const end = await settle(store, a.task, {
        now: 6_000,
        sent: [[2, 2]],
        outcomes: [deferred(3, 10), failed(4), unknown(5)],
        done: true,
      });
      expect(end).toMatchObject({ figures: { state: 'CANCELLED', finishedAt: 6_000 }, applied: 4 });
      expect(end?.figures.counts).toMatchObject({ cancelled: 6, sent: 2, failed: 1, unknown: 1, leased: 0 });
      expect((await store.unfinishedBatches()).some((one) => one.uuid === batch)).toBe(false);
      expect(await store.retryFailed(batch)).toMatchObject({ changed: 0, figures: { state: 'CANCELLED' } });
      expect(await store.cancelBatch('nowhere', 1)).toBeUndefined();
      await subject.expectSound(batch);
    });

    it('ends a cancelled batch at once when nothing is out, and leaves a finished one alone', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      expect(await store.cancelBatch(batch, 5_000)).toMatchObject({ state: 'CANCELLED', finishedAt: 5_000 });
      expect(await store.cancelBatch(batch, 6_000)).toMatchObject({ state: 'CANCELLED', finishedAt: 5_000 });
      const other = await submit(store, 1);
      const { task } = await claim(store, other, 1);
      await settle(store, task, { sent: [[0, 0]], now: 4_000 });
      expect(await store.cancelBatch(other, 6_000)).toMatchObject({ state: 'FINISHED', finishedAt: 4_000 });
      await subject.expectSound(batch);
      await subject.expectSound(other);
    });

    it('sends the failed ones again, and only those', async () => {
      const { store } = subject;
      const batch = await submit(store, 5);
      const a = await claim(store, batch, 5);
      await settle(store, a.task, { sent: [[0, 1]], outcomes: [failed(4), failed(2), unknown(3)] });
      const retried = await store.retryFailed(batch);
      expect(retried).toMatchObject({
        changed: 2,
        figures: { state: 'RUNNING', counts: { pending: 2, failed: 0, unknown: 1 } },
      });
      expect(retried?.figures.finishedAt).toBeUndefined();
      expect((await store.unfinishedBatches()).some((one) => one.uuid === batch)).toBe(true);
      const b = await claim(store, batch, 9);
      expect(b.claimed?.recipients).toMatchObject([
        { seq: 2, attempts: 0 },
        { seq: 4, attempts: 0 },
      ]);
      expect(await settle(store, b.task, { sent: [[2, 4]] })).toMatchObject({
        applied: 2,
        figures: { state: 'FINISHED' },
      });
      expect(await store.retryFailed(batch)).toMatchObject({ changed: 0 });
      expect(await store.retryFailed('nowhere')).toBeUndefined();
      await subject.expectSound(batch);
    });

    it('puts back what a paused relay refused, with no attempt charged', async () => {
      const { store } = subject;
      const batch = await submit(store, 4);
      const a = await claim(store, batch, 4);
      await settle(store, a.task, {
        sent: [[0, 0]],
        outcomes: [failed(1), failed(2, { charged: false }), failed(3)],
      });
      expect(await store.putBack(batch, [[0, 2]], 800)).toMatchObject({
        batch,
        figures: { state: 'RUNNING', counts: { deferred: 2, failed: 1, sent: 1 } },
      });
      expect(await store.listRecipients(batch, 'DEFERRED', -1, 9)).toMatchObject([
        { seq: 1, attempts: 0, dueAt: 800 },
        { seq: 2, attempts: 0, dueAt: 800 },
      ]);
      expect(await store.putBack('nowhere', [[0, 2]], 800)).toBeUndefined();
      await subject.expectSound(batch);
      await store.cancelBatch(batch, 1);
      expect(await store.putBack(batch, [[3, 3]], 800)).toMatchObject({
        figures: { counts: { failed: 1, deferred: 0 } },
      });
      await subject.expectSound(batch);
    });
  });
}
