import { afterEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.ts';
import type { ScriptedServer, Visit } from './support/scripted-server.ts';
import { people, taskOf } from './support/tasks.ts';
import { until } from './support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

const shares = (store: string, ...others: ScriptedServer[]) => ({
  TASK: 'FAILOVER',
  STORE: store,
  FAILOVER_LIST: others.map(({ port }) => ({ IP: '127.0.0.1', PORT: port })),
});

/** Something that the worker answers: then it has read what came before. */
async function hasRead(visit: Visit): Promise<void> {
  visit.send(taskOf('nothing', 1, []));
  await visit.done('nothing');
}

describe('a worker whose server shares its store with another one', () => {
  test('goes on there with what it holds when its own is gone, and reports there', async () => {
    const sink = await harness.sink({ latencyMs: 40 });
    const home = await harness.server({ acks: false });
    const other = await harness.server();
    harness.worker([home.url], { connections: 2 });
    const visit = await home.visit();
    visit.send(shares('s', other));
    visit.send(taskOf('t1', sink.port, people(20)));
    await until('something is reported', () => visit.reports.length > 0);
    await home.stop();
    const moved = await other.visit();
    expect((await moved.alive()).TASKS).toEqual(['t1']);
    const done = await moved.done('t1');
    // All of it: nothing was given back, and what home had not acknowledged is told again.
    expect(done.RETURNED).toBeUndefined();
    expect(new Set(moved.sent).size).toBe(20);
    expect([...sink.deliveries.entries()].map(({ count }) => count)).toEqual(new Array(20).fill(1));
  });

  test('does not wait for a home that stops and leaves its batches to others', async () => {
    const home = await harness.server();
    const other = await harness.server();
    harness.worker([home.url], { times: { patienceMs: 600_000 } });
    const visit = await home.visit();
    await visit.alive();
    visit.send(shares('s', other));
    visit.send({ ...shares('s', other), LEAVING: true });
    await hasRead(visit);
    await home.stop();
    await (await other.visit()).alive();
  });

  test('goes home again when home is back', async () => {
    const home = await harness.server();
    const other = await harness.server();
    harness.worker([home.url], { times: { lookHomeEveryMs: 50 } });
    const visit = await home.visit();
    await visit.alive();
    visit.send(shares('s', other));
    await hasRead(visit);
    await home.stop();
    const moved = await other.visit();
    await moved.alive();
    moved.send(shares('s'));
    const back = await harness.server({ port: home.port });
    await until('it is home', () => back.visits.some(({ alives }) => alives.length > 0));
    await moved.closed();
  });

  test('goes home soon when it is told that home lives', async () => {
    const home = await harness.server();
    const other = await harness.server();
    harness.worker([home.url], { times: { patienceMs: 0 } });
    const visit = await home.visit();
    await visit.alive();
    visit.send(shares('s', other));
    await hasRead(visit);
    visit.socket.close();
    const moved = await other.visit();
    await moved.alive();
    moved.send(shares('s', home));
    await until('it is home', () => home.visits.slice(1).some(({ alives }) => alives.length > 0));
    await moved.closed();
  });

  test('hears later that a server shares the store, and presents there what it still has', async () => {
    const sink = await harness.sink();
    const home = await harness.server({ acks: false });
    const fallback = await harness.server();
    harness.worker([home.url, fallback.url]);
    const visit = await home.visit();
    visit.send(shares('s'));
    visit.send(taskOf('t1', sink.port, people(2)));
    await until('something is reported', () => visit.reports.length > 0);
    await home.stop();
    const moved = await fallback.visit();
    expect((await moved.alive()).TASKS).toEqual([]);
    expect(moved.reports).toEqual([]);
    moved.send(shares('s'));
    await moved.done('t1');
    expect(moved.sent).toEqual([0, 1]);
  });

  test('presents to no other store what its server gave', async () => {
    const sink = await harness.sink();
    const home = await harness.server({ acks: false });
    const stranger = await harness.server();
    harness.worker([home.url, stranger.url]);
    const visit = await home.visit();
    visit.send(shares('s'));
    visit.send(taskOf('t1', sink.port, people(2)));
    await until('something is reported', () => visit.reports.length > 0);
    await home.stop();
    const moved = await stranger.visit();
    moved.send(shares('t'));
    moved.send(taskOf('t2', sink.port, people(1)));
    await moved.done('t2');
    expect(moved.reports.map(({ TASK_UUID }) => TASK_UUID)).not.toContain('t1');
  });
});

test('a NACK that names its task has only that report presented again, over the same link', async () => {
  const sink = await harness.sink();
  let refusals = 2;
  const server = await harness.server({
    acks: false,
    react: (visit, { STATUS, TASK_UUID }) => {
      if (STATUS === undefined) return;
      const ERROR = { CODE: 'STORE_UNAVAILABLE', MESSAGE: 'not yet', RETRY: true };
      if (TASK_UUID === 't1' && refusals-- > 0) visit.send({ STATUS: 'NACK', TASK_UUID, ERROR });
      else visit.send({ STATUS: 'ACK', TASK_UUID });
    },
  });
  const worker = harness.worker([server.url], { times: { repeatReportMs: 50 } });
  const visit = await server.visit();
  visit.send(taskOf('t1', sink.port, people(1)));
  visit.send(taskOf('t2', sink.port, people(1, 'other')));
  await until('nothing is left', () => worker.snapshot().tasks === 0 && refusals < 0);
  expect(server.visits.length).toBe(1);
  expect(visit.reports.filter(({ TASK_UUID }) => TASK_UUID === 't2')).toHaveLength(1);
});
