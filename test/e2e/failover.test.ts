import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Batch } from '../../client/index.ts';
import { LocalPostgres } from '../../scripts/support/postgres.ts';
import { OWNER_LEASE_MS, ownerOf, SharedTown } from './support/shared-store.ts';
import { expectBalanced, expectExactlyOnce, type Submitted } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

const TOTAL = 500;
const CONNECTIONS = 10;
/** A mail takes two replies: a batch lasts for some seconds. */
const LATENCY_MS = 60;
/** Patience of a second: tests do not wait longer for a server that is gone. */
const WORKER = ['--connections', String(CONNECTIONS), '--patience', '1s'];

/** Three servers on one store, the first of which is in the middle of a batch with two workers. */
async function inMidBatch(database?: string) {
  const shared = await SharedTown.raise(database);
  await shared.town.sink({ latencyMs: LATENCY_MS });
  const [owner, ...others] = await shared.threeServers();
  await shared.town.workers(2, owner, WORKER);
  const batch = await shared.town.submit(owner, TOTAL);
  await shared.town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > TOTAL / 10);
  return { shared, town: shared.town, owner, others: others as [TownServer, TownServer], batch };
}

/** Follows a batch at a server until the end of the test. @returns what came */
async function watching(server: TownServer, { id }: Submitted): Promise<Batch[]> {
  const seen: Batch[] = [];
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const client = await server.client();
  void (async () => {
    for await (const progress of client.watch(id, { signal: end.signal })) seen.push(progress);
  })().catch(() => {});
  return seen;
}

/** The one PostgreSQL of this file that is killed. */
let mortal: LocalPostgres;
beforeAll(async () => {
  mortal = await LocalPostgres.make();
});
afterAll(() => mortal.remove());

describe('servers that share a store', { timeout: 120_000 }, () => {
  test('take over from one that is killed in mid-batch: its workers move, everything is sent, and only what is marked comes twice', async () => {
    const { shared, town, owner, others, batch } = await inMidBatch();
    const seen = await watching(others[0], batch);
    await owner.process.kill();
    const adopter = await shared.adopter(others);
    const here = shared.at(others[1], batch);
    expect(await (await others[1].client()).batch(batch.id)).toMatchObject({ state: 'running' });
    await adopter.until('its workers are there', ({ workersTotal }) => workersTotal > 0);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
    await expect.poll(() => seen.at(-1)?.state).toBe('finished');
  });

  test('fence off one that stood still for longer than its lease: it lets go of the batch, and what its workers report still counts', async () => {
    const { shared, town, owner, others, batch } = await inMidBatch();
    owner.process.signal('SIGSTOP');
    const adopter = await shared.adopter(others);
    await wait(OWNER_LEASE_MS);
    owner.process.signal('SIGCONT');
    await owner.process.logged(/^fenced: /);
    await owner.until('it holds its lease again, and nothing else', (account) => {
      const { held, fenced, adopted } = ownerOf(account);
      return held && fenced === 1 && adopted === 0 && account.sending === 0;
    });
    const here = shared.at(adopter, batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
    expect((await owner.process.logged(/^fenced: /)).batch).toBe(batch.id);
  });

  test('take over from one that is killed together with a worker, which tells at another server what its journal knows', async () => {
    const { shared, town, owner, others, batch } = await inMidBatch();
    const data = ['--data', join(town.folder, 'journal')];
    const worker = await town.worker(owner, [...WORKER, ...data]);
    await worker.logged('connected');
    await town.untilBatch('it has sent some', batch, ({ counts }) => counts.sent > TOTAL / 2);
    await Promise.all([owner.process.kill(), worker.kill()]);
    await town.worker(others[0], [...WORKER, ...data]);
    const here = shared.at(others[0], batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
  });

  test('take over at once from one that stops in good order: nothing is lost or comes twice', async () => {
    const { shared, town, owner, others, batch } = await inMidBatch();
    expect(await owner.process.stop('SIGTERM')).toBe(0);
    const adopter = await shared.adopter(others);
    const here = shared.at(adopter, batch);
    const { counts, maybeSent } = await town.finished(here);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: TOTAL, maybeSent: 0 });
    expectExactlyOnce(await town.account(here));
  });

  test('answer about every batch, know all keys, and have the owner do what only the owner may', async () => {
    const { shared, town, owner, others, batch } = await inMidBatch();
    const here = shared.at(others[0], batch);
    const client = await others[0].client();
    expect((await client.batches()).map(({ id }) => id)).toContain(batch.id);
    expect((await client.pause(batch.id)).batch.state).toBe('paused');
    await town.untilBatch('nothing of it is out', here, ({ counts }) => counts.leased === 0);
    const { counts } = await town.untilBatch('it is paused', batch, ({ state }) => state === 'paused');
    expect(counts.sent).toBeLessThan(TOTAL);
    const first = await town.submit(owner, 3, { key: 'spring' });
    expect((await town.submit(others[0], 3, { key: 'spring' })).id).toBe(first.id);
    await expect(town.submit(others[1], 4, { key: 'spring' })).rejects.toMatchObject({ code: 'KEY_REUSED' });
    await expect(client.retry(batch.id)).resolves.toMatchObject({ changed: 0 });
    expect((await client.resume(batch.id)).batch.state).toBe('running');
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    await town.finished(shared.at(others[1], first));
    await expect(client.pause(batch.id)).rejects.toMatchObject({ code: 'WRONG_STATE', retry: false });
    await expect(client.pause('01939c6e-6b1f-7000-8000-0000000000dd')).rejects.toMatchObject({
      code: 'UNKNOWN_BATCH',
    });
    expectExactlyOnce(await town.account(here, shared.at(others[1], first)));
  });

  test('case 9: go on by themselves when their PostgreSQL was killed and started again under load', async () => {
    const { shared, town, batch, others } = await inMidBatch(await mortal.database('killed'));
    await mortal.kill();
    await wait(2 * OWNER_LEASE_MS);
    await mortal.start();
    const here = shared.at(others[0], batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
  });

  test('case 9: tell clients to try again while PostgreSQL takes no more connections, and go on when it does', async () => {
    const admin = new pg.Client({ connectionString: mortal.url() });
    await admin.connect();
    onTestFinished(() => admin.end());
    // As it says when max_connections is reached, which would take away those of the test too.
    await admin.query('CREATE ROLE crowd LOGIN');
    const database = new URL(await mortal.database('full'));
    await admin.query('ALTER DATABASE "full" OWNER TO crowd');
    database.username = 'crowd';
    const { shared, town, batch, owner, others } = await inMidBatch(database.href);
    await admin.query('ALTER ROLE crowd CONNECTION LIMIT 0');
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'crowd'`);
    const client = await owner.client();
    const letter = { from: 'a@example.org', subject: 's', text: 't' };
    await expect(
      client.submit(letter, [{ address: 'b@example.net' }], { attempts: 1 }),
    ).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retry: true,
    });
    await admin.query('ALTER ROLE crowd CONNECTION LIMIT -1');
    const here = shared.at(others[0], batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
  });
});
