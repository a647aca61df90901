import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { CAN_MOUNT, SmallDisk } from './support/small-disk.ts';
import { expectExactlyOnce, people, Town } from './support/town.ts';

const TOTAL = 4_000;
/** Longer than a lease of the town's servers. */
const FULL_MS = 4_500;

interface Ready {
  readonly status: number;
  readonly reasons: readonly string[];
}

async function readiness(url: string): Promise<Ready> {
  const response = await fetch(`${url.replace(/^ws/, 'http')}/readyz`);
  const { reasons } = (await response.json()) as { reasons: readonly string[] };
  return { status: response.status, reasons };
}

/** Needs a file system of its own: root on Linux. */
describe.skipIf(!CAN_MOUNT)('while the disk of a server is full', { timeout: 120_000 }, () => {
  test('case 4: in the middle of results, nothing is taken or lost; it says so, and goes on by itself when there is room', async () => {
    const disk = new SmallDisk(48 * 1024);
    const town = await Town.raise();
    await town.sink({ latencyMs: 15 });
    const server = await town.server({ data: disk.folder, args: ['--log-file', 'none'] });
    await town.workers(2, server, ['--connections', '10']);
    const batch = await town.submit(server, TOTAL);
    await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > 200);

    disk.fill();
    const full = Date.now();
    const down = await until('readyz says so', async () => {
      const ready = await readiness(server.url);
      return ready.status === 503 ? ready : undefined;
    });
    expect(down.reasons).toEqual([expect.stringMatching(/^the store cannot write/)]);
    const client = await server.client();
    const letter = { from: 'a@example.org', subject: 's', text: 't' };
    await expect(client.submit(letter, people(2_000), { attempts: 1 })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retry: true,
    });
    const account = await client.server();
    expect(account).toMatchObject({ health: [{ code: 'STORE_FAILING', down: true }] });
    const waiting = await town.untilBatch('it says why', batch, (now) => /store/.test(now.waiting ?? ''));
    // what the workers held is sent, and then nothing more
    await until('the lease is over', () => Date.now() - full > FULL_MS, 2 * FULL_MS);
    const arrived = town.copies().size;
    expect(arrived).toBeLessThan(TOTAL);
    expect(arrived).toBeGreaterThanOrEqual(waiting.counts.sent);

    disk.free();
    await until('readyz is well again', async () => (await readiness(server.url)).status === 200);
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    const { logs } = server.process;
    const told = logs
      .filter(({ code }) => code === 'STORE_FAILING')
      .map(({ msg = '' }) => msg.startsWith('over: '));
    expect(told.slice(0, 2)).toEqual([false, true]);
    expectExactlyOnce(await town.account(batch));
    expect((await client.batch(batch.id)).maybeSent).toBe(0);
  });
});
