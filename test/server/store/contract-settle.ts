import { describe, expect, it } from 'vitest';
import { claim, deferred, failed, type Subject, settle, submit, unknown } from './fixture.ts';

export function settleContract(subject: Subject): void {
  describe('settling', () => {
    it('counts what was sent, step by step, and finishes the batch with the last', async () => {
      const { store } = subject;
      const batch = await submit(store, 10);
      const { task } = await claim(store, batch, 10);
      expect(
        await settle(store, task, {
          sent: [
            [0, 3],
            [6, 6],
          ],
        }),
      ).toMatchObject({
        batch,
        applied: 5,
        remaining: 5,
        secondReports: 0,
        figures: { state: 'RUNNING', counts: { leased: 5, sent: 5 } },
      });
      const last = await settle(store, task, {
        sent: [
          [4, 5],
          [7, 9],
        ],
        done: true,
        now: 9_000,
      });
      expect(last).toMatchObject({
        applied: 5,
        remaining: 0,
        figures: { state: 'FINISHED', finishedAt: 9_000 },
      });
      expect((await store.getBatch(batch))?.finishedAt).toBe(9_000);
      expect((await store.unfinishedBatches()).some((one) => one.uuid === batch)).toBe(false);
      await subject.expectSound(batch);
    });

    it('applies a repeated report once', async () => {
      const { store } = subject;
      const batch = await submit(store, 4);
      const { task } = await claim(store, batch, 4);
      const report = {
        sent: [[0, 1]] as const,
        outcomes: [failed(2)],
        returned: [[3, 3]] as const,
        done: true,
      };
      expect(await settle(store, task, report)).toMatchObject({ applied: 4, remaining: 0 });
      const repeated = await settle(store, task, report);
      expect(repeated).toMatchObject({ applied: 0, remaining: 0, secondReports: 0 });
      expect(repeated?.figures.counts).toMatchObject({ pending: 1, sent: 2, failed: 1 });
      const again = await (await subject.reopen()).settle({ task, now: 1, ...report });
      expect(again).toMatchObject({ applied: 0, secondReports: 0 });
      await subject.expectSound(batch);
    });

    it('keeps of each that was not sent what people want to know', async () => {
      const { store } = subject;
      const batch = await submit(store, 6);
      const { task } = await claim(store, batch, 6);
      const outcomes = [
        failed(4, { reply: '5'.repeat(5_000) }),
        failed(1),
        deferred(2, 70, { charged: false }),
        deferred(3, 60, { maybeSent: true }),
        unknown(0),
      ];
      const settled = await settle(store, task, { outcomes });
      expect(settled?.figures).toMatchObject({
        maybeSent: 1,
        counts: { failed: 2, deferred: 2, unknown: 1, leased: 1 },
      });
      const common = { worker: 'ana', relay: 'mx', at: 3_000, maybeSent: false };
      expect(await store.listRecipients(batch, 'FAILED', -1, 1)).toEqual([
        {
          ...common,
          seq: 1,
          address: 'r1@example.net',
          state: 'FAILED',
          attempts: 1,
          reply: '550 no such user',
        },
      ]);
      const [next] = await store.listRecipients(batch, 'FAILED', 1, 10);
      expect(next).toMatchObject({ seq: 4, reply: '5'.repeat(1_000) });
      expect(await store.listRecipients(batch, 'DEFERRED', -1, 10)).toEqual([
        {
          ...common,
          seq: 2,
          address: 'r2@example.net',
          state: 'DEFERRED',
          attempts: 0,
          reply: '451 later',
          dueAt: 70,
        },
        {
          ...common,
          seq: 3,
          address: 'r3@example.net',
          state: 'DEFERRED',
          attempts: 1,
          reply: '451 later',
          dueAt: 60,
          maybeSent: true,
        },
      ]);
      expect(await store.listRecipients(batch, 'UNKNOWN', -1, 10)).toMatchObject([{ seq: 0, attempts: 1 }]);
      expect(await store.listRecipients(batch, 'MAYBE_SENT', -1, 10)).toMatchObject([{ seq: 3 }]);
      await subject.expectSound(batch);
    });

    it('believes `sent` before an outcome, and the first outcome before the next', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const { task } = await claim(store, batch, 3);
      const settled = await settle(store, task, {
        sent: [[0, 0]],
        outcomes: [failed(0), failed(1), deferred(1, 5)],
        returned: [[0, 2]],
      });
      expect(settled).toMatchObject({ applied: 3, figures: { counts: { sent: 1, failed: 1, pending: 1 } } });
      await subject.expectSound(batch);
    });

    it('ignores recipients that the task never had', async () => {
      const { store } = subject;
      const batch = await submit(store, 6);
      const a = await claim(store, batch, 3);
      await claim(store, batch, 2);
      const settled = await settle(store, a.task, {
        sent: [
          [2, 5],
          [90, 99],
        ],
        outcomes: [failed(3)],
        returned: [[4, 4]],
      });
      expect(settled).toMatchObject({
        applied: 1,
        remaining: 2,
        figures: { counts: { leased: 4, sent: 1, pending: 1 } },
      });
      await subject.expectSound(batch);
    });

    it('knows nothing of a task that never was', async () => {
      expect(await settle(subject.store, 'nobody', { sent: [[0, 0]] })).toBeUndefined();
      expect(
        await subject.store.expire({ task: 'nobody', now: 1, maybeBegun: 0, hold: false }),
      ).toBeUndefined();
    });

    it('sends a deferred recipient again when its time has come', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const { task } = await claim(store, batch, 3);
      await settle(store, task, { outcomes: [deferred(0, 300), deferred(1, 100), deferred(2, 200)] });
      expect(await store.promoteDue(99, 10)).toEqual({ moved: [], nextDueAt: 100 });
      const one = await store.promoteDue(1_000, 1);
      expect(one.nextDueAt).toBe(200);
      expect(one.moved).toMatchObject([{ batch, figures: { counts: { pending: 1, deferred: 2 } } }]);
      expect((await claim(store, batch, 3)).seqs).toEqual([1]);
      await store.pauseBatch(batch);
      expect(await store.promoteDue(1_000, 10)).toEqual({ moved: [] });
      await store.resumeBatch(batch);
      expect((await store.promoteDue(1_000, 10)).nextDueAt).toBeUndefined();
      const b = await claim(store, batch, 3);
      expect(b.seqs).toEqual([0, 2]);
      await settle(store, b.task, { outcomes: [deferred(0, 2_000)], sent: [[2, 2]] });
      expect(await store.listRecipients(batch, 'DEFERRED', -1, 9)).toMatchObject([
        { seq: 0, attempts: 2, dueAt: 2_000 },
      ]);
      await subject.expectSound(batch);
      await store.cancelBatch(batch, 1);
    });

    it('counts a recipient as maybe sent once, however often it may have been', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      for (const charged of [true, false, true]) {
        const { task } = await claim(store, batch, 1);
        const settled = await settle(store, task, {
          outcomes: [deferred(0, 10, { charged, maybeSent: true })],
        });
        expect(settled?.figures.maybeSent).toBe(1);
        await store.promoteDue(10, 10);
      }
      const { task, seqs, claimed } = await claim(store, batch, 2);
      expect(seqs).toEqual([0, 1]);
      expect(claimed?.recipients[0]).toMatchObject({ attempts: 2, maybeSent: true });
      expect(await store.expire({ task, now: 1, maybeBegun: 1, hold: false })).toMatchObject({
        marked: 1,
        figures: { maybeSent: 1 },
      });
      await subject.expectSound(batch);
    });

    it('changes nothing when it cannot write', async () => {
      const { store, fixture } = subject;
      const batch = await submit(store, 5);
      const { task } = await claim(store, batch, 5);
      await fixture.failing(store, async () => {
        const reports = [
          settle(store, task, { sent: [[0, 2]] }),
          settle(store, task, { outcomes: [failed(3)] }),
        ];
        for (const one of reports) await expect(one).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      });
      expect(await settle(store, task, { sent: [[0, 4]] })).toMatchObject({
        applied: 5,
        figures: { state: 'FINISHED' },
      });
      await subject.expectSound(batch);
    });
  });
}
