import { afterEach, describe, expect, test } from 'vitest';
import { Harness, seqs, sorted } from './support/harness.ts';
import { startSmtpScript } from './support/smtp-script.ts';
import { people, taskOf } from './support/tasks.ts';
import { until } from './support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

describe('announcing itself', () => {
  test('it says who it is, what it can take, and shows its token', async () => {
    const server = await harness.server();
    const worker = harness.worker([server.url], { connections: 7, token: 'secret' });
    const visit = await server.visit();
    expect(await visit.alive()).toMatchObject({
      WORKER: 'ALIVE',
      WORKER_UUID: worker.uuid,
      SLOTS: 2,
      TASKS: [],
      CONNECTIONS: 7,
      IN_FLIGHT: 140,
      PROTOCOL: 1,
    });
    expect(visit.request.headers.authorization).toBe('Bearer secret');
    expect(worker.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  test('NO_TASK is answered with a new question, but not in a hot loop', async () => {
    const server = await harness.server({
      react: (visit, message) => {
        if (message.WORKER === 'ALIVE') visit.send({ TASK: 'NO_TASK' });
      },
    });
    harness.worker([server.url]);
    const visit = await server.visit();
    await visit.alive(2);
    expect(visit.alives.length).toBe(2);
  });

  test('it asks again as soon as a task leaves room for one more', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url]);
    const visit = await server.visit();
    await visit.alive();
    visit.send(taskOf('t1', sink.port, people(3)));
    await visit.done('t1');
    await until('it asks', () => visit.alives.at(-1)?.SLOTS === 2 && visit.alives.length > 1);
  });
});

describe('sending a task', () => {
  test('every recipient gets its mail once and is reported once', async () => {
    const server = await harness.server();
    const sink = await harness.sink({ keepMessages: true });
    harness.worker([server.url], { connections: 5 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(100)));
    await visit.done('t1');
    expect(sorted(visit.sent)).toEqual(seqs(100));
    expect(visit.reports.every((report) => report.STATUS === 'OK')).toBe(true);
    expect(sink.report()).toMatchObject({ messages: 100, duplicates: 0, uniqueRecipients: 100 });
    expect(sink.report().connections).toBeLessThanOrEqual(5);
    expect(sink.messages[0]?.content.toString()).toContain('Message-ID: <01939c6e');
  });

  test('the same task twice is one task', async () => {
    const server = await harness.server();
    const sink = await harness.sink({ latencyMs: 5 });
    harness.worker([server.url]);
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, people(50)));
    visit.send(taskOf('t1', sink.port, people(50)));
    await visit.done('t1');
    expect(sink.report()).toMatchObject({ messages: 50, duplicates: 0 });
  });

  test('what the relay refuses is told with stage, phase and reply; the others are sent', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url], { connections: 2 });
    const visit = await server.visit();
    const list = [
      'a@example.net',
      '5xx-b@example.net',
      '4xx-c@example.net',
      'drop-after-dot-d@example.net',
      'e@example.net',
    ];
    visit.send(taskOf('t1', sink.port, list));
    const done = await visit.done('t1');
    expect(done.STATUS === 'OK' || done.STATUS === 'NOK').toBe(true);
    expect(sorted(visit.sent)).toEqual([0, 4]);
    const results = [...visit.results].sort((a, b) => a.SEQ - b.SEQ);
    expect(results).toMatchObject([
      { SEQ: 1, STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: expect.stringMatching(/^550/) },
      { SEQ: 2, STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: expect.stringMatching(/^451/) },
      { SEQ: 3, STATUS: 'NOK', STAGE: 'DOT', PHASE: 'SENT_UNCONFIRMED' },
    ]);
  });

  test('a single 421 concerns its own mail only', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url], { connections: 1 });
    const visit = await server.visit();
    visit.send(taskOf('t1', sink.port, ['a@example.net', '421-b@example.net', ...people(20)]));
    await visit.done('t1');
    expect(visit.sent.length).toBe(21);
    expect(visit.results).toMatchObject([{ SEQ: 1, REPLY: expect.stringMatching(/^421/) }]);
    expect(sink.report()).toMatchObject({ connections: 2, messages: 21 });
  });

  test('a recipient whose mail cannot be made is refused by the worker, the session goes on', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url], { connections: 1 });
    const visit = await server.visit();
    const MESSAGE = { FROM: 'news@example.org', SUBJECT: 'Hi {{first}}', TEXT: 'Hi' };
    const task = taskOf('t1', sink.port, people(3), { MESSAGE });
    for (const recipient of task.RECIPIENTS)
      recipient.VARIABLES = { first: recipient.SEQ === 1 ? 'x'.repeat(100_000) : 'Ana' };
    visit.send(task);
    await visit.done('t1');
    expect(visit.results).toMatchObject([{ SEQ: 1, STAGE: 'LOCAL', PHASE: 'NOT_SENT' }]);
    expect(sorted(visit.sent)).toEqual([0, 2]);
  });

  test('a message that cannot be composed at all is NOK for the whole task', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url]);
    const visit = await server.visit();
    const MESSAGE = { FROM: 'news@example.org', SUBJECT: 'Hi {{#open}}', TEXT: 'Hi' };
    visit.send(taskOf('t1', sink.port, people(3), { MESSAGE }));
    const report = await until('it is reported', () => visit.reports[0]);
    expect(report).toMatchObject({ STATUS: 'NOK', TASK_UUID: 't1', ERROR: expect.stringMatching(/subject/) });
    expect(report).not.toHaveProperty('SENT');
    await until('it asks for more', () => visit.alives.at(-1)?.SLOTS === 2 && visit.alives.length > 1);
  });
});

describe('a relay in trouble', () => {
  test('one that nobody listens at costs a few reports, and the untouched rest comes back', async () => {
    const server = await harness.server();
    const smtp = await startSmtpScript();
    await smtp.stop();
    harness.worker([server.url]);
    const visit = await server.visit();
    visit.send(taskOf('t1', smtp.port, people(500)));
    const done = await visit.done('t1');
    expect(visit.results.map((result) => result.SEQ)).toEqual([0, 1, 2, 3, 4]);
    expect(visit.results.every((result) => result.STAGE === 'CONNECT' && result.PHASE === 'NOT_SENT')).toBe(
      true,
    );
    expect(done).toMatchObject({ RETURNED: [[5, 499]], ERROR: expect.stringMatching(/faults in a row/) });
    expect(harness.log.lines.filter((line) => line.message === 'relay fault').length).toBe(1);
  });

  test('one that breaks every transaction is left after a few of them', async () => {
    const server = await harness.server();
    const smtp = await harness.smtp({ on: (line) => (line.startsWith('MAIL') ? '421 not now' : undefined) });
    harness.worker([server.url], { connections: 1 });
    const visit = await server.visit();
    visit.send(taskOf('t1', smtp.port, people(500)));
    await visit.done('t1');
    expect(visit.results.length).toBe(5);
    expect(visit.returned.length).toBe(495);
  });

  test('a relay that comes up again in time is used on', async () => {
    const server = await harness.server();
    const sink = await harness.sink();
    harness.worker([server.url], { connections: 3 });
    const visit = await server.visit();
    await sink.down();
    visit.send(taskOf('t1', sink.port, people(50)));
    await until('a fault is reported', () => visit.results.length > 0);
    await sink.up();
    await visit.done('t1');
    expect(visit.results.length).toBeLessThan(5);
    expect(visit.sent.length + visit.results.length).toBe(50);
  });

  test("a relay's limit holds, and its connections are closed before DONE", async () => {
    const smtp = await harness.smtp({});
    let openAtDone = -1;
    const server = await harness.server({
      react: (_visit, message) => {
        if (message.DONE === true) openAtDone = smtp.open();
      },
    });
    harness.worker([server.url], { connections: 20 });
    const visit = await server.visit();
    visit.send(taskOf('t1', smtp.port, people(60), { RELAY: { CONNECTIONS: 2 } }));
    await visit.done('t1');
    expect(smtp.connections()).toBe(2);
    expect(openAtDone).toBe(0);
    expect(visit.sent.length).toBe(60);
  });

  test('connections without work are closed after a while', async () => {
    const server = await harness.server();
    const smtp = await harness.smtp({});
    harness.worker([server.url], { connections: 3, times: { idleSessionMs: 50 } });
    const visit = await server.visit();
    visit.send(taskOf('t1', smtp.port, people(30)));
    await visit.done('t1');
    await until('they are closed', () => smtp.open() === 0);
    expect(smtp.commands.filter((command) => command === 'QUIT').length).toBe(smtp.connections());
  });
});

test('no address, password, token or ticket appears in the log above trace', async () => {
  const server = await harness.server();
  const sink = await harness.sink({ auth: 'required', users: ['canary-user:canary-pass'] });
  harness.worker([server.url], { token: 'canary-token' });
  const visit = await server.visit();
  const RELAY = { USER: 'canary-user', PASS: 'canary-pass' };
  const list = ['5xx-canary-box@example.net', '421-canary-box@example.net', 'canary-box@example.net'];
  visit.send(taskOf('t1', sink.port, list, { RELAY }));
  await visit.done('t1');
  const wrong = taskOf('t2', sink.port, list, { RELAY: { ...RELAY, PASS: 'canary-wrong' } });
  visit.send(wrong);
  await visit.done('t2');
  visit.send({
    TASK: 'REDIRECT',
    TARGET_MASTER: { IP: '127.0.0.1', PORT: 9 },
    HOME_MASTER: { IP: '127.0.0.1', PORT: 9 },
    FAILOVER_LIST: [],
    TICKET: 'canary-ticket',
  });
  await server.visit(2);
  const told = harness.log.lines.filter((line) => line.level !== 'trace');
  expect(told.length).toBeGreaterThan(5);
  expect(JSON.stringify(told)).not.toMatch(/canary-(box|pass|wrong|token|ticket)/);
});
