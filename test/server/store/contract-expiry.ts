import { describe, expect, it } from 'vitest';
import { claim, deferred, type Subject, settle, submit } from './fixture.ts';

const REPLY = 'expired 5 days after its submission';

export function expiryContract(subject: Subject): void {
  describe('a batch whose time is over', () => {
    it('fails what waits, so many at a time: tried before, deferred, fresh', async () => {
      const { store } = subject;
      const batch = await submit(store, 8);
      const a = await claim(store, batch, 4);
      await settle(store, a.task, { sent: [[0, 0]], outcomes: [deferred(1, 5_000), deferred(2, 100)] });
      await store.promoteDue(200, 9);
      const first = await store.expireBatch(batch, { now: 9_000, reply: REPLY, limit: 1 });
      expect(first).toMatchObject({
        changed: 1,
        figures: { state: 'RUNNING', counts: { pending: 4, deferred: 1, failed: 1, leased: 1, sent: 1 } },
      });
      expect(await store.listRecipients(batch, 'FAILED', -1, 9)).toMatchObject([
        { seq: 2, attempts: 1, reply: REPLY, at: 9_000 },
      ]);
      expect(await store.expireBatch(batch, { now: 9_000, reply: REPLY, limit: 3 })).toMatchObject({
        changed: 3,
        figures: { counts: { pending: 2, deferred: 0, failed: 4 } },
      });
      await subject.expectSound(batch);
      expect(await store.expireBatch(batch, { now: 9_000, reply: REPLY, limit: 9 })).toMatchObject({
        changed: 2,
        figures: { counts: { pending: 0, failed: 6, leased: 1 } },
      });
      const listed = await store.listRecipients(batch, 'FAILED', -1, 9);
      expect(listed.map(({ seq }) => seq)).toEqual([1, 2, 4, 5, 6, 7]);
      expect(listed.every(({ reply, dueAt }) => reply === REPLY && dueAt === undefined)).toBe(true);
      expect(listed[2]).not.toHaveProperty('relay');
      await subject.expectSound(batch);
    });

    it('lets what is out come back, and fails it then; the last one finishes the batch, paused or not', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const { task } = await claim(store, batch, 3);
      expect(await store.expireBatch(batch, { now: 9_000, reply: REPLY, limit: 9 })).toMatchObject({
        changed: 0,
        figures: { state: 'RUNNING', counts: { leased: 3 } },
      });
      await store.pauseBatch(batch);
      await settle(store, task, { sent: [[0, 0]], returned: [[1, 1]], outcomes: [deferred(2, 50)] });
      expect(await store.expireBatch(batch, { now: 9_500, reply: REPLY, limit: 9 })).toMatchObject({
        changed: 2,
        figures: { state: 'FINISHED', finishedAt: 9_500, counts: { sent: 1, failed: 2 } },
      });
      await subject.expectSound(batch);
    });

    it('keeps a mark of what may have been sent, and takes a late success for a fact', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      const { task } = await claim(store, batch, 2);
      await store.expire({ task, now: 4_000, maybeBegun: 1, hold: false });
      await store.expireBatch(batch, { now: 9_000, reply: REPLY, limit: 9 });
      expect(await store.listRecipients(batch, 'MAYBE_SENT', -1, 9)).toMatchObject([
        { seq: 0, state: 'FAILED', reply: REPLY },
      ]);
      expect(await settle(store, task, { sent: [[0, 0]] })).toMatchObject({
        applied: 1,
        figures: { state: 'FINISHED', counts: { sent: 1, failed: 1 } },
      });
      await subject.expectSound(batch);
    });

    it('is left alone when it is cancelled or finished, and unknown when it is not there', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      await store.cancelBatch(batch, 5_000);
      const expiry = { now: 9_000, reply: REPLY, limit: 9 };
      expect(await store.expireBatch(batch, expiry)).toMatchObject({
        changed: 0,
        figures: { state: 'CANCELLED', counts: { cancelled: 2 } },
      });
      expect(await store.expireBatch('nowhere', expiry)).toBeUndefined();
      await subject.expectSound(batch);
    });
  });
}
