import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openPostgresStore, type PostgresStore } from '../../../server/store/index.ts';
import { until } from '../../support/until.ts';
import {
  claim,
  commit,
  deferred,
  failed,
  MESSAGE,
  OPTIONS,
  recipients,
  settle,
  submit,
  unique,
} from './fixture.ts';
import { LEASE_MS, type PostgresFixture, postgresFixture } from './postgres-fixture.ts';

const NOT_OWNER = { name: 'StoreError', code: 'NOT_OWNER', retry: false };

describe('servers that share a database', () => {
  let fixture: PostgresFixture;
  let names: string[];
  let opened: PostgresStore[];
  let ada: PostgresStore;
  let bob: PostgresStore;

  const start = async (name: string): Promise<PostgresStore> => {
    const store = fixture.openAs(name);
    opened.push(store);
    await store.start();
    return store;
  };

  /** Has the lease of a server run out a moment ago. */
  const expireLease = (name: string | undefined) =>
    fixture.query(
      `UPDATE mutirao.server SET lease_until = clock_timestamp() - interval '1 ms' WHERE uuid = $1`,
      [name],
    );

  beforeEach(async () => {
    fixture = await postgresFixture();
    names = [unique('ada'), unique('bob'), unique('eve')];
    opened = [];
    ada = await start(names[0] ?? '');
    bob = await start(names[1] ?? '');
  });

  afterEach(async () => {
    for (const store of opened) {
      for (const batch of await store.unfinishedBatches().catch(() => [])) {
        await store.cancelBatch(batch.uuid, 1).catch(() => {});
        expect((await store.audit(batch.uuid)).problems).toEqual([]);
      }
      await store.stop();
    }
    await fixture.query('DELETE FROM mutirao.server WHERE uuid = ANY ($1)', [names]);
    await fixture.dispose();
  });

  describe('owning', () => {
    it('see every batch, and take up their own', async () => {
      const key = unique('key');
      const batch = await submit(ada, 4, key);
      const { task } = await claim(ada, batch, 2);
      await settle(ada, task, { outcomes: [deferred(0, 10)] });
      expect(await bob.getBatch(batch)).toMatchObject({ uuid: batch, counts: { pending: 2, deferred: 1 } });
      expect((await bob.listBatches(1)).map(({ uuid }) => uuid)).toEqual([batch]);
      expect(await bob.findKey(key)).toMatchObject({ uuid: batch });
      expect(await bob.listRecipients(batch, 'DEFERRED', -1, 9)).toHaveLength(1);
      expect(await bob.ownerOf(batch)).toEqual({ server: names[0], url: 'ws://127.0.0.1:1', live: true });
      expect(await bob.ownerOf('nowhere')).toBeUndefined();

      expect(await bob.unfinishedBatches()).toEqual([]);
      expect(await bob.leases()).toEqual([]);
      expect(await bob.promoteDue(1_000, 9)).toEqual({ moved: [] });
      expect((await ada.unfinishedBatches()).map(({ uuid }) => uuid)).toEqual([batch]);
      expect(await ada.leases()).toHaveLength(1);
      expect((await ada.promoteDue(1_000, 9)).moved).toHaveLength(1);
    });

    it('write nothing about a batch of another one', async () => {
      const batch = await submit(ada, 5);
      const { task } = await claim(ada, batch, 3);
      await settle(ada, task, { outcomes: [failed(2)] });
      const open = unique('batch');
      await ada.openBatch({ uuid: open, message: MESSAGE, options: OPTIONS, createdAt: 1 });
      const before = await ada.getBatch(batch);
      const attempts = [
        () => claim(bob, batch, 1),
        () => settle(bob, task, { sent: [[0, 0]] }),
        () => bob.expire({ task, now: 1, maybeBegun: 1, hold: false }),
        () => bob.pauseBatch(batch),
        () => bob.cancelBatch(batch, 1),
        () => bob.retryFailed(batch),
        () => bob.putBack(batch, [[2, 2]], 1),
        () => bob.expireBatch(batch, { now: 1, reply: 'late', limit: 9 }),
        () => bob.addRecipients(open, 0, recipients(0, 1)),
        () => commit(bob, open, 0),
      ];
      for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject(NOT_OWNER);
      expect(await ada.getBatch(batch)).toEqual(before);
      expect((await ada.audit(batch)).problems).toEqual([]);
      await ada.dropOpenBatch(open);
    });

    it('share the keys of batches', async () => {
      const key = unique('key');
      const [one, two] = [unique('batch'), unique('batch')];
      await ada.openBatch({ uuid: one, key, message: MESSAGE, options: OPTIONS, createdAt: 1 });
      await bob.openBatch({ uuid: two, key, message: MESSAGE, options: OPTIONS, createdAt: 1 });
      const results = await Promise.allSettled([commit(ada, one, 0), commit(bob, two, 0)]);
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused).toHaveLength(1);
      expect(refused[0]?.reason).toMatchObject({ code: 'KEY_TAKEN' });
      await Promise.all([ada.dropOpenBatch(one), bob.dropOpenBatch(two)]);
    });

    it('write nothing before they are registered', async () => {
      const store = openPostgresStore({ url: fixture.url });
      await store.start();
      await expect(submit(store, 1)).rejects.toMatchObject(NOT_OWNER);
      await store.stop();
    });
  });

  describe('adopting', () => {
    it('leave a server alone while its lease lasts, and take over its batches when it has run out', async () => {
      const batch = await submit(ada, 6);
      const { task } = await claim(ada, batch, 4);
      const finished = await submit(ada, 0);
      expect(await bob.adopt(10)).toEqual([]);
      await expireLease(names[0]);
      const adopted = await bob.adopt(10);
      expect(adopted).toMatchObject([
        {
          from: names[0],
          batch: { uuid: batch, counts: { pending: 2, leased: 4 } },
          leases: [{ task, batch, worker: 'ana', remaining: [[0, 3]] }],
        },
      ]);
      expect(adopted[0]?.batch).toEqual(await ada.getBatch(batch));
      expect(await bob.adopt(10)).toEqual([]);
      expect(await ada.ownerOf(batch)).toMatchObject({ server: names[1] });
      expect(await bob.ownerOf(finished)).toMatchObject({ server: names[0], live: false });
      // the workers of the former owner report here
      expect(await settle(bob, task, { sent: [[0, 3]] })).toMatchObject({ applied: 4 });
      expect((await claim(bob, batch, 9)).seqs).toEqual([4, 5]);
    });

    it('fence off the former owner, which had heard of nothing', async () => {
      const batch = await submit(ada, 9);
      const other = await submit(ada, 2);
      const { task } = await claim(ada, batch, 3);
      await expireLease(names[0]);
      expect(await bob.adopt(1)).toMatchObject([{ batch: { uuid: batch } }]);
      const before = await bob.getBatch(batch);
      // of one group, those about other batches are carried out
      const results = await Promise.allSettled([
        claim(ada, batch, 2),
        claim(ada, other, 1),
        settle(ada, task, { sent: [[0, 2]] }),
        ada.expire({ task, now: 1, maybeBegun: 3, hold: false }),
        ada.pauseBatch(batch),
        ada.cancelBatch(batch, 1),
      ]);
      expect(results.map((one) => (one.status === 'rejected' ? one.reason.code : 'done'))).toEqual([
        'NOT_OWNER',
        'done',
        'NOT_OWNER',
        'NOT_OWNER',
        'NOT_OWNER',
        'NOT_OWNER',
      ]);
      expect(await bob.getBatch(batch)).toEqual(before);
      expect(await ada.renew(LEASE_MS)).toEqual({ known: true, lost: [batch] });
      expect(await ada.renew(LEASE_MS)).toEqual({ known: true, lost: [] });
      expect((await ada.unfinishedBatches()).map(({ uuid }) => uuid)).toEqual([other]);
    });

    it('tell a late owner at its renewal what it has lost', async () => {
      const batch = await submit(ada, 2);
      await expireLease(names[0]);
      await bob.adopt(10);
      expect(await ada.renew(LEASE_MS)).toEqual({ known: true, lost: [batch] });
      await expect(claim(ada, batch, 1)).rejects.toMatchObject(NOT_OWNER);
    });

    it('change nothing for an owner that is late and was not missed', async () => {
      const batch = await submit(ada, 2);
      await expireLease(names[0]);
      expect(await ada.renew(LEASE_MS)).toEqual({ known: true, lost: [] });
      expect(await bob.adopt(10)).toEqual([]);
      expect((await claim(ada, batch, 1)).seqs).toEqual([0]);
    });

    it('let an owner that is in the middle of a write finish it first', async () => {
      const batch = await submit(ada, 4);
      const { task } = await claim(ada, batch, 4);
      await expireLease(names[0]);
      const eve = await start(names[2] ?? '');
      // what ada writes waits here, behind its fence
      await fixture.query('BEGIN');
      await fixture.query('LOCK TABLE mutirao.task IN SHARE MODE');
      const settled = settle(ada, task, { sent: [[0, 2]], outcomes: [failed(3)] });
      const isWaiting = `SELECT FROM pg_locks WHERE NOT granted AND relation = 'mutirao.task'::regclass`;
      await until('what ada writes waits', async () => (await fixture.query(isWaiting)).length > 0);
      expect(await bob.adopt(10)).toEqual([]);
      await fixture.query('COMMIT');
      expect(await settled).toMatchObject({ applied: 4, figures: { state: 'FINISHED' } });
      expect(await eve.adopt(10)).toEqual([]);
      expect((await bob.audit(batch)).problems).toEqual([]);
    });

    it('get each batch once, however many adopt at once', async () => {
      const eve = await start(names[2] ?? '');
      const batches: string[] = [];
      for (let i = 0; i < 12; i++) batches.push(await submit(ada, 1));
      await expireLease(names[0]);
      const got: [string, string][] = [];
      while (got.length < batches.length) {
        const both = await Promise.all([bob.adopt(2), eve.adopt(2)]);
        for (const [i, adopted] of both.entries()) {
          for (const { batch } of adopted) got.push([batch.uuid, names[i + 1] ?? '']);
        }
      }
      expect(got.map(([batch]) => batch).sort()).toEqual(batches);
      for (const [batch, owner] of got) expect(await ada.ownerOf(batch)).toMatchObject({ server: owner });
      expect(new Set(got.map(([, owner]) => owner)).size).toBeGreaterThan(0);
    });

    it('may go on from one to the next, and back', async () => {
      const eve = await start(names[2] ?? '');
      const batch = await submit(ada, 3);
      const { task } = await claim(ada, batch, 1);
      await expireLease(names[0]);
      await bob.adopt(10);
      await expireLease(names[1]);
      expect(await eve.adopt(10)).toMatchObject([{ from: names[1], batch: { uuid: batch } }]);
      for (const store of [ada, bob]) await expect(claim(store, batch, 1)).rejects.toMatchObject(NOT_OWNER);
      await ada.renew(LEASE_MS);
      await expireLease(names[2]);
      expect(await ada.adopt(10)).toMatchObject([{ from: names[2], leases: [{ task }] }]);
      expect((await claim(ada, batch, 2)).seqs).toEqual([1, 2]);
      expect(await ada.renew(LEASE_MS)).toEqual({ known: true, lost: [] });
      await expect(claim(bob, batch, 1)).rejects.toMatchObject(NOT_OWNER);
    });

    it('give nothing to a server whose own lease has run out', async () => {
      await submit(ada, 1);
      await expireLease(names[0]);
      await expireLease(names[1]);
      expect(await bob.adopt(10)).toEqual([]);
      await bob.renew(LEASE_MS);
      expect(await bob.adopt(10)).toHaveLength(1);
    });

    it('ask the clock of the database, whatever the clocks of the servers say', async () => {
      const batch = await submit(ada, 1);
      for (const shift of [-3_600_000, 3_600_000]) {
        const real = Date.now;
        vi.spyOn(Date, 'now').mockImplementation(() => real() + shift);
        expect((await ada.renew(LEASE_MS)).lost).toEqual([]);
        expect(await bob.adopt(10)).toEqual([]);
        vi.restoreAllMocks();
      }
      await ada.renew(200);
      let adopted: readonly unknown[] = [];
      await until('bob adopted the batch', async () => {
        adopted = await bob.adopt(10);
        return adopted.length > 0;
      });
      expect(adopted).toMatchObject([{ batch: { uuid: batch } }]);
    });

    it('take over at once what a server releases', async () => {
      const batch = await submit(ada, 1);
      const heard = new Set<string>();
      bob.onChange(({ kind }) => heard.add(kind));
      await ada.release();
      expect(await bob.adopt(10)).toMatchObject([{ batch: { uuid: batch } }]);
      expect(await bob.servers()).toEqual(
        expect.arrayContaining([
          { server: names[0], url: 'ws://127.0.0.1:1', live: false },
          { server: names[1], url: 'ws://127.0.0.1:1', live: true },
        ]),
      );
      await until('bob heard that ada left', () => heard.has('servers'));
    });

    it('remove what was being submitted to a server that is gone', async () => {
      const open = unique('batch');
      await ada.openBatch({ uuid: open, message: MESSAGE, options: OPTIONS, createdAt: 1 });
      await ada.addRecipients(open, 0, recipients(0, 10));
      await expireLease(names[0]);
      expect(await bob.adopt(10)).toEqual([]);
      const left = 'SELECT FROM mutirao.batch WHERE uuid = $1';
      await until('the submission is removed', async () => (await fixture.query(left, [open])).length === 0);
      await expect(ada.addRecipients(open, 10, recipients(10, 1))).rejects.toThrow();
      await expect(commit(ada, open, 10)).rejects.toThrow();
    });

    it('take over a finished batch to act on it', async () => {
      const batch = await submit(ada, 2);
      const { task } = await claim(ada, batch, 2);
      await settle(ada, task, { sent: [[0, 0]], outcomes: [failed(1)] });
      expect(await bob.adoptBatch(batch)).toBe(false);
      await expireLease(names[0]);
      expect(await bob.adoptBatch(batch)).toBe(true);
      expect(await bob.adoptBatch(batch)).toBe(true);
      expect(await bob.adoptBatch('nowhere')).toBe(false);
      expect(await bob.retryFailed(batch)).toMatchObject({ changed: 1, figures: { state: 'RUNNING' } });
      await expect(ada.retryFailed(batch)).rejects.toMatchObject(NOT_OWNER);
    });
  });

  describe('names', () => {
    it('refuse a second server of the same name while the first one lives', async () => {
      const renewing = setInterval(() => void ada.renew(LEASE_MS).catch(() => {}), 50);
      const twin = fixture.openAs(names[0] ?? '');
      await expect(twin.start()).rejects.toMatchObject({ code: 'STORE_IN_USE' });
      await twin.stop();
      clearInterval(renewing);
      await submit(ada, 1);
    });

    it('give a server that starts again its batches, and fence off its former run', async () => {
      const batch = await submit(ada, 4);
      const { task } = await claim(ada, batch, 2);
      // It stands still: its connections are there, its lease runs out.
      await expireLease(names[0]);
      const again = await start(names[0] ?? '');
      expect(await again.leases()).toMatchObject([{ task }]);
      await expect(settle(ada, task, { sent: [[0, 1]] })).rejects.toMatchObject(NOT_OWNER);
      await expect(submit(ada, 1)).rejects.toMatchObject(NOT_OWNER);
      expect(await ada.renew(LEASE_MS)).toEqual({ known: false, lost: [] });
      expect(await ada.adopt(1)).toEqual([]);
      expect(await settle(again, task, { sent: [[0, 1]] })).toMatchObject({ applied: 2 });
    });

    it('let a server start at once whose last run was killed', async () => {
      const batch = await submit(ada, 1);
      await ada.stop();
      const again = await start(names[0] ?? '');
      expect((await claim(again, batch, 1)).seqs).toEqual([0]);
    });
  });

  describe('hearing and asking', () => {
    it('hear of batches that come, are paused, finish or are adopted, and not of every mail', async () => {
      const heard: string[] = [];
      bob.onChange((change) => {
        if (change.kind === 'batch') heard.push(change.batch);
      });
      await until(
        'both listen',
        async () =>
          (
            await fixture.query(
              `SELECT FROM pg_stat_activity WHERE query = 'LISTEN mutirao' AND datname = current_database()`,
            )
          ).length >= 2,
      );
      const batch = await submit(ada, 3);
      await until('bob heard of the batch', () => heard.length === 1);
      const { task } = await claim(ada, batch, 3);
      await settle(ada, task, { sent: [[0, 1]] });
      await ada.pauseBatch(batch);
      await until('bob heard of the pause', () => heard.length === 2);
      await ada.resumeBatch(batch);
      await settle(ada, task, { sent: [[2, 2]] });
      await until('bob heard of the rest', () => heard.length === 4);
      expect(new Set(heard)).toEqual(new Set([batch]));
    });

    it('ask the owner of a batch, and get its answer', async () => {
      const batch = await submit(ada, 1);
      let isAsked = false;
      ada.onChange(({ kind }) => {
        isAsked ||= kind === 'request';
      });
      const answer = bob.ask(batch, { ACTION: 'PAUSE' }, 10_000);
      await until(
        'the request is there',
        async () => (await fixture.query('SELECT FROM mutirao.request')).length > 0,
      );
      expect(await bob.requests(10)).toEqual([]);
      const [request] = await ada.requests(10);
      expect(request).toMatchObject({ batch, body: { ACTION: 'PAUSE' } });
      expect(await ada.requests(10)).toEqual([]);
      await ada.answer(request?.id ?? '', { done: true });
      expect(await answer).toEqual({ done: true });
      expect(await fixture.query('SELECT FROM mutirao.request')).toEqual([]);
      await until('ada heard of the request', () => isAsked);
    });

    it('withdraw what nobody answers in time', async () => {
      const batch = await submit(ada, 1);
      await expect(bob.ask(batch, 'anyone?', 50)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(await ada.requests(10)).toEqual([]);
    });

    it('leave a request to the one that adopts the batch', async () => {
      const eve = await start(names[2] ?? '');
      const batch = await submit(ada, 1);
      const answer = eve.ask(batch, 'cancel', 10_000);
      await until('ada was given the request', async () => (await ada.requests(10)).length > 0);
      await expireLease(names[0]);
      await bob.adopt(10);
      const [request] = await bob.requests(10);
      await bob.answer(request?.id ?? '', 'by bob');
      expect(await answer).toBe('by bob');
    });
  });
});
