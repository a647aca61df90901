import { describe, expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { expectBalanced, Town } from '../support/town.ts';

const TOTAL = 500;
const CONNECTIONS = 5;
const WORKER = ['--connections', String(CONNECTIONS), '--in-flight', String(2 * CONNECTIONS)];

describe('case 8: a server whose workers are all gone', { timeout: 60_000 }, () => {
  test('case 8: longer than their leases, keeps their mail, says that it waits for a worker, and goes on when one comes', async () => {
    const town = await Town.raise();
    await town.sink({ latencyMs: 20 });
    const server = await town.server({ args: ['--lease', '1s'] });
    const workers = await town.workers(2, server, WORKER);
    const batch = await town.submit(server, TOTAL);
    await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > TOTAL / 10);
    await Promise.all(workers.map((worker) => worker.kill()));

    const waiting = await town.untilBatch('it says why it waits', batch, (now) => {
      return now.counts.leased === 0 && /no worker/i.test(now.waiting ?? '');
    });
    expect(waiting.counts.sent).toBeLessThan(TOTAL);
    expect(waiting.counts.pending + waiting.counts.sent).toBe(TOTAL);
    const { status, reasons } = await until('readyz says so too', async () => {
      const response = await fetch(`${server.url.replace(/^ws/, 'http')}/readyz`);
      const told = (await response.json()) as { status: string; reasons: readonly string[] };
      return told.status === 'degraded' ? told : undefined;
    });
    expect({ status, reasons }).toMatchObject({ reasons: [expect.stringMatching(/no worker/i)] });

    await town.workers(2, server, WORKER);
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    expect(
      server.process.logs.some(({ code, msg = '' }) => code === 'NO_WORKER' && /^over: /.test(msg)),
    ).toBe(true);
    const accounting = await town.account(batch);
    expectBalanced(accounting);
    // what the two had begun; more are marked, for a server does not know in which of its tasks a worker was
    expect(accounting.duplicated).toBeLessThanOrEqual(workers.length * 2 * CONNECTIONS);
  });
});
