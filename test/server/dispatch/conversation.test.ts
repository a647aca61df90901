import { describe, expect, it } from 'vitest';
import { rowsOf, TestClient } from '../../support/client.ts';
import { ScriptedWorker, seqsOf } from '../../support/scripted-worker.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const RELAY = 'smtp://user:secret@relay.example:2525?name=mx';

async function open(
  settings: Record<string, unknown> = {},
): Promise<{ server: TestServer; client: TestClient }> {
  const server = await startTestServer({ relay: [RELAY], ...settings });
  return { server, client: await TestClient.of(server) };
}

/** Shorter than any operator may choose, longer than a round trip; ms. */
const QUICK_LEASE = 600;

const seqs = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('a minimal worker', () => {
  it('says ALIVE, gets an identity and a task that is complete in itself, and says OK', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(2);
    const worker = await ScriptedWorker.of(server);
    const task = await worker.task();
    expect(task).toMatchObject({
      TASK: 'SEND',
      BATCH_UUID: uuid,
      WORKER_UUID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      LEASE_S: 60,
      DATE: expect.stringMatching(/^\d{4}-.*Z$/),
      MESSAGE: { FROM: 'News <news@example.org>', SUBJECT: 'Hello {{name}}' },
      RELAY: { NAME: 'mx', HOST: 'relay.example', PORT: 2525, SECURE: false, USER: 'user', PASS: 'secret' },
      RECIPIENTS: [
        {
          SEQ: 0,
          ADDRESS: 'user0@example.net',
          VARIABLES: { name: 'Name 0' },
          MESSAGE_ID: `<${uuid}.0@example.org>`,
        },
        { SEQ: 1, ADDRESS: 'user1@example.net' },
      ],
    });
    expect(await worker.ok(task)).toEqual({ STATUS: 'ACK', TASK_UUID: task.TASK_UUID });
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', COUNTS: { SENT: 2 }, MAYBE_SENT: 0 });
  });

  it('says ALIVE again for the next task, and NOK when it could not', async () => {
    const { server, client } = await open({ retryBase: '1h' });
    const uuid = await client.submit(15);
    const worker = await ScriptedWorker.of(server);
    const first = await worker.task();
    await worker.ok(first);
    worker.alive();
    const second = await worker.task();
    expect([...seqsOf(first), ...seqsOf(second)].sort((a, b) => a - b)).toEqual(seqs(0, 14));
    await worker.report(second, { STATUS: 'NOK', ERROR: 'no network' });
    const { COUNTS } = await client.batch(uuid);
    expect(COUNTS).toMatchObject({
      SENT: first.RECIPIENTS.length,
      DEFERRED: second.RECIPIENTS.length,
      LEASED: 0,
    });
  });

  it('gets nothing new while it works: its ALIVE is a sign of life then', async () => {
    const { server, client } = await open();
    await client.submit(100);
    const worker = await ScriptedWorker.of(server);
    const task = await worker.task();
    worker.alive();
    worker.alive();
    await worker.sent(task, [0]);
    expect(worker.tasks).toHaveLength(1);
  });

  it('that comes back with its name and remembers nothing gets work, not its old lease for ever', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(3);
    const before = await ScriptedWorker.of(server, { WORKER_UUID: 'minimal' });
    await before.task();
    before.cut();
    const after = await ScriptedWorker.of(server, { WORKER_UUID: 'minimal' });
    const task = await after.task();
    expect(seqsOf(task)).toEqual([0, 1, 2]);
    await after.ok(task);
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', MAYBE_SENT: 3 });
  });
});

describe('a pull', () => {
  it('waits for work, and gets it at once when a batch comes', async () => {
    const { server, client } = await open({ park: '60s' });
    const worker = await ScriptedWorker.full(server, 'w1');
    await client.ask('SERVER');
    expect(worker.socket.heard).toEqual([]);
    const uuid = await client.submit(1);
    expect((await worker.task()).BATCH_UUID).toBe(uuid);
  });

  it('is answered NO_TASK after the time to wait, with the name of the worker', async () => {
    const { server } = await open({ park: '100ms' });
    const worker = await ScriptedWorker.full(server, 'w1');
    expect(await worker.socket.next()).toEqual({ TASK: 'NO_TASK', WORKER_UUID: 'w1' });
  });

  it('asks for as many tasks as it has slots, and for none with 0', async () => {
    const { server, client } = await open();
    await client.submit(500);
    const worker = await ScriptedWorker.full(server, 'w1', { SLOTS: 0 });
    await client.ask('SERVER');
    expect(worker.tasks).toHaveLength(0);
    worker.alive({ SLOTS: 3 });
    await until('it has three', () => worker.tasks.length === 3);
    await client.ask('SERVER');
    expect(worker.tasks).toHaveLength(3);
    const all = worker.tasks.flatMap(seqsOf);
    expect(new Set(all).size).toBe(all.length);
  });

  it('of a worker that is leaving gets nothing', async () => {
    const { server, client } = await open();
    const leaving = await ScriptedWorker.full(server, 'w1', { LEAVING: true });
    const other = await ScriptedWorker.full(server, 'w2');
    await client.submit(5);
    await other.task();
    expect(leaving.tasks).toHaveLength(0);
  });

  it('gives each of two workers its part', async () => {
    const { server, client } = await open();
    const workers = [await ScriptedWorker.full(server, 'w1'), await ScriptedWorker.full(server, 'w2')];
    await client.submit(100);
    const tasks = await Promise.all(workers.map((worker) => worker.task()));
    const all = tasks.flatMap(seqsOf);
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('a report', () => {
  it('may speak of some recipients only; DONE gives back the others', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(5);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    await worker.sent(task, [0, 2]);
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 2, LEASED: 3 });
    await worker.report(task, {
      RESULTS: [{ SEQ: 1, STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '550 5.1.1 no' }],
    });
    await worker.report(task, { SENT: [[3, 3]], DONE: true });
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 3, FAILED: 1, LEASED: 0, PENDING: 1 });
    worker.alive({ SLOTS: 1 });
    expect(seqsOf(await worker.task())).toEqual([4]);
  });

  it('hands recipients back, which others get, with no attempt charged', async () => {
    const { server, client } = await open();
    await client.submit(5);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    const other = await ScriptedWorker.full(server, 'w2');
    await worker.sent(task, [0], { RETURNED: [[1, 4]], DONE: true });
    const rest = await other.task();
    expect(seqsOf(rest)).toEqual([1, 2, 3, 4]);
    for (const recipient of rest.RECIPIENTS) expect(recipient).not.toHaveProperty('ATTEMPT');
  });

  it('that is repeated is acknowledged and changes nothing', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(4);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    const no = {
      RESULTS: [{ SEQ: 3, STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '550 no' }],
    } as const;
    for (let i = 0; i < 3; i++) {
      await worker.sent(task, [0, 1]);
      await worker.report(task, { RESULTS: [...no.RESULTS] });
    }
    expect(await client.batch(uuid)).toMatchObject({
      COUNTS: { SENT: 2, FAILED: 1, LEASED: 1 },
      SECOND_REPORTS: 0,
    });
    await worker.sent(task, [2], { DONE: true });
    for (let i = 0; i < 2; i++)
      expect(await worker.sent(task, [2], { DONE: true })).toMatchObject({ STATUS: 'ACK' });
    expect(await client.batch(uuid)).toMatchObject({
      STATE: 'FINISHED',
      COUNTS: { SENT: 3, FAILED: 1 },
      SECOND_REPORTS: 0,
    });
  });

  it('of a repeated fault does not open the breaker', async () => {
    const { server, client } = await open({ breakerThreshold: 3 });
    await client.submit(10);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    const fault = {
      RESULTS: [{ SEQ: 9, STATUS: 'NOK' as const, STAGE: 'CONNECT' as const, ERROR: 'ECONNREFUSED' }],
    };
    for (let i = 0; i < 6; i++) await worker.report(task, fault);
    expect((await client.ask('SERVER')).SERVER).toMatchObject({ relays: [{ breaker: 'closed', faults: 1 }] });
  });

  it('of a task that nobody knows is acknowledged: it will never matter again', async () => {
    const { server } = await open();
    const worker = await ScriptedWorker.full(server, 'w1');
    expect(await worker.ok('never-heard-of')).toEqual({ STATUS: 'ACK', TASK_UUID: 'never-heard-of' });
  });

  it('with an error of its form is refused, and the lease stays', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(2);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    expect(await worker.report(task, { SENT: [[1, 0]] })).toMatchObject({
      ERROR: { CODE: 'INVALID_MESSAGE', FIELD: 'SENT' },
    });
    await worker.ok(task);
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED' });
  });
});

describe('a lease', () => {
  it('is renewed by a worker that lists it, and one that is not its own is told lost', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(2);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    const ends = performance.now() + 2 * QUICK_LEASE;
    while (performance.now() < ends) {
      worker.alive({ SLOTS: 0, TASKS: [task.TASK_UUID, 'another'] });
      expect(await worker.socket.next()).toEqual({
        TASK: 'LEASES',
        RENEWED: [task.TASK_UUID],
        LOST: ['another'],
        LEASE_S: QUICK_LEASE / 1000,
      });
      await new Promise((resolve) => setTimeout(resolve, QUICK_LEASE / 4));
    }
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ LEASED: 2 });
  });

  it('that expires goes to another worker; those that may have been begun are marked, and no others', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(10);
    const gone = await ScriptedWorker.full(server, 'gone', { IN_FLIGHT: 3 });
    const task = await gone.task();
    await gone.sent(task, [0, 2]);
    gone.cut();
    const other = await ScriptedWorker.full(server, 'other');
    const rest = await other.task();
    expect(seqsOf(rest).sort((a, b) => a - b)).toEqual([1, 3, 4, 5, 6, 7, 8, 9]);
    expect(await client.batch(uuid)).toMatchObject({ MAYBE_SENT: 3, COUNTS: { SENT: 2, LEASED: 8 } });
    const marked = await client.ask('LIST', { BATCH_UUID: uuid, STATE: 'MAYBE_SENT' });
    expect((marked.RECIPIENTS as { SEQ: number }[]).map(({ SEQ }) => SEQ)).toEqual([1, 3, 4]);
  });

  it('that expires is held where the batch asks for that', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(5, { OPTIONS: { ON_UNKNOWN: 'HOLD' } });
    const gone = await ScriptedWorker.full(server, 'gone', { IN_FLIGHT: 2 });
    await gone.task();
    gone.cut();
    const other = await ScriptedWorker.full(server, 'other');
    expect(seqsOf(await other.task())).toEqual([2, 3, 4]);
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ UNKNOWN: 2, LEASED: 3 });
  });

  it('that expired is told lost to a worker that lists it', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(2);
    const worker = await ScriptedWorker.full(server, 'w1');
    const { TASK_UUID } = await worker.task();
    await until('it has expired', async () => (await client.batch(uuid)).COUNTS.LEASED === 0);
    worker.alive({ SLOTS: 0, TASKS: [TASK_UUID] });
    expect(await worker.socket.next(({ TASK }) => TASK === 'LEASES')).toMatchObject({
      RENEWED: [],
      LOST: [TASK_UUID],
    });
  });

  it('case 22: that expired: a late OK is kept as a fact, and the mail is not sent again', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(4);
    const late = await ScriptedWorker.full(server, 'late');
    const task = await late.task();
    await until('it has expired', async () => (await client.batch(uuid)).COUNTS.PENDING === 4);
    expect(await late.sent(task, [0, 1])).toMatchObject({ STATUS: 'ACK' });
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 2, PENDING: 2 });
    const other = await ScriptedWorker.full(server, 'other');
    const rest = await other.task();
    expect(seqsOf(rest)).toEqual([2, 3]);
    await other.ok(rest);
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', SECOND_REPORTS: 0 });
  });

  it('that expired: the OK of a minimal worker still speaks for its whole task', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(4);
    const late = await ScriptedWorker.of(server, { WORKER_UUID: 'minimal' });
    const task = await late.task();
    await until('it has expired', async () => (await client.batch(uuid)).COUNTS.PENDING === 4);
    await late.ok(task);
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', COUNTS: { SENT: 4 } });
  });

  it('case 22: that expired: a late NOK is ignored', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(4);
    const late = await ScriptedWorker.full(server, 'late');
    const task = await late.task();
    await until('it has expired', async () => (await client.batch(uuid)).COUNTS.PENDING === 4);
    await late.report(task, { RESULTS: [{ SEQ: 0, STATUS: 'NOK', REPLY: '550 no' }], DONE: true });
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ PENDING: 4, FAILED: 0 });
  });

  it('case 22: that expired: two workers that both got it through are counted as a second report', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(2);
    const late = await ScriptedWorker.full(server, 'late');
    const task = await late.task();
    const other = await ScriptedWorker.full(server, 'other');
    const again = await other.task();
    await other.ok(again);
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', SECOND_REPORTS: 0 });
    await late.ok(task);
    expect(await client.batch(uuid)).toMatchObject({
      STATE: 'FINISHED',
      SECOND_REPORTS: 2,
      COUNTS: { SENT: 2 },
    });
  });
});

describe('a worker that comes back', () => {
  it('keeps the leases it lists', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(5);
    const before = await ScriptedWorker.full(server, 'w1');
    const task = await before.task();
    before.cut();
    const after = await ScriptedWorker.full(server, 'w1', { TASKS: [task.TASK_UUID], SLOTS: 0 });
    expect(await after.socket.next()).toMatchObject({ TASK: 'LEASES', RENEWED: [task.TASK_UUID], LOST: [] });
    await after.ok(task);
    expect(await client.batch(uuid)).toMatchObject({ STATE: 'FINISHED', MAYBE_SENT: 0 });
  });

  it('loses at once those it does not list, and nothing of them is marked', async () => {
    const { server, client } = await open({ lease: '1h' });
    const uuid = await client.submit(5);
    const before = await ScriptedWorker.full(server, 'w1');
    await before.task();
    before.cut();
    const after = await ScriptedWorker.full(server, 'w1');
    expect(seqsOf(await after.task())).toEqual(seqs(0, 4));
    expect(await client.batch(uuid)).toMatchObject({ MAYBE_SENT: 0, COUNTS: { LEASED: 5 } });
  });

  it('takes the place of its older connection (4409)', async () => {
    const { server, client } = await open();
    const before = await ScriptedWorker.full(server, 'w1');
    await client.ask('SERVER');
    const after = await ScriptedWorker.full(server, 'w1');
    expect(await before.socket.closed()).toMatchObject({ code: 4409 });
    expect((await client.ask('SERVER')).SERVER).toMatchObject({ workersTotal: 1 });
    await client.submit(1);
    await after.task();
  });

  it('is counted idle again when its report was stored while it changed connections', async () => {
    const { server, client } = await open({ lease: '1h' });
    await client.submit(5);
    const before = await ScriptedWorker.full(server, 'w1');
    const task = await before.task();
    before.socket.send({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: task.TASK_UUID });
    const after = await ScriptedWorker.full(server, 'w1', { TASKS: [task.TASK_UUID], SLOTS: 1 });
    await until('it is idle', async () => {
      const { workers } = (await client.ask('SERVER')).SERVER as {
        workers: { idle: boolean; tasks: number }[];
      };
      return workers[0]?.idle === true && workers[0].tasks === 0;
    });
    await client.submit(1, { RECIPIENTS: rowsOf(1) });
    await after.task();
  });
});

describe('HAND_BACK', () => {
  for (const action of ['PAUSE', 'CANCEL'] as const) {
    it(`comes on ${action}, and what is handed back stays`, async () => {
      const { server, client } = await open();
      const BATCH_UUID = await client.submit(5);
      const worker = await ScriptedWorker.full(server, 'w1');
      const minimal = await ScriptedWorker.of(server);
      const task = await worker.task();
      await client.ask(action, { BATCH_UUID });
      expect(await worker.socket.next()).toEqual({ TASK: 'HAND_BACK', TASKS: [task.TASK_UUID] });
      await worker.sent(task, [0], { RETURNED: [[1, 4]], DONE: true });
      const { COUNTS, STATE } = await client.batch(BATCH_UUID);
      expect(COUNTS).toMatchObject({ SENT: 1, LEASED: 0, [action === 'PAUSE' ? 'PENDING' : 'CANCELLED']: 4 });
      expect(STATE).toBe(action === 'PAUSE' ? 'PAUSED' : 'CANCELLED');
      expect(minimal.socket.heard).toEqual([]);
    });
  }

  it('comes to all workers when the server stops, which waits for their answers', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(200);
    const workers = [await ScriptedWorker.full(server, 'w1'), await ScriptedWorker.full(server, 'w2')];
    const tasks = await Promise.all(workers.map((worker) => worker.task()));
    const stopped = server.running.stop();
    for (const [i, worker] of workers.entries()) {
      const task = tasks[i] as (typeof tasks)[number];
      expect(await worker.socket.next()).toEqual({ TASK: 'HAND_BACK', TASKS: [task.TASK_UUID] });
      const [first = 0] = seqsOf(task);
      await worker.sent(task, [first], { DONE: true });
    }
    await stopped;
    for (const worker of workers) expect(await worker.socket.closed()).toMatchObject({ code: 1001 });
    expect(await server.audit(uuid)).toMatchObject({
      problems: [],
      counts: { sent: 2, leased: 0, pending: 198 },
    });
    expect(server.log.at(-1)?.msg).toMatch(/everything settled/);
  });

  it('that nobody answers does not keep the server from stopping', async () => {
    const { server, client } = await open({ drain: '200ms' });
    await client.submit(5);
    await (await ScriptedWorker.full(server, 'w1')).task();
    await server.running.stop();
    expect(server.log.at(-1)?.msg).toMatch(/leases wait for its return/);
  });
});

describe('a restart in mid-batch', () => {
  it('waits for its workers, and gives out nothing that was acknowledged or is still leased', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(30);
    const worker = await ScriptedWorker.full(server, 'w1');
    const task = await worker.task();
    const acknowledged = seqsOf(task).slice(0, 5);
    await worker.sent(task, acknowledged);
    await server.stop();
    await server.start();
    const other = await ScriptedWorker.full(server, 'other', { CONNECTIONS: 1_000 });
    const rest = await other.task();
    expect(seqsOf(rest).filter((seq) => seqsOf(task).includes(seq))).toEqual([]);
    await other.ok(rest);
    const back = await ScriptedWorker.full(server, 'w1', { TASKS: [task.TASK_UUID], SLOTS: 0 });
    expect(await back.socket.next()).toMatchObject({ RENEWED: [task.TASK_UUID] });
    await back.ok(task);
    const after = await TestClient.of(server);
    expect(await after.batch(uuid)).toMatchObject({
      STATE: 'FINISHED',
      COUNTS: { SENT: 30 },
      MAYBE_SENT: 0,
      SECOND_REPORTS: 0,
    });
  });

  it('marks no more than the worker has in flight when it dies after it came back', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(10);
    const worker = await ScriptedWorker.full(server, 'w1', { IN_FLIGHT: 2 });
    const { TASK_UUID } = await worker.task();
    await server.stop();
    await server.start();
    const back = await ScriptedWorker.full(server, 'w1', { TASKS: [TASK_UUID], SLOTS: 0, IN_FLIGHT: 2 });
    await back.socket.next(({ TASK }) => TASK === 'LEASES');
    back.cut();
    const after = await TestClient.of(server);
    await until('its lease has expired', async () => (await after.batch(uuid)).COUNTS.PENDING === 10);
    expect((await after.batch(uuid)).MAYBE_SENT).toBe(2);
  });

  it('gives out again what a worker that never comes back had, all of it marked', async () => {
    const { server, client } = await open({ lease: QUICK_LEASE });
    const uuid = await client.submit(6);
    await (await ScriptedWorker.full(server, 'w1')).task();
    await server.stop();
    await server.start();
    const other = await ScriptedWorker.full(server, 'other');
    expect(seqsOf(await other.task())).toEqual(seqs(0, 5));
    expect((await (await TestClient.of(server)).batch(uuid)).MAYBE_SENT).toBe(6);
  });
});
