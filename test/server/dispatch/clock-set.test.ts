import { expect, onTestFinished, test } from 'vitest';
import { systemSource } from '../../../server/clock.ts';
import { startServer } from '../../../server/server.ts';
import { TestClient } from '../../support/client.ts';
import { ScriptedWorker } from '../../support/scripted-worker.ts';
import { TestServer, temporaryFolder, testSettings } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;
const LATER = { STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '451 4.2.1 later' } as const;

/** A server whose wall clock the test sets. */
class SetServer extends TestServer {
  setBy = 0;

  static async with(settings: object): Promise<SetServer> {
    const server = new SetServer(await temporaryFolder(), {});
    const wall = (): number => Date.now() + server.setBy;
    const running = await startServer(
      testSettings({ data: server.data, relay: ['smtp://relay.example?name=mx'], ...settings }),
      server.logger,
      { clock: { ...systemSource, wall } },
    );
    onTestFinished(async () => {
      running.hurry();
      await running.stop();
    });
    server.adopted = running.url;
    return server;
  }

  adopted = '';

  override get url(): string {
    return this.adopted;
  }

  /** Sets the wall clock, and waits until the server has noticed. */
  async set(by: number): Promise<void> {
    this.setBy = by;
    await until('it says that the clock was set', () => this.log.some(({ code }) => code === 'CLOCK_SET'));
  }
}

test('case 11: setting the wall clock an hour forward fires no retry and ends no lease', async () => {
  const server = await SetServer.with({ retryBase: '20m' });
  const client = await TestClient.of(server);
  const batch = await client.submit(6);
  const first = await ScriptedWorker.full(server, 'w1');
  const task = await first.task();
  const [one, two, ...rest] = task.RECIPIENTS.map(({ SEQ }) => SEQ) as [number, number, ...number[]];
  const RESULTS = [one, two].map((SEQ) => ({ SEQ, ...LATER }));
  await first.report(task, { STATUS: 'NOK', RESULTS });
  const before = (await client.batch(batch)).COUNTS;
  expect(before).toMatchObject({ DEFERRED: 2, LEASED: rest.length });

  await server.set(HOUR);
  const second = await ScriptedWorker.full(server, 'w2');
  const other = await client.submit(1);
  expect((await second.task()).RECIPIENTS).toHaveLength(1);
  expect((await client.batch(batch)).COUNTS).toEqual(before);
  const readyz = await fetch(`${server.url.replace('ws', 'http')}/readyz`);
  expect([readyz.status, await readyz.json()]).toMatchObject([
    200,
    { status: 'degraded', reasons: [expect.stringMatching(/clock was set forward/)] },
  ]);
  await first.sent(task, rest, { DONE: true });
  expect((await client.batch(batch)).COUNTS).toMatchObject({ SENT: rest.length, DEFERRED: 2 });
  expect(other).not.toBe(batch);
});

test('case 11: setting the wall clock an hour back delays no retry, no end of a lease and no expiry', async () => {
  const server = await SetServer.with({ retryBase: '3s', lease: 3_000 });
  const client = await TestClient.of(server);
  const batch = await client.submit(2);
  const worker = await ScriptedWorker.full(server, 'w1');
  const task = await worker.task();
  const [first] = task.RECIPIENTS.map(({ SEQ }) => SEQ) as [number];
  await worker.report(task, { STATUS: 'NOK', RESULTS: [{ SEQ: first, ...LATER }] });
  const short = await client.submit(1, { OPTIONS: { EXPIRES: 2 } });
  worker.cut();
  await server.set(-HOUR);
  await until('its time is over', async () => (await client.batch(short)).STATE === 'FINISHED');
  const next = await ScriptedWorker.full(server, 'w2', { SLOTS: 4 });
  const seen = new Set<number>();
  await until('the retry and what the lost worker held are leased', () => {
    for (const { BATCH_UUID, RECIPIENTS } of next.tasks)
      if (BATCH_UUID === batch) for (const { SEQ } of RECIPIENTS) seen.add(SEQ);
    return seen.size === 2;
  });
});
