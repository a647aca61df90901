import { describe, expect, test } from 'vitest';
import type { Process } from '../../scripts/support/process.ts';
import { until } from '../support/until.ts';
import { expectExactlyOnce, type Submitted, Town } from './support/town.ts';

/** Longer than a lease of the town's servers (3 s): without renewal it would end, and the mail would go out again. */
const SLOW_MS = 4_000;
const COUNT = 4;
/** More than a busy machine needs to end a process that waits for nothing. */
const AT_ONCE_MS = 10_000;

function* named(rule: string, count = COUNT): Generator<{ address: string; name: string }> {
  for (let i = 0; i < count; i++) yield { address: `${rule}-${i}@example.net`, name: `Person ${i}` };
}

/** A server and a worker that has everything of a batch on the line, at a relay that answers late or never. */
async function onTheLine(rule: 'slow' | 'hang', args: { server?: string[]; worker?: string[] } = {}) {
  const town = await Town.raise();
  const sink = await town.sink({ slowMs: SLOW_MS });
  const server = await town.server({ args: args.server ?? [] });
  const worker = await town.worker(server, ['--connections', String(3 * COUNT), ...(args.worker ?? [])]);
  const batch = await town.submit(server, named(rule));
  await town.untilBatch('all are leased', batch, ({ counts }) => counts.leased === COUNT);
  // the other envelope of a connection waits behind the reply to the first mail
  await until('the relay has half of them', () => town.copies().size >= COUNT / 2);
  return { town, sink, server, worker, batch };
}

async function timed(work: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work;
  return performance.now() - begun;
}

/** Nothing waits for the lease, and each mail that the relay has is marked. */
async function expectMarked(town: Town, batch: Submitted): Promise<void> {
  await town.untilBatch('it is told', batch, ({ counts }) => counts.leased === 0);
  const marked = new Set(
    (await town.listed(batch, 'maybe-sent')).map(({ seq }) => town.messageId(batch, seq)),
  );
  expect([...town.copies().keys()].filter((id) => !marked.has(id))).toEqual([]);
}

const has = ({ logs }: Process, pattern: RegExp): boolean => logs.some(({ msg = '' }) => pattern.test(msg));

describe('a worker told to stop', { timeout: 60_000 }, () => {
  test('case 7: waits for replies longer than a lease, renews it meanwhile, and nothing comes twice', async () => {
    const { town, worker, batch } = await onTheLine('slow');
    expect(await worker.stop('SIGTERM', 30_000)).toBe(0);
    expect(has(worker, /^worker stops$/)).toBe(true);
    expect(has(worker, /^worker stopped$/)).toBe(true);
    const { counts, maybeSent } = await town.finished(batch);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: COUNT, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));
  });

  test('case 7: waits no longer than --drain, and tells how far each mail got', async () => {
    const { town, worker, batch } = await onTheLine('hang', { worker: ['--drain', '2s'] });
    expect(await timed(worker.stop('SIGTERM', 30_000))).toBeLessThan(2_000 + AT_ONCE_MS);
    expect(has(worker, /^the time to stop is over/)).toBe(true);
    await expectMarked(town, batch);
  });

  test('case 7: twice ends at once', async () => {
    const { town, worker, batch } = await onTheLine('hang');
    worker.signal('SIGTERM');
    await worker.logged('worker stops');
    expect(await timed(worker.stop('SIGTERM', 30_000))).toBeLessThan(AT_ONCE_MS);
    expect(has(worker, /^worker hurries/)).toBe(true);
    await expectMarked(town, batch);
  });
});

describe('a server told to stop', { timeout: 60_000 }, () => {
  test('case 7: waits for replies longer than a lease, and nothing comes twice', async () => {
    const { town, server, batch } = await onTheLine('slow');
    expect(await server.process.stop('SIGTERM', 30_000)).toBe(0);
    expect(has(server.process, /^stopping, workers finish or hand back; a second signal hurries$/)).toBe(
      true,
    );
    expect(has(server.process, /^server stopped, everything settled$/)).toBe(true);
    await server.start();
    const { counts, maybeSent } = await town.finished(batch);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: COUNT, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));
  });

  test('case 7: waits no longer than --drain; the leases wait for its return, and nothing is sent again', async () => {
    const { town, server, batch } = await onTheLine('slow', { server: ['--drain', '1s'] });
    expect(await timed(server.process.stop('SIGTERM', 30_000))).toBeLessThan(1_000 + AT_ONCE_MS);
    expect(has(server.process, /^server stopped, leases wait for its return$/)).toBe(true);
    await server.start();
    const { counts, maybeSent } = await town.finished(batch);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: COUNT, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));
  });

  test('case 7: twice ends at once, and goes on where it was', async () => {
    const { town, server, batch } = await onTheLine('slow');
    server.process.signal('SIGTERM');
    await server.process.logged(/^stopping/);
    expect(await timed(server.process.stop('SIGTERM', 30_000))).toBeLessThan(AT_ONCE_MS);
    expect(has(server.process, /^hurrying$/)).toBe(true);
    await server.start();
    expect((await town.finished(batch)).counts.sent).toBe(COUNT);
    expectExactlyOnce(await town.account(batch));
  });
});
