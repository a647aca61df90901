import { describe, expect, test } from 'vitest';
import { Frontier } from '../support/frontier.ts';
import { borrows, everyoneHome } from '../support/mesh.ts';
import { expectBalanced, type Submitted, Town } from '../support/town.ts';
import type { TownServer } from '../support/town-server.ts';

/** About 120 mails a second and worker. */
const LATENCY_MS = 20;
const WORKER = ['--connections', '5', '--in-flight', '20'];
const TOTAL = 900;

/** A saturated server on this side of a line, which has borrowed the worker of the one on the other side. */
async function withALoan() {
  const town = await Town.raise();
  await town.sink({ latencyMs: LATENCY_MS });
  const frontier = await Frontier.between(town, { far: ['--keep-home', '1'] });
  const { near, far } = frontier;
  await Promise.all([town.workers(1, near, WORKER), town.workers(2, far, WORKER)]);
  const batch = await town.submit(near, TOTAL);
  await borrows(near);
  await town.untilBatch('the borrowed worker has mail', batch, ({ counts }) => counts.sent > TOTAL / 20);
  return { town, frontier, near, far, batch };
}

/** What must be true when it is over, whatever it was. */
async function expectHealed(town: Town, frontier: Frontier, batch: Submitted): Promise<void> {
  await frontier.areAlive();
  expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
  expect(await everyoneHome([frontier.near, frontier.far])).toBeGreaterThan(0);
  await frontier.far.until('both its workers are back', ({ workersTotal }) => workersTotal === 2);
  expectBalanced(await town.account(batch));
}

const isDead = (server: TownServer) =>
  server.until('it takes its peer for dead', ({ mesh: { peers } }) => peers[0]?.state === 'dead');

describe('case 19: two servers, one with a worker of the other', { timeout: 90_000 }, () => {
  test('case 19: that are parted for longer than a lease go on alone, and settle loans and mail when they meet again', async () => {
    const { town, frontier, near, far, batch } = await withALoan();
    frontier.shut();
    await Promise.all([isDead(near), isDead(far)]);
    // the lease of the one beyond is over, and what it held goes to others
    await near.process.logged(/^lease ended, its recipients go to others/);
    frontier.open();
    await expectHealed(town, frontier, batch);
  });

  test.each(['toNear', 'toFar'] as const)(
    'case 19: of which one does not hear the other (%s is lost) lose no mail and no worker',
    async (way) => {
      const { town, frontier, near, far, batch } = await withALoan();
      frontier.lose(way);
      await isDead(way === 'toNear' ? near : far);
      frontier.open();
      await expectHealed(town, frontier, batch);
    },
  );

  test.each([
    ['borrower', 'near'],
    ['lender', 'far'],
  ] as const)(
    'case 19: of which the %s stands still until it is taken for dead takes nobody for dead when it goes on, and all is settled',
    async (_, side) => {
      const { town, frontier, batch } = await withALoan();
      const [stalled, other] =
        side === 'near' ? [frontier.near, frontier.far] : [frontier.far, frontier.near];
      stalled.process.signal('SIGSTOP');
      await isDead(other);
      stalled.process.signal('SIGCONT');
      const { mesh } = await stalled.account();
      expect(mesh.peers[0]?.state).not.toBe('dead');
      await stalled.process.logged('event loop lags: silence of peers does not count');
      await expectHealed(town, frontier, batch);
    },
  );
});

describe('case 20: two saturated servers', { timeout: 90_000 }, () => {
  test('case 20: lend each other nobody as long as both are saturated', async () => {
    const town = await Town.raise();
    await town.sink({ latencyMs: LATENCY_MS });
    const frontier = await Frontier.between(town, { near: ['--keep-home', '0'], far: ['--keep-home', '0'] });
    const servers = [frontier.near, frontier.far];
    await Promise.all(servers.map((server) => town.workers(2, server, WORKER)));
    const batches = await Promise.all(servers.map((server) => town.submit(server, TOTAL)));
    for (const server of servers)
      await server.until('all its own workers are busy', ({ workers, mesh: { lent, borrowed } }) => {
        return lent.length + borrowed.length === 0 && workers.every(({ idle }) => !idle);
      });
    const madeBefore = await loansMade(servers);
    for (const batch of batches)
      await town.untilBatch('most are sent', batch, ({ counts }) => counts.sent > TOTAL / 2);
    expect(await loansMade(servers)).toBe(madeBefore);
    for (const batch of batches) expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    await everyoneHome(servers);
    // at the end one may help the other: once each
    expect(await loansMade(servers)).toBeLessThanOrEqual(madeBefore + 2);
    expectBalanced(await town.account(...batches));
  });
});

async function loansMade(servers: readonly TownServer[]): Promise<number> {
  const accounts = await Promise.all(servers.map((server) => server.account()));
  return accounts.reduce((sum, { mesh }) => sum + mesh.totals.made, 0);
}
