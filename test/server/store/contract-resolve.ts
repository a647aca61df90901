import { describe, expect, it } from 'vitest';
import { RESOLVED_BY_HAND, TAKEN_FOR_SENT } from '../../../server/batches/store.ts';
import { ACCEPTED_TWICE, LINE_CUT } from '../../../server/dispatch/store.ts';
import { claim, deferred, failed, type Subject, settle, submit, unknown } from './fixture.ts';

export function resolveContract(subject: Subject): void {
  const duplicates = async (batch: string) =>
    (await subject.store.possibleDuplicates(batch, 0, 100)).map(({ id: _, ...one }) => one);

  describe('resolving what is unknown', () => {
    it('takes those meant for sent, marked as such, and leaves the others', async () => {
      const { store } = subject;
      const batch = await submit(store, 4);
      const { task } = await claim(store, batch, 4);
      await settle(store, task, { sent: [[0, 0]], outcomes: [unknown(1), unknown(2), failed(3)] });
      expect(await store.resolveUnknown(batch, 'SENT', [[0, 1]], 7_000)).toMatchObject({
        changed: 1,
        figures: { state: 'FINISHED', counts: { sent: 2, unknown: 1, failed: 1 }, maybeSent: 0 },
      });
      expect(await store.resolveUnknown(batch, 'SENT', undefined, 7_000)).toMatchObject({ changed: 1 });
      expect(await store.resolveUnknown(batch, 'SENT', undefined, 7_000)).toMatchObject({ changed: 0 });
      expect(await store.resolveUnknown('nowhere', 'SENT', undefined, 7_000)).toBeUndefined();
      await subject.expectSound(batch);
    });

    it('takes the acceptance of one taken for sent for that one, and only the next for a second one', async () => {
      const { store } = subject;
      const batch = await submit(store, 1);
      const a = await claim(store, batch, 1);
      await settle(store, a.task, { outcomes: [unknown(0, { maybeSent: true })] });
      await store.resolveUnknown(batch, 'RETRY', undefined, 7_000);
      const b = await claim(store, batch, 1);
      await settle(store, b.task, { outcomes: [unknown(0, { maybeSent: true })] });
      await store.resolveUnknown(batch, 'SENT', undefined, 8_000);
      expect(await store.listRecipients(batch, 'MAYBE_SENT', -1, 9)).toMatchObject([
        { state: 'SENT', reply: TAKEN_FOR_SENT, at: 8_000 },
      ]);
      expect(await settle(store, b.task, { sent: [[0, 0]] })).toMatchObject({
        applied: 0,
        secondReports: 0,
        figures: { secondReports: 0, counts: { sent: 1 } },
      });
      const reopened = await subject.reopen();
      expect(await settle(reopened, a.task, { sent: [[0, 0]] })).toMatchObject({
        secondReports: 1,
        figures: { secondReports: 1 },
      });
      await subject.expectSound(batch);
    });

    it('has them pending again, marked, with no attempts; a finished batch runs again', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const a = await claim(store, batch, 3);
      await settle(store, a.task, {
        sent: [[0, 0]],
        outcomes: [unknown(1), unknown(2, { maybeSent: true })],
      });
      const retried = await store.resolveUnknown(batch, 'RETRY', undefined, 7_000);
      expect(retried).toMatchObject({
        changed: 2,
        figures: { state: 'RUNNING', counts: { pending: 2, unknown: 0 }, maybeSent: 2 },
      });
      expect(retried?.figures.finishedAt).toBeUndefined();
      const b = await claim(store, batch, 9);
      expect(b.claimed?.recipients).toMatchObject([
        { seq: 1, attempts: 0, maybeSent: true },
        { seq: 2, attempts: 0, maybeSent: true },
      ]);
      await subject.expectSound(batch);
    });

    it('sends nothing of a cancelled batch again, and takes its unknown ones for sent', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      const a = await claim(store, batch, 2);
      await store.cancelBatch(batch, 2_500);
      await settle(store, a.task, { outcomes: [unknown(0), unknown(1)] });
      expect(await store.resolveUnknown(batch, 'RETRY', undefined, 7_000)).toMatchObject({
        changed: 0,
        figures: { counts: { unknown: 2 } },
      });
      expect(await store.resolveUnknown(batch, 'SENT', undefined, 7_000)).toMatchObject({
        changed: 2,
        figures: { state: 'CANCELLED', finishedAt: 3_000, counts: { sent: 2 } },
      });
      await subject.expectSound(batch);
    });
  });

  describe('possible duplicates', () => {
    it('has one row for each event, with its worker, relay, time and reason, also after a restart', async () => {
      const { store } = subject;
      const batch = await submit(store, 10);
      const a = await claim(store, batch, 10);
      await settle(store, a.task, {
        sent: [[0, 1]],
        outcomes: [
          deferred(2, 10, { maybeSent: true }),
          deferred(4, 10, { maybeSent: true }),
          unknown(3, { maybeSent: true, why: 'journal: begun, no result' }),
          failed(5),
        ],
      });
      await store.expire({ task: a.task, now: 4_000, maybeBegun: 3, hold: false, why: 'lease lost: gone' });
      await store.resolveUnknown(batch, 'RETRY', undefined, 5_000);
      const b = await claim(store, batch, 1);
      await settle(store, b.task, { sent: [[3, 3]] });
      await settle(store, a.task, { sent: [[3, 3]], now: 6_000 });
      const by = { task: a.task, worker: 'ana', relay: 'mx' };
      const expected = [
        {
          ...by,
          at: 3_000,
          why: LINE_CUT,
          seqs: [
            [2, 2],
            [4, 4],
          ],
        },
        { ...by, at: 3_000, why: 'journal: begun, no result', seqs: [[3, 3]] },
        { ...by, at: 4_000, why: 'lease lost: gone', seqs: [[6, 8]] },
        { at: 5_000, why: RESOLVED_BY_HAND, seqs: [[3, 3]] },
        { ...by, at: 6_000, why: ACCEPTED_TWICE, seqs: [[3, 3]] },
      ];
      expect(await duplicates(batch)).toEqual(expected);
      await subject.reopen();
      expect(await duplicates(batch)).toEqual(expected);
      await subject.expectSound(batch);
    });

    it('are read page by page, and are none where all went well', async () => {
      const { store } = subject;
      const batch = await submit(store, 3);
      const a = await claim(store, batch, 3);
      expect(await store.possibleDuplicates(batch, 0, 9)).toEqual([]);
      for (const seq of [0, 1, 2]) {
        await settle(store, a.task, { outcomes: [unknown(seq, { maybeSent: true })] });
      }
      const [first, ...more] = await store.possibleDuplicates(batch, 0, 2);
      expect(more).toHaveLength(1);
      expect(await store.possibleDuplicates(batch, first?.id ?? 0, 9)).toMatchObject([
        { seqs: [[1, 1]] },
        { seqs: [[2, 2]] },
      ]);
      expect(await store.possibleDuplicates('nowhere', 0, 9)).toEqual([]);
      await subject.expectSound(batch);
    });

    it('says who tried the unknown ones last', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      const a = await claim(store, batch, 2);
      await settle(store, a.task, { outcomes: [unknown(0)] });
      await store.expire({ task: a.task, now: 4_000, maybeBegun: 1, hold: true });
      expect(await store.listRecipients(batch, 'UNKNOWN', -1, 9)).toMatchObject([
        { seq: 0, worker: 'ana', relay: 'mx', reply: 'no reply to the final dot', at: 3_000 },
        { seq: 1, worker: 'ana', relay: 'mx', reply: 'the worker was lost before it reported', at: 4_000 },
      ]);
    });
  });
}
