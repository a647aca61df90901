import { afterEach, describe, expect, test } from 'vitest';
import { Harness, seqs, sorted } from './support/harness.ts';
import { BATCH, people, taskOf } from './support/tasks.ts';
import { until } from './support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

describe('the window of what may be sent twice', () => {
  test('never more begun than IN_FLIGHT without acknowledgement, and always the first ones of the task', async () => {
    const server = await harness.server({ acks: false });
    const sink = await harness.sink();
    harness.worker([server.url], { connections: 10, inFlight: 13 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(200)));
    visit.send(taskOf('t2', sink.port, people(200, 'other')));
    const report = await until('a report comes', () => visit.reports[0]);
    await until('the window is full', () => sink.report().messages === 13);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sink.report().messages).toBe(13);
    for (let i = 0; i < 13; i++) {
      expect(sink.deliveries.count(`<${BATCH}.t1.${i}@example.org>`, `user${i}@example.net`)).toBe(1);
    }
    visit.send({ STATUS: 'ACK', TASK_UUID: report.TASK_UUID });
    await until('it goes on', () => sink.report().messages > 13);
  });

  test('a server that is gone is not sent for beyond the window, and results are presented when it is back', async () => {
    const server = await harness.server({ acks: false });
    const sink = await harness.sink();
    harness.worker([server.url], { connections: 5, inFlight: 8 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(100)));
    const first = await until('a report comes', () => visit.reports[0]);
    visit.socket.terminate();
    await until('the window is full', () => sink.report().messages === 8);
    const again = await server.visit(2);
    expect((await again.alive()).TASKS).toEqual(['t1']);
    expect(await until('it is presented', () => again.reports[0])).toEqual(first);
    expect(again.heard.indexOf(again.alives[0] as never)).toBe(0);
    // From here on all is acknowledged, the first report included.
    again.socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.STATUS !== undefined) again.send({ STATUS: 'ACK', TASK_UUID: 't1' });
    });
    again.send({ STATUS: 'ACK', TASK_UUID: 't1' });
    await again.done('t1');
    expect(sorted(again.sent)).toEqual(seqs(100));
    expect(sink.report()).toMatchObject({ messages: 100, duplicates: 0 });
  });
});

describe('leases', () => {
  test('they are renewed every third of their length while they are held', async () => {
    const server = await harness.server({
      react: (visit, { WORKER, TASKS }) => {
        if (WORKER === 'ALIVE') visit.send({ TASK: 'LEASES', RENEWED: TASKS ?? [], LOST: [], LEASE_S: 0.3 });
      },
    });
    const sink = await harness.sink({ latencyMs: 20 });
    harness.worker([server.url], { connections: 1 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(15), { LEASE_S: 0.3 }));
    await visit.done('t1');
    expect(visit.sent.length).toBe(15);
    expect(visit.alives.filter((alive) => alive.TASKS?.includes('t1')).length).toBeGreaterThan(2);
  });

  test('a task that may have been on its way for longer than its lease is not begun before it is renewed', async () => {
    const answers: boolean[] = [true, false];
    const server = await harness.server({
      react: (visit, { WORKER, TASKS }) => {
        if (WORKER !== 'ALIVE' || TASKS === undefined || TASKS.length === 0) return;
        const isRenewed = answers[TASKS.includes('t1') ? 0 : 1] === true;
        visit.send({
          TASK: 'LEASES',
          RENEWED: isRenewed ? TASKS : [],
          LOST: isRenewed ? [] : TASKS,
          LEASE_S: 60,
        });
      },
    });
    const sink = await harness.sink();
    harness.worker([server.url], { times: { pingEveryMs: 60_000 } });
    const visit = await server.visit();
    await visit.alive();
    const leaseS = 0.05;
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseS * 1000));
    visit.send(taskOf('t1', sink.port, people(3), { LEASE_S: leaseS }));
    await visit.done('t1');
    expect(sorted(visit.sent)).toEqual([0, 1, 2]);
    visit.send(taskOf('t2', sink.port, people(3, 'other'), { LEASE_S: leaseS }));
    await visit.done('t2');
    expect(sorted(visit.returned)).toEqual([0, 1, 2]);
    expect(sink.report().messages).toBe(3);
  });

  test('past its lease nothing more is started, and the rest is handed back', async () => {
    const server = await harness.server();
    const sink = await harness.sink({ latencyMs: 10 });
    harness.worker([server.url], { connections: 1 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(1_000), { LEASE_S: 0.2 }));
    await visit.done('t1');
    expect(visit.sent.length).toBeLessThan(200);
    expect(sorted([...visit.sent, ...visit.returned])).toEqual(seqs(1_000));
    expect(sink.report().messages).toBe(visit.sent.length);
  });

  test('a lost lease ends the task at once', async () => {
    const server = await harness.server();
    const sink = await harness.sink({ latencyMs: 5 });
    harness.worker([server.url], { connections: 1 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(1_000)));
    await until('it has begun', () => visit.sent.length > 0);
    visit.send({ TASK: 'LEASES', RENEWED: [], LOST: ['t1'], LEASE_S: 60 });
    const done = await visit.done('t1');
    expect(done.ERROR).toBe('lease lost');
    expect(sink.report().messages).toBe(visit.sent.length);
    expect(harness.log.has('lease lost')).toBe(true);
  });

  test('HAND_BACK: what is in flight is finished, the rest comes back untouched', async () => {
    const server = await harness.server();
    const sink = await harness.sink({ latencyMs: 5 });
    harness.worker([server.url], { connections: 3 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(1_000)));
    await until('it has begun', () => visit.sent.length > 0);
    visit.send({ TASK: 'HAND_BACK', TASKS: ['t1', 'unknown'] });
    const done = await visit.done('t1');
    expect(done.STATUS).toBe('NOK');
    expect(sorted([...visit.sent, ...visit.returned])).toEqual(seqs(1_000));
    expect(sink.report()).toMatchObject({ messages: visit.sent.length, duplicates: 0 });
  });
});
