import { describe, expect, test } from 'vitest';
import type { TaskSend } from '../../../protocol/index.ts';
import { TestClient } from '../../support/client.ts';
import { ScriptedWorker, seqsOf } from '../../support/scripted-worker.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const IN_FLIGHT = 8;
const AFTER = 2;
const SETTINGS = { relay: ['smtp://relay.example?name=mx'], lease: 150, poisonAfter: AFTER };

/** Workers of one place: whenever one dies, of a culprit that it has begun or of the test's will, the next one comes. */
class Workshop {
  readonly #server: TestServer;
  readonly #name: string;
  readonly #culprits: ReadonlySet<number>;
  readonly tasks: { readonly seqs: readonly number[]; readonly worker: string }[] = [];
  deaths = 0;
  #isOpen = true;

  constructor(server: TestServer, name: string, culprits: readonly number[]) {
    this.#server = server;
    this.#name = name;
    this.#culprits = new Set(culprits);
  }

  /** `sameName`: a worker that died comes back under its name, without its tasks. */
  async run(sameName = false): Promise<void> {
    for (let i = 0; this.#isOpen; i++) {
      const name = sameName ? this.#name : `${this.#name}-${i}`;
      const worker = await ScriptedWorker.full(this.#server, name, { IN_FLIGHT, CONNECTIONS: 8 }).catch(
        () => undefined,
      );
      if (worker === undefined) return;
      while (this.#isOpen && (await this.#work(worker, name))) worker.alive({ TASKS: [], SLOTS: 1 });
      worker.cut();
    }
  }

  close(): void {
    this.#isOpen = false;
  }

  async #work(worker: ScriptedWorker, name: string): Promise<boolean> {
    const task = await until(
      'a task comes',
      () => (this.#isOpen ? newest(worker, this.#seen) : 'closed'),
      20_000,
    );
    if (task === 'closed') return false;
    this.#seen.add(task.TASK_UUID);
    const seqs = seqsOf(task);
    this.tasks.push({ seqs, worker: name });
    for (let i = 0; i < seqs.length; i += IN_FLIGHT) {
      const begun = seqs.slice(i, i + IN_FLIGHT);
      if (begun.some((seq) => this.#culprits.has(seq))) {
        this.deaths++;
        return false;
      }
      await worker.sent(task, begun);
    }
    return true;
  }

  readonly #seen = new Set<string>();
}

function newest(worker: ScriptedWorker, seen: ReadonlySet<string>): TaskSend | undefined {
  return worker.tasks.find(({ TASK_UUID }) => !seen.has(TASK_UUID));
}

async function listed(client: TestClient, BATCH_UUID: string, STATE: string) {
  const { RECIPIENTS } = await client.ask('LIST', { BATCH_UUID, STATE });
  return RECIPIENTS as { SEQ: number; REPLY: string; WORKER_UUID: string }[];
}

describe('mail that kills every worker that begins it', { timeout: 60_000 }, () => {
  test('is found by halves and given up as unknown, and all the rest is sent', async () => {
    const server = await startTestServer(SETTINGS);
    const client = await TestClient.of(server);
    const uuid = await client.submit(60);
    const shop = new Workshop(server, 'w', [21]);
    const other = new Workshop(server, 'v', [21]);
    const running = [shop.run(), other.run()];
    await until('the batch is finished', async () => (await client.batch(uuid)).STATE === 'FINISHED');
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 59, UNKNOWN: 1, FAILED: 0 });
    const [culprit] = await listed(client, uuid, 'UNKNOWN');
    expect(culprit).toMatchObject({
      SEQ: 21,
      REPLY: expect.stringMatching(/^set aside: \d+ workers died .* 2 of them/),
    });
    expect(shop.deaths + other.deaths).toBeLessThanOrEqual(2 * AFTER + Math.ceil(Math.log2(IN_FLIGHT)) + 1);
    const alone = [...shop.tasks, ...other.tasks].filter(({ seqs }) => seqs.join() === '21');
    expect(alone).toHaveLength(AFTER);
    expect(server.log.filter(({ msg }) => msg.includes('it is given up'))).toMatchObject([
      { seq: 21, batch: uuid, alone: 2 },
    ]);
    expect(server.log.some(({ msg }) => msg.includes('they are set aside'))).toBe(true);
    const { EVENTS } = await client.ask('POSSIBLE_DUPLICATES', { BATCH_UUID: uuid });
    expect((EVENTS as { WHY: string }[]).at(0)?.WHY).toMatch(/^lease lost: worker \S+ gone$/);
    shop.close();
    other.close();
    await Promise.all(running);
  });

  test('of a worker that comes back under its name without the task, it fails: nobody says that it was begun', async () => {
    const server = await startTestServer(SETTINGS);
    const client = await TestClient.of(server);
    const uuid = await client.submit(30);
    const shop = new Workshop(server, 'w', [3]);
    const running = shop.run(true);
    await until('the batch is finished', async () => (await client.batch(uuid)).STATE === 'FINISHED');
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 29, FAILED: 1, UNKNOWN: 0 });
    expect((await client.batch(uuid)).MAYBE_SENT).toBe(0);
    expect(await listed(client, uuid, 'FAILED')).toMatchObject([
      { SEQ: 3, REPLY: expect.stringContaining('set aside') },
    ]);
    shop.close();
    await running;
  });

  test('is remembered over a restart of the server, and waits aside while the others are sent', async () => {
    const server = await startTestServer(SETTINGS);
    const before = await TestClient.of(server);
    const uuid = await before.submit(30);
    const shop = new Workshop(server, 'w', [5]);
    const running = shop.run();
    await until('some are set aside', () => server.log.some(({ msg }) => msg.includes('they are set aside')));
    shop.close();
    await running;
    await server.stop();
    await server.start();
    const client = await TestClient.of(server);
    const { SERVER } = await client.ask('SERVER');
    const aside = (SERVER as { setAside: { batch: string; recipients: number }[] }).setAside;
    expect(aside).toMatchObject([{ batch: uuid }]);
    expect(aside[0]?.recipients).toBeGreaterThan(0);
    const next = new Workshop(server, 'x', [5]);
    const working = next.run();
    await until('the batch is finished', async () => (await client.batch(uuid)).STATE === 'FINISHED');
    expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 29, UNKNOWN: 1 });
    expect(await listed(client, uuid, 'UNKNOWN')).toMatchObject([{ SEQ: 5 }]);
    next.close();
    await working;
    await server.stop();
    expect((await server.audit(uuid)).problems).toEqual([]);
  });

  test('is told as the reason why a batch waits', async () => {
    const server = await startTestServer({ ...SETTINGS, poisonAfter: 1 });
    const client = await TestClient.of(server);
    const uuid = await client.submit(4);
    const worker = await ScriptedWorker.full(server, 'w', { IN_FLIGHT });
    await worker.task();
    worker.cut();
    const batch = await until('they are set aside', async () => {
      const now = await client.batch(uuid);
      return now.COUNTS.DEFERRED === 4 ? now : undefined;
    });
    expect(batch.WAITING).toMatch(
      /^4 recipients are set aside, workers died on them .* no worker is connected/,
    );
  });

  test('is not looked for in what a worker had not begun, nor in what was answered', async () => {
    const server = await startTestServer({ ...SETTINGS, poisonAfter: 1 });
    const client = await TestClient.of(server);
    const uuid = await client.submit(10);
    const worker = await ScriptedWorker.full(server, 'w', { IN_FLIGHT: 2 });
    const task = await worker.task();
    await worker.sent(task, [0, 1]);
    worker.cut();
    const rest = await ScriptedWorker.full(server, 'v', { SLOTS: 0 });
    await until('two are set aside', async () => (await client.batch(uuid)).COUNTS.DEFERRED === 2);
    expect(await listed(client, uuid, 'DEFERRED')).toMatchObject([{ SEQ: 2 }, { SEQ: 3 }]);
    rest.cut();
  });
});

test('what a journal tells of a dead worker counts against what it leaves open, and is told as such', async () => {
  const server = await startTestServer({ ...SETTINGS, poisonAfter: 1, retryBase: '10s' });
  const client = await TestClient.of(server);
  const uuid = await client.submit(6);
  const first = await ScriptedWorker.full(server, 'w', { IN_FLIGHT: 4 });
  const task = await first.task();
  first.cut();
  const second = await ScriptedWorker.full(server, 'w', { IN_FLIGHT: 4, TASKS: [task.TASK_UUID], SLOTS: 0 });
  await second.report(task, {
    STATUS: 'NOK',
    SENT: [[0, 0]],
    RESULTS: [{ SEQ: 1, STATUS: 'NOK', STAGE: 'DOT', PHASE: 'SENT_UNCONFIRMED' }],
    DONE: true,
    RECOVERED: true,
  });
  const { COUNTS, MAYBE_SENT } = await client.batch(uuid);
  expect({ ...COUNTS, MAYBE_SENT }).toMatchObject({ SENT: 1, DEFERRED: 3, MAYBE_SENT: 1 });
  const { EVENTS } = await client.ask('POSSIBLE_DUPLICATES', { BATCH_UUID: uuid });
  expect(EVENTS).toMatchObject([{ SEQS: [[1, 1]], WORKER_UUID: 'w', WHY: 'journal: begun, no result' }]);
  expect(server.log.filter(({ why }) => why === 'journal: begun, no result')).toMatchObject([
    { seq: 1, worker: 'w' },
  ]);
});
