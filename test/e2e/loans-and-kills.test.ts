import { describe, expect, test } from 'vitest';
import { borrows, everyoneHome, LARGE, raiseMesh } from './support/mesh.ts';
import { expectBalanced, expectExactlyOnce } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

describe('a borrower', { timeout: 180_000 }, () => {
  test('killed while it has borrowed workers loses them to their home, and nothing else', async () => {
    const { town, home, neighbours } = await raiseMesh(1);
    const [neighbour] = neighbours as [TownServer];
    const batch = await town.submit(home, LARGE);
    await borrows(home);
    await home.process.kill();
    await neighbour.until('its worker came home', ({ mesh, workersTotal }) => {
      return workersTotal === 2 && mesh.lent.length === 0;
    });
    const { mesh: afterwards } = await neighbour.account();
    expect(afterwards.totals).toEqual({ made: 1, returned: 1, lost: 0 });
    // And what the dead server had accepted is sent when it is there again.
    await home.start();
    expect((await town.finished(batch)).counts.sent).toBe(LARGE);
    await everyoneHome([home, neighbour]);
    expectBalanced(await town.account(batch));
  });
});

describe('a home', { timeout: 180_000 }, () => {
  test('killed and started again while its workers are away has its ledger right in the end', async () => {
    const { town, home, neighbours, servers } = await raiseMesh(1);
    const [lender] = neighbours as [TownServer];
    const batch = await town.submit(home, LARGE);
    await borrows(home);
    await lender.process.kill();
    await lender.start();
    const { mesh: known } = await lender.account();
    expect(known.totals.made).toBe(1);
    expect((await town.finished(batch)).counts.sent).toBe(LARGE);
    await everyoneHome(servers);
    await lender.until('its workers are back', ({ workersTotal }) => workersTotal === 2);
    const { mesh: afterwards } = await lender.account();
    expect(afterwards.totals).toMatchObject({ lost: 0, returned: afterwards.totals.made });
    expectExactlyOnce(await town.account(batch));
  });
});
