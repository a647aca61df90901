import { describe, expect, it } from 'vitest';
import { commit, MESSAGE, OPTIONS, recipients, type Subject, submit, unique } from './fixture.ts';

export function intakeContract(subject: Subject): void {
  const open = async (key?: string): Promise<string> => {
    const uuid = unique('batch');
    await subject.store.openBatch({
      uuid,
      key,
      name: 'News',
      message: MESSAGE,
      options: OPTIONS,
      createdAt: 1_000,
    });
    return uuid;
  };

  describe('taking a batch in', () => {
    it('gives back a committed batch as it was submitted', async () => {
      const { store } = subject;
      const uuid = await open('key-a');
      await store.addRecipients(uuid, 0, recipients(0, 45));
      await store.addRecipients(uuid, 45, recipients(45, 3));
      const message = { ...MESSAGE, ATTACHMENTS: [{ FILENAME: 'a.txt', CONTENT: 'b2s=' }] };
      const record = await store.commitBatch(uuid, {
        message,
        total: 48,
        rejected: 2,
        duplicates: 1,
        fingerprint: 'print-a',
      });
      const counts = {
        total: 48,
        pending: 48,
        leased: 0,
        deferred: 0,
        sent: 0,
        failed: 0,
        unknown: 0,
        suppressed: 0,
        cancelled: 0,
      };
      expect(record).toEqual({
        uuid,
        key: 'key-a',
        name: 'News',
        message,
        options: OPTIONS,
        state: 'RUNNING',
        counts,
        rejected: 2,
        duplicates: 1,
        maybeSent: 0,
        secondReports: 0,
        createdAt: 1_000,
      });
      expect(await store.getBatch(uuid)).toEqual(record);
      expect(await store.findKey('key-a')).toEqual({ uuid, fingerprint: 'print-a' });
      const again = await subject.reopen();
      expect(await again.getBatch(uuid)).toEqual(record);
      expect(await again.findKey('key-a')).toEqual({ uuid, fingerprint: 'print-a' });
      await subject.expectSound(uuid);
    });

    it('lists batches newest first, without attachments', async () => {
      const { store } = subject;
      const first = await submit(store, 1);
      const second = await open();
      await store.addRecipients(second, 0, recipients(0, 1));
      const message = { ...MESSAGE, ATTACHMENTS: [{ FILENAME: 'a.txt', CONTENT: 'b2s=' }] };
      await store.commitBatch(second, { message, total: 1, rejected: 0, duplicates: 0, fingerprint: '' });
      const listed = await store.listBatches(2);
      expect(listed.map((batch) => batch.uuid)).toEqual([second, first]);
      expect(listed[0]?.message).toEqual(MESSAGE);
      expect((await store.unfinishedBatches()).slice(-2).map((batch) => batch.uuid)).toEqual([first, second]);
    });

    it('shows an open batch to nobody', async () => {
      const { store } = subject;
      const uuid = await open('key-open');
      await store.addRecipients(uuid, 0, recipients(0, 10));
      expect(await store.getBatch(uuid)).toBeUndefined();
      expect(await store.findKey('key-open')).toBeUndefined();
      expect((await store.listBatches(1_000)).some((batch) => batch.uuid === uuid)).toBe(false);
      expect((await store.unfinishedBatches()).some((batch) => batch.uuid === uuid)).toBe(false);
      expect(await store.listRecipients(uuid, 'FAILED', -1, 10)).toEqual([]);
      expect(
        await store.claim({ batch: uuid, task: unique('task'), worker: 'w', relay: 'r', count: 1, now: 1 }),
      ).toBeUndefined();
      expect(await store.pauseBatch(uuid)).toBeUndefined();
      expect(await store.cancelBatch(uuid, 1)).toBeUndefined();
      expect(await store.retryFailed(uuid)).toBeUndefined();
      await store.dropOpenBatch(uuid);
    });

    it('refuses to add to, or to commit, what is not open', async () => {
      const { store } = subject;
      const notOpen = { code: 'BATCH_NOT_OPEN' };
      const committed = await submit(store, 2);
      const dropped = await open();
      await store.dropOpenBatch(dropped);
      for (const uuid of [committed, dropped, 'nowhere']) {
        await expect(store.addRecipients(uuid, 0, recipients(0, 1))).rejects.toMatchObject(notOpen);
        await expect(commit(store, uuid, 0)).rejects.toMatchObject(notOpen);
      }
      expect((await store.getBatch(committed))?.counts.pending).toBe(2);
      await subject.expectSound(committed);
    });

    it('commits one batch under a key, and refuses the other', async () => {
      const { store } = subject;
      const [one, two] = [await open('key-race'), await open('key-race')];
      const [first, second] = await Promise.allSettled([commit(store, one, 0), commit(store, two, 0)]);
      expect(first.status).toBe('fulfilled');
      expect(second).toMatchObject({ status: 'rejected', reason: { code: 'KEY_TAKEN', retry: false } });
      expect(await store.findKey('key-race')).toEqual({ uuid: one, fingerprint: 'print' });
      await store.dropOpenBatch(two);
      expect(await store.getBatch(two)).toBeUndefined();
    });

    it('refuses recipients that would leave a gap, and a total that is not theirs', async () => {
      const { store } = subject;
      const uuid = await open();
      await store.addRecipients(uuid, 0, recipients(0, 5));
      await expect(store.addRecipients(uuid, 6, recipients(6, 1))).rejects.toThrow(RangeError);
      await expect(commit(store, uuid, 6)).rejects.toThrow(RangeError);
      await commit(store, uuid, 5);
      await subject.expectSound(uuid);
    });

    it('forgets a batch that was open at a restart, and takes it anew', async () => {
      const uuid = await open();
      await subject.store.addRecipients(uuid, 0, recipients(0, 5));
      const store = await subject.reopen();
      await expect(store.addRecipients(uuid, 5, recipients(5, 1))).rejects.toMatchObject({
        code: 'BATCH_NOT_OPEN',
      });
      const next = await submit(store, 3);
      await subject.expectSound(next);
    });

    it('changes nothing when it cannot write, and goes on when it can', async () => {
      const { store, fixture } = subject;
      const uuid = await open();
      await store.addRecipients(uuid, 0, recipients(0, 3));
      await fixture.failing(store, async () => {
        const unavailable = { name: 'StoreError', code: 'STORE_UNAVAILABLE', retry: true };
        await expect(store.addRecipients(uuid, 3, recipients(3, 100))).rejects.toMatchObject(unavailable);
        await expect(commit(store, uuid, 3)).rejects.toMatchObject(unavailable);
        expect(await store.getBatch(uuid)).toBeUndefined();
      });
      await store.addRecipients(uuid, 3, recipients(3, 100));
      await commit(store, uuid, 103);
      await subject.expectSound(uuid);
    });
  });
}
