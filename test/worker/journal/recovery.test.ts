import { afterEach, describe, expect, test } from 'vitest';
import { Harness, seqs, sorted } from '../support/harness.ts';
import { BATCH, people, taskOf } from '../support/tasks.ts';
import { until } from '../support/until.ts';
import { Files, journalIn, knownBy, REFUSED, SENT } from './support.ts';

const harness = new Harness();
afterEach(() => harness.clean());

/** A process ended without a word while it had a task of that server. */
function leftBehind(origin: string, id = 't1'): Files {
  const files = new Files();
  const task = journalIn(files).record(id, origin);
  for (const seq of [0, 1, 2, 3]) task.begun(seq);
  task.settled(0, SENT, true);
  task.settled(1, SENT, true);
  task.settled(3, REFUSED, false);
  return flushed(files, task);
}

/** The journal writes at the end of the turn; here it does so at once. */
function flushed(files: Files, task: { begun(seq: number): void }): Files {
  task.begun(4);
  return files;
}

describe('a worker whose process before it ended without a word', () => {
  test('is the same worker, lists the tasks, says what it knows, and hands the rest back', async () => {
    const server = await harness.server();
    const files = leftBehind(server.url);
    await until('it is written down', () => knownBy(journalIn(files.copy())).length === 1);
    const journal = journalIn(files);
    harness.worker([server.url], { uuid: journal.worker, journal });
    const visit = await server.visit();
    expect(await visit.alive()).toMatchObject({ WORKER_UUID: journal.worker, TASKS: ['t1'] });
    expect((await visit.alive()).SLOTS).toBeGreaterThan(0);
    const cut = { STATUS: 'NOK', STAGE: 'LOCAL', PHASE: 'SENT_UNCONFIRMED' };
    expect(await visit.done('t1')).toMatchObject({
      STATUS: 'NOK',
      SENT: [[0, 1]],
      RESULTS: [
        { SEQ: 3, STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: REFUSED.reply },
        { SEQ: 2, ...cut },
        { SEQ: 4, ...cut },
      ],
      RECOVERED: true,
    });
    await until('it is forgotten', () => journal.open === 0);
  });

  test('that could not report before it stopped as it was told does not speak of a sudden end', async () => {
    const server = await harness.server();
    const files = new Files();
    const before = journalIn(files);
    before.record('t1', server.url).begun(0);
    before.close();
    harness.worker([server.url], { journal: journalIn(files) });
    const visit = await server.visit();
    expect((await visit.done('t1')).RECOVERED).toBeUndefined();
  });

  test('that ended too tells the same again', async () => {
    const server = await harness.server({ acks: false });
    const files = leftBehind(server.url);
    await until('it is written down', () => knownBy(journalIn(files.copy())).length === 1);
    harness.worker([server.url], { journal: journalIn(files) });
    const first = await (await server.visit()).done('t1');
    harness.worker([server.url], { journal: journalIn(files.copy()) });
    expect(await (await server.visit(2)).done('t1')).toMatchObject({
      RESULTS: first.RESULTS,
      SENT: first.SENT,
    });
  });

  test('keeps what belongs to another server until it is there, and works meanwhile', async () => {
    const home = await harness.server();
    const borrower = await harness.server();
    const sink = await harness.sink();
    const files = leftBehind(borrower.url);
    await until('it is written down', () => knownBy(journalIn(files.copy())).length === 1);
    const journal = journalIn(files);
    harness.worker([home.url], { journal });
    const visit = await home.visit();
    // Which servers share a store it does not know: it names the task to each, and reports it to its own.
    expect((await visit.alive()).TASKS).toEqual(['t1']);
    visit.send({ TASK: 'LEASES', RENEWED: [], LOST: ['t1'], LEASE_S: 60 });
    visit.send(taskOf('t2', sink.port, people(5)));
    await visit.done('t2');
    expect(visit.reports.some(({ TASK_UUID }) => TASK_UUID === 't1')).toBe(false);
    visit.send({
      TASK: 'REDIRECT',
      TARGET_MASTER: { IP: '127.0.0.1', PORT: borrower.port },
      HOME_MASTER: { IP: '127.0.0.1', PORT: home.port },
      FAILOVER_LIST: [],
      TICKET: 'ticket',
    });
    expect(await (await borrower.visit()).done('t1')).toMatchObject({ SENT: [[0, 1]], RECOVERED: true });
    await until('it is forgotten', () => journal.open === 0);
  });

  test('stops at once though a server is away: what it has to say to it stays in the journal', async () => {
    const home = await harness.server();
    const files = leftBehind('ws://127.0.0.1:1');
    await until('it is written down', () => knownBy(journalIn(files.copy())).length === 1);
    const worker = harness.worker([home.url], { journal: journalIn(files), drainMs: 60_000 });
    await (await home.visit()).alive();
    await worker.stop();
    expect(knownBy(journalIn(files.copy()))).toMatchObject([{ id: 't1', sent: [0, 1] }]);
  });
});

describe('a worker with a journal', () => {
  test('writes down what it sends, and nothing is left when all is acknowledged', async () => {
    const server = await harness.server({ acks: false });
    const sink = await harness.sink();
    const files = new Files();
    const journal = journalIn(files);
    harness.worker([server.url], { journal, connections: 4 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(30)));
    await until(
      'all is sent and written down',
      () => knownBy(journalIn(files.copy()))[0]?.sent.length === 30,
    );
    expect(knownBy(journalIn(files.copy()))[0]?.sent).toEqual(seqs(30));
    for (let reports = 1; !visit.reports.at(-1)?.DONE; reports++) {
      visit.send({ STATUS: 'ACK', TASK_UUID: 't1' });
      await until('the next report comes', () => visit.reports.length > reports);
    }
    visit.send({ STATUS: 'ACK', TASK_UUID: 't1' });
    await until('it is forgotten', () => journal.open === 0 && journalIn(files.copy()).known.length === 0);
  });

  test.each([
    ['pipelining', {}],
    ['chunking', { chunking: true }],
    ['neither', { pipelining: false }],
  ])('has written down every mail before its end reaches the relay (%s)', async (_, offers) => {
    const server = await harness.server();
    const sink = await harness.sink({ latencyMs: 2, ...offers });
    const files = new Files();
    const seen = { missing: 0, messages: 0 };
    harness.worker([server.url], { journal: journalIn(files), connections: 5 });
    const visit = await server.visit();
    const stop = watch(() => {
      // What the sink has now was in the journal before.
      const arrived = [...sink.deliveries.entries()].map(({ messageId }) =>
        Number(/\.(\d+)@/.exec(messageId)?.[1]),
      );
      const [known] = knownBy(journalIn(files.copy()));
      if (known === undefined) return;
      const written = new Set([...known.begun, ...known.sent, ...known.facts.map(([seq]) => seq)]);
      seen.messages = Math.max(seen.messages, arrived.length);
      seen.missing += arrived.filter((seq) => !written.has(seq)).length;
    });
    visit.send(taskOf('t1', sink.port, people(60)));
    await visit.done('t1');
    stop();
    expect(seen.messages).toBeGreaterThan(0);
    expect(seen.missing).toBe(0);
  });

  test.each([
    ['pipelining', {}],
    ['chunking', { chunking: true }],
    ['neither', { pipelining: false }],
  ])(
    'that cannot be written starts nothing and wants nothing, and hands back what it holds (%s)',
    async (_, offers) => {
      const server = await harness.server();
      const sink = await harness.sink({ latencyMs: 20, ...offers });
      const files = new Files();
      const journal = journalIn(files, harness.log);
      harness.worker([server.url], { journal, connections: 4 });
      const visit = await server.visit();
      visit.send(taskOf('t1', sink.port, people(300)));
      await until('it is in the middle', () => sink.report().messages > 20);
      files.isBroken = true;
      const done = await visit.done('t1');
      const { messages } = sink.report();
      expect(messages).toBeLessThan(300);
      expect(sorted([...visit.sent, ...visit.returned])).toEqual(seqs(300));
      expect(visit.sent.length).toBe(messages);
      // What it ended itself says nothing of the relay.
      expect(visit.results).toEqual([]);
      expect(done.ERROR).toBe('the journal cannot be written');
      // A task that was on its way comes back at once.
      visit.send(taskOf('t2', sink.port, people(3)));
      await visit.done('t2');
      expect(sink.report().messages).toBe(messages);
      expect(visit.alives.at(-1)?.SLOTS ?? 0).toBe(0);
      expect(harness.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
      files.isBroken = false;
      await until('it wants work again', () => (visit.alives.at(-1)?.SLOTS ?? 0) > 0);
      visit.send(taskOf('t3', sink.port, people(3, 'later')));
      await visit.done('t3');
      expect(sink.deliveries.count(`<${BATCH}.t3.0@example.org>`, 'later0@example.net')).toBe(1);
      expect(sink.report().duplicates).toBe(0);
    },
  );
});

/** Looks again and again. @returns what ends that */
function watch(look: () => void): () => void {
  let isOver = false;
  const next = (): void => {
    if (isOver) return;
    look();
    setTimeout(next, 10);
  };
  next();
  return () => {
    isOver = true;
  };
}
