import { expect } from 'vitest';
import { Town } from './town.ts';
import type { TownServer } from './town-server.ts';

/** About 60 mails a second and worker: two workers are saturated by some hundreds. */
const LATENCY_MS = 20;
const WORKER = ['--connections', '5'];
/** Recipients that keep two workers busy for long enough to borrow others. */
export const LARGE = 1_200;

export interface Mesh {
  readonly town: Town;
  readonly home: TownServer;
  readonly neighbours: readonly TownServer[];
  readonly servers: readonly TownServer[];
}

/** Servers that know each other, the first with `ownWorkers`, the others with two each. */
export async function raiseMesh(
  neighbourCount: number,
  ownWorkers = 2,
  args: readonly string[] = [],
): Promise<Mesh> {
  const town = await Town.raise();
  await town.sink({ latencyMs: LATENCY_MS });
  const home = await town.server({ args });
  const neighbours = await Promise.all(
    Array.from({ length: neighbourCount }, () => town.server({ args: ['--peer', home.url, ...args] })),
  );
  const servers = [home, ...neighbours];
  await Promise.all([
    town.workers(ownWorkers, home, WORKER),
    ...neighbours.map((neighbour) => town.workers(2, neighbour, WORKER)),
  ]);
  for (const server of servers) {
    await server.until('it sees its peers', ({ mesh: { peers } }) => {
      return peers.filter(({ state }) => state === 'alive').length === neighbourCount;
    });
  }
  return { town, home, neighbours, servers };
}

/** Waits until nobody is away, by every server's own word, and the ledgers balance. @returns loans made */
export async function everyoneHome(servers: readonly TownServer[]): Promise<number> {
  let made = 0;
  for (const server of servers) {
    const { mesh } = await server.until('everyone is home', ({ mesh: { lent, borrowed, expected } }) => {
      return lent.length === 0 && borrowed.length === 0 && expected === 0;
    });
    expect(mesh.totals.returned + mesh.totals.lost).toBe(mesh.totals.made);
    made += mesh.totals.made;
  }
  return made;
}

/** Waits until so many borrowed workers are there. */
export async function borrows(server: TownServer, count = 1): Promise<void> {
  await server.until(`it has borrowed ${count}`, ({ mesh: { borrowed } }) => {
    return borrowed.filter(({ state }) => state === 'here').length >= count;
  });
}
