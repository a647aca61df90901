import { describe, expect, it, test } from 'vitest';
import type { WorkerReport } from '../../../protocol/index.ts';
import { MESSAGE, rowsOf, TestClient } from '../../support/client.ts';
import { ScriptedWorker, seqsOf } from '../../support/scripted-worker.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import type { Frame } from '../../support/socket.ts';
import { until } from '../../support/until.ts';

const UNKNOWN = '01939c6e-6b1f-7000-8000-0000000000dd';
const RELAY = { relay: ['smtp://relay.example?name=mx'] };

async function open(
  settings: Record<string, unknown> = RELAY,
): Promise<{ server: TestServer; client: TestClient }> {
  const server = await startTestServer(settings);
  return { server, client: await TestClient.of(server) };
}

const codeOf = (frame: Frame): string | undefined => frame.ERROR?.CODE;

/** Sends all of a batch but these, which fail for good. */
async function finished(
  server: TestServer,
  client: TestClient,
  count: number,
  failed: readonly number[],
): Promise<string> {
  const uuid = await client.submit(count);
  const worker = await ScriptedWorker.full(server, `finisher-${uuid}`);
  worker.answerAll((seq) =>
    failed.includes(seq)
      ? { STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '550 5.1.1 no such user' }
      : {},
  );
  await until('it is finished', async () => (await client.batch(uuid)).STATE === 'FINISHED');
  worker.cut();
  return uuid;
}

test('nothing can be done to a batch that is not known', async () => {
  const { client } = await open();
  for (const request of [
    'WATCH',
    'UNWATCH',
    'PAUSE',
    'RESUME',
    'CANCEL',
    'RETRY',
    'BATCH',
    'POSSIBLE_DUPLICATES',
  ])
    expect((await client.ask(request, { BATCH_UUID: UNKNOWN })).ERROR).toMatchObject({
      CODE: 'UNKNOWN_BATCH',
      FIELD: 'BATCH_UUID',
    });
  expect(codeOf(await client.ask('LIST', { BATCH_UUID: UNKNOWN, STATE: 'FAILED' }))).toBe('UNKNOWN_BATCH');
});

describe('PAUSE and RESUME', () => {
  it('stop and go on; both may be said twice', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await client.submit(5);
    for (let i = 0; i < 2; i++)
      expect(await client.ask('PAUSE', { BATCH_UUID })).toMatchObject({
        STATUS: 'ACK',
        BATCH: { STATE: 'PAUSED' },
      });
    expect((await client.batch(BATCH_UUID)).WAITING).toMatch(/paused/);
    const worker = await ScriptedWorker.full(server, 'w1');
    const running = await client.submit(1, { RECIPIENTS: rowsOf(1) });
    expect((await worker.task()).BATCH_UUID).toBe(running);
    for (let i = 0; i < 2; i++)
      expect(await client.ask('RESUME', { BATCH_UUID })).toMatchObject({ BATCH: { STATE: 'RUNNING' } });
    worker.alive({ SLOTS: 1 });
    expect((await worker.task()).BATCH_UUID).toBe(BATCH_UUID);
  });

  it('keep the time of retries, whatever else fell due meanwhile', async () => {
    const { server, client } = await open();
    const later: Partial<WorkerReport> = {
      RESULTS: [{ SEQ: 0, STATUS: 'NOK', REPLY: '451 later' }],
      DONE: true,
    };
    const worker = await ScriptedWorker.full(server, 'w1');
    const BATCH_UUID = await client.submit(1, { OPTIONS: { RETRY_BASE_S: 1 } });
    await worker.report(await worker.task(), later);
    await client.ask('PAUSE', { BATCH_UUID });
    const other = await client.submit(1, { OPTIONS: { RETRY_BASE_S: 0.02 } });
    worker.alive({ SLOTS: 2 });
    await worker.report(await worker.task(), later);
    expect((await worker.task()).BATCH_UUID).toBe(other);
    await client.ask('RESUME', { BATCH_UUID });
    worker.alive({ SLOTS: 1 });
    expect((await worker.task()).BATCH_UUID).toBe(BATCH_UUID);
  });

  it('survive a restart', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await client.submit(5);
    await client.ask('PAUSE', { BATCH_UUID });
    await server.stop();
    await server.start();
    const again = await TestClient.of(server);
    expect((await again.batch(BATCH_UUID)).STATE).toBe('PAUSED');
    expect(await again.ask('RESUME', { BATCH_UUID })).toMatchObject({ BATCH: { STATE: 'RUNNING' } });
  });
});

describe('CANCEL', () => {
  it('ends a batch: what was not sent never is', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await client.submit(5);
    for (let i = 0; i < 2; i++)
      expect(await client.ask('CANCEL', { BATCH_UUID })).toMatchObject({
        BATCH: { STATE: 'CANCELLED', COUNTS: { CANCELLED: 5, PENDING: 0 } },
      });
    const worker = await ScriptedWorker.full(server, 'w1');
    const other = await client.submit(1);
    expect((await worker.task()).BATCH_UUID).toBe(other);
  });

  it('cannot be taken back', async () => {
    const { client } = await open();
    const BATCH_UUID = await client.submit(5);
    await client.ask('CANCEL', { BATCH_UUID });
    for (const action of ['PAUSE', 'RESUME', 'RETRY'])
      expect(codeOf(await client.ask(action, { BATCH_UUID }))).toBe('WRONG_STATE');
  });
});

describe('a finished batch', () => {
  it('cannot be paused, resumed or cancelled', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await finished(server, client, 3, []);
    for (const action of ['PAUSE', 'RESUME', 'CANCEL'])
      expect(codeOf(await client.ask(action, { BATCH_UUID }))).toBe('WRONG_STATE');
  });

  it('runs again for RETRY, which sends exactly the failed recipients', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await finished(server, client, 10, [2, 7]);
    expect((await client.batch(BATCH_UUID)).FINISHED_AT).toBeDefined();
    const ack = await client.ask('RETRY', { BATCH_UUID });
    expect(ack).toMatchObject({
      CHANGED: 2,
      BATCH: { STATE: 'RUNNING', COUNTS: { PENDING: 2, SENT: 8, FAILED: 0 } },
    });
    expect(ack.BATCH).not.toHaveProperty('FINISHED_AT');
    expect(await client.batch(BATCH_UUID)).not.toHaveProperty('FINISHED_AT');
    const worker = await ScriptedWorker.full(server, 'w2');
    const task = await worker.task();
    expect(seqsOf(task)).toEqual([2, 7]);
    await worker.ok(task);
    expect(await client.batch(BATCH_UUID)).toMatchObject({ STATE: 'FINISHED', COUNTS: { SENT: 10 } });
  });

  it('stays finished for RETRY when nothing failed', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await finished(server, client, 3, []);
    expect(await client.ask('RETRY', { BATCH_UUID })).toMatchObject({
      CHANGED: 0,
      BATCH: { STATE: 'FINISHED' },
    });
  });
});

describe('WATCH', () => {
  it('answers before its first event, tells of changes, and ends with the last state', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await client.submit(4);
    client.socket.send({ CLIENT: 'WATCH', REQ: 1, BATCH_UUID, EVERY_MS: 50 });
    const before = client.socket.heard.length;
    await client.socket.next(({ EVENT }) => EVENT === 'PROGRESS');
    expect(client.socket.heard[before]).toMatchObject({ STATUS: 'ACK', REQ: 1 });
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    await worker.sent(task, [0, 1]);
    const half = await client.socket.next(
      ({ BATCH }) => (BATCH as { COUNTS: { SENT: number } }).COUNTS.SENT === 2,
    );
    expect(half).toMatchObject({ EVENT: 'PROGRESS', BATCH: { STATE: 'RUNNING' } });
    await worker.sent(task, [2, 3]);
    const end = await client.socket.next(({ BATCH }) => (BATCH as { STATE: string }).STATE === 'FINISHED');
    expect(end).toMatchObject({ EVENT: 'PROGRESS', BATCH: { COUNTS: { SENT: 4 } } });
  });

  it('of a finished batch is one event', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await finished(server, client, 2, []);
    client.socket.send({ CLIENT: 'WATCH', BATCH_UUID });
    expect(await client.socket.next(({ EVENT }) => EVENT === 'PROGRESS')).toMatchObject({
      BATCH: { STATE: 'FINISHED' },
    });
    await client.ask('SERVER');
    expect(client.socket.heard.filter(({ EVENT }) => EVENT === 'PROGRESS')).toHaveLength(1);
  });

  it('hears of a cancelled batch when nothing of it is out any more', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await client.submit(4);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    client.socket.send({ CLIENT: 'WATCH', BATCH_UUID, EVERY_MS: 50 });
    await (await TestClient.of(server)).ask('CANCEL', { BATCH_UUID });
    await worker.socket.next(({ TASK }) => TASK === 'HAND_BACK');
    await worker.sent(task, [0], { RETURNED: [[1, 3]], DONE: true });
    const end = await client.socket.next(
      ({ BATCH }) => (BATCH as { COUNTS: { CANCELLED: number } } | undefined)?.COUNTS.CANCELLED === 3,
    );
    expect(end).toMatchObject({ BATCH: { STATE: 'CANCELLED', COUNTS: { SENT: 1, LEASED: 0 } } });
  });

  it('ends with UNWATCH', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await client.submit(4);
    client.socket.send({ CLIENT: 'WATCH', BATCH_UUID, EVERY_MS: 50 });
    await client.socket.next(({ EVENT }) => EVENT === 'PROGRESS');
    await client.ask('UNWATCH', { BATCH_UUID });
    const heard = client.socket.heard.length;
    const worker = await ScriptedWorker.full(server, 'w1');
    await worker.ok(await worker.task());
    await client.ask('SERVER');
    expect(client.socket.heard).toHaveLength(heard + 1);
  });
});

describe('LIST', () => {
  it('shows who failed, with which reply, page by page', async () => {
    const { server, client } = await open();
    const BATCH_UUID = await finished(server, client, 10, [1, 3, 4, 8]);
    const page = (keys: object) => client.ask('LIST', { BATCH_UUID, STATE: 'FAILED', LIMIT: 2, ...keys });
    const first = await page({});
    expect(first).toMatchObject({ MORE: true, RECIPIENTS: [{ SEQ: 1 }, { SEQ: 3 }] });
    expect((first.RECIPIENTS as object[])[0]).toMatchObject({
      ADDRESS: 'user1@example.net',
      STATE: 'FAILED',
      ATTEMPTS: 1,
      RELAY: 'mx',
      REPLY: expect.stringContaining('550 5.1.1'),
      AT: expect.stringMatching(/^\d{4}-/),
    });
    expect(await page({ AFTER: 3 })).toMatchObject({ MORE: false, RECIPIENTS: [{ SEQ: 4 }, { SEQ: 8 }] });
    expect(await page({ AFTER: 8 })).toMatchObject({ MORE: false, RECIPIENTS: [] });
  });

  it('shows what is deferred with the time of its retry', async () => {
    const { server, client } = await open({ ...RELAY, retryBase: '1h' });
    const BATCH_UUID = await client.submit(2);
    const worker = await ScriptedWorker.full(server, 'w1');
    await worker.report(await worker.task(), {
      RESULTS: [{ SEQ: 1, STATUS: 'NOK', REPLY: '451 4.7.1 greylisted' }],
      DONE: true,
    });
    expect(await client.ask('LIST', { BATCH_UUID, STATE: 'DEFERRED' })).toMatchObject({
      RECIPIENTS: [
        { SEQ: 1, REPLY: expect.stringContaining('451'), DUE_AT: expect.stringMatching(/^\d{4}-/) },
      ],
    });
  });
});

test('BATCHES shows the newest first, as many as asked for', async () => {
  const { client } = await open();
  const uuids: string[] = [];
  for (let i = 1; i <= 3; i++) uuids.unshift(await client.submit(i));
  const list = async (keys: object) =>
    ((await client.ask('BATCHES', keys)).BATCHES as { BATCH_UUID: string }[]).map(
      ({ BATCH_UUID }) => BATCH_UUID,
    );
  expect(await list({})).toEqual(uuids);
  expect(await list({ LIMIT: 2 })).toEqual(uuids.slice(0, 2));
});

describe('why a batch waits', () => {
  it('is told: no worker', async () => {
    const { client } = await open();
    expect((await client.batch(await client.submit(1))).WAITING).toMatch(/no worker/);
  });

  it('is told: no relay', async () => {
    const { server, client } = await open({});
    const uuid = await client.submit(1);
    await ScriptedWorker.full(server, 'w1');
    await until('it is told', async () => (await client.batch(uuid)).WAITING?.includes('--relay'));
  });
});

test('a server that stops takes no new batch, and says that it is worth trying again', async () => {
  const { server, client } = await open();
  await client.submit(2, { MESSAGE });
  const worker = await ScriptedWorker.full(server, 'w1');
  await worker.task();
  const stopped = server.running.stop();
  const nack = await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(1), COMMIT: true });
  expect(nack.ERROR).toMatchObject({ CODE: 'STOPPING', RETRY: true });
  server.running.hurry();
  await stopped;
});
