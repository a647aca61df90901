import { describe, expect, test } from 'vitest';
import { borrows, everyoneHome, LARGE, raiseMesh } from './support/mesh.ts';
import { expectExactlyOnce } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

describe('a server with more than its workers can do', { timeout: 180_000 }, () => {
  test('borrows its neighbours’ idle workers, and in the end everyone is home and every mail came once', async () => {
    const { town, home, neighbours, servers } = await raiseMesh(2);
    const batch = await town.submit(home, LARGE);
    // One of each: `--keep-home 1`.
    await borrows(home, 2);
    for (const neighbour of neighbours) expect((await neighbour.account()).workersTotal).toBe(1);
    expect((await town.finished(batch)).counts.sent).toBe(LARGE);
    expect(await everyoneHome(servers)).toBeGreaterThanOrEqual(2);
    for (const server of servers)
      await server.until('its workers are back', ({ workersTotal }) => workersTotal === 2);
    expectExactlyOnce(await town.account(batch));
    // What was said about it.
    for (const neighbour of neighbours) {
      await neighbour.process.logged('lends a worker');
      await neighbour.process.logged('borrower sends a worker home');
      await neighbour.process.logged('lent worker is home');
    }
    await home.process.logged('sends a borrowed worker home');
  });

  test('calls its own workers home, and they come', async () => {
    const { town, home, neighbours, servers } = await raiseMesh(1);
    const [neighbour] = neighbours as [TownServer];
    const first = await town.submit(neighbour, LARGE);
    await borrows(neighbour);
    const second = await town.submit(home, LARGE);
    await home.process.logged('calls workers home');
    await neighbour.process.logged('sends a borrowed worker home');
    await home.process.logged('lent worker is home');
    await Promise.all([town.finished(first), town.finished(second)]);
    await everyoneHome(servers);
    expectExactlyOnce(await town.account(first, second));
  });
});
