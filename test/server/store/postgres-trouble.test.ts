import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LocalPostgres, makeDatabase } from '../../../scripts/support/postgres.ts';
import { openPostgresStore, type PostgresStore } from '../../../server/store/index.ts';
import { MIGRATIONS } from '../../../server/store/postgres/migrations.ts';
import { STATEMENTS } from '../../../server/store/postgres/statements.ts';
import { SESSION } from '../../../server/store/postgres/writer.ts';
import { testDatabase } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { claim, commit, MESSAGE, OPTIONS, recipients, settle, submit, unique } from './fixture.ts';
import { FragileLine } from './postgres-line.ts';

const UNAVAILABLE = { name: 'StoreError', code: 'STORE_UNAVAILABLE', retry: true };

async function started(
  url: string,
  options: { answerWithinMs?: number; resolveWithinMs?: number } = {},
): Promise<PostgresStore> {
  const store = openPostgresStore({ url, connectWithinMs: 2_000, ...options });
  await store.start();
  await store.register({ server: unique('server'), url: 'ws://127.0.0.1:1', leaseMs: 60_000 });
  return store;
}

describe('a line to PostgreSQL that is cut', () => {
  let url: string;
  let line: FragileLine;
  let store: PostgresStore;
  let batch: string;

  const counts = async () => (await store.getBatch(batch))?.counts;

  beforeAll(async () => {
    url = await testDatabase();
  });

  beforeEach(async () => {
    const fragile = await FragileLine.to(url);
    line = fragile.line;
    store = await started(fragile.url, { resolveWithinMs: 1_500 });
    batch = await submit(store, 20);
  });

  afterEach(async () => {
    expect((await store.audit(batch)).problems).toEqual([]);
    await store.stop();
    line.close();
  });

  it('before a write arrives: it is refused as unavailable, and nothing has changed', async () => {
    line.next('is lost');
    await expect(claim(store, batch, 5)).rejects.toMatchObject(UNAVAILABLE);
    expect(await counts()).toMatchObject({ pending: 20, leased: 0 });
    expect(await store.leases()).toEqual([]);
    expect((await claim(store, batch, 5)).seqs).toEqual([0, 1, 2, 3, 4]);
  });

  it('with a write that arrives later, when it was given up: it changes nothing', async () => {
    line.next('is late');
    await expect(claim(store, batch, 5)).rejects.toMatchObject(UNAVAILABLE);
    const side = new pg.Client({ connectionString: url });
    await side.connect();
    const sessions = `SELECT FROM pg_stat_activity WHERE application_name LIKE 'mutirao server-%' AND datname = current_database()`;
    expect((await side.query(sessions)).rows).toHaveLength(2);
    line.arrive();
    await until('the old session is over', async () => (await side.query(sessions)).rows.length === 1);
    await side.end();
    expect(await counts()).toMatchObject({ pending: 20, leased: 0 });
    expect((await claim(store, batch, 5)).seqs).toEqual([0, 1, 2, 3, 4]);
  });

  it('before the answer comes: what was committed is answered so, with the rows of a task', async () => {
    line.next('is answered in vain');
    const { task, seqs, claimed } = await claim(store, batch, 5);
    expect(seqs).toEqual([0, 1, 2, 3, 4]);
    expect(claimed?.recipients[1]).toMatchObject({ address: 'r1@example.net', variables: '{"n":1}' });
    line.next('is answered in vain');
    expect(await settle(store, task, { sent: [[0, 4]] })).toMatchObject({ applied: 5, remaining: 0 });
    expect(await counts()).toMatchObject({ pending: 15, leased: 0, sent: 5 });
  });

  it('for long, before the answer comes: what nobody was told of is undone', async () => {
    const open = unique('batch');
    await store.openBatch({ uuid: open, message: MESSAGE, options: OPTIONS, createdAt: 1 });
    await store.addRecipients(open, 0, recipients(0, 3));
    line.next('is answered in vain');
    line.downAfterwards = true;
    const asked = await Promise.allSettled([claim(store, batch, 5), commit(store, open, 3)]);
    for (const one of asked) expect(one).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
    const side = new pg.Client({ connectionString: url });
    await side.connect();
    const state = async (uuid: string) =>
      (await side.query('SELECT state, leased FROM mutirao.batch WHERE uuid = $1', [uuid])).rows[0];
    // it was committed
    expect([await state(batch), await state(open)]).toMatchObject([{ leased: 5 }, { state: 'RUNNING' }]);
    line.isDown = false;
    await store.pauseBatch(batch);
    expect([await state(batch), await state(open)]).toMatchObject([{ leased: 0 }, { state: 'DROPPED' }]);
    expect(await store.leases()).toEqual([]);
    await side.end();
  });

  it('for a while: reads and writes are refused meanwhile, and work again by themselves', async () => {
    line.isDown = true;
    await expect(claim(store, batch, 1)).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.getBatch(batch)).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.renew(1_000)).rejects.toMatchObject(UNAVAILABLE);
    expect(store.snapshot().failing).toBe(true);
    line.isDown = false;
    expect((await claim(store, batch, 1)).seqs).toEqual([0]);
    expect(store.snapshot().failing).toBe(false);
  });

  it('does not end the listening', async () => {
    const heard: string[] = [];
    store.onChange((change) => {
      if (change.kind === 'batch') heard.push(change.batch);
    });
    line.isDown = true;
    line.isDown = false;
    const other = await started(url);
    let theirs = '';
    await until('the store heard of a batch of another one', async () => {
      theirs = await submit(other, 1);
      return heard.length > 0;
    });
    expect(theirs).not.toBe('');
    await other.stop();
  });
});

describe('a PostgreSQL that comes and goes', () => {
  let postgres: LocalPostgres;
  let store: PostgresStore;

  beforeAll(async () => {
    postgres = await LocalPostgres.make();
    store = await started(await postgres.database('store'));
  }, 60_000);
  afterAll(async () => {
    await store?.stop();
    await postgres?.remove();
  });

  it.each(['stop', 'kill'] as const)('keeps all that it acknowledged, after a %s under load', async (way) => {
    const batch = await submit(store, 3_000);
    const settled = new Set<number>();
    let isOver = false;
    const work = async (): Promise<void> => {
      while (!isOver) {
        try {
          const { task, seqs } = await claim(store, batch, 7);
          if (seqs.length === 0) return;
          for (;;) {
            const sent = [[seqs[0] ?? 0, seqs.at(-1) ?? 0]] as const;
            const answer = await settle(store, task, { sent, done: true }).catch(() => undefined);
            if (answer !== undefined) break;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          for (const seq of seqs) settled.add(seq);
        } catch (error) {
          expect(error).toMatchObject(UNAVAILABLE);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const working = Promise.all([work(), work(), work(), work()]);
    await until('some is sent', () => settled.size > 300);
    await postgres[way]();
    await postgres.start();
    const before = settled.size;
    await until('more is sent', () => settled.size > before + 300 || settled.size === 3_000);
    isOver = true;
    await working;
    const record = await store.getBatch(batch);
    expect((await store.audit(batch)).problems).toEqual([]);
    // what is leased was claimed by a call that was refused in the middle of the restart, if any
    expect(record?.counts.sent).toBe(settled.size);
    expect(record?.counts.leased).toBe(0);
    await store.cancelBatch(batch, 1);
  });

  it('stands still: nobody waits for ever, and it goes on when it does', async () => {
    const patient = await started(postgres.url('store'), { answerWithinMs: 500, resolveWithinMs: 500 });
    const batch = await submit(patient, 5);
    postgres.freeze('SIGSTOP');
    const asked = [claim(patient, batch, 1), patient.getBatch(batch), patient.renew(1_000)];
    for (const one of await Promise.allSettled(asked)) {
      expect(one).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
    }
    postgres.freeze('SIGCONT');
    await until('it leases again', () =>
      claim(patient, batch, 5).then(
        ({ seqs }) => seqs.length > 0,
        () => false,
      ),
    );
    expect((await patient.audit(batch)).problems).toEqual([]);
    expect((await patient.getBatch(batch))?.counts.pending).toBe(0);
    await patient.cancelBatch(batch, 1);
    await patient.stop();
  });

  it('case 9: refuses readers when all its connections are busy for too long', async () => {
    const url = postgres.url('store');
    const side = new pg.Client({ connectionString: url });
    await side.connect();
    const patient = openPostgresStore({ url, connectWithinMs: 200 });
    await patient.start();
    await patient.register({ server: unique('server'), url: 'ws://127.0.0.1:1', leaseMs: 60_000 });
    await side.query('BEGIN; LOCK TABLE mutirao.content');
    const held = Array.from({ length: 5 }, () => patient.getBatch('nobody'));
    await expect(patient.getBatch('nobody')).rejects.toMatchObject(UNAVAILABLE);
    await side.query('COMMIT');
    expect(await Promise.all(held)).toEqual(Array(5).fill(undefined));
    await side.end();
    await patient.stop();
  });
});

describe('opening a store in PostgreSQL', () => {
  it('says what is wrong, and never the password', async () => {
    const url = new URL(await testDatabase());
    url.password = 'hunter2-hunter2';
    const cases: [string, string][] = [];
    const [nowhere, missing] = [new URL(url), new URL(url)];
    nowhere.port = '1';
    missing.pathname = '/not_there';
    cases.push([nowhere.href, 'STORE_UNAVAILABLE'], [missing.href, 'STORE_NOT_WRITABLE']);
    for (const [address, code] of cases) {
      const store = openPostgresStore({ url: address, connectWithinMs: 2_000 });
      const error: Error = await store.start().then(
        () => expect.unreachable(),
        (thrown) => thrown,
      );
      expect(error).toMatchObject({ code });
      expect(error.message).toMatch(/cannot be opened \(.+\); check/);
      expect(error.message + JSON.stringify(store.snapshot())).not.toContain('hunter2');
      expect(store.snapshot().location).toContain('postgres://mutirao@127.0.0.1');
      await store.stop();
    }
  });

  it('lets several servers make it at once, and refuses one that is newer', async () => {
    const url = await testDatabase();
    const stores = await Promise.all([1, 2, 3, 4].map(() => started(url)));
    const batch = await submit(stores[0] as PostgresStore, 1);
    expect(await stores[3]?.getBatch(batch)).toMatchObject({ uuid: batch });
    await Promise.all(stores.map((store) => store.stop()));
    const side = new pg.Client({ connectionString: url });
    await side.connect();
    await side.query('INSERT INTO mutirao.migration VALUES ($1, now())', [MIGRATIONS.length + 1]);
    await side.end();
    const older = openPostgresStore({ url });
    await expect(older.start()).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
    await older.stop();
  });

  it('knows a database from its copy', async () => {
    const url = new URL(await testDatabase());
    const one = await started(url.href);
    const place = one.place();
    expect(place.path).not.toContain('not-a-secret');
    await one.stop();
    const again = await started(url.href);
    expect(again.place()).toEqual(place);
    await again.stop();
    const copy = new URL(url);
    copy.pathname = `${url.pathname}_copy`;
    await makeDatabase(url.href, copy.pathname.slice(1));
    const other = await started(copy.href);
    expect(other.place().id).not.toBe(place.id);
    await other.stop();
  });

  it('goes by an index in every statement that is prepared, also when the tables were empty when it was', async () => {
    const url = await testDatabase();
    await (await started(url)).stop();
    const side = new pg.Client({ connectionString: url });
    await side.connect();
    await side.query(`INSERT INTO mutirao.history (batch, seq, state) VALUES (1, 1, 'sent')`);
    await side.query(`INSERT INTO mutirao.recipient (batch, seq, address) VALUES (1, 1, 'a@b.c')`);
    await side.query(`${SESSION}; ANALYZE`);
    for (const [name, text] of Object.entries(STATEMENTS)) {
      const parameters = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map((match) => Number(match[1])));
      await side.query(`PREPARE one AS ${text}`);
      const call = parameters === 0 ? 'one' : `one (${Array(parameters).fill('NULL').join(', ')})`;
      const { rows } = await side.query(`EXPLAIN EXECUTE ${call}`);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan, name).not.toMatch(/Seq Scan|Join Filter|Materialize|Hash|Merge Join/);
      if (/(recipient|history|span|suspicion) /.test(plan))
        expect(plan, name).toMatch(/Index Cond|Insert on/);
      await side.query('DEALLOCATE one');
    }
    await side.end();
  });
});
