import { describe, expect, it } from 'vitest';
import { claim, deferred, recipient, type Subject, seqsOf, settle, submit, unique } from './fixture.ts';

export function claimContract(subject: Subject): void {
  describe('claiming', () => {
    it('leases recipients in order of seq, each to one task', async () => {
      const { store } = subject;
      const batch = await submit(store, 10);
      const first = await claim(store, batch, 4);
      const second = await claim(store, batch, 100);
      expect(first.claimed?.recipients).toEqual(
        [0, 1, 2, 3].map((seq) => ({
          seq,
          name: undefined,
          variables: undefined,
          ...recipient(seq),
          attempts: 0,
          maybeSent: false,
        })),
      );
      expect(first.claimed?.figures.counts).toMatchObject({ pending: 6, leased: 4 });
      expect(second.seqs).toEqual([4, 5, 6, 7, 8, 9]);
      expect((await claim(store, batch, 1)).claimed).toBeUndefined();
      await subject.expectSound(batch);
    });

    it('shares a batch among claims of one turn', async () => {
      const { store } = subject;
      const batch = await submit(store, 25);
      const claims = await Promise.all([10, 10, 10].map((count) => claim(store, batch, count)));
      expect(claims.map((one) => one.seqs.length)).toEqual([10, 10, 5]);
      expect(new Set(claims.flatMap((one) => one.seqs)).size).toBe(25);
      await subject.expectSound(batch);
    });

    it('takes those pending again first, with their attempts, then those handed back', async () => {
      const { store } = subject;
      const batch = await submit(store, 12);
      const a = await claim(store, batch, 8);
      await settle(store, a.task, {
        sent: [[4, 4]],
        outcomes: [deferred(7, 50), deferred(5, 50, { maybeSent: true })],
        done: true,
      });
      await store.promoteDue(50, 10);
      const b = await claim(store, batch, 9);
      expect(b.seqs).toEqual([5, 7, 0, 1, 2, 3, 6, 8, 9]);
      expect(b.claimed?.recipients[0]).toMatchObject({ seq: 5, attempts: 1, maybeSent: true });
      const [lease] = (await store.leases()).filter((one) => one.task === b.task);
      expect(lease).toEqual({
        task: b.task,
        batch,
        worker: 'ana',
        relay: 'mx',
        remaining: [
          [5, 5],
          [7, 7],
          [0, 3],
          [6, 6],
          [8, 9],
        ],
        claimedAt: 2_000,
      });
      await subject.expectSound(batch);
    });

    it('gives nothing of a batch that is paused, cancelled or unknown', async () => {
      const { store } = subject;
      const [paused, cancelled] = [await submit(store, 2), await submit(store, 2)];
      await store.pauseBatch(paused);
      await store.cancelBatch(cancelled, 1);
      for (const batch of [paused, cancelled, 'nowhere']) {
        expect((await claim(store, batch, 1)).claimed).toBeUndefined();
      }
      await store.resumeBatch(paused);
      expect((await claim(store, paused, 1)).seqs).toEqual([0]);
    });

    it('keeps leases over a restart, in the order of the task', async () => {
      const batch = await submit(subject.store, 6);
      const a = await claim(subject.store, batch, 6);
      await settle(subject.store, a.task, {
        sent: [[0, 0]],
        outcomes: [deferred(4, 10)],
        returned: [[1, 1]],
      });
      await subject.store.promoteDue(10, 10);
      const b = await claim(subject.store, batch, 2);
      expect(b.seqs).toEqual([4, 1]);
      const store = await subject.reopen();
      const leases = (await store.leases()).filter((lease) => lease.batch === batch);
      expect(leases.map((lease) => lease.remaining)).toEqual([
        [
          [2, 3],
          [5, 5],
        ],
        [
          [4, 4],
          [1, 1],
        ],
      ]);
      expect(
        await settle(store, b.task, {
          sent: [
            [1, 1],
            [4, 4],
          ],
        }),
      ).toMatchObject({ applied: 2, remaining: 0 });
      await subject.expectSound(batch);
    });

    it('leases nothing when it cannot write', async () => {
      const { store, fixture } = subject;
      const batch = await submit(store, 3);
      await fixture.failing(store, async () => {
        const request = { batch, worker: 'w', relay: 'r', count: 2, now: 1 };
        const claims = [unique('task'), unique('task')].map((task) => store.claim({ ...request, task }));
        for (const one of claims) await expect(one).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        expect((await store.getBatch(batch))?.counts.pending).toBe(3);
      });
      const after = await store.claim({
        batch,
        task: unique('task'),
        worker: 'w',
        relay: 'r',
        count: 5,
        now: 1,
      });
      expect(seqsOf(after)).toEqual([0, 1, 2]);
      await subject.expectSound(batch);
    });
  });
}
