import { statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore, type SqliteStore } from '../../../server/store/index.ts';
import { REMOVE_SLICE } from '../../../server/store/operations/intake.ts';
import { REMEMBER_TASKS_MS } from '../../../server/store/operations/tidying.ts';
import { MIGRATIONS } from '../../../server/store/sqlite/schema.ts';
import { claim, commit, failed, MESSAGE, OPTIONS, recipients, settle, submit } from './fixture.ts';

describe('the SQLite file', () => {
  let folder: string;
  const opened: SqliteStore[] = [];

  const open = (now?: () => number, where = folder): SqliteStore => {
    const store = openSqliteStore({ folder: where, now });
    opened.push(store);
    return store;
  };
  const started = async (now?: () => number): Promise<SqliteStore> => {
    const store = open(now);
    await store.start();
    return store;
  };
  const pragma = (store: SqliteStore, name: string): unknown =>
    store.withConnection((database) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  const countRows = (store: SqliteStore, table: string): number =>
    store.withConnection(
      (database) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n as number,
    );

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mutirao-file-'));
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('case 3: is durable: write-ahead log, every commit flushed', async () => {
    const store = await started();
    expect(pragma(store, 'journal_mode')).toBe('wal');
    expect(pragma(store, 'synchronous')).toBe(2);
    expect(pragma(store, 'busy_timeout')).toBe(1_000);
    expect(pragma(store, 'user_version')).toBe(MIGRATIONS.length);
    expect(store.snapshot()).toMatchObject({ kind: 'sqlite', location: join(folder, 'mutirao.db') });
  });

  it('makes a folder that is not there', async () => {
    const store = open(undefined, join(folder, 'new', 'data'));
    await store.start();
    expect(await store.listBatches(1)).toEqual([]);
  });

  it('is for one store at a time, and free again when that one stops', async () => {
    const first = await started();
    const second = open();
    await expect(second.start()).rejects.toMatchObject({
      code: 'STORE_IN_USE',
      message: expect.stringMatching(/in use by another process; stop that one, or .* --data/),
    });
    await first.stop();
    await expect(second.start()).resolves.toBeUndefined();
  });

  it('says that the folder cannot be written', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const notWritable = { code: 'STORE_NOT_WRITABLE', message: expect.stringContaining('--data') };
    await expect(open(undefined, join(file, 'data')).start()).rejects.toMatchObject(notWritable);
    await mkdir(join(folder, 'taken', 'mutirao.db'), { recursive: true });
    await expect(open(undefined, join(folder, 'taken')).start()).rejects.toMatchObject(notWritable);
  });

  it('says that the file is no store', async () => {
    await writeFile(join(folder, 'mutirao.db'), 'not a database '.repeat(500));
    await expect(open().start()).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      message: expect.stringMatching(/mutirao\.db cannot be read .*not a database/),
    });
  });

  it.runIf(process.platform !== 'win32')('says so of a folder of somebody else', async () => {
    await chmod(folder, 0o555);
    const root = process.geteuid?.() === 0;
    // The system lets root write anywhere.
    if (root) process.seteuid?.(65_534);
    try {
      await expect(open().start()).rejects.toMatchObject({ code: 'STORE_NOT_WRITABLE' });
    } finally {
      if (root) process.seteuid?.(0);
      await chmod(folder, 0o755);
    }
  });

  it('leaves a file that a newer version wrote alone', async () => {
    const store = await started();
    await store.stop();
    const database = new DatabaseSync(join(folder, 'mutirao.db'));
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    database.close();
    await expect(open().start()).rejects.toMatchObject({
      code: 'STORE_TOO_NEW',
      message: expect.stringMatching(/newer version/),
    });
  });

  it('puts what is asked for in one turn into one transaction', async () => {
    const store = await started();
    const batch = await submit(store, 50);
    const before = store.snapshot().transactions;
    await Promise.all(Array.from({ length: 20 }, () => claim(store, batch, 2)));
    expect(store.snapshot().transactions).toBe(before + 1);
  });

  it('rejects only the operation that is wrong in itself', async () => {
    const store = await started();
    const batch = await submit(store, 9);
    const task = 'twice';
    const request = { batch, task, worker: 'w', relay: 'r', count: 2, now: 1 };
    const [one, two, three] = await Promise.allSettled([
      store.claim(request),
      store.claim(request),
      store.claim({ ...request, task: 'other' }),
    ]);
    expect([one.status, two.status, three.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.getBatch(batch))?.counts.leased).toBe(4);
    expect((await store.audit(batch)).problems).toEqual([]);
  });

  it('refuses with a full disk, says so once, and goes on when there is room', async () => {
    const warnings: string[] = [];
    const logger = { info: () => {}, warn: (_: object, message: string) => warnings.push(message) };
    const store = openSqliteStore({ folder, logger });
    opened.push(store);
    await store.start();
    const batch = await submit(store, 300);
    const { task } = await claim(store, batch, 300);
    await store.openBatch({ uuid: 'full', message: MESSAGE, options: OPTIONS, createdAt: 1 });
    const pages = pragma(store, 'page_count');
    expect(pragma(store, `max_page_count = ${pages}`)).toBe(pages);
    const outcomes = recipients(0, 300).map((_, seq) => failed(seq, { reply: 'x'.repeat(900) }));
    const answers = await Promise.allSettled([
      settle(store, task, { outcomes }),
      store.addRecipients('full', 0, recipients(0, 5_000)),
    ]);
    expect(store.snapshot().failing).toBe(true);
    await settle(store, task, { outcomes }).catch(() => {});
    expect(warnings).toEqual([expect.stringMatching(/disk is full/)]);
    const reason = { code: 'STORE_UNAVAILABLE', retry: true, message: expect.stringMatching(/disk is full/) };
    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason });
    expect((await store.getBatch(batch))?.counts).toMatchObject({ leased: 300, failed: 0 });
    expect((await store.audit(batch)).problems).toEqual([]);
    pragma(store, 'max_page_count = 1000000');
    await store.addRecipients('full', 0, recipients(0, 5_000));
    expect(store.snapshot().failing).toBe(false);
    expect(statSync(join(folder, 'mutirao.db-wal')).size).toBe(0);
    await commit(store, 'full', 5_000);
    await store.stop();
    // Nothing of the failed group was written with those after it.
    const again = await started();
    expect((await again.audit(batch)).problems).toEqual([]);
    expect(await settle(again, task, { outcomes })).toMatchObject({ applied: 300 });
    for (const uuid of [batch, 'full']) expect((await again.audit(uuid)).problems).toEqual([]);
  });

  it('refuses while another process keeps the file locked', async () => {
    const store = await started();
    const batch = await submit(store, 3);
    pragma(store, 'busy_timeout = 0');
    const other = new DatabaseSync(join(folder, 'mutirao.db'));
    other.exec('BEGIN IMMEDIATE');
    const asked = [claim(store, batch, 1), claim(store, batch, 1)];
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((await store.getBatch(batch))?.counts.pending).toBe(3);
    other.exec('ROLLBACK');
    other.close();
    expect((await claim(store, batch, 9)).seqs).toEqual([0, 1, 2]);
  });

  it('commits what was asked for before it closes, and refuses what comes later', async () => {
    const store = await started();
    const batch = await submit(store, 3);
    const asked = claim(store, batch, 2);
    await store.stop();
    expect((await asked).seqs).toEqual([0, 1]);
    await expect(store.getBatch(batch)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((await (await started()).getBatch(batch))?.counts.leased).toBe(2);
  });

  it('removes what a crash left open, a dropped batch, and long finished tasks', async () => {
    let now = 1_000;
    const first = await started(() => now);
    const batch = await submit(first, 2);
    const { task } = await claim(first, batch, 2);
    await settle(first, task, { sent: [[0, 1]], now });
    for (const uuid of ['crashed', 'dropped']) {
      await first.openBatch({ uuid, message: MESSAGE, options: OPTIONS, createdAt: 1 });
      await first.addRecipients(uuid, 0, recipients(0, REMOVE_SLICE * 2 + 1));
    }
    await first.dropOpenBatch('dropped');
    expect(countRows(first, 'recipient')).toBe(REMOVE_SLICE * 2 + 3);
    await first.stop();

    const second = await started(() => now);
    await expect.poll(() => countRows(second, 'recipient')).toBe(2);
    await expect.poll(() => countRows(second, 'batch')).toBe(1);
    expect(countRows(second, 'content')).toBe(1);
    expect(await settle(second, task, { sent: [[0, 0]] })).toMatchObject({ applied: 0 });
    await second.stop();

    now += REMEMBER_TASKS_MS + 1;
    const third = await started(() => now);
    await expect.poll(() => countRows(third, 'task')).toBe(0);
    expect(await settle(third, task, { sent: [[0, 0]] })).toBeUndefined();
  });

  it('keeps the mass of a batch as spans, however many tasks it took', async () => {
    const store = await started();
    const batch = await submit(store, 400);
    const claims = await Promise.all(Array.from({ length: 40 }, () => claim(store, batch, 10)));
    // In an order in which neighbours meet on either side, and on both.
    const order = claims.map((one, i) => ({ one, rank: (i * 17) % 40 })).sort((a, b) => a.rank - b.rank);
    for (const { task, seqs } of order.map(({ one }) => one)) {
      const [first = 0] = seqs;
      await settle(store, task, {
        sent: [
          [first, first + 4],
          [first + 6, first + 9],
        ],
        outcomes: [failed(first + 5)],
      });
    }
    expect(countRows(store, 'span')).toBe(1);
    expect(countRows(store, 'history')).toBe(40);
    await store.retryFailed(batch);
    const { task, seqs } = await claim(store, batch, 100);
    await settle(store, task, { sent: seqs.map((seq) => [seq, seq] as const) });
    expect(countRows(store, 'history')).toBe(0);
    expect((await store.getBatch(batch))?.counts.sent).toBe(400);
  });
});
