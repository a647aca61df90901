import { describe, expect, test } from 'vitest';
import { expectBalanced, people, Town } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

/** The least that an operator can choose: a worker that dies is known to be lost after so long. */
const QUICK = ['--lease', '1s', '--poison-after', '2'];

/** A place where a worker that ends is replaced by the next one, until it is closed. */
async function workshop(town: Town, server: TownServer, name: string) {
  let isOpen = true;
  let deaths = 0;
  const done = (async () => {
    while (isOpen) {
      const worker = town.run(name, 'test/e2e/support/mortal-worker.mjs', [server.url, name]);
      await worker.ended(120_000).catch(() => {});
      deaths++;
    }
  })();
  return {
    get deaths(): number {
      return deaths;
    },
    close: () => {
      isOpen = false;
    },
    done,
  };
}

describe('a mail that kills every worker that takes it', { timeout: 180_000 }, () => {
  test('case 12: is set aside, named in the log, the status and the list, and all the others are delivered', async () => {
    const town = await Town.raise();
    const sink = await town.sink();
    const server = await town.server({ args: QUICK });
    const shops = await Promise.all([workshop(town, server, 'smith'), workshop(town, server, 'cooper')]);
    const rows = [...people(12), { address: 'deadly@example.net', name: 'D' }, ...people(28, 'other')];
    const batch = await town.submit(server, rows);
    const given = await server.process.logged(
      /workers die when they try to send this mail, it is given up/,
      120_000,
    );
    expect(given).toMatchObject({ seq: 12, batch: batch.id, alone: 2 });
    const { counts } = await town.finished(batch);
    expect(counts).toMatchObject({ total: 41, sent: 40, failed: 0, unknown: 1 });
    expect(sink.report().messages).toBeGreaterThanOrEqual(40);
    // Only the one that is unknown did not arrive.
    const { lost, duplicated, explainedDuplicates } = await town.account(batch);
    expect({ lost, unexplained: duplicated - explainedDuplicates }).toEqual({ lost: 1, unexplained: 0 });
    expect(server.process.logs.some(({ msg }) => /they are set aside/.test(msg ?? ''))).toBe(true);
    const unknown = await town.mutirao(['unknown', batch.id, '--server', server.url]);
    expect(unknown.out).toMatch(/12 {2}deadly@example\.net +\S+ +sink-1 .* set aside: \d+ workers died/);
    for (const shop of shops) shop.close();
    // Two to set aside, one for the half of at most four, two alone; a slow machine may lose a lease between.
    expect(shops.reduce((sum, { deaths }) => sum + deaths, 0)).toBeLessThanOrEqual(10);

    // The workers are better now.
    const cured = await town.worker(server);
    const resolved = await town.mutirao(['resolve', batch.id, '--retry', '--server', server.url]);
    expect(resolved).toMatchObject({ code: 0, out: expect.stringContaining('1 recipient') });
    expect((await town.finished(batch)).counts).toMatchObject({ sent: 41, unknown: 0 });
    expect(cured.isOver).toBe(false);
    expectBalanced(await town.account(batch));
  });
});
