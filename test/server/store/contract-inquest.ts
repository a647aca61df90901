import { describe, expect, it } from 'vitest';
import { eachSeq, type SeqRanges } from '../../../protocol/index.ts';
import type { Inquest, Judgement } from '../../../server/dispatch/store.ts';
import { claim, deferred, failed, type Subject, settle, submit, unique, unknown } from './fixture.ts';

/** Gives every suspect the same verdict, and remembers whom it was asked about. */
function inquest(first: number, verdict: Judgement['verdict']): Inquest & { readonly asked: SeqRanges[] } {
  const asked: SeqRanges[] = [];
  return {
    first,
    asked,
    judge: (suspects) => {
      asked.push(suspects);
      const among = [...eachSeq(suspects)];
      return among.map((seq) => ({
        seq,
        deaths: 3,
        among: among.length,
        alone: 0,
        verdict,
        reply: 'set aside',
      }));
    },
  };
}

export function inquestContract(subject: Subject): void {
  const claimAside = async (batch: string, aside: SeqRanges, count = 9) => {
    const task = unique('task');
    const request = { batch, task, worker: 'bob', relay: 'mx', count, now: 5_000, aside };
    return { task, claimed: await subject.store.claim(request) };
  };

  describe('the death of a worker', () => {
    it('sets the suspects aside: no claim takes them but one that names them', async () => {
      const { store } = subject;
      const batch = await submit(store, 6);
      const a = await claim(store, batch, 4);
      const death = inquest(2, 'ASIDE');
      const expired = await store.expire({
        task: a.task,
        now: 4_000,
        maybeBegun: 1,
        hold: false,
        inquest: death,
      });
      expect(death.asked.at(-1)).toEqual([[0, 1]]);
      expect(expired).toMatchObject({
        marked: 1,
        judged: [{ seq: 0, verdict: 'ASIDE' }, { seq: 1 }],
        figures: { state: 'RUNNING', counts: { deferred: 2, pending: 4 } },
      });
      await subject.expectSound(batch);
      const reopened = await subject.reopen();
      expect((await reopened.suspicions()).filter((one) => one.batch === batch)).toEqual([
        { batch, seq: 0, deaths: 3, among: 2, alone: 0, aside: true },
        { batch, seq: 1, deaths: 3, among: 2, alone: 0, aside: true },
      ]);
      expect((await reopened.promoteDue(1e15, 10)).nextDueAt).toBeUndefined();
      expect((await claim(reopened, batch, 9)).seqs).toEqual([2, 3, 4, 5]);
      const listed = await reopened.listRecipients(batch, 'DEFERRED', -1, 9);
      expect(listed.map(({ seq, dueAt }) => [seq, dueAt])).toEqual([
        [0, undefined],
        [1, undefined],
      ]);
      const first = await claimAside(batch, [[0, 5]], 1);
      expect(first.claimed).toMatchObject({
        recipients: [{ seq: 0, address: 'r0@example.net', maybeSent: true }],
        figures: { counts: { deferred: 1, leased: 5, pending: 0 } },
      });
      const second = await claimAside(batch, [[0, 5]]);
      expect(second.claimed?.recipients).toMatchObject([{ seq: 1, maybeSent: false }]);
      expect((await claimAside(batch, [[0, 5]])).claimed).toBeUndefined();
      await settle(subject.store, first.task, { sent: [[0, 0]], cleared: [[0, 0]] });
      expect((await subject.store.suspicions()).filter((one) => one.batch === batch)).toMatchObject([
        { seq: 1, aside: false },
      ]);
      await subject.expectSound(batch);
    });

    it('gives up those that may have been sent as unknown, the others as failed', async () => {
      const { store } = subject;
      const batch = await submit(store, 2);
      const a = await claim(store, batch, 2);
      const expired = await store.expire({
        task: a.task,
        now: 4_000,
        maybeBegun: 1,
        hold: false,
        inquest: inquest(2, 'GIVE_UP'),
      });
      expect(expired?.figures).toMatchObject({
        state: 'FINISHED',
        finishedAt: 4_000,
        counts: { unknown: 1, failed: 1 },
      });
      expect(await store.listRecipients(batch, 'UNKNOWN', -1, 9)).toMatchObject([
        { seq: 0, reply: 'set aside', at: 4_000 },
      ]);
      expect(await store.listRecipients(batch, 'FAILED', -1, 9)).toMatchObject([
        { seq: 1, reply: 'set aside' },
      ]);
      await subject.expectSound(batch);
    });

    it('leaves those it does not concern: free ones, what is cancelled, what is held', async () => {
      const { store } = subject;
      const free = await submit(store, 2);
      const a = await claim(store, free, 2);
      await store.expire({
        task: a.task,
        now: 4_000,
        maybeBegun: 0,
        hold: false,
        inquest: inquest(1, 'FREE'),
      });
      expect((await store.suspicions()).filter((one) => one.batch === free)).toMatchObject([
        { seq: 0, aside: false },
      ]);
      expect((await claim(store, free, 9)).seqs).toEqual([0, 1]);
      const cancelled = await submit(store, 2);
      const b = await claim(store, cancelled, 2);
      await store.cancelBatch(cancelled, 3_000);
      await store.expire({
        task: b.task,
        now: 4_000,
        maybeBegun: 2,
        hold: false,
        inquest: inquest(2, 'ASIDE'),
      });
      expect((await store.getBatch(cancelled))?.counts).toMatchObject({ cancelled: 2, deferred: 0 });
      const held = await submit(store, 2);
      const c = await claim(store, held, 2);
      await store.expire({
        task: c.task,
        now: 4_000,
        maybeBegun: 2,
        hold: true,
        inquest: inquest(2, 'GIVE_UP'),
      });
      expect((await store.getBatch(held))?.counts).toMatchObject({ unknown: 2, failed: 0 });
      for (const batch of [free, cancelled, held]) await subject.expectSound(batch);
    });

    it('suspects of what its journal tells those without an answer', async () => {
      const { store } = subject;
      const batch = await submit(store, 9);
      const a = await claim(store, batch, 8);
      await settle(store, a.task, { sent: [[0, 0]] });
      const death = inquest(5, 'ASIDE');
      const settled = await settle(store, a.task, {
        sent: [[1, 1]],
        outcomes: [failed(2), deferred(3, 99, { maybeSent: true }), unknown(4, { maybeSent: true })],
        returned: [[5, 7]],
        done: true,
        inquest: death,
      });
      expect(death.asked.at(-1)).toEqual([[3, 5]]);
      expect(settled).toMatchObject({
        remaining: 0,
        judged: [{ seq: 3 }, { seq: 4 }, { seq: 5 }],
        figures: { counts: { sent: 2, failed: 1, unknown: 1, deferred: 2, pending: 3 } },
      });
      expect((await claimAside(batch, [[0, 8]])).claimed?.recipients.map(({ seq }) => seq)).toEqual([3, 5]);
      await subject.expectSound(batch);
    });

    it('changes nothing when it cannot be written', async () => {
      const { store, fixture } = subject;
      const batch = await submit(store, 2);
      const a = await claim(store, batch, 2);
      const expiry = { task: a.task, now: 4_000, maybeBegun: 2, hold: false };
      await fixture.failing(store, async () => {
        const asked = store.expire({ ...expiry, inquest: inquest(2, 'ASIDE') });
        await expect(asked).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      });
      expect((await store.suspicions()).filter((one) => one.batch === batch)).toEqual([]);
      expect(await store.possibleDuplicates(batch, 0, 9)).toEqual([]);
      expect(await store.expire({ ...expiry, inquest: inquest(2, 'ASIDE') })).toMatchObject({ marked: 2 });
      await subject.expectSound(batch);
    });
  });
}
