import { pino } from 'pino';
import { expect, test } from 'vitest';
import { MemoryDispatch, recordOf, taskOf } from './memory-dispatch.ts';

const NOTHING = recordOf('b', {});

/** One worker with one task of ten recipients. */
async function leased(dispatch = new MemoryDispatch()) {
  const worker = dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.dispatcher.pump();
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked));
  const lease = [...dispatch.context.leases.all()][0];
  if (lease === undefined) throw new Error('nothing was leased');
  return { dispatch, worker, lease, task: taskOf(worker.got[0]) };
}

test('a worker gets one claim per pull, and its next slot when that one is done', async () => {
  const dispatch = new MemoryDispatch();
  const worker = dispatch.worker('w');
  worker.slots = 2;
  dispatch.context.batches.takeUp(recordOf('b', { pending: 100 }));
  dispatch.dispatcher.pump();
  expect(dispatch.claims.questions).toHaveLength(1);
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked, 90));
  expect(worker.got).toHaveLength(1);
  expect(dispatch.claims.questions).toHaveLength(1);
});

test('two pulls never claim the same recipients: what is being claimed is not ready', () => {
  const dispatch = new MemoryDispatch();
  dispatch.context.batches.takeUp(recordOf('b', { pending: 6 }));
  for (const uuid of ['v', 'w', 'x']) dispatch.worker(uuid);
  dispatch.dispatcher.pump();
  const counts = dispatch.claims.questions.map(({ asked }) => asked.count);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(6);
});

test('a claim that finds nothing gives everything back', async () => {
  const dispatch = new MemoryDispatch();
  const worker = dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.dispatcher.pump();
  await dispatch.claims.questions.shift()?.answer(undefined);
  expect(worker).toMatchObject({ slots: 1, idle: true });
  expect(dispatch.relay).toMatchObject({ leased: 0, connections: 0 });
});

test('a task whose worker left during the claim is overdue at once, and nothing of it was begun', async () => {
  const dispatch = new MemoryDispatch();
  const worker = dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.dispatcher.pump();
  dispatch.context.workers.remove(worker);
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked));
  expect(worker.got).toEqual([]);
  expect(dispatch.context.leases.overdue(dispatch.now)).toMatchObject([
    { task: claim?.asked.task, inFlight: 0 },
  ]);
});

test('so is one that a stopping server no longer gives out', async () => {
  const dispatch = new MemoryDispatch();
  const worker = dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.dispatcher.pump();
  dispatch.dispatcher.close();
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked));
  expect(worker.got).toEqual([]);
  expect(dispatch.context.leases.overdue(dispatch.now)).toHaveLength(1);
});

test('a failing store is said once, tried with one claim at a time, and dispatch goes on when it works', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const dispatch = new MemoryDispatch(logger);
  const [v, w] = [dispatch.worker('v'), dispatch.worker('w')];
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.dispatcher.pump();
  for (const claim of dispatch.claims.questions.splice(0)) await claim.fail();
  for (let i = 0; i < 5; i++) {
    dispatch.dispatcher.pump();
    expect(dispatch.claims.questions).toHaveLength(0);
    dispatch.dispatcher.retryStore();
    dispatch.dispatcher.retryStore();
    expect(dispatch.claims.questions).toHaveLength(1);
    await dispatch.claims.questions.shift()?.fail();
    expect(dispatch.dispatcher.storeFailing).toBe(true);
  }
  expect(lines).toHaveLength(1);
  expect(dispatch.relay).toMatchObject({ leased: 0, connections: 0 });
  dispatch.dispatcher.retryStore();
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked, 5));
  expect(dispatch.dispatcher.storeFailing).toBe(false);
  expect(v.got.length + w.got.length).toBe(1);
  expect(dispatch.claims.questions).toHaveLength(1);
});

test('a store that failed and that nobody wants anything of is not said to fail any more', async () => {
  const dispatch = new MemoryDispatch();
  const worker = dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  dispatch.dispatcher.pump();
  await dispatch.claims.questions.shift()?.fail();
  dispatch.context.workers.remove(worker);
  dispatch.dispatcher.retryStore();
  expect(dispatch.dispatcher.storeFailing).toBe(false);
});

test('a lease that its report settles while it is being ended is ended once', async () => {
  const { dispatch, lease, task, worker } = await leased();
  dispatch.context.relays.taskLeased('a', 'another', 'w', 5, 3, false);
  const report = dispatch.results.take({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: task.TASK_UUID }, worker);
  const expiry = dispatch.clockwork.expire(lease, 2, 'test', false);
  await dispatch.settlements.questions[0]?.answer({ remaining: 0, applied: 10, figures: NOTHING });
  await dispatch.expiries.questions[0]?.answer(undefined);
  await Promise.all([report, expiry]);
  expect(dispatch.relay).toMatchObject({ leased: 3, connections: 5 });
  expect(dispatch.context.leases.size).toBe(0);
});

test('a lease that is being ended is told so, and is not ended twice', async () => {
  const { dispatch, lease, worker } = await leased();
  const first = dispatch.clockwork.expire(lease, 2, 'test', false);
  const second = dispatch.clockwork.expire(lease, 0, 'test', false);
  expect(dispatch.clockwork.isEnding(lease.task)).toBe(true);
  expect(dispatch.expiries.questions).toHaveLength(1);
  await dispatch.expiries.questions[0]?.answer({ figures: recordOf('b', { pending: 10 }), marked: 2 });
  await Promise.all([first, second]);
  expect(dispatch.clockwork.isEnding(lease.task)).toBe(false);
  expect(dispatch.relay).toMatchObject({ leased: 0, connections: 0 });
  expect(worker.leases.size).toBe(0);
});

test('a lease that the store cannot end stays, to be tried again', async () => {
  const { dispatch, lease } = await leased();
  const ending = dispatch.clockwork.expire(lease, 2, 'test', false);
  await dispatch.expiries.questions[0]?.fail();
  await ending;
  expect(dispatch.context.leases.get(lease.task)).toBe(lease);
  expect(dispatch.clockwork.isEnding(lease.task)).toBe(false);
});

test('a report that could not be stored changes nothing, and can be made again', async () => {
  const { dispatch, lease, worker } = await leased();
  const report = { STATUS: 'OK', TASK: 'SEND', TASK_UUID: lease.task } as const;
  const first = dispatch.results.take(report, worker);
  const failed = expect(first).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await dispatch.settlements.questions.shift()?.fail();
  await failed;
  expect(dispatch.context.leases.get(lease.task)).toMatchObject({ remaining: 10 });
  const again = dispatch.results.take(report, worker);
  await dispatch.settlements.questions.shift()?.answer({ remaining: 0, applied: 10, figures: NOTHING });
  await again;
  expect(dispatch.context.leases.size).toBe(0);
  expect(dispatch.relay).toMatchObject({ leased: 0, connections: 0, sent: 10 });
});

test('recipients handed back do not make a worker look fast', async () => {
  const { dispatch, lease, worker } = await leased();
  const report = dispatch.results.take(
    { STATUS: 'NOK', TASK: 'SEND', TASK_UUID: lease.task, SENT: [[0, 0]], RETURNED: [[1, 9]], DONE: true },
    worker,
  );
  await dispatch.settlements.questions[0]?.answer({
    remaining: 0,
    applied: 10,
    figures: recordOf('b', { pending: 9, sent: 1 }),
  });
  await report;
  expect(worker.meter.rate(dispatch.now)).toBe(4);
  expect(dispatch.context.settled.rate(dispatch.now)).toBe(4);
});

test('a worker that changed connections while its report was stored holds nothing more', async () => {
  const { dispatch, lease, worker } = await leased();
  const report = dispatch.results.take({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: lease.task }, worker);
  const again = dispatch.worker('w');
  again.leases.add(lease.task);
  await dispatch.settlements.questions[0]?.answer({ remaining: 0, applied: 10, figures: NOTHING });
  await report;
  expect(again.idle).toBe(true);
});

test('where no worker is, the probe of a relay is work for one, so that one is borrowed', () => {
  const dispatch = new MemoryDispatch();
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  expect(dispatch.dispatcher.ready()).toBe(10);
  const faults = ['connect', 'connect', 'connect'];
  dispatch.context.relays.reported('a', {
    task: 't',
    alive: 0,
    sent: 0,
    faults: 3,
    faultsInRow: faults,
    refusedInRow: [],
  });
  expect(dispatch.dispatcher.ready()).toBe(0);
  dispatch.now += 60_000;
  expect(dispatch.dispatcher.ready()).toBe(1);
  dispatch.worker('w');
  expect(dispatch.dispatcher.ready()).toBe(0);
});

test('where no worker is, recipients that are set aside are work for one', () => {
  const dispatch = new MemoryDispatch();
  dispatch.context.batches.takeUp(recordOf('b', { deferred: 1 }));
  expect(dispatch.dispatcher.ready()).toBe(0);
  dispatch.context.suspects.load([{ batch: 'b', seq: 0, deaths: 3, among: 1, alone: 0, aside: true }]);
  expect(dispatch.dispatcher.ready()).toBe(1);
  dispatch.worker('w');
  expect(dispatch.dispatcher.ready()).toBe(0);
});
