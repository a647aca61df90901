import { afterEach, describe, expect, test } from 'vitest';
import { Harness, seqs, sorted } from './support/harness.ts';
import type { ScriptedServer } from './support/scripted-server.ts';
import { people, taskOf } from './support/tasks.ts';
import { until } from './support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

describe('loans', () => {
  const endpoint = ({ port }: { port: number }) => ({ IP: '127.0.0.1', PORT: port });
  const redirect = (home: ScriptedServer, borrower: ScriptedServer, more: object = {}) => ({
    TASK: 'REDIRECT',
    TARGET_MASTER: endpoint(borrower),
    HOME_MASTER: endpoint(home),
    SERVER_UUID: 'home-uuid',
    FAILOVER_LIST: [],
    TICKET: 'signed',
    ...more,
  });

  test('it goes with its ticket and without its token, works there, and returns when told', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    const sink = await harness.sink();
    const worker = harness.worker([home.url], { token: 'secret' });
    const first = await home.visit();
    await first.alive();
    first.send(redirect(home, borrower));
    const away = await borrower.visit();
    expect(await away.alive()).toMatchObject({
      WORKER_UUID: worker.uuid,
      SERVER_UUID: 'home-uuid',
      TICKET: 'signed',
      SLOTS: 2,
    });
    expect(away.request.headers.authorization).toBeUndefined();
    await first.closed();
    away.send(taskOf('t1', sink.port, people(20)));
    await away.done('t1');
    away.send({ TASK: 'RETURN', SERVER_RETURN: endpoint(home) });
    const back = await home.visit(2);
    expect(await back.alive()).not.toHaveProperty('TICKET');
    await away.closed();
    expect(worker.snapshot()).toMatchObject({ state: 'home', connected: true });
  });

  test('before it leaves it finishes what is in flight and hands back the rest', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    const sink = await harness.sink({ latencyMs: 5 });
    harness.worker([home.url], { connections: 2 });
    const visit = await home.visit();
    visit.send(taskOf('t1', sink.port, people(500)));
    await until('it has begun', () => visit.sent.length > 0);
    visit.send(redirect(home, borrower));
    await borrower.visit();
    expect(sorted([...visit.sent, ...visit.returned])).toEqual(seqs(500));
    expect(sink.report()).toMatchObject({ messages: visit.sent.length, duplicates: 0 });
    expect(visit.alives.at(-1)?.SLOTS).toBe(0);
  });

  test('a task that crosses the departure is handed back', async () => {
    const sink = await harness.sink();
    const borrower = await harness.server();
    const home = await harness.server({
      react: (visit, message) => {
        if (message.SLOTS === 0) visit.send(taskOf('late', sink.port, people(10)));
      },
    });
    harness.worker([home.url]);
    const visit = await home.visit();
    await visit.alive();
    visit.send(redirect(home, borrower));
    const done = await visit.done('late');
    expect(done.RETURNED).toEqual([[0, 9]]);
    await borrower.visit();
  });

  test('only home may send it away', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    const third = await harness.server();
    harness.worker([home.url]);
    (await home.visit()).send(redirect(home, borrower));
    const away = await borrower.visit();
    await away.alive();
    away.send(redirect(borrower, third));
    await until('it is said', () => harness.log.has('a REDIRECT is only obeyed at home'));
    expect(third.visits.length).toBe(0);
    expect(away.isOpen).toBe(true);
  });

  test('at home a RETURN means nothing', async () => {
    const home = await harness.server();
    const sink = await harness.sink();
    harness.worker([home.url]);
    const visit = await home.visit();
    visit.send({ TASK: 'RETURN', SERVER_RETURN: { IP: '127.0.0.1', PORT: 1 } });
    visit.send(taskOf('t1', sink.port, people(3)));
    await visit.done('t1');
    expect(home.visits.length).toBe(1);
  });

  test('when the loan is over it returns by itself', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    harness.worker([home.url]);
    (await home.visit()).send(redirect(home, borrower, { LEND_S: 0.4 }));
    await (await borrower.visit()).alive();
    await (await home.visit(2)).alive();
  });

  test('a borrower that refuses it sends it home at once', async () => {
    const home = await harness.server();
    const borrower = await harness.server({
      react: (visit) => {
        visit.send({ STATUS: 'NACK', ERROR: { CODE: 'TICKET_EXPIRED', MESSAGE: 'the ticket is too old' } });
      },
    });
    harness.worker([home.url], { times: { patienceMs: 60_000 } });
    (await home.visit()).send(redirect(home, borrower, { FAILOVER_LIST: [{ IP: '127.0.0.1', PORT: 9 }] }));
    await (await home.visit(2)).alive();
    expect(borrower.visits.length).toBe(1);
  });

  test.each([1008, 4401])('so does one that closes with %i', async (code) => {
    const home = await harness.server();
    const borrower = await harness.server({ react: (visit) => visit.socket.close(code) });
    harness.worker([home.url], { times: { patienceMs: 60_000 } });
    (await home.visit()).send(redirect(home, borrower));
    await (await home.visit(2)).alive();
    expect(borrower.visits.length).toBe(1);
  });

  test('when the borrower is gone it tries the failover list, then goes home', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    const other = await harness.server({ react: (visit) => visit.socket.terminate() });
    harness.worker([home.url]);
    (await home.visit()).send(redirect(home, borrower, { FAILOVER_LIST: [endpoint(other)] }));
    await (await borrower.visit()).alive();
    await borrower.stop();
    expect(await (await other.visit()).alive()).toMatchObject({ TICKET: 'signed' });
    await (await home.visit(2)).alive();
  });

  test('at home nothing more of a dead borrower is sent', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    const sink = await harness.sink({ latencyMs: 20 });
    const worker = harness.worker([home.url], { connections: 2, inFlight: 1_000 });
    (await home.visit()).send(redirect(home, borrower));
    const away = await borrower.visit();
    away.send(taskOf('t1', sink.port, people(1_000)));
    await until('it has begun', () => sink.report().messages > 0);
    await borrower.stop();
    await (await home.visit(2)).alive();
    const sent = sink.report().messages;
    await until('what was in flight has ended', () => {
      const [relay] = worker.snapshot().relays as { busy: number }[];
      return relay?.busy === 0;
    });
    expect(sink.report().messages).toBeLessThanOrEqual(sent + 2);
  });

  test('results for a borrower that died do not keep it from working at home', async () => {
    const home = await harness.server();
    const borrower = await harness.server({ acks: false });
    const sink = await harness.sink();
    harness.worker([home.url], { connections: 2, inFlight: 4, times: { keepResultsMs: 500 } });
    (await home.visit()).send(redirect(home, borrower));
    const away = await borrower.visit();
    away.send(taskOf('t1', sink.port, people(100)));
    await until('the window is full', () => sink.report().messages === 4);
    await borrower.stop();
    const back = await home.visit(2);
    expect(await back.alive()).toMatchObject({ SLOTS: 2, TASKS: [] });
    back.send(taskOf('t2', sink.port, people(30, 'home')));
    await back.done('t2');
    expect(back.reports.every((report) => report.TASK_UUID === 't2')).toBe(true);
    expect(sink.report()).toMatchObject({ messages: 34, duplicates: 0 });
    await until('they are dropped', () => harness.log.has('results dropped'));
  });
});
