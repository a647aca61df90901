import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Batch } from '../../client/index.ts';
import { LocalPostgres } from '../../scripts/support/postgres.ts';
import { OWNER_LEASE_MS, ownerOf, SharedTown } from './support/shared-store.ts';
import { expectBalanced, expectExactlyOnce, type Submitted } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

const TOTAL = 800;
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

const hasSome = ({ counts }: Batch): boolean => counts.sent < TOTAL;

describe('servers that share a store', { timeout: 120_000 }, () => {
  test('take over from one that is killed in mid-batch: its workers move, everything is sent, and only what is marked comes twice', async () => {
    const { shared, town, owner, others, batch } = await inMidBatch();
    const seen = await watching(others[0], batch);
    await owner.process.kill();
    const adopter = await shared.adopter(others);
    const here = shared.at(others[1], batch);
    expect(await town.untilBatch('it is asked for elsewhere', here, hasSome)).toMatchObject({
      state: 'running',
    });
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
    expect(await ownerOf(owner)).toMatchObject({ held: true, fenced: 1, adopted: 0 });
    expect((await owner.account()).sending).toBe(0);
    const here = shared.at(adopter, batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
    expect((await owner.process.logged(/^fenced: /)).batch).toBe(batch.id);
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

  test('answer about every batch, and have its owner do what only the owner may', async () => {
    const { shared, town, others, batch } = await inMidBatch();
    const here = shared.at(others[0], batch);
    const client = await others[0].client();
    expect((await client.batches()).map(({ id }) => id)).toContain(batch.id);
    expect((await client.pause(batch.id)).batch.state).toBe('paused');
    await town.untilBatch('nothing of it is out', here, ({ counts }) => counts.leased === 0);
    const { counts } = await town.untilBatch('it is paused', batch, ({ state }) => state === 'paused');
    expect(counts.sent).toBeLessThan(TOTAL);
    await expect(client.retry(batch.id)).resolves.toMatchObject({ changed: 0 });
    expect((await client.resume(batch.id)).batch.state).toBe('running');
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    await expect(client.pause(batch.id)).rejects.toMatchObject({ code: 'WRONG_STATE', retry: false });
    await expect(client.pause('01939c6e-6b1f-7000-8000-0000000000dd')).rejects.toMatchObject({
      code: 'UNKNOWN_BATCH',
    });
    expectExactlyOnce(await town.account(here));
  });

  test('share their keys: what one has accepted is not accepted again by another', async () => {
    const { shared, town, others, owner } = await inMidBatch();
    const first = await town.submit(owner, 3, { key: 'spring' });
    const again = await town.submit(others[0], 3, { key: 'spring' });
    expect(again.id).toBe(first.id);
    await expect(town.submit(others[1], 4, { key: 'spring' })).rejects.toMatchObject({ code: 'KEY_REUSED' });
    await town.finished(shared.at(others[1], first));
  });

  test('go on by themselves when their PostgreSQL was killed and started again under load', async () => {
    const postgres = await LocalPostgres.make();
    onTestFinished(() => postgres.remove());
    const { shared, town, batch, others } = await inMidBatch(await postgres.database('shared'));
    await postgres.kill();
    await wait(2 * OWNER_LEASE_MS);
    await postgres.start();
    const here = shared.at(others[0], batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
  });

  test('tell clients to try again while PostgreSQL takes no more connections, and go on when it does', async () => {
    const postgres = await LocalPostgres.make();
    onTestFinished(() => postgres.remove());
    const { shared, town, batch, owner, others } = await inMidBatch(await postgres.database('shared'));
    const taken = await takeAllConnections(postgres.url());
    const client = await owner.client();
    await expect
      .poll(
        () =>
          client
            .submit({ from: 'a@example.org', subject: 's', text: 't' }, [{ address: 'b@example.net' }], {
              attempts: 1,
            })
            .then(
              () => undefined,
              (error) => error,
            ),
        { timeout: 20_000 },
      )
      .toMatchObject({ code: 'STORE_UNAVAILABLE', retry: true });
    await Promise.all(taken.map((connection) => connection.end()));
    const here = shared.at(others[0], batch);
    expect((await town.finished(here)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(here));
  });
});

/** Takes every connection that there is, those of the servers too. */
async function takeAllConnections(url: string): Promise<pg.Client[]> {
  const taken: pg.Client[] = [];
  const one = async (): Promise<pg.Client | undefined> => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      taken.push(client);
      return client;
    } catch {
      await client.end().catch(() => {});
      return undefined;
    }
  };
  const first = await one();
  const deadline = performance.now() + 15_000;
  // A server that is cut off connects again at once: whoever is faster gets it.
  while (performance.now() < deadline) {
    while ((await one()) !== undefined) {}
    const { rows } = (await first?.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> current_database() AND backend_type = 'client backend'`,
    )) ?? { rows: [] };
    if (rows.length === 0) break;
  }
  return taken;
}
