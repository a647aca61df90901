import { describe, expect, test } from 'vitest';
import { storedSent } from './support/stored-sent.ts';
import { expectBalanced, expectExactlyOnce, type Submitted, Town } from './support/town.ts';

const TOTAL = 700;
const CONNECTIONS = 20;
/** A mail takes two replies: longer than a worker that stops waits for what may be on its way to it. */
const LATENCY_MS = 120;
/** What a worker may have begun and not reported: twice its connections. */
const IN_FLIGHT = 2 * CONNECTIONS;
const WORKER = ['--connections', String(CONNECTIONS)];

/** A server with two workers in the middle of a batch. */
async function inMidBatch() {
  const town = await Town.raise();
  await town.sink({ latencyMs: LATENCY_MS });
  const server = await town.server();
  const [first, second] = await town.workers(2, server, WORKER);
  if (first === undefined || second === undefined) throw new Error('no workers');
  const batch = await town.submit(server, TOTAL);
  await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > TOTAL / 10);
  return { town, server, batch, workers: [first, second] as const };
}

async function expectMidBatch({ server, id }: Submitted): Promise<void> {
  expect((await (await server.client()).batch(id)).counts.sent).toBeLessThan(TOTAL);
}

describe('a worker', { timeout: 120_000 }, () => {
  test('case 5: killed in mid-batch loses nothing, and only what it had in flight may come twice, marked', async () => {
    const { town, batch, workers } = await inMidBatch();
    await workers[0].kill();
    await expectMidBatch(batch);
    const { counts, maybeSent } = await town.finished(batch);
    expect(counts.sent).toBe(TOTAL);
    const accounting = await town.account(batch);
    expectBalanced(accounting);
    expect(accounting.duplicated).toBeLessThanOrEqual(IN_FLIGHT);
    expect(maybeSent).toBeGreaterThanOrEqual(accounting.explainedDuplicates);
  });

  test('case 7: told to stop in mid-batch finishes what it holds: nothing is lost or comes twice', async () => {
    const { town, batch, workers, server } = await inMidBatch();
    expect(await workers[0].stop('SIGTERM')).toBe(0);
    await expectMidBatch(batch);
    expect((await server.account()).workersTotal).toBe(1);
    const { counts, maybeSent } = await town.finished(batch);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: TOTAL, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));
  });
});

describe('a server', { timeout: 120_000 }, () => {
  test('case 6: killed in mid-batch and started again gets its workers back, loses nothing, and repeats nothing it had acknowledged', async () => {
    const { town, batch, server } = await inMidBatch();
    await server.process.kill();
    const before = storedSent(server.data, batch.id);
    expect(before.size).toBeGreaterThan(0);
    expect(before.size).toBeLessThan(TOTAL);
    await server.start();
    await server.until('both workers are back', ({ workersTotal }) => workersTotal === 2);
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    expectBalanced(await town.account(batch));
    const copies = town.copies();
    expect([...before].filter((seq) => copies.get(town.messageId(batch, seq)) !== 1)).toEqual([]);
  });

  test('cases 5 and 6: killed together with a worker gives what that one held to the other, marked as far as it may have been sent', async () => {
    const { town, batch, server, workers } = await inMidBatch();
    await Promise.all([server.process.kill(), workers[0].kill()]);
    const before = storedSent(server.data, batch.id);
    await server.start();
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    const accounting = await town.account(batch);
    expectBalanced(accounting);
    expect(accounting.duplicated).toBeLessThanOrEqual(IN_FLIGHT);
    const copies = town.copies();
    expect([...before].filter((seq) => copies.get(town.messageId(batch, seq)) !== 1)).toEqual([]);
  });

  test('case 7: told to stop in mid-batch lets its workers finish: nothing is lost or comes twice', async () => {
    const { town, batch, server } = await inMidBatch();
    expect(await server.process.stop('SIGTERM')).toBe(0);
    await server.process.logged('server stopped, everything settled');
    expect(storedSent(server.data, batch.id).size).toBeLessThan(TOTAL);
    await server.start();
    const { counts, maybeSent } = await town.finished(batch);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: TOTAL, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));
  });
});
