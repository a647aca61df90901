import { expect, test } from 'vitest';
import { Takeover } from '../../../server/owners/takeover.ts';
import { StoreError } from '../../../server/store/errors.ts';
import { MemoryDispatch, recordOf } from './memory-dispatch.ts';

/** A dispatch whose hold of its batches the test gives and takes, with one worker that is hungry for ten mails. */
function tenant() {
  const dispatch = new MemoryDispatch();
  const tenancy = { held: true, isHeld: () => tenancy.held };
  Object.assign(dispatch.context, { tenancy });
  const takeover = new Takeover(dispatch.context, { figures: async () => undefined });
  const worker = dispatch.worker('w');
  dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
  return { dispatch, tenancy, takeover, worker };
}

const REPORT = { STATUS: 'OK', TASK: 'SEND', TASK_UUID: 't' } as const;
const NOT_OWNER = new StoreError('NOT_OWNER', 'batch b belongs to another server', { batch: 'b' });

test('a server whose lease has run out leases nothing, and goes on when it is renewed', () => {
  const { dispatch, tenancy } = tenant();
  tenancy.held = false;
  dispatch.dispatcher.pump();
  expect(dispatch.claims.questions).toHaveLength(0);
  tenancy.held = true;
  dispatch.dispatcher.pump();
  expect(dispatch.claims.questions).toHaveLength(1);
});

test('a task that was leased before the lease ran out, and not sent, is not sent any more', async () => {
  const { dispatch, tenancy, worker } = tenant();
  dispatch.dispatcher.pump();
  const claim = dispatch.claims.questions.shift();
  tenancy.held = false;
  await claim?.answer(dispatch.claimOf(claim.asked));
  expect(worker.got).toEqual([]);
  // It is overdue at once, and nothing of it was begun.
  expect(dispatch.context.leases.overdue(dispatch.now)).toMatchObject([{ inFlight: 0 }]);
});

test('a batch that others have taken over is let go with its tasks: they are asked back, and the relay is free of them', async () => {
  const { dispatch, takeover, worker } = tenant();
  dispatch.dispatcher.pump();
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked, 5));
  const [lease] = [...dispatch.context.leases.all()];
  takeover.drop('b');
  expect(worker.got.map((text) => JSON.parse(text)).at(-1)).toEqual({
    TASK: 'HAND_BACK',
    TASKS: [lease?.task],
  });
  expect(dispatch.context.batches.get('b')).toBeUndefined();
  expect(dispatch.context.leases.size).toBe(0);
  expect(worker.leases.size).toBe(0);
  expect(dispatch.relay).toMatchObject({ leased: 0, connections: 0 });
  expect(takeover.fenced.batches).toBe(1);
  takeover.drop('b');
  expect(takeover.fenced.batches).toBe(1);
});

test('a claim that comes through when the batch is gone is sent to nobody', async () => {
  const { dispatch, takeover, worker } = tenant();
  dispatch.dispatcher.pump();
  const claim = dispatch.claims.questions.shift();
  takeover.drop('b');
  await claim?.answer(dispatch.claimOf(claim.asked, 5));
  expect(worker.got).toEqual([]);
  expect(worker.leases.size).toBe(0);
  expect(dispatch.context.leases.size).toBe(0);
  expect(dispatch.relay).toMatchObject({ leased: 0, connections: 0 });
});

test('a claim that is refused because another server owns the batch does not mean that the store fails', async () => {
  const { dispatch, worker } = tenant();
  const { store } = dispatch.context;
  Object.assign(store, { claim: () => Promise.reject(NOT_OWNER) });
  dispatch.dispatcher.pump();
  await new Promise((resolve) => setImmediate(resolve));
  expect(dispatch.dispatcher.storeFailing).toBe(false);
  expect(worker).toMatchObject({ slots: 1, idle: true });
});

test('an adopted batch goes on with its leases, which wait for their workers for a whole lease', () => {
  const { dispatch, takeover } = tenant();
  const { leases, batches, settings } = dispatch.context;
  const lease = {
    task: 't',
    batch: 'c',
    worker: 'x',
    relay: 'a',
    remaining: [[0, 4]] as [number, number][],
    claimedAt: 0,
  };
  takeover.take([{ batch: recordOf('c', { leased: 5, pending: 5 }), leases: [lease], from: 'gone' }]);
  expect(batches.get('c')?.ready).toBe(5);
  expect(leases.get('t')).toMatchObject({
    worker: 'x',
    remaining: 5,
    deadline: dispatch.now + settings.leaseMs,
  });
  expect(takeover.adopted.batches).toBe(1);
});

test('a batch that comes back before it was known to be gone is taken up anew, without the tasks of before', async () => {
  const { dispatch, takeover } = tenant();
  dispatch.dispatcher.pump();
  const claim = dispatch.claims.questions.shift();
  await claim?.answer(dispatch.claimOf(claim.asked));
  takeover.take([{ batch: recordOf('b', { pending: 10 }), leases: [], from: 'other' }]);
  expect(dispatch.context.leases.size).toBe(0);
  expect(dispatch.context.batches.get('b')?.ready).toBe(10);
});

test('a report about a batch of another server is brought there, or kept by the worker', async () => {
  const { dispatch } = tenant();
  expect(dispatch.context.tenancy).toBeDefined();
  Object.assign(dispatch.context.store, { settle: () => Promise.reject(NOT_OWNER) });
  await expect(dispatch.results.take(REPORT, undefined)).rejects.toBe(NOT_OWNER);
});
