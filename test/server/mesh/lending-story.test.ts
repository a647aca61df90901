import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryLoanStore } from './memory-loan-store.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { type Site, World } from './world.ts';

let clock: VirtualClock;
let network: VirtualNetwork;
let world: World;

beforeEach(() => {
  clock = new VirtualClock();
  network = new VirtualNetwork(clock);
  world = new World(clock, network, () => 0.5);
});

afterEach(() => world.stop());

/** One server that will be busy, and others that know only it. */
async function neighbours(count: number, workers: number): Promise<[Site, ...Site[]]> {
  const first = await world.addServer({ workers });
  const others: Site[] = [];
  for (let i = 1; i < count; i += 1) others.push(await world.addServer({ workers, peers: [first.address] }));
  await clock.advance(5_000);
  return [first, ...others];
}

const totals = (made: number, returned: number, lost: number) => ({ made, returned, lost });

describe('joining', () => {
  test('who knows one server gets to know all, with one connection per pair', async () => {
    const sites = await neighbours(4, 1);
    for (const site of sites) {
      expect(site.mesh.snapshot().peers.map((peer) => peer.state)).toEqual(['alive', 'alive', 'alive']);
      for (const other of sites) {
        if (other !== site) expect(network.cablesBetween(site.address, other.address)).toBe(1);
      }
    }
  });

  test('servers that dial each other at the same moment keep one link and stay together', async () => {
    const a = await world.addServer();
    const b = await world.addServer({ peers: [a.address] });
    const c = await world.addServer({ peers: [a.address, b.address] });
    await a.crash();
    await clock.advance(60_000);
    await a.start();
    await clock.advance(20_000);
    for (const [one, other] of [
      [a, b],
      [a, c],
      [b, c],
    ] as const) {
      expect(network.cablesBetween(one.address, other.address)).toBe(1);
    }
    const before = world.said('link is up').length;
    await clock.advance(60_000);
    expect(world.said('link is up')).toHaveLength(before);
  });

  test('a peer that cannot be reached is named once, and joined when it comes', async () => {
    const address = await network.freeAddress();
    const a = await world.addServer({ peers: [address] });
    await clock.advance(120_000);
    expect(world.said('peer cannot be reached; trying on', a)).toHaveLength(1);
    await world.addServer({ address });
    await clock.advance(12_000);
    expect(a.mesh.snapshot().peers[0]?.state).toBe('alive');
    expect(world.said('peer can be reached again', a)).toHaveLength(1);
  });

  test('a server that was told its own address by another name talks to itself once', async () => {
    const a = await world.addServer();
    await a.crash();
    const alias = { IP: 'localhost', PORT: a.address.PORT };
    const b = await world.addServer({ peers: [alias] });
    Object.assign(a, { settings: { ...a.settings, peers: [alias] } });
    await a.start();
    await clock.advance(30_000);
    expect(network.cablesBetween(a.address, a.address)).toBe(0);
    expect(a.mesh.snapshot().peers.map((peer) => peer.server)).toEqual([b.uuid]);
  });

  test('a server that is linked is not called again and again by another of its names', async () => {
    const a = await world.addServer({ uuid: 'a' });
    const b = await world.addServer({ uuid: 'b', peers: [a.address] });
    await clock.advance(3_000);
    await a.crash();
    await b.crash();
    Object.assign(b, { settings: { ...b.settings, peers: [{ IP: 'localhost', PORT: a.address.PORT }] } });
    Object.assign(a, { settings: { ...a.settings, peers: [b.address] } });
    await b.start();
    await clock.advance(3_500);
    await a.start(); // it calls before the other tries again
    await clock.advance(30_000);
    const before = network.dials;
    await clock.advance(60_000);
    expect(network.dials).toBe(before);
    expect(network.cablesBetween(a.address, b.address)).toBe(1);
    expect(a.mesh.snapshot().peers[0]?.link).toBe('dialled');
    expect(world.said('peer cannot be reached; trying on', b)).toHaveLength(1);
  });

  test('a server that listens everywhere is known by the address at which it was met', async () => {
    const { PORT } = await network.freeAddress();
    const a = await world.addServer({ address: { IP: '0.0.0.0', PORT } });
    const b = await world.addServer({ peers: [{ IP: 'localhost', PORT }] });
    const other = await network.freeAddress();
    await world.addServer({ address: { ...other, IP: '0.0.0.0' }, peers: [b.address] });
    await clock.advance(5_000);
    const known = b.mesh.snapshot().peers.map((peer) => peer.address);
    expect(known.sort()).toEqual([`ws://127.0.0.1:${other.PORT}`, `ws://localhost:${PORT}`]);
    expect(a.mesh.snapshot().peers).toHaveLength(2);
  });

  test('silence makes a peer suspect and dead, its voice alive', async () => {
    const [a, b] = (await neighbours(2, 0)) as [Site, Site];
    network.cut(a.address, b.address);
    await clock.advance(6_000);
    expect(a.mesh.snapshot().peers[0]?.state).toBe('suspect');
    await clock.advance(6_000);
    expect(a.mesh.snapshot().peers[0]).toMatchObject({ state: 'dead', link: undefined });
    network.mend();
    await clock.advance(15_000);
    expect(a.mesh.snapshot().peers[0]?.state).toBe('alive');
    expect(b.mesh.snapshot().peers[0]?.state).toBe('alive');
  });

  test('a server whose event loop stood still declares nobody dead', async () => {
    const [a] = await neighbours(3, 0);
    clock.freeze(60_000);
    await clock.advance(30_000);
    expect(world.said('peer is suspect')).toEqual([]);
    expect(world.said('peer is dead')).toEqual([]);
    expect(world.said('event loop lags: silence of peers does not count', a)).toHaveLength(1);
  });
});

describe('borrowing', () => {
  test('a saturated server has its neighbours idle workers within a second, and they are home at the end', async () => {
    const [a, b, c] = (await neighbours(3, 2)) as [Site, Site, Site];
    a.submit(20_000);
    await clock.advance(1_000);
    expect([a, b, c].map((site) => site.connected.size)).toEqual([4, 1, 1]);
    expect(a.mesh.snapshot().borrowed).toHaveLength(2);
    for (const site of [b, c]) expect(site.mesh.snapshot().lent).toMatchObject([{ state: 'there' }]);

    await clock.advance(60_000);
    expect(a.settled).toBe(20_000);
    expect([a, b, c].map((site) => site.connected.size)).toEqual([2, 2, 2]);
    for (const site of [b, c]) {
      expect(site.mesh.snapshot()).toMatchObject({ lent: [], totals: totals(1, 1, 0) });
      expect(site.store.totals).toEqual(totals(1, 1, 0));
    }
    expect(world.said('release completed', a)).toHaveLength(2);
  });

  test('workers that are on their way are not asked for twice', async () => {
    const [a, b] = (await neighbours(2, 1)) as [Site, Site];
    for (let i = 0; i < 10; i += 1) world.addWorker(b);
    for (const worker of world.workers) worker.travelMs = 1_500;
    await clock.advance(2_500);
    a.submit(5_000);
    await clock.advance(1_400);
    expect(b.redirects).toHaveLength(4);
  });

  test('a request whose answer was lost with the connection is made again', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    b.store.hold();
    a.submit(50_000);
    await clock.advance(500);
    network.drop();
    await clock.advance(1_000);
    expect(world.said('asks for workers', a).length).toBeGreaterThanOrEqual(2);
    b.store.release();
  });

  test('a small batch moves nobody', async () => {
    const [a] = await neighbours(3, 2);
    a.submit(500);
    await clock.advance(20_000);
    expect(a.settled).toBe(500);
    expect(world.said('asks for workers')).toEqual([]);
  });

  test('a server without workers has its work done by others', async () => {
    const b = await world.addServer({ workers: 3 });
    const a = await world.addServer({ peers: [b.address] });
    await clock.advance(3_000);
    a.submit(1_500);
    await clock.advance(30_000);
    expect(a.settled).toBe(1_500);
    expect(b.connected.size).toBe(3);
  });

  test('two saturated servers leave each other alone', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    a.submit(20_000);
    b.submit(20_000);
    await clock.advance(20_000);
    expect([...a.redirects, ...b.redirects]).toEqual([]);
  });

  test('two that need workers share them', async () => {
    const [a, b, c] = (await neighbours(3, 1)) as [Site, Site, Site];
    for (let i = 0; i < 4; i += 1) world.addWorker(c);
    await clock.advance(2_500);
    a.submit(100_000);
    await clock.advance(10_000);
    expect(a.mesh.snapshot().borrowed).toHaveLength(4);
    b.submit(100_000);
    await clock.advance(30_000);
    expect(a.mesh.snapshot().borrowed).toHaveLength(2);
    expect(b.mesh.snapshot().borrowed).toHaveLength(2);
    const moved = c.redirects.length;
    await clock.advance(30_000);
    expect(c.redirects).toHaveLength(moved);
  });

  test('a worker is promised once, however long the ledger takes to write', async () => {
    const [a, b, c] = (await neighbours(3, 1)) as [Site, Site, Site];
    for (let i = 0; i < 3; i += 1) world.addWorker(c);
    await clock.advance(2_500);
    c.store.hold();
    a.submit(50_000);
    b.submit(50_000);
    await clock.advance(1_000);
    expect(c.redirects).toEqual([]);
    expect(c.mesh.snapshot().lent).toHaveLength(3);
    c.store.release();
    await clock.advance(1_000);
    expect(new Set(c.redirects.map((redirect) => redirect.worker)).size).toBe(3);
    expect(c.mesh.snapshot().totals.made).toBe(3);
    expect(c.redirects).toHaveLength(3);
  });

  test('nobody is sent to a borrower that died while the ledger was written', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    b.store.hold();
    a.submit(50_000);
    await clock.advance(500);
    await a.crash();
    await clock.advance(500);
    b.store.release();
    await clock.advance(500);
    expect(b.redirects).toEqual([]);
    expect(b.mesh.snapshot()).toMatchObject({ lent: [], totals: totals(2, 2, 0) });
    expect(b.store.open.size).toBe(0);
  });

  test('nobody is sent when others that were to stay have gone while the ledger was written', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    b.store.hold();
    a.submit(50_000);
    await clock.advance(500);
    expect(b.mesh.snapshot().lent).toHaveLength(2);
    const lent = new Set(b.mesh.snapshot().lent.map(({ worker }) => worker));
    const kept = [...b.connected.values()].find((worker) => !lent.has(worker.uuid));
    kept?.kill();
    b.store.release();
    await clock.advance(300);
    expect(b.redirects).toHaveLength(1);
    expect(b.mesh.snapshot()).toMatchObject({ lent: [{ state: 'there' }], totals: { made: 2, returned: 1 } });
  });

  test('when nothing can be stored nobody is lent, and later somebody is', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    b.store.isBroken = true;
    a.submit(50_000);
    await clock.advance(5_000);
    expect(b.redirects).toEqual([]);
    expect(b.mesh.snapshot()).toMatchObject({ lent: [], totals: totals(0, 0, 0) });
    b.store.isBroken = false;
    await clock.advance(15_000);
    expect(b.mesh.snapshot().lent).toHaveLength(2);
  });
});

describe('coming home', () => {
  test('a lender that is saturated itself calls its workers back first, and keeps them', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    a.submit(40_000);
    await clock.advance(1_000);
    expect(b.connected.size).toBe(1);
    b.submit(40_000);
    await clock.advance(1_000);
    expect(b.connected.size).toBe(1); // still within the minimum loan
    await clock.advance(4_000);
    expect(b.connected.size).toBe(3);
    await clock.advance(10_000);
    expect(b.connected.size).toBe(3);
    expect(world.said('release completed', b).length).toBeGreaterThan(0);
  });

  test('a call home that was not heard is repeated', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    a.submit(100_000);
    await clock.advance(5_000);
    network.cut(a.address, b.address);
    b.submit(40_000);
    await clock.advance(1_000);
    network.mend();
    expect(world.said('calls workers home', b)).toHaveLength(1);
    await clock.advance(3_000);
    expect(b.connected.size).toBe(1);
    await clock.advance(5_000);
    expect(b.connected.size).toBe(3);
  });

  test('a loan that ended is given back, however saturated the borrower is', async () => {
    const [a, b] = (await neighbours(2, 2)) as [Site, Site];
    a.submit(10_000_000);
    await clock.advance(130_000);
    expect(b.store.totals.returned).toBeGreaterThanOrEqual(1);
    expect(world.said('sends a borrowed worker home', a)[0]?.fields.reason).toBe('loan ended');
  });

  test('the workers of a borrower that dies go home', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    a.submit(50_000);
    await clock.advance(2_000);
    expect(b.mesh.snapshot().lent).toHaveLength(2);
    await a.crash();
    await clock.advance(2_000);
    expect(b.connected.size).toBe(3);
    expect(b.mesh.snapshot()).toMatchObject({ lent: [], totals: totals(2, 2, 0) });
  });

  test('a worker that dies on loan is lost, and counted', async () => {
    const [a, b] = (await neighbours(2, 2)) as [Site, Site];
    a.submit(100_000);
    await clock.advance(4_000);
    const guest = world.workers.find((worker) => worker.home === b && worker.at === a);
    guest?.kill();
    await clock.advance(40_000);
    expect(b.mesh.snapshot()).toMatchObject({ lent: [], totals: totals(1, 0, 1) });
  });

  test('a worker that lost its connection to the borrower is taken in again', async () => {
    const [a, b] = (await neighbours(2, 2)) as [Site, Site];
    a.submit(50_000);
    await clock.advance(20_000);
    const guest = world.workers.find((worker) => worker.home === b && worker.at === a);
    guest?.reconnect();
    await clock.advance(100);
    expect(guest?.at).toBe(a);
    expect(a.refusals).toEqual([]);
    await clock.advance(5_000);
    expect(b.mesh.snapshot().totals).toEqual(totals(1, 0, 0));
  });

  test('a server that stops sends its guests home first', async () => {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    a.submit(50_000);
    await clock.advance(2_000);
    a.mesh.leave();
    await clock.advance(2_000);
    expect(b.connected.size).toBe(3);
    await clock.advance(10_000);
    expect(b.connected.size).toBe(3);
  });
});

test('a server that is about to stop takes no borrowed worker in and lends none', async () => {
  const [a, b] = (await neighbours(2, 3)) as [Site, Site];
  b.store.hold();
  a.submit(50_000);
  await clock.advance(500);
  a.mesh.leave();
  b.store.release();
  await clock.advance(500);
  expect(a.refusals).toEqual(['STOPPING', 'STOPPING']);
  expect(b.connected.size).toBe(3);
  b.submit(50_000);
  await clock.advance(2_000);
  expect(a.redirects).toEqual([]);
});

describe('a home that restarts while its workers are away', () => {
  async function lendTwo(): Promise<[Site, Site]> {
    const [a, b] = (await neighbours(2, 3)) as [Site, Site];
    a.submit(50_000);
    await clock.advance(2_000);
    expect(b.mesh.snapshot().lent).toHaveLength(2);
    await b.crash();
    await clock.advance(3_000);
    return [a, b];
  }

  test('finds them in its ledger and gets them back', async () => {
    const [, b] = await lendTwo();
    await b.start();
    expect(b.mesh.snapshot().lent).toHaveLength(2);
    await clock.advance(5_000);
    expect(b.mesh.snapshot().lent.map((loan) => loan.state)).toEqual(['there', 'there']);
    await clock.advance(150_000);
    expect(b.mesh.snapshot()).toMatchObject({ lent: [], totals: totals(2, 2, 0) });
    expect(b.connected.size).toBe(3);
  });

  test('learns of them from the borrower where the ledger is lost', async () => {
    const [, b] = await lendTwo();
    Object.assign(b, { store: new MemoryLoanStore() });
    await b.start();
    await clock.advance(5_000);
    expect(b.mesh.snapshot().lent.map((loan) => loan.state)).toEqual(['there', 'there']);
    expect(b.store.open.size).toBe(2);
  });

  test('can call them back', async () => {
    const [a, b] = await lendTwo();
    await b.start();
    b.submit(50_000);
    await clock.advance(8_000);
    expect(b.connected.size).toBe(3);
    expect(a.mesh.snapshot().borrowed).toEqual([]);
  });
});
