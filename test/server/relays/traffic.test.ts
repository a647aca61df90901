import { describe, expect, it, test } from 'vitest';
import type { RecipientResult } from '../../../protocol/index.ts';
import { rowsOf, TestClient } from '../../support/client.ts';
import { ScriptedWorker, seqsOf } from '../../support/scripted-worker.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const A = 'smtp://a.example?name=a';
const B = 'smtp://b.example?name=b';
const DEAD: Partial<RecipientResult> = {
  STATUS: 'NOK',
  STAGE: 'CONNECT',
  PHASE: 'NOT_SENT',
  ERROR: 'ECONNREFUSED',
};
const REFUSED: Partial<RecipientResult> = {
  STATUS: 'NOK',
  STAGE: 'RCPT',
  PHASE: 'REPLIED',
  REPLY: '550 5.7.1 not from you',
};

async function open(settings: Record<string, unknown>): Promise<{ server: TestServer; client: TestClient }> {
  const server = await startTestServer({ retryBase: '30ms', ...settings });
  return { server, client: await TestClient.of(server) };
}

const results = (seqs: readonly number[], result: Partial<RecipientResult>): RecipientResult[] =>
  seqs.map((SEQ) => ({ SEQ, STATUS: 'NOK', ...result }));

interface RelayNow {
  readonly name: string;
  readonly breaker: string;
  readonly leased: number;
  readonly connections: number;
}

async function relaysOf(client: TestClient): Promise<readonly RelayNow[]> {
  return ((await client.ask('SERVER')).SERVER as { relays: RelayNow[] }).relays;
}

describe('a relay that is down', () => {
  it('opens its breaker, which parks mail; a probe of one finds it back; no recipient loses an attempt', async () => {
    const { server, client } = await open({ relay: [A], breakerThreshold: 3, breakerOpen: '300ms' });
    const uuid = await client.submit(20);
    const worker = await ScriptedWorker.full(server, 'w1', { CONNECTIONS: 4 });
    const task = await worker.task();
    await worker.report(task, {
      STATUS: 'NOK',
      RESULTS: results([0, 1, 2], DEAD),
      RETURNED: [[3, seqsOf(task).length - 1]],
      DONE: true,
    });
    worker.alive({ SLOTS: 2, TASKS: [] });
    expect((await relaysOf(client))[0]).toMatchObject({ breaker: 'open', leased: 0, connections: 0 });
    expect((await client.batch(uuid)).WAITING).toMatch(/breaker open/);
    expect(worker.tasks).toHaveLength(1);
    const probe = await worker.task();
    expect(probe.RECIPIENTS).toHaveLength(1);
    expect((await relaysOf(client))[0]?.breaker).toBe('half-open');
    await client.ask('SERVER');
    expect(worker.tasks).toHaveLength(2);
    await worker.ok(probe);
    expect((await relaysOf(client))[0]?.breaker).toBe('closed');
    worker.answerAll(() => ({}));
    worker.alive({ SLOTS: 1, TASKS: [] });
    await until('all is sent', async () => (await client.batch(uuid)).STATE === 'FINISHED');
    for (const { RECIPIENTS } of worker.tasks)
      for (const recipient of RECIPIENTS) expect(recipient).not.toHaveProperty('ATTEMPT');
    expect(server.log.filter(({ msg }) => msg.startsWith('breaker'))).toHaveLength(3);
  });

  it('is probed again, later, when the probe meets it down', async () => {
    const { server, client } = await open({
      relay: [A],
      breakerThreshold: 1,
      breakerOpen: '50ms',
      breakerCap: '100ms',
    });
    await client.submit(3);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    await worker.report(task, { STATUS: 'NOK', RESULTS: results([0], DEAD), DONE: true });
    for (let round = 0; round < 3; round++) {
      worker.alive({ SLOTS: 1, TASKS: [] });
      const probe = await worker.task();
      expect(probe.RECIPIENTS).toHaveLength(1);
      await worker.report(probe, { STATUS: 'NOK', RESULTS: results(seqsOf(probe), DEAD), DONE: true });
      expect((await relaysOf(client))[0]?.breaker).toBe('open');
    }
  });

  it('leaves the traffic to another one', async () => {
    const { server, client } = await open({ relay: [A, B], breakerThreshold: 1, breakerOpen: '1h' });
    const uuid = await client.submit(40);
    const worker = await ScriptedWorker.full(server, 'w1');
    const used: string[] = [];
    for (let task = await worker.task(); ; task = await worker.task()) {
      used.push(task.RELAY.NAME);
      const isDead = task.RELAY.NAME === 'a';
      await worker.report(
        task,
        isDead ? { STATUS: 'NOK', RESULTS: results(seqsOf(task), DEAD), DONE: true } : {},
      );
      if ((await client.batch(uuid)).STATE === 'FINISHED') break;
      worker.alive({ SLOTS: 1, TASKS: [] });
    }
    expect(used.filter((name) => name === 'a')).toHaveLength(1);
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 40 });
  });

  it('is none when single faults lie among successes of one report', async () => {
    const { server, client } = await open({ relay: [A], breakerThreshold: 2 });
    await client.submit(20);
    const worker = await ScriptedWorker.full(server, 'w1', { CONNECTIONS: 20 });
    const task = await worker.task();
    const gone = {
      ...DEAD,
      STAGE: 'RCPT',
      PHASE: 'REPLIED',
      REPLY: '421 4.7.0 too many messages on this connection',
    } as const;
    await worker.report(task, {
      SENT: [
        [0, 3],
        [6, 9],
        [12, 19],
      ],
      RESULTS: results([4, 5, 10, 11], gone),
      DONE: true,
    });
    expect((await relaysOf(client))[0]).toMatchObject({ breaker: 'closed', faults: 4 });
  });
});

describe('several relays', () => {
  it('share the mail by weight', async () => {
    const { server, client } = await open({ relay: [`${A}&weight=3`, B] });
    await client.submit(400);
    const worker = await ScriptedWorker.full(server, 'w1', { SLOTS: 8, CONNECTIONS: 5 });
    await until('all slots have work', () => worker.tasks.length === 8);
    const [a, b] = await relaysOf(client);
    expect(a?.leased).toBe(60);
    expect(b?.leased).toBe(20);
  });

  it('are used as the batch asks', async () => {
    const { server, client } = await open({ relay: [A, B] });
    await client.submit(100, { OPTIONS: { RELAYS: ['b'] } });
    const worker = await ScriptedWorker.full(server, 'w1', { SLOTS: 3 });
    await until('all slots have work', () => worker.tasks.length === 3);
    expect(new Set(worker.tasks.map(({ RELAY }) => RELAY.NAME))).toEqual(new Set(['b']));
  });
});

test("a relay's limit of connections holds over all workers, and is free again with their tasks", async () => {
  const { server, client } = await open({ relay: [`${A}&connections=25`] });
  await client.submit(500);
  const granted = async (uuid: string): Promise<[ScriptedWorker, number | undefined]> => {
    const worker = await ScriptedWorker.full(server, uuid, { CONNECTIONS: 20 });
    const [task] = await Promise.all([worker.task()]);
    return [worker, task.RELAY.CONNECTIONS];
  };
  const [first, twenty] = await granted('w1');
  const [, five] = await granted('w2');
  expect([twenty, five]).toEqual([20, 5]);
  const third = await ScriptedWorker.full(server, 'w3', { CONNECTIONS: 20 });
  expect((await relaysOf(client))[0]).toMatchObject({ connections: 25 });
  expect(third.tasks).toHaveLength(0);
  const [task] = first.tasks;
  if (task !== undefined) await first.ok(task);
  expect((await third.task()).RELAY.CONNECTIONS).toBe(20);
});

test('a small batch is not stuck behind a huge one', async () => {
  const { server, client } = await open({ relay: [A] });
  const huge = await client.submit(10_000);
  const worker = await ScriptedWorker.full(server, 'w1', { CONNECTIONS: 50 });
  worker.answerAll(() => ({}));
  await until(
    'the huge one is under way',
    async () => ((await client.batch(huge)).COUNTS.SENT as number) > 500,
  );
  const small = await client.submit(50, { RECIPIENTS: rowsOf(50) });
  await until('the small one is done', async () => (await client.batch(small)).STATE === 'FINISHED');
  const between = worker.tasks.slice(worker.tasks.findIndex(({ BATCH_UUID }) => BATCH_UUID === small));
  expect((await client.batch(huge)).STATE).toBe('RUNNING');
  expect(between.length).toBeGreaterThan(0);
});

describe('refusals for policy', () => {
  it('so many in a row put their recipients back, also of a batch that looked finished', async () => {
    const { server, client } = await open({ relay: [A], policyThreshold: 3, breakerOpen: '100ms' });
    const first = await client.submit(2);
    const second = await client.submit(2);
    const worker = await ScriptedWorker.full(server, 'w1');
    for (let i = 0; i < 2; i++) {
      const task = await worker.task();
      await worker.report(task, { STATUS: 'NOK', RESULTS: results(seqsOf(task), REFUSED), DONE: true });
      if (i === 0) expect((await client.batch(first)).STATE).toBe('FINISHED');
      worker.alive({ SLOTS: 1, TASKS: [] });
    }
    for (const uuid of [first, second])
      expect(await client.batch(uuid)).toMatchObject({ STATE: 'RUNNING', COUNTS: { FAILED: 0 } });
    worker.answerAll(() => ({}));
    for (const uuid of [first, second])
      await until('it is sent after all', async () => (await client.batch(uuid)).COUNTS.SENT === 2);
    expect(server.errors).toEqual([]);
  });

  it('of a watched batch do not end the watch: it goes on', async () => {
    const { server, client } = await open({ relay: [A], policyThreshold: 3, breakerOpen: '100ms' });
    const BATCH_UUID = await client.submit(3);
    await client.ask('WATCH', { BATCH_UUID, EVERY_MS: 50 });
    const worker = await ScriptedWorker.full(server, 'w1');
    await worker.report(await worker.task(), {
      STATUS: 'NOK',
      RESULTS: results([0, 1, 2], REFUSED),
      DONE: true,
    });
    worker.answerAll(() => ({}));
    worker.alive({ SLOTS: 1, TASKS: [] });
    const end = await client.socket.next(({ BATCH }) => (BATCH as { STATE: string }).STATE === 'FINISHED');
    expect(end).toMatchObject({ BATCH: { COUNTS: { SENT: 3, FAILED: 0 } } });
  });

  it('that were for themselves after all do not keep the relay from the others', async () => {
    const { server, client } = await open({ relay: [A], policyThreshold: 3, retryBase: '1s' });
    const uuid = await client.submit(8);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    await worker.report(task, { STATUS: 'NOK', RESULTS: results([0, 1, 2], REFUSED), DONE: true });
    worker.answerAll((seq) => (seq < 3 ? REFUSED : {}));
    worker.alive({ SLOTS: 1, TASKS: [] });
    await until('the others are sent', async () => (await client.batch(uuid)).COUNTS.SENT === 5);
  });

  it('are final when the recipients have been tried for long enough', async () => {
    const { server, client } = await open({ relay: [A], policyThreshold: 3, breakerOpen: '1h' });
    const uuid = await client.submit(3, { OPTIONS: { RETRY_FOR_S: 60 } });
    const worker = await ScriptedWorker.full(server, 'w1');
    await worker.report(await worker.task(), {
      STATUS: 'NOK',
      RESULTS: results([0, 1, 2], REFUSED),
      DONE: true,
    });
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', COUNTS: { FAILED: 3 } });
  });

  it('that are single ones among successes are the recipients’ affair', async () => {
    const { server, client } = await open({ relay: [A], policyThreshold: 3 });
    const uuid = await client.submit(20);
    const worker = await ScriptedWorker.full(server, 'w1', { CONNECTIONS: 20 });
    const task = await worker.task();
    await worker.report(task, {
      SENT: [
        [5, 9],
        [12, 19],
      ],
      RESULTS: results([0, 1, 2, 3, 4, 10, 11], REFUSED),
      DONE: true,
    });
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', COUNTS: { SENT: 13, FAILED: 7 } });
    expect((await relaysOf(client))[0]?.breaker).toBe('closed');
  });
});
