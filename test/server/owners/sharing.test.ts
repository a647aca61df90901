import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openPostgresStore } from '../../../server/store/index.ts';
import { TestClient } from '../../support/client.ts';
import { testDatabase } from '../../support/postgres.ts';
import { FULL, ScriptedWorker } from '../../support/scripted-worker.ts';
import { startTestServer, TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const RELAY = ['smtp://127.0.0.1:1?name=nowhere'];

let store: string;
let database: pg.Client;
let submitted: string[] = [];
/** The one that adopts: it is there all the time, so that it need not wait for others to renew. */
let heir: TestServer;
let folder: string;
/** What it had adopted before the test. */
let before = 0;

beforeAll(async () => {
  store = await testDatabase();
  database = new pg.Client({ connectionString: store });
  await database.connect();
  folder = await mkdtemp(join(tmpdir(), 'mutirao-heir-'));
  heir = await new TestServer(folder, settings()).start();
});
beforeEach(() => {
  submitted = [];
  before = ownerOf(heir).adopted;
});
afterAll(async () => {
  await heir.stop();
  await database.end();
  await rm(folder, { recursive: true, force: true });
});

/** A lease that lasts for longer than any test, unless it is cut short. */
function settings(overrides: object = {}) {
  return { store, ownerLease: '60s', relay: RELAY, lease: 20_000, ...overrides };
}

/** A server on the store that all of this file share. */
const server = (overrides: object = {}): Promise<TestServer> => startTestServer(settings(overrides));

/** Has the lease of a server run out, as when it was not heard of: others adopt what it has. */
const cutOff = ({ running: { uuid } }: TestServer): Promise<unknown> =>
  database.query(`UPDATE mutirao.server SET lease_until = now() - interval '1 s' WHERE uuid = $1`, [uuid]);

interface Owner {
  readonly adopted: number;
  readonly fenced: number;
}
const ownerOf = ({ running }: TestServer): Owner => running.snapshot().owner as Owner;

const adopts = (by: TestServer): Promise<unknown> =>
  until('it has adopted', () => ownerOf(by).adopted > (by === heir ? before : 0) || undefined);

/** A batch of ten at the first of two servers, five of which a worker holds there. */
async function atWork() {
  const [a, b] = [await server(), heir];
  onTestFinished(expectSound);
  const client = await TestClient.of(a);
  const worker = await ScriptedWorker.full(a, 'w', { SLOTS: 1, CONNECTIONS: 2 });
  const batch = await client.submit(10);
  submitted.push(batch);
  const task = await worker.task();
  const size = task.RECIPIENTS.length;
  return { a, b, client, worker, batch, task, size };
}

async function expectSound(): Promise<void> {
  const reader = openPostgresStore({ url: store });
  await reader.start();
  for (const batch of submitted) expect((await reader.audit(batch)).problems).toEqual([]);
  await reader.stop();
}

describe('a server that was not heard of in time', () => {
  test('asks back what its workers hold, brings their reports to the new owner, and sends nothing more of it', async () => {
    const { a, b, worker, task, batch, size } = await atWork();
    await cutOff(a);
    await adopts(b);
    // It learns of it at the next thing that it writes.
    const [first] = task.RECIPIENTS;
    expect(await worker.sent(task, [first?.SEQ ?? 0])).toMatchObject({ STATUS: 'ACK' });
    expect(worker.socket.heard).toContainEqual({ TASK: 'HAND_BACK', TASKS: [task.TASK_UUID] });
    expect(await worker.report(task, { SENT: [], DONE: true })).toMatchObject({ STATUS: 'ACK' });
    expect(ownerOf(a)).toMatchObject({ fenced: 1, adopted: 0 });
    const there = await (await TestClient.of(b)).batch(batch);
    expect(there.COUNTS).toMatchObject({ SENT: 1, LEASED: 0, PENDING: 9 });
    expect(there.MAYBE_SENT).toBe(0);
    expect(size).toBeLessThan(10);
    worker.alive({ ...FULL, WORKER_UUID: 'w', TASKS: [], SLOTS: 1 });
    // Answered behind what the pull has brought.
    expect(await worker.ok(task)).toMatchObject({ STATUS: 'ACK' });
    expect(worker.tasks).toHaveLength(1);
    const said = a.log.filter(({ msg }) =>
      msg.startsWith('fenced: this server was not heard of in time and another'),
    );
    expect(said).toMatchObject([{ batch, tasks: 1 }]);
  });

  test('tells who submits to it that nothing of it is kept, and to try again', async () => {
    const [a, b] = [await server(), heir];
    const client = await TestClient.of(a);
    const MESSAGE = { FROM: 'a@example.org', SUBJECT: 's', TEXT: 't' };
    const RECIPIENTS = [{ ADDRESS: 'ann@example.net' }];
    expect(await client.ask('SUBMIT', { MESSAGE, RECIPIENTS })).toMatchObject({ STATUS: 'ACK' });
    const other = await TestClient.of(a);
    submitted.push(await other.submit(1));
    await cutOff(a);
    await adopts(b);
    expect(await client.ask('COMMIT')).toMatchObject({
      STATUS: 'NACK',
      ERROR: { CODE: 'SUBMISSION_LOST', RETRY: true },
    });
  });
});

describe('a worker', () => {
  test('is told who shares the store before its first task', async () => {
    const { a, b, worker } = await atWork();
    await until('they know of each other', async () => {
      const { owner } = a.running.snapshot() as { owner: { servers: { uuid: string; live: boolean }[] } };
      return owner.servers.some(({ uuid, live }) => live && uuid === b.running.uuid) || undefined;
    });
    const [first] = worker.socket.heard;
    expect(first).toMatchObject({ TASK: 'FAILOVER' });
    const told = await until('the other one is told', () =>
      worker.socket.heard.find(
        ({ TASK, FAILOVER_LIST }) =>
          TASK === 'FAILOVER' && String(JSON.stringify(FAILOVER_LIST)).includes(`${b.running.endpoint.PORT}`),
      ),
    );
    expect(told.STORE).toBe(first?.STORE);
  });

  test('that comes with a task before it is adopted is not told that it is lost, and has it renewed afterwards', async () => {
    const { a, b, worker, task } = await atWork();
    worker.cut();
    const moved = await ScriptedWorker.full(b, 'w', { TASKS: [task.TASK_UUID], SLOTS: 0 });
    expect(await moved.socket.next(({ TASK }) => TASK === 'LEASES')).toMatchObject({ RENEWED: [], LOST: [] });
    await cutOff(a);
    await adopts(b);
    moved.alive({ ...FULL, WORKER_UUID: 'w', TASKS: [task.TASK_UUID], SLOTS: 0 });
    expect(await moved.socket.next(({ TASK }) => TASK === 'LEASES')).toMatchObject({
      RENEWED: [task.TASK_UUID],
      LOST: [],
    });
    expect(await moved.ok(task)).toMatchObject({ STATUS: 'ACK' });
  });

  test('may report at any server: the one that has the batch commits it before it is acknowledged', async () => {
    const { client, b, worker, batch, task, size } = await atWork();
    worker.cut();
    const moved = await ScriptedWorker.full(b, 'w', { TASKS: [task.TASK_UUID], SLOTS: 0 });
    expect(await moved.ok(task)).toMatchObject({ STATUS: 'ACK', TASK_UUID: task.TASK_UUID });
    expect((await client.batch(batch)).COUNTS).toMatchObject({ SENT: size, LEASED: 0 });
    // told twice, it counts once
    expect(await moved.ok(task)).toMatchObject({ STATUS: 'ACK' });
    expect((await client.batch(batch)).COUNTS.SENT).toBe(size);
  });

  test('whose report nobody can take yet is told to keep it, with the name of its task', async () => {
    const { b, worker, batch, task } = await atWork();
    worker.cut();
    await haunt(batch);
    const brief = await server({ ownerLease: '1s' });
    const moved = await ScriptedWorker.full(brief, 'w', { TASKS: [task.TASK_UUID], SLOTS: 0 });
    expect(await moved.ok(task)).toMatchObject({
      STATUS: 'NACK',
      TASK_UUID: task.TASK_UUID,
      ERROR: { CODE: 'STORE_UNAVAILABLE', RETRY: true },
    });
    await layGhost();
    await Promise.any([adopts(b), adopts(brief)]);
    expect(await moved.ok(task)).toMatchObject({ STATUS: 'ACK' });
  });
});

/** Gives a batch to a server that lives by its lease and never answers. */
async function haunt(batch: string): Promise<void> {
  await database.query(
    `INSERT INTO mutirao.server (uuid, url, incarnation, session, group_no, lease_until)
     VALUES ('ghost', 'ws://127.0.0.1:1', 1, 1, 0, now() + interval '1 h')
     ON CONFLICT (uuid) DO UPDATE SET lease_until = excluded.lease_until`,
  );
  await database.query(
    `UPDATE mutirao.batch SET owner = 'ghost', owner_epoch = owner_epoch + 1 WHERE uuid = $1`,
    [batch],
  );
}

const layGhost = (): Promise<unknown> =>
  database.query(`UPDATE mutirao.server SET lease_until = now() WHERE uuid = 'ghost'`);

describe('a client', () => {
  test('asks any server, and what only the owner may do is done there', async () => {
    const { b, client, batch } = await atWork();
    const elsewhere = await TestClient.of(b);
    expect(await elsewhere.ask('PAUSE', { BATCH_UUID: batch })).toMatchObject({ BATCH: { STATE: 'PAUSED' } });
    expect((await client.batch(batch)).STATE).toBe('PAUSED');
    expect(await elsewhere.ask('RESUME_ALL')).toMatchObject({
      BATCHES: [{ BATCH_UUID: batch, STATE: 'RUNNING' }],
    });
    expect(await elsewhere.ask('RETRY', { BATCH_UUID: batch })).toMatchObject({ CHANGED: 0 });
    expect(await elsewhere.ask('RESOLVE', { BATCH_UUID: batch, DECISION: 'SENT' })).toMatchObject({
      CHANGED: 0,
    });
    expect(await elsewhere.ask('CANCEL', { BATCH_UUID: batch })).toMatchObject({
      BATCH: { STATE: 'CANCELLED' },
    });
    expect(await elsewhere.ask('RESUME', { BATCH_UUID: batch })).toMatchObject({
      STATUS: 'NACK',
      ERROR: { CODE: 'WRONG_STATE' },
    });
  });

  test('hears within seconds that an owner does not answer, and that it may try again', async () => {
    const { batch, worker } = await atWork();
    worker.cut();
    const brief = await server({ ownerLease: '1s' });
    await haunt(batch);
    const answer = await (await TestClient.of(brief)).ask('PAUSE', { BATCH_UUID: batch });
    expect(answer).toMatchObject({ STATUS: 'NACK', ERROR: { CODE: 'STORE_UNAVAILABLE', RETRY: true } });
    expect(answer.ERROR?.MESSAGE).toMatch(/did not answer/);
    await layGhost();
  });

  test('that watches a batch of another server goes on watching it when that one is fenced, to its end', async () => {
    const { a, b, worker, batch, task } = await atWork();
    const [near, far] = [await TestClient.of(a), await TestClient.of(b)];
    for (const client of [near, far]) await client.ask('WATCH', { BATCH_UUID: batch, EVERY_MS: 50 });
    await cutOff(a);
    await adopts(b);
    // Its first write about it says that it is another's.
    await near.ask('PAUSE', { BATCH_UUID: batch });
    expect(ownerOf(a).fenced).toBe(1);
    expect(await near.ask('RESUME', { BATCH_UUID: batch })).toMatchObject({ BATCH: { STATE: 'RUNNING' } });
    worker.cut();
    const moved = await ScriptedWorker.full(b, 'w', { TASKS: [task.TASK_UUID], SLOTS: 1 });
    await moved.ok(task);
    moved.answerAll(() => ({}));
    moved.alive({ ...FULL, WORKER_UUID: 'w', TASKS: [], SLOTS: 1 });
    for (const client of [near, far]) {
      const isEnd = (frame: Record<string, unknown>): boolean =>
        frame.EVENT === 'PROGRESS' && (frame.BATCH as { STATE: string }).STATE === 'FINISHED';
      expect(await client.socket.next(isEnd)).toMatchObject({ BATCH: { COUNTS: { SENT: 10 } } });
    }
  });
});

test('servers say in status and readyz that batches have changed hands', async () => {
  const { a, b, client, batch } = await atWork();
  await cutOff(a);
  await adopts(b);
  await client.ask('PAUSE', { BATCH_UUID: batch });
  const reasons = async ({ url }: TestServer): Promise<string> => {
    const answer = await fetch(`${url.replace('ws', 'http')}/readyz`);
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { reasons: string[] }).reasons.join('\n');
  };
  await until(
    'both say so',
    async () => /fenced:/.test(await reasons(a)) && /adopted:/.test(await reasons(b)),
  );
});
