import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { selfSigned } from '../../sink/self-signed.ts';
import { Harness, seqs, sorted } from './support/harness.ts';
import { startScriptedServer } from './support/scripted-server.ts';
import { people, taskOf } from './support/tasks.ts';
import { until } from './support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

describe('the link', () => {
  test('over TLS the certificate is checked against the given authorities', async () => {
    const { key, cert: certificate } = selfSigned('localhost');
    const https = createServer({ key, cert: certificate });
    const sockets = new WebSocketServer({ server: https });
    const seen: string[] = [];
    sockets.on('connection', (socket) => socket.on('message', (data) => seen.push(String(data))));
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    const url = `wss://localhost:${(https.address() as AddressInfo).port}`;
    const trusting = harness.worker([url], { ca: certificate });
    await until('it says ALIVE', () => seen.length > 0);
    const doubting = harness.worker([url]);
    await until('it says why not', () =>
      harness.log.lines.some((line) => /self.signed|certificate/i.test(String(line.fields.reason))),
    );
    expect(doubting.snapshot().connected).toBe(false);
    await Promise.all([trusting.stop(), doubting.stop()]);
    https.closeAllConnections();
    await new Promise((resolve) => https.close(resolve));
  });

  test('a home that refuses it is told about once, in one line, and tried on until it takes it', async () => {
    let refuses = true;
    const server = await harness.server({
      react: (visit) => {
        const ERROR = { CODE: 'UNAUTHORIZED', MESSAGE: 'the token is not right' };
        visit.send(refuses ? { STATUS: 'NACK', ERROR } : { TASK: 'NO_TASK' });
      },
    });
    harness.worker([server.url]);
    await server.visit(4);
    refuses = false;
    await until('it is taken', () => harness.log.has('the server takes this worker now'));
    const loud = harness.log.lines.filter((line) => line.level !== 'debug');
    expect(loud.map((line) => line.message)).toEqual([
      'worker starts',
      'connected',
      'the server refuses this worker: look at its token; trying on',
      'the server takes this worker now',
    ]);
    expect(loud[2]?.fields.reason).toBe('UNAUTHORIZED: the token is not right');
  });

  test('a home that refuses it by closing is told about once', async () => {
    const server = await harness.server({ react: (visit) => visit.socket.close(4401) });
    harness.worker([server.url]);
    await server.visit(4);
    const refusals = harness.log.lines.filter((line) => line.level === 'error');
    expect(refusals.length).toBe(1);
    expect(refusals[0]?.message).toMatch(/token/);
  });

  test('results are kept however often the server refuses the worker itself', async () => {
    let refuses = false;
    const server = await harness.server({
      acks: false,
      react: (visit, message) => {
        const ERROR = { CODE: 'UNAUTHORIZED', MESSAGE: 'the token is not right' };
        if (refuses) visit.send({ STATUS: 'NACK', ERROR });
        else if (server.visits.length === 1) {
          if (message.STATUS !== undefined) {
            refuses = true;
            visit.socket.terminate();
          }
        } else if (message.STATUS === undefined) visit.send({ TASK: 'NO_TASK' });
        else visit.send({ STATUS: 'ACK', TASK_UUID: message.TASK_UUID });
      },
    });
    const sink = await harness.sink();
    const worker = harness.worker([server.url]);
    const first = await server.visit();
    first.send(taskOf('t1', sink.port, people(1)));
    await server.visit(9);
    refuses = false;
    await until('nothing is held', () => worker.snapshot().tasks === 0);
    const last = server.visits.find((visit) => visit !== first && visit.sent.length > 0);
    expect(last?.sent).toEqual([0]);
    expect(harness.log.has('the server refuses a report of this task: it is given up')).toBe(false);
  });

  test('a lost link is made again with the same identity', async () => {
    const server = await harness.server();
    const worker = harness.worker([server.url]);
    (await server.visit()).socket.terminate();
    expect((await (await server.visit(2)).alive()).WORKER_UUID).toBe(worker.uuid);
  });

  test('a server that does not answer pings is left', async () => {
    const server = await harness.server({ answersPings: false });
    harness.worker([server.url], { times: { pingEveryMs: 20, silenceMs: 60 } });
    await server.visit(2);
    await until('it is said', () =>
      harness.log.lines.some((line) => /^silent for/.test(String(line.fields.reason))),
    );
  });

  test('a fallback serves while home cannot be reached, and is left when home is back', async () => {
    const gone = await startScriptedServer();
    await gone.stop();
    const fallback = await harness.server();
    harness.worker([gone.url, fallback.url], { times: { lookHomeEveryMs: 50 } });
    const visit = await fallback.visit();
    await visit.alive();
    const home = await harness.server({ port: gone.port });
    await until('it is home', () => home.visits.some((each) => each.alives.length > 0));
    await visit.closed();
  });

  test('a frame that is not understood is left, the link stays', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url]);
    const visit = await server.visit();
    visit.socket.send('not json');
    visit.socket.send(Buffer.from([1, 2, 3]));
    visit.send({ TASK: 'DANCE' });
    visit.send({ TASK: 'SEND', TASK_UUID: 7 });
    visit.send(taskOf('t1', sink.port, people(2)));
    await visit.done('t1');
    expect(server.visits.length).toBe(1);
  });

  test('a report that the server cannot store now is presented again', async () => {
    let refusals = 8;
    const server = await harness.server({
      acks: false,
      react: (visit, message) => {
        if (message.STATUS === undefined) return;
        const ERROR = { CODE: 'STORE_FULL', MESSAGE: 'disk full', RETRY: true };
        if (refusals-- > 0) visit.send({ STATUS: 'NACK', ERROR });
        else visit.send({ STATUS: 'ACK', TASK_UUID: message.TASK_UUID });
      },
    });
    const sink = await harness.sink();
    const worker = harness.worker([server.url], { times: { repeatReportMs: 20 } });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(1)));
    await until('it is settled', () => visit.reports.length === 9 && worker.snapshot().tasks === 0);
    expect(visit.reports[1]).toEqual(visit.reports[0]);
  });

  test('a NACK that may belong to either of two reports makes the link anew, so that no ACK is mistaken', async () => {
    let refusals = 1;
    const server = await harness.server({
      acks: false,
      react: (visit, message) => {
        const ERROR = { CODE: 'STORE_FULL', MESSAGE: 'disk full', RETRY: true };
        if (message.STATUS === undefined) return;
        if (server.visits.length > 1) visit.send({ STATUS: 'ACK', TASK_UUID: message.TASK_UUID });
        else if (refusals-- > 0) visit.send({ STATUS: 'NACK', ERROR });
      },
    });
    const sink = await harness.sink();
    const worker = harness.worker([server.url], { times: { repeatReportMs: 100 } });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(1)));
    visit.send(taskOf('t2', sink.port, people(1, 'other')));
    const again = await server.visit(2);
    await until('all is settled', () => worker.snapshot().tasks === 0);
    expect(visit.reports.length).toBe(2);
    expect(again.reports).toEqual(visit.reports);
  });

  test('a report that is refused for good is given up in the end', async () => {
    const server = await harness.server({
      acks: false,
      react: (visit, message) => {
        if (message.STATUS === undefined) return;
        visit.send({ TASK: 'NO_TASK' });
        for (let i = 0; i < 5; i++) {
          visit.send({ STATUS: 'NACK', ERROR: { CODE: 'INVALID_MESSAGE', MESSAGE: 'no' } });
        }
      },
    });
    const sink = await harness.sink();
    const worker = harness.worker([server.url]);
    (await server.visit()).send(taskOf('t1', sink.port, people(1)));
    await until('it is given up', () =>
      harness.log.has('the server refuses a report of this task: it is given up'),
    );
    await until('nothing is held', () => worker.snapshot().tasks === 0);
  });
});

describe('stopping', () => {
  test('it finishes what is in flight, hands back the rest, says QUIT, and closes', async () => {
    const server = await harness.server();
    const sink = await harness.sink({ latencyMs: 5 });
    const worker = harness.worker([server.url], { connections: 3 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(1_000)));
    await until('it has begun', () => visit.sent.length > 0);
    await worker.stop();
    expect(visit.alives.at(-1)).toMatchObject({ LEAVING: true, SLOTS: 0 });
    expect(sorted([...visit.sent, ...visit.returned])).toEqual(seqs(1_000));
    expect(sink.report()).toMatchObject({ messages: visit.sent.length, duplicates: 0 });
    await until('no connection is left', () => sink.report().openConnections === 0);
    await visit.closed();
  });

  test('a mail that hangs is reported as far as it got when the time is over', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    const worker = harness.worker([server.url], { drainMs: 300 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, ['hang-a@example.net']));
    await until('the relay has it', () => sink.report().messages === 1);
    await worker.stop();
    expect(visit.results).toMatchObject([{ SEQ: 0, STAGE: 'DOT', PHASE: 'SENT_UNCONFIRMED' }]);
  });

  test('told twice, it ends at once and still says how far it got', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    const worker = harness.worker([server.url], { drainMs: 60_000 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, ['hang-a@example.net']));
    await until('the relay has it', () => sink.report().messages === 1);
    const stopped = worker.stop();
    await until('it leaves', () => visit.alives.at(-1)?.LEAVING === true);
    void worker.stop();
    await stopped;
    expect(visit.results).toMatchObject([{ SEQ: 0, PHASE: 'SENT_UNCONFIRMED' }]);
  });

  test('it stops also when no server was ever there', async () => {
    const gone = await startScriptedServer();
    await gone.stop();
    const worker = harness.worker([gone.url]);
    await worker.stop();
    expect(worker.snapshot().connected).toBe(false);
  });
});
