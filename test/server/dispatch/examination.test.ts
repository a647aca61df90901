import { expect, test } from 'vitest';
import { MemoryDispatch, recordOf } from './memory-dispatch.ts';

const suspect = (seq: number) => ({ batch: 'b', seq, deaths: 3, among: 4, alone: 0, aside: true });

/** A batch with work for all, and four recipients set aside. */
function withSuspects(pending: number): MemoryDispatch {
  const dispatch = new MemoryDispatch();
  dispatch.context.batches.takeUp(recordOf('b', { pending, deferred: 4 }));
  dispatch.context.suspects.load([0, 1, 2, 3].map(suspect));
  return dispatch;
}

const asides = (dispatch: MemoryDispatch) =>
  dispatch.claims.questions.map(({ asked }) => ({ worker: asked.worker, aside: asked.aside }));

/** Answers the first claim, with so many recipients left in the batch. */
async function answer(dispatch: MemoryDispatch, left: number) {
  const claim = dispatch.claims.questions.shift();
  if (claim === undefined) throw new Error('nothing is claimed');
  await claim.answer(dispatch.claimOf(claim.asked, left));
  return claim.asked;
}

test('one worker tries the first half of the suspects, the other one goes on with the rest', async () => {
  const dispatch = withSuspects(100);
  dispatch.worker('v');
  dispatch.worker('w');
  dispatch.dispatcher.pump();
  expect(asides(dispatch)).toEqual([
    { worker: 'v', aside: [[0, 1]] },
    { worker: 'w', aside: undefined },
  ]);
});

test('what else the worker had to do is waited for, and nothing new is given to it, however many slots it has', async () => {
  const dispatch = withSuspects(1_000);
  const [v, w] = [dispatch.worker('v'), dispatch.worker('w')];
  dispatch.context.suspects.drop('b');
  w.slots = 0;
  v.slots = 3;
  dispatch.dispatcher.pump();
  const { task } = await answer(dispatch, 900);
  dispatch.claims.questions.splice(0);
  v.leases.clear();
  v.leases.add(task);
  dispatch.context.suspects.load([900, 901, 902, 903].map(suspect));
  w.leases.add('another');
  w.leases.add('and another');
  w.slots = 1;
  dispatch.dispatcher.pump();
  expect(v.reserved).toBe(true);
  expect(v.idle).toBe(false);
  expect(asides(dispatch)).toEqual([{ worker: 'w', aside: undefined }]);
  const report = dispatch.results.take({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: task }, v);
  await dispatch.settlements.questions[0]?.answer({
    remaining: 0,
    applied: 5,
    figures: recordOf('b', { pending: 800, deferred: 4 }),
  });
  await report;
  expect(asides(dispatch).at(-1)).toEqual({ worker: 'v', aside: [[900, 901]] });
});

test('only one worker at a time is spared, and it is free again when its suspects are settled', async () => {
  const dispatch = withSuspects(0);
  const [v, w] = [dispatch.worker('v'), dispatch.worker('w')];
  v.slots = 2;
  dispatch.dispatcher.pump();
  expect(asides(dispatch)).toEqual([{ worker: 'v', aside: [[0, 1]] }]);
  const { task } = await answer(dispatch, 0);
  dispatch.dispatcher.pump();
  expect([v.reserved, w.reserved]).toEqual([true, false]);
  expect(dispatch.claims.questions).toHaveLength(0);
  const report = dispatch.results.take({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: task }, v);
  expect(dispatch.settlements.questions[0]?.asked.cleared).toEqual([[0, 1]]);
  await dispatch.settlements.questions[0]?.answer({
    remaining: 0,
    applied: 2,
    figures: recordOf('b', { deferred: 2 }),
  });
  await report;
  expect(asides(dispatch)).toMatchObject([{ aside: [[2, 3]] }]);
});

test('a worker that leaves before it got them is spared no longer', () => {
  const dispatch = withSuspects(0);
  const [v, w] = [dispatch.worker('v'), dispatch.worker('w')];
  v.leases.add('busy');
  w.slots = 0;
  dispatch.dispatcher.pump();
  expect(v.reserved).toBe(true);
  v.leaving = true;
  dispatch.dispatcher.pump();
  expect(v.reserved).toBe(false);
  w.slots = 1;
  dispatch.dispatcher.pump();
  expect(asides(dispatch)).toEqual([{ worker: 'w', aside: [[0, 1]] }]);
});

test('the only worker does the rest first', async () => {
  const dispatch = withSuspects(50);
  dispatch.worker('v');
  dispatch.dispatcher.pump();
  expect(asides(dispatch)).toEqual([{ worker: 'v', aside: undefined }]);
});

test('suspects that the store no longer has aside are not asked for again', async () => {
  const dispatch = withSuspects(0);
  const v = dispatch.worker('v');
  dispatch.dispatcher.pump();
  await dispatch.claims.questions.shift()?.answer(undefined);
  dispatch.dispatcher.pump();
  expect(asides(dispatch)).toEqual([{ worker: 'v', aside: [[2, 3]] }]);
  await dispatch.claims.questions.shift()?.answer(undefined);
  dispatch.dispatcher.pump();
  expect(dispatch.claims.questions).toHaveLength(0);
  expect(v).toMatchObject({ reserved: false, idle: true });
});

test('a store that fails loses no suspect', async () => {
  const dispatch = withSuspects(0);
  dispatch.worker('v');
  dispatch.dispatcher.pump();
  await dispatch.claims.questions.shift()?.fail();
  for (let i = 0; i < 3 && dispatch.claims.questions.length === 0; i++) {
    dispatch.dispatcher.retryStore();
    dispatch.dispatcher.pump();
  }
  expect(asides(dispatch)).toEqual([{ worker: 'v', aside: [[0, 1]] }]);
});

test('nothing of a paused batch is tried', () => {
  const dispatch = new MemoryDispatch();
  dispatch.context.batches.takeUp({ ...recordOf('b', { deferred: 4 }), state: 'PAUSED' });
  dispatch.context.suspects.load([suspect(0)]);
  const v = dispatch.worker('v');
  dispatch.dispatcher.pump();
  expect(dispatch.claims.questions).toHaveLength(0);
  expect(v.idle).toBe(true);
});
