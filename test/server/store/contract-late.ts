import { describe, expect, it } from 'vitest';
import { claim, deferred, failed, type Subject, settle, submit, unknown } from './fixture.ts';

export function lateContract(subject: Subject): void {
  const expire = (task: string, maybeBegun: number, hold = false) =>
    subject.store.expire({ task, now: 4_000, maybeBegun, hold });

  describe('ending a lease', () => {
    it('marks the first that remain as maybe sent, and has all of them pending again', async () => {
      const { store } = subject;
      const batch = await submit(store, 10);
      const a = await claim(store, batch, 8);
      await settle(store, a.task, {
        sent: [
          [0, 1],
          [3, 3],
        ],
      });
      const expired = await expire(a.task, 2);
      expect(expired).toMatchObject({
        batch,
        marked: 2,
        figures: { maybeSent: 2, counts: { pending: 7, sent: 3, leased: 0 } },
      });
      expect(await store.listRecipients(batch, 'MAYBE_SENT', -1, 10)).toMatchObject([
        { seq: 2, state: 'PENDING', attempts: 0, maybeSent: true, at: 4_000 },
        { seq: 4, state: 'PENDING' },
      ]);
      expect(await expire(a.task, 2)).toBeUndefined();
      expect((await store.leases()).some((lease) => lease.task === a.task)).toBe(false);
      const b = await claim(store, batch, 10);
      expect(b.seqs).toEqual([2, 4, 5, 6, 7, 8, 9]);
      expect(b.claimed?.recipients.map((one) => one.maybeSent)).toEqual([
        true,
        true,
        false,
        false,
        false,
        false,
        false,
      ]);
      await settle(store, b.task, { sent: [[2, 9]] });
      expect(await store.listRecipients(batch, 'MAYBE_SENT', -1, 10)).toMatchObject([
        { seq: 2, state: 'SENT' },
        { seq: 4 },
      ]);
      await subject.expectSound(batch);
    });

    it('marks in the order of the task, and each recipient once', async () => {
      const { store } = subject;
      const batch = await submit(store, 4);
      const a = await claim(store, batch, 4);
      await settle(store, a.task, { outcomes: [deferred(3, 1, { maybeSent: true })], done: true });
      await store.promoteDue(1, 10);
      const b = await claim(store, batch, 4);
      expect(b.seqs).toEqual([3, 0, 1, 2]);
      expect(await expire(b.task, 2)).toMatchObject({ marked: 2, figures: { maybeSent: 2 } });
      expect((await store.listRecipients(batch, 'MAYBE_SENT', -1, 10)).map((one) => one.seq)).toEqual([0, 3]);
      await subject.expectSound(batch);
    });

    it('holds what may have been sent, when the batch says so', async () => {
      const { store } = subject;
      const batch = await submit(store, 5);
      const a = await claim(store, batch, 5);
      expect(await expire(a.task, Infinity, true)).toMatchObject({
        marked: 5,
        figures: { state: 'FINISHED', finishedAt: 4_000, maybeSent: 5, counts: { unknown: 5 } },
      });
      await subject.expectSound(batch);
    });

    it('cancels what remains in a cancelled batch', async () => {
      const { store } = subject;
      const batch = await submit(store, 4);
      const a = await claim(store, batch, 3);
      await store.cancelBatch(batch, 1);
      expect(await expire(a.task, 1)).toMatchObject({
        marked: 1,
        figures: { state: 'CANCELLED', finishedAt: 4_000, maybeSent: 1, counts: { cancelled: 4 } },
      });
      await subject.expectSound(batch);
    });
  });

  describe('a late `sent`', () => {
    it('is a fact: what waits to be sent again is sent', async () => {
      const { store } = subject;
      const batch = await submit(store, 8);
      const a = await claim(store, batch, 7);
      await expire(a.task, 1);
      const b = await claim(store, batch, 4);
      expect(b.seqs).toEqual([0, 1, 2, 3]);
      await settle(store, b.task, { outcomes: [deferred(1, 99), failed(2), unknown(3)], returned: [[0, 0]] });
      const late = await settle(store, a.task, {
        sent: [[0, 4]],
        outcomes: [failed(5)],
        returned: [[6, 6]],
        done: true,
      });
      expect(late).toMatchObject({ applied: 5, remaining: 0, secondReports: 0 });
      expect(late?.figures.counts).toMatchObject({ sent: 5, pending: 3, deferred: 0, failed: 0, unknown: 0 });
      expect((await claim(store, batch, 9)).seqs).toEqual([5, 6, 7]);
      await subject.expectSound(batch);
    });

    it('takes a recipient from the task that leases it now, and tells when that one sends it too', async () => {
      const { store } = subject;
      const batch = await submit(store, 6);
      const a = await claim(store, batch, 6);
      await expire(a.task, 2);
      const b = await claim(store, batch, 6);
      expect(await settle(store, a.task, { sent: [[1, 3]] })).toMatchObject({
        applied: 3,
        secondReports: 0,
        figures: { counts: { sent: 3, leased: 3 } },
      });
      const [lease] = (await store.leases()).filter((one) => one.task === b.task);
      expect(lease?.remaining).toEqual([
        [0, 0],
        [4, 5],
      ]);
      await subject.expectSound(batch);
      const both = await settle(store, b.task, {
        sent: [
          [0, 1],
          [3, 5],
        ],
        outcomes: [failed(2)],
        done: true,
      });
      expect(both).toMatchObject({
        applied: 3,
        secondReports: 2,
        figures: { state: 'FINISHED', secondReports: 2 },
      });
      expect(await settle(store, b.task, { sent: [[0, 5]] })).toMatchObject({ applied: 0, secondReports: 1 });
      expect(await settle(store, b.task, { sent: [[0, 5]] })).toMatchObject({ applied: 0, secondReports: 0 });
      await subject.expectSound(batch);
    });

    it('tells of what was sent already, once', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const tasks: string[] = [];
      for (let i = 0; i < 3; i++) {
        const { task } = await claim(store, batch, 3);
        tasks.push(task);
        if (i < 2) await expire(task, 0);
      }
      const [first = '', second = '', third = ''] = tasks;
      await settle(store, third, { sent: [[0, 2]] });
      expect(await settle(store, first, { sent: [[0, 1]] })).toMatchObject({ applied: 0, secondReports: 2 });
      expect(await settle(store, first, { sent: [[0, 1]] })).toMatchObject({ applied: 0, secondReports: 0 });
      expect(await settle(store, second, { sent: [[1, 2]] })).toMatchObject({ applied: 0, secondReports: 1 });
      expect((await store.getBatch(batch))?.secondReports).toBe(3);
      await subject.expectSound(batch);
    });

    it('is kept in a cancelled batch, and when the task reported otherwise before', async () => {
      const { store } = subject;
      const batch = await submit(store, 4);
      const a = await claim(store, batch, 3);
      await settle(store, a.task, { outcomes: [failed(0)], returned: [[1, 1]] });
      await store.cancelBatch(batch, 1);
      expect(await settle(store, a.task, { sent: [[0, 1]] })).toMatchObject({
        applied: 2,
        remaining: 1,
        figures: { state: 'CANCELLED', counts: { sent: 2, cancelled: 1, leased: 1 } },
      });
      await subject.expectSound(batch);
    });

    it('finishes a batch when nothing else was left, and after a restart too', async () => {
      const batch = await submit(subject.store, 2);
      const a = await claim(subject.store, batch, 2);
      await expire(a.task, 1);
      await subject.store.pauseBatch(batch);
      const store = await subject.reopen();
      expect(await settle(store, a.task, { sent: [[0, 1]], now: 7_000 })).toMatchObject({
        applied: 2,
        figures: { state: 'FINISHED', finishedAt: 7_000 },
      });
      await subject.expectSound(batch);
    });
  });
}
