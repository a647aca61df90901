import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { expectExactlyOnce, Town } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

/** EX_CONFIG: a supervisor is not to start it again. */
const EXIT_IDENTITY_IN_USE = 78;

/** A server that runs on a copy of another one's data folder, whatever that one is doing. */
async function cloneOf(town: Town, { data }: TownServer, args: readonly string[]): Promise<TownServer> {
  const copy = join(town.folder, 'clone');
  cpSync(data, copy, { recursive: true });
  const clone = await town.newServer({ data: copy, args });
  clone.launch();
  return clone;
}

/** It ends by itself, clearly. */
async function expectStops(clone: TownServer, first: TownServer): Promise<void> {
  expect(await clone.process.ended()).toBe(EXIT_IDENTITY_IN_USE);
  const said = clone.process.said.at(-1);
  expect(said).toMatch(/^server: another server of the mesh, .* was there first, so this one stops/);
  expect(said).toContain(first.url);
}

describe('a server on a copy of a data folder', { timeout: 60_000 }, () => {
  test('case 10: that meets the original stops with an error; the original goes on and says so', async () => {
    const town = await Town.raise();
    await town.sink({ latencyMs: 20 });
    const first = await town.server();
    const batch = await town.submit(first, 400);
    const clone = await cloneOf(town, first, ['--peer', first.url]);
    await expectStops(clone, first);
    expect(
      clone.process.logs.some(({ msg = '' }) => /this store is a copy.*1 batch is paused/.test(msg)),
    ).toBe(true);
    const { claimed } = await until('the original says so', async () => {
      const { reasons, status } = (await (
        await fetch(`${first.url.replace('ws', 'http')}/readyz`)
      ).json()) as { reasons: string[]; status: string };
      const found = reasons.find((reason) => /claims to be this one/.test(reason));
      return status === 'degraded' && found !== undefined ? { claimed: found } : undefined;
    });
    expect(claimed).toContain(clone.url);
    await town.workers(1, first);
    expect((await town.finished(batch)).counts.sent).toBe(400);
    expectExactlyOnce(await town.account(batch));
  });

  test('case 10: that comes to a peer of the original is turned away, even if it was told to go on as a copy', async () => {
    const town = await Town.raise();
    await town.sink({ latencyMs: 20 });
    const first = await town.server();
    const peer = await town.server({ args: ['--peer', first.url] });
    await peer.until('it sees the original', ({ mesh: { peers } }) => peers[0]?.state === 'alive');
    const clone = await cloneOf(town, first, ['--peer', peer.url, '--accept-copy']);
    await expectStops(clone, first);
    await peer.process.logged(/two servers claim one SERVER_UUID/);
    const { mesh } = await peer.account();
    expect(mesh.peers).toMatchObject([{ address: first.url, state: 'alive' }]);
    expect(first.process.isOver).toBe(false);
  });

  test('and a server that is merely started again is no copy', async () => {
    const town = await Town.raise();
    const first = await town.server();
    const peer = await town.server({ args: ['--peer', first.url] });
    await peer.until('it sees the other', ({ mesh: { peers } }) => peers[0]?.state === 'alive');
    await first.process.kill();
    await first.start();
    await peer.until('it sees it again', ({ mesh: { peers } }) => peers[0]?.state === 'alive');
    await first.until('and is seen', ({ mesh: { peers } }) => peers[0]?.state === 'alive');
    expect(first.process.logs.some(({ msg = '' }) => /copy/.test(msg))).toBe(false);
  });
});
